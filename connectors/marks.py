"""What a soft-delete column may hold of a record that is not deleted: one rule for every connector, however a side writes it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

_NO = frozenset({"", "false", "f", "no", "n", "off", "null", "none", "[]", "{}"})
_NO_MOMENT = "0000-00-00"


def says_deleted(value: object) -> bool:
    """Whether a mark says that its record is deleted: any moment, a yes in any words, or a number other than 0.

    A word that says no is no mark, in whatever letter case and with whatever spaces a CHAR column puts behind it.
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    text = (value.decode("latin-1") if isinstance(value, bytes) else str(value)).strip().lower()
    if text in _NO or text.startswith(_NO_MOMENT):
        return False
    try:
        return Decimal(text) != 0
    except InvalidOperation:
        return True
