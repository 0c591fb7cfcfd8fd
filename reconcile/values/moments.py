"""Dates and moments in the notations that sides hold them in.

Text, digits, and seconds or milliseconds since 1970.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from reconcile.model import Side

_FORMS = (
    re.compile(r"(?P<y>\d{4})[-/._](?P<m>\d{1,2})[-/._](?P<d>\d{1,2})(?:[T ].*)?"),
    re.compile(r"(?P<m>\d{1,2})[-/_](?P<d>\d{1,2})[-/_](?P<y>\d{4})"),
    re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})"),
)
_COMPACT = re.compile(r"(?P<y>1[89]\d\d|2[01]\d\d|2200)\d{4}(\d{6})?", re.ASCII)
_WHOLE = re.compile(r"-?\d+", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 24 * 60 * 60 * 1000
_SHORTEST = 9
"""Digits of an epoch number: with fewer it is as likely a year, a day's serial number or a key."""
_MS_FROM = 100_000_000_000
"""Epoch numbers of this size are milliseconds: as seconds they would lie after the year 5000."""
_DATE_MS_FROM = 10_000_000_000
"""The same for a date without a time.

As seconds it would lie after the year 2286, as milliseconds it is of 1970 to 1973.
"""


def date_of(text: str, side: Side) -> date:
    """The calendar date that a text means, a time or zone behind it dropped.

    Raises ValueError, OverflowError where none.

    8 or 14 digits that begin with a year of 1800 to 2200 are YYYYMMDD or YYYYMMDDHHMMSS. Other
    numbers of GHL's are milliseconds, short ones only where they are whole days, such as 0; the
    app's are seconds up to 10 digits, else milliseconds. Between dots the day stands first, between
    other signs the month.
    """
    compact = _compact(text)
    if compact is not None:
        return compact.date()
    if _WHOLE.fullmatch(text):
        return _date_of_number(text, side)
    for form in _FORMS:
        match = form.fullmatch(text)
        if match:
            return date(int(match["y"]), int(match["m"]), int(match["d"]))
    raise ValueError(text)


def _date_of_number(text: str, side: Side) -> date:
    number = int(text)
    short = _digits(text) < _SHORTEST
    if short and (side is Side.APP or number % _DAY_MS):
        raise ValueError(text)
    ms_from = 0 if side is Side.GHL else _DATE_MS_FROM
    return _since_1970(number, ms_from).date()


def moment_of(text: str, timezone: str) -> datetime:
    """The moment in UTC that a text means, read in `timezone` where it has no zone.

    Raises ValueError, OverflowError where none.

    8 or 14 digits that begin with a year of 1800 to 2200 are YYYYMMDD or YYYYMMDDHHMMSS; other
    numbers are seconds below 1e11, from there on milliseconds.
    """
    moment = _compact(text)
    if moment is None and _WHOLE.fullmatch(text) and _digits(text) >= _SHORTEST:
        return _since_1970(int(text), _MS_FROM)
    if moment is None:
        if not re.match(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError(text)
        moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    return moment.astimezone(UTC)


def _compact(text: str) -> datetime | None:
    """YYYYMMDD or YYYYMMDDHHMMSS, without a zone; None for what has not that form.

    Raises ValueError for what is no date in it.
    """
    if not _COMPACT.fullmatch(text):
        return None
    # The caller knows the zone.
    return datetime.strptime(text.ljust(14, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007


def _digits(text: str) -> int:
    return len(text.lstrip("-"))


def _since_1970(number: int, ms_from: int) -> datetime:
    if abs(number) >= ms_from:
        return _EPOCH + timedelta(milliseconds=number)
    return _EPOCH + timedelta(seconds=number)
