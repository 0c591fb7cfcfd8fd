"""The library: load a pair, plan, apply and audit it, and read what came of it as pandas frames.

What is named here follows semantic versioning; what lies in the other packages may change with any
release.
"""

from __future__ import annotations

from ghl_reconcile.pair import Pair, load
from ghl_reconcile.result import Result
from reconcile.errors import (
    ConfigError,
    ConnectorError,
    Locked,
    ReconcileError,
    Refused,
    StalePlan,
    StateError,
)

__all__ = [
    "ConfigError",
    "ConnectorError",
    "Locked",
    "Pair",
    "ReconcileError",
    "Refused",
    "Result",
    "StalePlan",
    "StateError",
    "load",
]
