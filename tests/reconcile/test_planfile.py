"""The plan as a file: its digest, what tampering does to it, and where it says that a line is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconcile.errors import StateError
from reconcile.model import Entity, OpKind, Side
from reconcile.plan import planfile
from reconcile.plan.plan import Group
from reconcile.values.jsonl import body
from tests.builders import hold_of, operation_of, plan_of


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Operations, holds and head come back as they were."""
    operations = [
        operation_of(),
        operation_of(OpKind.CREATE, op_id="op2", key=None, source={"email": "a@x.com"}),
    ]
    path = tmp_path / "plan.jsonl"
    plan = planfile.write(path, plan_of(), body(operations, [hold_of()]))
    assert planfile.read(path) == plan
    assert list(planfile.operations(path)) == operations
    assert list(planfile.holds(path)) == [hold_of()]
    assert planfile.digest(path) == plan.digest


def test_the_digest_is_of_what_will_be_done(tmp_path: Path) -> None:
    """Equal plans of two runs have one digest; another value, hold, generation or configuration gives another."""
    path = tmp_path / "plan.jsonl"
    first = planfile.write(path, plan_of(), body([operation_of()], [])).digest
    assert planfile.write(path, plan_of(run_id="r2"), body([operation_of()], [])).digest == first
    others = [
        planfile.write(
            path, plan_of(), body([operation_of(after={"company": "Other"})], [])
        ).digest,
        planfile.write(path, plan_of(), body([operation_of()], [hold_of()])).digest,
        planfile.write(path, plan_of(generation=1), body([operation_of()], [])).digest,
        planfile.write(path, plan_of(config_digest="d"), body([operation_of()], [])).digest,
        planfile.write(
            path, plan_of(snapshots={"contact.app": "1-2"}), body([operation_of()], [])
        ).digest,
    ]
    assert len({first, *others}) == 6


def test_a_plan_that_somebody_edited_has_another_digest(tmp_path: Path) -> None:
    """One changed letter in an operation changes the digest of the file."""
    path = tmp_path / "plan.jsonl"
    plan = planfile.write(path, plan_of(), body([operation_of()], []))
    path.write_text(path.read_text().replace("New", "Nev"))
    assert planfile.digest(path) != plan.digest


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("groups", []),
        ("holds", {}),
        ("generation", 9),
        ("config_digest", "other"),
        ("snapshots", {}),
    ],
)
def test_a_head_that_somebody_edited_has_another_digest(
    tmp_path: Path, member: str, value: object
) -> None:
    """Limits count by the head: with its groups taken out, a plan's deletes would pass under the digest that was approved."""
    path = tmp_path / "plan.jsonl"
    group = Group(Entity.CONTACT, Side.GHL, OpKind.DELETE, 37)
    made = plan_of(groups=(group,), holds={"conflict": 1}, snapshots={"contact.app": "1-2"})
    plan = planfile.write(path, made, body([operation_of()], [hold_of()]))
    head, _, rest = path.read_text().partition("\n")
    members = json.loads(head)
    members["plan"][member] = value
    path.write_text(json.dumps(members) + "\n" + rest)
    assert planfile.digest(path) != plan.digest


@pytest.mark.parametrize(
    ("line", "expected"),
    [("{", "a line of JSON"), ('{"kind":"update"}', "an operation"), ('{"hold":{}}', "a hold")],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, expected: str) -> None:
    """A line that is none says file, line and what was expected."""
    path = tmp_path / "plan.jsonl"
    planfile.write(path, plan_of(), body([operation_of()], []))
    with path.open("a") as out:
        out.write(line + "\n")
    with pytest.raises(StateError, match=f"plan.jsonl:3: not {expected}"):
        [*planfile.operations(path), *planfile.holds(path)]


def test_a_missing_plan_and_another_format_are_named(tmp_path: Path) -> None:
    """A file that is missing, or of another format, says so and what to do."""
    with pytest.raises(StateError, match=r"plan[.]jsonl:1: not a plan's head"):
        planfile.read(tmp_path / "plan.jsonl")
    (tmp_path / "plan.jsonl").write_text(json.dumps({"format": 99}) + "\n")
    with pytest.raises(StateError, match="format 99, expected 1"):
        planfile.read(tmp_path / "plan.jsonl")


def test_a_broken_write_leaves_the_former_plan(tmp_path: Path) -> None:
    """A plan file is written whole or not at all."""
    path = tmp_path / "plan.jsonl"
    plan = planfile.write(path, plan_of(), body([operation_of()], []))

    def breaking() -> object:
        yield operation_of(op_id="op2")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        planfile.write(path, plan_of(), body(breaking(), []))  # type: ignore[arg-type]
    assert planfile.digest(path) == plan.digest
