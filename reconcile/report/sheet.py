"""The report as a spreadsheet: a sheet for each class of change, and one for decisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Map
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reconcile.entities import Entity
from reconcile.model import Side
from reconcile.report.choices import BETWEEN, words
from reconcile.report.grid import Grid
from reconcile.report.totals import COUNTED, DONE, totals_of, verb

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

DECISIONS = "Decisions"
CHOICES = "Choices"
SUMMARY = "Summary"
HEADS = (
    "decision",
    "reason",
    "record",
    "entity",
    "question",
    "field",
    "the app",
    "GHL",
    "before",
    "days",
    "answers",
    "choices",
    "hold_id",
    "values_digest",
)
"""The columns of the sheet of decisions.

Reading back looks for decision, reason, hold_id and values_digest by name.
"""

_MOST_ROWS = 1_000_000  # Excel holds 1,048,576
_LONGEST = 32_000  # Excel holds 32,767 characters a cell
_MOST_LISTS = 60_000  # Excel holds 65,530 drop-downs a sheet
_WIDTHS = {
    "decision": 34,
    "answers": 44,
    "reason": 26,
    "record": 26,
    "question": 44,
    "because": 44,
    "values": 60,
    "before": 28,
    "after": 28,
    "stored": 28,
    "figure": 40,
    "the app": 28,
    "GHL": 28,
    "key in GHL": 24,
}
_USUAL_WIDTH = 15
_SENTENCE = 110
_A4 = 9

_RECORD = ("entity", "in", "record", "contact", "key in the app", "key in GHL")
_FAILED = (
    "what",
    *_RECORD,
    "field",
    "before",
    "after",
    "because",
    "outcome",
    "code",
    "detail",
    "trace id",
    "stored",
    "what to do",
)
_INTERRUPTED = ("run", "what", *_RECORD, "field", "before", "after", "because")
_CONSENTS = (
    "what",
    "entity",
    "in",
    "record",
    "key in the app",
    "key in GHL",
    "field",
    "before",
    "after",
    "because",
    "outcome",
)
_SHEETS = (
    ("Created", "To create", ("create",)),
    ("Updated", "To update", ("update", "complete")),
    ("Deleted", "To delete", ("delete", "archive")),
    ("Tags", "Tags to change", ("add_tags", "remove_tags")),
    ("Linked", "To link", ("adopt", "forget")),
)
"""The sheets of a run, with the kinds of operation that each lists.

There is one set for a run that wrote and one for a run that did not.
"""

_WRITTEN = (*DONE, "planned")
_FIGURES = {
    "creates": "records created",
    "updates": "records updated",
    "deletes": "records deleted",
    "tags_added": "contacts that got tags",
    "tags_removed": "contacts that lost tags",
    "links": "records linked without a write",
    "writes": "writes, all in all",
}
_AS_PLANNED = ("done", "exists", "planned")


def sheet(document: Map[str, Any], path: Path) -> Path:
    """Write the workbook of `document` at `path`, whole or not at all, in bounded memory."""
    import xlsxwriter

    partial = path.with_name(path.name + ".partial")
    empty = path.with_name(path.name + ".empty")
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    # XlsxWriter makes the frame alone: for rows it is slow, see `reconcile.report.grid`.
    with Grid() as grid:
        with xlsxwriter.Workbook(str(empty), options) as book:
            formats = {
                "head": book.add_format({"bold": True, "bottom": 1}),
                "ask": book.add_format({"bg_color": "#FDF1DE"}),
            }
            _all(_Book(book, grid, formats), document)
        grid.fill(empty, partial)
    empty.unlink()
    return partial.replace(path)


class _Book(NamedTuple):
    """The workbook being made: its frame, the rows that fill it, and the formats."""

    frame: Workbook
    grid: Grid
    formats: Map[str, Any]


def _all(book: _Book, document: Map[str, Any]) -> None:
    _table(book, SUMMARY, ("entity", "figure", "value"), _summary(document))
    _table(
        book,
        "Statement",
        ("entity", "side", "line", "records", "what it means"),
        _statement(document),
    )
    _decisions(book, document["holds"])
    _by_kind(book, document)
    consent = document.get("consent", {}).get("changes")
    if consent:
        _table(book, "Consent", _CONSENTS, map(_consent, consent))
    heads = ("class", "entity", "in", "record", "key", "because")
    _table(book, "Left out", heads, _left_out(document))
    if document["interrupted"]:
        _table(book, "Interrupted", _INTERRUPTED, _interrupted(document))


def _table(
    book: _Book,
    name: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> None:
    worksheet = book.frame.add_worksheet(name)
    _heads(worksheet, book.formats, heads)
    if name == SUMMARY:
        # Its sentences are long, and whoever is handed a summary wants one page.
        worksheet.set_column(len(heads) - 1, len(heads) - 1, _SENTENCE)
        worksheet.fit_to_pages(1, 1)
    last = book.grid.add(worksheet, rows, columns=len(heads))
    worksheet.autofilter(0, 0, max(last, 1), len(heads) - 1)


def _heads(
    worksheet: Worksheet,
    formats: Map[str, Any],
    heads: Sequence[str],
) -> None:
    worksheet.freeze_panes(1, 0)
    worksheet.set_landscape()
    worksheet.set_paper(_A4)
    worksheet.fit_to_pages(1, 0)
    worksheet.repeat_rows(0)
    worksheet.set_footer("&L&F, &A&R&P / &N")
    for column, head in enumerate(heads):
        worksheet.set_column(column, column, _WIDTHS.get(head, _USUAL_WIDTH))
    worksheet.write_row(0, 0, heads, formats["head"])


def _write(worksheet: Worksheet, row: int, values: Sequence[object]) -> None:
    for column, value in enumerate(values):
        if isinstance(value, int | float):
            worksheet.write_number(row, column, value)
        elif value is not None and value != "":
            text = str(value)
            if len(text) > _LONGEST:
                text = f"{text[: _LONGEST - 1]}…"
            # XlsxWriter takes what begins with <r> for mark-up of its own, and leaves it unescaped.
            if text.startswith("<r>"):
                text = f" {text}"
            worksheet.write_string(row, column, text)


# decisions ----------------------------------------------------------------------------------------


def _decisions(book: _Book, holds: Sequence[Map[str, Any]]) -> None:
    """The questions with a drop-down each.

    The choices stand in a hidden sheet, as Excel takes lists of 255 characters only.
    """
    worksheet, hidden = book.frame.add_worksheet(DECISIONS), book.frame.add_worksheet(CHOICES)
    hidden.hide()
    _heads(worksheet, book.formats, HEADS)
    for row, hold in enumerate(holds[:_MOST_ROWS], start=1):
        choices = words(hold)
        # Without a choice there is nothing to fill in.
        colour = book.formats["ask"] if choices else None
        worksheet.write_blank(row, 0, None, colour)
        worksheet.write_blank(row, 1, None, colour)
        _write(worksheet, row, _question(hold, choices))
        for column, choice in enumerate(choices):
            hidden.write_string(row, column, choice)
        if choices and row <= _MOST_LISTS:
            worksheet.data_validation(row, 0, row, 0, _drop_down(row, len(choices)))
    worksheet.autofilter(0, 0, max(len(holds), 1), len(HEADS) - 1)


def _drop_down(row: int, choices: int) -> dict[str, Any]:
    from xlsxwriter.utility import xl_range_abs

    return {
        "validate": "list",
        "source": f"={CHOICES}!{xl_range_abs(row, 0, row, choices - 1)}",
        "error_title": "Not a choice",
        "error_message": "Choose one of the list, or leave it empty to decide later.",
    }


def _question(hold: Map[str, Any], answers: list[str]) -> list[object]:
    values = hold["values"]
    choices = [option["choice"] for option in hold["options"]]
    shown = [values.get(side.value) for side in Side]
    if not any(side.value in values for side in Side):
        shown = [_records_of(hold, side) for side in Side]
    before, before_in_ghl = values.get("base_app"), values.get("base_ghl")
    if before != before_in_ghl:
        before = f"{before} / {before_in_ghl}"
    return [
        "",
        "",
        hold["label"],
        hold["entity"],
        hold["because"],
        hold["field"],
        *shown,
        before,
        hold["age_days"],
        BETWEEN.join(answers),
        ", ".join(choices),
        hold["hold_id"],
        hold["values_digest"],
    ]


def _records_of(hold: Map[str, Any], side: Side) -> str:
    """The records of one side that a question is about."""
    every = (*hold["records"], *hold["candidates"])
    records = [record for record in every if record["side"] == side]
    return "; ".join(f"{record['label']} ({record['key']})" for record in records)


# changes ------------------------------------------------------------------------------------------


def _by_kind(book: _Book, document: Map[str, Any]) -> None:
    changes = document["changes"]
    for done, due, kinds in _SHEETS:
        name = done if document["applied"] else due
        mine = (entry for entry in changes if _belongs(entry, done, kinds))
        if done in ("Updated", "Tags"):
            _table(book, name, (*_RECORD, "field", "before", "after", "because"), _by_field(mine))
        else:
            _table(book, name, (*_RECORD, "values", "because"), _by_record(mine))
    failed = (entry for entry in changes if entry["status"] not in _AS_PLANNED)
    _table(book, "Not as planned", _FAILED, _failed(document, failed))


def _belongs(
    entry: Map[str, Any],
    sheet: str,
    kinds: Sequence[str],
) -> bool:
    """Whether a sheet lists it: what was written, or is to be.

    A record that turned out to exist was linked.
    """
    if entry["status"] == "exists":
        return sheet == "Linked"
    return entry["kind"] in kinds and entry["status"] in _WRITTEN


def _record(entry: Map[str, Any]) -> tuple[object, ...]:
    return (
        entry["entity"],
        entry["side"],
        entry["label"],
        entry["under"],
        entry["app_key"],
        entry["ghl_key"],
    )


_NO_FIELD: Map[str, Any] = {"field": "", "before": "", "after": ""}


def _by_field(entries: Iterable[Map[str, Any]]) -> Iterator[Sequence[object]]:
    for entry in entries:
        for part in entry["fields"] or [_NO_FIELD]:
            yield (*_record(entry), part["field"], part["before"], part["after"], entry["because"])


def _by_record(entries: Iterable[Map[str, Any]]) -> Iterator[Sequence[object]]:
    for entry in entries:
        values: list[str] = []
        for part in entry["fields"]:
            value = part["after"]
            # Of what was deleted only the value before says what it was.
            if value is None:
                value = part["before"]
            values.append(f"{part['field']}: {value}")
        yield (*_record(entry), "; ".join(values), entry["because"])


def _failed(
    document: Map[str, Any], entries: Iterable[Map[str, Any]]
) -> Iterator[Sequence[object]]:
    remedies = {group["code"]: group["remedy"] for group in document["failures"]}
    for entry in entries:
        outcome = [entry[name] for name in ("because", "status", "code", "detail", "trace_id")]
        remedy = remedies.get(entry["code"] or entry["status"].upper())
        for part in entry["fields"] or [_NO_FIELD]:
            values = (part["field"], part["before"], part["after"])
            yield (
                entry["kind"].replace("_", " "),
                *_record(entry),
                *values,
                *outcome,
                part.get("stored"),
                remedy,
            )


def _consent(change: Map[str, Any]) -> Sequence[object]:
    named = ("means", "entity", "side", "label", "app_key", "ghl_key")
    facts = ("field", "before", "after", "ground", "status")
    return [change[name] for name in (*named, *facts)]


# the rest -----------------------------------------------------------------------------------------


def _summary(document: Map[str, Any]) -> Iterator[list[object]]:
    yield ["", "verdict", document["verdict"]["headline"]]
    for sentence in document["verdict"]["sentences"]:
        yield ["", "", sentence]
    for name in ("pair", "job", "run_id", "started_at", "ended_at", "state"):
        yield ["", name.replace("_", " "), document[name]]
    yield from _totals(totals_of(document))
    for entity, figures in document["entities"].items():
        for name, value in figures.items():
            yield [entity, _figure(document, name), value]


def _totals(whole: Map[str, Any]) -> Iterator[list[object]]:
    """The figures of the whole run, what was planned apart from what was done."""
    for state in ("planned", "done"):
        counts = whole[state]
        for name, label in _FIGURES.items():
            yield ["", f"{state}: {label}", counts[name]]
        for child, count in whole["along"][state].items():
            plural = Entity(child).plural
            yield ["", f"{state}: {plural} that go with deleted contacts", count]
    for name in ("failed", "left", "questions", "conflicts"):
        yield ["", name, whole[name]]


def _figure(document: Map[str, Any], name: str) -> str:
    """What a figure of an entity is called.

    Created, or what stands for it where nothing was written.
    """
    if name == "linked":
        return verb(document, "links")
    if name in COUNTED:
        return verb(document, name)
    return name.replace("_", " ")


def _statement(document: Map[str, Any]) -> Iterator[list[object]]:
    known = {each["name"]: each for each in document["statement"]["classes"]}
    for entity in document["statement"]["entities"]:
        for side in entity["sides"]:
            head = [entity["entity"], side["side"]]
            yield [*head, "read", side["read"], "rows of the snapshot"]
            yield [*head, "corrected", side["corrected"], "by a look at the record"]
            for name, count in side["aside"].items():
                label = known[name]["label"]
                yield [*head, f"less: {label}", -count, "no counterpart after the run"]
            for name in ("created", "met", "unread"):
                yield [*head, f"plus: {name}", side[name], ""]
            yield [*head, "linked pairs", side["adjusted"], f"must be {entity['linked']:,}"]
            for name, count in side["classes"].items():
                described = known[name]
                yield [*head, f"class: {described['label']}", count, described["meaning"]]
            yield [*head, "unexplained", side["unexplained"], "must be 0"]


def _left_out(document: Map[str, Any]) -> Iterator[list[object]]:
    for record in document["passed"]["records"]:
        yield [record[name] for name in ("class", "entity", "side", "label", "key", "because")]
    counted = sum(each["count"] for each in document["passed"]["counts"])
    more = counted - len(document["passed"]["records"])
    if more > 0:
        yield [f"… and {more:,} more records, which passed.parquet has", *[None] * 5]


def _interrupted(document: Map[str, Any]) -> Iterator[Sequence[object]]:
    """What runs that were killed had written, which no report of their own tells."""
    for run in document["interrupted"]:
        for entry in run["changes"]:
            what = (run["run_id"], entry["kind"].replace("_", " "))
            for row in _by_field([entry]):
                yield (*what, *row)
