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
    return int.from_bytes(value, "big") if isinstance(value, bytes) else value


def real(value: Any) -> Any:
    """A float as JSON can hold it.

    Never -0.0, and what is not finite as PostgreSQL's text for it.
    """
    if value is None or isinstance(value, str | bytes):
        return value
    number = float(value)
    if math.isfinite(number):
        return number + 0.0 if isinstance(value, float | Decimal) else value  # and never -0.0
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def unpadded(value: Any) -> Any:
    """A text of a CHAR(n) column without the spaces that the database filled it up with."""
    return value.rstrip(" ") if isinstance(value, str) else value


def plain(value: Any) -> Any:
    """Bytes as hexadecimal digits."""
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value


def parsed(value: Any) -> Any:
    """What a text of JSON holds; what is none stays text."""
    try:
        return json.loads(value) if isinstance(value, str | bytes) else value
    except ValueError:
        return plain(value)


def number_text(value: Any) -> Any:
    """A whole number in a column of decimals as text."""
    return str(value) if isinstance(value, int) else value


def clock_text(value: Any) -> str:
    """A time of day or a span; databases give as many digits of a second as the column has."""
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


_DAY = re.compile(r"^(\d{4}-\d\d-\d\d)[T ]\d.*$", re.DOTALL)


def day(value: Any) -> Any:
    """The date alone of what may hold a time as well.

    Text that is none stays as it is, for the codec to complain about.
    """
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, str):
        return None if value.startswith("0000-00-00") or not value else _DAY.sub(r"\1", value)
    return value
