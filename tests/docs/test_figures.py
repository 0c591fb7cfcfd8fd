"""The figures on the pages for operation and security are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors import ending, throttle
from connectors.files import excelfile
from connectors.http import Options
from connectors.sql import waits, writing
from connectors.sql.settings import SqlSettings
from flows import cli
from flows.state import leases
from flows.triggers import webhooks
from reconcile.compare import restored
from reconcile.plan.limits import Limits
from reconcile.stage.spooled import Bounds
from reconcile.values import bounds
from tests.docs.pages import DOCS

OPERATIONS = DOCS / "operations.md"
SECURITY = DOCS / "tasks" / "security.md"
FIGURES = [
    (OPERATIONS, "expires after five minutes", leases.LEASE.total_seconds(), 5 * 60),
    (OPERATIONS, "half a minute for Prefect's own goodbye", cli.LINGER_SECONDS, 30),
    (OPERATIONS, "unpacks to more than 64 MB", Options().body_bytes, 64 << 20),
    (OPERATIONS, "300 s for the whole exchange", Options().total_seconds, 300),
    (OPERATIONS, "2 million pages", Bounds().pages, 2_000_000),
    (OPERATIONS, "2 million pages, 64 GB", Bounds().bytes, 64 << 30),
    (OPERATIONS, "256 MB that stay free on the disk", Bounds().room, 256 << 20),
    (OPERATIONS, "7 days; 15 minutes for the window", throttle.LONGEST_WAIT, 7 * 86_400),
    (OPERATIONS, "7 days; 15 minutes for the window", throttle.LONGEST_PAUSE, 15 * 60),
    (OPERATIONS, "more than 60 times its size", excelfile._MOST_PACKED, 60),
    (OPERATIONS, "60 times its size (and 16 MB)", excelfile._USUAL, 16 << 20),
    (OPERATIONS, "or than 512 MB", excelfile._BIGGEST, 512 << 20),
    (OPERATIONS, "1,000,000 characters", bounds.LONGEST, 1_000_000),
    (OPERATIONS, "Up to 30 seconds more", ending.GRACE, 30),
    (OPERATIONS, "60 seconds of silence, 300 in all", Options().read_seconds, 60),
    (OPERATIONS, "`lock_seconds` is 10", SqlSettings("sqlite://", {}).lock_seconds, 10),
    (OPERATIONS, "three times `lock_seconds` in a run", waits.IN_ALL, 3),
    (OPERATIONS, "a record is tried three times", writing._TRIES, 3),
    (OPERATIONS, "more than a minute earlier", restored.SLACK, 60),
    (OPERATIONS, "`max_rewound` such records (10)", Limits().max_rewound, 10),
    (SECURITY, "waits five seconds for a body", webhooks.SLOWEST, 5),
]


@pytest.mark.parametrize(
    ("page", "words", "held", "stated"), FIGURES, ids=[figure[1] for figure in FIGURES]
)
def test_a_figure_is_that_of_the_code(page: Path, words: str, held: float, stated: float) -> None:
    """The words stand on the page, and what they state is what the code holds."""
    assert words in re.sub(r"\s+", " ", page.read_text(encoding="utf-8"))
    assert held == stated


def test_the_figure_of_the_wait_for_prefect_is_that_of_the_code() -> None:
    """It stands in a module that imports Prefect, which no other figure needs."""
    from flows.orchestration import ghosts

    words = "waits at most a minute to show it"
    test_a_figure_is_that_of_the_code(OPERATIONS, words, ghosts.WAIT_SECONDS, 60)
