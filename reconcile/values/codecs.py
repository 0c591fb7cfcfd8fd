"""Native to canonical value and back: one total, idempotent form a kind, so equal is equal text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain
from typing import ClassVar
from zoneinfo import ZoneInfo

import phonenumbers

from reconcile.model import Cell, Side, fingerprint
from reconcile.ports import Json
from reconcile.values.addresses import ADDRESS, readable
from reconcile.values.bounds import LONGEST, LONGEST_WORD, beyond
from reconcile.values.codec import LEARNED, Codec, Raw, clean, raw_text, truth
from reconcile.values.consent import Consent
from reconcile.values.labels import Labels
from reconcile.values.markup import plain
from reconcile.values.moments import date_of, moment_of
from reconcile.values.numbers import CommaNumber, Number
from reconcile.values.telephones import number_of

__all__ = [
    "CODECS",
    "Bool",
    "Choice",
    "Codec",
    "CommaNumber",
    "Consent",
    "Date",
    "Digits",
    "Email",
    "Instant",
    "Labels",
    "Name",
    "Number",
    "Owner",
    "Phone",
    "Raw",
    "RichText",
    "Text",
    "codec_named",
    "raw_text",
]

_LINE_END = re.compile(r"\r+\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Codec):
    """Plain text of one or more lines, trimmed, composed (Unicode); inner spaces and case stay."""

    revision: ClassVar[str] = "2"
    name: str = "text"

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        text = clean(raws)
        if not beyond(text):
            # Several at once, or what comes of two would be one more to be read otherwise.
            text = _LINE_END.sub("\n", text)
        return text or None

    def fast(self, column: str) -> tuple[str, str] | None:
        # One line of printable ASCII, without a space at either end: it is canonical as it stands.
        shaped = f"regexp_full_match({column}, '[!-~]([ -~]*[!-~])?')"
        return f"strlen({column}) <= {LONGEST} AND {shaped}", column


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Codec):
    """A person's name: spaces collapsed, case kept. Over two fields, it is first and last name."""

    name: str = "name"

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        text = clean(raws)
        if not beyond(text):
            text = " ".join(text.split())
        return text or None

    def encode(self, cell: Cell, side: Side, arity: int) -> tuple[Json, ...]:
        if arity == 1 or cell is None:
            return (cell,) * arity
        # The last word is the last name; a single word is a first name.
        first, _, last = cell.rpartition(" ")
        return (first, last) if first else (last, None)

    def fast(self, column: str) -> tuple[str, str] | None:
        shaped = f"regexp_full_match({column}, '[!-~]+( [!-~]+)*')"
        return f"strlen({column}) <= {LONGEST} AND {shaped}", column


_EMAIL = (
    r"[a-z0-9!#$%&''*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&''*+/=?^_`{|}~-]+)*"
    r"@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Email(Codec):
    """An email address, lower-cased, trimmed. Letters beyond ASCII are kept, Punycode is read."""

    revision: ClassVar[str] = "2"
    name: str = "email"

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        text = clean(raws)
        if beyond(text):
            return text
        text = unicodedata.normalize("NFC", text.lower())  # a letter may become two
        if "xn--" in text and len(text) <= LONGEST_WORD:
            text = readable(text)
        return text or None

    def fault(self, cell: Cell) -> str | None:
        if cell is None or ADDRESS.fullmatch(cell):
            return None
        return "not an email address"

    def fast(self, column: str) -> tuple[str, str] | None:
        plain_ascii = f"regexp_full_match({column}, '{_EMAIL}', 'i')"
        return f"{plain_ascii} AND NOT contains(lower({column}), 'xn--')", f"lower({column})"

    def blur(self, column: str) -> str:
        """Lower case, trimmed; NULL (may equal anything) where letters may not be ASCII alone."""
        # What Python's strip takes from a text of ASCII, and DuckDB's trim has to be told.
        codes = (*range(9, 14), *range(28, 32))
        control = [f"chr({code})" for code in codes]
        white = " || ".join(["' '", *control])
        plain_ascii = (
            f"strlen({column}) = length({column}) AND NOT contains(lower({column}), 'xn--')"
        )
        return f"CASE WHEN {plain_ascii} THEN lower(trim({column}, {white})) END"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner(Codec):
    """A user of the location, by email; GHL holds the user's id.

    `users` gives each id's email, as the location tells it: it is not asked when a pair file is
    read.
    """

    users: Mapping[str, str] | None = field(default=None, metadata={LEARNED: True})
    name: str = "owner"

    @property
    def learned(self) -> str:
        """A name for the users: with others, an id means another email."""
        listed = sorted((self.users or {}).items())
        return fingerprint(*chain.from_iterable(listed))

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        if side is Side.APP:
            return Email().decode(raws, side)
        key = clean(raws)
        email = (self.users or {}).get(key)
        return Email().decode([email], side) or key or None

    def encode(self, cell: Cell, side: Side, arity: int) -> tuple[Json, ...]:
        keys = [] if side is Side.APP else self._keys(cell)
        native = keys[0] if keys else cell
        return (native,) * arity

    def _keys(self, cell: Cell) -> list[str]:
        """The ids of the users with that email."""
        users = (self.users or {}).items()
        return [key for key, email in users if Email().decode([email], Side.GHL) == cell]

    def reread(self, cell: str, side: Side) -> Cell:
        return cell

    def fault(self, cell: Cell) -> str | None:
        if cell is None or self.users is None:
            return Email().fault(cell)
        if not self.users:
            return "no known user: the location tells none (see the scope users.readonly)"
        many = len(self._keys(cell))
        if many > 1:
            return f"the email of {many} users of the location"
        if many:
            return None
        return "no user of the location"

    def blur(self, column: str) -> str:
        """NULL (may equal anything): an id and an email have nothing in common."""
        return f"CASE WHEN false THEN {column} END"


# Country codes whose national numbers never begin with 0: after "+44" a 0 is a trunk prefix that
# the library would strip.
_E164 = r"\+(1[2-9][0-9]{2}[2-9][0-9]{6}|(31|32|33|34|41|44|45|46|47|48|61|64)[1-9][0-9]{8})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone(Codec):
    """A telephone number in E.164; `region` (ISO 3166) is assumed where there is no country code.

    What a possible number is, the library's metadata says, which each of its versions renews.
    """

    revision: ClassVar[str] = f"2, phonenumbers {phonenumbers.__version__}"
    region: str | None = None
    name: str = "phone"

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        text = clean(raws)
        number = number_of(text, self.region)
        if number:
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        return text or None

    def fault(self, cell: Cell) -> str | None:
        if cell is None or (cell.startswith("+") and number_of(cell, self.region)):
            return None
        if self.region:
            return "not a telephone number"
        return "not a telephone number (and no default region is set)"

    def fast(self, column: str) -> tuple[str, str] | None:
        return f"regexp_full_match({column}, '{_E164}')", column

    def blur(self, column: str) -> str:
        """The last digits, as in all notations; NULL (may equal anything) for letters as digits."""
        digits = f"right(regexp_replace({column}, '[^0-9]', '', 'g'), 6)"
        plain = f"regexp_full_match({column}, '[+]?[0-9]{{6,}}') THEN right({column}, 6)"
        return f"CASE WHEN {plain} WHEN regexp_full_match({column}, '[ -@]*') THEN {digits} END"


@dataclass(frozen=True, slots=True, kw_only=True)
class Date(Codec):
    """A calendar date, YYYY-MM-DD.

    A time or zone behind it is dropped unconverted: a birthday has no time zone.

    GHL documents YYYY/MM/DD, MM/DD/YYYY and their variants for writes, and answers ISO with Z, or
    epoch milliseconds in search results. `reconcile.values.moments` says what each notation means.
    """

    name: str = "date"

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        text = clean(raws)
        if not text:
            return None
        try:
            return date_of(text, side).isoformat()
        except (ValueError, OverflowError):
            return text

    def fault(self, cell: Cell) -> str | None:
        if cell is None:
            return None
        try:
            canonical = date.fromisoformat(cell).isoformat()
        except ValueError:
            return "not a date (expected YYYY-MM-DD)"
        # Python reads other notations of ISO 8601, too, such as 20260131.
        return None if canonical == cell else "not a date"

    def fast(self, column: str) -> tuple[str, str] | None:
        shaped = f"regexp_full_match({column}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')"
        return f"{shaped} AND try_cast({column} AS DATE) IS NOT NULL", column


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant(Codec):
    """A moment, YYYY-MM-DDTHH:MM:SSZ; fractions are dropped (GHL adds .000).

    Without a zone it is read in `timezone`, as are the date and the time of day of two native
    fields.
    """

    timezone: str = "UTC"
    name: str = "instant"

    def encode(self, cell: Cell, side: Side, arity: int) -> tuple[Json, ...]:
        if arity == 1 or cell is None or self.fault(cell):
            rest = (None,) * (arity - 1)
            return (cell, *rest)
        local = datetime.fromisoformat(cell).astimezone(ZoneInfo(self.timezone))
        spec = "seconds" if local.second else "minutes"
        return (local.date().isoformat(), local.time().isoformat(spec))

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        text = clean(raws)
        if not text:
            return None
        try:
            moment = moment_of(text, self.timezone)
            return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        except (ValueError, OverflowError):
            return text

    def fault(self, cell: Cell) -> str | None:
        if cell is None or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", cell):
            return None
        return "not a moment (expected ISO 8601, such as 2026-01-31T09:00:00Z)"

    def fast(self, column: str) -> tuple[str, str] | None:
        shaped = (
            f"regexp_full_match({column}, "
            "'[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.]000)?Z')"
        )
        return (
            f"{shaped} AND try_cast({column} AS TIMESTAMPTZ) IS NOT NULL",
            f"{column}[1:19] || 'Z'",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits(Text):
    """A code of so many digits, as a postal code is. Zeros that a spreadsheet took are put back."""

    digits: int = 5
    name: str = "digits"

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        cell = Text.decode(self, raws, side)
        if cell is None or not (cell.isascii() and cell.isdecimal()):
            return cell
        return cell.zfill(self.digits)

    def fast(self, column: str) -> tuple[str, str] | None:
        return f"regexp_full_match({column}, '[0-9]{{{self.digits}}}')", column

    def blur(self, column: str) -> str:
        """Without the zeros in front, which may be missing."""
        return f"ltrim({Text.blur(self, column)}, '0')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bool(Codec):
    """Yes or no: true or false."""

    name: str = "bool"

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        return truth(clean(raws)) or None

    def encode(self, cell: Cell, side: Side, arity: int) -> tuple[Json, ...]:
        return (_native_truth(cell),) * arity

    def fault(self, cell: Cell) -> str | None:
        if cell in (None, "true", "false"):
            return None
        return "neither yes nor no"

    def fast(self, column: str) -> tuple[str, str] | None:
        return f"{column} IN ('true', 'false')", column


def _native_truth(cell: Cell) -> Json:
    """A canonical yes or no as JSON has it; any other value as it stands."""
    return {"true": True, "false": False}.get(cell or "", cell)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Codec):
    """A closed list whose words differ by side: `table` gives GHL's word for each of the app's.

    Several of the app's words may share one of GHL's (open and waiting are both "not completed");
    the first is written back.
    """

    table: Mapping[str, str] = field(default_factory=dict)
    name: str = "choice"

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        text = clean(raws)
        if side is Side.APP:
            text = self.table.get(text, text)
        return text or None

    def encode(self, cell: Cell, side: Side, arity: int) -> tuple[Json, ...]:
        if side is Side.GHL:
            return (_native_truth(cell),) * arity
        words = (app for app, ghl in self.table.items() if ghl == cell)
        return (next(words, cell),) * arity

    def fault(self, cell: Cell) -> str | None:
        if cell is None or cell in self.table.values():
            return None
        return "not one of the declared choices"


@dataclass(frozen=True, slots=True, kw_only=True)
class RichText(Codec):
    """Text that one side may hold as HTML.

    Markup is dropped, blank lines and runs of spaces are folded. GHL's own editor stores note and
    task bodies as HTML, its API takes plain text: a difference in markup alone is none.
    """

    name: str = "html"

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        text = clean(raws)
        settled = None if beyond(text) else self._settled(text)
        if settled is None:
            return text or None
        return settled or None

    @staticmethod
    def _settled(text: str) -> str | None:
        """The text without any layer of markup; None for more than anybody's editor makes."""
        for _ in range(_MOST_LAYERS):
            lines = (" ".join(line.split()) for line in plain(text).splitlines())
            joined = "\n".join(line for line in lines if line)
            below = unicodedata.normalize("NFC", joined)
            if below == text:
                return text
            text = below
            if beyond(text):
                break
        return None

    def fault(self, cell: Cell) -> str | None:
        if cell is None:
            return None
        reason = beyond(cell)
        if reason is None and self._settled(cell) is None:
            return f"escaped more than {_MOST_LAYERS} times"
        return reason

    def fast(self, column: str) -> tuple[str, str] | None:
        readable = f"regexp_full_match({column}, '[!-%''-;=-~]+( [!-%''-;=-~]+)*')"
        return f"strlen({column}) <= {LONGEST} AND {readable}", column


_MOST_LAYERS = 8
"""Of escaped markup in escaped markup."""


def codec_named(
    name: str,
    *,
    region: str | None = None,
    timezone: str = "UTC",
    choices: Mapping[str, str] | None = None,
    digits: int | None = None,
    says: str | None = None,
) -> Codec:
    """The codec a pair file calls `name`. Raises KeyError with the known names for any other."""
    # A field over a column that says yes or no, and one over a column with words of its own.
    consent = Consent.of_truth(says) if says else Consent(table=choices or {})
    codecs: dict[str, Codec] = {
        "text": Text(),
        "name": Name(),
        "email": Email(),
        "phone": Phone(region=region),
        "date": Date(),
        "instant": Instant(timezone=timezone),
        "decimal": Number(),
        "decimal_comma": CommaNumber(),
        "digits": Digits(digits=digits or Digits().digits),
        "bool": Bool(),
        "choice": Choice(table=choices or {}),
        "consent": consent,
        "tags": Labels(),
        "set": Labels(folded=False, name="set"),
        "html": RichText(),
    }
    return codecs[name]


CODECS = (
    "text",
    "name",
    "email",
    "phone",
    "date",
    "instant",
    "decimal",
    "decimal_comma",
    "digits",
    "bool",
    "choice",
    "consent",
    "tags",
    "set",
    "html",
)
