"""A plan that waits for a person: when it is asked about, what is shown of it, and what its answer carries out."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from flows.config import load
from flows.demo.tables import PEOPLE, engine_of, now
from flows.jobs.approval import Proposal, carry_out, propose
from flows.run import Options
from flows.state.leases import holder_of
from reconcile.errors import StalePlan
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity
from tests.flows.acme import Acme
from tests.flows.calls import say


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Acme:
    """A world after its first nights, in which nothing is left to do."""
    return Acme.settled(tmp_path_factory.mktemp("approval") / "acme")


def _proposed(acme: Acme) -> Proposal:
    return propose(load(acme.pair))


def _changed(acme: Acme, **values: object) -> str:
    """Change a linked person of the app; returns an email by which nobody is to be known outside."""
    pair = load(acme.pair)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    key = next(
        int(str(row[0])) for batch in ledger.links(Entity.CONTACT, ["app_key"]) for row in batch
    )
    ledger.close()
    engine = engine_of(acme.app_url)
    with engine.begin() as app:
        app.execute(sa.update(PEOPLE).where(PEOPLE.c.id == key).values(**values))
        email = app.execute(sa.select(PEOPLE.c.email).where(PEOPLE.c.id == key)).scalar_one()
    engine.dispose()
    return str(email)


def _overwritten(acme: Acme) -> None:
    """Have a person answer a question about two values: the other one is to be overwritten."""
    listed = say("review", "--pair", acme.pair, "--json").document
    question = next(each for each in listed if each["kind"] == "conflict")
    assert say("review", question["hold_id"], "app", "--pair", acme.pair).code < 2


def _held(acme: Acme) -> str | None:
    pair = load(acme.pair)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    try:
        return holder_of(ledger)
    finally:
        ledger.close()


def test_a_plan_waits_where_it_deletes_overwrites_or_goes_over_a_limit(acme: Acme) -> None:
    """An edit alone asks nobody; each of the three does. While it waits the pair is free, and figures alone are shown."""
    _changed(acme, company="Of Tonight")
    assert not _proposed(acme).asks
    _overwritten(acme)
    assert _proposed(acme).asks
    acme.run(verify="none")
    email = _changed(acme, deleted_at=now())
    proposal = _proposed(acme)
    assert (proposal.risky, proposal.refusal, proposal.asks) == (1, "", True)
    assert _held(acme) is None
    assert [row["how many"] for row in proposal.table if row["what"] == "delete"] == [1]
    assert email not in str(proposal.table)
    text = acme.pair.read_text(encoding="utf-8")
    acme.pair.write_text(text.replace("max_deletes = 25", "max_deletes = 0"))
    assert "max_deletes" in _proposed(acme).refusal
    acme.pair.write_text(text)


def test_an_approved_plan_is_stale_once_another_run_settled(acme: Acme) -> None:
    """The pair is not held for as long as a person thinks: what was settled meanwhile refuses the plan whole."""
    _changed(acme, company="Of Another Night")
    proposal = _proposed(acme)
    acme.run(verify="none")
    with pytest.raises(StalePlan):
        carry_out(load(acme.pair), proposal.plan.digest, Options("nightly", verify="none"))


def test_the_form_asks_for_four_things() -> None:
    """Whether the plan is approved, which limits it may go over, why, and who says so; without a yes it is no yes."""
    from flows.orchestration.jobs import Approval

    assert list(Approval.model_fields) == ["approve", "allow", "reason", "by"]
    assert not Approval().approve
