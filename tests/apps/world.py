"""An application as people have it: its own tables on its own database server, the cookbook's pair file, and GHL's sandbox."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa

from connectors.ghl.sandbox import Sandbox
from connectors.sql.engine import database_url
from flows.config import Pair, load
from flows.demo.world import open_sandbox
from flows.doctor.check import check
from flows.init.run import Wish, init
from flows.jobs.full import FULL
from flows.opening import open_run
from flows.outcome.tell import Told
from flows.run import Options
from flows.runner import carry_out
from flows.wiring.wiring import connect
from reconcile.model import Entity, Hold, Operation, OpKind, Side, Status
from reconcile.plan import planfile
from reconcile.ports import Json, Write
from tests.connectors.databases import run

LOCATION = "loc1"
COOKBOOK = Path(__file__).resolve().parents[2] / "docs" / "cookbook"
_TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)
_CLOSING = re.compile(r";\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Night:
    """What a run came to."""

    told: Told
    operations: Sequence[Operation]
    holds: Sequence[Hold]


@dataclass(frozen=True, slots=True)
class World:
    """One application beside one location."""

    folder: Path
    url: str
    page: str = field(repr=False)
    page_title: str = ""

    @staticmethod
    def made(name: str, url: str, folder: Path) -> World:
        """The application's empty tables, an empty location, and the pair file of its page in the cookbook."""
        statements = (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
        run(url, *filter(str.strip, _CLOSING.split(statements)))
        page = (COOKBOOK / f"{name}.md").read_text(encoding="utf-8")
        found = _TOML.search(page)
        assert found is not None, f"{name}.md has no pair file"
        world = World(folder, url, found[1], page.splitlines()[0].removeprefix("# "))
        with Sandbox(path=folder / "ghl.db") as sandbox:
            sandbox.add_location(LOCATION)
        (folder / "ghl.toml").write_text("lag_seconds = 0.0\n", encoding="utf-8")
        text = re.sub(r'(?m)^token = "env:GHL_TOKEN"\n', "", found[1])
        text = text.replace("your location's id", LOCATION)
        text = text.replace("[ghl]\n", '[ghl]\nurl = "sandbox:ghl.db"\nlag_seconds = 0\n')
        world.pair_file.write_text('region = "US"\n' + text, encoding="utf-8")
        return world

    @property
    def pair_file(self) -> Path:
        return self.folder / "pair.toml"

    @property
    def pair(self) -> Pair:
        return load(self.pair_file, environ={"APP_DATABASE_URL": self.url})

    def proposed(self) -> str:
        """What `init --yes` writes, by the variable that a pair file names."""
        wish = Wish(
            "env:APP_DATABASE_URL",
            LOCATION,
            self.folder / "proposed.toml",
            ghl_url=f"sandbox:{self.folder / 'ghl.db'}",
        )
        written = init(wish, environ={"APP_DATABASE_URL": self.url})
        return written.path.read_text(encoding="utf-8")

    # The application.

    def sql(self, *statements: str) -> None:
        """What the application's own people do."""
        run(self.url, *statements)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What is there, read past everything of this product."""
        engine = sa.create_engine(database_url(self.url), poolclass=sa.NullPool)
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    # GHL.

    @contextmanager
    def ghl(self) -> Iterator[Sandbox]:
        with open_sandbox(self.folder / "ghl.db") as sandbox:
            yield sandbox

    def add(self, **fields: Any) -> str:
        """Somebody adds a contact in GHL."""
        with self.ghl() as sandbox:
            return sandbox.seed_contact(LOCATION, **fields)

    def edit(self, key: str, fields: Mapping[str, Json]) -> None:
        """Somebody edits a contact in GHL, and tags it."""
        plain = {name: value for name, value in fields.items() if name != "tags"}
        writes = [Write("edit", OpKind.UPDATE, Entity.CONTACT, key, fields=plain)]
        if "tags" in fields:
            added = tuple(str(tag) for tag in cast("list[str]", fields["tags"]))
            writes.append(Write("tag", OpKind.ADD_TAGS, Entity.CONTACT, key, tags=added))
        with connect(self.pair) as sides:
            replies = list(sides[Side.GHL].write(writes))
        assert {reply.status for reply in replies} == {Status.DONE}, replies

    def contacts(self, *names: str) -> list[tuple[Any, ...]]:
        """The location's contacts, some fields of each, in order."""
        with self.ghl() as sandbox:
            held = sandbox.contacts(LOCATION)
        return sorted(
            (tuple(one.get(name) or "" for name in names) for one in held), key=lambda row: str(row)
        )

    def key_of(self, email: str) -> str:
        """The key of GHL's contact of that email."""
        with self.ghl() as sandbox:
            [key] = [str(c["id"]) for c in sandbox.contacts(LOCATION) if c.get("email") == email]
        return key

    # The product.

    def doctor(self, file: Path | None = None) -> list[str]:
        """What doctor finds that is not well, of the pair file or of another one."""
        pair = load(file or self.pair_file, environ={"APP_DATABASE_URL": self.url})
        found = check(pair, server=list)
        return [f"{one.level}: {one.what}" for one in found if str(one.level) == "error"]

    def night(self) -> Night:
        """One run, which has to end well."""
        with open_run(self.pair, Options("nightly")) as run_:
            told = carry_out(run_, FULL)
            path = run_.plan_path
        return Night(told, list(planfile.operations(path)), list(planfile.holds(path)))

    def quiet(self) -> None:
        """A run that has nothing to do."""
        night = self.night()
        assert (night.told.exit_code, list(night.operations), list(night.holds)) == (0, [], [])


def fresh(name: str, server: str, folder: Path) -> Iterator[World]:
    """A world whose database is dropped afterwards."""
    from tests.connectors.databases import fresh_database

    for url in fresh_database(server, folder):
        yield World.made(name, url, folder)
