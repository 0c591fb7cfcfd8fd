"""What a soft-delete column may hold of a record that is not deleted.

One rule for every connector, however a side writes it.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

NO = ("", "false", "f", "no", "n", "off", "null", "none", "[]", "{}")
"""Words that mark nothing, in small letters.

They stand without the spaces that a CHAR column puts behind them.
"""

NO_MOMENT = "0000-00-00"
"""How MySQL writes that there is no moment."""


def says_deleted(value: object) -> bool:
    """Whether a mark says that its record is deleted.

    Any moment, a yes in any words, or a number other than 0.
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, bytes | bytearray | memoryview):  # BIT columns come so
        raw = bytes(value)
        return any(raw) and says_deleted(raw.decode("latin-1"))
    text = str(value).strip().lower()
    if text in NO or text.startswith(NO_MOMENT):
        return False
    try:
        return Decimal(text) != 0
    except InvalidOperation:
        return True
