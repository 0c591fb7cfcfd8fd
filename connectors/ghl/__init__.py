"""The GHL side: GoHighLevel's Contacts API v2 under either of its published versions."""

from connectors.ghl.auth import OAuth, PrivateToken, TokenStore
from connectors.ghl.connector import GhlConnector
from connectors.ghl.settings import GhlSettings
from connectors.throttle import Budget, LocalBudget, SharedBudget

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
