"""What a backtest came to: on a terminal, for machines, and as a comment under a pull request."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from flows.commands.printed import print_json
from flows.config import Pair
from flows.terminal import Console
from reconcile.model import OpKind
from reconcile.report.markdown import table as markdown_table
from reconcile.report.mask import mask, scrub, undecided
from reconcile.undo.backtest import Difference

_MOST = 8

Format = Literal["terminal", "json", "markdown"]


def as_document(pair: Pair, differences: Iterator[Difference]) -> dict[str, Any]:
    """The differences for machines."""
    rows = [{**asdict(each), "same": each.same} for each in differences]
    return {"pair": pair.name, "config_digest": pair.config_digest, "runs": rows}


def show(
    pair: Pair,
    differences: Iterator[Difference],
    *,
    form: Format = "terminal",
    masked: bool = False,
) -> int:
    """Print the differences; 1 where a plan would have been another one."""
    document = as_document(pair, differences)
    if masked:
        document["runs"] = [_masked(each) for each in document["runs"]]
    if form == "json":
        print_json(document)
    elif form == "markdown":
        sys.stdout.write(comment(document))
    else:
        _tell(Console(), document["runs"])
    return int(any(not each["same"] for each in document["runs"]))


def _tell(console: Console, runs: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("run", "planned then", "now", "+", "-", "~", "held then", "now", "+", "-"):
        table.add_column(head, justify="left" if head == "run" else "right", no_wrap=head == "run")
    for each in runs:
        lists = ("gained", "lost", "changed")
        counts = [
            each["operations_then"],
            each["operations_now"],
            *(len(each[name]) for name in lists),
        ]
        holds = [
            each["holds_then"],
            each["holds_now"],
            len(each["holds_gained"]),
            len(each["holds_lost"]),
        ]
        table.add_row(each["run_id"], *(f"{number:,}" for number in [*counts, *holds]))
    console.print(table)
    for each in runs:
        for line in _lines(each):
            console.print(Text(line), overflow="ellipsis", no_wrap=True)
    for caveat in dict.fromkeys(caveat for each in runs for caveat in each["caveats"]):
        console.print(Text(f"Note: {caveat}", style="dim"))


def _lines(run: Mapping[str, Any]) -> Iterator[str]:
    """The first examples of one run's differences, and the limits that it would have met."""
    if not run["same"]:
        yield f"\n{run['run_id']}:"
    for sign, name in (("+", "gained"), ("-", "lost"), ("~", "changed")):
        for row in run[name][:_MOST]:
            values = ", ".join(f"{key} → {value}" for key, value in row["after"].items())
            yield (
                f"  {sign} {row['kind']} {row['entity']} {row['key']} in {row['side']}: "
                f"{values or row['because']}"
            )
        if len(run[name]) > _MOST:
            rest = Counter(row["kind"] for row in run[name][_MOST:])
            yield (
                f"    … and {', '.join(f'{count} {kind}' for kind, count in sorted(rest.items()))} "
                "more"
            )
    for sign, name in (("+", "holds_gained"), ("-", "holds_lost")):
        for row in run[name][:_MOST]:
            yield (
                f"  {sign} hold {row['kind']} {row['entity']} {row['key']} "
                f"{row['field'] or ''}: {row['because']}"
            )
    for breach in run["refused"]:
        yield f"  ! would be refused: {breach['what']}"


_ROWS = ("gained", "lost", "changed")
_HOLDS = ("holds_gained", "holds_lost")
_MINUS = "−"  # noqa: RUF001 - a minus as people set it
_SIGNS = {
    "gained": "+",
    "lost": _MINUS,
    "changed": "~",
    "holds_gained": "+",
    "holds_lost": _MINUS,
}
_DELETES = frozenset({OpKind.DELETE.value})


def _masked(run: Mapping[str, Any]) -> dict[str, Any]:
    """The same without a person's values: keys, kinds, fields and rules stay."""
    whole = dict(run)
    for name in _ROWS:
        whole[name] = [
            {
                **row,
                "after": {field: mask(_text(value)) for field, value in row["after"].items()},
                "because": scrub(undecided(row["because"])),
            }
            for row in run[name]
        ]
    for name in _HOLDS:
        whole[name] = [{**row, "because": scrub(undecided(row["because"]))} for row in run[name]]
    return whole


def _text(value: object) -> str | None:
    if value is None:
        return None
    return str(value)


def comment(document: Mapping[str, Any]) -> str:
    """The differences as Markdown: a verdict, the risks, a table of counts, examples of a run."""
    runs = document["runs"]
    parts = [
        [f"### `{document['pair']}`: what this pair file would have planned"],
        [_sentence(runs)],
        [f"- **{risk}**" for risk in _risks(runs)],
        list(_counts(runs)) if runs else [],
        *([*_examples(each)] for each in runs if not each["same"]),
        [f"_{caveat}_" for caveat in dict.fromkeys(c for each in runs for c in each["caveats"])],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _sentence(runs: Sequence[Mapping[str, Any]]) -> str:
    which = "the last run" if len(runs) == 1 else f"the last {len(runs)} runs"
    tried = f"Tried on what {which} archived; neither side was asked anything."
    if not runs:
        return "No run has an archive to try it on."
    if all(each["same"] for each in runs):
        return f"Every plan would have been the same. {tried}"
    return f"{tried} Compare before you merge; the next night plans with this file."


def _risks(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What a reviewer has to see first: more deletions, and limits that would stop a run."""
    for each in runs:
        deletes = sum(row["kind"] in _DELETES for row in each["gained"])
        if deletes:
            plural = "" if deletes == 1 else "s"
            yield f"{deletes} more deletion{plural} in run {each['run_id']}"
        for breach in each["refused"]:
            yield f"run {each['run_id']} would have been refused: {breach['what']}"


def _counts(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    planned = ["planned then", "now", "+", _MINUS, "~"]
    heads = ["run", *planned, "asked then", "now", "+", _MINUS]
    rows = [
        [
            each["run_id"],
            each["operations_then"],
            each["operations_now"],
            *(len(each[name]) for name in _ROWS),
            each["holds_then"],
            each["holds_now"],
            *(len(each[name]) for name in _HOLDS),
        ]
        for each in runs
    ]
    yield from markdown_table(heads, rows)


def _examples(run: Mapping[str, Any]) -> Iterator[str]:
    yield f"<details><summary>Examples of run {run['run_id']}</summary>"
    yield ""
    heads = ["", "what", "record", "values", "why"]
    yield from markdown_table(heads, list(_example_rows(run)), left=len(heads))
    left = sum(max(0, len(run[name]) - _MOST) for name in (*_ROWS, *_HOLDS))
    if left:
        yield ""
        yield f"… and {left} more."
    yield ""
    yield "</details>"


def _example_rows(run: Mapping[str, Any]) -> Iterator[list[object]]:
    for name in _ROWS:
        for row in run[name][:_MOST]:
            values = ", ".join(f"{field} → {value}" for field, value in row["after"].items())
            record = f"{row['entity']} {row['key']} in {row['side']}"
            yield [_SIGNS[name], row["kind"], record, values, row["because"]]
    for name in _HOLDS:
        for row in run[name][:_MOST]:
            record = f"{row['entity']} {row['key']}"
            yield [_SIGNS[name], f"asks: {row['kind']}", record, row["field"], row["because"]]
