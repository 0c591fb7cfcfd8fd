"""The GHL credentials of a pair that says oauth.

Tokens in its ledger, renewed with the app's own secret or the agency's token.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from connectors.ghl.auth import OAuth, Tokens
from connectors.ghl.entities import GHL
from connectors.ghl.oauth import Exchange, LocationExchange, OAuthApp
from connectors.ghl.tokens import SqlTokenStore, cipher_from
from flows.config.natives import named
from flows.config.pair import Pair
from reconcile.errors import ConfigError, Expired, Problem

if TYPE_CHECKING:
    from connectors.http import Auth

log = logging.getLogger("flows.wiring.credentials")

KEY_FILE = "token.key"

Level = Literal["Location", "Company"]

SCOPES = (
    "contacts.readonly",
    "contacts.write",
    "locations.readonly",
    "locations/customFields.readonly",
    "locations/tags.readonly",
    "locations/tasks.readonly",
    "users.readonly",
)
"""The least that a pair needs (docs/ghl.md#authentication)."""


def scopes_of(pair: Pair, level: Level) -> tuple[str, ...]:
    """What an app is asked to grant: the least, and what the mapped kinds need beyond that."""
    kinds = (GHL[each.entity] for each in pair.mapping.entities)
    own = [kind.scope for kind in kinds if kind.listed or kind.apart]
    more = [f"{scope}.{right}" for scope in own for right in ("readonly", "write")]
    more += [f"{GHL[kind].scope}.readonly" for kind in named(pair.mapping)]
    agency = ["oauth.write", "oauth.readonly"] if level == "Company" else []
    return tuple(dict.fromkeys((*SCOPES, *more, *agency)))


def app_of(pair: Pair, *, level: Level = "Location", redirect: str = "") -> OAuthApp:
    """The marketplace app that the pair file names. Raises ConfigError where it names none."""
    form = pair.ghl.oauth
    if form is None:
        what = "[ghl] names no oauth app: it has a private integration token, or none"
        remedy = (
            'write oauth = { client_id = "env:GHL_CLIENT_ID", client_secret = '
            '"env:GHL_CLIENT_SECRET" }'
        )
        raise ConfigError([Problem(pair.path.name, what, remedy)])
    return OAuthApp(
        client_id=form.client_id.get_secret_value(),
        client_secret=form.client_secret.get_secret_value(),
        redirect_uri=redirect,
        scopes=scopes_of(pair, level),
        user_type=level,
        url=pair.ghl.url,
        version=pair.ghl.version,
    )


def key_file_of(pair: Pair, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the key of the tokens lies if neither the environment nor a keyring has it.

    In the user's own folder of settings.

    Not beside the ledger, whose backup would then hold the tokens and what opens them. One that
    lies there from before is used on.
    """
    folder = Path(pair.store) if "://" not in pair.store else pair.path.parent
    if (folder / KEY_FILE).exists():
        log.warning(
            "the key of the tokens lies beside the ledger", extra={"file": folder / KEY_FILE}
        )
        return folder / KEY_FILE
    home = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or Path.home()) / ".config"
    return Path(home) / "ghl-reconcile" / KEY_FILE


def store_of(
    pair: Pair,
    engine: sa.Engine,
    *,
    level: Level = "Location",
    environ: Mapping[str, str] = os.environ,
) -> SqlTokenStore:
    """Where the pair's tokens are kept, in the ledger's database.

    There is one entry a pair and location, and one an agency's app.

    Pairs of one ledger may be of several owners: whoever names a location in a pair of his own gets
    nobody's token for it.
    """
    cipher = cipher_from(environ, key_file=key_file_of(pair, environ))
    if level == "Company":
        return SqlTokenStore(engine, f"agency:{app_of(pair).client_id}", cipher=cipher)
    location = pair.ghl.location
    name = f"pair:{pair.name}/location:{location}"
    return SqlTokenStore(engine, name, cipher=cipher, location=location)


def auth_of(
    pair: Pair, engine: sa.Engine, hold: Callable[[Callable[[], object]], object]
) -> Auth | None:
    """What signs the pair's requests; None where its own token does.

    `hold` is given what to close at the end.

    A location's own refresh token comes first; without one, the agency's token is exchanged for the
    location's (docs/ghl.md#authentication). Raises Expired where neither was ever stored.
    """
    if pair.ghl.oauth is None:
        return None
    store = store_of(pair, engine)
    own = store.load()
    if own is not None and own.refresh:
        renewal = Exchange(app_of(pair))
        hold(renewal.close)
        return OAuth(store, renewal)
    agencies = store_of(pair, engine, level="Company")
    agency = agencies.load()
    if agency is None or agency.company is None:
        raise Expired(
            "there is no token for this location yet", remedy="run ghl-reconcile auth login"
        )
    return OAuth(store, _through(pair, agencies, agency, hold))


def _through(
    pair: Pair, store: SqlTokenStore, agency: Tokens, hold: Callable[[Callable[[], object]], object]
) -> LocationExchange:
    renewal = Exchange(app_of(pair, level="Company"))
    company = OAuth(store, renewal)
    exchange = LocationExchange(
        app_of(pair), agency=company, company=str(agency.company), location=pair.ghl.location
    )
    hold(renewal.close)
    hold(exchange.close)
    return exchange
