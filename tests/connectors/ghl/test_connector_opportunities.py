"""What the connector makes of pipelines, stages, duplicates and pages of opportunities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.ghl import apart
from connectors.ghl.pipelines import Pipeline, Pipelines, Stage
from connectors.memory import MemoryConnector
from flows.doctor.pipelines import pipelines
from reconcile.errors import InvalidField
from reconcile.model import Entity, OpKind, Side, Status
from reconcile.ports import Json, Page, Proof, Reply, Write
from reconcile.values.codecs import Text
from tests.builders import contacts, field_of, mapping_of
from tests.connectors.ghl.hosted import LOCATION, VERSIONS, Hosted, hosted

KIND = Entity.OPPORTUNITY
SALES = Pipeline("p1", "Sales", (Stage("s1", "New"), Stage("s2", "Signed")))
CARE = Pipeline("p2", "Care", (Stage("c1", "Asked"), Stage("c2", "New")))
KNOWN = Pipelines((SALES, CARE, Pipeline("p3", "Twice", ()), Pipeline("p4", "Twice", ())))


@pytest.fixture(params=VERSIONS)
def host(request: pytest.FixtureRequest) -> Iterator[Hosted]:
    """A location with two pipelines."""
    with hosted(version=request.param) as host:
        host.sandbox.seed_pipeline(LOCATION, "Sales", ["New", "Signed"])
        host.sandbox.seed_pipeline(LOCATION, "Care", ["Asked", "New"])
        yield host


def made(host: Hosted, contact: str, **fields: Json) -> Reply:
    """The reply to a create."""
    [reply] = host.connector.write(
        [Write("op", OpKind.CREATE, KIND, parent=contact, fields=fields)]
    )
    return reply


@pytest.mark.parametrize(
    ("fields", "held", "ids"),
    [
        ({"pipeline": "Care", "stage": "New"}, {}, {"pipelineId": "p2", "pipelineStageId": "c2"}),
        ({"pipeline": " Care "}, {}, {"pipelineId": "p2"}),
        ({"stage": "New"}, {"pipelineId": "p2"}, {"pipelineId": "p2", "pipelineStageId": "c2"}),
        (
            {"pipeline": "Care"},
            {"pipelineId": "p1", "pipelineStageId": "s1"},
            {"pipelineId": "p2", "pipelineStageId": "c2"},
        ),
        ({"pipeline": "Care"}, {"pipelineId": "p1"}, {"pipelineId": "p2"}),
        ({"name": "Roof"}, {}, {"name": "Roof"}),
    ],
)
def test_names_become_ids(
    fields: dict[str, Json], held: dict[str, Any], ids: dict[str, Json]
) -> None:
    """A stage is looked for in the pipeline that is written, else in the record's own; one of the same name goes along."""
    assert KNOWN.spelled(fields, held) == ids


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"pipeline": "Sale"}, "no pipeline called 'Sale'; near matches: Sales"),
        ({"pipeline": "sales"}, "no pipeline called 'sales'"),
        ({"pipeline": "Twice"}, "2 pipelines called 'Twice'"),
        (
            {"pipeline": "Care", "stage": "Signed"},
            "no stage of the pipeline 'Care' called 'Signed'",
        ),
        ({"pipeline": None}, "no pipeline called ''"),
        ({"stage": "New"}, "none is named"),
    ],
)
def test_no_name_is_guessed(fields: dict[str, Json], said: str) -> None:
    """What GHL does not have, has twice, or has in another pipeline is refused by its name."""
    with pytest.raises(InvalidField, match=said):
        KNOWN.spelled(fields, {})


def test_no_deal_is_moved_to_a_stage_that_nobody_chose() -> None:
    """A pipeline without a stage of the deal's name is refused: GHL would choose one."""
    with pytest.raises(InvalidField, match="no stage of the pipeline 'Care' called 'Signed'"):
        KNOWN.spelled({"pipeline": "Care"}, {"pipelineId": "p1", "pipelineStageId": "s2"})


def test_what_cannot_be_is_refused_unsent(host: Hosted) -> None:
    """An unknown name costs no write; a second opportunity of a pipeline is a duplicate, and the first is not taken for it."""
    ann = host.sandbox.seed_contact(LOCATION, email="ann@x.com")
    unknown = made(host, ann, name="Roof", pipeline="Sold")
    assert (unknown.status, unknown.code) == (Status.REJECTED, "INVALID_FIELD")
    assert not host.connector.usage().by_endpoint.get("opportunity.create")
    first = made(host, ann, name="Roof", pipeline="Sales", monetaryValue="5.50")
    assert first.record is not None
    assert (first.record.fields["stage"], first.record.fields["monetaryValue"]) == ("New", 5.5)
    second = made(host, ann, name="Wall", pipeline="Sales")
    assert (second.status, second.code, second.key) == (Status.REJECTED, "DUPLICATE", None)


def test_every_page_is_read_and_every_name_told(
    host: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor reaches the last page; what lies in a pipeline that is not listed counts as unread; a new one is found."""
    monkeypatch.setattr(apart, "PAGE", 2)
    box = host.sandbox
    people = [box.seed_contact(LOCATION, email=f"p{n}@x.com") for n in range(5)]
    for person in people:
        box.seed_opportunity(person, name="Roof", pipeline="Sales")
    assert host.connector.read(KIND, box.seed_opportunity(people[0], pipeline="Care")) is not None
    box.seed_pipeline(LOCATION, "Later", ["One"])
    box.seed_opportunity(people[1], pipeline="Later")
    gone = box.seed_pipeline(LOCATION, "Gone", ["One"])
    lost = box.seed_opportunity(people[2], pipeline="Gone")
    box.delete_pipeline(gone)
    *pages, proof = host.connector.extract(KIND)
    assert sum(page.rows for page in pages if isinstance(page, Page)) == 7
    assert isinstance(proof, Proof)
    assert proof.complete
    assert [lost in each for each in proof.quarantined] == [True]
    assert host.connector.usage().by_endpoint["pipeline.list"] <= 3


def test_doctor_says_what_to_make_in_ghl() -> None:
    """A pipeline that GHL lacks is named with the stages that the app has in it, and a stage with its pipeline."""
    app = MemoryConnector(Side.APP)
    ann = app.put(Entity.CONTACT, {"first_name": "Ann"})
    for pipeline, stage in (
        ("Sales", "New"),
        ("Sales", "Sent"),
        ("Leads", "Cold"),
        ("Leads", "Hot"),
    ):
        app.put(KIND, {"name": "Roof", "pipeline": pipeline, "stage": stage}, parent=ann)

    class Known:
        def pipelines(self) -> Pipelines:
            return KNOWN

    fields = (field_of("pipeline", Text()), field_of("stage", Text()))
    mapped = replace(contacts(*fields, match=()), entity=KIND)
    found = pipelines(mapping_of(mapped), app, Known())  # type: ignore[arg-type]
    assert [each.what for each in found] == [
        "GHL has no pipeline 'Leads', with the stages Cold, Hot (2 in the app)",
        "GHL has no stage 'Sent' in the pipeline 'Sales' (1 in the app)",
    ]
