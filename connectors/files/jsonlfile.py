"""JSON lines, in which members keep their JSON text unless they are written to.

Each line that is none says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import msgspec

from connectors.files.encoding import encoding_of, is_damaged
from connectors.files.parts import BrokenFileError, Part, State, UnfitError, text_of
from connectors.files.settings import FileSettings
from reconcile.ports import Json

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class JsonlSheet:
    """One file of JSON lines.

    A number with a fraction is read as the text it stands as, so that no digit is lost.
    """

    def __init__(self, content: bytes, name: str, settings: FileSettings) -> None:
        self._content = content
        # RFC 8259: JSON is UTF-8.
        self._encoding = encoding_of(content, settings.encoding, name, otherwise="utf-8")
        self.columns: tuple[str, ...] | None = None
        self.fixed = ""
        first = next((line for line in self._encoding.lines(content) if line.strip()), "").lstrip()
        if first.startswith("["):
            raise BrokenFileError(
                f"{name} is one JSON list",
                "write one object a line, without brackets and commas around",
            )

    def parts(self) -> Iterator[Part]:
        """Every line; a bad one says why."""
        for line, raw in enumerate(self._encoding.lines(self._content), start=1):
            if not raw.strip():
                yield Part(line, raw)
                continue
            try:
                yield Part(line, raw, _parsed(raw, self._encoding.name))
            except _BadLineError as bad:
                yield Part(line, raw, why=str(bad))

    def fit(self, column: str, value: Json, part: Part | None) -> Json:
        """The value itself: JSON holds anything that is well-formed text."""
        if is_damaged(text_of(value)):
            raise UnfitError("it holds a character that no file can hold")
        return value

    def lists(self, column: str) -> bool:
        """JSON has lists."""
        return True

    def dump(self, parts: Sequence[Part]) -> bytes:
        """The file: what is kept is as it stood.

        Changed members are in their place, and new ones stand at the end.
        """
        ends = [_end(part.raw) for part in parts if part.raw]
        end = next(filter(None, ends), "\n")
        lines = [_line(part, end) for part in parts if part.state is not State.GONE]
        for at, line in enumerate(lines[:-1]):  # the last line may stand without its end
            if not line.endswith(("\n", "\r")):
                lines[at] = line + end
        return self._encoding.mark + self._encoding.bytes_of("".join(lines))


class _BadLineError(ValueError):
    pass


def _parsed(raw: str, encoding: str) -> dict[str, Json]:
    if is_damaged(raw):
        raise _BadLineError(f"it holds bytes that are not {encoding}")
    try:
        value = json.loads(
            raw, parse_float=str, parse_constant=_no_constant, object_pairs_hook=_members
        )
    except _BadLineError:
        raise
    except json.JSONDecodeError as error:
        raise _BadLineError(f"it is not JSON: {error.msg} at column {error.colno}") from None
    except (RecursionError, ValueError):
        raise _BadLineError("it cannot be read as JSON") from None
    if not isinstance(value, dict):
        raise _BadLineError(f"expected a JSON object, found {type(value).__name__}")
    if _SURROGATE.search(raw) and is_damaged(json.dumps(value, ensure_ascii=False)):
        raise _BadLineError("it holds half of a character")
    return value


def _no_constant(word: str) -> NoReturn:
    raise _BadLineError(f"{word} is not JSON")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise _BadLineError(f"{', '.join(twice)} stands more than once in it")
    return members


def _line(part: Part, end: str) -> str:
    """A record's line: members that say the same as before keep their text, digits and all."""
    if part.state is State.KEPT:
        return str(part.raw)
    raws = {} if part.raw is None else _MEMBERS.decode(part.raw)
    members = []
    for name, value in (part.values or {}).items():
        if name in raws and name not in part.touched:
            text = bytes(raws[name]).decode()
        else:
            text = json.dumps(value, ensure_ascii=False)
        members.append(f"{json.dumps(name, ensure_ascii=False)}: {text}")
    if part.raw:
        end = _end(part.raw)
    return "{" + ", ".join(members) + "}" + end


def _end(raw: str) -> str:
    return raw[len(raw.rstrip("\r\n")) :]
