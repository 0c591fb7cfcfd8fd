"""Phones as GHL stores them: E.164 by the location's country (docs/ghl.md#phones-and-emails)."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

E164 = re.compile(r"^\+[1-9]\d{8,14}$")


@lru_cache(maxsize=65_536)
def e164(raw: str, country: str) -> str | None:
    """The number in E.164, or None where it cannot be one.

    Length is checked, not whether the range is in service.
    """
    try:
        number = phonenumbers.parse(raw, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def seeded(raw: str, country: str) -> str:
    """As `e164`, though what looks right already is taken as it is.

    A parse costs 0.1 ms. What is wrong is kept.
    """
    if E164.match(raw):
        return raw
    return e164(raw, country) or raw
