"""What every test needs: a place for its files, and a quick start."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")  # noqa: S108 - used only where it is there, and has room
_ROOM = 4 * 2**30  # bytes
_KEPT = pytest.StashKey[str]()


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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let go of Hypothesis's plugin where no test used it: its part of the summary imports all of Hypothesis first."""
    plugins = session.config.pluginmanager
    if "hypothesis" not in sys.modules and not plugins.has_plugin("dsession"):
        plugins.unregister(name="hypothesispytest")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the tests left there: memory is dearer than disk."""
    if folder := config.stash.get(_KEPT, None):
        shutil.rmtree(folder, ignore_errors=True)
