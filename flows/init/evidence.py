"""What sampled values say about a column: emails, phones, dates, yes and no."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flows.init.found import Column

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_PHONE = re.compile(r"(?=(?:\D*\d){7,15}\D*$)[+(]?[\d\s().\-/]+(?:(?:x|ext\.?)\s*\d+)?")
_IP = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")
_URL = re.compile(r"(https?://)?([a-z0-9-]+\.)+[a-z]{2,}(/\S*)?", re.IGNORECASE)
_BOOL = frozenset({"0", "1", "true", "false", "t", "f", "yes", "no", "y", "n", "on", "off"})
_NAME = re.compile(r"[^\W\d_][^\d@]*")
_QUOTED = re.compile(r'"(?:[^"]|"")*"(?:,\s*"(?:[^"]|"")*")*')
"""Words in quotes with commas between them, as Mailchimp writes its tags."""
_MARKUP = re.compile(r"<(p|div|br|span|ul)\b[^>]*>", re.IGNORECASE)
_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?")


def _is_phone(value: str) -> bool:
    return bool(_PHONE.fullmatch(value)) and not _IP.fullmatch(value)


def _is_bool(value: str) -> bool:
    return value.lower() in _BOOL


_STATUS = frozenset(
    {
        "active",
        "inactive",
        "open",
        "closed",
        "new",
        "lead",
        "customer",
        "prospect",
        "lost",
        "won",
        "pending",
        "enabled",
    }
    | {
        "disabled",
        "blocked",
        "activo",
        "inactivo",
        "activa",
        "inactiva",
        "nuevo",
        "actif",
        "inactif",
        "aktiv",
        "inaktiv",
    }
)
"""What a column called state holds where it means a status."""

_KINDS: Mapping[str, Callable[[str], object]] = {
    "email": _EMAIL.fullmatch,
    "phone": _is_phone,
    "dateOfBirth": lambda value: _DATE.fullmatch(value[:10]),
    "dueDate": _INSTANT.fullmatch,
    "modified_at": _INSTANT.fullmatch,
    "website": _URL.fullmatch,
    "state": lambda value: value.lower() not in _STATUS,
    "firstName": _NAME.fullmatch,
    "lastName": _NAME.fullmatch,
    "name": _NAME.fullmatch,
}
_LIKE = {
    "email": "email addresses",
    "phone": "telephone numbers",
    "dateOfBirth": "dates",
    "dueDate": "dates",
    "modified_at": "times",
    "website": "web addresses",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """How many of the samples are of a concept's kind.

    `share` is None where there is nothing to go by.
    """

    share: float | None
    words: str = ""


def evidence(column: Column, concept: str) -> Evidence:
    """What a column's samples say about its being `concept`."""
    test = _KINDS.get(concept)
    if test is None or not column.samples:
        return Evidence(None)
    fitting = sum(1 for sample in column.samples if test(sample))
    words = (
        f"{fitting} of {len(column.samples)} samples are {_LIKE[concept]}"
        if concept in _LIKE
        else ""
    )
    return Evidence(fitting / len(column.samples), words)


def is_yes_or_no(column: Column) -> bool:
    """Whether a column holds yes and no in some form."""
    return column.type == "bool" or (
        bool(column.samples) and all(_is_bool(sample) for sample in column.samples)
    )


def is_moment(column: Column) -> bool:
    """Whether a column holds dates or times."""
    if column.type in ("date", "instant"):
        return True
    return bool(column.samples) and all(_INSTANT.fullmatch(sample) for sample in column.samples)


def are_emails(values: Sequence[str]) -> bool:
    """Whether all are email addresses."""
    return all(map(_EMAIL.fullmatch, values))


def are_phones(values: Sequence[str]) -> bool:
    """Whether all are telephone numbers."""
    return all(map(_is_phone, values))


def lost_zeros(column: Column) -> int | None:
    """How many digits a postal code has, where some of them lost zeros.

    A spreadsheet took those from the front.
    """
    lengths = {len(sample) for sample in column.samples}
    digits = all(sample.isascii() and sample.isdecimal() for sample in column.samples)
    if digits and max(lengths, default=0) == 5 and min(lengths) in (3, 4):
        return 5
    return None


def has_decimal_comma(column: Column) -> bool:
    """Whether a column's numbers have a decimal comma."""
    numbers = bool(column.samples) and all(map(_COMMA.fullmatch, column.samples))
    return numbers and any("," in sample for sample in column.samples)


def has_markup(column: Column) -> bool:
    """Whether a column's texts are HTML."""
    return bool(column.samples) and all(map(_MARKUP.search, column.samples))


def tag_form(column: Column) -> tuple[str, str]:
    """How a column holds several tags: its form, and the delimiter where it has one."""
    if column.type == "tags":
        return "array", ","
    if column.type == "json" or any(_is_list(sample) for sample in column.samples):
        return "json", ","
    if any(" ::: " in sample for sample in column.samples):
        return "delimited", " ::: "
    if column.samples and all(_QUOTED.fullmatch(sample) for sample in column.samples):
        return "quoted", ","
    counts = {
        delimiter: sum(delimiter in sample for sample in column.samples)
        for delimiter in (";", "|", ",")
    }
    best = max(counts, key=lambda delimiter: counts[delimiter])
    return "delimited", best if counts[best] else ","


def _is_list(sample: str) -> bool:
    try:
        return isinstance(json.loads(sample), list)
    except ValueError:
        return False
