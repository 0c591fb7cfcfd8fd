"""`review` in a terminal: the list, one question, answers one by one and many at once, previews, and taking back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.clock import moment, now
from flows.config import load
from flows.review.desk import Desk
from flows.review.questions import Evidence
from flows.review.tangles import tangles
from flows.review.together import give
from flows.state.stores import runs_folder
from reconcile.ledger.ledger import Ledger
from reconcile.model import Entity
from tests.flows.acme import Acme
from tests.flows.calls import Said, say
from tests.flows.review.conflicts import APP, GHL, cities, move_house

ALIKE = ("--kind", "conflict", "--entity", "contact", "--field", "city")
MOVED = 8
CONTACT, ENDS = Entity.CONTACT, ("app_key", "ghl_key")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Acme, dict[str, str], Path]:
    """The demo after two nights: with what its first night asks, and eight alike conflicts more."""
    folder = tmp_path_factory.mktemp("review-command")
    acme = Acme.settled(folder / "acme")
    keys = move_house(acme, MOVED)
    acme.run(verify="none")
    shutil.copytree(acme.folder, folder / "kept")
    return acme, keys, folder / "kept"


@pytest.fixture
def acme(kept: tuple[Acme, dict[str, str], Path]) -> Iterator[Acme]:
    """That world, put back after the test."""
    yield kept[0]
    kept[0].replaced_by(kept[2])


def review(acme: Acme, *words: object) -> Said:
    return say("review", *words, "--pair", acme.pair)


def listed(acme: Acme, *words: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = review(acme, *words, "--json").document
    return rows


def test_the_list_has_names_and_both_values(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns too, each question that can be answered stands with its name and what both sides hold."""
    monkeypatch.setenv("COLUMNS", "80")
    said = review(acme, "--search", "lisboa")
    assert said.code == 1
    assert (said.out.count(APP), said.out.count(GHL)) == (MOVED, MOVED)
    assert all(len(line) <= 80 for line in said.out.splitlines() if "ghl-reconcile" not in line)
    assert all(row["label"].split()[0] in said.out for row in listed(acme, "--search", "LISBOÁ"))


def test_what_cannot_be_answered_is_a_list_of_its_own(acme: Acme) -> None:
    """Questions without an option stand under a heading that says what closes them, and are no answerable ones."""
    said = review(acme, "--kind", "unsyncable")
    assert "Not to be answered here" in said.out
    (first, *_) = listed(acme, "--kind", "unsyncable")
    assert review(acme, first["hold_id"], "app").errors.startswith("[AT_SOURCE]")
    assert review(acme, "--all", "--kind", "unsyncable", "--take", "app").errors.startswith(
        "[AT_SOURCE]"
    )


def test_alike_questions_are_named_with_the_command_that_answers_them(acme: Acme) -> None:
    """The list says how many are alike, and the command that it prints is one that works."""
    said = review(acme)
    command = next(line for line in said.out.splitlines() if "--all" in line)
    words = command.replace("app|ghl|leave", "app").split()[1:]
    assert say(*words, "--preview").code == 0


def test_one_question_is_shown_whole(acme: Acme) -> None:
    """The beginning of its id is enough; both values, both records, and each option with what it does are there."""
    row = listed(acme, *ALIKE, "--search", APP)[0]
    said = review(acme, row["hold_id"][:8])
    assert said.code == 0
    for word in (row["label"], APP, GHL, row["because"][1:20], "leave", "becomes"):
        assert word in said.out
    told = review(acme, row["hold_id"][:8], "--json").document
    assert told["values"]["app"] == APP
    assert [option["choice"] for option in told["options"]] == ["app", "ghl", "leave"]
    assert [record["side"] for record in told["records"]] == ["app", "ghl"]


def test_one_answer_settles_a_tangle(acme: Acme) -> None:
    """The two that are one are linked by the next run, and none of the questions that share their records is asked again."""
    pair = load(acme.pair)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    desk = Desk(ledger, Evidence(runs_folder(pair)), "ann", now)
    tangle = next(each for each in tangles(desk.questions()) if each.couples)
    couple = tangle.couples[0]
    give(desk, tangle.settle(couple.name, "ignore"))
    acme.run(verify="none")
    linked = {(row[0], row[1]) for batch in ledger.links(CONTACT, ENDS) for row in batch}
    assert (couple.app_key, couple.ghl_key) in linked
    left = {each.hold_id for each in desk.questions()}
    assert left & {each.hold_id for each in tangle.questions} == set()
    ledger.close()


def test_questions_that_share_records_name_each_other(acme: Acme) -> None:
    """A question about which record is which names those about the same records."""
    ids = [row["hold_id"] for row in listed(acme, "--kind", "ambiguous")]
    said = [review(acme, each).out for each in ids]
    named = [sum(other in out for other in ids) for out in said]
    assert max(named) > 2
    assert any("One answer settles all of them" in out for out in said)


def test_an_ambiguous_beginning_lists_what_it_could_be(acme: Acme) -> None:
    """A beginning that several ids have is refused with all of them."""
    ids = [row["hold_id"] for row in listed(acme)]
    first = next(each[0] for each in ids if sum(other[0] == each[0] for other in ids) > 1)
    said = review(acme, first, "app")
    assert (said.code, said.out) == (3, "")
    assert said.errors.startswith("[AMBIGUOUS_ID]")
    assert all(each in said.errors for each in ids if each.startswith(first))


def test_an_answer_is_one_line_and_one_act(acme: Acme) -> None:
    """What was answered is confirmed in a line that says what the next run does and how to take it back."""
    row = listed(acme, *ALIKE)[0]
    said = review(acme, row["hold_id"], "ghl", "--by", "ann", "--reason", "asked her")
    assert said.code == 1
    assert f"Noted for {row['label']} · city" in said.out
    assert "review --undo" in said.out
    (act,) = review(acme, "--acts", "--json").document
    assert (act["by"], act["reason"], act["choices"]) == ("ann", "asked her", {"ghl": 1})
    assert act["act_id"][:6] in review(acme, "--acts").out


def test_a_preview_writes_nothing(acme: Acme) -> None:
    """It counts what would be done, shows the first ten, ends with 0, and leaves every question as it was."""
    before = listed(acme)
    alike = listed(acme, *ALIKE)
    said = review(acme, "--all", *ALIKE, "--take", "app", "--preview")
    assert said.code == 0
    assert f"{len(alike)} answers; nothing is recorded yet" in said.out
    told = review(acme, "--all", *ALIKE, "--take", "app", "--preview", "--json").document
    assert (told["answers"], len(told["first"])) == (len(alike), min(10, len(alike)))
    assert told["by_kind"][0]["count"] == len(alike)
    one = review(acme, alike[0]["hold_id"], "app", "--preview", "--json")
    assert (one.code, one.document["answers"]) == (0, 1)
    assert listed(acme) == before
    assert review(acme, "--acts", "--json").document == []


def test_a_preview_says_which_limit_the_next_run_would_go_over(acme: Acme) -> None:
    """Answers that alone are more than one run may do: the limit is named, with the word that lets the run do it."""
    text = acme.pair.read_text(encoding="utf-8")
    limits = "max_update_share = 0.1\nsmall = 5\n"
    acme.pair.write_text(text.replace("[limits]\n", f"[limits]\n{limits}"), encoding="utf-8")
    said = review(acme, "--all", *ALIKE, "--take", "app", "--preview")
    assert "(max_update_share)" in said.out
    (over,) = review(acme, "--all", *ALIKE, "--take", "app", "--preview", "--json").document[
        "over_limits"
    ]
    assert over.endswith("--allow updates.")
    left = review(acme, "--all", *ALIKE, "--take", "leave", "--preview", "--json").document
    assert left["over_limits"] == []
    review(acme, "--all", *ALIKE, "--take", "app")
    refused = say("run", "--pair", acme.pair, "--engine", "local")
    assert "max_update_share" in refused.errors


def test_alike_questions_are_answered_taken_back_answered_again_and_carried_out(
    kept: tuple[Acme, dict[str, str], Path], acme: Acme
) -> None:
    """One act answers all, one takes it back whole, and what the next run carries out is the last answer."""
    everybody = len(listed(acme, *ALIKE))
    first = review(acme, "--all", *ALIKE, "--take", "ghl", "--by", "ann", "--json").document
    assert first["answers"] == everybody
    assert {row["decision"] for row in listed(acme, *ALIKE)} == {"ghl"}
    back = review(acme, "--undo", "--json").document
    assert (len(back["reopened"]), back["too_late"]) == (everybody, [])
    assert {row["decision"] for row in listed(acme, *ALIKE)} == {None}
    again = review(acme, "--all", *ALIKE, "--take", "app", "--by", "bea", "--json").document
    assert again["answers"] == everybody
    acme.run(verify="none")
    assert cities(acme, kept[1]) == {(APP, APP)}
    assert listed(acme, *ALIKE) == []
    late = review(acme, "--undo", again["act_id"][:6])
    assert late.code == 3
    assert late.errors.startswith("[TOO_LATE]")
    twice = review(acme, "--undo", first["act_id"])
    assert twice.errors.startswith("[UNDONE]")


def test_taking_back_restores_the_answer_before(acme: Acme) -> None:
    """An answer that replaced another gives way to that one; and the acts can be taken back one after the other."""
    hold_id = listed(acme, *ALIKE)[0]["hold_id"]

    def decision() -> tuple[Any, Any]:
        row = next(row for row in listed(acme) if row["hold_id"] == hold_id)
        return row["decision"], row["decided_by"]

    review(acme, hold_id, "ghl", "--by", "ann")
    review(acme, hold_id, "leave", "--by", "bea")
    assert decision() == ("leave", "bea")
    assert review(acme, "--undo", "--by", "cy").code == 1
    assert decision() == ("ghl", "ann")
    assert review(acme, "--undo", "--by", "cy").code == 1
    assert decision() == (None, None)
    assert review(acme, "--undo").errors.startswith("[NO_ACT]")


def test_what_was_answered_after_the_act_stays(acme: Acme) -> None:
    """Of an act, an answer that somebody replaced is left as it is, and counted."""
    review(acme, "--all", *ALIKE, "--take", "ghl")
    (first, *_) = listed(acme, *ALIKE)
    act_id = review(acme, "--acts", "--json").document[0]["act_id"]
    review(acme, first["hold_id"], "leave")
    back = review(acme, "--undo", act_id, "--json").document
    assert back["too_late"] == [first["hold_id"]]
    assert {row["decision"] for row in listed(acme, *ALIKE)} == {"leave", None}


def test_nothing_is_taken_back_while_a_run_is_under_way(acme: Acme) -> None:
    """A run that holds the pair may be carrying the answers out: it is named, and the answers stay."""
    review(acme, "--all", *ALIKE, "--take", "ghl")
    loaded = load(acme.pair)
    ledger = Ledger(loaded.ledger_url.get_secret_value(), loaded.name)
    ledger.acquire("elsewhere/1/some-run", now=now(), until=moment_in_an_hour())
    said = review(acme, "--undo")
    assert said.code == 3
    assert "elsewhere/1/some-run" in said.errors
    ledger.release("elsewhere/1/some-run")
    ledger.close()
    assert {row["decision"] for row in listed(acme, *ALIKE)} == {"ghl"}
    assert review(acme, "--undo").code == 1


def moment_in_an_hour() -> str:
    from datetime import UTC, datetime, timedelta

    return moment(datetime.now(UTC) + timedelta(hours=1))


def test_a_plan_that_holds_the_answers_is_named(acme: Acme) -> None:
    """Answers that stand in a plan which waits for approval are taken back, and the plan is named as one not to apply."""
    review(acme, "--all", *ALIKE, "--take", "ghl")
    planned = say("plan", "--pair", acme.pair, "--json").document
    back = review(acme, "--undo", "--json").document
    assert back["plans"] == [planned["provenance"]["plan_digest"]]


def test_a_preview_that_is_out_of_date_is_refused(acme: Acme) -> None:
    """`--shown` names the preview: once one of its questions was answered, it is another."""
    told = review(acme, "--all", *ALIKE, "--take", "app", "--preview", "--json").document
    review(acme, listed(acme, *ALIKE)[0]["hold_id"], "leave")
    said = review(acme, "--all", *ALIKE, "--take", "app", "--shown", told["shown"])
    assert said.code == 3
    assert said.errors.startswith("[QUESTION_CHANGED]")
    assert sum(row["decision"] == "app" for row in listed(acme)) == 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--kind", "conflcit"), "NO_FILTER", "ambiguous"),
        (("--all", "--entity", "contacts", "--take", "app"), "NO_FILTER", "contact"),
        (("--all", "--field", "town", "--take", "app"), "NO_FILTER", "city"),
        (("--side", "left"), "NO_FILTER", "app, ghl"),
        (("--all", "--search", "zzzz", "--take", "app"), "NOTHING_MATCHES", "review"),
        (("--all", "--take", "app"), "NO_CHOICE", "--kind"),
        (("--all", "--kind", "conflict"), "NO_CHOICE", "app, ghl, leave"),
        (("--all", "--kind", "conflict", "--take", "maybe"), "NO_CHOICE", "app, ghl, leave"),
        (("--all", "--undo"), "ONE_ANSWER", "one after the other"),
        (("--undo", "nothing"), "NO_ACT", "--acts"),
        (("nothing",), "NO_HOLD", "review"),
    ],
)
def test_what_makes_no_sense_is_named(
    acme: Acme, words: tuple[str, ...], code: str, says: str
) -> None:
    """A filter, an answer or an id that there is none of is refused with its code and what there is; nothing is recorded."""
    said = review(acme, *words)
    assert (said.code, said.out) == (3, "")
    assert said.errors.startswith(f"[{code}]")
    assert says in said.errors
    assert all(row["decision"] is None for row in listed(acme))


def test_a_settled_question_is_not_shown_as_open(acme: Acme) -> None:
    """After the run that carried its answer out, its id leads to what became of it."""
    hold_id = listed(acme, *ALIKE)[0]["hold_id"]
    review(acme, hold_id, "app")
    acme.run(verify="none")
    assert review(acme, hold_id).errors.startswith("[NOT_OPEN]")
    assert review(acme, hold_id, "ghl").errors.startswith("[QUESTION_CHANGED]")


@pytest.mark.parametrize(
    "words",
    [(), ("--kind", "conflict"), ("--search", "zzzz"), ("--acts",), ("--state", "answered")],
)
def test_looking_ends_with_one_document(acme: Acme, words: tuple[str, ...]) -> None:
    """`--json` prints one document, also where there is nothing."""
    said = review(acme, *words, "--json")
    assert isinstance(said.document, list)
    assert said.code == int(any(row.get("decision", "") is None for row in said.document))
