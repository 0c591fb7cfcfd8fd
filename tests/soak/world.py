"""The soak's world: an application, a location over HTTP, an operator, people, and the book of what they typed."""

from __future__ import annotations

import html
import os
import random
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connectors.ghl.sandbox import Sandbox, make_app
from connectors.ghl.sandbox.serve import hosted
from flows.rehearse import world as shared
from flows.rehearse.book import SIDES, Book, Ident, Seen
from flows.rehearse.clock import Moving as Clock
from flows.rehearse.clock import moved
from flows.rehearse.findings import Finding
from flows.rehearse.judge import Judge
from flows.rehearse.ledgers import Ledgers
from flows.rehearse.rules import ALLOWED
from flows.rehearse.told import Told
from flows.rehearse.wire import Wire
from tests.soak.app import App, Backup
from tests.soak.cast import Cast
from tests.soak.location import LOCATION, TOKEN, Place
from tests.soak.look import look
from tests.soak.night import Operator
from tests.soak.pairfile import Pair
from tests.soak.values import FIELDS, KNOWN, PIPELINES, RULES
from tests.soak.work import edits, habits

POSTGRES = os.environ.get(
    "GHL_RECONCILE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test"
)
START = 1_790_000_000.0


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """The URL of an empty database: in PostgreSQL, or a file where there is no server."""
    url = sa.make_url(POSTGRES).set(drivername="postgresql+psycopg")
    server = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    name = f"ghl_soak_{uuid.uuid4().hex[:12]}"
    try:
        with server.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET lock_timeout = '3s'")
    except sa.exc.OperationalError:
        yield f"sqlite:///{folder / 'app.db'}"
        return
    try:
        yield url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass
class World(shared.World):
    """Everything there is. `now` is what both sides were seen to hold at the start of the day, or after the last night."""

    folder: Path
    dice: random.Random
    clock: Clock
    cast: Cast
    app: App
    place: Place
    wire: Wire
    pair: Pair
    operator: Operator
    book: Book = field(default_factory=Book)
    day: int = 0
    touched: set[Ident] = field(default_factory=set)
    now: Seen = field(default_factory=lambda: Seen({"app": {}, "ghl": {}}, {"app": {}, "ghl": {}}))
    backups: list[Backup] = field(default_factory=list)
    others: list[Any] = field(default_factory=list)
    poisoned: bool = False
    dropping: bool = False
    ledgers: Ledgers = field(init=False)
    judge: Judge = field(init=False)
    known: shared.Known = KNOWN
    firms: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The numbers of the firms that a side ever had under a key: reports show keys."""

    def __post_init__(self) -> None:
        self.ledgers = Ledgers(self.folder / "state" / "ledger.db", self.folder)
        employer = ("contact", "firm_id")
        rules = {**RULES, employer: replace(RULES[employer], shown=self._shown_firm)}
        self.judge = Judge(self.book, rules)
        self.operator.rules = rules

    def _shown_firm(self, key: Any) -> Collection[str | None]:
        return self.firms.get(str(key), ()) if key else (None,)

    def work(self) -> None:
        if self.day == 2:
            self.settle_in()
        edits(self)

    def backup(self) -> Backup:
        return self.app.backup()

    def habits(self) -> None:
        habits(self)

    def remember(self) -> None:
        super().remember()
        self.others = self.app.others()

    def judged(self, told: Told) -> list[Finding]:
        assert self.app.others() == self.others, "rows of others were touched"
        return super().judged(told)

    def settle_in(self) -> None:
        """After the first night, which linked everything, some pairs read only some of the notes a night."""
        self.pair.notes_budget = self.dice.choice((None, len(self.idents("contact")) // 3))
        if self.pair.notes_budget is not None:
            self.judge.sweep = -(-len(self.idents("contact")) // self.pair.notes_budget)
        self.pair.write()

    @property
    def sandbox(self) -> Sandbox:
        return self.place.sandbox

    def look(self) -> Seen:
        seen = look(self.app, self.place)
        for rows in seen.rows.values():
            for (entity, uid), listed in rows.items():
                for row in listed if entity == "company" else ():
                    self.firms[row.key].add(uid)
        return seen

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(FIELDS)

    def put(self, side: str, ident: Ident, values: Mapping[str, Any]) -> None:
        entity, key = ident[0], self.key(side, ident)
        typed = self._own_keys(side, values)
        if side == "app":
            self.app.edit(entity, key, **_columns(entity, typed))
        else:
            self.place.edit(entity, key, **_screens(entity, typed))

    def enter(self, side: str, entity: str, values: dict[str, Any], of: Ident | None = None) -> str:
        """A person enters a new record; returns its key."""
        self.clock.sleep(self.dice.uniform(1, 90))
        parent = self.key(side, of) if of else None
        typed = self._own_keys(side, values)
        if side == "app":
            owner = {"person_id": int(parent)} if parent else {}
            return self.app.add(entity, **_columns(entity, typed), **owner)
        return self.place.add(entity, parent, **_screens(entity, typed))

    def _own_keys(self, side: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with the side's own key of a firm, which people know by its number."""
        typed = dict(values)
        if typed.get("firm_id") is not None:
            typed["firm_id"] = self.key(side, ("company", typed["firm_id"]))
        return typed

    def remove(self, side: str, ident: Ident) -> None:
        hand = self.app if side == "app" else self.place
        hand.delete(ident[0], self.key(side, ident))

    def give_key(self, ident: Ident) -> None:
        key = self.key("app", ident)
        self.delete("app", ident)
        person = self.cast.person()
        self.app.add("contact", key=int(key), **_columns("contact", person))
        self.book.tell(
            ("contact", person["ref"]), self.day, f"entered in the app under the key of {ident[1]}"
        )

    def put_back(self, kept: Backup) -> None:
        self.app.restore(kept)

    def odd_values(self) -> dict[str, Any]:
        return {"email": self.cast.email_abroad(), "phone": self.cast.junk_phone()}

    def new_person(self) -> dict[str, Any]:
        return self.cast.person(full=self.dice.random() < 0.7)

    def new_value(self, entity: str, ident: Ident, name: str) -> Any:
        """What somebody types over what is there."""
        if entity == "contact":
            return self.cast.value(name)
        if entity == "note":
            return (
                f"{self.cast.note()['body'].partition('#')[0]}{next(self.cast.numbers)} #{ident[1]}"
            )
        if entity == "company":
            made = self.cast.firm()
            names = f"{made['name'].partition('#')[0]}{next(self.cast.numbers)} #{ident[1]}"
            return names if name == "name" else f"{self.cast.value('city')}"
        if entity == "opportunity":
            return self._of_deal(ident, name)
        made = self.cast.task()
        return {
            "title": f"{made['title'].partition('#')[0]}{next(self.cast.numbers)} #{ident[1]}",
            "details": f"see {next(self.cast.numbers)}",
            "status": self.dice.random() < 0.5,
        }.get(name, made.get(name))

    def _of_deal(self, ident: Ident, name: str) -> Any:
        """Another value of a deal; a stage is one of the pipeline in which it is."""
        made = self.cast.deal()
        row = self.now.row("app", ident) or self.now.row("ghl", ident)
        pipeline = row.cells["pipeline"] if row is not None else None
        return {
            "title": f"{made['title'].partition('#')[0]}{next(self.cast.numbers)} #{ident[1]}",
            "stage": self.dice.choice(PIPELINES.get(pipeline or "", ("New",))),
            "amount": next(self.cast.numbers),
        }.get(name, made[name])


def _columns(entity: str, values: dict[str, Any]) -> dict[str, Any]:
    if values.get("no_sms") is not None:
        values = {**values, "no_sms": values["no_sms"] != ALLOWED}
    if values.get("firm_id") is not None:
        values = {**values, "firm_id": int(values["firm_id"])}
    if entity == "task" and "status" in values:
        return {**values, "status": "done" if values["status"] else "open"}
    return values


def _screens(entity: str, values: dict[str, Any]) -> dict[str, Any]:
    """What GHL's screens make of it: rich text, and a custom field that is a text."""
    shown = dict(values)
    for name in ("details", "body"):
        if shown.get(name) is not None:
            shown[name] = f"<p>{html.escape(str(shown[name]))}</p>"
    if "vip" in shown:
        shown["vip"] = "true" if shown["vip"] else "false"
    if "tags" in shown:
        shown["tags"] = shown["tags"] or []
    return shown


@contextmanager
def made(folder: Path, *, seed: int, people: int) -> Iterator[World]:
    """A world on its first morning: most people are on both sides already, some on one."""
    import time

    dice = random.Random(seed)  # noqa: S311 - made-up people, not secrets
    clock = Clock(START - time.time())
    with ExitStack() as held:
        app = App(held.enter_context(database(folder)), clock)
        held.callback(app.close)
        place = Place(clock, seed)
        held.callback(place.close)
        wire = Wire(make_app(place.sandbox))
        url = held.enter_context(hosted(wire))  # type: ignore[arg-type]
        held.enter_context(moved(clock))
        pair = Pair(folder, url, app.url, LOCATION, TOKEN, constant=dice.random() < 0.5)
        operator = Operator(pair.write())
        world = World(folder, dice, clock, Cast(dice), app, place, wire, pair, operator)
        _populate(world, people)
        yield world


def _populate(world: World, people: int) -> None:
    dice = world.dice
    world.app.add_all(
        "contact", [{"kind": "supplier", "last_name": f"Supplier {n}"} for n in range(5)]
    )
    firms = [_firm(world, *dice.choice((SIDES, SIDES, ("app",), ("ghl",)))) for _ in range(6)]
    for _ in range(people):
        person, where = world.cast.person(), dice.choices(("both", "app", "ghl"), (80, 10, 10))[0]
        sides = ("app", "ghl") if where == "both" else (where,)
        tasks = [world.cast.task() for _ in range(dice.choice((0, 1, 1)))]
        notes = [world.cast.note() for _ in range(dice.choice((0, 0, 1)))]
        deals = [world.cast.deal() for _ in range(dice.choice((0, 0, 1)))]
        children = {"task": tasks, "note": notes, "opportunity": deals}
        firm = dice.choice((*firms, *({} for _ in firms)))
        for side in sides:
            employer = {"firm_id": firm[side]} if side in firm else {}
            _seed(world, side, {**person, **employer}, children)
    for _ in range(3):
        world.place.sandbox.seed_task(None, location_id=LOCATION, title="Prepare the fair")
    seen = look(world.app, world.place)
    world.book.compare(world.now, seen, 0, world.clock())
    world.now = seen


def _firm(world: World, *sides: str) -> dict[str, str]:
    """A firm that these sides know; its keys."""
    firm = world.cast.firm()
    return {side: world.enter(side, "company", firm) for side in sides}


def _seed(
    world: World, side: str, person: dict[str, Any], children: Mapping[str, list[Any]]
) -> None:
    if side == "app":
        key = world.app.add("contact", **_columns("contact", person))
        for entity, listed in children.items():
            for one in listed:
                world.app.add(entity, **_columns(entity, one), person_id=int(key))
        return
    key = world.place.add("contact", **_screens("contact", person))
    for entity, listed in children.items():
        for one in listed:
            world.place.add(entity, key, **_screens(entity, one))
