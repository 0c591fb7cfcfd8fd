"""Nothing secret in clear text.

No secret travels over plain http to another machine, and none stands in the pair file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, SecretStr

from flows.config.lines import KeyPath
from flows.config.problems import Problems, name

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_TELLING = re.compile(
    r"authori[sz]ation|cookie|token|secret|passw(or)?d|^pwd$|^pass$|api.?key|^key$|signature",
    re.IGNORECASE,
)
"""Names of headers and parameters whose value is a secret."""
_NAMES = frozenset({"user", "client_id"})
"""They say who somebody is: no secret, though they are kept with one."""
REFERENCE = 'Put it in an environment variable and write "env:NAME".'
BESIDE = (
    "Take it out of the URL: [app] auth holds an API's credentials, and a store's client takes its "
    "own from the environment."
)
"""Where a URL is no secret itself, since it is printed and kept."""


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    return host_of(url) in _LOOPBACK


def host_of(url: str) -> str:
    """The host of a URL; empty where it has none or is no URL."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def check_table(
    written: BaseModel,
    meant: BaseModel,
    path: KeyPath,
    problems: Problems,
    *,
    in_file: set[KeyPath],
) -> None:
    """Note what of a table is in clear text.

    `written` is as the file has it, `meant` with its references followed.

    `in_file` are the places of secrets whose text stands in the file itself.
    """
    urls = [(at, url) for at, url in _texts(meant, path) if _is_url(at, url)]
    secret = any(at[-1] not in _NAMES for at, _ in _secrets(meant, path)) or any(
        _signed(url) for _, url in urls
    )
    for at, url in urls:
        if secret and url.lower().startswith("http://") and not is_loopback(url):
            problems.add(at, f"{name(at)} would send a secret unencrypted", 'Write "https://…".')
    if urls and all(is_loopback(url) for _, url in urls):
        return
    for at in sorted(in_file, key=str):
        if at[: len(path)] == path and at[-1] not in (*_NAMES, "url"):
            problems.add(
                at, f"{name(at)} stands in the file itself, where others can read it", REFERENCE
            )
    for at, text in _texts(written, path):
        telling = "headers" in at or "params" in at
        if (
            telling
            and _TELLING.search(str(at[-1]))
            and text
            and not text.startswith(("env:", "file:"))
        ):
            problems.add(
                at, f"{name(at)} stands in the file itself, where others can read it", REFERENCE
            )
        check_url(text, at, problems, remedy=BESIDE)


def check_url(text: str, path: KeyPath, problems: Problems, *, remedy: str = REFERENCE) -> None:
    """Note a URL for another machine than this one that stands in the file with a secret.

    That is a password, or a key in its query.
    """
    if "://" in text and _signed(text) and host_of(text) and not is_loopback(text):
        problems.add(
            path,
            f"{name(path)} has a password in the file itself, where others can read it",
            remedy,
        )


def _is_url(path: KeyPath, text: str) -> bool:
    """Whether a text is an address that requests go to: a link is for people."""
    apart = {"fields", "words", "where", "headers", "link"}
    return "://" in text and not set(path) & apart


def _signed(url: str) -> bool:
    """Whether a URL carries a password, or a secret among its parameters."""
    try:
        parts = urlsplit(url)
        return bool(parts.password) or any(
            _TELLING.search(key) for key, _ in parse_qsl(parts.query)
        )
    except ValueError:
        return False


def _texts(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Each text of a table that is no secret, with its place."""
    for at, each in _leaves(value, path):
        if isinstance(each, str):
            yield at, each


def _secrets(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, SecretStr]]:
    for at, each in _leaves(value, path):
        if isinstance(each, SecretStr) and each.get_secret_value():
            yield at, each


def _leaves(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for at, item in enumerate(value):
            yield from _leaves(item, (*path, at))
    else:
        yield path, value
