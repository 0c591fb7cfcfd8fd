"""Says what can be an email address, and writes out the letters that Punycode stands for in one."""

from __future__ import annotations

import re
import unicodedata

# What no mail system delivers to, and nothing more: a side may accept addresses that another one's
# checks refuse.
ADDRESS = re.compile(r'[^\s@"(),:;<>\[\]\\]+@[^\s@."(),:;<>\[\]\\]+(\.[^\s@."(),:;<>\[\]\\]+)+')


def readable(address: str) -> str:
    """An address whose domain's Punycode labels (RFC 3492) are written out.

    It stays as it was where that makes no address.
    """
    local, at, domain = address.rpartition("@")
    try:
        labels = [_written_out(label) for label in domain.split(".")]
    except UnicodeError:
        return address
    domain_in_letters = ".".join(labels).lower()
    written = unicodedata.normalize("NFC", local + at + domain_in_letters)
    if _would_change_again(written) or not ADDRESS.fullmatch(written):
        return address
    return written


def _would_change_again(written: str) -> bool:
    """Whether an address would read otherwise a second time, and so never be canonical.

    Punycode in Punycode does, and letters whose lower case has capitals again.
    """
    if written != written.lower():
        return True
    _, _, domain = written.rpartition("@")
    return any(label.startswith("xn--") for label in domain.split("."))


def _written_out(label: str) -> str:
    if label.startswith("xn--"):
        return label.removeprefix("xn--").encode("ascii").decode("punycode")
    return label
