"""Numbers as each side writes them, digit by digit.

With a decimal point, or with a decimal comma.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation

from reconcile.model import Cell, Side
from reconcile.ports import Json
from reconcile.values.bounds import beyond
from reconcile.values.codec import Codec, Raw, clean

_EXACT = Context(prec=200)
"""Digits for every number that is read as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Codec):
    """A decimal number in plain notation without trailing zeros; 12, "12" and 12.0 are one."""

    name: str = "decimal"

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        text = clean(raws)
        number = self._parse(text)
        if number is None:
            return text or None
        return "0" if number == 0 else f"{number.normalize(_EXACT):f}"

    @staticmethod
    def _parse(text: str) -> Decimal | None:
        if not re.fullmatch(
            r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,2})?", text, re.ASCII
        ):
            return None
        try:
            return Decimal(text)
        except InvalidOperation:
            return None

    def encode(self, cell: Cell, side: Side, arity: int) -> tuple[Json, ...]:
        number = None if cell is None else self._parse(cell)
        if number is None:
            return (cell,) * arity
        if number == number.to_integral_value() and abs(number) < 2**53:
            return (int(number),) * arity
        return ((float(number) if Decimal(str(float(number))) == number else cell),) * arity

    def fault(self, cell: Cell) -> str | None:
        return None if cell is None or self._parse(cell) is not None else "not a number"

    def fast(self, column: str) -> tuple[str, str] | None:
        return f"regexp_full_match({column}, '0|-?[1-9][0-9]{{0,17}}')", column


_COMMA = re.compile(r"([+-]?)(\d{1,3}(?:[. ']\d{3})+|\d+)(?:,(\d*))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommaNumber(Number):
    """A number that the app writes with a decimal comma.

    1.234,50 is 1234.5, and 1.234 is one thousand and more.
    """

    name: str = "decimal_comma"

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        text = clean(raws)
        if side is Side.GHL or beyond(text):
            return Number.decode(self, raws, side)
        match = _COMMA.fullmatch(text.replace("\u00a0", " ").replace("\u202f", " "))
        if match is None:
            # 1.50 among numbers with a comma may be one and a half or 150: it is no number until
            # somebody says.
            return f"{text} (point or comma?)" if self._parse(text) is not None else text or None
        sign, thousands, decimals = match.groups()
        plain_text = f"{sign}{re.sub('[^0-9]', '', thousands)}.{decimals or ''}"
        if self._parse(plain_text) is None:
            return text
        return Number.decode(self, [plain_text], side)

    def encode(self, cell: Cell, side: Side, arity: int) -> tuple[Json, ...]:
        if side is Side.GHL or cell is None or self._parse(cell) is None:
            return Number.encode(self, cell, side, arity)
        return (cell.replace(".", ","),) * arity
