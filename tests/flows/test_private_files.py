"""What is written is for the user who runs the job alone, whatever that user's umask is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.files.storage import Disk
from flows.config import load
from flows.wiring.credentials import key_file_of
from reconcile.errors import ConfigError
from tests.flows.acme import Acme
from tests.flows.broken import GOOD

ROOT = Path(__file__).parents[2]
ENVIRON = {"GHL_TOKEN": "pit-1"}


@pytest.fixture
def generous() -> Iterator[None]:
    """A umask that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_run_leaves_nothing_that_others_can_read(tmp_path: Path, generous: None) -> None:
    """Ledger, stage, plan, reports, archive and folders of a run have no right for the group or for others."""
    acme = Acme.made(tmp_path / "acme", contacts=44)
    state = acme.folder / "state"
    before = set(state.rglob("*"))
    command = [
        sys.executable,
        "-m",
        "flows.cli",
        "run",
        "--pair",
        str(acme.pair),
        "--engine",
        "local",
        "--verify",
        "none",
    ]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)  # noqa: S603 - our own command
    made = [file for file in state.rglob("*") if file not in before]
    assert {"plan.jsonl", "report.json", "report.html"} <= {file.name for file in made}
    assert [str(file) for file in made if file.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_what_lies_beside_a_file_is_as_private_as_the_file(
    tmp_path: Path, generous: None, mode: int
) -> None:
    """Backup, lock and the file itself after a write have the rights that the file had; the temporary file never had more."""
    file = tmp_path / "people.csv"
    file.write_bytes(b"id\n1\n")
    file.chmod(mode)
    disk, seen = Disk(), set()
    with disk.locked(str(file), 1.0):
        disk.highest(str(file), 7)
        disk.keep(str(file), b"id\n1\n", backups=2)
        opened = os.open

        def watched(path: str, flags: int, rights: int = 0o777, **more: int) -> int:
            handle = opened(path, flags, rights, **more)
            if flags & os.O_CREAT:
                seen.add(os.fstat(handle).st_mode & 0o777)
            return handle

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "open", watched)
            disk.replace(str(file), b"id\n1\n2\n", disk.stamp(str(file)))
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {mode}
    assert len(list(tmp_path.iterdir())) == 3
    assert seen == {0o600}


@pytest.mark.parametrize(
    ("mode", "fine"), [(0o600, True), (0o400, True), (0o640, False), (0o644, False), (0o604, False)]
)
def test_a_secret_in_a_file_that_others_can_read_is_refused(
    tmp_path: Path, mode: int, fine: bool
) -> None:
    """A `file:` secret is taken from a file of the user's own alone."""
    (tmp_path / "token").write_text("pit-1\n")
    (tmp_path / "token").chmod(mode)
    pair = tmp_path / "acme.toml"
    pair.write_text(GOOD.replace("env:GHL_TOKEN", "file:token"))
    if fine:
        assert load(pair, environ={}).ghl.token
        return
    with pytest.raises(ConfigError, match="others can read the file token") as caught:
        load(pair, environ={})
    assert "pit-1" not in str(caught.value)


def test_the_key_of_the_tokens_does_not_lie_beside_the_ledger(tmp_path: Path) -> None:
    """It is made in the user's folder of settings; one that lies beside the ledger from before is used on."""
    file = tmp_path / "acme.toml"
    file.write_text(GOOD)
    pair = load(file, environ=ENVIRON)
    assert key_file_of(pair, {"HOME": "/settings/me"}) == Path(
        "/settings/me/.config/ghl-reconcile/token.key"
    )
    assert key_file_of(pair, {"XDG_CONFIG_HOME": "/settings"}) == Path(
        "/settings/ghl-reconcile/token.key"
    )
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "token.key").touch()
    assert key_file_of(pair, {"HOME": "/settings/me"}) == tmp_path / "state" / "token.key"


@pytest.mark.parametrize(
    "token", ["pit-0f1e2d3c-5a6b-4c7d-8e9f-a1b2c3d4e5f6", "eyJhbGciOiJSUzI1NiJ9.eyJ"]
)
def test_a_real_token_does_not_go_into_a_sandbox(tmp_path: Path, token: str) -> None:
    """A sandbox keeps its tokens in its file: one that looks like GHL's is refused, and not shown."""
    file = tmp_path / "acme.toml"
    file.write_text(GOOD.replace("https://services.leadconnectorhq.com", "sandbox:ghl.db"))
    assert load(file, environ=ENVIRON).ghl.token
    with pytest.raises(ConfigError, match="a sandbox keeps its tokens in its file") as caught:
        load(file, environ={"GHL_TOKEN": token})
    assert token not in str(caught.value)
