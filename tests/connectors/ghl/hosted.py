"""A sandbox location over real HTTP, with a connector on it: what most tests of the GHL connector stand on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from connectors.ghl import GhlConnector, GhlSettings, PrivateToken
from connectors.ghl.sandbox import Sandbox, Settings, serve
from connectors.throttle import LocalBudget, Window

LOCATION = "ve9EPM428h8vShlRW1KT"
TOKEN = "pit-11111111-2222-3333-4444-555555555555"
VERSIONS = ("2021-07-28", "v3")


@dataclass(frozen=True, slots=True)
class Hosted:
    """The sandbox, its address, and a connector that never waits for its own window."""

    sandbox: Sandbox
    url: str
    connector: GhlConnector

    def another(self, **settings: Any) -> GhlConnector:
        """One more connector on the same location."""
        return connect(self.url, **settings)


def connect(
    url: str, *, token: str = TOKEN, limit: int = 1_000_000, **settings: Any
) -> GhlConnector:
    """A connector on a served sandbox; it does not sleep between replays."""
    return GhlConnector(
        GhlSettings(location=LOCATION, url=url, **settings),
        auth=PrivateToken(token),
        budget=LocalBudget(Window(limit=limit)),
        jitter=lambda: 0.0,
        sleep=lambda seconds: None,
    )


@contextmanager
def hosted(sandbox_settings: Settings | None = None, **settings: Any) -> Iterator[Hosted]:
    """A fresh location with one token, served."""
    sandbox = Sandbox(sandbox_settings or unlimited())
    sandbox.add_location(LOCATION)
    sandbox.add_token(TOKEN, LOCATION)
    with serve(sandbox) as url:
        connector = connect(url, **settings)
        try:
            yield Hosted(sandbox, url, connector)
        finally:
            connector.close()
            sandbox.close()


def unlimited(**settings: Any) -> Settings:
    """A sandbox whose limits are never reached, without lag."""
    from connectors.ghl.sandbox import Limit

    wide = Limit(max=1_000_000, daily=100_000_000)
    return Settings(
        **{"pit": wide, "oauth": wide, "agency": wide, "lag_seconds": 0.0, "seed": 7, **settings}
    )
