"""The demo's world for tests: made, served in the test's own process or from its file, run, and judged independently."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connectors.ghl.sandbox import Sandbox, serve
from flows.config import load
from flows.demo import make
from flows.demo.pairfile import LOCATION, SANDBOX_FILE
from flows.demo.seen import CELLS, Holder, opened, plain
from flows.demo.tables import PEOPLE, REMARKS, TODOS, engine_of
from flows.demo.world import DATABASE_FILE, open_sandbox
from flows.jobs.audit import AUDIT
from flows.jobs.full import FULL, PLAN
from flows.opening import open_run
from flows.outcome.tell import Told
from flows.run import Options
from flows.runner import carry_out
from reconcile.ledger import schema
from reconcile.model import Hold, Operation, fingerprint
from reconcile.plan import planfile

JOBS = {job.name: job for job in (FULL, PLAN, AUDIT)}
"""The jobs that read both sides whole, by name."""

State = dict[str, Counter[tuple[Any, ...]]]
"""What both sides hold, without their own keys and times: how often each person, task and note is there."""


@dataclass(frozen=True, slots=True)
class Acme:
    """A demo in a folder. `app_url` is its database, if it has one; `pair` its pair file, with the sandbox served from its file."""

    folder: Path
    pair: Path
    app_url: str

    @staticmethod
    def made(
        folder: Path,
        *,
        contacts: int = 60,
        app_url: str | None = None,
        search_lag: float = 0.0,
        sales: bool = False,
    ) -> Acme:
        """A new world; its sandbox answers as fast as it can. `app_url` is what `make` takes as `app`.

        Companies and deals are mapped where `sales` says so: they make each night a tenth longer.
        """
        pair = make(folder, contacts=contacts, app=app_url)
        settings = (folder / SANDBOX_FILE).with_suffix(".toml")
        text = settings.read_text(encoding="utf-8").replace(
            "lag_seconds = 2.0", f"lag_seconds = {search_lag}"
        )
        settings.write_text(text.replace("max = 300", "max = 100000"), encoding="utf-8")
        text = pair.read_text(encoding="utf-8")
        pair.write_text(
            (text if sales else without_sales(text)).replace(
                "\nlag_seconds = 5 ", f"\nlag_seconds = {search_lag * 2} "
            ),
            encoding="utf-8",
        )
        file = f"sqlite:///{folder / DATABASE_FILE}"
        return Acme(folder, pair, {None: file, "rest": file, "csv": ""}.get(app_url, app_url or ""))

    @staticmethod
    def settled(folder: Path, *, contacts: int = 40, sales: bool = False) -> Acme:
        """A world of `made` after its first night, with nothing verified: a copy of one that this process ran once."""
        return _first_night(contacts, sales).copied(folder)

    def copied(self, folder: Path) -> Acme:
        """The same in another folder, by itself: its ledger knows both sides where they lie there. Of an SQLite file alone."""
        shutil.copytree(self.folder, folder)
        made = Acme(folder, folder / self.pair.name, f"sqlite:///{folder / DATABASE_FILE}")
        _move(made, self.folder)
        return made

    def run(self, *, pair: Path | None = None, job: str = "nightly", **options: Any) -> Night:
        """One run through the local engine."""
        with open_run(load(pair or self.pair), Options(job, **options)) as run:
            told = carry_out(run, JOBS[job])
            path = run.plan_path
        return Night(told, list(planfile.operations(path)), list(planfile.holds(path)))

    @contextmanager
    def served(self) -> Iterator[Served]:
        """The sandbox served by this process: its state survives whoever talks to it."""
        with open_sandbox(self.folder / SANDBOX_FILE) as sandbox, serve(sandbox) as url:
            text = self.pair.read_text(encoding="utf-8")
            pair = self.pair.with_name("served.toml")
            pair.write_text(
                text.replace(
                    f'url = "sandbox:{SANDBOX_FILE}"', f'url = "{url}"\ntoken = "file:token.txt"'
                ),
                encoding="utf-8",
            )
            (self.folder / "token.txt").write_text("sandbox", encoding="utf-8")
            (self.folder / "token.txt").chmod(0o600)
            yield Served(sandbox, pair)

    def state(self, sandbox: Sandbox | None = None) -> State:
        """What both sides hold now. A `sandbox` that is being served has to be given."""
        if sandbox is not None:
            return _app_state(self.app_url) | _ghl_state(sandbox)
        with open_sandbox(self.folder / SANDBOX_FILE) as opened:
            return _app_state(self.app_url) | _ghl_state(opened)

    def ends(self) -> dict[str, Counter[str]]:
        """What both sides hold now by the demo's own reading, whatever the app is made of: people with all that is theirs."""
        with opened(self.folder, self.pair, None) as ends:
            return {
                "app": Counter(map(_held, ends.app().values())),
                "ghl": Counter(map(_held, ends.ghl().values())),
            }

    def replaced_by(self, other: Path) -> None:
        """Put everything in the folder back to what it was in a copy. The path stays: a database is known by it."""
        shutil.rmtree(self.folder)
        shutil.copytree(other, self.folder)


@cache
def _first_night(contacts: int, sales: bool) -> Acme:
    folder = Path(tempfile.mkdtemp(prefix="first-night-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    acme = Acme.made(folder / "acme", contacts=contacts, sales=sales)
    acme.run(verify="none")
    return acme


def _move(acme: Acme, of: Path) -> None:
    """Have a ledger that knew both sides `of` another folder know them where they lie now: it would refuse the run."""
    pair, ends = schema.pair, schema.ends
    engine = sa.create_engine(load(acme.pair).ledger_url.get_secret_value())
    with engine.begin() as ledger:
        for column in (pair.c.app_identity, ends.c.app, ends.c.ghl):
            there = sa.func.replace(column, str(of), str(acme.folder))
            ledger.execute(sa.update(column.table).values({column.name: there}))
        for entity, *place in ledger.execute(sa.select(ends.c.entity, ends.c.app, ends.c.ghl)):
            digest = fingerprint("\x1f".join(place))
            ledger.execute(sa.update(ends).where(ends.c.entity == entity).values(digest=digest))
    engine.dispose()


@dataclass(frozen=True, slots=True)
class Served:
    """A sandbox in this process, and the pair file that leads to it over HTTP."""

    sandbox: Sandbox
    pair: Path


@dataclass(frozen=True, slots=True)
class Night:
    """What a run came to."""

    told: Told
    operations: Sequence[Operation]
    holds: Sequence[Hold]

    @property
    def residual(self) -> int:
        """How many operations a plan from fresh snapshots still has."""
        return sum(
            entity["residual_operations"] or 0 for entity in self.told.document["entities"].values()
        )


def without_sales(text: str) -> str:
    """The pair file without what it says of companies and deals."""
    parts = re.split(r"(?m)^(?=# -{20,} |\[)", text)
    kept = [
        one
        for one in parts
        if not re.match(r"\[(app\.)?(company|opportunity)\b|# -+ (firms|deals)", one)
    ]
    return re.sub(r"(?m)^firm_id = .*\n", "", "".join(kept))


def _held(one: Holder) -> str:
    tasks = sorted((title, task.due, task.done, task.details) for title, task in one.tasks.items())
    return repr((sorted(one.cells.items()), sorted(one.tags), tasks, sorted(one.repeated.items())))


def _app_state(url: str) -> State:
    engine = engine_of(url)
    with engine.connect() as connection:
        people = (
            connection.execute(sa.select(PEOPLE).where(PEOPLE.c.deleted_at.is_(None)))
            .mappings()
            .all()
        )
        todos = connection.execute(sa.select(TODOS)).mappings().all()
        remarks = connection.execute(sa.select(REMARKS)).mappings().all()
    engine.dispose()
    names = {
        row["id"]: _name(row["first_name"], row["last_name"], row["email"], row["phone"])
        for row in people
    }
    cells = (*CELLS, "vip")
    return {
        "app people": Counter(
            (*(row[name] for name in cells), *sorted(row["tags"] or ())) for row in people
        ),
        "app todos": Counter(
            (
                names.get(row["person_id"]),
                row["title"],
                row["status"],
                str(row["due_at"]),
                row["details"],
            )
            for row in todos
        ),
        "app remarks": Counter((names.get(row["person_id"]), row["body"]) for row in remarks),
    }


def _ghl_state(sandbox: Sandbox) -> State:
    contacts = sandbox.contacts(LOCATION)
    names = {
        row["id"]: _name(row["firstName"], row["lastName"], row["email"], row["phone"])
        for row in contacts
    }
    return {
        "ghl contacts": Counter(
            (
                *(row[native] for native in CELLS.values()),
                *sorted(row["tags"]),
                str(row["customFields"]),
            )
            for row in contacts
        ),
        "ghl tasks": Counter(
            (
                names.get(row["contactId"]),
                row["title"],
                row["completed"],
                row["dueDate"],
                row["body"],
            )
            for row in sandbox.tasks(LOCATION)
        ),
        "ghl notes": Counter(
            (names.get(row["contactId"]), plain(row["body"])) for row in sandbox.notes(LOCATION)
        ),
    }


def _name(*parts: Any) -> str:
    return "/".join(str(part or "") for part in parts)
