"""auth login, status and logout: the commands that get, show and remove a pair's tokens."""

from __future__ import annotations

import time
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from connectors.ghl.auth import Tokens, TokenStore
from connectors.ghl.login import Callback
from connectors.ghl.login import login as log_in
from connectors.ghl.oauth import Exchange, OAuthApp
from connectors.ghl.tokens import SqlTokenStore
from flows.commands.options import Json, PairFile, Port
from flows.commands.printed import print_json
from flows.config import Pair, load
from flows.fleet.agency import agency_app
from flows.terminal import Console
from flows.wiring.credentials import Agencies, app_of, store_of
from reconcile.ledger.ledger import Ledger

auth = App(name="auth", help="Get, show and remove the tokens of a pair that says oauth.")

Agency = Annotated[
    bool, Parameter(negative="", help="the agency's token, which serves all its locations")
]


@contextmanager
def _store(path: Path) -> Iterator[tuple[Pair, SqlTokenStore]]:
    pair = load(path)
    app_of(pair)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    try:
        yield pair, store_of(pair, ledger.engine)
    finally:
        ledger.close()


@auth.command
def login(
    *,
    pair: PairFile,
    agency: Agency = False,
    port: Annotated[
        Port, Parameter(help="of the local callback; register http://127.0.0.1:PORT/callback")
    ] = 8766,
    browser: Annotated[
        bool, Parameter(help="open the browser; without it, the address is printed")
    ] = True,
) -> int:
    """Open GHL's consent page, take the answer on this machine, and keep the tokens.

    They are kept in the ledger, encrypted. For an agency, --pair may be a fleet's template.
    """
    with ExitStack() as stack:
        callback = Callback(port)
        store: TokenStore
        if agency:
            named = agency_app(pair)
            app, store = named.redirected(callback.url), stack.enter_context(named.agencies())
        else:
            loaded, store = stack.enter_context(_store(pair))
            app = app_of(loaded, redirect=callback.url)
        tokens = _logged_in(app, store, callback, browser=browser)
    whose = f"agency {tokens.company}" if agency else f"location {tokens.location}"
    Console().print(
        f"Logged in to {whose}; the tokens are kept, encrypted, in the ledger.", highlight=False
    )
    return 0


def _logged_in(app: OAuthApp, store: TokenStore, callback: Callback, *, browser: bool) -> Tokens:
    exchange = Exchange(app)
    show = webbrowser.open if browser else _print_address
    try:
        return log_in(app, store=store, open_browser=show, exchange=exchange, callback=callback)
    finally:
        exchange.close()


def _print_address(url: str) -> None:
    Console().print(url, soft_wrap=True, highlight=False)


@auth.command
def status(*, pair: PairFile, agency: Agency = False, json: Json = False) -> int:
    """Say whether there is a token, for what, and when it is renewed; never the token.

    For an agency, those of each agency that the ledger has tokens of.
    """
    stored: list[Tokens | None]
    if agency:
        whose = agency_app(pair)
        with whose.agencies() as agencies:
            stored = [store.load() for store in _of(agencies, whose.company)] or [None]
    else:
        with _store(pair) as (_, own):
            stored = [own.load()]
    rows = [_told(tokens) for tokens in stored]
    if json:
        print_json(rows[0] if len(rows) == 1 else rows)
    else:
        Console().print("\n\n".join(map(_lines, rows)), highlight=False)
    return 0 if stored[0] is not None else 1


def _lines(row: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in row.items())


def _told(tokens: Tokens | None) -> dict[str, Any]:
    if tokens is None:
        return {"logged_in": False}
    renewed = datetime.fromtimestamp(tokens.renew_at, UTC).isoformat(timespec="seconds")
    return {
        "logged_in": True,
        "location": tokens.location,
        "company": tokens.company,
        "scopes": list(tokens.scopes),
        "renewed_from": renewed,
        "renewable": bool(tokens.refresh),
        "due": tokens.renew_at <= time.time(),
    }


def _of(agencies: Agencies, company: str | None) -> list[SqlTokenStore]:
    """Where the tokens are of the agency that the file names; of all where it names none."""
    return [each for name, each in agencies.each().items() if company in (None, name)]


@auth.command
def logout(*, pair: PairFile, agency: Agency = False) -> int:
    """Remove the tokens from the ledger.

    In GHL, uninstall the app to take the right away as well.
    """
    if not agency:
        with _store(pair) as (_, own):
            own.forget()
        return 0
    whose = agency_app(pair)
    with whose.agencies() as agencies:
        store = agencies.one(whose.company)
        if store is not None:
            store.forget()
    return 0
