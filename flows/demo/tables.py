"""The demo application's own tables, in any database that SQLAlchemy reaches."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from connectors.sql.engine import database_url
from reconcile.errors import ConfigError, Problem

MARK = "made by ghl-reconcile demo"
"""The comment on the demo's tables in a database server: none without it is ever dropped."""

METADATA = sa.MetaData()
_MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def now() -> datetime:
    """The present moment as the tables keep it: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def _table(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(
        name,
        METADATA,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        *columns,
        comment=MARK,
        mysql_charset="utf8mb4",
        # Without it SQLite gives the key of the last row, once deleted, to the next one: another
        # record under an old key.
        sqlite_autoincrement=True,
    )


def _owner() -> sa.Column[int]:
    return sa.Column(
        "person_id", sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True
    )


def _updated_at() -> sa.Column[datetime]:
    return sa.Column("updated_at", _MOMENT, nullable=False, default=now, onupdate=now)


FIRMS = _table(
    "firms",
    sa.Column("name", sa.String(120), nullable=False),
    sa.Column("city", sa.String(80)),
    _updated_at(),
)
PEOPLE = _table(
    "people",
    sa.Column("first_name", sa.String(80)),
    sa.Column("last_name", sa.String(80)),
    sa.Column("email", sa.String(254), index=True),
    sa.Column("phone", sa.String(40)),
    sa.Column("company", sa.String(120)),
    sa.Column("firm_id", sa.ForeignKey("firms.id"), index=True),
    sa.Column("street", sa.String(200)),
    sa.Column("city", sa.String(80)),
    sa.Column("state", sa.String(40)),
    sa.Column("postal_code", sa.String(20)),
    sa.Column("country", sa.String(2), nullable=False, server_default="US"),
    sa.Column("birth_date", sa.Date),
    sa.Column("source", sa.String(80)),
    sa.Column("vip", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("no_sms", sa.Boolean),
    sa.Column("tags", sa.JSON(none_as_null=True)),
    _updated_at(),
    sa.Column("deleted_at", _MOMENT),
)
TODOS = _table(
    "todos",
    _owner(),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("details", sa.Text),
    sa.Column("due_at", _MOMENT, nullable=False),
    sa.Column("status", sa.String(10), nullable=False, server_default="open"),
    _updated_at(),
    sa.CheckConstraint("status IN ('open', 'waiting', 'done')", name="todo_status"),
)
REMARKS = _table(
    "remarks",
    _owner(),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column(
        "created_at", sa.DateTime, nullable=False, server_default=sa.func.current_timestamp()
    ),
)
DEALS = _table(
    "deals",
    _owner(),
    sa.Column("title", sa.String(200), nullable=False),
    sa.Column("pipeline", sa.String(80), nullable=False),
    sa.Column("stage", sa.String(80), nullable=False),
    sa.Column("status", sa.String(10), nullable=False, server_default="open"),
    sa.Column("amount", sa.Integer),
    _updated_at(),
)

# Whoever edits the demo's file by hand, with the sqlite3 shell for example, need not think of
# updated_at.
_TOUCH = """
CREATE TRIGGER {table}_touched AFTER UPDATE ON {table} FOR EACH ROW \
WHEN NEW.updated_at IS OLD.updated_at BEGIN
    UPDATE {table} SET updated_at = strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now') WHERE id = NEW.id;
END
"""
for _touched in (FIRMS, PEOPLE, TODOS, DEALS):
    _sql = _TOUCH.format(table=_touched.name)
    _trigger = sa.DDL(_sql).execute_if(dialect="sqlite")  # type: ignore[no-untyped-call]
    sa.event.listen(_touched, "after_create", _trigger)


def engine_of(url: str) -> sa.Engine:
    """An engine for a database URL, with the driver that it names.

    Where it names none, it is the one that the connector would take.
    """
    # The connector refuses an SQLite file that is not there; the demo is about to make it.
    return sa.create_engine(
        url if url.startswith("sqlite") else database_url(url),
        poolclass=sa.NullPool,
        hide_parameters=True,
    )


def recreate(engine: sa.Engine) -> None:
    """Make the tables anew.

    Raises ConfigError where one of these names belongs to somebody else.
    """
    inspector = sa.inspect(engine)
    for table in METADATA.sorted_tables:
        if inspector.has_table(table.name) and not _ours(inspector, table.name):
            what = f"the database has a table {table.name!r} that the demo did not make"
            raise ConfigError(
                [Problem("app url", what, "give the demo an empty database of its own")]
            )
    METADATA.drop_all(engine)
    METADATA.create_all(engine)


def _ours(inspector: sa.Inspector, table: str) -> bool:
    try:
        return inspector.get_table_comment(table)["text"] == MARK
    except NotImplementedError:
        return False
