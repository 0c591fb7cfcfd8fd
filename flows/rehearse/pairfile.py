"""The user's own pair file, with the copies in place of both sides."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PAIR_FILE = "pair.toml"
TOKEN_FILE = "token.txt"  # noqa: S105 - the name of a file, which opens nothing but the look-alike
TOKEN = "rehearsal"  # noqa: S105 - opens nothing but the look-alike in this process

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_OUTWARD = ("ledger", "metrics", "report_url")
"""What leads out of the rehearsal's folder: its runs are told to nobody."""


def rehearsed(
    document: Mapping[str, Any],
    folder: Path,
    *,
    url: str,
    location: str,
    app: Mapping[str, Any],
) -> Path:
    """Write the pair file of the rehearsal; returns where it lies.

    Fields, rules and limits are the user's own. `app` is the table `[app]` of the copy, and `url`
    where GHL's look-alike is served.
    """
    own = {name: value for name, value in document.items() if name not in _OUTWARD}
    own["store"] = "state"
    own["app"] = app
    told = {name: value for name, value in own.get("alerts", {}).items() if name != "notify"}
    own["alerts"] = told
    ghl = dict(own["ghl"])
    for name in ("token", "oauth", "live"):
        ghl.pop(name, None)
    own["ghl"] = {**ghl, "url": url, "location": location, "token": f"file:{TOKEN_FILE}"}
    secret = folder / TOKEN_FILE
    secret.touch(mode=0o600)
    secret.write_text(TOKEN, encoding="utf-8")
    path = folder / PAIR_FILE
    path.write_text("\n".join(_lines(own)) + "\n", encoding="utf-8")
    return path


def document_of(path: Path) -> dict[str, Any]:
    """A pair file as it stands: `flows.config.load` has found nothing wrong with it."""
    return tomllib.loads(path.read_text(encoding="utf-8-sig"))


def _lines(document: Mapping[str, Any], under: str = "") -> Iterator[str]:
    tables = {name: value for name, value in document.items() if isinstance(value, Mapping)}
    for name, value in document.items():
        if name not in tables:
            yield f"{_word(name)} = {_value(value)}"
    for name, table in tables.items():
        heading = f"{under}{_word(name)}"
        yield f"\n[{heading}]"
        yield from _lines(table, f"{heading}.")


def _word(name: str) -> str:
    if _BARE.fullmatch(name):
        return name
    return json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    """A TOML value: texts, numbers, truths and lists of them are written as in JSON."""
    if isinstance(value, Mapping):
        members = (f"{_word(name)} = {_value(member)}" for name, member in value.items())
        return f"{{ {', '.join(members)} }}"
    if isinstance(value, list):
        return f"[{', '.join(_value(member) for member in value)}]"
    if isinstance(value, bool | str | int | float):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)  # a date or a time
