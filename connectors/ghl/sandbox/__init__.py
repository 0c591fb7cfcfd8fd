"""A GHL look-alike served over real HTTP.

What users try the product on, and what its tests talk to.
"""

from __future__ import annotations

from connectors.ghl.sandbox.faults import Fault
from connectors.ghl.sandbox.requestlog import RequestRecord
from connectors.ghl.sandbox.sandbox import ALL_SCOPES, COMPANY, Sandbox
from connectors.ghl.sandbox.serve import make_app, run, serve
from connectors.ghl.sandbox.settings import Limit, Settings

__all__ = [
    "ALL_SCOPES",
    "COMPANY",
    "Fault",
    "Limit",
    "RequestRecord",
    "Sandbox",
    "Settings",
    "make_app",
    "run",
    "serve",
]
