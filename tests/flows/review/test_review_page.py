"""The review page over its ASGI application: what it shows, what it records, and whom it refuses."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from flows.config import load
from flows.outcome.sought import sources
from flows.review.choosing import PAGE, View
from flows.review.desk import Desk
from flows.review.gate import Gate
from flows.review.questions import Evidence, Question, Shown, questions
from flows.review.web import make_app
from flows.review.wording import sentence, title
from flows.state.stores import runs_folder
from reconcile.ledger import acts, schema
from reconcile.ledger.ledger import Ledger
from reconcile.model import Side
from tests.flows.acme import Acme

HOST = "127.0.0.1:4711"
ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Session:
    """A page over a ledger, without a server."""

    ledger: Ledger
    folder: Path
    clock: Callable[[], str] = lambda: "2027-01-05T12:00:00.000Z"
    gate: Gate = field(default_factory=lambda: Gate({HOST}))
    sources: Any = None

    @property
    def desk(self) -> Desk:
        evidence = Evidence(self.folder)
        return Desk(self.ledger, evidence, "ann", self.clock, sources=self.sources)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request; a path that does not start with / is under the session's token."""
        url = path if path.startswith("/") else f"/{self.gate.token}/{path}"

        async def sent() -> httpx.Response:
            transport = httpx.ASGITransport(make_app(self.desk, self.gate))
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
                return await client.request(method, url, **more)

        return asyncio.run(sent())

    def get(self, path: str = "", **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def form(self, question: Question, choice: str, **more: str) -> dict[str, str]:
        """What the form of a question sends."""
        usual = {
            "form_token": self.gate.form_token,
            "hold_id": question.hold_id,
            "digest": question.digest,
            "choice": choice,
        }
        return usual | more

    def asked(self, kind: str | None = None) -> list[Question]:
        found = questions(self.ledger, Evidence(self.folder), now=self.clock())
        return [each for each in found if kind in (None, each.kind)]


@pytest.fixture(scope="module")
def after_one_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's world after its first night, which asks about conflicts and ambiguous matches."""
    return Acme.settled(tmp_path_factory.mktemp("review") / "demo").folder


@pytest.fixture
def session(after_one_night: Path, tmp_path: Path) -> Any:
    """A session over a copy of that world's ledger."""
    pair = load(after_one_night / "acme.toml")
    for part in (after_one_night / "state").glob("ledger.db*"):
        shutil.copy(part, tmp_path)
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", pair.name)
    yield Session(ledger, runs_folder(pair))
    ledger.close()


def test_the_list_shows_every_open_question_with_both_values_and_its_options(
    session: Session,
) -> None:
    """Each open hold stands in the list with what both sides hold, the reason, and a button with a sentence per option."""
    page = session.get("?state=all").text
    asked = session.asked()
    assert len(asked) > 3
    for each in asked[:PAGE]:
        assert f'id="hold-{each.hold_id}"' in page
        assert each.options == () or f'value="{each.options[0]}"' in page
    conflict = session.asked("conflict")[0]
    assert conflict.values["app"] in page
    assert conflict.values["ghl"] in page
    assert f"becomes “{conflict.values['app']}” there" in page


def test_candidates_stand_beside_the_record_with_their_values(session: Session) -> None:
    """An ambiguous match shows the rule and every candidate's values, and marks the fields that differ."""
    question = max(session.asked("ambiguous"), key=lambda each: len(each.candidates))
    assert len(question.candidates) > 1
    page = session.get(f"question/{question.hold_id}").text
    assert f"Match rule: <b>{question.values['rule']}</b>" in page
    for candidate in question.candidates:
        assert candidate.key in page
        assert all(
            value.replace("&", "&amp;").replace("'", "&#39;") in page
            for value in candidate.values.values()
        )
    records = (*question.records, *question.candidates)
    differing = [
        name for name in question.fields if len({shown.values.get(name) for shown in records}) > 1
    ]
    assert page.count('class="differs"') == len(differing) > 0


def test_a_question_tells_the_history_of_its_record(session: Session) -> None:
    """The page of a question tells what `explain` tells."""
    question = session.asked("conflict")[0]
    page = session.get(f"question/{question.hold_id}").text
    assert f"hold {question.hold_id} (conflict, open)" in page
    assert "Linked since run" in page


def test_a_record_is_asked_about_on_a_page_of_its_own(
    session: Session, after_one_night: Path
) -> None:
    """By its key it tells both values, why they are so, and leads to the question; nobody known is said to be so."""
    pair = load(after_one_night / "acme.toml")
    session.sources = partial(sources, pair, session.ledger)
    question = session.asked("conflict")[0]
    lead = f"record?entity=contact&amp;name={question.app_key}"
    assert lead in session.get(f"question/{question.hold_id}").text
    page = session.get(lead.replace("&amp;", "&")).text
    assert f"app {question.app_key} = GHL {question.ghl_key}" in page
    assert f'/question/{question.hold_id}">answer it</a>' in page
    row = f'<th scope="row">{question.field}</th><td>{question.values["app"]}</td>'
    assert row in page
    assert "never written by this job" in page
    (source, *_) = session.asked("unsyncable")
    page = session.get(f"record?name={source.app_key}").text
    assert f'correct the value at its source: <a href="/{session.gate.token}/question/' in page
    unknown = session.get("record?name=<b>nobody@x.com").text
    assert "no run that is still archived saw a contact" in unknown
    assert "&lt;b&gt;nobody@x.com" in unknown
    assert session.get("record?entity=people&name=1").status_code == 400
    assert "Ask why" in session.get("record").text


def test_without_a_pair_file_no_record_is_asked_about(session: Session) -> None:
    """Where nothing can say why, no page leads there."""
    assert "Ask why" not in session.get().text
    assert session.get("record?name=1").status_code == 400


def test_an_answer_is_kept_with_who_when_and_why(session: Session) -> None:
    """Pressing a button records choice, person, time and reason, and leads back to the filtered list, which says so."""
    question = session.asked("conflict")[0]
    sent = session.form(question, "ghl", reason=" asked   her on the phone ", view="kind=conflict")
    reply = session.ask("POST", "answer", data=sent)
    assert reply.status_code == 303
    (act,) = acts.acts(session.ledger)
    place = f"/{session.gate.token}/?kind=conflict&act={act.act_id}#done"
    assert reply.headers["location"] == place
    (kept,) = session.ledger.decisions()
    assert (kept.hold_id, kept.choice, kept.by, kept.at) == (
        question.hold_id,
        "ghl",
        "ann",
        session.clock(),
    )
    assert kept.reason == "asked her on the phone"
    page = session.get(
        reply.headers["location"].partition("/?")[2].partition("#")[0].join(("?", ""))
    ).text
    assert f"Noted for {question.label}" in page
    assert f'id="hold-{question.hold_id}"' not in page
    answered = session.get("?state=answered").text
    assert f'id="hold-{question.hold_id}"' in answered
    assert "“asked her on the phone”" in answered


def test_an_answer_can_be_changed_until_the_next_run(session: Session) -> None:
    """A second answer replaces the first."""
    question = session.asked("conflict")[0]
    for choice in ("ghl", "app"):
        assert session.ask("POST", "answer", data=session.form(question, choice)).status_code == 303
    assert [kept.choice for kept in session.ledger.decisions()] == ["app"]


def test_answers_are_taken_while_a_run_holds_the_pair(session: Session) -> None:
    """The page takes no lease and waits for none."""
    session.ledger.acquire("a run", now="2027-01-01T00:00:00Z", until="2028-01-01T00:00:00Z")
    assert (
        session.ask(
            "POST", "answer", data=session.form(session.asked("conflict")[0], "leave")
        ).status_code
        == 303
    )


def test_what_changed_since_it_was_shown_is_not_answered(session: Session) -> None:
    """An answer to values that a run has since found changed is refused, and nothing is kept."""
    question = session.asked("conflict")[0]
    table = schema.hold
    with session.ledger.transaction() as connection:
        connection.execute(
            sa.update(table)
            .where(table.c.hold_id == question.hold_id)
            .values(values_digest="other")
        )
    reply = session.ask("POST", "answer", data=session.form(question, "app"))
    assert reply.status_code == 409
    assert "look at the question again" in reply.text
    assert session.ledger.decisions() == []


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"choice": "both"}, 400),
        ({"hold_id": "nope"}, 400),
        ({"form_token": "guess"}, 403),
        ({"form_token": ""}, 403),
        ({"digest": ""}, 409),
        ({"reason": "x" * 20_000}, 413),
    ],
)
def test_a_form_that_does_not_fit_is_refused(
    session: Session, changed: dict[str, str], status: int
) -> None:
    """A wrong option, hold, token or digest, or too long a reason, is refused with a page, and nothing is kept."""
    reply = session.ask(
        "POST", "answer", data=session.form(session.asked("conflict")[0], "app") | changed
    )
    assert reply.status_code == status
    assert 'role="alert"' in reply.text
    assert session.ledger.decisions() == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "attacker.example"}, 421),
        ({"host": "127.0.0.1:9"}, 421),
        ({"origin": "http://attacker.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"content-type": "text/plain"}, 415),
    ],
)
def test_another_site_cannot_answer(session: Session, headers: dict[str, str], status: int) -> None:
    """A form from another site, or under another host name, is refused even with every token right."""
    reply = session.ask(
        "POST", "answer", data=session.form(session.asked("conflict")[0], "app"), headers=headers
    )
    assert reply.status_code == status
    assert session.ledger.decisions() == []


@pytest.mark.parametrize(
    "path", ["/", "/guess/", "/guess/question/x", "/favicon.ico", "/guess/more/still"]
)
def test_without_the_token_nothing_is_told(session: Session, path: str) -> None:
    """A wrong address tells neither the token nor the pair nor a question."""
    reply = session.get(path)
    assert reply.status_code == 404
    assert session.gate.token not in reply.text
    assert session.gate.form_token not in reply.text
    assert "acme" not in reply.text


def test_every_answer_forbids_framing_keeping_and_loading(session: Session) -> None:
    """All replies, refusals too, carry a policy that lets nothing be loaded, framed or cached."""
    for reply in (session.get(), session.get("/nope"), session.get("question/none")):
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "frame-ancestors 'none'" in policy
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["referrer-policy"] == "same-origin"


def test_the_page_refers_to_nothing_outside_itself(session: Session) -> None:
    """Links and forms stay under the session's address, and there is no script."""
    page = session.get().text
    targets = re.findall(r'(?:href|src|action)="([^"]*)"', page)
    assert targets
    assert all(
        target.startswith((f"/{session.gate.token}/", "#", "data:image/svg+xml"))
        for target in targets
    )
    assert "<script" not in page


def test_a_value_cannot_become_markup(session: Session) -> None:
    """What a record holds is text, whatever it holds."""
    question = session.asked("conflict")[0]
    table = schema.hold
    with session.ledger.transaction() as connection:
        row = connection.execute(sa.select(table).where(table.c.hold_id == question.hold_id)).one()
        body = json.loads(row.body) | {"because": "<script>alert(1)</script>"}
        connection.execute(
            sa.update(table)
            .where(table.c.hold_id == question.hold_id)
            .values(body=json.dumps(body))
        )
    page = session.get().text
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_filters_choose_by_kind_entity_answer_and_text(session: Session) -> None:
    """Kind, entity, answer and text each narrow the list; what fits none is told."""
    asked = session.asked()
    for kind in {each.kind for each in asked}:
        assert {each.kind for each in View(kind=kind).list(asked).shown} == {kind}
    assert View(entity="task").list(asked).matches == sum(each.entity == "task" for each in asked)
    assert View(state="answered").list(asked).matches == 0
    named = session.asked("conflict")[0]
    assert named in View(text=named.label.upper()).list(asked).shown
    assert "Nothing fits this filter." in session.get("?text=zzzz").text


def test_the_list_comes_in_pages(session: Session) -> None:
    """A long list is cut into pages, and a page that does not exist is the last one."""
    many = session.asked() * 30
    pages = View().list(many).pages
    assert pages == -(-len(many) // PAGE)
    shown = [each for page in range(1, pages + 1) for each in View(page=page).list(many).shown]
    assert shown == sorted(many, key=lambda each: not each.options)
    assert View(page=10_000).list(many).page == pages
    assert View.of({"page": "-1", "state": "odd"}) == View()


def test_a_view_survives_its_address(session: Session) -> None:
    """The filters written into an address are read back from it."""
    view = View(kind="conflict", text="O'Neil & co", page=3)
    assert View.of(dict(httpx.QueryParams(view.query()))) == view


def test_without_a_report_the_question_still_stands(session: Session, tmp_path: Path) -> None:
    """Where the run's report is gone, values and keys of the hold itself are shown, and it can be answered."""
    bare = Session(session.ledger, tmp_path / "nowhere")
    question = bare.asked("conflict")[0]
    assert question.records == ()
    page = bare.get(f"question/{question.hold_id}").text
    assert question.values["app"] in page
    assert bare.ask("POST", "answer", data=bare.form(question, "app")).status_code == 303


def test_a_question_that_is_not_open_has_no_page(session: Session) -> None:
    """An unknown question is told to be settled or never asked."""
    assert session.get("question/nope").status_code == 404


def test_the_command_serves_until_it_is_interrupted(after_one_night: Path) -> None:
    """`review --web` prints an address on loopback, answers there, and ends on Ctrl-C with what is still open."""
    command = [
        sys.executable,
        "-m",
        "flows.cli",
        "review",
        "--web",
        "--pair",
        str(after_one_night / "acme.toml"),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", url)
        assert "wait for an answer" in httpx.get(url, trust_env=False).text
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(timeout=60) == 1
    assert "wait for an answer" in rest


def _question(**members: Any) -> Question:
    usual: dict[str, Any] = {
        "hold_id": "h",
        "kind": "conflict",
        "entity": "contact",
        "label": "Ann",
        "because": "b",
    }
    usual |= {
        "asked_at": "2027-01-01T00:00:00Z",
        "age_days": 0,
        "digest": "d",
        "field": "city",
        "side": None,
    }
    usual |= {
        "app_key": "a1",
        "ghl_key": "g1",
        "run_id": "r",
        "options": (),
        "values": {"app": "Rome", "ghl": None},
    }
    return Question(
        **(usual | {"records": (), "candidates": (), "along": {}, "answer": None} | members)
    )


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ("app", "GHL gets the app's value: city becomes “Rome” there."),
        ("ghl", "The app gets GHL's value: city is cleared there."),
        ("leave", "Nothing is written"),
        ("create", "created in the app"),
        ("ignore", "Nothing is written to it"),
        ("delete", "in GHL is deleted too"),
        ("restore", "created again in the app"),
        ("relink", "looked for anew in the app"),
        ("keep", "stays in GHL"),
        ("link:a7", "linked with a7"),
        ("else", "The next run carries it out."),
    ],
)
def test_every_option_says_what_it_does(choice: str, says: str) -> None:
    """Each option of each kind of question has a sentence of its own, about this very record."""
    assert says in sentence(_question(side=Side.GHL), choice)


def test_a_deletion_says_what_goes_along() -> None:
    """The button that deletes a contact says how many of its tasks and notes go with it."""
    asked = _question(kind="delete", side=Side.APP, along={"task": 2, "note": 1})
    assert sentence(asked, "delete").endswith("in the app is deleted too, with 2 tasks and 1 note.")


@pytest.mark.parametrize(
    ("choice", "button", "says"),
    [
        ("move", "Move GHL's as well", "made again on the contact where the app has it now"),
        ("unlink", "They are two things", "so that both sides have both"),
        (
            "keep",
            "Leave both where they are",
            "stay linked, but changes of either are not carried across",
        ),
    ],
)
def test_a_moved_task_has_words_of_its_own(choice: str, button: str, says: str) -> None:
    """Both records of a task that was moved are there: nothing is said of one without a counterpart."""
    moved = _question(kind="moved", entity="task", field=None, options=("move", "unlink", "keep"))
    assert title(moved, choice) == button
    assert says in sentence(moved, choice)


def test_a_link_is_offered_by_the_candidates_name() -> None:
    """The button of a link names the person, not the key."""
    bo = Shown(Side.GHL, "g7", "Bo Li", {})
    assert title(_question(candidates=(bo,)), "link:g7") == "It is Bo Li"
    assert title(_question(), "link:g8") == "It is g8"
