"""From a pair to its two connectors: the only place that names connector classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from connectors.ending import Ending
from flows.clock import MACHINE, clock, now
from flows.config.derive import settings_of
from flows.config.pair import DEMO, SANDBOX, Pair
from flows.config.part import revealed
from flows.config.sides import (
    FilesForm,
    GhlForm,
    MemoryForm,
    OutsideForm,
    RestForm,
    SqlForm,
)
from reconcile.entities import RECORDS
from reconcile.errors import ConfigError, Expired, Problem
from reconcile.model import Entity, Side
from reconcile.ports import Connector
from reconcile.values.references import CompanyName

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from connectors.ghl import Budget, GhlConnector, GhlSettings
    from connectors.ghl.sandbox import Sandbox
    from connectors.http import Auth

GROUP = "ghl_reconcile.connectors"
"""The entry points of connectors from outside.

Each names a callable (settings, fields) -> Connector for the app's side.
"""

SANDBOX_TOKEN = "sandbox"  # noqa: S105 - opens nothing but the sandbox in this process
"""The token that a sandbox pair uses where it names none."""

Fields = Mapping[Entity, tuple[str, ...]]
"""The native fields that the mapping uses, by entity."""


@contextmanager
def connect(
    pair: Pair,
    *,
    auth: Auth | None = None,
    budget: Budget | None = None,
    engine: Engine | None = None,
    ending: Ending | None = None,
) -> Iterator[Mapping[Side, Connector]]:
    """Both connectors of a pair, closed at the end.

    A sandbox, and the demo's JSON API, are served for as long.

    `engine` is the ledger's: a pair that says oauth has its tokens there, and each location's
    window of requests is kept there, for workers that share a ledger server and for the next run.
    `auth` and `budget` take their place. Once `ending` says so, neither side is asked or waited for
    any more. Nothing is asked of either side yet. Raises ConnectorError where a side cannot even be
    opened.
    """
    with ExitStack() as stack:
        if engine is not None:
            auth = auth or _auth(pair, engine, stack)
            budget = budget or _window(pair, engine, stack)
        app = _app(pair, stack, ending or Ending())
        stack.callback(app.close)
        ghl = _ghl(
            pair.ghl,
            stack,
            fields=_fields(pair, Side.GHL),
            company_names=_by_company_name(pair),
            auth=auth,
            budget=budget,
            ending=ending,
        )
        stack.callback(ghl.close)
        yield {Side.APP: app, Side.GHL: ghl}


def _auth(pair: Pair, engine: Engine, stack: ExitStack) -> Auth | None:
    if pair.ghl.oauth is None:
        return None
    from flows.wiring.credentials import auth_of

    return auth_of(pair, engine, stack.callback)


def _window(pair: Pair, engine: Engine, stack: ExitStack) -> Budget:
    """The location's window of requests, shared where the ledger is on a server.

    Where the ledger is a file, which one process has, it goes from run to run.
    """
    from connectors.shared import CarriedBudget, SharedBudget

    name = f"{pair.ghl.url} {pair.ghl.location}"[:200]
    if engine.dialect.name != "sqlite":
        return SharedBudget(engine, name)
    carried = CarriedBudget(engine, name)
    stack.callback(carried.save)
    return carried


@contextmanager
def connect_ghl(form: GhlForm, *, auth: Auth | None = None) -> Iterator[GhlConnector]:
    """The GHL side alone, with all its fields: for what is asked beside or before a pair."""
    with ExitStack() as stack:
        connector = _ghl(form, stack, fields={}, auth=auth, budget=None)
        stack.callback(connector.close)
        yield connector


def _fields(pair: Pair, side: Side) -> Fields:
    return {entity.entity: entity.native(side) for entity in pair.mapping.entities}


def _by_company_name(pair: Pair) -> bool:
    """Whether a value names a company as the location does."""
    codecs = [field.codec for entity in pair.mapping.entities for field in entity.fields]
    return any(isinstance(codec, CompanyName) for codec in codecs)


def _app(pair: Pair, stack: ExitStack, ending: Ending) -> Connector:
    fields = _fields(pair, Side.APP)
    match pair.app:
        case SqlForm() as form:
            return _sql(form, fields, pair.timezone, ending)
        case RestForm() as form:
            return _rest(form, fields, stack, pair.timezone, ending)
        case FilesForm() as form:
            return _files(form, fields, pair, ending)
        case MemoryForm():
            from connectors.memory import MemoryConnector

            return MemoryConnector(Side.APP)
        case OutsideForm() as form:
            return _outside(form, fields)
        case other:
            assert_never(other)


def _sql(form: SqlForm, fields: Fields, timezone: str, ending: Ending) -> Connector:
    from connectors.sql import SqlConnector, SqlSettings
    from flows.wiring.tables import table_of

    tables = {entity: table_of(table) for entity, table in _declared(form).items()}
    url = form.url.get_secret_value()
    settings = SqlSettings(
        url,
        tables,
        fields=fields,
        batch=form.batch,
        timezone=timezone,
        lock_seconds=form.lock_seconds,
    )
    return SqlConnector(settings, ending=ending, clock=now)


def _rest(
    form: RestForm, fields: Fields, stack: ExitStack, timezone: str, ending: Ending
) -> Connector:
    from connectors.rest import RestConnector
    from connectors.rest.settings import EndpointSettings, RestSettings

    entities = {
        entity: settings_of(endpoint, EndpointSettings)
        for entity, endpoint in _declared(form).items()
    }
    settings = settings_of(form, RestSettings, entities=entities, fields=fields)
    if not settings.url.startswith(DEMO):
        return RestConnector(settings, timezone=timezone, ending=ending, clock=now)
    from flows.demo.api import serve

    url = stack.enter_context(serve(Path(settings.url.removeprefix(DEMO))))
    settings, identity = replace(settings, url=url), f"rest:{settings.url}"
    return RestConnector(settings, identity=identity, timezone=timezone, ending=ending, clock=now)


def _files(form: FilesForm, fields: Fields, pair: Pair, ending: Ending) -> Connector:
    from connectors.files import FilesConnector
    from connectors.files.settings import FileSettings, FilesSettings

    entities = {entity: settings_of(file, FileSettings) for entity, file in _declared(form).items()}
    more = {"format": form.connector, "folder": pair.path.parent, "timezone": pair.timezone}
    return FilesConnector(
        settings_of(form, FilesSettings, entities=entities, fields=fields, **more),
        sleep=ending.sleep,
        clock=now,
    )


def _declared(form: SqlForm | RestForm | FilesForm) -> dict[Entity, Any]:
    """What the pair file says of where each entity is, of those that it names."""
    declared = {entity: getattr(form, entity.value) for entity in RECORDS}
    return {entity: where for entity, where in declared.items() if where is not None}


def _outside(form: OutsideForm, fields: Fields) -> Connector:
    (point,) = entry_points(group=GROUP, name=form.connector)
    settings = revealed(form.model_dump(exclude={"connector"}))
    connector = point.load()(settings, fields)
    if not isinstance(connector, Connector):
        raise TypeError(f"the entry point {point.value} does not make a reconcile.ports.Connector")
    return connector


def _ghl(
    form: GhlForm,
    stack: ExitStack,
    *,
    fields: Fields,
    auth: Auth | None,
    budget: Budget | None,
    company_names: bool = False,
    ending: Ending | None = None,
) -> GhlConnector:
    from connectors.ghl import GhlConnector, GhlSettings, PrivateToken

    url = _served(form, stack) if form.url.startswith(SANDBOX) else form.url
    if auth is None and form.oauth is not None:
        raise Expired(
            "there is no token for this location yet", remedy="run ghl-reconcile auth login"
        )
    chosen = auth or PrivateToken(_token(form))
    settings: GhlSettings = settings_of(
        form, GhlSettings, url=url, fields=fields, company_names=company_names
    )
    if clock() is MACHINE:
        return GhlConnector(settings, auth=chosen, budget=budget, ending=ending)
    seconds, sleep = clock().seconds, clock().sleep
    return GhlConnector(
        settings, auth=chosen, budget=budget, ending=ending, clock=seconds, sleep=sleep
    )


def _served(form: GhlForm, stack: ExitStack) -> str:
    """The URL of a pair's own sandbox, served from its file on loopback until the end.

    Settings may lie beside the file. A new sandbox gets the location that the pair names. Raises
    ConfigError where it has others alone.
    """
    from connectors.ghl.sandbox import Sandbox, Settings, serve

    path = Path(form.url.removeprefix(SANDBOX))
    beside = path.with_suffix(".toml")
    settings = Settings()
    if beside.exists():
        settings = Settings.load(beside)
    sandbox = Sandbox(settings, path=path)
    stack.callback(sandbox.close)
    _locate(sandbox, form.location, path)
    sandbox.add_token(_token(form), form.location)
    return stack.enter_context(serve(sandbox))


def _locate(sandbox: Sandbox, location: str, path: Path) -> None:
    """See that a sandbox has the location that is asked for."""
    known = sandbox.locations
    if not known:
        sandbox.add_location(location)
    elif location not in known:
        what = f"the sandbox in {path} has no location {location!r}"
        remedy = f"Name one that it has: {', '.join(known)}. A file that is not there yet gets it."
        raise ConfigError([Problem("location", what, remedy)])


def _token(form: GhlForm) -> str:
    if form.token:
        return form.token.get_secret_value()
    return SANDBOX_TOKEN
