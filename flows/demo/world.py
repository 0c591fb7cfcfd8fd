"""Makes the demo's folder.

The application, the sandbox's location, and the pair file between them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connectors.ghl.sandbox import Sandbox, Settings
from flows.config.pair import DEMO
from flows.demo import sales, sheets
from flows.demo.cast import ANCHOR, VISITS, Being, Casting, rich, stamp
from flows.demo.pairfile import (
    LOCATION,
    PAIR_FILE,
    SANDBOX_FILE,
    SETTINGS_FILE,
    AppKind,
    pair_text,
    settings_text,
)
from flows.demo.people import MOST
from flows.demo.tables import DEALS, PEOPLE, REMARKS, TODOS, engine_of, recreate
from flows.wiring.wiring import SANDBOX_TOKEN
from reconcile.errors import ConfigError, Problem

LEAST = 40
"""Fewer people than this leave too few for the edits that come after."""

DATABASE_FILE = "app.db"
URL_FILE = "app-url.txt"


def open_sandbox(file: Path) -> Sandbox:
    """The sandbox that a file holds, with the settings beside it, if there are any."""
    beside = file.with_suffix(".toml")
    return Sandbox(Settings.load(beside) if beside.is_file() else Settings(), path=file)


def make(folder: Path, *, contacts: int = 200, seed: int = 7, app: str | None = None) -> Path:
    """Make both sides and the pair file in `folder`, which is created.

    Returns the pair file's path.

    The same `seed` makes the same world. `app` is what the application shall be in place of an
    SQLite file: "rest" a JSON API over one, "csv" files in the folder, or any SQLAlchemy URL, where
    the tables of an earlier demo are replaced and which is kept beside the pair file, not in it.
    Raises ConfigError where a demo lies in the folder already, `contacts` is out of range, or `app`
    is none of these.
    """
    kind, url = _kind(app)
    _check(folder, contacts)
    folder.mkdir(parents=True, exist_ok=True)
    cast = Casting(random.Random(seed))  # noqa: S311 - made-up people, not secrets
    beings = sales.employed(cast.all(contacts))
    with _application(folder, kind, url) as engine:
        fill_app(engine, beings)
    (folder / SETTINGS_FILE).write_text(settings_text(seed), encoding="utf-8")
    fill_ghl(folder / SANDBOX_FILE, beings)
    pair = folder / PAIR_FILE
    pair.write_text(
        pair_text(kind, _reference(folder, kind, url), contacts=contacts), encoding="utf-8"
    )
    return pair


def _kind(app: str | None) -> tuple[AppKind, str | None]:
    """What the application is, and its URL where it is a database of the person's own."""
    match app:
        case None:
            return "sql", None
        case "rest" | "csv":
            return app, None
        case url if "://" in url:
            return "sql", url
        case other:
            what = f"{other!r} is no application that the demo can make"
            raise ConfigError([Problem("app", what, 'write "rest", "csv", or a database URL')])


@contextmanager
def _application(folder: Path, kind: AppKind, url: str | None) -> Iterator[sa.Engine]:
    """The new application's tables, empty."""
    if kind == "csv":
        with sheets.opened(folder) as engine:
            yield engine
        return
    engine = engine_of(url or f"sqlite:///{folder / DATABASE_FILE}")
    try:
        recreate(engine)
        yield engine
    finally:
        engine.dispose()


def _check(folder: Path, contacts: int) -> None:
    problems = []
    if not LEAST <= contacts <= MOST:
        what = f"{contacts} contacts were asked for"
        problems.append(Problem("demo", what, f"ask for at least {LEAST} and at most {MOST:,}"))
    files = (PAIR_FILE, DATABASE_FILE, SANDBOX_FILE, sheets.file_of(folder, PEOPLE).name)
    left = [name for name in files if (folder / name).exists()]
    if left:
        what = f"there is a demo already: {', '.join(left)}"
        problems.append(Problem(str(folder), what, "name another folder, or delete this one"))
    if problems:
        raise ConfigError(problems)


def _reference(folder: Path, kind: AppKind, url: str | None) -> str:
    """What the pair file says of where the app is.

    A file beside it, or the file that holds the URL with its password.
    """
    if url is None:
        return f"{DEMO if kind == 'rest' else 'sqlite:///'}{DATABASE_FILE}"
    secret = folder / URL_FILE
    secret.touch(mode=0o600)
    secret.write_text(url + "\n", encoding="utf-8")
    return f"file:{URL_FILE}"


def fill_app(engine: sa.Engine, beings: Sequence[Being]) -> None:
    """Put what the application knows of these beings into its empty tables."""
    known = [being for being in beings if being.app is not None]
    with engine.begin() as connection:
        firms = sales.fill_firms(connection)
        people = [{**(being.app or {}), "firm_id": firms.get(being.firm or "")} for being in known]
        connection.execute(sa.insert(PEOPLE), people)
        ids = connection.scalars(sa.select(PEOPLE.c.id).order_by(PEOPLE.c.id)).all()
        owned = list(zip(ids, known, strict=True))
        _insert(connection, TODOS, (row for key, being in owned for row in _todos(key, being)))
        _insert(connection, REMARKS, (row for key, being in owned for row in _remarks(key, being)))
        _insert(
            connection, DEALS, (row for key, being in owned for row in sales.rows_of(key, being))
        )


def _insert(connection: sa.Connection, table: sa.Table, rows: Iterable[dict[str, Any]]) -> None:
    listed = list(rows)
    if listed:
        connection.execute(sa.insert(table), listed)


def _todos(person_id: int, being: Being) -> Iterable[dict[str, Any]]:
    for todo in being.todos:
        if todo.where != "ghl":
            values = {
                "title": todo.title,
                "details": todo.details,
                "due_at": todo.due,
                "status": todo.status,
            }
            yield {"person_id": person_id, **values}


def _remarks(person_id: int, being: Being) -> Iterable[dict[str, Any]]:
    for remark in being.remarks:
        if remark.where != "ghl":
            yield {"person_id": person_id, "body": remark.body, "created_at": remark.at}


def fill_ghl(path: Path, beings: Sequence[Being]) -> None:
    """Make the sandbox's location and put in what GHL knows of these beings.

    It goes past the sandbox's own refusal of duplicates.
    """
    sandbox = open_sandbox(path)
    try:
        with sandbox.bulk():
            sandbox.add_location(
                LOCATION, name="Acme (demo)", country="US", timezone="America/Chicago"
            )
            sandbox.add_token(SANDBOX_TOKEN, LOCATION)
            sandbox.seed_custom_field(LOCATION, "VIP")
            sandbox.seed_user(
                LOCATION, firstName="Dana", lastName="Reyes", email="dana.reyes@example.com"
            )
            contacts = [
                (_seed(sandbox, being, being.ghl), being)
                for being in beings
                if being.ghl is not None
            ]
            _book(sandbox, [contact for contact, _ in contacts[::3]])
            sales.seed(sandbox, LOCATION, contacts)
    finally:
        sandbox.close()


def _book(sandbox: Sandbox, contacts: Sequence[str]) -> None:
    """A past and a coming visit for each contact.

    Their ids are given, so that no other id changes.
    """
    statuses = (("showed", "confirmed"), ("noshow", "new"), ("showed", "cancelled"))
    for number, contact in enumerate(contacts):
        ends = zip(
            (ANCHOR + timedelta(hours=6), VISITS), statuses[number % len(statuses)], strict=True
        )
        for first, status in ends:
            at = first + timedelta(days=number % 40, hours=number % 7)
            sandbox.seed_appointment(
                contact,
                id=f"visit{number:04}{status}",
                calendarId="AcmeDemoCalendar0001",
                title="Visit",
                startTime=stamp(at),
                appointmentStatus=status,
            )


def _seed(sandbox: Sandbox, being: Being, row: dict[str, Any]) -> str:
    contact = sandbox.seed_contact(LOCATION, **row)
    for todo in being.todos:
        if todo.where != "app":
            body, done = rich(todo.details), todo.status == "done"
            added = stamp(todo.due - timedelta(days=30))
            values: dict[str, Any] = {
                "title": todo.title,
                "body": body,
                "dueDate": stamp(todo.due),
                "completed": done,
            }
            sandbox.seed_task(contact, dateAdded=added, **values)
    for remark in being.remarks:
        if remark.where != "app":
            sandbox.seed_note(contact, body=rich(remark.body), dateAdded=stamp(remark.at))
    return contact
