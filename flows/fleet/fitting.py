"""Whether the locations have what the pairs name: custom fields by key, users by email."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from connectors.ghl import schema
from connectors.ghl.api import Api
from connectors.ghl.entities import GHL
from connectors.http import Auth
from flows.config import Pair
from flows.config.natives import ASSIGNED, is_custom
from flows.fleet.pairs import Made
from flows.wiring.credentials import auth_of
from flows.wiring.wiring import connect_ghl
from reconcile.entities import RECORDS
from reconcile.errors import ConfigError, ConnectorError, Expired, ReconcileError
from reconcile.ledger.ledger import Ledger
from reconcile.model import Side
from reconcile.values.codecs import Owner

AT_ONCE = 8
"""How many locations are asked side by side: each has a window of requests of its own."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What a location lacks of what its pair names, or why it could not be asked."""

    pair: str
    where: str
    missing: tuple[str, ...] = ()
    error: str = ""

    @property
    def fits(self) -> bool:
        """Whether the pair can run there."""
        return not self.missing and not self.error


def fits(pairs: Sequence[Made]) -> list[Fit]:
    """How each pair fits its location. Two or three requests each, which only read.

    A location that fails says so, and stops no other.
    """
    with ExitStack() as stack:
        ledgers = _ledgers(pairs, stack)
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fit") as pool:
            return list(pool.map(lambda one: _fit(one, ledgers), pairs))


def _ledgers(pairs: Sequence[Made], stack: ExitStack) -> dict[str, sa.Engine]:
    """The ledgers that are there, for the tokens in them. None is made for a mere look."""
    engines = {}
    for url in {one.pair.ledger_url.get_secret_value() for one in pairs if one.pair.ghl.oauth}:
        place = sa.make_url(url)
        if place.get_backend_name() != "sqlite" or Path(place.database or "").exists():
            ledger = Ledger(url, "")
            stack.callback(ledger.close)
            engines[url] = ledger.engine
    return engines


def _fit(one: Made, ledgers: dict[str, sa.Engine]) -> Fit:
    try:
        with ExitStack() as stack:
            auth = _auth(one.pair, ledgers, stack)
            api = stack.enter_context(connect_ghl(one.pair.ghl, auth=auth)).api
            return Fit(one.pair.name, one.row.where, tuple(_missing(one.pair, api)))
    except (ConnectorError, ConfigError, ReconcileError) as failed:
        return Fit(one.pair.name, one.row.where, error=str(failed))


def _auth(pair: Pair, ledgers: dict[str, sa.Engine], stack: ExitStack) -> Auth | None:
    if pair.ghl.oauth is None:
        return None
    engine = ledgers.get(pair.ledger_url.get_secret_value())
    if engine is None:
        raise Expired(
            "there is no token for this location yet",
            remedy="run ghl-reconcile auth login --agency --pair TEMPLATE",
        )
    return auth_of(pair, engine, stack.callback)


def _missing(pair: Pair, api: Api) -> Iterator[str]:
    custom = [entity for entity in RECORDS if GHL[entity].custom and entity in pair.mapping]
    known = {field.key for field in schema.custom_fields(api, *custom)} if custom else set()
    for mapped in pair.mapping.entities:
        natives = {native for field in mapped.fields for native in field.ghl}
        for native in sorted(natives):
            if is_custom(mapped.entity, native) and native not in known:
                yield f"the custom field {native}"
    yield from _strangers(pair, api)


def _strangers(pair: Pair, api: Api) -> Iterator[str]:
    """Users whom the pair names and the location does not have."""
    owned = [
        field
        for mapped in pair.mapping.entities
        for field in mapped.fields
        if isinstance(field.codec, Owner)
    ]
    general = pair.ghl.default_owner
    said = {field.fallback or (general if ASSIGNED in field.ghl else None) for field in owned}
    emails = sorted(email for email in said if email is not None)
    if not emails:
        return
    company = schema.location(api).get("companyId") if api.dialect.version == "v3" else None
    users = schema.users(api, company) or []
    codec = Owner(users={user.id: user.email for user in users})
    for email in emails:
        if (fault := codec.fault(codec.decode([email], Side.APP))) is not None:
            yield f"the user {email}: {fault}"
