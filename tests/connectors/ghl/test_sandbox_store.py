"""The sandbox's memory: what it keeps over a restart and a kill, how it is configured and run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from connectors.ghl.sandbox import Fault, Limit, Sandbox, Settings
from connectors.ghl.sandbox.settings import Settings as Loaded
from reconcile.errors import ConfigError
from tests.connectors.ghl.rig import PLACE, TOKEN, V2, Clock, rig

ROOT = Path(__file__).parents[3]
SERVER = """
import sys
from pathlib import Path
from connectors.ghl.sandbox import Settings, run
run(Settings(), Path(sys.argv[1]))
"""


def test_the_same_path_opened_again_holds_everything(tmp_path: Path) -> None:
    """Contacts, tasks, notes, tags, fields, users, businesses and tokens come back; ids go on without collision."""
    path = tmp_path / "deep" / "sandbox.db"
    first = Sandbox(Settings(seed=1), path=path, clock=Clock())
    first.add_location(PLACE, country="GB")
    first.add_token(TOKEN, PLACE)
    field = first.seed_custom_field(PLACE, "Size")
    contact = first.seed_contact(
        PLACE, email="a@example.com", tags=["VIP"], customFields=[{"id": field["id"], "value": "L"}]
    )
    gone = first.seed_contact(PLACE, email="b@example.com")
    first.delete_contact(gone)
    first.edit_contact(contact, city="Rome")
    first.seed_task(contact, title="t")
    first.seed_note(contact, body="n")
    first.seed_business(PLACE, "Acme", city="Rome")
    first.seed_user(PLACE)
    first.seed_appointment(contact)
    views = (
        first.contacts(PLACE),
        first.contacts(PLACE, deleted=True),
        first.tasks(PLACE),
        first.notes(PLACE),
    )
    first.close()
    again = Sandbox(Settings(seed=1), path=path, clock=Clock())
    assert (
        again.contacts(PLACE),
        again.contacts(PLACE, deleted=True),
        again.tasks(PLACE),
        again.notes(PLACE),
    ) == views
    assert again.state.location(PLACE).country == "GB"
    assert again.seed_contact(PLACE, email="c@example.com") not in (contact, gone)
    assert len(again.state.index(PLACE).rows) == 2
    again.close()


def test_a_killed_server_loses_no_answered_write(tmp_path: Path) -> None:
    """Every contact whose create was answered is there after SIGKILL."""
    path = tmp_path / "sandbox.db"
    with Sandbox(Settings(), path=path) as seed:
        seed.add_location(PLACE)
        seed.add_token(TOKEN, PLACE)
    command = [sys.executable, "-c", SERVER, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True)  # noqa: S603
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        headers = {"Authorization": f"Bearer {TOKEN}", "Version": V2}
        with httpx.Client(base_url=url, headers=headers) as client:
            emails = [f"a{number}@example.com" for number in range(20)]
            for email in emails:
                assert (
                    client.post(
                        "/contacts/", json={"locationId": PLACE, "email": email}
                    ).status_code
                    == 201
                )
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    again = Sandbox(Settings(), path=path)
    assert [contact["email"] for contact in again.contacts(PLACE)] == emails
    again.close()


def test_a_served_sandbox_stops_on_interrupt(tmp_path: Path) -> None:
    """The command serves an empty sandbox with a location and a token of its own; Ctrl-C ends it quietly with exit code 0."""
    command = [sys.executable, "-c", SERVER, str(tmp_path / "sandbox.db")]
    process = subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert process.stdout.readline().startswith("location sandboxLocation00001 ")
    headers = {"Authorization": "Bearer pit-sandbox", "Version": V2}
    assert httpx.get(f"{url}/locations/sandboxLocation00001", headers=headers).status_code == 200
    process.send_signal(signal.SIGINT)
    _, noise = process.communicate(timeout=20)
    assert (process.returncode, noise) == (0, "")


def test_a_seed_makes_ids_repeatable() -> None:
    """The same seed gives the same ids, none gives fresh ones."""
    made = [Sandbox(Settings(seed=seed)).state.new_id() for seed in (1, 1, 2, None)]
    assert made[0] == made[1]
    assert len(set(made)) == 3


def test_settings_are_read_from_toml(tmp_path: Path) -> None:
    """Numbers, switches, lists, limits by kind of token, and faults."""
    path = tmp_path / "sandbox.toml"
    path.write_text(
        """
        lag_seconds = 30
        lower_case_names = false
        match_order = ["phone", "email"]
        seed = 7
        [pit]
        max = 20
        daily = 10000
        [[faults]]
        kind = "status"
        status = 503
        every = 10
        """
    )
    expected = Settings(
        lag_seconds=30.0,
        lower_case_names=False,
        match_order=("phone", "email"),
        seed=7,
        pit=Limit(max=20, daily=10_000),
        faults=(Fault("status", status=503, every=10),),
    )
    assert Loaded.load(path) == expected


def test_bad_settings_are_refused_all_at_once(tmp_path: Path) -> None:
    """One error holds every problem with file, key and remedy."""
    path = tmp_path / "sandbox.toml"
    path.write_text(
        'lag_second = 1\nlag_seconds = "x"\npit = 3\nretry_after = 1\n[[faults]]\nkind = "fire"\n[oauth]\nmax = -1'
    )
    with pytest.raises(ConfigError) as caught:
        Settings.load(path)
    text = str(caught.value)
    assert len(caught.value.problems) == 6
    for key in ("lag_second", "lag_seconds", "pit", "retry_after", "faults[0]", "oauth.max"):
        assert f"{path}: {key}:" in text
    with pytest.raises(ConfigError, match="no such file"):
        Settings.load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        Settings.load(tmp_path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a TOML text"):
        Settings.load(path)
    path.write_text('match_order = ["fax"]\n[[faults]]\nkind = "status"\nnth = "first"')
    with pytest.raises(ConfigError) as caught:
        Settings.load(path)
    assert [problem.where for problem in caught.value.problems] == [
        f"{path}: match_order",
        f"{path}: faults[0]",
    ]
    path.write_text("[")
    with pytest.raises(ConfigError, match="not valid TOML"):
        Settings.load(path)


def test_third_parties_edit_past_the_api_and_search_trails_them() -> None:
    """An edit in GHL's own screens moves dateUpdated and shows in search after the lag."""
    with rig(lag_seconds=5) as one:
        contact = one.sandbox.seed_contact(PLACE, firstName="Ann", tags=["a"])
        task = one.sandbox.seed_task(contact, title="t")
        note = one.sandbox.seed_note(contact, body="n")
        before = one.call("GET", f"/contacts/{contact}")["contact"]
        one.sandbox.edit_contact(contact, city="Rome", phone="212 555 0100")
        one.sandbox.tag_contact(contact, add=("B",), remove=("A",))
        one.sandbox.edit_task(task, completed=True, dueDate="2026-01-01")
        one.sandbox.edit_note(note, body="m")
        after = one.call("GET", f"/contacts/{contact}")["contact"]
        assert (after["city"], after["phone"], after["tags"]) == ("Rome", "+12125550100", ["b"])
        assert after["dateUpdated"] > before["dateUpdated"]
        assert one.search()["contacts"][0]["city"] is None
        one.clock.advance(5)
        assert one.search()["contacts"][0]["city"] == "Rome"
        assert (one.sandbox.tasks(PLACE)[0]["completed"], one.sandbox.notes(PLACE)[0]["body"]) == (
            True,
            "m",
        )
        one.sandbox.delete_task(task)
        one.sandbox.delete_note(note)
        assert one.sandbox.tasks(PLACE) == one.sandbox.notes(PLACE) == []


def test_other_processes_may_look_at_log_and_state() -> None:
    """GET /_sandbox/log lists requests by template, /_sandbox/state the live records; neither asks for a token."""
    with rig() as one:
        contact = one.contact(email="a@example.com")
        one.call("DELETE", f"/contacts/{one.contact(email='b@example.com')}")
        log = one.http.request("GET", "/_sandbox/log", params={"last": 1}).json()
        assert [
            (row["method"], row["path"], row["status"], row["kind"]) for row in log["requests"]
        ] == [("DELETE", "/contacts/{contactId}", 200, "pit")]
        assert log["max_in_window"] == {PLACE: 3}
        state = one.http.request("GET", "/_sandbox/state").json()[PLACE]
        assert ([row["id"] for row in state["contacts"]], len(state["deleted"])) == ([contact], 1)


def test_many_contacts_are_seeded_in_one_transaction(tmp_path: Path) -> None:
    """A failure inside a bulk still keeps what came before it, in memory and in the file alike."""
    path = tmp_path / "sandbox.db"
    sandbox = Sandbox(Settings(), path=path)
    sandbox.add_location(PLACE)
    assert (
        len(set(sandbox.seed_contacts(PLACE, ({"email": f"a{n}@example.com"} for n in range(300)))))
        == 300
    )
    with pytest.raises(ValueError, match="dateAdded"):
        sandbox.seed_contacts(PLACE, [{"email": "kept@example.com"}, {"dateAdded": "soon"}])
    sandbox.close()
    again = Sandbox(Settings(), path=path)
    assert len(again.contacts(PLACE)) == 301
    again.close()


def test_a_bulk_of_any_seeds_is_one_transaction(tmp_path: Path) -> None:
    """Contacts, tasks and notes seeded together come back together; a bulk within a bulk joins it."""
    path = tmp_path / "sandbox.db"
    with Sandbox(Settings(), path=path) as sandbox:
        sandbox.add_location(PLACE)
        with sandbox.bulk():
            for number in range(3000):
                contact = sandbox.seed_contact(PLACE, email=f"a{number}@example.com")
                sandbox.seed_task(contact, title=f"t{number}")
            sandbox.seed_contacts(PLACE, [{"email": "last@example.com"}])
        views = (sandbox.contacts(PLACE), sandbox.tasks(PLACE))
    with Sandbox(Settings(), path=path) as again:
        assert (again.contacts(PLACE), again.tasks(PLACE)) == views
        assert len(again.contacts(PLACE)) == 3001


def test_an_id_is_given_once_also_where_records_came_from_a_sandbox_of_the_same_seed() -> None:
    """A new record gets an id that no record has: copies keep theirs, and the same seed makes the same ids."""
    with Sandbox(Settings(seed=7)) as first, Sandbox(Settings(seed=7)) as second:
        for sandbox in (first, second):
            sandbox.add_location("loc1")
        copied = [first.seed_contact("loc1", email=f"{number}@x.test") for number in range(3)]
        for number, key in enumerate(copied):
            second.seed_contact("loc1", id=key, email=f"{number}@x.test")
        assert second.seed_contact("loc1", email="new@x.test") not in copied
        assert len(second.contacts("loc1")) == 4
