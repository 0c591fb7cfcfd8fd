"""What is built is whole: from the wheel alone, in an empty home, beside folders of the same names, the product runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.demo.world import DATABASE_FILE, LOCATION, SANDBOX_FILE

ROOT = Path(__file__).parents[1]
PACKAGES = ("flows", "connectors", "reconcile", "ghl_reconcile")
MAIN = "import flows, sys; assert 'wheel' in flows.__file__; from flows.cli import main; main()"

Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program of a wheel that is built here, started in a user's folder."""
    built = tmp_path_factory.mktemp("built")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", built]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - our own build
    (wheel,) = built.glob("*.whl")
    place = tmp_path_factory.mktemp("wheel")
    zipfile.ZipFile(wheel).extractall(place)
    folder = tmp_path_factory.mktemp("user")
    for name in PACKAGES:
        assert (place / name / "py.typed").is_file()
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise ImportError('the user has this, too')\n")
    environment = os.environ | {"HOME": str(folder), "PYTHONPATH": str(place)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def program(*words: str) -> subprocess.CompletedProcess[str]:
        # As a script in bin/ does, it looks for nothing in the folder it is started in.
        command = [sys.executable, "-P", "-c", MAIN, *words]
        options = {"capture_output": True, "text": True, "check": False, "cwd": folder}
        return subprocess.run(command, env=environment, **options)  # type: ignore[call-overload,no-any-return]  # noqa: S603 - our own program

    return program


def test_the_wheel_runs_the_demo_and_what_comes_before_a_first_run(installed: Program) -> None:
    """`demo`, with its three nights, `init` and `doctor` end as from a checkout: 1 with questions, 0 without trouble."""
    demo = installed("demo", "--contacts", "40")
    assert demo.returncode == 1, demo.stderr
    assert "Third night" in demo.stdout
    assert "report.html" in demo.stdout
    written = installed(
        *("init", "--app", f"sqlite:///demo/{DATABASE_FILE}", "--location", LOCATION, "--yes"),
        *("--ghl-url", f"sandbox:demo/{SANDBOX_FILE}", "--name", "mine"),
    )
    assert written.returncode == 0, written.stderr
    looked = installed("doctor", "--pair", "demo/acme.toml")
    assert looked.returncode == 0, looked.stdout + looked.stderr


def test_the_version_is_said_in_one_place(installed: Program) -> None:
    """`--version` says what pyproject.toml says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert installed("--version").stdout.strip().endswith(project["version"])
