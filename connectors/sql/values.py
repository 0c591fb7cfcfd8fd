"""Turns what a driver gives into native JSON values.

It also turns native JSON values into what a column takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Literal, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from connectors.sql.plain import (
    bits,
    clock_text,
    day,
    flag,
    number_text,
    parsed,
    plain,
    real,
    unpadded,
)
from reconcile.ports import FieldType, Json


class Kind(StrEnum):
    """What a column holds, whatever the database calls it."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    BOOL = "bool"
    DATE = "date"
    INSTANT = "instant"
    LOCAL = "local"
    TIME = "time"
    UUID = "uuid"
    BYTES = "bytes"
    JSON = "json"
    ARRAY = "array"
    OTHER = "other"


Form = Literal["native", "sql", "iso", "epoch", "epoch_ms"]
"""How a moment is kept.

As the driver's own type, as "2026-01-02 03:04:05", as "2026-01-02T03:04:05Z", as a number.
"""

FIELD_TYPES: dict[Kind, FieldType] = {
    Kind.INTEGER: "integer",
    Kind.FLOAT: "decimal",
    Kind.DECIMAL: "decimal",
    Kind.BOOL: "bool",
    Kind.DATE: "date",
    Kind.INSTANT: "instant",
    Kind.LOCAL: "instant",
    Kind.JSON: "json",
    Kind.ARRAY: "json",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One column: where it is, what it holds, and what may be done with it.

    `raw`: the driver converts nothing. `padded`: the database fills texts up with spaces, which
    mean nothing. `unsigned`: whole numbers from 0 to 2^64 - 1.
    """

    name: str
    column: sa.Column[Any]
    kind: Kind
    zone: ZoneInfo
    form: Form = "native"
    raw: bool = False
    nullable: bool = True
    generated: bool = False
    automatic: bool = False
    default: bool = False
    length: int | None = None
    choices: tuple[str, ...] = ()
    padded: bool = False
    unsigned: bool = False

    @property
    def zoneless(self) -> bool:
        """Whether it holds moments that mean something else in UTC than where they were written."""
        return self.kind is Kind.LOCAL and self.zone.key != "UTC"


class UnfitError(ValueError):
    """A native value that a column cannot take; the message says why, without the value."""


_MS_FROM = 100_000_000_000
"""Epoch numbers from here on are milliseconds: as seconds they would lie after the year 5000."""


_TO_THE_SECOND = len("2026-01-31 09:00:00")


def reader(field: Field) -> Callable[[Any], Any] | None:  # noqa: C901  one line a kind
    """What to apply to a driver's value before it is encoded as JSON; None where nothing is needed.

    Moments are in UTC: so keys, versions and times of change are written.
    """
    match field.kind:
        case Kind.INSTANT | Kind.LOCAL:
            return _moments(field)
        case Kind.BOOL:
            return _unless_null(flag)
        case Kind.BYTES | Kind.OTHER:
            return plain
        case Kind.TIME:
            return _unless_null(clock_text)
        case Kind.JSON if field.raw:
            return parsed
        case Kind.INTEGER if isinstance(field.column.type, mysql.BIT):
            return bits
        case Kind.FLOAT:
            return real
        case Kind.DECIMAL if not field.raw:
            return _digits
        case Kind.DECIMAL:
            return _raw_digits
        case Kind.DATE:
            return _unless_null(day)
        case Kind.TEXT if field.padded:
            return unpadded
        case Kind.ARRAY:
            return _in_order
        case _:
            return plain if field.raw else None


def _unless_null(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A conversion that leaves null alone."""

    def converted(value: Any) -> Any:
        if value is None:
            return None
        return convert(value)

    return converted


def _digits(value: Any) -> Any:
    """A decimal without an exponent: 1E+3 and 1000 are one value, and have to be one text."""
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    return value


def _raw_digits(value: Any) -> Any:
    """The same where the driver converts nothing: SQLite keeps a decimal as a float or as text."""
    if isinstance(value, float):
        return repr(value)
    return number_text(value)


def _in_order(value: Any) -> Any:
    """MySQL's driver gives a SET column as a set: in no order, it would differ at every read."""
    if isinstance(value, set):
        return sorted(value)
    return value


def field_reader(field: Field) -> Callable[[Any], Any] | None:
    """`reader` for a field's value.

    A moment without a zone stays without one, as a birthday at midnight has to.

    The codecs read it in the pair's time zone. In UTC it would be of the day before, east of
    Greenwich.
    """
    if field.zoneless:
        return lambda value: _zoneless(field, value)
    return reader(field)


def _zoneless(field: Field, value: Any) -> datetime | str | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return moment(field, value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value
    return _moments(field)(value)


def shown(field: Field, value: Any) -> Json:
    """A driver's value as a JSON value, the same that an extraction shows for the field."""
    return _built(field_reader(field), value)


def native(field: Field, value: Any) -> Json:
    """A driver's value as a JSON value, as keys and versions hold it."""
    return _built(reader(field), value)


def _built(convert: Callable[[Any], Any] | None, value: Any) -> Json:
    if convert is not None:
        value = convert(value)
    return cast("Json", msgspec.to_builtins(value))


def _moments(field: Field) -> Callable[[Any], datetime | str | None]:
    """`moment` for many values.

    What SQLite and MySQL hold as a rule, naive moments in UTC, takes one call instead of four.
    """
    utc = field.kind is Kind.INSTANT or field.zone.key == "UTC"

    def read(value: Any) -> datetime | str | None:
        if value is None:
            return None
        if utc and type(value) is str and len(value) == _TO_THE_SECOND:
            try:
                return datetime.fromisoformat(f"{value}+00:00")
            except ValueError:
                return moment(field, value)
        return moment(field, value)

    return read


def moment(field: Field, value: Any) -> datetime | str | None:
    """A moment in UTC; text that is none stays as it is, for the codec to complain about."""
    if isinstance(value, str):
        if value.startswith("0000-00-00") or not value:
            return None
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            return value
        return _in_utc(field, parsed)
    if isinstance(value, int | float | Decimal):
        seconds = float(value)
        if abs(seconds) >= _MS_FROM:
            seconds /= 1000
        return datetime.fromtimestamp(seconds, UTC)
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return _in_utc(field, value)


def _in_utc(field: Field, value: datetime) -> datetime:
    if value.tzinfo is None:
        if field.kind is Kind.INSTANT or field.zone.key == "UTC":
            return value.replace(tzinfo=UTC)
        value = value.replace(tzinfo=field.zone)
    return value.astimezone(UTC)


def coerce(field: Field, value: Json) -> Any:
    """A native value as the column takes it.

    Raises UnfitError with the reason; the value is never in it.
    """
    if value is None or (value == "" and field.kind is not Kind.TEXT):
        return _blank(field)
    try:
        result = _coerced(field, value)
    except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
        if isinstance(error, UnfitError):
            raise
        raise UnfitError(f"expected {FIELD_TYPES.get(field.kind, str(field.kind))}") from None
    if field.raw:
        return _stored_raw(result)
    return result


def _blank(field: Field) -> Any:
    """Blank in a text column that takes no null is the empty text."""
    if field.kind is Kind.TEXT and not field.nullable:
        return ""
    return None


def _coerced(field: Field, value: Json) -> Any:  # noqa: C901  one line a kind
    match field.kind:
        case Kind.INTEGER:
            return _integer(field, value)
        case Kind.FLOAT:
            return float(_finite(Decimal(str(_scalar(value)))))
        case Kind.DECIMAL:
            return _finite(Decimal(str(_scalar(value))))
        case Kind.BOOL:
            return _boolean(value)
        case Kind.DATE:
            return date.fromisoformat(str(value)[:10])
        case Kind.INSTANT | Kind.LOCAL:
            return stored_moment(field, str(value))
        case Kind.TIME:
            return _clock(field, str(value))
        case Kind.UUID:
            return _uuid(field, value)
        case Kind.BYTES:
            return bytes.fromhex(str(value))
        case Kind.JSON:
            return value
        case Kind.ARRAY:
            return _array(field, value)
        case Kind.TEXT | Kind.OTHER:
            return _text(field, value)


def _scalar(value: Json) -> str | int | float:
    if not isinstance(value, str | int | float):
        raise UnfitError("expected a number")
    if isinstance(value, bool):  # a flag in a column of numbers is 1 or 0
        return int(value)
    return value


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise UnfitError("expected a finite number")
    return value


def _integer(field: Field, value: Json) -> int:
    number = Decimal(str(_scalar(value)))
    if number != number.to_integral_value():
        raise UnfitError("expected a whole number")
    if field.unsigned and not 0 <= number < 2**64:
        raise UnfitError("the number does not fit into unsigned 64 bits")
    if not field.unsigned and not -(2**63) <= number < 2**63:
        raise UnfitError("the number does not fit into 64 bits")
    return int(number)


_SPAN = re.compile(r"-?\d{2,3}:[0-5]\d:[0-5]\d(\.\d{1,6})?")
"""What a TIME column of MySQL holds as well: from -838:59:59 to 838:59:59."""


def _clock(field: Field, value: str) -> Any:
    if isinstance(field.column.type, mysql.TIME) and _SPAN.fullmatch(value):
        return value
    return time.fromisoformat(value)


def _array(field: Field, value: Json) -> list[Json]:
    values: list[Json] = list(value) if isinstance(value, list) else [value]
    odd = set(map(str, values)) - set(field.choices)
    if field.choices and odd:
        raise UnfitError(f"{len(odd)} of the values are none of {', '.join(field.choices)}")
    if isinstance(field.column.type, mysql.SET):
        return sorted(set(values), key=str)
    return values


_TRUE, _FALSE = ("true", "1", "yes", "t"), ("false", "0", "no", "f")


def _boolean(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in _TRUE + _FALSE:
        raise UnfitError("expected true or false")
    return word in _TRUE


def _uuid(field: Field, value: Json) -> Any:
    parsed = UUID(str(value))
    if getattr(field.column.type, "as_uuid", True):
        return parsed
    return str(parsed)


def _text(field: Field, value: Json) -> str:
    if isinstance(value, bool | list | dict):
        value = json.dumps(value, ensure_ascii=False)
    text = str(value)
    if field.length is not None and len(text) > field.length:
        raise UnfitError(f"longer than the {field.length} characters the column holds")
    if field.choices and text not in field.choices:
        raise UnfitError(f"expected one of {', '.join(field.choices)}")
    if re.search("[\ud800-\udfff]", text):
        raise UnfitError("expected valid Unicode text")
    return text


def stored_moment(field: Field, text: str) -> Any:
    """An ISO 8601 instant as the column keeps it. Raises ValueError when it is none."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        value = value.replace(tzinfo=field.zone)
    value = value.astimezone(UTC)
    local = value if field.kind is Kind.INSTANT else value.astimezone(field.zone)
    match field.form:
        case "epoch":
            return int(value.timestamp())
        case "epoch_ms":
            return int(value.timestamp() * 1000)
        case "iso":
            return value.isoformat().replace("+00:00", "Z")
        case "sql":
            return local.replace(tzinfo=None).isoformat(sep=" ")
        case _:
            if getattr(field.column.type, "timezone", False):
                return local
            return local.replace(tzinfo=None)


def _stored_raw(value: Any) -> Any:
    """What a database without types of its own is given: text, numbers and bytes alone."""
    match value:
        case bool():
            return int(value)
        case int() | float() | str() | bytes():
            return value
        case list() | dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def same(field: Field, stored: Any, wanted: Json) -> bool:
    """Whether a column holds a native value already, whatever form it is kept in.

    Blank, null and absent are one.
    """
    there = shown(field, stored)
    if there in (None, "") or wanted in (None, ""):
        return there in (None, "") and wanted in (None, "")
    try:
        converted = shown(field, coerce(field, wanted))
    except UnfitError:
        return there == wanted
    if there == converted:
        return True
    if field.kind in (Kind.DECIMAL, Kind.FLOAT, Kind.INTEGER):
        return Decimal(str(there)) == Decimal(str(converted))
    return False
