"""A run that comes to nothing leaves a report that says why, and that nothing was written."""

from __future__ import annotations

import errno
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from flows.config import load
from flows.jobs.delta import Delta
from flows.jobs.full import FULL
from flows.opening import open_run
from flows.run import Options, Run
from flows.runner import carry_out
from flows.steps import steps
from reconcile.apply.apply import Desk
from reconcile.errors import ConnectorError, Exhausted, Expired, Refused, Transient
from reconcile.ledger import runs
from reconcile.ledger.ledger import Ledger
from reconcile.model import Operation, Outcome
from reconcile.plan import planfile
from reconcile.plan.plan import LEDGER_ONLY
from tests.flows.acme import Acme
from tests.flows.calls import say
from tests.flows.test_notify import http_receiver
from tests.schemas import valid


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Acme:
    """A world after its first night."""
    return Acme.settled(tmp_path_factory.mktemp("failed") / "acme")


def _raising(error: Exception) -> Callable[..., Any]:
    def step(*_: object, **__: object) -> None:
        raise error

    step.__name__ = "step"
    return step


def _newest(acme: Acme) -> runs.RunRow:
    ledger = Ledger(load(acme.pair).ledger_url.get_secret_value(), "acme")
    try:
        return runs.runs(ledger, limit=1)[0]
    finally:
        ledger.close()


def _report(error: BaseException) -> dict[str, Any]:
    (note,) = error.__notes__
    whole: dict[str, Any] = json.loads(
        Path(note.removeprefix("Report: ")).with_suffix(".json").read_text(encoding="utf-8")
    )
    valid(whole)
    return whole


@pytest.mark.parametrize(
    ("at", "job"),
    [
        *(
            (f"flows.steps.steps.{name}", "nightly")
            for name in ("recover", "extract", "stage", "sweep_notes", "link", "diff")
        ),
        ("flows.steps.suggestions.suggest", "audit"),
        ("reconcile.plan.draft.groups", "nightly"),
        ("reconcile.plan.planfile.write", "nightly"),
    ],
)
def test_a_failure_at_any_step_before_the_plan_has_its_report(
    acme: Acme, monkeypatch: pytest.MonkeyPatch, at: str, job: str
) -> None:
    """The reason comes first, nothing is said of what was not compared, and the run stands in the ledger as failed."""
    before = acme.state()
    with monkeypatch.context() as patch:
        patch.setattr(at, _raising(Transient("GHL did not answer", remedy="try later")))
        with pytest.raises(Transient) as caught:
            acme.run(job=job)
    whole = _report(caught.value)
    assert (whole["state"], whole["applied"], whole["changes"], whole["holds"]) == (
        "failed",
        False,
        [],
        [],
    )
    assert whole["verdict"]["sentences"][0] == "[TRANSIENT] GHL did not answer → try later"
    assert "nothing was written" in " ".join(whole["verdict"]["sentences"])
    row = _newest(acme)
    assert (row.run_id, row.state, row.summary["alerts"]) == (
        whole["run_id"],
        "failed",
        ["refused"],
    )
    assert acme.state() == before


@pytest.mark.parametrize(
    ("error", "state", "says"),
    [
        (
            Exhausted("the day's quota is used up"),
            "stopped",
            "[EXHAUSTED] the day's quota is used up",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "x.parquet"),
            "failed",
            "[MACHINE] No space left on device",
        ),
        (ValueError("ann@example.com"), "failed", "[DEFECT] ValueError"),
    ],
    ids=["quota", "disk", "defect"],
)
def test_a_failure_is_told_by_its_kind(
    acme: Acme, monkeypatch: pytest.MonkeyPatch, error: Exception, state: str, says: str
) -> None:
    """A spent quota is a stop, not a failure; of a defect no value is shown."""
    with monkeypatch.context() as patch:
        patch.setattr(steps, "link", _raising(error))
        with pytest.raises(type(error)) as caught:
            acme.run()
    whole = _report(caught.value)
    assert whole["state"] == state
    assert whole["verdict"]["sentences"][0].startswith(says)
    assert "ann@example.com" not in json.dumps(whole["verdict"])


def test_a_failure_to_tell_the_failure_hides_nothing(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the report cannot be written either, the error itself is what is raised."""
    with monkeypatch.context() as patch:
        patch.setattr(steps, "link", _raising(Transient("GHL did not answer")))
        patch.setattr(
            "reconcile.report.write_document",
            _raising(OSError(errno.ENOSPC, "No space left on device")),
        )
        with pytest.raises(Transient) as caught:
            acme.run()
    assert not hasattr(caught.value, "__notes__")
    assert _newest(acme).state == "failed"


def test_a_failure_after_the_plan_leaves_the_plan(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan that was made and not begun stays what a person may look at."""
    with monkeypatch.context() as patch:
        patch.setattr(steps, "breaches", _raising(Transient("GHL did not answer")))
        with pytest.raises(Transient) as caught:
            acme.run()
    assert not hasattr(caught.value, "__notes__")
    row = _newest(acme)
    assert row.state == "planned"
    assert (
        planfile.read(
            load(acme.pair).path.parent / "state" / "runs" / row.run_id / "plan.jsonl"
        ).digest
        == row.plan_digest
    )


def test_a_proof_that_cannot_be_made_hides_nothing_of_the_run(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GHL is gone when all is written and settled: the report tells what was done, and that nothing proves it."""
    link, calls = steps.link, []

    def once(run: Run) -> None:
        calls.append(run.run_id)
        if len(calls) > 1:
            raise Transient("GHL did not answer")
        link(run)

    monkeypatch.setattr(steps, "link", once)
    with open_run(load(acme.pair), Options("nightly", verify="full")) as run:
        told = carry_out(run, FULL)
    assert len(calls) == 2
    assert (told.state, told.document["applied"], told.document["certificate"]["mode"]) == (
        "stopped",
        True,
        "none",
    )
    assert told.exit_code == 2
    assert "GHL did not answer" in told.document["stopped"]
    assert told.document["statement"]["entities"]
    assert not (run.folder / "proof").exists()


@pytest.mark.parametrize(
    "error", [Transient("GHL did not answer"), Expired("the token is no longer valid")], ids=repr
)
def test_a_side_that_fails_among_the_writes_leaves_the_report_of_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: ConnectorError
) -> None:
    """What was written is settled and told, the rest is left to the next run, and the exit code is that of a fault."""
    new = Acme.made(tmp_path / "acme", contacts=40)
    chunk, done = steps.apply_chunk, []

    def once(desk: Desk, operations: Sequence[Operation]) -> list[Outcome]:
        if done:
            raise error
        done.extend(o for o in operations if o.kind not in LEDGER_ONLY)
        return chunk(desk, operations)

    with monkeypatch.context() as patch:
        patch.setattr(steps, "apply_chunk", once)
        night = new.run(verify="none")
    assert (night.told.state, night.told.exit_code) == ("stopped", 2)
    assert str(error) in night.told.document["verdict"]["sentences"]
    written = [
        change for change in night.told.document["changes"] if change["kind"] not in LEDGER_ONLY
    ]
    statuses = Counter(change["status"] for change in written)
    assert statuses["done"] == len(done) > 0
    assert statuses["skipped"]
    assert new.run(verify="none").told.state == "settled"
    assert not [o for o in new.run(verify="none").operations if o.kind not in LEDGER_ONLY]


def test_a_spent_quota_among_the_writes_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run stops, and the next one goes on."""
    new = Acme.made(tmp_path / "acme", contacts=40)
    with monkeypatch.context() as patch:
        patch.setattr(steps, "apply_chunk", _raising(Exhausted("the day's quota is used up")))
        told = new.run(verify="none").told
    assert (told.state, told.exit_code) == ("stopped", 1)


def test_a_delta_that_is_refused_before_it_looks_has_its_report(tmp_path: Path) -> None:
    """A pair that was never run as a whole."""
    new = Acme.made(tmp_path / "acme", contacts=40)
    with pytest.raises(Refused) as caught, open_run(load(new.pair), Options("delta")) as run:
        carry_out(run, Delta())
    whole = _report(caught.value)
    assert (whole["state"], whole["stopped"]) == ("refused", "")
    assert whole["refusal"].startswith("[FIRST_RUN]")


def test_a_side_that_gives_no_answer_is_named_and_the_report_too(acme: Acme) -> None:
    """On the command line: exit code 3, the reason, and where the report lies."""
    text = acme.pair.read_text(encoding="utf-8")
    dead = acme.pair.with_name("dead.toml")
    dead.write_text(text.replace("sqlite:///app.db", "sqlite:///nowhere/app.db"), encoding="utf-8")
    said = say("run", "--pair", dead, "--engine", "local")
    assert said.code == 3
    assert "there is no database file" in said.errors
    page = Path(said.errors.rpartition("\nReport: ")[2].strip()).read_text(encoding="utf-8")
    assert "The run failed before it was finished" in page
    assert "to be created" not in page


def test_people_are_told_of_a_run_that_ended_while_it_wrote(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error before the writes is told as a failed run, one among them as what it is; a value of it is in neither."""
    acme.run(verify="none")  # a trouble that an earlier run had is not told again
    pair = acme.pair.with_name("told.toml")
    text = acme.pair.read_text(encoding="utf-8")
    pair.write_text(f'{text}\n[alerts]\nnotify = ["env:OPS"]\ndigest = false\n', encoding="utf-8")
    with http_receiver() as (web, posts):
        monkeypatch.setenv("OPS", web)
        for step in ("link", "resolve_doubts"):
            with monkeypatch.context() as patch:
                patch.setattr(steps, step, _raising(ValueError("ann@example.com")))
                with pytest.raises(ValueError, match="ann"):
                    acme.run(pair=pair)
    titles = [post["title"].partition(": ")[2] for post in posts]
    assert titles == ["the run failed", "an error ended the run while it wrote"]
    assert "ann@example.com" not in json.dumps(posts)
    assert _newest(acme).state == "applying"
    assert acme.run().told.state == "settled"
