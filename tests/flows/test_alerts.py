"""Alerts: too much failed, the counts are not the usual ones, nothing happened at all, and all is well again."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from flows.config.form import AlertsForm
from flows.outcome import alerts
from reconcile.model import Entity
from tests.builders import World
from tests.flows.nights import night

SETTINGS = AlertsForm()


def run_of(run_id: str = "now", **members: Any) -> dict[str, Any]:
    """A settled nightly run's summary: 1,000 contacts on both sides, ten updates."""
    figures = {name: members.pop(name, 0) for name in ("creates", "deletes", "failed")}
    usual: dict[str, Any] = {
        "run_id": run_id,
        "job": "nightly",
        "state": "settled",
        "rows": {"contact.app": 1_000, "contact.ghl": 1_000},
        "entities": {"contact": {"updates": members.pop("updates", 10), **figures}},
        "alerts": [],
    }
    return usual | members


def before(count: int = 5, **members: Any) -> list[dict[str, Any]]:
    """Earlier runs, newest first."""
    return [run_of(f"r{at}", **members) for at in range(count)]


def names(found: list[alerts.Alert]) -> list[str]:
    return [alert.name for alert in found]


def test_i8_a_usual_run_raises_nothing() -> None:
    """Figures like those of the runs before are no news."""
    assert alerts.raised(run_of(), before(), SETTINGS) == []


@pytest.mark.parametrize(
    ("failed", "expected"), [(0, []), (1, ["failed-share"]), (5, ["failed-share"])]
)
def test_i8_failed_writes_above_their_share_are_an_error(failed: int, expected: list[str]) -> None:
    """One in ten is above one in twenty."""
    found = alerts.raised(run_of(failed=failed), before(), SETTINGS)
    assert names(found) == expected
    assert alerts.exit_code(found) == len(expected)


def test_i8_failed_writes_within_their_share_are_none() -> None:
    """One in a hundred is below one in twenty; the exit code says that some failed all the same."""
    assert alerts.raised(run_of(failed=1, updates=99), before(updates=90), SETTINGS) == []


@pytest.mark.parametrize("rows", [700, 1_300])
def test_i8_a_side_with_more_or_fewer_records_than_usual_is_named(rows: int) -> None:
    """The side, the entity, the figure and the usual figure stand in the alert."""
    (alert,) = alerts.raised(
        run_of(rows={"contact.app": rows, "contact.ghl": 1_000}), before(), SETTINGS
    )
    assert alert.name == "count-deviation"
    assert alert.what == f"app has {rows} contacts; usual in the last 5 runs: 1000"


@pytest.mark.parametrize(
    ("rows", "expected"), [(12, []), (58, ["count-deviation"]), (5, ["count-deviation"])]
)
def test_i8_a_small_side_that_grows_is_usual(rows: int, expected: list[str]) -> None:
    """A few new records are no news where there were eight; fifty are, and so is each loss above the share."""
    earlier = before(rows={"contact.app": 8, "contact.ghl": 8})
    now = run_of(rows={"contact.app": rows, "contact.ghl": 8})
    assert names(alerts.raised(now, earlier, SETTINGS)) == expected


def test_i8_what_is_usual_takes_three_runs_to_know() -> None:
    """Two earlier runs are no measure."""
    now = run_of(rows={"contact.app": 1, "contact.ghl": 1_000})
    assert alerts.raised(now, before(2), SETTINGS) == []
    assert names(alerts.raised(now, before(3), SETTINGS)) == ["count-deviation"]


def test_i8_one_strange_run_does_not_move_what_is_usual() -> None:
    """The median of the earlier runs is what counts."""
    earlier = [run_of("odd", rows={"contact.app": 5, "contact.ghl": 1_000}), *before(4)]
    assert alerts.raised(run_of(), earlier, SETTINGS) == []


def test_i8_many_times_the_usual_writes_are_named() -> None:
    """A bulk edit of somebody's shows as a multiple of what is usual; fewer than fifty writes never do."""
    assert names(alerts.raised(run_of(updates=500), before(), SETTINGS)) == ["count-deviation"]
    assert alerts.raised(run_of(updates=49), before(updates=1), SETTINGS) == []


def test_i8_runs_of_another_job_are_no_measure() -> None:
    """What a delta or an undo did says nothing of a nightly run."""
    assert alerts.raised(run_of(updates=500), before(job="undo"), SETTINGS) == []


@pytest.mark.parametrize("state", ["refused", "failed"])
def test_i8_a_run_that_did_nothing_is_an_error(state: str) -> None:
    """A refused run reconciles nothing until somebody looks at it."""
    assert names(alerts.raised(run_of(state=state), before(), SETTINGS)) == ["refused"]


def test_i8_recovery_is_told_once() -> None:
    """After a run with alerts a good one says so, and the next good one says nothing."""
    bad = run_of("bad", alerts=["failed-share"])
    found = alerts.raised(run_of(), [bad, *before()], SETTINGS)
    assert names(found) == ["recovered"]
    assert "failed-share" in found[0].what
    assert alerts.exit_code(found) == 0
    assert alerts.raised(run_of("later"), [run_of(), bad], SETTINGS) == []


def test_i8_a_run_is_not_measured_against_itself() -> None:
    """Where the ledger has the run's own row already, it does not count."""
    odd = run_of(rows={"contact.app": 500, "contact.ghl": 1_000})
    assert names(alerts.raised(odd, [odd, *before()], SETTINGS)) == ["count-deviation"]


def test_i8_alerts_reach_the_log_the_exit_code_and_the_report(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Rejected writes above their share: an error in the log with keys, exit code 2, and the alert in the document."""
    caplog.set_level(logging.INFO, logger="flows.outcome.alerts")
    with World(limits={"max_first_creates": 100}) as world:
        world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com"})
        world.set_vices(world.ghl.side, rejects=lambda write: "READ_ONLY")
        bad = night(world)
        world.set_vices(world.ghl.side, rejects=lambda write: None)
        good = night(world)
    assert bad.exit_code == 2
    assert [alert["name"] for alert in bad.document["alerts"]] == ["failed-share"]
    assert [alert["name"] for alert in good.document["alerts"]] == ["recovered"]
    assert good.exit_code == 0
    logged = [
        (record.levelname, record.__dict__["alert"])
        for record in caplog.records
        if record.msg == "alert"
    ]
    assert logged == [("ERROR", "failed-share"), ("INFO", "recovered")]


def test_i8_alerts_become_prefect_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each alert is an event about the pair, with the run, the severity and the sentence; no record's value is in it."""
    from types import SimpleNamespace
    from typing import cast

    from flows.orchestration import engine

    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(engine, "emit_event", lambda **event: sent.append(event))
    monkeypatch.setattr(engine, "create_markdown_artifact", lambda *_, **__: None)
    with World(limits={"max_first_creates": 100}) as world:
        world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com"})
        world.set_vices(world.ghl.side, rejects=lambda write: "INVALID_FIELD")
        told = night(world)
    engine.publish(cast("Any", SimpleNamespace(name="acme")), told)
    (event,) = sent
    assert event["event"] == "ghl-reconcile.failed-share"
    assert event["resource"]["prefect.resource.id"] == "ghl-reconcile.pair.acme"
    assert event["payload"]["run"] == told.document["run_id"]
    assert "ann@x.com" not in repr(event)
