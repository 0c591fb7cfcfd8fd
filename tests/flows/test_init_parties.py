"""What `init` makes of a CRM whose people are parties: emails and phones in rows of their own, marks of archiving, a view."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.ghl.entities import GHL
from flows.config.pair import read
from flows.init import Proposal, propose
from flows.init.survey import survey
from flows.init.writing import Head, pair_text
from reconcile.model import Entity
from reconcile.ports import Description, FieldInfo

STAFF = """
CREATE TABLE staff (id INTEGER PRIMARY KEY, full_name TEXT, mail TEXT);
INSERT INTO staff VALUES (1, 'Ina Wolf', 'ina@praxis.test'), (2, 'Tom Ra', 'tom@praxis.test');
"""
PARTIES = """
CREATE TABLE parties (id TEXT PRIMARY KEY, given_name TEXT, family_name TEXT, born_on DATE, town TEXT, zip TEXT, country_code TEXT{more});
INSERT INTO parties (id, given_name, family_name, born_on, town, zip, country_code) VALUES
  ('p1', 'Ann', 'Abel', '1980-01-02', 'Kiel', '24103', 'DE'), ('p2', 'Ben', 'Bird', '1969-07-20', 'Bonn', '53111', 'DE');
"""
EMAILS = """
CREATE TABLE party_emails (id INTEGER PRIMARY KEY, party_id TEXT REFERENCES parties, address TEXT NOT NULL, is_primary BOOLEAN NOT NULL DEFAULT 0);
INSERT INTO party_emails VALUES (1, 'p1', 'ann@a.test', 1), (2, 'p1', 'ann@home.test', 0), (3, 'p2', 'ben@b.test', 1);
"""


def _proposed(
    sql: str, folder: Path, *, more: str = "", known: Mapping[str, FieldInfo] | None = None
) -> Proposal:
    with sqlite3.connect(folder / "some.db") as database:
        database.executescript(PARTIES.format(more=more) + sql)
    database.close()
    fields = {entity: dict(kind.info) for entity, kind in GHL.items()}
    fields[Entity.CONTACT] |= known or {}
    return propose(survey(f"sqlite:///{folder}/some.db"), Description("ghl:x", fields))


def _text(proposal: Proposal, folder: Path) -> str:
    """The pair file, which loads."""
    head = Head("acme", f"sqlite:///{folder}/x.db", "http://127.0.0.1:1", "loc1", "env:GHL_TOKEN")
    text = pair_text(proposal, head)
    read(text, folder / "acme.toml", environ={"GHL_TOKEN": "pit-whole"})
    return text


def _joins(proposal: Proposal) -> Mapping[str, Mapping[str, Any]]:
    place = proposal.place(Entity.CONTACT)
    assert place is not None
    return {join.name: join.said for join in place.joins}


def _fields(proposal: Proposal, entity: Entity = Entity.CONTACT) -> Mapping[str, tuple[str, ...]]:
    return {line.column: line.ghl for line in proposal.fields(entity)}


NOTES = """
CREATE TABLE journal_entries (id INTEGER PRIMARY KEY, party_id TEXT REFERENCES parties, body_html TEXT NOT NULL, written_by INTEGER REFERENCES staff);
INSERT INTO journal_entries VALUES (1, 'p1', '<p>First talk</p>', 1), (2, 'p2', '<p>Knee, left</p>', 2);
"""


def test_notes_are_no_link_to_those_who_wrote_them(tmp_path: Path) -> None:
    """A table with texts of its own is notes: a contact's email is not that of who wrote about it, and no note is a link that a blank would delete."""
    proposal = _proposed(STAFF + NOTES, tmp_path)
    assert _joins(proposal) == {}
    assert "email" not in {name for names in _fields(proposal).values() for name in names}
    place = proposal.place(Entity.NOTE)
    assert place is not None
    assert (place.table, place.parent) == ("journal_entries", "party_id")
    [line] = proposal.fields(Entity.NOTE)
    assert (line.column, line.ghl, line.codec) == ("body_html", ("body",), "html")


@pytest.mark.parametrize(
    "more", ["", ", remark TEXT"], ids=["a link alone", "a link with a remark"]
)
def test_who_looks_after_a_contact_lends_it_no_email(more: str, tmp_path: Path) -> None:
    """A link table between contacts and those who work with the application leads to no address of a contact."""
    link = f"CREATE TABLE carers (party_id TEXT REFERENCES parties, staff_id INTEGER REFERENCES staff{more}, PRIMARY KEY (party_id, staff_id));"
    rows = "INSERT INTO carers (party_id, staff_id) VALUES ('p1', 1), ('p2', 2);"
    proposal = _proposed(STAFF + link + rows, tmp_path)
    assert _joins(proposal) == {}


@pytest.mark.parametrize(
    "column", ["archived_at", "is_archived", "discarded_at", "trashed_at", "removed_at"]
)
def test_marks_of_those_who_are_gone(column: str, tmp_path: Path) -> None:
    """Whoever the app has put away is not made in GHL: each name for that is a soft delete."""
    declared = "BOOLEAN" if column.startswith("is_") else "TIMESTAMP"
    proposal = _proposed(EMAILS, tmp_path, more=f", {column} {declared}")
    place = proposal.place(Entity.CONTACT)
    assert place is not None
    assert place.deleted == column


def test_emails_in_rows_of_their_own(tmp_path: Path) -> None:
    """A column that is called address and holds emails is the email; of several the marked one counts, and a new one is marked."""
    proposal = _proposed(EMAILS, tmp_path)
    assert _joins(proposal) == {
        "emails": {
            "table": "party_emails",
            "on": {"party_id": "id"},
            "first": "is_primary desc, id",
            "on_create": {"is_primary": True},
        }
    }
    assert _fields(proposal)["emails.address"] == ("email",)
    assert "address1" not in {name for names in _fields(proposal).values() for name in names}
    _text(proposal, tmp_path)


def test_a_mark_chooses_among_rows_of_several_kinds(tmp_path: Path) -> None:
    """Kinds that say nothing of which row is the main one need not be chosen from where a mark does."""
    sql = (
        "CREATE TABLE party_phones (id INTEGER PRIMARY KEY, party_id TEXT REFERENCES parties, number TEXT NOT NULL, label TEXT, is_primary BOOLEAN NOT NULL DEFAULT 0);"
        "INSERT INTO party_phones VALUES (1, 'p1', '+49 151 2345678', 'mobil', 1), (2, 'p1', '+49 40 2345678', 'work', 0), (3, 'p2', '+49 151 3345678', 'privat', 1);"
    )
    proposal = _proposed(EMAILS + sql, tmp_path)
    said = _joins(proposal)["phones"]
    assert said["first"] == "is_primary desc, id"
    assert "fixed" not in said
    assert _fields(proposal)["phones.number"] == ("phone",)


def test_companies_are_called_as_companies_are(tmp_path: Path) -> None:
    """A name with a number in it is a company's name all the same."""
    sql = (
        "CREATE TABLE organisations (id INTEGER PRIMARY KEY, display_name TEXT NOT NULL, street TEXT);"
        "INSERT INTO organisations VALUES (1, 'Deichbau 7 GmbH', 'Kai 1'), (2, '3 Ufer', 'Kai 2');"
    )
    proposal = _proposed(
        EMAILS + sql, tmp_path, more=", organisation_id INTEGER REFERENCES organisations"
    )
    assert _fields(proposal, Entity.COMPANY)["display_name"] == ("name",)
    _text(proposal, tmp_path)


def test_what_can_be_made_on_neither_side_is_said_once(tmp_path: Path) -> None:
    """Where a new row lacks a value and a new record of GHL's a name, the file says one word, and loads."""
    sql = (
        "CREATE TABLE jobs (id INTEGER PRIMARY KEY, party_id TEXT REFERENCES parties, subject TEXT, state TEXT, shift_code TEXT NOT NULL);"
        "INSERT INTO jobs VALUES (1, 'p1', 'Call', 'new', 'A'), (2, 'p2', 'Mail', 'done', 'B');"
    )
    proposal = _proposed(EMAILS + sql, tmp_path)
    written = [line for line in _text(proposal, tmp_path).splitlines() if "create" in line]
    [said] = [line for line in written if line.startswith("create = ")]
    assert said.startswith('create = "none"')
    assert "shift_code" in said
    assert "dueDate" in said


def test_labels_with_a_caption(tmp_path: Path) -> None:
    """The table of labels has one text, whatever that is called."""
    sql = (
        "CREATE TABLE labels (id INTEGER PRIMARY KEY, caption TEXT NOT NULL);"
        "INSERT INTO labels VALUES (1, 'VIP'), (2, 'Cold');"
        "CREATE TABLE party_labels (party_id TEXT REFERENCES parties, label_id INTEGER REFERENCES labels, PRIMARY KEY (party_id, label_id));"
        "INSERT INTO party_labels VALUES ('p1', 1);"
    )
    place = _proposed(EMAILS + sql, tmp_path).place(Entity.CONTACT)
    assert place is not None
    assert place.tags == {
        "table": "party_labels",
        "contact": "party_id",
        "tag": "label_id",
        "names": "labels",
        "names_key": "id",
        "names_column": "caption",
    }


def test_a_view_comes_after_the_table_that_it_shows(tmp_path: Path) -> None:
    """What hangs on a contact leads to the table: taken is that, and the view is told."""
    sql = (
        "CREATE VIEW live_people AS SELECT p.id, p.given_name, p.family_name, e.address AS email, p.town"
        " FROM parties p JOIN party_emails e ON e.party_id = p.id AND e.is_primary;"
    )
    proposal = _proposed(STAFF + EMAILS + NOTES + sql, tmp_path)
    places = {place.entity: place.table for place in proposal.places}
    assert places == {Entity.CONTACT: "parties", Entity.NOTE: "journal_entries"}
    told = {one.where: one.why for one in proposal.unplaced}
    assert '"parties" was taken' in told["live_people"]


def test_every_column_is_told(tmp_path: Path) -> None:
    """A column that points to a person who works there, and one with a document, have no place that could be guessed, and a word why."""
    sql = (
        "CREATE TABLE jobs (id INTEGER PRIMARY KEY, party_id TEXT REFERENCES parties, subject TEXT, due_on TIMESTAMP, state TEXT, assignee_id INTEGER REFERENCES staff);"
        "INSERT INTO jobs VALUES (1, 'p1', 'Call', '2026-12-24 09:00:00', 'new', 1);"
        'UPDATE parties SET remarks = \'[{"text": "knee"}]\';'
    )
    known = {"contact.remarks": FieldInfo("text", label="Remarks")}
    proposal = _proposed(STAFF + EMAILS + sql, tmp_path, more=", remarks JSON", known=known)
    told = {one.where: one.why for one in proposal.unplaced}
    assert "staff" in told["jobs.assignee_id"]
    assert 'by = "email"' in told["jobs.assignee_id"]
    assert "JSON" in told["parties.remarks"]
    assert "remarks" not in _fields(proposal)


def test_whose_clock_is_not_guessed(tmp_path: Path) -> None:
    """Times without a zone may be UTC or the location's: the file names both, and takes neither by itself for the other."""
    proposal = _proposed(EMAILS, tmp_path)
    written = _text(replace(proposal, timezone="Europe/Berlin"), tmp_path).splitlines()
    [said] = [line for line in written if "Europe/Berlin" in line]
    assert said.startswith("# timezone = ")
    assert not any("timezone" in line for line in _text(proposal, tmp_path).splitlines())
