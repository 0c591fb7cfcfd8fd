"""The soak's oracle itself: each thing that must never be is seen when it is there, and a good night is seen to be good."""

from __future__ import annotations

from typing import Any

import pytest

from flows.rehearse.book import Book, Ident, Seen
from flows.rehearse.findings import Finding
from flows.rehearse.judge import Judge
from flows.rehearse.rules import Row, Value
from flows.rehearse.told import Told
from tests.soak.values import RULES, email, moment, name, number, phone, plain

ANN: Ident = ("contact", "P00001")
BOB: Ident = ("contact", "P00002")


def _row(key: str, **cells: Value) -> Row:
    return Row(key, None, {"ref": "P00001", **cells})


def _seen(app: dict[Ident, Row], ghl: dict[Ident, Row]) -> Seen:
    sides = {"app": app, "ghl": ghl}
    return Seen(
        {side: {ident: [row] for ident, row in rows.items()} for side, rows in sides.items()},
        {"app": {}, "ghl": {}},
    )


def _told(
    code: int = 0,
    *,
    changes: tuple[dict[str, Any], ...] = (),
    holds: tuple[dict[str, Any], ...] = (),
) -> Told:
    return Told(
        code,
        {"verdict": {"code": "x", "headline": "x"}, "changes": list(changes), "holds": list(holds)},
        rules=RULES,
    )


def _hold(field: str) -> dict[str, Any]:
    return {"field": field, "app_key": "1", "ghl_key": "g", "records": [], "candidates": []}


def _wrote(
    side: str, kind: str, field: str, before: str | None, after: str | None
) -> dict[str, Any]:
    fields = [{"field": field, "before": before, "after": after}]
    return {
        "status": "done",
        "kind": kind,
        "side": side,
        "app_key": "1",
        "ghl_key": "g",
        "fields": fields,
    }


def _judged(book: Book, before: Seen, after: Seen, told: Told) -> list[str]:
    judge = Judge(book, RULES, met=before.idents() | set(book.gone))
    found: list[Finding] = judge.night(2, before, after, told)
    return [finding.kind for finding in found]


def _typed(side: str = "app", value: Value = "Łódź", *, during: bool = False) -> Book:
    book = Book()
    book.type(side, ANN, "city", value, 2, 1.0, during=during)
    return book


OLD = {"app": _row("1", city="Bonn"), "ghl": _row("g", city="Bonn")}
NEW = {"app": _row("1", city="Łódź"), "ghl": _row("g", city="Łódź")}
BOTH = _seen({ANN: OLD["app"]}, {ANN: OLD["ghl"]})


def _both(app: Row, ghl: Row) -> Seen:
    return _seen({ANN: app}, {ANN: ghl})


def test_a_carried_value_is_good() -> None:
    """A typed value that is on both sides after the night is owed no longer."""
    book = _typed()
    assert (
        _judged(book, _both(NEW["app"], OLD["ghl"]), _both(NEW["app"], NEW["ghl"]), _told()) == []
    )
    assert not book.pending


def test_a_lost_value_is_seen() -> None:
    """A typed value that the run overwrote, and that no report shows, is lost; one that the report shows is not."""
    before, after = _both(NEW["app"], OLD["ghl"]), _both(OLD["app"], OLD["ghl"])
    assert _judged(_typed(), before, after, _told()) == ["lost"]
    shown = _wrote("app", "update", "city", "Łódź", "Bonn")
    assert _judged(_typed(), before, after, _told(changes=(shown,))) == []
    other = _wrote("app", "update", "city", "Graz", "Bonn")
    assert _judged(_typed(), before, after, _told(changes=(other,))) == ["lost"]


def test_a_value_left_behind_is_seen() -> None:
    """A typed value on one side alone must be named, and "agree" is wrong then, named or not."""
    stays = _both(NEW["app"], OLD["ghl"])
    assert _judged(_typed(), stays, stays, _told(1)) == ["unmentioned"]
    assert _judged(_typed(), stays, stays, _told(1, holds=(_hold("city"),))) == []
    assert _judged(_typed(), stays, stays, _told(1, holds=(_hold("email"),))) == ["unmentioned"]
    assert _judged(_typed(), stays, stays, _told(0, holds=(_hold("city"),))) == ["agree"]


def test_what_is_typed_during_the_run_waits_one_night() -> None:
    """A value typed while the run was under way may be left for the next night, but not overwritten."""
    stays = _both(NEW["app"], OLD["ghl"])
    book = _typed(during=True)
    judge = Judge(book, RULES)
    assert judge.night(2, stays, stays, _told(0)) == []
    assert [one.kind for one in judge.night(3, stays, stays, _told(1))] == ["unmentioned"]
    before = _both(OLD["app"], OLD["ghl"])
    assert _judged(_typed(during=True), before, before, _told(0)) == ["lost"]


def test_a_value_from_nowhere_is_seen() -> None:
    """A side that changes to what nobody typed across since the sides agreed was overwritten by something old."""
    before = _both(OLD["app"], NEW["ghl"])
    assert _judged(Book(), before, _both(OLD["app"], OLD["ghl"]), _told()) == ["invented"]
    assert _judged(_typed("ghl"), before, _both(NEW["app"], NEW["ghl"]), _told()) == []


def test_a_deletion_of_nobody_is_seen() -> None:
    """A record that a run takes away must have been deleted across, and not typed into since."""
    before, after = _both(OLD["app"], OLD["ghl"]), _seen({}, {ANN: OLD["ghl"]})
    assert "deleted" in _judged(Book(), before, after, _told(1))
    gone = Book()
    gone.gone[ANN]["ghl"] = 1
    assert _judged(gone, _seen({ANN: OLD["app"]}, {}), _seen({}, {}), _told()) == []
    late = _typed()
    late.gone[ANN]["ghl"] = 2
    assert _judged(late, _seen({ANN: NEW["app"]}, {}), _seen({}, {}), _told()) == ["edit-deleted"]


def test_who_comes_back_is_seen() -> None:
    """A deleted record that a run makes again came back."""
    book = Book()
    book.gone[ANN]["ghl"] = 1
    assert _judged(book, _seen({ANN: OLD["app"]}, {}), _both(OLD["app"], OLD["ghl"]), _told()) == [
        "revived"
    ]


@pytest.mark.parametrize(
    ("complete", "code", "before_the_night", "expected"),
    [
        (True, 1, BOTH, ["revived"]),
        (False, 2, BOTH, []),
        (True, 3, BOTH, []),
        (False, 2, _seen({ANN: OLD["app"]}, {}), ["revived"]),
    ],
    ids=["read whole", "not read", "refused", "made by the run"],
)
def test_who_was_never_seen_on_both_sides_may_come_back(
    complete: bool, code: int, before_the_night: Seen, expected: list[str]
) -> None:
    """A run that could not read a side links nobody there: who is deleted after it is new on the other side to the next."""
    book = Book()
    judge = Judge(book, RULES)
    read = {"snapshots": [{"entity": "contact", "complete": complete}]}
    judge.meet(before_the_night, BOTH, Told(code, {"provenance": read}))
    book.gone[ANN]["ghl"] = 2
    found = judge.night(3, _seen({ANN: OLD["app"]}, {}), BOTH, _told())
    assert [finding.kind for finding in found] == expected


def test_a_second_copy_is_seen() -> None:
    """A record that is on a side twice after a run is there once too often."""
    after = _both(OLD["app"], OLD["ghl"])
    twice = Seen({**after.rows, "ghl": {ANN: [OLD["ghl"], _row("h", city="Bonn")]}}, after.strays)
    assert _judged(Book(), _both(OLD["app"], OLD["ghl"]), twice, _told()) == ["twice"]


def test_a_stranger_under_a_key_is_seen() -> None:
    """A record whose number becomes another person's was overwritten with a stranger."""
    before, after = _both(OLD["app"], OLD["ghl"]), _seen({ANN: OLD["app"]}, {BOB: OLD["ghl"]})
    assert "stranger" in _judged(Book(), before, after, _told(1))


def test_who_is_on_one_side_is_named() -> None:
    """A record on one side alone is named by the report, and "agree" is wrong while it is."""
    alone = _seen({ANN: OLD["app"]}, {})
    assert _judged(Book(), alone, alone, _told(1)) == ["one-sided"]
    assert _judged(Book(), alone, alone, _told(0)) == ["one-sided", "agree"]


def test_who_stays_alone_by_a_decision_is_named() -> None:
    """A record that somebody decided to keep, and what hangs on it, stays on one side: the report lists it so."""
    alone = _seen({}, {ANN: OLD["ghl"]})
    kept = {"class": "by_rule", "because": "decided by Ada: keep", "app_key": None, "ghl_key": "g"}
    outcome = _told(1)
    document = {**outcome.document, "values": {"listed": [{**kept, "field": None}]}}
    assert _judged(Book(), alone, alone, Told(1, document, rules=RULES)) == []
    document = {**outcome.document, "values": {"listed": [{**kept, "field": "city"}]}}
    assert _judged(Book(), alone, alone, Told(1, document, rules=RULES)) == ["one-sided"]


def test_the_older_value_must_not_win() -> None:
    """Where the newest value is to win, the last one that a person typed does."""
    book = _typed("ghl", "Bonn")
    book.type("app", ANN, "city", "Łódź", 2, 2.0)
    book.last_edit = {("ghl", ANN): 1.0, ("app", ANN): 2.0}
    shown = _told(changes=(_wrote("app", "update", "city", "Łódź", "Bonn"),))
    before, after = _both(NEW["app"], OLD["ghl"]), _both(OLD["app"], OLD["ghl"])
    assert _judged(book, before, after, shown) == ["oldest"]


def test_the_oracle_reads_as_people_do() -> None:
    """Notation is no difference to the oracle, and everything else is."""
    assert phone("(512) 555-0142") == phone("+1 512 555 0142") == "+15125550142"
    assert phone("call reception, ask for 12") == "call reception, ask for 12"
    assert email(" Łukasz@EXÄMPLE.fr") == "łukasz@exämple.fr"
    assert name("Ann  Lee") == "Ann Lee" != name("ann lee")
    assert number("12.50") == number(12.5) == "12.5"
    assert moment("2026-09-01T09:00:00.000Z") == moment("2026-09-01T11:00:00+02:00")
    assert plain("<p>tea &amp; cake</p>") == plain("tea & cake")


def test_a_value_goes_with_the_record_that_its_author_deletes() -> None:
    """What was typed on one side alone is owed no longer once a person deletes the record there, also where it comes back."""
    book = Book()
    typed = _seen({ANN: _row("1", city="Here")}, {ANN: _row("g", city="Old")})
    book.compare(_seen({}, {}), typed, 1, 1.0)
    book.compare(typed, _seen({}, {ANN: _row("g", city="Old")}), 2, 2.0)
    assert {side for typed in book.pending.values() for side in typed} == {"ghl"}


def test_a_merge_that_nobody_can_see_is_a_deletion() -> None:
    """Where the loser's every identity changed unseen, the rule for deletions is all that a run can follow; else it is a finding."""
    book = Book()
    book.merged[ANN] = BOB
    seen, gone = _seen({ANN: _row("1")}, {}), _seen({}, {})
    assert _judged(book, seen, gone, _told()) == ["deleted"]
    book.untraceable.add(ANN)
    assert _judged(book, seen, gone, _told()) == []


def test_what_a_ring_cleared_is_owed_and_not_invented() -> None:
    """A run that dies between clearing an email and setting it left a blank: the new one stays owed, and has to be named."""
    before = _both(_row("1", email="bo@x.com"), _row("g", email="ann@x.com"))
    after = _both(_row("1", email="bo@x.com"), _row("g", email=None))
    swapped = Book()
    swapped.type("app", ANN, "email", "bo@x.com", 2, 1.0)
    assert _judged(swapped, before, after, _told(1)) == ["unmentioned"]
    assert _judged(swapped, before, after, _told(1, holds=(_hold("email"),))) == []
    assert "invented" in _judged(Book(), before, after, _told(1))


def test_what_moved_away_is_not_deleted_with_its_old_contact() -> None:
    """A task that somebody moved in the app, and that went in GHL with the contact it hung on, may be made again on the new one."""
    task: Ident = ("task", "T00001")
    in_app, in_ghl = Row("7", "P00002", {"title": "Call"}), Row("g7", "P00001", {"title": "Call"})
    book = Book()
    book.compare(
        _seen({BOB: _row("2"), task: in_app}, {ANN: _row("g1"), BOB: _row("g2"), task: in_ghl}),
        _seen({BOB: _row("2"), task: in_app}, {BOB: _row("g2")}),
        2,
        1.0,
    )
    before = _seen({BOB: _row("2"), task: in_app}, {BOB: _row("g2")})
    made = Row("g8", "P00002", {"title": "Call"})
    after = _seen({BOB: _row("2"), task: in_app}, {BOB: _row("g2"), task: made})
    assert "revived" not in _judged(book, before, after, _told())
    book.gone_with.clear()
    assert "revived" in _judged(book, before, after, _told())
