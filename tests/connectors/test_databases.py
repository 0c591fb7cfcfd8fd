"""Where a database server is missing its tests skip, unless it was said that none may be missing."""

from __future__ import annotations

import pytest

from tests.connectors import databases


@pytest.mark.parametrize(
    ("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)]
)
def test_missing_server(
    monkeypatch: pytest.MonkeyPatch, required: str, outcome: type[BaseException]
) -> None:
    """Without a server a test skips; with GHL_RECONCILE_REQUIRE_SERVERS=1 it fails."""
    monkeypatch.delenv("GHL_RECONCILE_TEST_POSTGRES", raising=False)
    monkeypatch.setenv("GHL_RECONCILE_REQUIRE_SERVERS", required)
    monkeypatch.setattr(databases, "_listening", lambda port: False)
    with pytest.raises(outcome, match="no postgresql server"):
        databases.server_url("postgresql")
