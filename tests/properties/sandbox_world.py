"""A World whose sides are the real connectors: GHL's before a sandbox without a socket, SQL on a file; one clock, and a fuse."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx
import sqlalchemy as sa

from connectors.ghl import GhlConnector, GhlSettings, PrivateToken
from connectors.ghl.sandbox import Limit, Sandbox, Settings
from connectors.ghl.sandbox.gateway import Gateway
from connectors.ghl.shapes import record, shape_of
from connectors.memory import Killed
from connectors.sql import SqlConnector, SqlSettings
from connectors.sql.settings import TableSettings, TagSettings
from flows.clock import moment
from flows.run import Run
from flows.steps import steps
from reconcile.ledger import runs
from reconcile.ledger.ledger import Ledger
from reconcile.model import Cell, Entity, Side
from reconcile.plan.plan import Plan
from reconcile.ports import Json, Record
from reconcile.values.codecs import Bool, Email, Instant, Labels, Name, RichText
from reconcile.values.mapping import Mapping as PairMapping
from reconcile.values.policy import TAGS, Blank, Rule
from reconcile.values.references import Linked
from tests.builders import (
    World,
    companies,
    contacts,
    empty_ledger,
    field_of,
    mapping_of,
    notes,
    tasks,
)

LOCATION, TOKEN = "ve9EPM428h8vShlRW1KT", "pit-machine"
LIMIT = Limit(max=20, window_seconds=10.0, daily=20_000)
RESERVE = 0.1
_CLEARED = Rule(blank=Blank.CLEAR)


def mapping(*, sales: bool = False, firms: bool = False) -> PairMapping:
    """The app's columns and GHL's fields, cleared across, conflicts held, deletes mirrored at once.

    Opportunities, and companies with who works there, if told.
    """
    employer = field_of(
        "firm", Linked(entity=Entity.COMPANY), app=("firm_id",), ghl=("businessId",), rule=_CLEARED
    )
    houses = companies(
        field_of("name", Name(), required=True), field_of("city", rule=_CLEARED), match=(("name",),)
    )
    people = contacts(
        field_of("first_name", Name(), ghl=("firstName",), rule=_CLEARED),
        field_of("last_name", Name(), ghl=("lastName",), rule=_CLEARED),
        field_of("email", Email(), rule=_CLEARED, also={Side.GHL: ("additionalEmails",)}),
        field_of("company", ghl=("companyName",), rule=_CLEARED),
        field_of("tags", Labels(), rule=TAGS),
        *([employer] if firms else []),
        match=(("email",),),
    )
    todos = tasks(
        field_of("title", required=True, rule=_CLEARED),
        field_of("due", Instant(), ghl=("dueDate",), rule=_CLEARED),
        field_of("completed", Bool(), rule=_CLEARED),
    )
    remarks = notes(field_of("body", RichText(), rule=_CLEARED))
    deals = tasks(
        field_of("name", required=True),
        field_of("pipeline"),
        field_of("stage", within="pipeline"),
        field_of("status"),
        match=(("name",),),
    )
    sold = [replace(deals, entity=Entity.OPPORTUNITY)] if sales else []
    return mapping_of(*([houses] if firms else []), people, todos, remarks, *sold)


class Clock:
    """One time for all: seconds since the epoch, moved by hand; as a World's clock it is ISO 8601 and moves a little."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0
        self.ahead = 0.0
        """How far somebody has set the job's clock forward; GHL and people go by the true time."""
        self._lock = threading.Lock()

    def __call__(self) -> str:
        self.advance(0.001)
        return moment(datetime.fromtimestamp(self.now, UTC))

    def seconds(self) -> float:
        return self.now

    def true(self) -> float:
        return self.now - self.ahead

    def step(self, seconds: float) -> None:
        """Set the job's clock: no time passes."""
        with self._lock:
            self.now += seconds
            self.ahead += seconds

    def advance(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


class Fuse:
    """Where a process dies: at the n-th time it comes to a kind of place. From then on nothing is sent or committed."""

    def __init__(self) -> None:
        self._place, self._left = "", 0
        self.blown = False

    def light(self, place: str, at: int) -> None:
        self._place, self._left, self.blown = place, at, False

    def put_out(self) -> bool:
        """Whether it had blown; from here on it never does."""
        blown, self.blown, self._place = self.blown, False, ""
        return blown

    def passing(self, place: str) -> None:
        if not self.blown and place == self._place:
            self._left -= 1
            self.blown = self._left == 0
        if self.blown:
            raise Killed

    def guard(self, engine: sa.Engine, committed: Callable[[], None] = lambda: None) -> None:
        """Watch every commit of an engine."""
        commit = engine.dialect.do_commit

        def do_commit(connection: Any) -> None:
            self.passing("commit:before")
            commit(connection)
            committed()
            self.passing("commit:after")

        engine.dialect.do_commit = do_commit  # type: ignore[method-assign]


class _Line:
    """What the sandbox takes for a connection, and may reset."""

    def get_extra_info(self, _name: str) -> None:
        return None

    def abort(self) -> None:
        return None


class Wire(httpx.BaseTransport):
    """Answers each request in the caller's own thread. A request takes 20 ms; what the sandbox resets gives no answer."""

    def __init__(self, world: SandboxWorld) -> None:
        self._world = world
        self._gateway = Gateway(world.sandbox)
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        writes = request.method != "GET" and not request.url.path.endswith("/search")
        with self._lock:
            if writes or self._world.fuse.blown:
                self._world.fuse.passing("send:before")
            self._world.clock.advance(0.02)
            sent = self._carry(request)
            if writes:
                self._world.ghl_place.note()
                self._world.fuse.passing("send:after")
        if not sent:
            raise httpx.ReadError("the connection was reset", request=request)
        start, body = sent
        return httpx.Response(
            start["status"], headers=start["headers"], content=body["body"], request=request
        )

    def _carry(self, request: httpx.Request) -> list[dict[str, Any]]:
        body, sent = request.read(), []

        async def receive() -> dict[str, Any]:
            return {"body": body}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "method": request.method,
            "path": request.url.path,
            "query_string": request.url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "state": {"transport": _Line()},
        }
        carried = self._gateway(scope, receive, send)  # type: ignore[arg-type]
        try:
            while True:
                carried.send(None)  # it never really waits: nothing here is slow
        except StopIteration:
            return sent


# what is really there -------------------------------------------------------------------------------------------------

History = dict[tuple[Entity, str], list[Record]]


@dataclass
class Place:
    """One side as it really is, and every state that each of its records ever had."""

    past: History = field(default_factory=dict)

    def rows(self, entity: Entity) -> dict[str, Record]:
        raise NotImplementedError

    def note(self) -> None:
        """Keep what is there now."""
        for entity in _TABLES:
            for key, now in self.rows(entity).items():
                known = self.past.setdefault((entity, key), [])
                if not known or known[-1].fields != now.fields:
                    known.append(now)

    def history(self, entity: Entity, key: str) -> list[Record]:
        return self.past.get((entity, key), [])


@dataclass
class GhlPlace(Place):
    """The location, past the lag of its index; people change it in GHL's own screens."""

    sandbox: Sandbox = field(kw_only=True)

    def __post_init__(self) -> None:
        natives = {
            each.entity: each.native(Side.GHL) for each in mapping(sales=True, firms=True).entities
        }
        self._shapes = {entity: shape_of(entity, names, {}) for entity, names in natives.items()}

    def rows(self, entity: Entity) -> dict[str, Record]:
        shown = {
            Entity.COMPANY: self.sandbox.businesses,
            Entity.CONTACT: self.sandbox.contacts,
            Entity.TASK: self.sandbox.tasks,
            Entity.NOTE: self.sandbox.notes,
            Entity.OPPORTUNITY: self.sandbox.opportunities,
        }[entity](LOCATION)
        found = (record(row, self._shapes[entity], parent=row.get("contactId")) for row in shown)
        return {each.key: each for each in found}

    def put(self, entity: Entity, fields: Mapping[str, Json], parent: str | None) -> str:
        given: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
        if entity is Entity.COMPANY:
            key = self.sandbox.seed_business(LOCATION, **given)
        elif entity is Entity.CONTACT:
            key = self.sandbox.seed_contact(LOCATION, **given)
        elif entity is Entity.TASK:
            key = self.sandbox.seed_task(parent, **given)
        elif entity is Entity.NOTE:
            key = self.sandbox.seed_note(parent or "", **given)
        else:
            key = self.sandbox.seed_opportunity(parent or "", **given)
        self.note()
        return key

    def edit(self, entity: Entity, key: str, fields: Mapping[str, Json]) -> None:
        edits = {
            Entity.COMPANY: self.sandbox.edit_business,
            Entity.CONTACT: self.sandbox.edit_contact,
            Entity.TASK: self.sandbox.edit_task,
            Entity.NOTE: self.sandbox.edit_note,
            Entity.OPPORTUNITY: self.sandbox.edit_opportunity,
        }
        edits[entity](key, **fields)
        self.note()

    def delete(self, entity: Entity, key: str) -> None:
        deletes = {
            Entity.COMPANY: self.sandbox.delete_business,
            Entity.CONTACT: self.sandbox.delete_contact,
            Entity.TASK: self.sandbox.delete_task,
            Entity.NOTE: self.sandbox.delete_note,
            Entity.OPPORTUNITY: self.sandbox.delete_opportunity,
        }
        deletes[entity](key)


_APP = sa.MetaData()


def _table(name: str, *columns: sa.Column[Any]) -> sa.Table:
    return sa.Table(
        name,
        _APP,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("updated_at", sa.DateTime),
        *columns,
        sqlite_autoincrement=True,
    )


def _owner() -> sa.Column[Any]:
    return sa.Column("person_id", sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False)


_TABLES = {
    Entity.COMPANY: _table("firms", sa.Column("name", sa.String(200)), sa.Column("city", sa.String(200))),
    Entity.CONTACT: _table(
        "people",
        *(sa.Column(name, sa.String(200)) for name in ("first_name", "last_name", "email", "company")),
        sa.Column("tags", sa.JSON),
        sa.Column("firm_id", sa.ForeignKey("firms.id", ondelete="SET NULL")),
    ),
    Entity.TASK: _table(
        "todos", _owner(), sa.Column("title", sa.String(200)), sa.Column("due", sa.DateTime), sa.Column("completed", sa.Boolean)
    ),
    Entity.NOTE: _table("remarks", _owner(), sa.Column("body", sa.Text)),
    Entity.OPPORTUNITY: _table(
        "deals", _owner(), *(sa.Column(name, sa.String(200)) for name in ("name", "pipeline", "stage", "status"))
    ),
}  # fmt: skip


@dataclass
class AppPlace(Place):
    """The application's database; people change it by its own program."""

    url: str = field(kw_only=True)
    clock: Clock = field(kw_only=True)

    def __post_init__(self) -> None:
        self.engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        sa.event.listen(
            self.engine,
            "connect",
            lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"),
        )
        with self.engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            _APP.create_all(connection)

    def rows(self, entity: Entity) -> dict[str, Record]:
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(_TABLES[entity])).mappings().all()
        return {str(row["id"]): self._record(row) for row in found}

    def _record(self, row: Any) -> Record:
        fields = {
            name: value
            for name, value in row.items()
            if name not in ("id", "updated_at", "person_id")
        }
        if isinstance(due := fields.get("due"), datetime):
            fields["due"] = moment(due.replace(tzinfo=UTC))
        parent = row.get("person_id")
        return Record(
            key=str(row["id"]), fields=fields, parent=None if parent is None else str(parent)
        )

    def put(self, entity: Entity, fields: Mapping[str, Json], parent: str | None) -> str:
        owner = {} if parent is None else {"person_id": int(parent)}
        made = self._do(sa.insert(_TABLES[entity]).values(**self._values(fields), **owner))
        return str(made.inserted_primary_key[0])

    def edit(self, entity: Entity, key: str, fields: Mapping[str, Json]) -> None:
        table = _TABLES[entity]
        self._do(sa.update(table).where(table.c.id == int(key)).values(**self._values(fields)))

    def delete(self, entity: Entity, key: str) -> None:
        table = _TABLES[entity]
        self._do(sa.delete(table).where(table.c.id == int(key)))

    def _values(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        now = datetime.fromisoformat(self.clock()).replace(tzinfo=None)
        due = (
            {"due": datetime.fromisoformat(fields["due"]).replace(tzinfo=None)}
            if "due" in fields
            else {}
        )
        return {**fields, **due, "updated_at": now}

    def _do(self, statement: Any) -> Any:
        with self.engine.begin() as connection:
            done = connection.execute(statement)
        self.note()
        return done


# the world ------------------------------------------------------------------------------------------------------------


@dataclass
class SandboxWorld(World):
    """See the module. `lag` is the index's; `revive` is what a new process finds after one that was killed."""

    lag: float = 0.0
    lock_seconds: int = 10

    def __post_init__(self) -> None:
        self.folder = Path(mkdtemp(prefix="world-"))
        self.clock: Any = Clock()
        self.fuse = Fuse()
        settings = Settings(pit=LIMIT, lag_seconds=self.lag, seed=7)
        self.sandbox = Sandbox(settings, clock=self.clock.true)
        self.sandbox.add_location(LOCATION, allow_duplicate_opportunities=True)
        self.sandbox.seed_pipeline(LOCATION, "Sales", ["New", "Signed"])
        self.sandbox.seed_pipeline(LOCATION, "Care", ["Asked", "New"])
        self.sandbox.add_token(TOKEN, LOCATION)
        self.ghl_place = GhlPlace(sandbox=self.sandbox)
        self.app_place = AppPlace(url=f"sqlite:///{self.folder}/app.db", clock=self.clock)
        self.places: dict[Side, Any] = {Side.APP: self.app_place, Side.GHL: self.ghl_place}
        self._runs = 0
        (self.folder / "ledger.db").write_bytes(empty_ledger())
        self._begin()

    def _begin(self) -> None:
        self.ledger = Ledger(f"sqlite:///{self.folder}/ledger.db", "p")
        self.fuse.guard(self.ledger.engine)
        app = self._app()
        self.fuse.guard(app._engine, self.app_place.note)
        self.sides: dict[Side, Any] = {Side.APP: app, Side.GHL: self._ghl()}

    def _app(self) -> SqlConnector:
        tables = {
            entity: TableSettings(
                table.name,
                parent=None if entity.parent is None else "person_id",
                modified_at="updated_at",
                tags=TagSettings("json", column="tags") if entity is Entity.CONTACT else None,
            )
            for entity, table in _TABLES.items()
            if entity in self.mapping
        }
        fields = {each.entity: each.native(Side.APP) for each in self.mapping.entities}
        return SqlConnector(
            SqlSettings(
                f"sqlite:///{self.folder}/app.db",
                tables,
                fields=fields,
                lock_seconds=self.lock_seconds,
            ),
            clock=self.clock,
            sleep=self.clock.advance,
        )

    def _ghl(self) -> GhlConnector:
        return GhlConnector(
            GhlSettings(
                location=LOCATION,
                fields={each.entity: each.native(Side.GHL) for each in self.mapping.entities},
                lag_seconds=self.lag,
                daily_reserve=RESERVE,
                concurrency=1,
                range_reads=False,
            ),
            auth=PrivateToken(TOKEN),
            clock=self.clock.seconds,
            sleep=self.clock.advance,
            jitter=lambda: 0.5,
            transport=self.wire(),
        )

    def wire(self) -> Wire:
        """What carries the requests."""
        return Wire(self)

    def reopen(self) -> None:
        """A new process: nothing of the former one's memory is left."""
        for connector in self.sides.values():
            connector.close()
        self.ledger.close()
        self._begin()

    def close(self) -> None:
        """Remove everything it kept on disk."""
        for connector in self.sides.values():
            connector.close()
        self.app_place.engine.dispose()
        self.sandbox.close()
        super().close()

    def cells(self, side: Side, entity: Entity = Entity.CONTACT) -> dict[str, dict[str, Cell]]:
        """What records hold, without what only the ledger's links can tell (`employers`)."""
        mapped = self.mapping[entity]
        links = {each.name for each in mapped.fields if isinstance(each.codec, Linked)}
        return {
            key: {
                name: cell
                for name, cell in mapped.decode(row, side).items()
                if cell is not None and name not in links
            }
            for key, row in self.places[side].rows(entity).items()
        }

    def employers(self, side: Side) -> dict[str, str]:
        """The key of each contact's company; of a company that is gone nobody is."""
        there = self.places[side].rows(Entity.COMPANY)
        name = "firm_id" if side is Side.APP else "businessId"
        rows = self.places[side].rows(Entity.CONTACT)
        found = {key: str(row.fields.get(name)) for key, row in rows.items()}
        return {key: firm for key, firm in found.items() if firm in there}

    def look(self, run: Run) -> Plan:
        """As the job does, but one side after the other, so that the same example always goes the same way."""
        runs.start(self.ledger, run.run_id, "nightly", at=self.clock())
        steps.recover(run)
        steps.stage(run, [spool for side in Side for spool in steps._extract_side(run, side)])
        steps.sweep_notes(run)
        steps.link(run)
        steps.diff(run)
        return steps.make_plan(run)
