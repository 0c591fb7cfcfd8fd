"""How a run is shown on a terminal.

The verdict, the figures, what was or would be done, what is asked, where the report lies.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from flows.commands.listing import changes, questions
from flows.commands.refusal import limits
from flows.terminal import Console
from reconcile.entities import Entity, Shown
from reconcile.model import Side

if TYPE_CHECKING:
    from flows.outcome.tell import Told

_STYLE = {"good": "bold green", "ask": "bold yellow", "bad": "bold red", "plain": "bold"}
_FIGURES = (
    ("creates", "created", "to create"),
    ("updates", "updated", "to update"),
    ("deletes", "deleted", "to delete"),
    ("linked", "linked", "to link"),
    ("failed", "failed", ""),
    ("left", "left", ""),
    ("conflicts", "conflicts", "conflicts"),
    ("holds", "questions", "questions"),
    ("residual_operations", "still to do", ""),
)
_TAGS_NAMED = 10


def show(
    result: Told, *, pair: Path, as_json: bool = False, full: bool = False, offer: bool = False
) -> int:
    """Print what a run came to, for people or as one JSON document.

    Returns the exit code, also where nobody takes the words.

    `pair` is the pair file as it was named; with `offer` the command that carries the plan out is
    told.
    """
    try:
        if as_json:
            write_json(result.document)
        else:
            _show(result, pair=pair, full=full, offer=offer)
        sys.stdout.flush()
    except OSError as error:
        # It takes what is still to be flushed at the end.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
        if not isinstance(error, BrokenPipeError):
            where = ", ".join(str(path) for path in result.paths.values())
            print(
                f"what the run came to could not be printed ({error}); see {where}",
                file=sys.stderr,
            )
    return result.exit_code


def _show(result: Told, *, pair: Path, full: bool, offer: bool) -> None:
    console = Console()
    tell_run(console, result.document, pair=pair, full=full)
    totals = result.document["totals"]
    if offer and totals["planned"]["writes"] + totals["planned"]["links"]:
        digest = result.document["provenance"]["plan_digest"]
        why = "To carry it out as shown:"
        flags = _flags(result.document)
        if flags:
            why = "It goes over the limits above. If it is right, carry it out as shown:"
        tell_command(console, why, "apply", digest, *flags, pair=pair)
    tell_paths(console, result.paths)


def _flags(document: Mapping[str, Any]) -> list[str]:
    """What lets a plan pass the limits that it goes over."""
    names = dict.fromkeys(limit["name"] for limit in document.get("limits") or ())
    return [word for name in names for word in ("--allow", name)]


def tell_command(console: Console, why: str, *words: str, pair: Path) -> None:
    """A command to copy, on a line of its own that no width breaks."""
    line = shlex.join(["ghl-reconcile", *words, "--pair", str(pair)])
    console.print(f"\n{why}", highlight=False, markup=False)
    console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def write_json(document: Mapping[str, Any]) -> None:
    """A report on the standard output, as it is in report.json."""
    from reconcile.report import texts

    for text in texts(document):
        sys.stdout.write(text)


def tell_run(
    console: Console, document: Mapping[str, Any], *, pair: Path, full: bool = False
) -> None:
    """The verdict, the figures, what changed with its values, and what is asked."""
    from reconcile.report.account import approved

    verdict = document["verdict"]
    console.print(Text(verdict["headline"], style=_STYLE[verdict["tone"]]))
    _alerts(console, document)
    for sentence in _sentences(document):
        console.print(Text(sentence))
    limits(console, document.get("limits") or ())
    table = figures(document)
    if table.row_count:
        console.print()
        console.print(table)
        console.print()
    for sentence in approved(document):
        console.print(Text(sentence, style="dim"))
    for sentence in requests(document):
        console.print(Text(sentence, style="dim"))
    for kind in Shown:
        brief = document.get(kind.plural, {}).get("brief")
        if brief:
            console.print(Text(brief, style="dim"))
    _new_tags(console, document)
    changes(console, document["changes"], full=full)
    questions(console, document["holds"], pair=shlex.quote(str(pair)), full=full)
    if full:
        _times(console, document)


def _new_tags(console: Console, document: Mapping[str, Any]) -> None:
    """Words that are new among GHL's tags: workflows may start on them, or nobody meant them."""
    tags = document["quality"].get("new_tags") or []
    if not tags:
        return
    named = [f"“{each['tag']}” ({each['contacts']:,})" for each in tags[:_TAGS_NAMED]]
    words = ", ".join(named)
    more = len(tags) - len(named)
    if more:
        words += f" and {more:,} more"
    console.print(Text(f"Tags that no contact in GHL had before: {words}."))


def _times(console: Console, document: Mapping[str, Any]) -> None:
    """Where the run's time went."""
    from reconcile.report.account import slow

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    for says, lasted in slow(document):
        table.add_row(says, lasted)
    if table.row_count:
        console.print(Text(f"\nWhere the time went: {document['seconds']:,.1f} s", style="bold"))
        console.print(table)


def _sentences(document: Mapping[str, Any]) -> list[str]:
    """The verdict's sentences.

    Where the limits stand in a table, the refusal that has them as text is left out.
    """
    sentences: list[str] = list(document["verdict"]["sentences"])
    # The refusal's own text repeats every limit, for those who have no table.
    if document.get("limits") and document["refusal"]:
        sentences.remove(document["refusal"])
    return sentences


def _alerts(console: Console, document: Mapping[str, Any]) -> None:
    """What is unusual, beside the verdict.

    That alone makes the exit code 1, where both sides agree.
    """
    for alert in document.get("alerts", ()):
        if alert["severity"] == "info":
            console.print(Text(f"{alert['what'].capitalize()}.", style="green"))
        elif alert["name"] != "refused":
            words = f"Alert, so that the exit code is not 0: {alert['name']}: {alert['what']}"
            console.print(Text(words, style="bold yellow"))


def figures(document: Mapping[str, Any]) -> Table:
    """The figures by entity, of what was done or of what would be.

    Columns that are nought throughout are left out.
    """
    entities = {name: row for name, row in document["entities"].items() if name != "tag"}
    applied = document["applied"]
    used: dict[str, str] = {}
    for name, done, due in _FIGURES:
        head = done if applied else due
        if head and any(row.get(name) for row in entities.values()):
            used[name] = head
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for head in used.values():
        table.add_column(head, justify="right")
    for entity, row in entities.items():
        cells = [row.get(name) for name in used]
        if any(cells):
            table.add_row(Entity(entity).plural, *map(_number, cells))
    return table


def _number(value: object) -> str:
    if value is None:
        return "–"  # noqa: RUF001 - a dash, as people set one
    if not value:
        return "·"
    return f"{value:,}"


def requests(document: Mapping[str, Any]) -> Iterator[str]:
    """What the run cost on each side that counts requests.

    The writes beside their estimate, the reads apart.
    """
    for side, used in document["usage"].items():
        if not used["metered"] or not used["requests"]:
            continue
        line = f"{used['requests']:,} requests to {Side(side).label}"
        if used["reading"] is not None:
            line += f": {used['reading']:,} to read, {used['writing']:,} to write"
        if used["estimate"]:
            line += f"; the writes were estimated at {used['estimate']:,}"
        yield line + "."


def tell_paths(console: Console, paths: Mapping[str, Path]) -> None:
    """Where the report lies."""
    if "html" in paths:
        console.print(f"\nReport: {paths['html']}", highlight=False, markup=False, soft_wrap=True)
