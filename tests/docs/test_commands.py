"""The commands of the documentation are run as they stand, page by page, in a folder that holds the demo."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, Block, blocks, name_of, starts_from_nothing

RUN = [page for page in PAGES if any(not block.skipped for block in blocks(page))]


def _shell(commands: str, folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    root = str(Path(__file__).resolve().parents[2])
    environment = kept | {
        "PATH": path,
        "HOME": str(folder.parent),
        "COLUMNS": "200",
        "USER": "ann",
        "PYTHONPATH": root,
    }
    return subprocess.run(  # noqa: S603 - the documentation's own commands
        ["/bin/sh", "-eu", "-c", commands],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pages are run: one folder, since the demo's database is known by its path; a copy of the demo lies beside it."""
    place = tmp_path_factory.mktemp("docs") / "work"
    place.mkdir()
    made = _shell('ghl-reconcile demo --folder "$PWD/demo" --contacts 40 --engine local', place)
    assert made.returncode == 1, made.stderr
    shutil.copytree(place / "demo", place.parent / "demo")
    return place


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_the_commands_of_a_page_work(page: Path, workplace: Path) -> None:
    """Every block ends with the exit code that the page promises, in the page's order."""
    shutil.rmtree(workplace)
    workplace.mkdir()
    if not starts_from_nothing(page):
        shutil.copytree(workplace.parent / "demo", workplace / "demo")
    for block in blocks(page):
        if not block.skipped:
            _check(block, _shell(block.commands, workplace))


def _check(block: Block, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == block.exit_code, (
        f"{block}\n{block.commands}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    )
    assert "Traceback" not in done.stderr, f"{block}\n{done.stderr[-4000:]}"
