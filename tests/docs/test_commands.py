"""The commands of the documentation are run as they stand, page by page, in a folder that holds the demo."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, Block, blocks, name_of, starts_from_nothing
from tests.docs.warm import PROGRAM

RUN = [page for page in PAGES if any(not block.skipped for block in blocks(page))]


def _environment(home: Path, programs: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
    }
    path = [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
    return kept | {
        "PATH": os.pathsep.join(path),
        "HOME": str(home),
        "COLUMNS": "200",
        "USER": "ann",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }


def _shell(commands: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the documentation's own commands
        ["/bin/sh", "-eu", "-c", commands],
        cwd=folder,
        env=_environment(folder.parent, folder.parent / "bin"),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of who types the commands; `ghl-reconcile` in its `bin` is quick to start, and a process of its own all the same."""
    home = tmp_path_factory.mktemp("docs")
    programs = home / "bin"
    programs.mkdir()
    command = [sys.executable, str(Path(__file__).with_name("warm.py")), str(programs)]
    with subprocess.Popen(command, env=_environment(home, programs)) as warm:  # noqa: S603 - the tests' own program
        try:
            while not (programs / PROGRAM).exists():
                assert warm.poll() is None, "it has ended"
                time.sleep(0.05)
            yield home
        finally:
            warm.kill()


@pytest.fixture(scope="session")
def workplace(home: Path) -> Path:
    """Where pages are run: one folder, since the demo's database is known by its path; a copy of the demo lies beside it."""
    place = home / "work"
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
