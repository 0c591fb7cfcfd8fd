"""The pages of the cookbook work as they stand: each pair file is run against its application, or against what its documentation says of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from flows.demo.world import open_sandbox
from tests.connectors.api_stubs import TOKEN, Airtable, Directus, HubSpot, Kinto, Pipedrive, Row
from tests.connectors.shop_api import served
from tests.docs.pages import DOCS
from tests.flows.calls import say
from tests.long_forms import long_form

COOKBOOK = DOCS / "cookbook"
GHL = '\n[ghl]\nurl = "sandbox:ghl.db"\nlocation = "loc1"\n'
DUE = "2026-03-01T09:00:00Z"
JSON_SERVER = "json-server@0.17.4"
KINTO = "kinto==26.5.0"

People = dict[str, tuple[str, str]]
"""First and last name by email."""
NOTED = {"hubspot"}
"""The pages that have notes."""

Tasks = dict[str, tuple[str, bool, str]]
"""When a task is due, whether it is done, and the email of its contact, by title."""
Notes = dict[str, str]
"""The email of its contact by what a note says."""


class Application(Protocol):
    """An application as the test looks at it, by itself."""

    def people(self) -> People: ...
    def tasks(self) -> Tasks: ...
    def notes(self) -> Notes: ...
    def rename(self, email: str, last: str) -> None: ...
    def untouched(self) -> bool: ...


@dataclass
class Held:
    """The records of a stub, and how it holds a person and a task."""

    rows: Mapping[str, Mapping[str, Row]]
    person: str
    task: str

    def members(self, row: Row) -> Row:
        return row

    def owner(self, row: Row) -> Any:
        return row["person"]

    def name(self, row: Row) -> tuple[str, str]:
        held = self.members(row)
        return held["first_name"], held["last_name"]

    def email(self, row: Row) -> str:
        return str(self.members(row)["email"])

    def work(self, row: Row) -> tuple[str, str, bool]:
        held = self.members(row)
        return held["title"], held["due"], bool(held["done"])

    def people(self) -> People:
        return {self.email(row): self.name(row) for row in self.rows[self.person].values()}

    def tasks(self) -> Tasks:
        emails = {str(row["id"]): self.email(row) for row in self.rows[self.person].values()}
        emails |= {key: self.email(row) for key, row in self.rows[self.person].items()}
        found: Tasks = {}
        for row in self.rows[self.task].values():
            title, due, done = self.work(row)
            found[title] = (due, done, emails[str(self.owner(row))])
        return found

    def notes(self) -> Notes:
        """Those of a page that has notes."""
        return {}

    def rename(self, email: str, last: str) -> None:
        [row] = [row for row in self.rows[self.person].values() if self.email(row) == email]
        self.members(row)["last_name"] = last

    def untouched(self) -> bool:
        """Whether what the pair file does not map is as it was."""
        return self.members(self.rows[self.person]["1"])["shoe_size"] == 38


def _seed(stub: Any, person: str, task: str, **more: Any) -> None:
    ann = {"first_name": "Ann", "last_name": "Lee", "email": "ann@mail.example", "shoe_size": 38}
    bob = {"first_name": "Bob", "last_name": "Ray", "email": "bob@mail.example", "shoe_size": 44}
    blank = {"city": None, "tags": None}
    stub.put(person, "1", {"id": 1, **ann, **blank, **more})
    stub.put(person, "2", {"id": 2, **bob, **blank, **more})
    stub.put(task, "7", {"id": 7, "title": "Visit", "due": DUE, "done": False, "person": 2, **more})


@contextmanager
def directus(folder: Path) -> Iterator[tuple[str, Application]]:
    stub = Directus()
    _seed(stub, "people", "todos")
    with served(stub.app()) as url:
        yield url, Held(stub.rows, "people", "todos")


class KintoHeld(Held):
    """Kinto's keys are texts."""

    def rename(self, email: str, last: str) -> None:
        super().rename(email, last)
        [row] = [row for row in self.rows[self.person].values() if self.email(row) == email]
        row["last_modified"] += 1


@contextmanager
def kinto(folder: Path) -> Iterator[tuple[str, Application]]:
    stub = Kinto()
    _seed(stub, "people", "todos", last_modified=stub.tick())
    for rows in stub.rows.values():
        for key, row in rows.items():
            row["id"] = key
    with served(stub.app()) as url:
        yield f"{url}/v1", KintoHeld(stub.rows, "people", "todos")


class AirtableHeld(Held):
    """Airtable's members are called as people call them."""

    def members(self, row: Row) -> Row:
        return dict(row["fields"])

    def owner(self, row: Row) -> Any:
        [person] = row["fields"]["Person"]
        return person

    def name(self, row: Row) -> tuple[str, str]:
        return row["fields"]["First name"], row["fields"]["Last name"]

    def email(self, row: Row) -> str:
        return str(row["fields"]["Email"])

    def work(self, row: Row) -> tuple[str, str, bool]:
        return row["fields"]["Title"], row["fields"]["Due"], bool(row["fields"].get("Done"))

    def rename(self, email: str, last: str) -> None:
        [row] = [row for row in self.rows[self.person].values() if self.email(row) == email]
        row["fields"]["Last name"] = last

    def untouched(self) -> bool:
        return bool(self.rows[self.person]["1"]["fields"]["Shoe size"] == 38)


@contextmanager
def airtable(folder: Path) -> Iterator[tuple[str, Application]]:
    stub = Airtable()
    for key, first, last in (("1", "Ann", "Lee"), ("2", "Bob", "Ray")):
        fields = {"First name": first, "Last name": last, "Email": f"{first.lower()}@mail.example"}
        stub.put("People", key, {"id": key, "fields": {**fields, "Shoe size": 38}})
    stub.put("Todos", "7", {"id": "7", "fields": {"Title": "Visit", "Due": DUE, "Person": ["2"]}})
    with served(stub.app()) as url:
        yield f"{url}/v0/appBase", AirtableHeld(stub.rows, "People", "Todos")


class HubSpotHeld(Held):
    """HubSpot's properties are texts."""

    def members(self, row: Row) -> Row:
        return dict(row["properties"])

    def owner(self, row: Row) -> Any:
        [contact] = row["contacts"]
        return contact

    def name(self, row: Row) -> tuple[str, str]:
        return row["properties"]["firstname"], row["properties"]["lastname"]

    def work(self, row: Row) -> tuple[str, str, bool]:
        held = row["properties"]
        done = held["hs_task_status"] == "COMPLETED"
        return held["hs_task_subject"], held["hs_timestamp"], done

    def rename(self, email: str, last: str) -> None:
        [row] = [row for row in self.rows[self.person].values() if self.email(row) == email]
        row["properties"]["lastname"] = last

    def untouched(self) -> bool:
        return bool(self.rows[self.person]["1"]["properties"]["shoe_size"] == "38")

    def notes(self) -> Notes:
        people, rows = self.rows[self.person], self.rows["notes"].values()
        assert all(row["properties"]["hs_timestamp"] for row in rows)
        return {
            row["properties"]["hs_note_body"]: self.email(people[self.owner(row)]) for row in rows
        }

    def tasks(self) -> Tasks:
        for key, row in self.rows[self.person].items():
            assert row.setdefault("id", key) == key
        return super().tasks()


@contextmanager
def hubspot(folder: Path) -> Iterator[tuple[str, Application]]:
    stub = HubSpot()
    for key, first, last in (("1", "Ann", "Lee"), ("2", "Bob", "Ray")):
        named = {"firstname": first, "lastname": last, "email": f"{first.lower()}@mail.example"}
        row = {"properties": {**named, "shoe_size": "38"}, "updatedAt": stub.stamp()}
        stub.put("contacts", key, row)
    held = {"hs_task_subject": "Visit", "hs_timestamp": DUE, "hs_task_status": "NOT_STARTED"}
    stub.put("tasks", "7", {"properties": held, "updatedAt": stub.stamp(), "contacts": ["2"]})
    note = {"hs_note_body": "Has a dog", "hs_timestamp": DUE}
    stub.put("notes", "8", {"properties": note, "updatedAt": stub.stamp(), "contacts": ["2"]})
    with served(stub.app()) as url:
        yield url, HubSpotHeld(stub.rows, "contacts", "tasks")


class PipedriveHeld(Held):
    """Pipedrive has one name, and several emails."""

    def owner(self, row: Row) -> Any:
        return row["person_id"]

    def name(self, row: Row) -> tuple[str, str]:
        first, _, last = row["name"].partition(" ")
        return first, last

    def email(self, row: Row) -> str:
        [primary] = [email for email in row["emails"] if email["primary"]]
        return str(primary["value"])

    def work(self, row: Row) -> tuple[str, str, bool]:
        return row["subject"], f"{row['due_date']}T{row['due_time'][:5]}:00Z", bool(row["done"])

    def rename(self, email: str, last: str) -> None:
        [row] = [row for row in self.rows[self.person].values() if self.email(row) == email]
        row["name"] = f"{self.name(row)[0]} {last}"

    def untouched(self) -> bool:
        ann = self.rows[self.person]["1"]
        return len(ann["emails"]) == 2 and ann["shoe_size"] == 38


@contextmanager
def pipedrive(folder: Path) -> Iterator[tuple[str, Application]]:
    stub = Pipedrive()
    for key, name in (("1", "Ann Lee"), ("2", "Bob Ray")):
        email = f"{name.split()[0].lower()}@mail.example"
        emails = [
            {"label": "work", "value": email, "primary": True},
            {"label": "home", "value": f"old.{email}", "primary": False},
        ]
        more = {
            "phones": [],
            "label_ids": [5],
            "is_deleted": False,
            "update_time": "2026-09-21T10:00:00Z",
        }
        stub.put(
            "persons",
            key,
            {"id": int(key), "name": name, "emails": emails, "shoe_size": 38, **more},
        )
    due = {"due_date": "2026-03-01", "due_time": "09:00:00", "done": False, "is_deleted": False}
    task = {"id": 7, "subject": "Visit", "person_id": 2, "update_time": "2026-09-21T10:00:00Z"}
    stub.put("activities", "7", {**task, **due})
    with served(stub.app()) as url:
        yield f"{url}/api/v2", PipedriveHeld(stub.rows, "persons", "activities")


@dataclass
class JsonServer(Held):
    """What a json-server that runs holds."""

    url: str = ""

    def _load(self) -> JsonServer:
        found = {}
        for name in (self.person, self.task):
            rows = httpx.get(f"{self.url}/{name}").json()
            found[name] = {str(row["id"]): row for row in rows}
        self.rows = found
        return self

    def owner(self, row: Row) -> Any:
        return row["personId"]

    def people(self) -> People:
        return Held.people(self._load())

    def tasks(self) -> Tasks:
        return Held.tasks(self._load())

    def untouched(self) -> bool:
        ann = self._load().rows[self.person]["1"]
        return bool(ann["shoe_size"] == 38 and ann["address"]["zip"] == "00184")

    def rename(self, email: str, last: str) -> None:
        [key] = [
            key for key, row in self._load().rows[self.person].items() if row["email"] == email
        ]
        httpx.patch(f"{self.url}/{self.person}/{key}", json={"last_name": last}).raise_for_status()


@pytest.fixture(scope="session")
def json_server_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """json-server's program, installed from npm; skipped where that cannot be."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        pytest.skip("there is no Node on this machine")
    folder = tmp_path_factory.mktemp("npm")
    install = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), JSON_SERVER]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603 - a pinned version
    if done.returncode:
        pytest.skip(f"{JSON_SERVER} cannot be installed: {done.stderr[-200:]}")
    return folder / "node_modules" / "json-server" / "lib" / "cli" / "bin.js"


@contextmanager
def json_server(folder: Path, program: Path) -> Iterator[tuple[str, Application]]:
    """A json-server of its own, on a free port."""
    people = [
        {"id": 1, "first_name": "Ann", "last_name": "Lee", "email": "ann@mail.example"},
        {"id": 2, "first_name": "Bob", "last_name": "Ray", "email": "bob@mail.example"},
    ]
    own = {"shoe_size": 38, "address": {"city": None, "zip": "00184"}, "tags": ["old"]}
    task = {"id": 7, "personId": 2, "title": "Visit", "due": DUE, "done": False}
    database = {"people": [{**person, **own} for person in people], "todos": [task]}
    (folder / "db.json").write_text(json.dumps(database))
    port = str(_free_port())
    command = ["node", str(program), "--host", "127.0.0.1", "--port", port, str(folder / "db.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - installed above
        try:
            assert process.stdout is not None
            assert any("Home" in line for line in process.stdout), "json-server did not start"
            url = f"http://127.0.0.1:{port}"
            yield url, JsonServer({}, "people", "todos", url)
        finally:
            process.terminate()


@dataclass
class KintoServer(Held):
    """What a Kinto that runs holds."""

    client: httpx.Client | None = None

    def url(self, name: str) -> str:
        return f"/buckets/crm/collections/{name}/records"

    def _load(self) -> KintoServer:
        assert self.client is not None
        found = {}
        for name in (self.person, self.task):
            rows = self.client.get(self.url(name)).json()["data"]
            found[name] = {row["id"]: row for row in rows}
        self.rows = found
        return self

    def people(self) -> People:
        return Held.people(self._load())

    def tasks(self) -> Tasks:
        return Held.tasks(self._load())

    def untouched(self) -> bool:
        people = self._load().rows[self.person].values()
        return {row.get("shoe_size") for row in people} == {38, None}

    def rename(self, email: str, last: str) -> None:
        [key] = [
            key for key, row in self._load().rows[self.person].items() if row["email"] == email
        ]
        assert self.client is not None
        body = {"data": {"last_name": last}}
        self.client.patch(f"{self.url(self.person)}/{key}", json=body).raise_for_status()


@pytest.fixture(scope="session")
def kinto_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kinto's program in an environment of its own; skipped where it cannot be installed."""
    folder = tmp_path_factory.mktemp("kinto")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)  # noqa: S603 - our own Python
    install = [str(folder / "bin" / "pip"), "install", "--quiet", KINTO]
    done = subprocess.run(install, capture_output=True, text=True, timeout=500, check=False)  # noqa: S603 - a pinned version
    if done.returncode:
        pytest.skip(f"{KINTO} cannot be installed: {done.stderr[-200:]}")
    return folder / "bin" / "kinto"


@contextmanager
def kinto_server(folder: Path, program: Path) -> Iterator[tuple[str, Application]]:
    """A Kinto of its own, in memory, on a free port, with a person and a task of each kind."""
    settings = folder / "kinto.ini"
    memory = ["--backend", "memory", "--cache-backend", "memory", "--host", "127.0.0.1"]
    subprocess.run([program, "init", "--ini", settings, *memory], check=True, capture_output=True)  # noqa: S603 - installed above
    port = str(_free_port())
    command = [program, "start", "--ini", settings, "--port", port]
    process = subprocess.Popen(  # noqa: S603 - installed above
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            assert any("Serving on" in line for line in process.stdout), "Kinto did not start"
            drained = threading.Thread(target=process.stdout.read, daemon=True)
            drained.start()
            url = f"http://127.0.0.1:{port}/v1"
            with httpx.Client(base_url=url, auth=("admin", TOKEN), timeout=30) as client:
                yield url, _furnished(client)
        finally:
            process.terminate()
            process.wait()
            drained.join()


def _furnished(client: httpx.Client) -> KintoServer:
    account = {"data": {"password": TOKEN}}
    client.put("/accounts/admin", json=account, auth=None).raise_for_status()
    client.put("/buckets/crm").raise_for_status()
    server = KintoServer({}, "people", "todos", client)
    for name in ("people", "todos"):
        client.put(f"/buckets/crm/collections/{name}").raise_for_status()
    keys = {}
    for first, last in (("Ann", "Lee"), ("Bob", "Ray")):
        email = f"{first.lower()}@mail.example"
        row = {"first_name": first, "last_name": last, "email": email, "shoe_size": 38}
        keys[first] = client.post(server.url("people"), json={"data": row}).json()["data"]["id"]
    task = {"title": "Visit", "due": DUE, "done": False, "person": keys["Bob"]}
    client.post(server.url("todos"), json={"data": task}).raise_for_status()
    return server


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _pair_file(page: str, url: str) -> str:
    """The pair file of a page, at this address."""
    text = (COOKBOOK / f"{page}.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```toml\n(pair = .*?)```", text, re.DOTALL)
    return re.sub(r'(?m)^url = "[^"]*"', f'url = "{url}"', block) + GHL


@dataclass(frozen=True)
class Location:
    """GHL's side, as the test looks at it."""

    file: Path

    def seed(self) -> None:
        self.file.with_suffix(".toml").write_text("lag_seconds = 0.0\n")
        with open_sandbox(self.file) as sandbox:
            sandbox.add_location("loc1", country="US")
            sandbox.seed_contact("loc1", firstName="Ann", lastName="Lee", email="ann@mail.example")
            dora = {"firstName": "Dora", "lastName": "Day", "email": "dora@mail.example"}
            key = sandbox.seed_contact("loc1", **dora)
            sandbox.seed_task(key, title="Call", dueDate=DUE, completed=False)
            sandbox.seed_note(key, body="Likes tea")

    def people(self) -> People:
        with open_sandbox(self.file) as sandbox:
            held = sandbox.contacts("loc1")
        return {row["email"]: (row["firstName"], row["lastName"]) for row in held}

    def tasks(self) -> Tasks:
        with open_sandbox(self.file) as sandbox:
            emails = {row["id"]: row["email"] for row in sandbox.contacts("loc1")}
            held = sandbox.tasks("loc1")
        return {
            row["title"]: (
                row["dueDate"].replace(".000", ""),
                row["completed"],
                emails[row["contactId"]],
            )
            for row in held
        }

    def notes(self) -> Notes:
        with open_sandbox(self.file) as sandbox:
            emails = {row["id"]: row["email"] for row in sandbox.contacts("loc1")}
            return {row["body"]: emails[row["contactId"]] for row in sandbox.notes("loc1")}

    def edit(self) -> None:
        """A person renames Bob, and does what was to be done for Dora."""
        with open_sandbox(self.file) as sandbox:
            keys = {row["email"]: row["id"] for row in sandbox.contacts("loc1")}
            sandbox.edit_contact(keys["bob@mail.example"], lastName="Rey")
            [call] = [row["id"] for row in sandbox.tasks("loc1") if row["title"] == "Call"]
            sandbox.edit_task(call, completed=True)


def _run(pair: Path) -> Any:
    said = say("run", "--pair", pair, "--engine", "local", "--verify", "none", "--json")
    assert said.code in (0, 1), said.out + said.errors
    return said.document


def _carried_both_ways(page: str, url: str, application: Application, folder: Path) -> None:
    """Two nights with edits on both sides between them, and a quiet third; both sides are looked at by themselves."""
    pair, location = folder / "pair.toml", Location(folder / "ghl.db")
    location.seed()
    pair.write_text(_pair_file(page, url))
    pair.chmod(0o600)
    _run(pair)
    people = {
        "ann@mail.example": ("Ann", "Lee"),
        "bob@mail.example": ("Bob", "Ray"),
        "dora@mail.example": ("Dora", "Day"),
    }
    tasks = {"Visit": (DUE, False, "bob@mail.example"), "Call": (DUE, False, "dora@mail.example")}
    assert (location.people(), application.people()) == (people, people)
    assert (location.tasks(), _times(application.tasks())) == (tasks, tasks)
    if page in NOTED:
        notes = {"Has a dog": "bob@mail.example", "Likes tea": "dora@mail.example"}
        assert (location.notes(), application.notes()) == (notes, notes)
    application.rename("ann@mail.example", "Leigh")
    location.edit()
    _run(pair)
    people |= {"ann@mail.example": ("Ann", "Leigh"), "bob@mail.example": ("Bob", "Rey")}
    tasks |= {"Call": (DUE, True, "dora@mail.example")}
    assert (location.people(), application.people()) == (people, people)
    assert (location.tasks(), _times(application.tasks())) == (tasks, tasks)
    quiet = _run(pair)
    assert (quiet["changes"], quiet["holds"]) == ([], [])
    assert application.untouched()


def _times(tasks: Tasks) -> Tasks:
    return {
        title: (due.replace(".000", ""), done, email) for title, (due, done, email) in tasks.items()
    }


EXPORTS = {
    "HubSpot": "hubspot-contacts.csv",
    "Google Contacts": "google-contacts.csv",
    "Salesforce": "salesforce-report.csv",
    "Mailchimp": "mailchimp-audience.csv",
}


@pytest.mark.parametrize("name", EXPORTS)
def test_the_page_of_exports_says_what_init_writes(name: str, tmp_path: Path) -> None:
    """Every line of an export's block is in the pair file that init proposes for it, and the file is accepted."""
    text = (COOKBOOK / "exports.md").read_text(encoding="utf-8")
    section = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
    [block] = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    location = Location(tmp_path / "ghl.db")
    location.seed()
    where = ("--ghl-url", f"sandbox:{location.file}", "--location", "loc1", "--yes")
    file = Path(__file__).resolve().parents[1] / "data" / "exports" / EXPORTS[name]
    assert say("init", "--app", file, *where, "--out", tmp_path / "pair.toml").code == 0
    written = {
        line.partition("  #")[0] for line in (tmp_path / "pair.toml").read_text().splitlines()
    }
    promised = [line.partition("   #")[0] for line in block.splitlines() if line]
    assert [line for line in promised if line not in written] == []


STUBS = {
    "hubspot": hubspot,
    "pipedrive": pipedrive,
    "airtable": airtable,
    "directus": directus,
    "kinto": kinto,
}


@pytest.mark.parametrize("page", STUBS)
def test_the_pair_file_of_a_page_carries_both_ways(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People and tasks go across and stay one, edits of either side arrive on the other, and nothing beside them is lost."""
    monkeypatch.setenv("APP_TOKEN", TOKEN)
    monkeypatch.setenv("APP_USER", "user")
    with STUBS[page](tmp_path) as (url, application):
        _carried_both_ways(page, url, application, tmp_path)


def test_a_json_server_that_runs(json_server_program: Path, tmp_path: Path) -> None:
    """The same with json-server itself, started from npm's package."""
    with json_server(tmp_path, json_server_program) as (url, application):
        _carried_both_ways("json-server", url, application, tmp_path)


@long_form
def test_a_kinto_that_runs(
    kinto_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with Kinto itself, installed from its package, over its own accounts."""
    monkeypatch.setenv("APP_TOKEN", TOKEN)
    monkeypatch.setenv("APP_USER", "admin")
    with kinto_server(tmp_path, kinto_program) as (url, application):
        _carried_both_ways("kinto", url, application, tmp_path)
