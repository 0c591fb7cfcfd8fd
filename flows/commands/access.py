"""auth login, status and logout: the commands that get, show and remove a pair's tokens."""

from __future__ import annotations

import json as jsons
import sys
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from connectors.ghl.login import Callback
from connectors.ghl.login import login as log_in
from connectors.ghl.oauth import Exchange
from connectors.ghl.tokens import SqlTokenStore
from flows.commands.options import Json, PairFile, Port
from flows.config import Pair, load
from flows.terminal import Console
from flows.wiring.credentials import Level, app_of, store_of
from reconcile.ledger.ledger import Ledger

auth = App(name="auth", help="Get, show and remove the tokens of a pair that says oauth.")

Agency = Annotated[
    bool, Parameter(negative="", help="the agency's token, which serves all its locations")
]


@contextmanager
def _store(path: Path, level: Level) -> Iterator[tuple[Pair, SqlTokenStore]]:
    pair = load(path)
    app_of(pair)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    try:
        yield pair, store_of(pair, ledger.engine, level=level)
    finally:
        ledger.close()


def _level(agency: bool) -> Level:  # noqa: FBT001 - straight from the flag
    return "Company" if agency else "Location"


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

    They are kept in the ledger, encrypted.
    """
    console = Console()
    with _store(pair, _level(agency)) as (loaded, store):
        callback = Callback(port)
        app = replace(app_of(loaded, level=_level(agency), redirect=callback.url))
        exchange = Exchange(app)
        show = (
            webbrowser.open
            if browser
            else lambda url: console.print(url, soft_wrap=True, highlight=False)
        )
        try:
            log_in(app, store=store, open_browser=show, exchange=exchange, callback=callback)
        finally:
            exchange.close()
        console.print("Logged in; the tokens are kept, encrypted, in the ledger.")
    return 0


@auth.command
def status(*, pair: PairFile, agency: Agency = False, json: Json = False) -> int:
    """Say whether there is a token, for what, and when it is renewed; never the token."""
    with _store(pair, _level(agency)) as (_, store):
        tokens = store.load()
    told: dict[str, Any] = {"logged_in": tokens is not None}
    if tokens is not None:
        renewed = datetime.fromtimestamp(tokens.renew_at, UTC).isoformat(timespec="seconds")
        told |= {
            "location": tokens.location,
            "company": tokens.company,
            "scopes": list(tokens.scopes),
        }
        told |= {
            "renewed_from": renewed,
            "renewable": bool(tokens.refresh),
            "due": tokens.renew_at <= time.time(),
        }
    if json:
        jsons.dump(told, sys.stdout, indent=1)
        print()
    else:
        Console().print(
            "\n".join(f"{name}: {value}" for name, value in told.items()), highlight=False
        )
    return 0 if tokens is not None else 1


@auth.command
def logout(*, pair: PairFile, agency: Agency = False) -> int:
    """Remove the tokens from the ledger.

    In GHL, uninstall the app to take the right away as well.
    """
    with _store(pair, _level(agency)) as (_, store):
        store.forget()
    return 0
