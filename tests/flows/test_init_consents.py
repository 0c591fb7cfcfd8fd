"""What `init` makes of columns that say whether a person may be written to, and of what a person denies."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.ghl.sandbox import Sandbox
from flows.init import init
from flows.init.consents import consents
from flows.init.found import Column
from flows.init.proposal import SURE, Line
from flows.init.run import Wish
from reconcile.ports import FieldType


def test_what_is_denied_leaves_no_table_behind(tmp_path: Path) -> None:
    """A table whose every field a person denies is not joined; a consent is asked about, and stands in the file one way."""
    with sqlite3.connect(tmp_path / "app.db") as database:
        database.executescript(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, full_name TEXT, email TEXT, do_not_call BOOLEAN, sms_opt_in BOOLEAN);"
            "CREATE TABLE phones (id INTEGER PRIMARY KEY, client_id INTEGER UNIQUE REFERENCES clients (id), number TEXT);"
            "INSERT INTO clients VALUES (1, 'Ann Lee', 'ann@x.example', 1, 0);"
            "INSERT INTO phones VALUES (1, 1, '+1 212 555 0101');"
        )
    database.close()
    sandbox = Sandbox(path=tmp_path / "ghl.db")
    sandbox.add_location("loc1")
    sandbox.close()
    wish = Wish(f"sqlite:///{tmp_path}/app.db", "loc1", tmp_path / "pair.toml")
    wish = replace(wish, ghl_url=f"sandbox:{tmp_path}/ghl.db")
    asked: list[str] = []

    def ask(line: Line) -> bool:
        asked.append(line.column)
        return line.column == "do_not_call"

    init(wish, ask=ask, environ={})
    written = wish.out.read_text()
    assert asked == ["do_not_call", "sms_opt_in", "phones.number"]
    assert "[app.contact.join" not in written
    says = '{ ghl = "dnd.call", true_says = "denied", flow = "app->ghl" }'
    assert f"\ndo_not_call = {says}" in written
    assert "\n# sms_opt_in = " in written


def consent(name: str, kind: FieldType = "bool", samples: tuple[str, ...] = ()) -> Line | None:
    """What is proposed for a column of that name."""
    said = consents([Column(name, kind, samples)]).get(name)
    return said if isinstance(said, Line) else None


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("opted_out", "? dnd.email denied"),
        ("HasOptedOutOfEmail", "dnd.email denied"),
        ("do_not_email", "dnd.email denied"),
        ("no_sms", "dnd.sms denied"),
        ("doNotCall", "dnd.call denied"),
        ("unsubscribed", "dnd.email denied"),
        ("sms_opt_in", "? dnd.sms allowed"),
        ("newsletter_subscribed", "? dnd.email allowed"),
        ("newsletter", ""),
        ("double_opt_in_registration", ""),
        ("confirm_opt_in", ""),
        ("email", ""),
    ],
)
def test_which_way_round_a_consent_is_its_name_says(name: str, says: str) -> None:
    """A no by a channel is proposed, one way from the app; a yes, and a no without a channel, wait for a person's word."""
    line = consent(name)
    if line is None:
        assert says == ""
        return
    assert line.flow == "app->ghl"
    doubt = "" if line.confidence >= SURE else "? "
    assert f"{doubt}{line.ghl[0]} {line.true_says}" == says


def test_a_time_says_no_and_words_say_nothing_by_themselves() -> None:
    """A time of unsubscribing is a no once it is there, a word is left to choices, and of two columns for a channel one is taken."""
    at = consent("unsubscribed_at", "instant")
    assert at is not None
    assert at.value == 'CASE WHEN "unsubscribed_at" IS NOT NULL THEN true END'
    assert consent("email_opt_out", "text", ("maybe",)) is None
    both = consents([Column("unsubscribed_at", "instant"), Column("no_email", "bool")])
    assert [name for name, one in both.items() if isinstance(one, Line)] == ["unsubscribed_at"]
