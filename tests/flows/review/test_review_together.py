"""The review page answers alike and tangled questions in one act, after a preview, and takes it back."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.config import load
from flows.review.tangles import Tangle, tangle_of, tangles
from flows.review.together import Group, groups, propose
from flows.state.stores import runs_folder
from reconcile.errors import StateError
from reconcile.ledger import acts
from reconcile.ledger.ledger import Ledger
from tests.flows.acme import Acme
from tests.flows.review.conflicts import move_house
from tests.flows.review.test_review_page import Session


@pytest.fixture(scope="module")
def after_two_nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo with six alike conflicts more than its first night has."""
    acme = Acme.settled(tmp_path_factory.mktemp("together") / "acme")
    move_house(acme, 6)
    acme.run(verify="none")
    return acme.pair


@pytest.fixture
def session(after_two_nights: Path, tmp_path: Path) -> Iterator[Session]:
    """A session over a copy of that world's ledger."""
    pair = load(after_two_nights)
    for part in (after_two_nights.parent / "state").glob("ledger.db*"):
        shutil.copy(part, tmp_path)
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", pair.name)
    yield Session(ledger, runs_folder(pair))
    ledger.close()


def cities(session: Session) -> Group:
    return next(each for each in groups(session.asked()) if each.field == "city")


def sent(page: str, **more: str) -> dict[str, str | list[str]]:
    """What the form of a preview sends."""
    form: dict[str, str | list[str]] = {}
    for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page):
        value = value.replace("&amp;", "&")
        form[name] = [*form.get(name, []), value] if name == "without" else value
    return form | more


def test_alike_questions_are_one_act_with_a_preview(session: Session) -> None:
    """The list leads to the group, its answer to a preview that records nothing, and that to one act for all of them."""
    group = cities(session)
    assert f"together/{group.name}" in session.get().text
    page = session.get(f"together/{group.name}").text
    assert all(each.label.replace("'", "&#39;") in page for each in group.questions)
    preview = session.get(f"together/{group.name}?choice=ghl").text
    number = len(group.questions)
    assert f"What these {number} answers will do" in preview
    assert "becomes “Porto” there" in preview
    assert session.ledger.decisions() == []
    reply = session.ask("POST", "answers", data=sent(preview, reason="all moved"))
    assert reply.status_code == 303
    assert len(session.ledger.decisions()) == number
    (act,) = acts.acts(session.ledger)
    assert (act.answers, act.reason, act.by) == (number, "all moved", "ann")
    told = session.get(reply.headers["location"].partition("/?")[2].join(("?", ""))).text
    assert f"{number} questions answered in one act" in told


def test_one_that_is_left_out_stays_open(session: Session) -> None:
    """What is ticked as left out is neither in the preview nor answered."""
    group = cities(session)
    first = group.questions[0].hold_id
    preview = session.get(f"together/{group.name}?choice=app&without={first}").text
    assert f"What these {len(group.questions) - 1} answers will do" in preview
    assert session.ask("POST", "answers", data=sent(preview)).status_code == 303
    answered = {each.hold_id for each in session.ledger.decisions()}
    assert answered == {each.hold_id for each in group.questions} - {first}


def test_an_act_is_taken_back_on_the_page(session: Session) -> None:
    """The list of answers has a button for each act; after it the questions are open, and a second time is refused."""
    group = cities(session)
    preview = session.get(f"together/{group.name}?choice=app").text
    session.ask("POST", "answers", data=sent(preview))
    (act,) = acts.acts(session.ledger)
    assert act.act_id in session.get("acts").text
    form = {"form_token": session.gate.form_token, "act": act.act_id, "view": "kind=conflict"}
    reply = session.ask("POST", "undo", data=form)
    assert reply.status_code == 303
    assert f"kind=conflict&back={len(group.questions)}&late=0" in reply.headers["location"]
    assert "Taken back." in session.get(f"?back={len(group.questions)}&late=0").text
    assert session.ledger.decisions() == []
    assert session.ask("POST", "undo", data=form).status_code == 400
    assert session.ask("POST", "undo", data=form | {"act": "nope"}).status_code == 400
    assert session.ask("POST", "undo", data=form | {"form_token": "x"}).status_code == 403
    assert "Taken back 2027-01-05" in session.get("acts").text


def test_a_preview_that_is_out_of_date_is_refused(session: Session) -> None:
    """Once one of its questions was answered elsewhere, nothing of it is recorded."""
    group = cities(session)
    preview = session.get(f"together/{group.name}?choice=app").text
    session.ask("POST", "answer", data=session.form(group.questions[0], "leave"))
    reply = session.ask("POST", "answers", data=sent(preview))
    assert reply.status_code == 409
    assert 'role="alert"' in reply.text
    assert len(session.ledger.decisions()) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("together/nothing", 409),
        ("together/{group}?choice=maybe", 400),
        ("tangle/nothing", 409),
        ("tangle/{tangled}?couple=1+2&others=create", 400),
        ("tangle/{tangled}?couple=none&others=", 400),
        ("tangle/{tangled}?couple=none&others=maybe", 400),
    ],
)
def test_what_makes_no_sense_is_a_page_that_says_so(
    session: Session, path: str, status: int
) -> None:
    """A group, a tangle or an answer that there is none of is refused, with the way back."""
    tangled = tangles(session.asked())[0].questions[0].hold_id
    reply = session.get(path.format(group=cities(session).name, tangled=tangled))
    assert reply.status_code == status
    assert "Back to the questions" in reply.text


def the_tangle(session: Session) -> Tangle:
    return next(each for each in tangles(session.asked()) if each.couples)


def test_a_tangle_is_settled_by_one_answer(session: Session) -> None:
    """Two records are one and the others are their own: one act answers each question that is not closed by the link itself."""
    tangle = the_tangle(session)
    couple = tangle.couples[0]
    one = tangle.questions[0].hold_id
    assert f"tangle/{one}" in session.get(f"question/{one}").text
    page = session.get(f"tangle/{one}").text
    assert all(shown.key in page for shown in tangle.records)
    preview = session.get(f"tangle/{one}", params={"couple": couple.name, "others": "create"}).text
    assert session.ask("POST", "answers", data=sent(preview)).status_code == 303
    given = {each.hold_id: each.choice for each in session.ledger.decisions()}
    assert f"link:{couple.ghl_key}" in given.values() or f"link:{couple.app_key}" in given.values()
    for each in tangle.questions:
        about = {each.app_key, each.ghl_key} & {couple.app_key, couple.ghl_key}
        if not about:
            assert given[each.hold_id] == "create"
    assert len(acts.acts(session.ledger)) == 1


def test_no_question_is_in_two_tangles(session: Session) -> None:
    """Questions that share a record, directly or over another, are in one tangle, and found by any of them."""
    found = tangles(session.asked())
    ids = [each.hold_id for tangle in found for each in tangle.questions]
    assert len(ids) == len(set(ids)) > 2
    for tangle in found:
        for each in tangle.questions:
            assert tangle_of(session.asked(), each.hold_id) == tangle


def test_one_candidate_each_can_be_linked_together(session: Session) -> None:
    """`link` stands for the one candidate that each has; with two candidates there is no such answer."""
    asked = session.asked("ambiguous")
    single = [each for each in asked if sum("link:" in o for o in each.options) == 1]
    several = [each for each in asked if sum("link:" in o for o in each.options) > 1]
    assert all(choice.startswith("link:") for _, choice in propose(single, "link").answers)
    with pytest.raises(StateError, match="no answer 'link'"):
        propose(several, "link")


def test_a_question_leads_to_those_beside_it(session: Session) -> None:
    """Next and previous follow the filtered list, and an answer given there goes on to the next one."""
    group = cities(session)
    first, second, *_ = (each.hold_id for each in group.questions)
    page = session.get(f"question/{first}?field=city").text
    assert f"1 of {len(group.questions)}" in page
    assert f'rel="next" accesskey="n" href="/{session.gate.token}/question/{second}' in page
    assert f"question/{first}" in session.get(f"question/{second}?field=city").text
    form = session.form(group.questions[0], "app", view="field=city", next="1")
    reply = session.ask("POST", "answer", data=form)
    assert f"/question/{second}?field=city&act=" in reply.headers["location"]
    form = session.form(group.questions[-1], "app", view="field=city", next="1")
    assert "/question/" not in session.ask("POST", "answer", data=form).headers["location"]
