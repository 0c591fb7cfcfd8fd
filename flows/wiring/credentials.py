"""The GHL credentials of a pair that says oauth.

Tokens in its ledger, renewed with the app's own secret or the agency's token.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa
from cryptography.fernet import MultiFernet

from connectors.ghl.auth import OAuth, Tokens
from connectors.ghl.entities import GHL
from connectors.ghl.oauth import Exchange, LocationExchange, OAuthApp
from connectors.ghl.tokens import SqlTokenStore, cipher_from, stored_under
from flows.config.natives import named
from flows.config.pair import Pair
from reconcile.errors import ConfigError, Expired, Problem, WrongLocation

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
    scopes = list(SCOPES)
    for mapped in pair.mapping.entities:
        scopes += GHL[mapped.entity].scopes
    for kind in named(pair.mapping):
        scopes.append(f"{GHL[kind].scope}.readonly")
    if level == "Company":  # to list the agency's locations, and to get a token of each
        scopes += ["oauth.write", "oauth.readonly"]
    return tuple(dict.fromkeys(scopes))


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
    """Where the key of the pair's tokens lies if neither the environment nor a keyring has it."""
    folder = Path(pair.store) if "://" not in pair.store else pair.path.parent
    return key_file_beside(folder, environ)


def key_file_beside(folder: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the key of tokens lies: in the user's own folder of settings.

    Not beside the ledger, whose backup would then hold the tokens and what opens them. One that
    lies there from before, in `folder`, is used on.
    """
    if (folder / KEY_FILE).exists():
        log.warning(
            "the key of the tokens lies beside the ledger", extra={"file": folder / KEY_FILE}
        )
        return folder / KEY_FILE
    home = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or Path.home()) / ".config"
    return Path(home) / "ghl-reconcile" / KEY_FILE


def store_of(
    pair: Pair, engine: sa.Engine, *, environ: Mapping[str, str] = os.environ
) -> SqlTokenStore:
    """Where the pair's own tokens are kept, in the ledger's database: an entry a pair and location.

    Pairs of one ledger may be of several owners: whoever names a location in a pair of his own gets
    nobody's token for it.
    """
    cipher = cipher_from(environ, key_file=key_file_of(pair, environ))
    location = pair.ghl.location
    name = f"pair:{pair.name}/location:{location}"
    return SqlTokenStore(engine, name, cipher=cipher, location=location)


@dataclass(frozen=True, slots=True)
class Agencies:
    """The tokens of the agencies that have one app, in a ledger: an entry an agency.

    It is the TokenStore of a login, which learns only by GHL's answer which agency it is.
    """

    engine: sa.Engine
    client_id: str
    cipher: MultiFernet

    @property
    def _name(self) -> str:
        return f"agency:{self.client_id}"

    def _store(self, name: str) -> SqlTokenStore:
        return SqlTokenStore(self.engine, name, cipher=self.cipher)

    def each(self) -> dict[str, SqlTokenStore]:
        """Where the tokens of each agency are, by its id."""
        stores = {}
        for name in sorted(stored_under(self.engine, self._name)):
            store = self._store(name)
            tokens = store.load()
            if tokens is not None and tokens.company is not None:
                stores[tokens.company] = store
        return stores

    def one(self, company: str | None = None) -> SqlTokenStore | None:
        """Where the tokens of `company` are, or of the only agency there is; None where nowhere.

        Raises ConfigError where there are several, and `company` does not say which.
        """
        stores = self.each()
        if company is not None:
            return stores.get(company)
        if len(stores) > 1:
            what = f"the ledger has this app's tokens of the agencies {', '.join(stores)}"
            remedy = 'write company = "…" in [ghl] oauth: the one that the location is of'
            raise ConfigError([Problem("[ghl] oauth", what, remedy)])
        return next(iter(stores.values()), None)

    def load(self) -> None:
        """Nothing: a login asks for tokens anew."""
        return

    def save(self, tokens: Tokens) -> None:
        """Keep an agency's tokens, in place of earlier ones of the same agency.

        Raises WrongLocation for tokens that are not an agency's.
        """
        if tokens.company is None or tokens.location is not None:
            raise WrongLocation(
                f"GHL gave a token of {tokens.location or 'no agency'}, not an agency's",
                remedy="log in again as somebody of the agency, and choose the agency",
            )
        before = self.each().get(tokens.company or "")
        self._store(f"{self._name}/company:{tokens.company}").save(tokens)
        if before is not None and before.name == self._name:
            before.forget()

    def lock(self) -> AbstractContextManager[None]:
        """Alone among all who log in to this app."""
        return self._store(self._name).lock()


def agencies_of(
    pair: Pair, engine: sa.Engine, *, environ: Mapping[str, str] = os.environ
) -> Agencies:
    """The agencies whose tokens a pair may be given one of."""
    cipher = cipher_from(environ, key_file=key_file_of(pair, environ))
    return Agencies(engine, app_of(pair).client_id, cipher)


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
    agencies = agencies_of(pair, engine).one(pair.ghl.oauth.company)
    agency = agencies.load() if agencies is not None else None
    if agencies is None or agency is None:
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
