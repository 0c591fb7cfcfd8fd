"""The demo application as a JSON API over its own database.

It is served in this process, so that the REST connector has one to talk to.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.ghl.sandbox.serve import hosted
from flows.demo.tables import METADATA, PEOPLE, engine_of, now

PAGE = 100
"""The most records of one page."""

Answer = Callable[[sa.Table, Request, Mapping[str, Any]], Response]


@contextmanager
def serve(database: Path) -> Iterator[str]:
    """Serve the demo's SQLite database as a JSON API on loopback.

    Yields its URL and stops at the end.
    """
    engine = engine_of(f"sqlite:///{database}")
    try:
        with hosted(make_app(engine)) as url:
            yield url
    finally:
        engine.dispose()


def make_app(engine: sa.Engine) -> Starlette:
    """`/people`, `/todos`, `/remarks`, `/firms`, `/deals`: lists by offset, and single records.

    Both are read; a record takes POST, PATCH and DELETE.

    Members are named as the columns are. A person who is deleted stays, marked, without what hung
    on them.
    """
    api = _Api(engine)
    return Starlette(
        routes=[
            Route(
                "/{table}",
                _answered({"GET": api.listed, "POST": api.create}),
                methods=["GET", "POST"],
            ),
            Route(
                "/{table}/{key:int}",
                _answered({"GET": api.one, "PATCH": api.change, "DELETE": api.delete}),
                methods=["GET", "PATCH", "DELETE"],
            ),
        ]
    )


def _answered(answers: Mapping[str, Answer]) -> Callable[[Request], Any]:
    from starlette.concurrency import run_in_threadpool

    async def endpoint(request: Request) -> Response:
        table = METADATA.tables.get(request.path_params["table"])
        if table is None:
            return _refused(404, "there is no such collection")
        try:
            members = await request.json() if request.method in ("POST", "PATCH") else {}
            return await run_in_threadpool(
                answers[request.method], table, request, _values(table, members)
            )
        except (ValueError, TypeError, KeyError, sa.exc.IntegrityError) as error:
            return _refused(422, f"these members do not fit ({type(error).__name__})")

    return endpoint


class _Api:
    """The requests, answered from the database."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def listed(self, table: sa.Table, request: Request, _: Mapping[str, Any]) -> Response:
        """A page of a collection in the order of its keys.

        The count of all that were asked for comes with it.
        """
        query = request.query_params
        wanted = [
            table.c[name] == query[name]
            for name in ("email", "person_id")
            if name in query and name in table.c
        ]
        if "updated_since" in query and "updated_at" in table.c:
            wanted.append(table.c.updated_at >= _moment(query["updated_since"]))
        size, start = min(int(query.get("limit", PAGE)), PAGE), int(query.get("offset", 0))
        page = sa.select(table).where(*wanted).order_by(table.c.id).limit(size).offset(start)
        with self._engine.connect() as connection:
            rows = connection.execute(page).mappings().all()
            total = connection.scalar(sa.select(sa.func.count()).select_from(table).where(*wanted))
        return JSONResponse({"items": [_members(row) for row in rows], "total": total})

    def one(self, table: sa.Table, request: Request, _: Mapping[str, Any]) -> Response:
        """One record."""
        with self._engine.connect() as connection:
            return self._shown(connection, table, request.path_params["key"])

    def create(self, table: sa.Table, _: Request, values: Mapping[str, Any]) -> Response:
        """A new record, with its key."""
        with self._engine.begin() as connection:
            key = connection.execute(sa.insert(table).values(**values)).inserted_primary_key or (0,)
            return self._shown(connection, table, key[0], status=201)

    def change(self, table: sa.Table, request: Request, values: Mapping[str, Any]) -> Response:
        """The members that are named change, the others stay."""
        key = request.path_params["key"]
        with self._engine.begin() as connection:
            if values:
                connection.execute(sa.update(table).where(table.c.id == key).values(**values))
            return self._shown(connection, table, key)

    def delete(self, table: sa.Table, request: Request, _: Mapping[str, Any]) -> Response:
        """A person is marked and loses what hangs on them; anything else goes."""
        key = request.path_params["key"]
        with self._engine.begin() as connection:
            if table is not PEOPLE:
                connection.execute(sa.delete(table).where(table.c.id == key))
            else:
                connection.execute(
                    sa.update(PEOPLE).where(PEOPLE.c.id == key).values(deleted_at=now())
                )
                for owned in METADATA.sorted_tables:
                    if "person_id" in owned.c:
                        connection.execute(sa.delete(owned).where(owned.c.person_id == key))
        return Response(status_code=204)

    @staticmethod
    def _shown(
        connection: sa.Connection, table: sa.Table, key: int, *, status: int = 200
    ) -> Response:
        row = connection.execute(sa.select(table).where(table.c.id == key)).mappings().first()
        if row is None:
            return _refused(404, "there is no such record")
        return JSONResponse(_members(row), status)


def _refused(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status)


def _members(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: _shown_as(value) for name, value in row.items()}


def _shown_as(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return f"{value.isoformat(timespec='microseconds')}Z"
    if isinstance(value, dt.date):
        return value.isoformat()
    return value


def _values(table: sa.Table, members: Mapping[str, Any]) -> dict[str, Any]:
    """Members as the columns take them.

    Raises ValueError, TypeError or KeyError for what is none.
    """
    return {name: _taken(table.c[name], value) for name, value in members.items()}


def _taken(column: sa.Column[Any], value: Any) -> Any:
    if value is None:
        return None
    match column.type:
        case sa.DateTime():
            return _moment(value)
        case sa.Date():
            return dt.date.fromisoformat(value)
        case sa.Boolean() if not isinstance(value, bool):
            raise TypeError(f"{column.name} is no truth value")
        case _:
            return value


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return moment
    return moment.astimezone(dt.UTC).replace(tzinfo=None)
