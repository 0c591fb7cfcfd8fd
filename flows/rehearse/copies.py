"""Reads both sides of a pair once, and puts copies of them into a folder of the rehearsal's own."""

from __future__ import annotations

import glob
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from connectors.ghl import GhlConnector
from connectors.ghl.sandbox import Sandbox
from connectors.ghl.shapes import record
from flows.config.pair import DEMO, Pair
from flows.config.sides import AppForm, FilesForm, RestForm, SqlForm
from flows.rehearse import location, tables
from flows.rehearse.api import ApiCopy, copy_api
from flows.rehearse.sample import Sample, choose, records_of
from flows.rehearse.server import Server, copy_into
from flows.wiring.wiring import connect
from reconcile.entities import OWNER, RECORDS
from reconcile.errors import ConfigError, Problem
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity, Side
from reconcile.ports import Connector

APP_FILE = "app.db"
URL_FILE = "app-url.txt"


@dataclass(frozen=True, slots=True)
class Copied:
    """What a rehearsal begins with: `[app]` of the copy, GHL's location, and who is in.

    `server` is where the app's tables are, if that is no file, and `api` what answers in place of
    an app's JSON API.
    """

    app: Mapping[str, Any]
    where: location.Location
    sample: Sample
    server: Server | None = None
    api: ApiCopy | None = None


def copy(
    pair: Pair,
    document: Mapping[str, Any],
    folder: Path,
    sandbox: Sandbox,
    *,
    most: int | None,
    dice: Random,
    token: str,
    into: str | None = None,
) -> Copied:
    """Copy at most so many people of both sides, with what hangs on them.

    The app's tables go to the empty database `into`, or to an SQLite file.

    Nothing is written to either side, nor to the pair's ledger; a token of an oauth pair may be
    renewed, as by any command that asks GHL. Raises ConfigError for an app of which no copy can be
    made, ConnectorError where a side cannot be read whole.
    """
    refuse_unknown(pair)
    if into is not None and not isinstance(pair.app, SqlForm):
        what = f'the app is reached by the connector "{pair.app.connector}", not as a database'
        raise ConfigError(
            [
                Problem(
                    "--into",
                    what,
                    "leave it out: files are copied as files",
                )
            ]
        )
    with _reading(pair) as sides:
        app, ghl = sides[Side.APP], sides[Side.GHL]
        if not isinstance(ghl, GhlConnector):
            raise TypeError("GHL's side is reached by its own connector")
        described = ghl.describe()
        app.describe()
        mapping = pair.located(
            pair.region or described.region, described.owners, described.companies
        )
        kinds = [each.entity for each in mapping.entities]
        where = location.read_location(ghl, kinds)
        location.furnish(sandbox, where, token)
        contacts = location.lines_of(ghl, OWNER)
        shape = ghl.shape(OWNER)
        held = {
            Side.APP: records_of(app, OWNER),
            Side.GHL: (record(line, shape) for line in contacts),
        }
        sample = choose(mapping[OWNER], held, dice, most)
        _fill(sandbox, where, ghl, kinds, contacts, sample)
        if isinstance(pair.app, RestForm) and not _demo(pair.app):
            chosen = sample.keys[Side.APP]
            api, said = copy_api(app, document["app"], chosen, sandbox.state.now)
            return Copied(said, where, sample, api=api)
    if into is None:
        return Copied(
            _app(pair, document, folder, sample),
            where,
            sample,
        )
    return _served(
        pair,
        document,
        folder,
        into,
        Copied({}, where, sample),
    )


def _served(
    pair: Pair,
    document: Mapping[str, Any],
    folder: Path,
    into: str,
    begun: Copied,
) -> Copied:
    """The same with the app's tables in a database of their own."""
    if not isinstance(pair.app, SqlForm):
        raise TypeError("another app was refused before")
    said = document["app"]
    server = copy_into(
        pair.app.url.get_secret_value(),
        said,
        into,
    )
    if not begun.sample.whole:
        server.keep_only(said, begun.sample.keys[Side.APP])
    secret = folder / URL_FILE
    secret.touch(mode=0o600)
    secret.write_text(into, encoding="utf-8")
    return replace(
        begun,
        app={**said, "url": f"file:{URL_FILE}"},
        server=server,
    )


@contextmanager
def _reading(pair: Pair) -> Iterator[Mapping[Side, Connector]]:
    if pair.ghl.oauth is None:
        with connect(pair) as sides:
            yield sides
        return
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    try:
        with connect(pair, engine=ledger.engine) as sides:
            yield sides
    finally:
        ledger.close()


def _fill(
    sandbox: Sandbox,
    where: location.Location,
    ghl: GhlConnector,
    kinds: list[Entity],
    contacts: location.Lines,
    sample: Sample,
) -> None:
    """The chosen contacts, what hangs on them, and all that hangs on nothing."""
    chosen = sample.keys[Side.GHL]
    owners = [line for line in contacts if line["id"] in chosen]
    ordered = sorted(kinds, key=RECORDS.index)
    for kind in ordered:
        if kind is OWNER:
            location.load(sandbox, where, kind, owners)
        elif kind.spec.swept:
            keys = [line["id"] for line in owners]
            location.load(
                sandbox,
                where,
                kind,
                location.lines_of(ghl, kind, keys),
            )
        else:
            location.load(
                sandbox,
                where,
                kind,
                location.lines_of(ghl, kind),
            )


def refuse_unknown(pair: Pair) -> None:
    """Raise ConfigError where the app is one of which no copy can be made."""
    form = pair.app
    if isinstance(form, SqlForm | FilesForm | RestForm):
        return
    what = f'the app is reached by the connector "{form.connector}", of which no copy can be made'
    remedy = (
        "rehearse on a database or on files: export the app's records to CSV, let `init` propose a "
        "pair file for those, and give it this one's fields and rules"
    )
    raise ConfigError(
        [
            Problem(
                f"{pair.path.name}: [app]",
                what,
                remedy,
            )
        ]
    )


def _demo(form: AppForm) -> str:
    """The database that the demo's own JSON API is served over; "" for any other app."""
    url = str(getattr(form, "url", ""))
    return url.removeprefix(DEMO) if url.startswith(DEMO) else ""


def _app(
    pair: Pair,
    document: Mapping[str, Any],
    folder: Path,
    sample: Sample,
) -> Mapping[str, Any]:
    said = document["app"]
    target = folder / APP_FILE
    form = pair.app
    if isinstance(form, SqlForm):
        url = form.url.get_secret_value()
        app = tables.copy_tables(
            url,
            said,
            target,
            timezone=pair.timezone,
        )
        if not sample.whole:
            tables.keep_only(
                target,
                app,
                sample.keys[Side.APP],
            )
        tables.let_read_on(target)
        return {**app, "url": f"sqlite:///{APP_FILE}"}
    if _demo(form):
        tables.copy_file(_demo(form), target)
        return {**said, "url": f"{DEMO}{APP_FILE}"}
    return _files(pair, said, folder)


def _files(pair: Pair, said: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The app's files, each kind's in a folder of its own."""
    changed = dict(said)
    for kind in RECORDS:
        table = said.get(kind.value)
        if table is None:
            continue
        path = str(table["path"] if isinstance(table, Mapping) else table)
        if "://" in path:
            what = f"{path} is not on this machine, and no copy of it can be made"
            remedy = "copy the file beside the pair file, and name it there"
            raise ConfigError(
                [
                    Problem(
                        f"{pair.path.name}: [app.{kind}]",
                        what,
                        remedy,
                    )
                ]
            )
        into = folder / kind.value
        into.mkdir()
        whole = pair.path.parent / path
        if whole.is_dir():
            shutil.copytree(whole, into, dirs_exist_ok=True)
            copied = kind.value
        else:
            for one in glob.glob(str(whole)):  # noqa: PTH207 - the pattern may be an absolute one
                shutil.copy2(one, into)
            copied = f"{kind.value}/{whole.name}"
        changed[kind.value] = {**table, "path": copied} if isinstance(table, Mapping) else copied
    return changed


@dataclass(frozen=True, slots=True)
class Keeper:
    """Keeps and puts back what the app's copy holds, as a database's own tools do."""

    folder: Path
    app: Mapping[str, Any]

    def keep(self, name: str) -> Path:
        """A backup of the app as it is now."""
        kept = self.folder / "backups" / name
        kept.mkdir(parents=True, exist_ok=True)
        for one in self._parts():
            if one.suffix == ".db":
                _over(one, kept / one.name)
            else:
                shutil.copytree(
                    one,
                    kept / one.name,
                    dirs_exist_ok=True,
                )
        return kept

    def put_back(self, kept: Path) -> None:
        """The app as it was then."""
        for one in self._parts():
            if one.suffix == ".db":
                _over(kept / one.name, one)
            else:
                shutil.copytree(
                    kept / one.name,
                    one,
                    dirs_exist_ok=True,
                )

    def _parts(self) -> list[Path]:
        if (self.folder / APP_FILE).exists():
            return [self.folder / APP_FILE]
        return [self.folder / kind.value for kind in RECORDS if kind.value in self.app]


def _over(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as made:
        read.backup(made)
