"""What every test needs: a place for its files, and a quick start."""

from __future__ import annotations

import gc
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.long_forms import leave

if TYPE_CHECKING:
    from tests.chromium import Browser, Chromium

_MEMORY = Path("/dev/shm")  # noqa: S108 - used only where it is there, and has room
_ROOM = 4 * 2**30  # bytes
_KEPT = pytest.StashKey[str]()
_ASKS_FOR_PREFECT = re.compile(r"\bprefect: Path|getfixturevalue\(.prefect.\)")


def pytest_configure(config: pytest.Config) -> None:
    """Put the tests' files into memory where there is room, unless TMPDIR says otherwise.

    Every commit of a ledger waits for the disk: ten milliseconds on a shared machine, thousands of times. No test needs
    what it wrote after a power cut; those that kill a process find its files all the same.
    """
    if (
        "TMPDIR" not in os.environ
        and os.access(_MEMORY, os.W_OK)
        and shutil.disk_usage(_MEMORY).free > _ROOM
    ):
        folder = tempfile.mkdtemp(prefix="ghl-reconcile-", dir=_MEMORY)
        config.stash[_KEPT] = os.environ["TMPDIR"] = folder  # the workers of xdist inherit it
        tempfile.tempdir = None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file to a worker, as `--dist loadfile` does; all that ask for Prefect's server to one, as each starts its own."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "prefect" if asks_for_prefect(config.rootpath / file) else file

    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


@cache
def asks_for_prefect(file: Path) -> bool:
    """Whether a test of that file needs the server of `tests/flows/conftest.py`: half a minute of CPU on a loaded machine."""
    return bool(_ASKS_FOR_PREFECT.search(file.read_text(encoding="utf-8")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the long forms to the soak."""
    leave(items)


def pytest_collection_finish() -> None:
    """Leave what is imported and collected out of every later collection: to walk through it was a fifteenth of all time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let go of Hypothesis's plugin where no test used it: its part of the summary imports all of Hypothesis first."""
    plugins = session.config.pluginmanager
    if "hypothesis" not in sys.modules and not plugins.has_plugin("dsession"):
        plugins.unregister(name="hypothesispytest")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the tests left there: memory is dearer than disk. Frozen objects would be called leaked at the end."""
    gc.unfreeze()
    if folder := config.stash.get(_KEPT, None):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """One for all tests of a process: to start it takes a second of CPU."""
    from tests.chromium import launched

    with launched() as started:
        yield started


@pytest.fixture
def browser(chromium: Chromium) -> Iterator[Browser]:
    """A tab of its own."""
    with chromium.tab() as tab:
        yield tab
