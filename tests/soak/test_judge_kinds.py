"""The soak's oracle on companies, deals and consents: each thing that must never be is seen when it is there."""

from __future__ import annotations

from typing import Any

import pytest

from flows.rehearse.book import Book, Ident, Seen
from flows.rehearse.judge import Judge
from flows.rehearse.rules import ALLOWED, DENIED, PERMANENT, Row, Rule, Value
from flows.rehearse.told import Told
from tests.soak.values import RULES

ANN: Ident = ("contact", "P00001")
FIRM: Ident = ("company", "F00001")
DEAL: Ident = ("opportunity", "D00001")
CELLS = {FIRM: "city", DEAL: "stage"}
"""A company and a deal, and what people type into each."""
RECORDS = pytest.mark.parametrize("ident", CELLS, ids=lambda ident: ident[0])

Sides = dict[Ident, Row]


def _seen(app: Sides, ghl: Sides) -> Seen:
    sides = {"app": app, "ghl": ghl}
    return Seen(
        {side: {ident: [row] for ident, row in rows.items()} for side, rows in sides.items()},
        {"app": {}, "ghl": {}},
    )


def _row(ident: Ident, side: str, value: Value) -> Row:
    key = {"app": "1", "ghl": "g"}[side]
    return Row(key, "P00001" if ident is DEAL else None, {CELLS[ident]: value})


def _both(ident: Ident, app: Value, ghl: Value) -> Seen:
    return _seen({ident: _row(ident, "app", app)}, {ident: _row(ident, "ghl", ghl)})


def _told(code: int = 0, *, field: str = "", wrote: tuple[Any, ...] = ()) -> Told:
    """A run that ended so, with a question about a field, and an update of the app's record."""
    ends = {"app_key": "1", "ghl_key": "g"}
    hold = {"field": field, "records": [], "candidates": [], **ends}
    changes = []
    if wrote:
        name, before, after = wrote
        fields = [{"field": name, "before": before, "after": after}]
        changes = [{"status": "done", "kind": "update", "side": "app", "fields": fields, **ends}]
    document = {
        "verdict": {"code": "x", "headline": "x"},
        "changes": changes,
        "holds": [hold] if field else [],
    }
    return Told(code, document, rules=RULES)


def _judged(book: Book, before: Seen, after: Seen, told: Told) -> list[str]:
    judge = Judge(book, RULES, met=set(before.idents()))
    return [finding.kind for finding in judge.night(2, before, after, told)]


def _typed(ident: Ident, name: str, value: Value, side: str = "app", **more: bool) -> Book:
    book = Book()
    book.type(side, ident, name, value, 2, 1.0, **more)
    return book


@RECORDS
def test_a_carried_value_is_good(ident: Ident) -> None:
    """What is typed and on both sides after the night is owed no longer."""
    book = _typed(ident, CELLS[ident], "new")
    assert _judged(book, _both(ident, "new", "old"), _both(ident, "new", "new"), _told()) == []
    assert not book.pending


@RECORDS
def test_a_lost_value_is_seen(ident: Ident) -> None:
    """A typed value that the run overwrote is lost, unless the report shows it."""
    before, after = _both(ident, "new", "old"), _both(ident, "old", "old")
    name = CELLS[ident]
    assert _judged(_typed(ident, name, "new"), before, after, _told()) == ["lost"]
    shown = _told(wrote=(name, "new", "old"))
    assert _judged(_typed(ident, name, "new"), before, after, shown) == []


@RECORDS
def test_a_value_left_behind_is_seen(ident: Ident) -> None:
    """A typed value on one side alone is named, and "agree" is wrong then, named or not."""
    stays, name = _both(ident, "new", "old"), CELLS[ident]
    book = _typed(ident, name, "new")
    assert _judged(book, stays, stays, _told(1)) == ["unmentioned"]
    assert _judged(book, stays, stays, _told(1, field=name)) == []
    assert _judged(book, stays, stays, _told(0, field=name)) == ["agree"]


@RECORDS
def test_a_value_from_nowhere_is_seen(ident: Ident) -> None:
    """A value that nobody typed across is seen where a run writes it."""
    before, after = _both(ident, "old", "new"), _both(ident, "old", "old")
    assert _judged(Book(), before, after, _told()) == ["invented"]


@RECORDS
def test_a_deletion_of_nobody_is_seen(ident: Ident) -> None:
    """A record that a run takes away was deleted across, and not typed into since."""
    alone = _seen({ident: _row(ident, "app", "new")}, {})
    left = _seen({}, {ident: _row(ident, "ghl", "old")})
    assert "deleted" in _judged(Book(), _both(ident, "old", "old"), left, _told(1))
    gone = Book()
    gone.gone[ident]["ghl"] = 1
    assert _judged(gone, alone, _seen({}, {}), _told()) == []
    late = _typed(ident, CELLS[ident], "new")
    late.gone[ident]["ghl"] = 2
    assert _judged(late, alone, _seen({}, {}), _told()) == ["edit-deleted"]


@RECORDS
def test_what_comes_back_is_seen(ident: Ident) -> None:
    """A deleted record that a run makes again came back."""
    book = Book()
    book.gone[ident]["ghl"] = 1
    alone = _seen({ident: _row(ident, "app", "old")}, {})
    assert _judged(book, alone, _both(ident, "old", "old"), _told()) == ["revived"]


@RECORDS
def test_a_second_copy_is_seen(ident: Ident) -> None:
    """A record that is on a side twice after a run is there once too often."""
    before = _both(ident, "old", "old")
    copies = [_row(ident, "ghl", "old"), Row("h", None, {CELLS[ident]: "old"})]
    twice = Seen({**before.rows, "ghl": {ident: copies}}, before.strays)
    assert _judged(Book(), before, twice, _told()) == ["twice"]


@RECORDS
def test_what_is_on_one_side_is_named(ident: Ident) -> None:
    """A record on one side alone is named by the report, and "agree" is wrong while it is."""
    alone = _seen({ident: _row(ident, "app", "old")}, {})
    assert _judged(Book(), alone, alone, _told(1)) == ["one-sided"]
    assert _judged(Book(), alone, alone, _told(0)) == ["one-sided", "agree"]


@RECORDS
def test_what_is_deleted_during_the_run_waits_a_night(ident: Ident) -> None:
    """A record that somebody deletes while the run is under way may be alone until the next one."""
    alone = _seen({ident: _row(ident, "app", "old")}, {})
    book = Book()
    book.gone[ident]["ghl"] = 2
    assert _judged(book, _both(ident, "old", "old"), alone, _told(0)) == []
    assert "agree" in _judged(book, alone, alone, _told(0))


@RECORDS
def test_another_under_a_key_is_seen(ident: Ident) -> None:
    """A key that is another record's after the night was given to a stranger."""
    before = _seen({ident: _row(ident, "app", "old")}, {})
    after = _seen({(ident[0], "X00002"): _row(ident, "app", "old")}, {})
    assert "stranger" in _judged(Book(), before, after, _told(1))


def test_what_a_side_gives_a_new_record_waits_a_night() -> None:
    """GHL gives a new deal a value of its own: it is owed to the app by the night after."""
    alone = _seen({DEAL: Row("1", None, {"amount": None})}, {})
    given = _seen({DEAL: Row("1", None, {"amount": None})}, {DEAL: Row("g", None, {"amount": "0"})})
    carried = _seen(
        {DEAL: Row("1", None, {"amount": "0"})}, {DEAL: Row("g", None, {"amount": "0"})}
    )
    book = Book()
    assert _judged(book, alone, given, _told()) == []
    assert _judged(book, given, given, _told(1)) == ["unmentioned"]
    assert _judged(book, given, carried, _told()) == []


def _works(app: Value, ghl: Value, *, firms: bool = True) -> Seen:
    """Ann at a firm of each side's; three firms that both sides have."""
    rows = {
        side: {ANN: Row(key, None, {"firm_id": at})}
        for side, key, at in (("app", "1", app), ("ghl", "g", ghl))
    }
    for side, there in rows.items() if firms else ():
        there |= {("company", uid): Row(f"{side}{uid}", None, {}) for uid in ("F1", "F2", "F3")}
    return _seen(rows["app"], rows["ghl"])


def test_who_works_where_is_carried() -> None:
    """A link to a firm that somebody typed is owed until both sides have it."""
    book = _typed(ANN, "firm_id", "F2")
    assert _judged(book, _works("F2", "F1"), _works("F2", "F2"), _told()) == []
    assert not book.pending


def test_a_link_that_is_lost_is_seen() -> None:
    """A typed link that a run takes away, or puts another in the place of, is lost, unless the report shows that very firm."""
    for now in ("F1", None):
        before, after = _works("F2", "F1"), _works(now, "F1")
        assert "lost" in _judged(_typed(ANN, "firm_id", "F2"), before, after, _told())
        other = _told(wrote=("firm_id", "F3", now))
        assert "lost" in _judged(_typed(ANN, "firm_id", "F2"), before, after, other)
        shown = _told(wrote=("firm_id", "F2", now))
        assert "lost" not in _judged(_typed(ANN, "firm_id", "F2"), before, after, shown)


def test_a_link_to_a_firm_of_nobody_s_choice_is_seen() -> None:
    """A run that links somebody to a firm that nobody typed across invented it, also where it makes the contact."""
    before, wrong = _works("F2", None), _works("F2", "F3")
    assert "invented" in _judged(_typed(ANN, "firm_id", "F2"), before, wrong, _told(1))
    new = _seen({ANN: Row("1", None, {"firm_id": "F2"})}, {})
    found = _judged(_typed(ANN, "firm_id", "F2"), new, _works("F2", "F3"), _told(1))
    assert found == ["unmentioned"]


def test_a_link_comes_back_with_its_firm() -> None:
    """Where a company is made again, who is at it across is at it here; where it was there, or another is, nobody typed that."""
    again, there = _works(None, "F2"), _works("F2", "F2")
    for firm in ("F1", "F2", "F3"):
        del again.rows["app"]["company", firm]
    assert _judged(Book(), again, there, _told()) == []
    assert "invented" in _judged(Book(), again, _works("F3", "F2"), _told(1))
    assert "invented" in _judged(Book(), _works(None, "F2"), there, _told())


def test_a_link_that_is_left_behind_is_seen() -> None:
    """A link that is on one side alone is named, and "agree" is wrong then, also where the firm is gone across."""
    for firms in (True, False):
        stays = _works("F2", None, firms=firms)
        book = _typed(ANN, "firm_id", "F2")
        assert _judged(book, stays, stays, _told(1)) == ["unmentioned"]
        assert _judged(book, stays, stays, _told(1, field="firm_id")) == []
        assert _judged(book, stays, stays, _told(0, field="firm_id")) == ["agree"]


def test_whose_firm_is_gone_works_nowhere() -> None:
    """A contact's link to a company goes with the company, and with nothing else."""

    def _people(app: Value, ghl: Value) -> tuple[Row, Row]:
        return Row("1", None, {"firm_id": app}), Row("g", None, {"firm_id": ghl})

    (app, ghl), firm = _people("F00001", "F00001"), _row(FIRM, "ghl", "Bonn")
    before = _seen({ANN: app}, {ANN: ghl, FIRM: firm})
    nowhere = _seen({ANN: app}, {ANN: _people(None, None)[1]})
    book = Book()
    book.gone[FIRM]["app"] = 1
    book.decided[FIRM][None] = "delete"
    assert "invented" not in _judged(book, before, nowhere, _told(1))
    stays = _seen({ANN: app}, {ANN: _people(None, None)[1], FIRM: firm})
    assert "invented" in _judged(Book(), before, stays, _told(1))


def _named(firms: tuple[Value, Value], names: tuple[Value, Value]) -> Seen:
    """Ann, whose firm's name the app reads by its key, while GHL has a text for it: the app's and GHL's."""
    rows = {}
    for side, firm, name in zip(("app", "ghl"), firms, names, strict=True):
        ann = Row(side, None, {"firm_id": firm, "firm_name": name})
        rows[side] = {ANN: ann, ("company", "F2"): Row(f"{side} F2", None, {})}
    return _seen(rows["app"], rows["ghl"])


FOLLOWS = {**RULES, ("contact", "firm_name"): Rule(owner="app", follows=("app",))}


def test_a_name_that_is_only_read_follows_the_key() -> None:
    """Where a run carries the firm, the name that the app reads by it is no run's invention; it is owed to GHL by the night after."""
    book = _typed(ANN, "firm_id", "F2", side="ghl")
    judge = Judge(book, FOLLOWS, met={ANN, ("company", "F2")})
    there = ("F2", "F2")
    before = _named((None, "F2"), (None, None))
    carried, whole = _named(there, ("Acme", None)), _named(there, ("Acme", "Acme"))
    assert judge.night(2, before, carried, _told()) == []
    assert [one.kind for one in judge.night(3, carried, carried, _told(1))] == ["unmentioned"]
    assert judge.night(4, carried, whole, _told()) == []
    assert not book.pending


def test_a_name_that_is_only_read_goes_with_the_key() -> None:
    """Where a question about the firm was decided for GHL, what the app showed for it is not lost."""
    book = _typed(ANN, "firm_name", "Beta")
    there = ("F2", "F2")
    before, after = _named(there, ("Beta", "Acme")), _named(there, ("Acme", "Acme"))
    assert Judge(book, FOLLOWS, met={ANN}).night(2, before, after, _told()) == []
    assert not book.pending


def test_a_name_that_a_side_takes_is_no_follower() -> None:
    """On the side where people type it a name of nobody is still invented."""
    there = ("F2", "F2")
    before, after = _named(there, ("Acme", "Acme")), _named(there, ("Acme", "Beta"))
    (found,) = Judge(Book(), FOLLOWS, met={ANN}).night(2, before, after, _told(1))
    assert found.kind == "invented"


def test_an_element_that_a_run_takes_from_a_set_is_seen() -> None:
    """What somebody added to a set goes only where somebody takes it out across, whatever the report shows."""
    tagged = Row("g", None, {"languages:Polski": "on"})
    before = _seen({ANN: Row("1", None, {})}, {ANN: tagged})
    after = _seen({ANN: Row("1", None, {})}, {ANN: Row("g", None, {})})
    shown = _told()
    shown.written["ghl", "g"].append(("update", "languages", None, "x"))
    assert _judged(_typed(ANN, "languages:Polski", "on", "ghl"), before, after, shown) == ["lost"]
    taken = _typed(ANN, "languages:Polski", "on", "ghl")
    taken.type("app", ANN, "languages:Polski", None, 2, 2.0)
    assert _judged(taken, before, after, shown) == []


def test_who_is_given_a_strangers_address_is_seen() -> None:
    """A contact without a counterpart, of which a run changes the email, became somebody else."""
    before = _seen({}, {ANN: Row("g", None, {"email": "ann@a.test"})})
    after = _seen({}, {ANN: Row("g", None, {"email": "bob@b.test"})})
    book = Book()
    book.gone[ANN]["app"] = 1
    assert _judged(book, before, after, _told(1)) == ["stranger"]
    by_hand = _typed(ANN, "email", "bob@b.test", "ghl")
    assert "stranger" not in _judged(by_hand, before, after, _told(1))


def test_a_note_waits_no_longer_than_all_of_them_take() -> None:
    """Within a budget an edited note may wait until all notes were read; then it is carried, or named."""
    note: Ident = ("note", "N00001")
    ends = [
        _seen({note: Row("1", "P00001", {"body": one})}, {note: Row("g", "P00001", {"body": "b"})})
        for one in ("a", "b")
    ]
    judge = Judge(_typed(note, "body", "a"), RULES, sweep=2)
    unread = {"entity": "note", "sides": [{"classes": {"not_checked": 3}, "unread": 0}]}
    told = _told(1)
    told.document["statement"] = {"entities": [unread]}  # type: ignore[index]
    assert judge.night(4, ends[0], ends[0], told) == []
    assert [one.kind for one in judge.night(9, ends[0], ends[0], told)] == ["unmentioned"]


# consents


def _said(app: Value, ghl: Value) -> Seen:
    return _seen(
        {ANN: Row("1", None, {"no_sms": app})},
        {ANN: Row("g", None, {"no_sms": ghl})},
    )


@pytest.mark.parametrize("no", [DENIED, PERMANENT])
def test_a_lifted_no_is_seen(no: str) -> None:
    """A no that is gone after a run was lifted, whatever came in its place, unless a person said so there."""
    for now in (ALLOWED, None):
        after = _said(now, now)
        assert "loosened" in _judged(Book(), _said(no, ALLOWED), after, _told())
    yes = _typed(ANN, "no_sms", ALLOWED, "ghl")
    assert "loosened" in _judged(yes, _said(no, ALLOWED), _said(ALLOWED, ALLOWED), _told())
    taken_back = _typed(ANN, "no_sms", ALLOWED, during=True)
    lifted = _judged(taken_back, _said(no, ALLOWED), _said(ALLOWED, ALLOWED), _told())
    assert lifted == []


def test_a_no_that_is_overwritten_in_the_run_is_seen() -> None:
    """A no that came between the job's look and its write is lifted where it is gone after the run."""
    book = _typed(ANN, "no_sms", DENIED, during=True)
    same = _said(ALLOWED, ALLOWED)
    assert _judged(book, same, same, _told()) == ["loosened"]


def test_silence_that_becomes_a_yes_is_seen() -> None:
    """Who has said nothing on a side has not said yes there."""
    found = _judged(Book(), _said(ALLOWED, None), _said(ALLOWED, ALLOWED), _told())
    assert found == ["loosened"]


def test_a_no_of_nobody_is_seen() -> None:
    """A no that a run writes was said on one of the sides."""
    yes, no = _said(ALLOWED, ALLOWED), _said(DENIED, DENIED)
    assert _judged(Book(), yes, no, _told()) == ["invented"]
    assert _judged(_typed(ANN, "no_sms", DENIED), _said(DENIED, ALLOWED), no, _told()) == []


def test_a_no_on_one_side_is_named() -> None:
    """A no that has not reached the other side is named by the report, and "agree" is wrong while it has not."""
    apart = _said(DENIED, ALLOWED)
    assert _judged(Book(), apart, apart, _told(1)) == ["unmentioned"]
    assert _judged(Book(), apart, apart, _told(1, field="no_sms")) == []
    assert _judged(Book(), apart, apart, _told(0, field="no_sms")) == ["agree"]
    for alike in (_said(ALLOWED, None), _said(PERMANENT, DENIED)):
        assert _judged(Book(), alike, alike, _told(0)) == []


def test_an_answer_may_lift_a_no() -> None:
    """What a person decides about a no is no finding."""
    book = Book()
    book.decided[ANN]["no_sms"] = "app"
    assert _judged(book, _said(ALLOWED, DENIED), _said(ALLOWED, ALLOWED), _told()) == []


def test_a_statement_that_does_not_balance_is_seen() -> None:
    """What nothing accounts for is a fault of the run, whatever its exit code."""
    nothing = _seen({}, {})
    for code in (0, 2):
        told = _told(code)
        told.document["statement"] = {"unexplained": 2}  # type: ignore[index]
        assert _judged(Book(), nothing, nothing, told) == ["unexplained"]


def test_what_a_side_gave_earlier_in_the_night_may_be_carried() -> None:
    """A plan that was carried out in the evening made the deal in GHL: what GHL gave it then is carried by the night."""
    deals = [
        _seen({DEAL: Row("1", None, {"amount": one})}, {DEAL: Row("g", None, {"amount": "0"})})
        for one in (None, "0")
    ]
    assert Judge(Book(), RULES).night(2, *deals, _told()) == []
    assert _judged(Book(), *deals, _told()) == ["invented"]


def _firm(uid: str, city: str | None) -> Row:
    return Row("7", None, {"name": f"Firm {uid}", "city": city})


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("Bern", "Caen", ["deleted", "stranger"]),
        (None, "Caen", ["deleted", "stranger"]),
        ("Bern", "Bern", []),
        (None, None, []),
    ],
)
def test_another_firm_under_a_key_is_seen_where_anything_tells_it(
    before: str | None, after: str | None, found: list[str]
) -> None:
    """What differs in its name alone is a renamed company, for all that a run can know."""
    old, new = ("company", "F1"), ("company", "F2")
    across = Row("g7", None, {"name": "Firm F1", "city": before})
    was = _seen({new: _firm("F2", after)}, {old: across})
    now = _seen({new: _firm("F2", after)}, {new: Row("g7", None, _firm("F2", after).cells)})
    assert sorted(set(_judged(Book(), was, now, _told(1)))) == found
