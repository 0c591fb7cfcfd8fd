"""Reads back what a person decided in the spreadsheet.

Whatever is not one of a question's choices is named with its row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reconcile.errors import ConfigError, Problem
from reconcile.report.choices import BETWEEN, choice_of
from reconcile.report.sheet import DECISIONS

_NEEDED = ("hold_id", "decision", "reason", "values_digest")


class Decided(NamedTuple):
    """One answer: question, choice, reason, the values that were shown, and its place."""

    hold_id: str
    choice: str
    reason: str
    shown: str
    where: str


def decisions_from(path: Path) -> list[Decided]:
    """The answers in a spreadsheet that `sheet` wrote, in its order.

    Rows without a decision are left for later.

    Raises ConfigError with every problem found: a file that is none of ours, or a decision that is
    no choice of its question.
    """
    rows, choices = _read(path)
    heads = [str(head or "").strip().lower() for head in (rows[0] if rows else ())]
    missing = [name for name in _NEEDED if name not in heads]
    if missing:
        raise ConfigError(
            [
                Problem(
                    f"{path.name}, sheet {DECISIONS}, row 1",
                    f"no column named {', '.join(missing)}",
                    "keep the columns as the report has them",
                )
            ]
        )
    problems: list[Problem] = []
    decisions = list(_answers(path, rows, heads, choices, problems))
    if problems:
        raise ConfigError(problems)
    return decisions


def _read(path: Path) -> tuple[list[Sequence[object]], dict[str, dict[str, str]]]:
    """The rows of the sheet of decisions, and each question's choices, by hold_id."""
    import zipfile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except FileNotFoundError as error:
        raise ConfigError(
            [Problem(str(path.name), "no such file", "name the report.xlsx in which you decided")]
        ) from error
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError) as error:
        raise ConfigError(
            [
                Problem(
                    str(path.name),
                    "not an Excel workbook (.xlsx)",
                    "save it as .xlsx and name it again",
                )
            ]
        ) from error
    try:
        if DECISIONS not in book.sheetnames:
            raise ConfigError(
                [
                    Problem(
                        path.name,
                        f"no sheet named {DECISIONS}",
                        "name a report.xlsx that `report` made",
                    )
                ]
            )
        cells = list(book[DECISIONS].iter_rows(values_only=True))
        width = max(
            map(len, cells), default=0
        )  # without a stated dimension, rows come as wide as they are filled
        rows: list[Sequence[object]] = [(*row, *(None,) * (width - len(row))) for row in cells]
        return rows, _choices(rows)
    finally:
        book.close()


def _choices(rows: Sequence[Sequence[object]]) -> dict[str, dict[str, str]]:
    """The choices beside each question, each by its words and by itself.

    A person may sort the sheet, so its order does not count. A sheet of an earlier version has no
    words.
    """
    if not rows or "choices" not in rows[0] or "hold_id" not in rows[0]:
        return {}
    heads = [str(head) for head in rows[0]]
    known = {}
    for row in rows[1:]:
        cells = dict(zip(heads, row, strict=False))
        choices = str(cells["choices"] or "").split(", ")
        said = str(cells.get("answers") or "").split(BETWEEN)
        by_words = dict(zip(said, choices, strict=True)) if len(said) == len(choices) else {}
        known[str(cells["hold_id"])] = by_words | {choice: choice for choice in choices}
    return known


def _expected(known: Mapping[str, str]) -> str:
    """What could have been chosen, in words where there are any."""
    said = [word for word, choice in known.items() if word != choice]
    return " or ".join(said or known)


def _answers(
    path: Path,
    rows: Sequence[Sequence[object]],
    heads: Sequence[str],
    choices: Mapping[str, Mapping[str, str]],
    problems: list[Problem],
) -> Iterator[Decided]:
    seen: dict[str, int] = {}
    for number, row in enumerate(rows[1:], start=2):
        hold_id, word, reason, shown = (
            str(row[heads.index(name)] or "").strip() for name in _NEEDED
        )
        if not word:
            continue
        where = f"{path.name}, sheet {DECISIONS}, row {number}"
        allowed = choices.get(hold_id)
        choice = word if allowed is None else choice_of(word, allowed)
        if not hold_id:
            problems.append(
                Problem(where, "a decision without a hold_id", "do not clear the hold_id column")
            )
        elif hold_id in seen:
            problems.append(
                Problem(
                    where,
                    f"question {hold_id} is answered in row {seen[hold_id]} too",
                    "answer it once",
                )
            )
        elif choice is None:
            problems.append(
                Problem(
                    where,
                    f"{word!r} is not a choice here; expected {_expected(allowed or {})}",
                    "choose from the list",
                )
            )
        else:
            yield Decided(hold_id, choice, reason, shown, where)
        seen.setdefault(hold_id, number)
