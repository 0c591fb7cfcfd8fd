"""An undo between a real database and GHL's look-alike over HTTP, by the commands that a person types."""

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


def everybody(folder: Path) -> dict[str, list[Any]]:
    """Whom both sides hold, with tags, tasks and notes, without keys."""
    with opened(folder, folder / PAIR, None) as ends:
        sides = {"app": ends.app().values(), "ghl": ends.ghl().values()}
        return {side: sorted((repr(_keyless(one)) for one in holders)) for side, holders in sides.items()}


def _keyless(one: Holder) -> tuple[Any, ...]:
    tasks = {title: replace(task, key="") for title, task in sorted(one.tasks.items())}
    notes = sorted(" ".join(text.split()) for text in one.notes)
    return dict(sorted(one.cells.items())), sorted(one.tags), tasks, notes, dict(sorted(one.repeated.items()))


def ran(capsys: pytest.CaptureFixture[str], folder: Path, *tokens: str) -> dict[str, Any]:
    """What a command says with --json."""
    capsys.readouterr()
    call([*tokens, "--pair", str(folder / PAIR), "--json"])
    said = capsys.readouterr()
    assert said.out, said.err
    found: dict[str, Any] = json.loads(said.out)
    return found


def test_j2_undo_of_a_night_with_every_kind_of_write_restores_both_sides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Plan, look, apply by digest: both sides hold what they held before the night, and the next plan is empty."""
    folder = tmp_path / "demo"
    make(folder, contacts=40)
    ran(capsys, folder, "run", "--engine", "local", "--verify", "none")
    edit(folder, folder / PAIR)
    before = everybody(folder)
    told = ran(capsys, folder, "run", "--engine", "local", "--verify", "none")
    kinds = {(change["kind"], change["entity"]) for change in told["changes"] if change["status"] == "done"}
    assert {("create", "contact"), ("update", "contact"), ("delete", "contact"), ("add_tags", "tag")} <= kinds
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
