"""SQL that reads a side's JSON lines into rows, by the shape that its connector tells."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from reconcile.ports import Item, Only, Shape
from reconcile.ports import Path as JsonPath
from reconcile.stage.quoting import literal, quoted

_BIGGEST_RECORD = 64 * 1024 * 1024  # bytes; a note may carry a whole e-mail


def digest(natives: int) -> str:
    """SQL for a row's digest.

    Its key is part of it: no two rows of a side have the same one, so that it also names the row.
    """
    columns = ", ".join(["key", "parent", *(f"r{at}" for at in range(natives))])
    # DuckDB's hash is unsigned, and half of its values would not fit into a BIGINT.
    return f"(hash({columns}) >> 1)::BIGINT"


def raw_rows(spool: Path, natives: Sequence[str], shape: Shape) -> str:
    """SQL for the rows of spooled JSON lines as `raw_e_s` holds them.

    What the shape says, each row with its digest.
    """
    paths = {
        "key": shape.key,
        "parent": shape.parent,
        "version": shape.version,
        "modified_at": shape.modified_at,
        "deleted": shape.deleted,
        **{f"r{at}": shape.fields[native] for at, native in enumerate(natives)},
    }
    tops = _top_level(path for choices in paths.values() for path in choices)
    selected = ", ".join(
        f"{_first_of(choices, tops)} AS {column}" for column, choices in paths.items()
    )
    # Sides mark what is deleted by true, by a number, or by the date: all that is no "no" counts.
    truth = "coalesce(lower(deleted) NOT IN ('', 'false', '0', 'f', 'no'), false)"
    columns = ", ".join(f"{literal(top)}: '{kind}'" for top, kind in tops.items())
    source = (
        f"read_json({literal(str(spool))}, format = 'newline_delimited', columns = {{{columns}}}, "
        f"maximum_object_size = {_BIGGEST_RECORD})"
    )
    for (top, where), members in _lookups(
        path for choices in paths.values() for path in choices
    ).items():
        form = json.dumps([{where: "VARCHAR"} | dict.fromkeys(members, "JSON")])
        read = (
            f"SELECT *, from_json({quoted(top)}, {literal(form)}) AS {_listed(top, where)} "
            f"FROM {source}"
        )
        known = f"list_transform({_listed(top, where)}, lambda x: x.{quoted(where)})"
        source = f"(SELECT *, {known} AS {_named(top, where)} FROM ({read}))"
    return (
        f"SELECT * REPLACE ({truth} AS deleted), {digest(len(natives))} AS digest "
        f"FROM (SELECT {selected} FROM {source})"
    )


def _lookups(paths: Iterable[JsonPath]) -> dict[tuple[str, str], list[str]]:
    """The members looked up in each list of objects, by (list, member that names an object).

    Each list is parsed once a row.
    """
    lookups: dict[tuple[str, str], list[str]] = {}
    for path in paths:
        match path:
            case (str(top), Item(where), str(member)):
                members = lookups.setdefault((top, where), [])
                members += [member] if member not in (*members, where) else []
    return lookups


def _listed(top: str, where: str) -> str:
    return quoted(f"{top}, each by {where}")


def _named(top: str, where: str) -> str:
    return quoted(f"{top}, every {where}")


def _top_level(paths: Iterable[JsonPath]) -> dict[str, str]:
    """Each top-level member with the SQL type to read it as: text, unless a path goes into it."""
    tops: dict[str, str] = {}
    for path in paths:
        top = path[0]
        if not isinstance(top, str):
            raise TypeError("a path starts with the name of a member")
        if len(path) > 1 or top not in tops:
            tops[top] = "JSON" if len(path) > 1 else "VARCHAR"
    return tops


def _first_of(choices: Sequence[JsonPath], tops: dict[str, str]) -> str:
    values = [_value(path, tops) for path in choices]
    if not values:
        return "NULL::VARCHAR"
    if len(values) == 1:
        return values[0]
    return f"coalesce({', '.join(values)})"


def _value(path: JsonPath, tops: dict[str, str]) -> str:
    if isinstance(path[-1], Only):
        value = _value(path[:-1], tops)
        return f"CASE WHEN {value} = {literal(path[-1].equals)} THEN {value} END"
    top = str(path[0])
    if len(path) == 1:
        if tops[top] == "VARCHAR":
            return quoted(top)
        return f"json_extract_string({quoted(top)}, '$')"
    match path:
        case (_, Item(where, equals), str(member)):
            at = f"list_position({_named(top, where)}, {literal(equals)})"
            return f"({_listed(top, where)}[{at}].{quoted(member)} ->> '$')"
    value = quoted(top)
    for step in path[1:-1]:
        value = _inside(value, step)
    last = path[-1]
    if isinstance(last, str):
        return f"json_extract_string({value}, {literal(_pointer(last))})"
    return f"({_inside(value, last)} ->> '$')"


def _inside(value: str, step: str | Item | Only) -> str:
    if isinstance(step, Only):
        raise TypeError("nothing lies behind a condition")
    if isinstance(step, str):
        return f"json_extract({value}, {literal(_pointer(step))})"
    same = f"json_extract_string(x, {literal(_pointer(step.where))}) = {literal(step.equals)}"
    return f"list_filter(from_json({value}, '[\"JSON\"]'), lambda x: {same})[1]"


def _pointer(member: str) -> str:
    return '$."' + member.replace('"', '\\"') + '"'
