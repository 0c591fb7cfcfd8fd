"""undo, explain, prune and plan --backtest between a real database and GHL's look-alike, as a person types them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.cli import call
from flows.demo import edit, make
from flows.demo.seen import Holder, opened

PAIR = "acme.toml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo after its first night."""
    made = tmp_path_factory.mktemp("undo") / "demo"
    make(made, contacts=40)
    call(["run", "--pair", str(made / PAIR), "--engine", "local", "--verify", "none", "--json"])
    return made


def everybody(folder: Path) -> dict[str, list[Any]]:
    """Whom both sides hold, with tags, tasks and notes, without keys."""
    with opened(folder, folder / PAIR, None) as ends:
        sides = {"app": ends.app().values(), "ghl": ends.ghl().values()}
        return {
            side: sorted(repr(_keyless(one)) for one in holders) for side, holders in sides.items()
        }


def _keyless(one: Holder) -> tuple[Any, ...]:
    tasks = {title: replace(task, key="") for title, task in sorted(one.tasks.items())}
    notes = sorted(" ".join(text.split()) for text in one.notes)
    return (
        dict(sorted(one.cells.items())),
        sorted(one.tags),
        tasks,
        notes,
        dict(sorted(one.repeated.items())),
    )


def ran(capsys: pytest.CaptureFixture[str], folder: Path, *tokens: str) -> dict[str, Any]:
    """What a command says with --json."""
    capsys.readouterr()
    call([*tokens, "--pair", str(folder / PAIR), "--json"])
    said = capsys.readouterr()
    assert said.out, said.err
    found: dict[str, Any] = json.loads(said.out)
    return found


def test_g8_plan_with_backtest_tries_the_pair_file_on_the_last_runs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The unchanged file comes to the same plan; with another rule the differences are listed, with exit code 1."""
    told = ran(capsys, folder, "plan", "--backtest", "1")
    assert [(run["same"], run["operations_now"] > 0) for run in told["runs"]] == [(True, True)]
    text = (folder / PAIR).read_text(encoding="utf-8")
    (folder / "other.toml").write_text(
        text.replace('phone = "phone" ', '# phone = "phone" '), encoding="utf-8"
    )
    (folder / "other.toml").write_text(
        (folder / "other.toml")
        .read_text(encoding="utf-8")
        .replace('["email", "phone", [', '["email", ['),
        "utf-8",
    )
    capsys.readouterr()
    assert call(["plan", "--pair", str(folder / "other.toml"), "--backtest", "1"]) == 1
    assert "nightly" in capsys.readouterr().out


def test_j3_explain_tells_what_a_record_was(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`explain contact KEY --as-of DATE` names both sides' values, and the writes up to then."""
    told = ran(capsys, folder, "explain", "contact", "1", "--as-of", "2999-01-01")
    assert told["held"]["app"]["values"]["email"] == told["held"]["ghl"]["values"]["email"]
    assert told["lines"][0].startswith("At 2999-01-01")


def test_prune_says_what_it_would_remove_and_removes_it_when_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A settled run's stage goes, its archive stays; without --yes nothing goes."""
    stages = sorted(folder.glob("state/runs/*nightly*/stage.duckdb"))
    looked = ran(capsys, folder, "prune")
    assert len(looked["stages"]) == len(stages) > 0
    assert all(path.exists() for path in stages)
    ran(capsys, folder, "prune", "--yes")
    assert not any(path.exists() for path in stages)


def test_j2_undo_of_a_night_with_every_kind_of_write_restores_both_sides(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Plan, look, apply by digest: both sides hold what they held before the night, and the next plan is empty."""
    edit(folder, folder / PAIR)
    before = everybody(folder)
    told = ran(capsys, folder, "run", "--engine", "local", "--verify", "none")
    kinds = {
        (change["kind"], change["entity"])
        for change in told["changes"]
        if change["status"] == "done"
    }
    assert {
        ("create", "contact"),
        ("update", "contact"),
        ("delete", "contact"),
        ("add_tags", "tag"),
    } <= kinds
    assert {("create", "note"), ("create", "task"), ("update", "task"), ("delete", "task")} <= kinds
    assert everybody(folder) != before
    planned = ran(capsys, folder, "undo", told["run_id"])
    assert everybody(folder) != before
    assert planned["undo"]["left"] == []
    assert any("comes back with a new id" in line for line in planned["undo"]["lost"])
    back = ran(capsys, folder, "apply", planned["provenance"]["plan_digest"])
    assert {change["status"] for change in back["changes"]} == {"done"}
    assert everybody(folder) == before
    again = ran(capsys, folder, "plan")
    assert [change for change in again["changes"] if change["kind"] != "adopt"] == []
    assert everybody(folder) == before
