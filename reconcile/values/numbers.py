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

_PLAIN = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,2})?", re.ASCII)
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
        if number == 0:
            return "0"
        return f"{number.normalize(_EXACT):f}"

    @staticmethod
    def _parse(text: str) -> Decimal | None:
        if not _PLAIN.fullmatch(text):
            return None
        try:
            return Decimal(text)
        except InvalidOperation:
            return None

    def encode(self, cell: Cell, side: Side, arity: int) -> tuple[Json, ...]:
        number = None if cell is None else self._parse(cell)
        if number is None:
            return (cell,) * arity
        # JSON's readers keep numbers as doubles: what one cannot hold to the last digit is text.
        if number == number.to_integral_value() and abs(number) < 2**53:
            return (int(number),) * arity
        double = float(number)
        if Decimal(str(double)) == number:
            return (double,) * arity
        return (cell,) * arity

    def fault(self, cell: Cell) -> str | None:
        if cell is None or self._parse(cell) is not None:
            return None
        return "not a number"

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
        # Between thousands stands a space that does not break a line, wide or narrow.
        plain_spaces = text.replace("\u00a0", " ").replace("\u202f", " ")
        match = _COMMA.fullmatch(plain_spaces)
        if match is None:
            # 1.50 among numbers with a comma may be one and a half or 150: it is no number until
            # somebody says.
            if self._parse(text) is not None:
                return f"{text} (point or comma?)"
            return text or None
        sign, thousands, decimals = match.groups()
        digits = re.sub("[^0-9]", "", thousands)
        plain_text = f"{sign}{digits}.{decimals or ''}"
        if self._parse(plain_text) is None:
            return text
        return Number.decode(self, [plain_text], side)

    def encode(self, cell: Cell, side: Side, arity: int) -> tuple[Json, ...]:
        if side is Side.GHL or cell is None or self._parse(cell) is None:
            return Number.encode(self, cell, side, arity)
        return (cell.replace(".", ","),) * arity
