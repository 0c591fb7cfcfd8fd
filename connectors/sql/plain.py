"""Single values as drivers give them, as JSON can hold them."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from decimal import Decimal
from typing import Any


def flag(value: Any) -> Any:
    """A truth value, whatever a driver says it with."""
    if isinstance(value, bytes):
        return any(value)
    if isinstance(value, str):
        return {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}.get(
            value.lower(), value
        )
    return bool(value)


def bits(value: Any) -> Any:
    """The number that a BIT(n) column holds."""
    if isinstance(value, bytes):
        return int.from_bytes(value, "big")
    return value


def real(value: Any) -> Any:
    """A float as JSON can hold it.

    Never -0.0, and what is not finite as PostgreSQL's text for it.
    """
    if value is None or isinstance(value, str | bytes):
        return value
    number = float(value)
    if math.isfinite(number):
        if isinstance(value, float | Decimal):
            return number + 0.0  # -0.0 becomes 0.0
        return value
    if math.isnan(number):
        return "NaN"
    if number > 0:
        return "Infinity"
    return "-Infinity"


def unpadded(value: Any) -> Any:
    """A text of a CHAR(n) column without the spaces that the database filled it up with."""
    if isinstance(value, str):
        return value.rstrip(" ")
    return value


def plain(value: Any) -> Any:
    """Bytes as hexadecimal digits."""
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value


def parsed(value: Any) -> Any:
    """What a text of JSON holds; what is none stays text."""
    try:
        if isinstance(value, str | bytes):
            return json.loads(value)
        return value
    except ValueError:
        return plain(value)


def number_text(value: Any) -> Any:
    """A whole number in a column of decimals as text."""
    if isinstance(value, int):
        return str(value)
    return value


def clock_text(value: Any) -> str:
    """A time of day or a span; databases give as many digits of a second as the column has."""
    text = str(value)
    if "." in text:
        return text.rstrip("0").rstrip(".")
    return text


_DAY = re.compile(r"^(\d{4}-\d\d-\d\d)[T ]\d.*$", re.DOTALL)


def day(value: Any) -> Any:
    """The date alone of what may hold a time as well.

    Text that is none stays as it is, for the codec to complain about.
    """
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, str):
        if value.startswith("0000-00-00") or not value:
            return None
        return _DAY.sub(r"\1", value)
    return value
