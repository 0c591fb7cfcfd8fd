"""A proposal as a pair file that a person can read and correct.

One line per field, with the reason beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.ghl.entities import GHL
from flows.init.proposal import SURE, Join, Line, Place, Proposal
from flows.init.required import unmapped
from reconcile.entities import RECORDS
from reconcile.model import Entity


@dataclass(frozen=True, slots=True)
class Head:
    """What the pair file says besides the mapping.

    `app_url` and `token` are as they shall stand in the file.

    `files` says of each table where it is and what else is to be said of its file, where the app is
    a set of files, `connector` of which format. For a JSON API, `files` says it of each collection,
    and `app` of the whole API.
    """

    name: str
    app_url: str
    ghl_url: str
    location: str
    token: str | None
    connector: str = "sql"
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    app: Mapping[str, Any] = field(default_factory=dict)


def pair_text(
    proposal: Proposal,
    head: Head,
) -> str:
    """The text of the pair file."""
    return (
        "\n".join(
            [
                *_top(
                    proposal,
                    head,
                ),
                *_app(
                    proposal,
                    head,
                ),
                *_ghl(head),
                *_mapping(proposal),
            ]
        )
        + "\n"
    )


def _top(
    proposal: Proposal,
    head: Head,
) -> Iterator[str]:
    yield (
        "# Written by `ghl-reconcile init`. Read it, correct it, then: "
        "ghl-reconcile doctor, ghl-reconcile plan."
    )
    yield "# The number beside a line is how sure its proposal is."
    yield f"pair = {_quoted(head.name)}"
    yield 'store = "state"'
    if proposal.region:
        yield (
            f"region = {_quoted(proposal.region)}  # the location's country, "
            "for phones without a country code"
        )
    if proposal.timezone not in ("", "UTC"):
        yield (
            f"# timezone = {_quoted(proposal.timezone)}  # the location's: if the app writes times "
            "without a zone in it; else they are taken for UTC"
        )


def _app(
    proposal: Proposal,
    head: Head,
) -> Iterator[str]:
    yield from ("", "[app]", f"connector = {_quoted(head.connector)}")
    if not head.files:
        yield f"url = {_quoted(head.app_url)}"
    yield from (f"{name} = {_toml(value)}" for name, value in head.app.items())
    for place in proposal.places:
        yield from _place(place, head.files)
        for join in place.joins:
            yield from _join(place, join)


def _join(
    place: Place,
    join: Join,
) -> Iterator[str]:
    yield from ("", f"[app.{place.entity}.join.{join.name}]  # {_comment(join.because)}")
    yield from (f"{_key(name)} = {_toml(value)}" for name, value in join.said.items())


def _place(
    place: Place,
    files: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    yield from (
        "",
        f"[app.{place.entity}]  # {_percent(place.confidence)}: {_comment(place.because)}",
    )
    file = dict(files.get(place.table, {}))
    yield f"path = {_quoted(file.pop('path'))}" if files else f"table = {_quoted(place.table)}"
    yield f"key = {_names(place.key)}"
    if place.parent:
        yield f"parent = {_quoted(place.parent)}"
    for name in ("modified_at", "version", "deleted"):
        if (
            column := getattr(
                place,
                name,
            )
        ) is not None and not place.reads:
            yield f"{name} = {_quoted(column)}"
    except_tags = file.pop("tags_except", None)
    yield from (f"{name} = {_toml(value)}" for name, value in file.items())
    if place.tags and files:
        yield f"tags = {_quoted(place.tags['column'])}"
        if (delimiter := place.tags.get("delimiter")) is not None:
            yield f"tags_delimiter = {_quoted(delimiter)}"
        if place.tags.get("form") == "quoted":
            yield "tags_quoted = true"
        if except_tags:
            yield f"tags_except = {_toml(except_tags)}"
    elif place.tags:
        yield f"tags = {_toml(place.tags)}"
    yield from _chosen(place)


def _chosen(place: Place) -> Iterator[str]:
    """Which rows are meant, and what new ones get."""
    if place.where:
        yield f"where = {_quoted(place.where)}"
    if place.fixed:
        yield (
            f"fixed = {_toml(place.fixed)}  # records with another value are not "
            "seen, and never touched"
        )
    if place.on_create and not (place.creates and place.creates_on == "ghl"):
        yield f"on_create = {_toml(place.on_create)}  # for new records alone"


def _ghl(head: Head) -> Iterator[str]:
    yield from (
        "",
        "[ghl]",
        f"url = {_quoted(head.ghl_url)}",
        f"location = {_quoted(head.location)}",
    )
    if head.token:
        yield f"token = {_quoted(head.token)}"
    yield "# live = true  # allow writes to GHL; plan, audit and doctor work without it"


def _mapping(proposal: Proposal) -> Iterator[str]:
    for place in proposal.places:
        lines = proposal.fields(place.entity)
        yield ""
        yield f"[{place.entity}]"
        missing = unmapped(place, lines)
        yield from _creates(place, missing)
        if not place.entity.parent:
            yield (
                '# delete = { app = "hold", ghl = "hold" }  # or "mirror", "ignore": '
                "when the other end is gone"
            )
        # Written out, so that nobody has to know what holds where nothing is said.
        rules = _match(place.entity, lines)
        if rules and not (place.entity.parent and missing):
            yield (
                f"match = {_toml(rules)}  # how records of both sides are told to be "
                "one, the surest rule first"
            )
        if place.entity.parent and missing:
            yield f"match = [{_names([line.column for line in lines if line.confidence >= SURE])}]"
        yield from (
            "",
            f"[{place.entity}.fields]",
            *_fields(lines, one_way=place.reads),
            *_unplaced(proposal, place.entity),
        )
    yield from _absent(proposal)


def _creates(place: Place, missing: Sequence[str]) -> Iterator[str]:
    """On which sides records may be made, once, with each reason why not on the others."""
    reasons = {}
    if place.creates:
        reasons[place.creates_on] = place.creates
    if missing:
        fields = " and ".join(missing)
        reasons["app"] = f"GHL asks for {fields} of each new {place.entity}, and nothing is mapped"
    if reasons:
        side = "none" if len(reasons) > 1 else next(iter(reasons))
        yield f'create = "{side}"  # {_comment("; ".join(reasons.values()))}'
    elif not place.entity.parent:
        yield '# create = "both"  # or "app", "ghl", "none": on which sides records may be created'


def _match(
    entity: Entity,
    lines: Iterable[Line],
) -> list[list[str]]:
    """The rules that hold where none is written, by what the columns are called here."""
    named = {name: line.column for line in lines if line.confidence >= SURE for name in line.ghl}
    rules = [rule for rule in GHL[entity].match if all(name in named for name in rule)]
    return [[named[name] for name in rule] for rule in rules]


def _fields(
    lines: Iterable[Line],
    *,
    one_way: bool,
) -> Iterator[str]:
    for line in lines:
        prefix = "" if line.confidence >= SURE else "# "
        value = _value(line, one_way=one_way)
        because = line.because
        if line.blank:
            because += f"; GHL takes no new {line.entity} without it, and it {line.blank}"
        yield (
            f"{prefix}{_key(line.column)} = {value}  # {_percent(line.confidence)}: "
            f"{_comment(because)}"
        )


def _value(
    line: Line,
    *,
    one_way: bool,
) -> str:
    parts: dict[str, Any] = {
        "codec": line.codec,
        "digits": line.digits,
        "choices": line.choices,
        "value": line.value,
        "by": line.by,
        "lookup": line.lookup,
        "true_says": line.true_says,
    }
    if line.also:
        parts["also"] = {"app": list(line.also)}
    if one_way or line.flow:
        parts["flow"] = line.flow or "app->ghl"
    said = [f"{name} = {_toml(value)}" for name, value in parts.items() if value]
    ghl = _names(line.ghl)
    if not said:
        return ghl
    return f"{{ ghl = {ghl}, {', '.join(said)} }}"


def _unplaced(
    proposal: Proposal,
    entity: Entity,
) -> Iterator[str]:
    for one in proposal.unplaced:
        if one.entity is entity:
            yield f"# {one.where} has no place: {_comment(one.why)}"


def _absent(proposal: Proposal) -> Iterator[str]:
    present = {place.entity for place in proposal.places}
    for entity in RECORDS:
        if entity not in present:
            yield from ("", f"# [{entity}.fields]")
    for one in proposal.unplaced:
        if one.entity is None:
            yield f"# {one.where}: {_comment(one.why)}"


def _percent(confidence: float) -> str:
    return f"{round(100 * confidence)} %"


def _comment(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    return json.dumps(
        text,
        ensure_ascii=False,
    ).replace(
        "\x7f",
        "\\u007f",
    )


def _key(name: str) -> str:
    bare = (
        name.isascii()
        and name.replace(
            "_",
            "",
        )
        .replace(
            "-",
            "",
        )
        .isalnum()
    )
    if bare:
        return name
    return _quoted(name)


def _names(names: Iterable[str]) -> str:
    listed = list(names)
    if len(listed) == 1:
        return _quoted(listed[0])
    return f"[{', '.join(map(_quoted, listed))}]"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = [f"{_key(key)} = {_toml(item)}" for key, item in value.items()]
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list | tuple):
        items = [_toml(item) for item in value]
        return f"[{', '.join(items)}]"
    if isinstance(value, bool | int):
        return json.dumps(value)
    return _quoted(value)
