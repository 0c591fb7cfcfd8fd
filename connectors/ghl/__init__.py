"""The GHL side: GoHighLevel's Contacts API v2 under either of its published versions."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connectors.ghl.auth import OAuth, PrivateToken, TokenStore
    from connectors.ghl.connector import GhlConnector
    from connectors.ghl.settings import GhlSettings
    from connectors.shared import SharedBudget
    from connectors.throttle import Budget, LocalBudget

__all__ = [
    "Budget",
    "GhlConnector",
    "GhlSettings",
    "LocalBudget",
    "OAuth",
    "PrivateToken",
    "SharedBudget",
    "TokenStore",
]

_WHERE = {
    "connectors.ghl.auth": ("OAuth", "PrivateToken", "TokenStore"),
    "connectors.ghl.connector": ("GhlConnector",),
    "connectors.ghl.settings": ("GhlSettings",),
    "connectors.shared": ("SharedBudget",),
    "connectors.throttle": ("Budget", "LocalBudget"),
}


def __getattr__(name: str) -> Any:
    # A pair file is checked against `shapes` alone: an HTTP client and SQLAlchemy would double that
    # time.
    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
