"""What a text says as a telephone number, and what it only seems to say."""

from __future__ import annotations

from itertools import dropwhile

import phonenumbers
from phonenumbers import PhoneNumberType

_SPELLED = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
    }
)
"""Numbers that are told in letters: 1-800-FLOWERS."""
_WORD = 3
"""From so many letters on the library takes them for digits."""


def number_of(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    """The number, where it is one without an extension.

    Words beside it are no digits: "020 7946 home" would be somebody else's number.
    """
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_possible_number(number):
        return None
    if _has_word(text) and phonenumbers.number_type(number) not in _SPELLED:
        return None
    return number


def _has_word(text: str) -> bool:
    """Whether letters stand behind the first digit; those before it are left out by the library."""
    rest = dropwhile(lambda letter: not letter.isdecimal(), text)
    return sum(letter.isalpha() for letter in rest) >= _WORD
