"""Workers without a disk, proven: processes in empty folders over a PostgreSQL ledger and an S3 bucket do what one machine does."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from types import SimpleNamespace
from typing import Any, cast

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from connectors.files.storage import storage_of
from flows.demo import edits
from flows.state.stores import forget, stored
from reconcile.errors import StateError
from tests.connectors.databases import fresh_database
from tests.flows.acme import Acme
from tests.flows.calls import say

BUCKET = "archive"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An S3 of this machine with an empty bucket, as another machine sees it; the environment says where it is."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    bucket = fsspec.filesystem("s3", skip_instance_cache=True)
    bucket.mkdir(BUCKET, region_name="eu-central-1")
    yield bucket
    bucket.rm(BUCKET, recursive=True)
    type(bucket).clear_instance_cache()
    server.stop()


@dataclass(frozen=True, slots=True)
class Worker:
    """A process at a time in a folder of its own, which is its home and is gone once it is through."""

    folder: Path

    def does(self, pair: str, *words: str) -> tuple[int, dict[str, Any]]:
        """The exit code of `ghl-reconcile WORDS`, and what it tells."""
        home = self.folder / "home"
        home.mkdir(parents=True)
        (self.folder / "acme.toml").write_text(pair, encoding="utf-8")
        command = [sys.executable, "-m", "flows.cli", *words, "--pair", "acme.toml", "--json"]
        environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(  # noqa: S603 - our own program
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        shutil.rmtree(self.folder)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


def placed(acme: Acme, *, head: str) -> str:
    """The pair file as it is anywhere else: both sides by whole paths, and that head for its store and ledger."""
    text = acme.pair.read_text(encoding="utf-8").replace('store = "state"', head, 1)
    for scheme in ("sqlite:///", "sandbox:"):
        text = text.replace(f'"{scheme}', f'"{scheme}{acme.folder}/')
    return text


def brief(document: dict[str, Any]) -> dict[str, Any]:
    """What two runs over the same records have in common: verdict, figures, and what became of whom."""
    changes = [
        (one["kind"], one["entity"], one["side"], one["label"], one["status"])
        for one in document["changes"]
    ]
    return {
        "verdict": document["verdict"]["code"],
        "totals": document["totals"],
        "changes": sorted(changes),
        "questions": sorted((one["entity"], one["label"]) for one in document["holds"]),
    }


@pytest.mark.timeout(900)  # three whole processes and three nights beside them
def test_three_workers_do_what_one_machine_does(tmp_path: Path, s3: Any) -> None:
    """A night on one worker, the next on a second, taken back by a third: each report and both sides are as where one did it all."""
    ours = Acme.made(tmp_path / "ours", contacts=40)
    shutil.copytree(ours.folder, tmp_path / "one")
    one = Acme(tmp_path / "one", tmp_path / "one" / ours.pair.name, "")
    night = ("run", "--engine", "local", "--verify", "none")

    def done(worker: str, words: Sequence[str], expected: Sequence[str]) -> tuple[str, str]:
        """The run of a worker, and that of the one machine; both come to the same."""
        code, run = Worker(tmp_path / worker).does(away, *words)
        machine = say(*expected, "--pair", one.pair, "--json")
        assert (code, brief(run)) == (machine.code, brief(machine.document))
        assert run["totals"]["done"]["writes"] > 0
        assert ours.ends() == one.ends()
        return run["run_id"], machine.document["run_id"]

    for ledger in fresh_database("postgresql", tmp_path):
        away = placed(ours, head=f'store = "s3://{BUCKET}/acme"\nledger = "{ledger}"\n#')
        first, _ = done("a", night, night)
        assert len(edits(ours.folder, ours.pair)) == len(edits(one.folder, one.pair))
        second, theirs = done("b", night, night)
        undone, _ = done("c", ("undo", second, "--yes"), ("undo", theirs, "--yes"))
    kept = {path.split("/")[3] for path in s3.find(f"{BUCKET}/acme/runs")}
    assert kept == {first, second, undone}


def test_what_another_worker_puts_there_is_seen(tmp_path: Path, s3: Any) -> None:
    """A process that has looked into the bucket before sees what came since: a run's archive, and a file of the app's."""
    pair = cast("Any", SimpleNamespace(store=f"s3://{BUCKET}/acme"))
    assert stored(pair) == set()
    s3.pipe_file(f"{BUCKET}/acme/runs/first/report.json", b"{}")
    assert stored(pair) == {"first"}
    s3.pipe_file(f"{BUCKET}/acme/runs/second/report.json", b"{}")
    assert stored(pair) == {"first", "second"}
    forget(pair, ["first"])
    assert stored(pair) == {"second"}

    storage, pattern = storage_of(f"s3://{BUCKET}/people/*.csv", tmp_path, sleep)
    s3.pipe_file(f"{BUCKET}/people/a.csv", b"id\n1\n")
    assert storage.find(pattern, (".csv",)) == [f"s3://{BUCKET}/people/a.csv"]
    s3.pipe_file(f"{BUCKET}/people/b.csv", b"id\n2\n")
    assert len(storage.find(pattern, (".csv",))) == 2


@pytest.mark.usefixtures("s3")
def test_a_store_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks for runs or lets go of them is told that the store does not answer, and what to check."""
    pair = cast("Any", SimpleNamespace(store=f"s3://{BUCKET}/acme"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StateError, match=r"the store \(s3\) does not answer"):
        stored(pair)
    with pytest.raises(StateError, match=r"the store \(s3\) does not answer"):
        forget(pair, ["first"])
