"""The report as a document: valid, stable, and with every figure that people and machines ask of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconcile.compare import diff
from reconcile.model import Entity, OpKind, Side
from reconcile.plan.plan import Group
from reconcile.ports import FieldInfo, Usage
from reconcile.report import About, document, markdown, write
from reconcile.report.changes import failures
from reconcile.report.page import page
from reconcile.report.schema import schema
from reconcile.values.codecs import Instant, Labels
from reconcile.values.policy import OnConflict, Rule
from tests.builders import HOLD, World, contacts, field_of, mapping_of, notes, plan_of, tasks
from tests.builders_report import dumped
from tests.builders_world import busy_world, seen
from tests.schemas import valid

COMMITTED = Path(__file__).parents[3] / "docs" / "report.schema.json"


@pytest.fixture(scope="module")
def busy() -> dict[str, Any]:
    """The document of a busy run."""
    with busy_world() as world, seen(world) as found:
        return document(found.stage, found.run.mapping, found.about)


def timeless(whole: dict[str, Any]) -> str:
    """A document without the run's name and times."""
    plain = json.loads(dumped(whole))
    for name in ("run_id", "started_at", "ended_at", "seconds", "times", "trends"):
        del plain[name]
    for snapshot in plain["provenance"]["snapshots"]:
        del snapshot["taken_at"]
    for hold in plain["holds"]:
        del hold["opened"]
    return json.dumps(plain)


def test_the_published_schema_is_current() -> None:
    """docs/report.schema.json is what the code says; `python -m reconcile.report > docs/report.schema.json` writes it."""
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == schema()


def test_a_report_is_valid_against_its_schema(busy: dict[str, Any]) -> None:
    """The document of a run with everything in it has the published form."""
    valid(json.loads(dumped(busy)))


def test_one_element_of_a_set_is_shown_as_it_is() -> None:
    """Of a question about one element of a set, as a restored backup asks it, the report shows the element: it ended as a defect, night after night."""
    likes = field_of(
        "likes", Labels(folded=False, name="set"), rule=Rule(conflict=OnConflict.UNION)
    )
    mapping = mapping_of(contacts(field_of("email"), likes, match=(("email",),)))
    with World(mapping=mapping) as world:
        for side in world.sides.values():
            side._fields[Entity.CONTACT]["likes"] = FieldInfo("json")
        world.app.put(Entity.CONTACT, {"email": "ann@x.com", "likes": ["Polski"]}, key="a1")
        world.run()
        world.clock.advance(86_400)
        backup = world.app.backup()
        world.app.edit(Entity.CONTACT, "a1", {"likes": ["Deutsch", "Polski"]})
        world.run()
        world.clock.advance(86_400)
        world.app.restore(backup)
        with seen(world) as found:
            whole = document(found.stage, found.run.mapping, found.about)
    (asked,) = whole["holds"]
    assert asked["field"] == "likes: Deutsch"
    assert (asked["values"]["app"], asked["values"]["ghl"]) == (None, "Deutsch")


@pytest.mark.parametrize("state", ["refused", "failed", "planned", "audit"])
def test_every_kind_of_end_is_valid(state: Any) -> None:
    """A plan, an audit, a refusal and a failure have the published form too."""
    with (
        busy_world() as world,
        seen(world, apply=False, state=state, refusal="too many deletes") as found,
    ):
        whole = document(found.stage, found.run.mapping, found.about)
        valid(json.loads(dumped(whole)))
        assert markdown(whole)


def test_a_run_without_a_plan_has_a_report(tmp_path: Path) -> None:
    """A run that failed while reading has its reason in a valid report."""
    with World(mapping=mapping_of(contacts())) as world, seen(world, apply=False) as found:
        found.stage.run("DROP TABLE planned")
        about = About(
            "r1",
            "p",
            "nightly",
            "2026-01-01T00:00:00Z",
            None,
            "failed",
            stopped="GHL did not answer",
        )
        paths = write(found.stage, found.run.mapping, about, tmp_path)
        whole = json.loads(paths["json"].read_text(encoding="utf-8"))
        valid(json.loads(dumped(whole)))
        assert "GHL did not answer" in whole["verdict"]["sentences"]


def test_equal_states_give_equal_documents() -> None:
    """Two runs on the same state differ in their names and times alone."""
    with busy_world() as world:
        made = []
        for _ in range(2):
            with seen(world, apply=False, usage={}) as found:
                made.append(timeless(document(found.stage, found.run.mapping, found.about)))
        assert made[0] == made[1]


def test_the_figures_say_what_was_done(busy: dict[str, Any]) -> None:
    """Creates, updates, deletes, conflicts, holds and what is left stand there by entity."""
    figures = busy["entities"]
    contact = figures["contact"]
    assert [contact[name] for name in ("creates", "updates", "deletes", "conflicts", "holds")] == [
        1,
        1,
        1,
        1,
        4,
    ]
    assert [figures["tag"][name] for name in ("creates", "deletes")] == [1, 1]
    assert figures["task"] | {"creates": 1, "left": 1} == figures["task"]
    assert contact["estimate"] == 5, (
        "a create, an update, a delete and the looks before the last two"
    )
    assert contact["residual_operations"] == 0


def test_requests_are_told_apart_by_entity() -> None:
    """A side that counts requests by endpoint lets each entity have its own, and reading apart from writing."""
    counts = {
        "contact.search": 2,
        "contact.create": 1,
        "bulk.tags": 1,
        "tag.add": 3,
        "task.search": 5,
        "note.list": 7,
        "location.get": 1,
    }
    usage = {
        Side.GHL: Usage(requests=20, by_endpoint=counts, window=(100, 10.0)),
        Side.APP: Usage(requests=50),
    }
    with busy_world() as world, seen(world, usage=usage) as found:
        whole = document(found.stage, found.run.mapping, found.about)
    assert {name: row["requests"] for name, row in whole["entities"].items()} == {
        "contact": 3,
        "tag": 4,
        "task": 5,
        "note": 7,
    }
    assert (whole["usage"]["ghl"]["reading"], whole["usage"]["ghl"]["writing"]) == (15, 5)


def test_a_second_plan_is_the_certificate() -> None:
    """What the plan made again after the run holds is what is still to do."""
    replan = plan_of(groups=(Group(Entity.CONTACT, Side.GHL, OpKind.UPDATE, 3),))
    with busy_world() as world, seen(world, replan=replan) as found:
        whole = document(found.stage, found.run.mapping, found.about)
    assert whole["certificate"]["mode"] == "replanned"
    assert whole["entities"]["contact"]["residual_operations"] == 3


def test_a_change_names_the_record_and_both_values(busy: dict[str, Any]) -> None:
    """An update has the record's name, its keys on both sides, and the field before and after."""
    (update,) = [entry for entry in busy["changes"] if entry["kind"] == "update"]
    assert (update["label"], update["app_key"], update["ghl_key"]) == (
        "Ann Lee",
        "app-contact-1",
        "ghl-contact-1",
    )
    assert update["fields"] == [{"field": "company", "before": None, "after": "ACME"}]


def test_a_created_record_has_its_new_key(busy: dict[str, Any]) -> None:
    """The key that the side gave a created record stands beside the one it was made from."""
    (made,) = [
        entry
        for entry in busy["changes"]
        if entry["kind"] == "create" and entry["entity"] == "contact"
    ]
    assert (made["app_key"], made["ghl_key"]) == ("app-contact-8", "ghl-contact-7")


def test_a_task_says_whose_it_is(busy: dict[str, Any]) -> None:
    """A task's change names its contact."""
    (made,) = [entry for entry in busy["changes"] if entry["entity"] == "task"]
    assert (made["label"], made["under"]) == ("Mail", "Eve")


def test_a_conflict_shows_both_values_and_its_choices(busy: dict[str, Any]) -> None:
    """A held conflict has what each side holds, what both held before, and what each choice does."""
    (hold,) = [hold for hold in busy["holds"] if hold["kind"] == "conflict"]
    assert hold["values"] == {
        "app": "From the app",
        "ghl": "From GHL",
        "base_app": "B",
        "base_ghl": "B",
    }
    assert [option["choice"] for option in hold["options"]] == ["app", "ghl", "leave"]


def test_an_ambiguous_match_shows_its_candidates(busy: dict[str, Any]) -> None:
    """The records that could be meant stand there with their values."""
    hold = next(
        hold for hold in busy["holds"] if hold["kind"] == "ambiguous" and hold["side"] == "app"
    )
    assert hold["candidates"][0]["values"] == {"first_name": "Fay", "email": "fay@x.com"}


def test_a_question_about_a_task_says_whose_it_is() -> None:
    """Many people have a task to call them: its question names the person, and so does one about a task that is not sent."""
    due = field_of("due", Instant(), required_by=(Side.GHL,))
    with World(mapping=mapping_of(contacts(), tasks(field_of("title"), due))) as world:
        for name in ("Ann", "Bob"):
            contact = {"first_name": name, "email": f"{name}@x.com"}
            key = world.app.put(Entity.CONTACT, contact)
            world.app.put(Entity.TASK, {"title": "Call"}, parent=key)
        with seen(world) as found:
            asked = document(found.stage, found.run.mapping, found.about)["holds"]
        assert sorted(hold["label"] for hold in asked) == ["Call of Ann", "Call of Bob"]
        assert {hold["kind"] for hold in asked} == {"required"}


def test_a_deletion_that_is_asked_about_says_what_would_go_along() -> None:
    """Beside the answer to delete stands how many tasks and notes the record takes with it; those that are gone do not count."""
    asks = mapping_of(contacts(delete=HOLD), tasks(), notes())
    with World(mapping=asks) as world:
        ann = world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com"})
        for title in ("Call", "Write"):
            world.app.put(Entity.TASK, {"title": title}, parent=ann)
        world.app.put(Entity.NOTE, {"body": "met her"}, parent=ann)
        world.run()
        (there,) = world.ghl.rows(Entity.CONTACT)
        world.ghl.delete(Entity.CONTACT, there)
        with seen(world) as found:
            whole = document(found.stage, found.run.mapping, found.about)
    (hold,) = (hold for hold in whole["holds"] if hold["kind"] == "delete")
    assert (hold["side"], hold["along"]) == ("app", {"task": 2, "note": 1})
    assert "the record that is left is deleted too, with 2 tasks and 1 note" in page(whole)


def test_a_question_has_an_age() -> None:
    """The days since a question was first asked are counted, and the oldest comes first."""
    with busy_world() as world, seen(world) as found:
        young = document(found.stage, found.run.mapping, found.about)["holds"]
        oldest = young[-1]["hold_id"]
    with busy_world() as world, seen(world, opened={oldest: "2025-12-22T00:00:00Z"}) as found:
        holds = document(found.stage, found.run.mapping, found.about)["holds"]
    assert (holds[0]["hold_id"], holds[0]["age_days"]) == (oldest, 10)


def test_a_rejected_write_stands_with_its_remedy() -> None:
    """Failures are grouped by code, with what to do about it and the records concerned."""
    with World() as world:
        world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "a@x.com"})
        world.set_vices(Side.GHL, rejects=lambda write: "INVALID_FIELD")
        with seen(world) as found:
            whole = document(found.stage, found.run.mapping, found.about)
    (group,) = whole["failures"]
    assert group["code"] == "INVALID_FIELD"
    assert "at its source" in group["remedy"]
    assert group["examples"][0]["label"] == "Ann"
    assert whole["verdict"]["code"] == "failures"
    assert whole["entities"]["contact"]["failed"] == 1


def test_a_write_that_never_happened_is_not_told_as_refused() -> None:
    """What a look after an interruption showed is no refusal: nobody has to correct anything, the next run does it."""
    (group,) = failures(
        [
            {
                "op_id": "1",
                "entity": "note",
                "kind": "create",
                "side": "ghl",
                "label": "called",
                "detail": "",
                "trace_id": None,
                "status": "skipped",
                "code": "NOT_APPLIED",
            }
        ]
    )
    assert group["settles_itself"]
    assert "never to have happened" in group["meaning"]
    assert "next run plans it again" in group["remedy"]


def test_a_cause_that_many_share_is_told_once() -> None:
    """With how many and the first records; what a side says of the one record makes no other cause of it."""
    why = "the database refuses the record: a column gets no value (column plan)"
    entries: list[dict[str, Any]] = [
        {
            "op_id": f"o{at}",
            "entity": "contact",
            "kind": "create",
            "side": "app",
            "label": f"Person {at}",
            "status": "rejected",
            "code": "CONSTRAINT",
            "detail": f"{why}, row {at}",
            "trace_id": None,
        }
        for at in range(200)
    ]
    entries += [{**entries[0], "kind": "update", "label": "Other"}]
    entries += [{**entries[0], "detail": "it refers to a row that is not there", "label": "Else"}]
    (group,) = failures(entries)
    assert (group["count"], len(group["examples"])) == (202, 50)
    told = [(cause["kind"], cause["count"], cause["records"]) for cause in group["causes"]]
    people = [f"Person {at}" for at in range(5)]
    assert told == [("create", 200, people), ("update", 1, ["Other"]), ("create", 1, ["Else"])]


def test_a_dropped_value_shows_what_is_stored_instead() -> None:
    """A write that was accepted and not stored shows sent and stored side by side."""
    with World() as world:
        key = world.app.put(
            Entity.CONTACT, {"first_name": "Ann", "email": "a@x.com", "company": "Old"}
        )
        world.run()
        world.app.edit(Entity.CONTACT, key, {"company": "New"})
        world.set_vices(Side.GHL, drops=frozenset({"company"}))
        with seen(world) as found:
            whole = document(found.stage, found.run.mapping, found.about)
    (change,) = whole["changes"]
    assert change["status"] == "value_dropped"
    assert change["fields"] == [
        {"field": "company", "before": "Old", "after": "New", "stored": "Old"}
    ]


def test_the_quality_of_the_records_is_told(busy: dict[str, Any]) -> None:
    """Twins within a side, contacts without phone, overdue tasks and tags in use are counted."""
    quality = busy["quality"]
    assert quality["twins"][0]["value"] == "fay@x.com"
    assert {"entity": "contact", "side": "ghl", "field": "email", "count": 1} in quality["missing"]
    assert quality["overdue_tasks"][0]["keys"] == ["ghl-task-2"]
    assert quality["tags"][0] == {"tag": "vip", "app": 1, "ghl": 1}


def test_the_agreement_of_every_field_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the compared pairs the equal ones and those blank on a side are counted, over however many parts they come in."""
    monkeypatch.setattr(diff, "_PART", 2)
    with World(mapping=mapping_of(contacts(match=(("email",),)))) as world:
        for at, (app, ghl) in enumerate(
            (("A", "A"), ("A", "B"), (None, "B"), ("A", None), (None, None))
        ):
            world.app.put(Entity.CONTACT, {"email": f"{at}@x.com", "company": app})
            world.ghl.put(Entity.CONTACT, {"email": f"{at}@x.com", "company": ghl})
        with seen(world, apply=False) as found:
            agreement = document(found.stage, found.run.mapping, found.about)["quality"][
                "agreement"
            ]
    (company,) = (each for each in agreement if each["field"] == "company")
    counts = {"compared": 5, "equal": 2, "blank_in_app": 1, "blank_in_ghl": 1}
    assert company == {"entity": "contact", "field": "company"} | counts


def test_an_audit_looks_at_every_record() -> None:
    """In an audit the records in sync are looked at too."""
    with busy_world() as world:
        world.run()
        with seen(world, apply=False, state="audit") as found:
            looked = document(found.stage, found.run.mapping, found.about)["quality"]["looked_at"]
    assert all(sides["app"]["cell"] == sides["app"]["raw"] for sides in looked.values())


def test_tags_that_are_probably_one_are_found() -> None:
    """Tags that differ in a hyphen, a plural or a letter are named as probable doubles."""
    with World() as world:
        for at, tags in enumerate((["newsletter"], ["news-letter"], ["newsletters"], ["vip"])):
            world.app.put(
                Entity.CONTACT, {"first_name": "A", "email": f"{at}@x.com", "tags": list(tags)}
            )
        with seen(world, apply=False) as found:
            similar = document(found.stage, found.run.mapping, found.about)["quality"][
                "similar_tags"
            ]
    pairs = {frozenset((pair["tag"], pair["like"])) for pair in similar}
    assert frozenset(("newsletter", "news-letter")) in pairs
    assert all("vip" not in pair for pair in pairs)


def test_earlier_runs_make_the_trend() -> None:
    """The figures of earlier runs and of this one stand oldest first."""
    history = [
        {"run_id": f"r{n}", "started_at": f"2025-12-{n}", "entities": {"contact": {"creates": n}}}
        for n in (12, 11)
    ]
    with busy_world() as world, seen(world, history=history) as found:
        trends = document(found.stage, found.run.mapping, found.about)["trends"]
    assert [run["run_id"] for run in trends] == ["r11", "r12", found.about.run_id]


def test_markdown_begins_with_the_verdict(busy: dict[str, Any]) -> None:
    """The first line of the Markdown is the verdict, and both values of the conflict stand in it."""
    text = markdown(busy)
    assert text.splitlines()[0].endswith("4 questions wait for a decision")
    assert "| From the app | From GHL |" in text


def test_markdown_keeps_a_table_whole() -> None:
    """A value with a bar, a line break or a tag in it does not break the table."""
    with busy_world() as world:
        world.app.edit(Entity.CONTACT, "app-contact-1", {"company": "A|B\n<b>"})
        with seen(world) as found:
            text = markdown(document(found.stage, found.run.mapping, found.about))
    assert "A\\|B &lt;b>" in text
