"""What a pair that comes from a ledger may make this worker do.

Its variables, hosts, folders and location, as the worker's own settings say.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from flows.config.lines import KeyPath
from flows.config.part import Part
from flows.config.problems import name, parsed
from flows.config.sides import CONNECTORS
from reconcile.errors import ConfigError, Problem
from reconcile.values.names import is_name

SETTINGS = "GHL_RECONCILE_WORKER"
"""The environment variable that names the worker's settings, a TOML file."""

GHL = "services.leadconnectorhq.com"
_FILES = frozenset({"csv", "jsonl", "parquet", "excel"})
_PLACES = frozenset({"app", "ghl", "store", "ledger"})
"""The parts of a pair file that lead somewhere; in the others stand values."""
_IN_A_FILE = ("sandbox:", "demo:")


class PairSettings(Part):
    """What one pair from a ledger may name on this worker."""

    location: str = Field(min_length=1)
    variables: list[str] = Field(default=[])
    hosts: list[str] = Field(default=[])
    folders: list[str] = Field(default=[])
    connectors: list[str] = Field(default=[])


class WorkerSettings(Part):
    """The worker's settings.

    The pairs that it runs from a ledger, and what each of them may name.
    """

    pairs: dict[str, PairSettings] = Field(default={})


def settings(environ: Mapping[str, str] = os.environ) -> WorkerSettings:
    """The worker's settings; none where the environment names no file.

    Raises ConfigError for a file that is wrong.
    """
    file = environ.get(SETTINGS, "")
    if not file:
        return WorkerSettings()
    try:
        return WorkerSettings.model_validate(tomllib.loads(Path(file).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _wrong(
            file, f"the worker's settings cannot be read ({type(error).__name__})"
        ) from None
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise _wrong(file, f"the worker's settings are wrong at {where}: {fault['msg']}") from None


def _wrong(file: str, what: str) -> ConfigError:
    return ConfigError(
        [Problem(Path(file).name, what, "Compare it with docs/tasks/fleet.md; nothing was run.")]
    )


@dataclass(frozen=True, slots=True)
class Gate:
    """Looks at rows of a ledger before they become files in `folder`.

    `kept_in` is how the worker itself was told the ledger.
    """

    settings: WorkerSettings
    folder: Path
    kept_in: str = ""

    def check(self, pair: str, body: str) -> None:
        """Raises ConfigError with everything that the pair names and may not."""
        if not is_name(pair):
            what = (
                f"the ledger has a pair file under {pair[:60]!r}, which is no name: "
                "it could be written into any folder"
            )
            raise ConfigError(
                [
                    Problem(
                        "ledger",
                        what,
                        "Look at who can write to the ledger; `ledger remove` takes it out.",
                    )
                ]
            )
        document, problems = parsed(body, f"{pair}.toml")
        if document.get("pair") != pair:
            what = (
                f"the ledger has it under the name {pair!r}, and it says pair = "
                f'"{document.get("pair")}"'
            )
            problems.add(("pair",), what, "Write the same name in both places: `ledger add` does.")
        allowed = self.settings.pairs.get(pair)
        if allowed is None:
            what = f"the settings of this worker do not list the pair: no [pairs.{pair}]"
            problems.add(
                ("pair",),
                what,
                (
                    f"Write [pairs.{pair}] into the file that {SETTINGS} names: "
                    "see docs/tasks/fleet.md."
                ),
            )
        else:
            for path, what, remedy in _Row(document, allowed, self.folder, self.kept_in).refused():
                problems.add(
                    path,
                    what,
                    f"{remedy}, or write it into [pairs.{pair}] of the worker's settings.",
                )
        problems.stop_if_any()


@dataclass(frozen=True, slots=True)
class _Row:
    document: Mapping[str, Any]
    allowed: PairSettings
    folder: Path
    kept_in: str

    def refused(self) -> Iterator[tuple[KeyPath, str, str]]:
        """Each place that names what the pair may not name.

        The place, what it is, the beginning of a remedy.
        """
        app, ghl = self._table("app"), self._table("ghl")
        if ghl.get("location") != self.allowed.location:
            yield (
                ("ghl", "location"),
                f"the location {ghl.get('location')!r} is not this pair's on this worker",
                "Correct it",
            )
        connector = app.get("connector", "sql")
        if connector not in CONNECTORS and connector not in self.allowed.connectors:
            yield (
                ("app", "connector"),
                f"the connector {connector!r} is not one that this worker gives to the pair",
                "Use another",
            )
        for path, text in _texts(self.document, ()):
            yield from (
                (path, what, remedy) for what, remedy in self._text(path, text, str(connector))
            )

    def _table(self, key: str) -> Mapping[str, Any]:
        table = self.document.get(key)
        return table if isinstance(table, dict) else {}

    def _text(self, path: KeyPath, text: str, connector: str) -> Iterator[tuple[str, str]]:
        if path[0] not in _PLACES or "where" in path:
            return
        if text.startswith("env:"):
            # The ledger that the pair came from is the pair's, too, and in no other place: an app
            # could be told to be it.
            if path != ("ledger",) or text != self.kept_in:
                variable = text.removeprefix("env:")
                if not any(fnmatchcase(variable, each) for each in self.allowed.variables):
                    yield (
                        f"{name(path)}: the variable {variable} is not given to this pair",
                        "Name one that is",
                    )
        elif (file := _file_of(path, text, connector)) is not None:
            yield from self._file(path, file)
        elif "://" in text:
            yield from self._host(path, text)

    def _host(self, path: KeyPath, text: str) -> Iterator[tuple[str, str]]:
        host = _host_of(text)
        if not any(host and fnmatchcase(host, each.lower()) for each in (GHL, *self.allowed.hosts)):
            yield (
                (
                    f"{name(path)}: the host {host or text[:60]!r} is not one that this worker "
                    "sends the pair's data to"
                ),
                "Correct it",
            )

    def _file(self, path: KeyPath, file: str) -> Iterator[tuple[str, str]]:
        """A relative `store` may lie beside the pair file, as it does by default.

        All else lies where the settings say.
        """
        whole = (self.folder / Path(file).expanduser()).resolve()
        inside = [Path(each).resolve() for each in self.allowed.folders]
        if path == ("store",):
            inside.append(self.folder.resolve())
        if not any(whole.is_relative_to(each) for each in inside):
            yield f"{name(path)}: {file} is not in a folder of this pair", "Name a file in one"


def _texts(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, str(key)))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for at, item in enumerate(value):
            yield from _texts(item, (*path, at))
    elif isinstance(value, str):
        yield path, value


def _file_of(path: KeyPath, text: str, connector: str) -> str | None:
    """The file or folder of this machine that a text names, where it names one."""
    for scheme in ("file://", "file:", *_IN_A_FILE):
        if text.startswith(scheme):
            return text.removeprefix(scheme)
    if text.startswith(("sqlite:", "sqlite+")):
        return text.partition("///")[2].partition("?")[0].removeprefix("file:")
    if "://" in text:
        return None
    if path == ("store",) or (connector in _FILES and path[0] == "app" and path[-1] == "path"):
        return text
    return None


def _host_of(text: str) -> str:
    """The host of a URL, or an object store's bucket.

    Empty where two readers of it could disagree about which that is.
    """
    chained = "::" in text  # fsspec: a store within another
    # A database's driver takes another host from the query.
    has_query = "?" in text and not text.startswith(("http://", "https://"))
    if chained or has_query or "\\" in text or any(sign.isspace() for sign in text):
        return ""
    try:
        return (urlsplit(text).hostname or "").lower()
    except ValueError:
        return ""
