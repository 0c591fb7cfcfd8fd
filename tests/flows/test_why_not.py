"""What is said of a record that does not sync, of a value that is apart, and of one that is well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.memory import Vices
from flows.outcome.brief import brief
from flows.outcome.past import Evidence
from flows.outcome.sought import Ends, Sources, find
from flows.outcome.why_not import Finding, document, lines, why_not
from reconcile.errors import Refused, StateError
from reconcile.ledger import tombstones
from reconcile.model import Entity, Side
from reconcile.report import kept
from reconcile.values.jsonl import hold_from
from reconcile.values.mapping import Filter
from tests.builders import World, by_email, contacts, mapping_of, notes, tasks
from tests.flows.nights import night


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Two nights after which something keeps nearly everybody apart, each in another way."""
    fields = {field.name: field for field in contacts().fields}
    fields["last_name"] = replace(fields["last_name"], required=True)
    mapped = contacts(
        *fields.values(),
        exclude=(Filter("company", ("ACME",)),),
        absent_runs=2,
    )
    with World(mapping=mapping_of(mapped, tasks(), notes())) as world:
        app, ghl = world.app, world.ghl
        for name in ("ann", "bob", "cyd", "eve"):
            app.put(
                Entity.CONTACT,
                {"first_name": name, "email": f"{name}@x.com", "last_name": "Rome", "company": "A"},
            )
        for number in (1, 2):
            fields = {"first_name": f"Ivy {number}", "email": "ivy@x.com", "last_name": "Rome"}
            app.put(Entity.CONTACT, fields, key=f"ivy{number}")
        night(world)
        for row in world.ledger.holds():
            world.decide(hold_from(json.loads(row.body)), "ignore")
        app.edit(Entity.CONTACT, by_email(world, Side.APP, "ann@x.com"), {"company": "B"})
        ghl.edit(Entity.CONTACT, by_email(world, Side.GHL, "ann@x.com"), {"company": "C"})
        app.edit(Entity.CONTACT, by_email(world, Side.APP, "bob@x.com"), {"phone": "12"})
        ghl.delete(Entity.CONTACT, by_email(world, Side.GHL, "cyd@x.com"))
        app.edit(Entity.CONTACT, by_email(world, Side.APP, "eve@x.com"), {"last_name": "Oslo"})
        app.put(Entity.CONTACT, {"first_name": "Fay", "email": "fay@x.com"}, key="fay")
        app.put(
            Entity.CONTACT,
            {"first_name": "Guy", "email": "guy@x.com", "last_name": "Rome", "company": "ACME"},
            key="guy",
        )
        for number in (1, 2):
            fields = {"first_name": f"Hal {number}", "email": "hal@x.com", "last_name": "Rome"}
            app.put(Entity.CONTACT, fields, key=f"hal{number}")
        night(world)
        yield world


def asked(world: World, evidence: Evidence) -> Sources:
    """What there is to be asked about a world."""

    def report(run_id: str) -> Any:
        path = world.folder / "runs" / run_id / "report.json"
        return kept.read(path) if path.exists() else None

    return Sources(world.ledger, evidence, world.mapping, report)


def findings(world: World, name: str, field: str | None = None) -> list[Finding]:
    """What is found about a contact."""
    with Evidence(world.folder / "runs") as evidence:
        return why_not(asked(world, evidence), Entity.CONTACT, name, field)


def kinds(world: World, name: str, field: str | None = None) -> list[str]:
    """The kinds of what keeps it."""
    return [reason.kind for finding in findings(world, name, field) for reason in finding.reasons]


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("ann@x.com", "conflict", "changed on both sides to different values"),
        ("bob@x.com", "unsyncable", "it is not a telephone number"),
        ("cyd@x.com", "quarantined", "missing from GHL in 1 complete run in a row; from 2 on"),
        ("fay@x.com", "unsyncable", "required, but blank: last_name"),
        ("guy", "excluded", "left out by an exclude rule: company is one of 'ACME'"),
        ("hal1", "duplicate", "another record has the same email already"),
        ("ivy1", "excluded", "decided by Ada: ignore; another record has the same email already"),
        ("zoe@x.com", "absent", "no run that is still archived saw a contact with that key"),
    ],
)
def test_each_thing_that_does_not_sync_is_told_with_its_reason_and_remedy(
    world: World, name: str, kind: str, said: str
) -> None:
    """Whatever keeps a contact apart is named, by key or by email, and what to do about it."""
    (finding,) = findings(world, name)
    (reason,) = finding.reasons
    assert reason.kind == kind
    assert said in reason.says
    assert reason.remedy
    assert any(reason.remedy in line for line in lines(finding))
    assert document(finding)["reasons"][0]["kind"] == kind


def test_what_a_person_left_out_is_not_put_down_to_the_pair_file(world: World) -> None:
    """Whoever answered `ignore` finds no rule to change: it is looked at anew when the record changes."""
    (finding,) = findings(world, "ivy1")
    (reason,) = finding.reasons
    assert "at its source" in reason.remedy
    assert "pair file" not in reason.remedy


def test_what_is_well_is_said_to_be(world: World) -> None:
    """Of a contact that was carried, nothing is held against it; a name of two says so of both."""
    (finding,) = findings(world, "eve@x.com")
    assert not finding.reasons
    assert "nothing keeps it" in "\n".join(lines(finding))
    assert {side for side, _, _ in finding.seen} == set(Side)
    assert kinds(world, "hal@x.com") == ["duplicate", "duplicate"]


def test_a_field_narrows_it_to_that_value(world: World) -> None:
    """The conflict is about the company; of the phone there is nothing to say."""
    assert kinds(world, "ann@x.com", "company") == ["conflict"]
    assert kinds(world, "ann@x.com", "phone") == []


@pytest.mark.parametrize(
    ("entity", "field", "said"),
    [
        (Entity.CONTACT, "compny", "maps no field 'compny'.*add a line for it"),
        (Entity.COMPANY, None, "maps no companies.*add .company.fields."),
    ],
)
def test_what_the_pair_file_does_not_map_is_said(
    world: World, entity: Entity, field: str | None, said: str
) -> None:
    """A field or a kind of record that nobody maps is why it does not sync."""
    with Evidence(world.folder / "runs") as evidence, pytest.raises(StateError, match=said):
        why_not(asked(world, evidence), entity, "ann@x.com", field)


def test_each_value_is_told_in_ten_lines_with_the_run_that_wrote_it(world: World) -> None:
    """Who it is, what keeps a value apart first, then which run wrote which value and why."""
    with Evidence(world.folder / "runs") as evidence:
        sources = asked(world, evidence)
        sources = replace(sources, place=lambda run_id: f"https://reports/{run_id}")
        (ann,) = find(sources, Entity.CONTACT, "ann@x.com")
        (eve,) = find(sources, Entity.CONTACT, "eve@x.com")
        told = {
            name: brief(sources, Entity.CONTACT, ends)
            for name, ends in {"a": ann, "e": eve}.items()
        }
    first, second, *_ = told["a"].lines
    assert first.startswith(f"ann Rome: app {ann.app} = GHL {ann.ghl}, linked since run")
    assert second.startswith("company “B” in the app, “C” in GHL: changed on both sides")
    assert "review" in second
    name = next(line for line in told["e"].lines if line.startswith("last_name"))
    assert name.startswith("last_name “Oslo”: written in GHL on ")
    assert name.endswith("changed in the app, not in GHL (after 1 earlier)")
    assert told["e"].lines[-1].startswith("Report: https://reports/n")
    assert all(len(each.lines) <= 10 for each in told.values())
    values = {each["fields"][0]: each["kind"] for each in told["e"].document["values"]}
    assert values["last_name"] == values["email"] == "written"
    assert values["phone"] == "blank"


def test_one_without_a_counterpart_says_why_it_has_none(world: World) -> None:
    """In place of values that nobody compared, it tells what keeps it from being made."""
    with Evidence(world.folder / "runs") as evidence:
        told = brief(asked(world, evidence), Entity.CONTACT, Ends("fay", None))
    assert told.lines[0] == "app fay: not linked to a record on the other side."
    assert "required, but blank: last_name" in told.lines[1]


def test_a_refused_run_is_why_nothing_was_made() -> None:
    """What a limit stopped is told as such, with the way to allow it."""
    with World(limits={"max_first_creates": 1}) as world:
        for name in ("ann", "bob"):
            world.app.put(Entity.CONTACT, {"first_name": name, "email": f"{name}@x.com"}, key=name)
        with pytest.raises(Refused):
            night(world)
        reason, newest = findings(world, "ann")[0].reasons
        assert reason.kind == "pending"
        assert "was refused" in reason.says
        assert "--allow" in reason.says + reason.remedy
        assert newest.kind == "refused"


def test_a_write_that_the_side_refuses_is_told_with_its_code() -> None:
    """The side's own words, and what the code asks for."""
    with World() as world:
        world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com"}, key="ann")
        night(world)

        world.ghl.vices = Vices(rejects=lambda write: "INVALID_FIELD")
        world.app.edit(Entity.CONTACT, "ann", {"company": "Oslo"})
        night(world)
        (reason, *_) = findings(world, "ann")[0].reasons
        assert reason.fields == ("company",)
        assert reason.kind in ("rejected", "refused")
        assert reason.remedy


def test_somebody_who_was_erased_is_told_without_a_value() -> None:
    """The salted digest of key and email is all that is left, and it is enough to say so."""
    with World() as world:
        night(world)
        with world.ledger.transaction() as connection:
            traits = [("contact", "app", "ann"), ("contact", "email", "ann@x.com")]
            tombstones.put(world.ledger, connection, traits, salt="s", at=world.clock())
        assert kinds(world, "ann") == kinds(world, "ANN@x.com") == ["erased"]
        assert kinds(world, "bob") == ["absent"]


def test_before_the_first_run_that_is_the_reason() -> None:
    """A pair that no run has read yet says so."""
    with World() as world:
        assert kinds(world, "ann") == ["never_read"]
