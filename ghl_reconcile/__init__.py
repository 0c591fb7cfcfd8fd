"""The library: load a pair, plan, apply and audit it, and read what came of it as pandas frames.

What is named here follows semantic versioning; what lies in the other packages may change with any
release.
"""

from __future__ import annotations

from importlib.metadata import version

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
    "__version__",
    "load",
]

__version__ = version("ghl-reconcile")
"""That of the project, as `ghl-reconcile --version` says it."""
