"""An application that keeps a contact in many tables: details, names and values, shared emails behind a link, a company."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from connectors.contract import Can, Rig
from connectors.memory import Ticks
from connectors.sql import (
    Copy,
    JoinSettings,
    LinkSettings,
    SqlConnector,
    SqlSettings,
    TableSettings,
    TagSettings,
)
from connectors.sql.engine import database_url
from reconcile.model import Entity
from reconcile.ports import Json

CONTACT = TableSettings(
    "people",
    modified_at="updated",
    fixed={"tenant": "7"},
    on_create={"kind": "person", "made": "now"},
    tags=TagSettings(
        "table",
        table="taggings",
        contact="taggable",
        tag="tag",
        names="labels",
        fixed={"taggable_type": "Person"},
        names_fixed={"scope": "people"},
        names_on_create={"made": "now"},
    ),
    joins={
        "details": JoinSettings("details", on={"person": "id"}, on_create={"made": "now"}),
        "meta": JoinSettings(
            "meta",
            on={"person": "id"},
            name="name",
            value="value",
            first="number",
            on_create={"role": "customer"},
        ),
        "mail": JoinSettings(
            "emails",
            via=LinkSettings(
                "email_links",
                on={"person": "id"},
                to={"email": "id"},
                fixed={"of": "People", "main": "1", "gone": "0"},
                on_create={"made": "now"},
                on_unlink={"gone": "1"},
            ),
            find="address",
            create=True,
            on_create={"upper": Copy("address", "upper")},
        ),
        "company": JoinSettings("companies", on={"id": "company"}, find="name"),
    },
)
TASK = TableSettings(
    "calls",
    parent="of.person",
    modified_at="updated",
    joins={"of": JoinSettings("call_people", on={"call": "id"}, fixed={"gone": "0"})},
)
NOTE = TableSettings(
    "remarks",
    parent="about_id",
    modified_at="updated",
    fixed={"about": "People"},
    on_create={"made": "now"},
)
TEXTS = ("details.first_name", "meta.first_name", "mail.address", "own_name")


@dataclass(slots=True)
class JoinedApp:
    """Its database, and what its users do to it. `text` is where the contract's text field of a contact is."""

    url: str
    text: str
    clock: Ticks = field(default_factory=Ticks)
    engine: sa.Engine = field(init=False)
    metadata: sa.MetaData = field(init=False, default_factory=sa.MetaData)

    def __post_init__(self) -> None:
        self.engine = sa.create_engine(database_url(self.url), poolclass=sa.NullPool)
        tables(self.metadata)
        self.metadata.create_all(self.engine)

    def empty(self) -> None:
        """Forget every row, but for what others than our contacts have."""
        with self.engine.begin() as connection:
            for table in reversed(self.metadata.sorted_tables):
                connection.execute(sa.delete(table))
            others(connection, self.metadata)

    def settings(self, **changes: Any) -> SqlSettings:
        fields = {
            Entity.CONTACT: (
                "own_name",
                "tags",
                "company.name",
                "details.first_name",
                "details.visits",
                "details.birthday",
                "details.balance",
                "meta.first_name",
                "meta.phone",
                "mail.address",
            ),
            Entity.TASK: ("title", "done"),
            Entity.NOTE: ("body",),
        }
        entities = {Entity.CONTACT: CONTACT, Entity.TASK: TASK, Entity.NOTE: NOTE}
        return SqlSettings(**{"url": self.url, "entities": entities, "fields": fields, **changes})

    def rig(self) -> Rig:
        return Rig(
            connector=SqlConnector(self.settings(), clock=self.clock),
            sample=self.sample,
            text={Entity.CONTACT: self.text, Entity.TASK: "title", Entity.NOTE: "body"},
            seed=self.seed,
            edit=self.edit,
            remove=self.remove,
            can=frozenset(Can) - {Can.ARCHIVE, Can.VERSIONS},
            bad={Entity.CONTACT: {"details.visits": "not a number"}},
            volatile=frozenset({"updated"}),
            completed={"done": True},
        )

    def sample(self, entity: Entity, number: int) -> dict[str, Json]:
        match entity:
            case Entity.CONTACT:
                return {
                    "own_name": f"Ann{number}",
                    "details.first_name": f"Ann{number}",
                    "details.visits": number,
                    "details.birthday": "1990-02-03",
                    "details.balance": "12.50",
                    "meta.first_name": f"Meta{number}",
                    "mail.address": f"ann{number}@example.test",
                    "company.name": "Acme",
                    "tags": ["a", "b c"],
                }
            case Entity.TASK:
                return {"title": f"call {number}", "done": False}
            case _:
                return {"body": f"note {number}"}

    # What its users do.

    def table(self, name: str) -> sa.Table:
        return self.metadata.tables[name]

    def seed(self, entity: Entity, fields: Mapping[str, Json], parent: str | None) -> str:
        with self.engine.begin() as connection:
            match entity:
                case Entity.CONTACT:
                    return self._person(connection, fields)
                case Entity.TASK:
                    call = self._add(connection, "calls", **fields, updated=self._now())
                    self._add(connection, "call_people", call=call, person=int(parent or 0), gone=0)
                    return str(call)
                case _:
                    about = {"about": "People", "about_id": int(parent or 0)}
                    now = self._now()
                    return str(
                        self._add(connection, "remarks", **fields, **about, updated=now, made=now)
                    )

    def _person(self, connection: sa.Connection, fields: Mapping[str, Json]) -> str:
        name = fields.get("own_name")
        key = self._add(
            connection,
            "people",
            own_name=name,
            kind="person",
            tenant=7,
            made=self._now(),
            updated=self._now(),
        )
        self._put(connection, key, fields)
        for tag in fields.get("tags") or []:  # type: ignore[union-attr]
            label = self._known(
                connection, "labels", "name", str(tag), scope="people", made=self._now()
            )
            self._add(connection, "taggings", taggable=key, taggable_type="Person", tag=label)
        return str(key)

    def edit(self, entity: Entity, key: str, fields: Mapping[str, Json]) -> None:
        own = {name: value for name, value in fields.items() if "." not in name}
        name = {Entity.CONTACT: "people", Entity.TASK: "calls", Entity.NOTE: "remarks"}[entity]
        with self.engine.begin() as connection:
            table = self.table(name)
            connection.execute(
                sa.update(table).where(table.c.id == int(key)).values(**own, updated=self._now())
            )
            self._put(connection, int(key), {n: v for n, v in fields.items() if "." in n})

    def _put(self, connection: sa.Connection, key: int, fields: Mapping[str, Json]) -> None:
        details = {
            n.removeprefix("details."): v for n, v in fields.items() if n.startswith("details.")
        }
        if details:
            self._details(connection, key, details)
        meta = self.table("meta")
        for native, value in fields.items():
            join, _, part = native.partition(".")
            if join == "meta":
                connection.execute(sa.delete(meta).where(meta.c.person == key, meta.c.name == part))
                self._add(connection, "meta", person=key, name=part, value=value)
            elif join == "mail":
                self._mail(connection, key, str(value))
            elif join == "company":
                company = self._known(connection, "companies", "name", str(value))
                people = self.table("people")
                connection.execute(
                    sa.update(people).where(people.c.id == key).values(company=company)
                )

    def _details(self, connection: sa.Connection, key: int, values: dict[str, Any]) -> None:
        from datetime import date
        from decimal import Decimal

        if isinstance(values.get("birthday"), str):
            values["birthday"] = date.fromisoformat(values["birthday"])
        if isinstance(values.get("balance"), str):
            values["balance"] = Decimal(values["balance"])
        table = self.table("details")
        done = connection.execute(sa.update(table).where(table.c.person == key).values(values))
        if not done.rowcount:
            self._add(connection, "details", person=key, made=self._now(), **values)

    def _mail(self, connection: sa.Connection, key: int, address: str) -> None:
        links = self.table("email_links")
        connection.execute(
            sa.update(links).where(links.c.person == key, links.c.of == "People").values(gone=1)
        )
        email = self._known(
            connection,
            "emails",
            "address",
            address,
            id=f"mail-{address}"[:36],
            upper=address.upper(),
        )
        number = connection.execute(sa.select(sa.func.count()).select_from(links)).scalar_one()
        self._add(
            connection,
            "email_links",
            id=f"link-{number}",
            person=key,
            email=email,
            of="People",
            main=1,
            gone=0,
            made=self._now(),
        )

    def remove(self, entity: Entity, key: str) -> None:
        name = {Entity.CONTACT: "people", Entity.TASK: "calls", Entity.NOTE: "remarks"}[entity]
        with self.engine.begin() as connection:
            for beside, column in (
                ("details", "person"),
                ("meta", "person"),
                ("call_people", "call"),
            ):
                table = self.table(beside)
                if (beside == "call_people") == (entity is Entity.TASK):
                    connection.execute(sa.delete(table).where(table.c[column] == int(key)))
            table = self.table(name)
            connection.execute(sa.delete(table).where(table.c.id == int(key)))

    def _now(self) -> Any:
        from datetime import UTC, datetime

        return datetime.fromisoformat(self.clock()).astimezone(UTC).replace(tzinfo=None)

    def _add(self, connection: sa.Connection, table: str, **values: Any) -> Any:
        made = connection.execute(sa.insert(self.table(table)).values(values)).inserted_primary_key
        return (made or (None,))[0]

    def _known(
        self, connection: sa.Connection, table: str, column: str, value: str, **more: Any
    ) -> Any:
        found = self.table(table)
        same = [
            found.c[column] == value,
            *(found.c[n] == v for n, v in more.items() if n == "scope"),
        ]
        key = connection.execute(sa.select(found.c.id).where(*same)).scalar()
        return key if key is not None else self._add(connection, table, **{column: value}, **more)


def tables(metadata: sa.MetaData) -> None:
    """The application's tables, with what its own code always fills in marked NOT NULL."""

    def table(name: str, *columns: sa.Column[Any]) -> None:
        sa.Table(name, metadata, *columns)

    def number(name: str, **options: Any) -> sa.Column[Any]:
        return sa.Column(name, sa.Integer, **options)

    def text(name: str, size: int = 120, **options: Any) -> sa.Column[Any]:
        return sa.Column(name, sa.String(size), **options)

    def of(name: str, target: str) -> sa.Column[Any]:
        return sa.Column(name, sa.Integer, sa.ForeignKey(target), nullable=False)

    made = ("made", sa.DateTime)
    table("companies", number("id", primary_key=True), text("name", 80))
    table(
        "people",
        number("id", primary_key=True),
        text("own_name"),
        text("kind", 20, nullable=False),
        number("tenant", nullable=False),
        sa.Column("company", sa.Integer, sa.ForeignKey("companies.id")),
        sa.Column(*made, nullable=False),
        sa.Column("updated", sa.DateTime),
    )
    table(
        "details",
        number("id", primary_key=True),
        sa.Column("person", sa.Integer, sa.ForeignKey("people.id"), nullable=False, unique=True),
        text("first_name"),
        number("visits"),
        sa.Column("birthday", sa.Date),
        sa.Column("balance", sa.Numeric(12, 2)),
        sa.Column(*made, nullable=False),
    )
    table(
        "meta",
        number("number", primary_key=True),
        number("person", nullable=False),
        text("name", 60),
        sa.Column("value", sa.Text),
    )
    table(
        "emails", text("id", 36, primary_key=True), text("address"), text("upper", nullable=False)
    )
    table(
        "email_links",
        text("id", 36, primary_key=True),
        number("person", nullable=False),
        sa.Column("email", sa.String(36), sa.ForeignKey("emails.id"), nullable=False),
        text("of", 20, nullable=False),
        number("main", nullable=False),
        number("gone", nullable=False),
        sa.Column(*made, nullable=False),
    )
    table(
        "labels",
        number("id", primary_key=True),
        text("name", 80),
        text("scope", 20, nullable=False),
        sa.Column(*made, nullable=False),
    )
    table(
        "taggings",
        number("id", primary_key=True),
        number("taggable", nullable=False),
        text("taggable_type", 20, nullable=False),
        of("tag", "labels.id"),
    )
    table(
        "calls",
        number("id", primary_key=True),
        text("title", 200),
        sa.Column("done", sa.Boolean),
        sa.Column("updated", sa.DateTime),
    )
    table(
        "call_people",
        number("id", primary_key=True),
        of("call", "calls.id"),
        number("person", nullable=False),
        number("gone", nullable=False),
    )
    table(
        "remarks",
        number("id", primary_key=True),
        sa.Column("body", sa.Text),
        text("about", 20, nullable=False),
        number("about_id", nullable=False),
        sa.Column(*made, nullable=False),
        sa.Column("updated", sa.DateTime),
    )


OTHERS = (
    "companies",
    "people",
    "details",
    "meta",
    "emails",
    "email_links",
    "labels",
    "taggings",
    "remarks",
)
"""The tables of `others`."""


def others(connection: sa.Connection, metadata: sa.MetaData) -> None:
    """Rows that are not ours, however near they lie: another tenant's person, a lead's link, another kind's tag and remark."""
    from datetime import datetime

    made = datetime(2020, 1, 1)  # noqa: DTZ001  the columns have no zone
    rows: Mapping[str, list[dict[str, Any]]] = {
        "companies": [{"id": 1, "name": "Acme"}, {"id": 2, "name": "Beta"}],
        "people": [
            {"id": 1, "own_name": "Other", "kind": "person", "tenant": 8, "made": made},
        ],
        "details": [{"id": 1, "person": 1, "first_name": "Other", "made": made}],
        "meta": [{"number": 1, "person": 1, "name": "first_name", "value": "Other"}],
        "emails": [{"id": "e1", "address": "ann1@example.test", "upper": "ANN1@EXAMPLE.TEST"}],
        "email_links": [
            {
                "id": "l1",
                "person": 2,
                "email": "e1",
                "of": "Leads",
                "main": 1,
                "gone": 0,
                "made": made,
            },
        ],
        "labels": [{"id": 1, "name": "vip", "scope": "orders", "made": made}],
        "taggings": [{"id": 1, "taggable": 2, "taggable_type": "Order", "tag": 1}],
        "remarks": [
            {"id": 1, "body": "of an order", "about": "Orders", "about_id": 2, "made": made}
        ],
    }
    for name, listed in rows.items():
        connection.execute(sa.insert(metadata.tables[name]), listed)
    if connection.dialect.name == "postgresql":
        for name in rows:
            with contextlib.suppress(StopIteration):
                key = next(
                    c.name
                    for c in metadata.tables[name].primary_key
                    if isinstance(c.type, sa.Integer)
                )
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{name}', '{key}'), 1000)"
                )


def strangers(app: JoinedApp) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of `others`, as they are now."""
    keys = {"email_links": "l1", "emails": "e1"}
    with app.engine.connect() as connection:
        found = {}
        for name in OTHERS:
            table = app.table(name)
            key = next(iter(table.primary_key))
            is_it = key == keys.get(name, 1)
            found[name] = [tuple(r) for r in connection.execute(sa.select(table).where(is_it))]
        return found
