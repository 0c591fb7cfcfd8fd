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
    written = unicodedata.normalize("NFC", local + at + ".".join(labels).lower())
    # What would read otherwise a second time (Punycode in Punycode, odd capitals) is left alone.
    stable = written == written.lower() and not any(
        label.startswith("xn--") for label in written.split("@")[-1].split(".")
    )
    return written if stable and ADDRESS.fullmatch(written) else address


def _written_out(label: str) -> str:
    return (
        label.removeprefix("xn--").encode("ascii").decode("punycode")
        if label.startswith("xn--")
        else label
    )
