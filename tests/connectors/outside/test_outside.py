"""A connector from outside the tree: registered by its entry point, proven by the contract suite that ships in the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from flows.config import load
from flows.wiring.wiring import connect
from reconcile.model import Entity, OpKind, Side, Status
from reconcile.ports import Page, Write

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

PAIR = """\
pair = "acme"
[app]
connector = "notebook"
file = "{file}"
[ghl]
url = "sandbox:ghl.db"
location = "loc1"
[contact.fields]
mail = "email"
"""


@pytest.fixture
def author(tmp_path: Path) -> Path:
    """A folder of installed packages with the author's in it, as pip leaves it there."""
    folder = tmp_path / "author"
    about = folder / "notebook_connector-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: notebook-connector\nVersion: 1.0\n"
    )
    (about / "entry_points.txt").write_text(
        "[ghl_reconcile.connectors]\nnotebook = notebook:connect\n"
    )
    (folder / "notebook.py").write_bytes((HERE / "notebook.py").read_bytes())
    (folder / "test_notebook.py").write_bytes((HERE / "suite.py").read_bytes())
    return folder


def test_a_pair_file_names_it(
    author: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pair file that says connector = "notebook" reads and writes through the author's package."""
    monkeypatch.syspath_prepend(author)
    file = tmp_path / "notebook.json"
    file.write_text("{}")
    (tmp_path / "acme.toml").write_text(PAIR.format(file=file))
    with connect(load(tmp_path / "acme.toml", environ={})) as sides:
        app = sides[Side.APP]
        assert app.describe().identity == f"notebook:{file}"
        (reply,) = app.write(
            [Write("op", OpKind.CREATE, Entity.CONTACT, fields={"mail": "ann@example.test"})]
        )
        assert reply.status is Status.DONE
        page, _ = app.extract(Entity.CONTACT)
    assert isinstance(page, Page)
    assert b"ann@example.test" in page.lines


def test_the_wheel_carries_the_suite(author: Path, tmp_path: Path) -> None:
    """Beside the built wheel alone, the author's connector passes the whole contract suite; pytest is all it asks for."""
    command = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        str(tmp_path / "dist"),
    ]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)  # noqa: S603 - the build as it is done
    assert built.returncode == 0, built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    where = [str(installed), str(author)]
    code = "import connectors.contract as c; print(c.__file__)"
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(where)}
    found = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=author, env=environ, capture_output=True, text=True
    )
    assert Path(found.stdout.strip()).is_relative_to(installed), found.stderr
    suite = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-W",
        "error",
        "test_notebook.py",
    ]
    said = subprocess.run(suite, cwd=author, env=environ, capture_output=True, text=True)  # noqa: S603
    assert said.returncode == 0, said.stdout
    assert "passed" in said.stdout
    assert "failed" not in said.stdout
    assert int(said.stdout.rpartition(" passed")[0].split()[-1]) >= 40
