"""What `init` proposes for a JSON API: from its OpenAPI document, run as it stands, and from answers that somebody saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from flows.config import load
from reconcile.errors import ConfigError
from tests.connectors.api_stubs import HubSpot, Pipedrive
from tests.connectors.shop_api import served
from tests.docs.test_cookbook import DUE, Location, _run
from tests.flows.calls import say


class NewPerson(BaseModel):
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    labels: list[str] = []


class Person(NewPerson):
    id: int


class People(BaseModel):
    items: list[Person]
    total: int


class OnePerson(BaseModel):
    person: Person


class NewTodo(BaseModel):
    person_id: int | None = None
    title: str | None = None
    due_at: str | None = None
    done: bool = False


class Todo(NewTodo):
    id: int


ANN = {"first_name": "Ann", "last_name": "Lee", "email": "ann@mail.example"}
BOB = {"first_name": "Bob", "last_name": "Ray", "email": "bob@mail.example"}


def _api(people: dict[int, Person], todos: dict[int, Todo]) -> FastAPI:
    """An API whose document FastAPI writes: pages with a total, one record in an envelope, and a bare list of todos."""
    api = FastAPI(title="People")

    @api.get("/people")
    def many(page: int = 1, size: int = 1) -> People:
        listed = list(people.values())[(page - 1) * size : page * size]
        return People(items=listed, total=len(people))

    @api.post("/people", status_code=201)
    def add(person: NewPerson) -> OnePerson:
        key = max(people) + 1
        people[key] = Person(id=key, **person.model_dump())
        return OnePerson(person=people[key])

    @api.get("/people/{key}")
    def one(key: int) -> OnePerson:
        if key not in people:
            raise HTTPException(404)
        return OnePerson(person=people[key])

    @api.patch("/people/{key}")
    def change(key: int, person: NewPerson) -> OnePerson:
        people[key] = people[key].model_copy(update=person.model_dump(exclude_unset=True))
        return OnePerson(person=people[key])

    _add_todos(api, todos)
    return api


def _add_todos(api: FastAPI, todos: dict[int, Todo]) -> None:
    """A bare list, without pages."""

    @api.get("/todos")
    def todo_list() -> list[Todo]:
        return list(todos.values())

    @api.post("/todos", status_code=201)
    def todo_add(todo: NewTodo) -> Todo:
        key = max(todos) + 1
        todos[key] = Todo(id=key, **todo.model_dump())
        return todos[key]

    @api.get("/todos/{key}")
    def todo(key: int) -> Todo:
        if key not in todos:
            raise HTTPException(404)
        return todos[key]

    @api.put("/todos/{key}")
    def todo_change(key: int, todo: NewTodo) -> Todo:
        todos[key] = Todo(id=key, **todo.model_dump())
        return todos[key]


def _init(folder: Path, app: Path) -> str:
    """The pair file that init writes for a document or for answers."""
    location = Location(folder / "ghl.db")
    location.seed()
    where = ("--ghl-url", f"sandbox:{location.file}", "--location", "loc1", "--yes")
    said = say("init", "--app", app, *where, "--out", folder / "pair.toml")
    assert said.code == 0, said.errors
    return (folder / "pair.toml").read_text()


def test_an_openapi_document_becomes_a_pair_file_that_runs(tmp_path: Path) -> None:
    """Paths, envelope, verbs, pager and parent are the document's; with the address said, people and tasks go across both ways."""
    people = {1: Person(id=1, labels=["old"], **ANN), 2: Person(id=2, **BOB)}
    todos = {7: Todo(id=7, person_id=2, title="Visit", due_at=DUE)}
    api = _api(people, todos)
    (tmp_path / "openapi.json").write_text(json.dumps(api.openapi()))
    text = _init(tmp_path, tmp_path / "openapi.json")
    for line in (
        'path = "/people"',
        'items = "items"',
        'envelope = "person"',
        'wrap = ""',
        'update = "PATCH"',
        'tags = "labels"',
        'path = "/todos"',
        'parent = "person_id"',
        'due_at = "dueDate"',
    ):
        assert f"\n{line}" in text, line
    assert (
        'pager = { kind = "page", param = "page", size_param = "size", size = 100, total = "total" }'
        in text
    )
    with served(api) as url:
        (tmp_path / "pair.toml").write_text(text.replace("https://api.example.com", url))
        doctor = say("doctor", "--pair", tmp_path / "pair.toml")
        assert (doctor.code, "!" in doctor.out) == (0, False), doctor.out
        _run(tmp_path / "pair.toml")
        Location(tmp_path / "ghl.db").edit()
        people[1].last_name = "Leigh"
        _run(tmp_path / "pair.toml")
        quiet = _run(tmp_path / "pair.toml")
    assert (quiet["changes"], quiet["holds"]) == ([], [])
    names = {row.email: (row.first_name, row.last_name) for row in people.values()}
    assert names == {
        "ann@mail.example": ("Ann", "Leigh"),
        "bob@mail.example": ("Bob", "Rey"),
        "dora@mail.example": ("Dora", "Day"),
    }
    assert Location(tmp_path / "ghl.db").people() == names
    emails = {key: row.email for key, row in people.items()}
    done = {row.title: (row.done, emails[row.person_id or 0]) for row in todos.values()}
    assert done == {"Visit": (False, "bob@mail.example"), "Call": (True, "dora@mail.example")}
    assert people[1].labels == ["old"]


def test_a_document_says_how_the_api_wants_to_be_asked(tmp_path: Path) -> None:
    """The server's address and the first known way of its credentials are written, and no secret."""
    document: dict[str, Any] = _api({}, {}).openapi()
    document["servers"] = [{"url": "https://crm.example.com/api/"}]
    document["components"]["securitySchemes"] = {
        "key": {"type": "apiKey", "in": "header", "name": "X-Key"}
    }
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    text = _init(tmp_path, tmp_path / "openapi.json")
    assert '\nurl = "https://crm.example.com/api"\n' in text
    assert '\nauth = { kind = "api_key", header = "X-Key", token = "env:APP_TOKEN" }\n' in text


def _saved(stub: Any, path: str, header: dict[str, str], file: Path) -> None:
    with served(stub.app()) as url:
        file.write_text(httpx.get(f"{url}{path}", headers=header).text)


def test_saved_answers_of_hubspot_and_pipedrive(tmp_path: Path) -> None:
    """Where records, key, values and the next cursor lie is seen in one answer; what it does not show is left to a person."""
    stub = HubSpot()
    names = {"firstname": "Ann", "lastname": "Lee", "email": "ann@mail.example"}
    for key in ("1", "2", "3"):
        stub.put("contacts", key, {"properties": names, "updatedAt": stub.stamp()})
    token = {"authorization": "Bearer a-token"}
    asked = "/crm/v3/objects/contacts?limit=2&properties=firstname,lastname,email"
    (tmp_path / "one").mkdir()
    _saved(stub, asked, token, tmp_path / "one" / "contacts.json")
    text = _init(tmp_path / "one", tmp_path / "one" / "contacts.json")
    for line in (
        'items = "results"',
        'key = "id"',
        '"properties.firstname" = "firstName"',
        '"properties.email" = "email"',
    ):
        assert f"\n{line}" in text, line
    assert (
        'pager = { kind = "cursor", param = "after", next = "paging.next.after", size_param = "limit" }'
        in text
    )
    people = Pipedrive()
    emails = [{"value": "ann@mail.example", "primary": True, "label": "work"}]
    people.put("persons", "1", {"id": 1, "name": "Ann Lee", "emails": emails, "phones": []})
    (tmp_path / "two").mkdir()
    _saved(people, "/api/v2/persons", {"x-api-token": "a-token"}, tmp_path / "two" / "persons.json")
    text = _init(tmp_path / "two", tmp_path / "two" / "persons.json")
    assert '\n"emails[primary=true].value" = "email"' in text
    assert '\nname = { ghl = ["firstName", "lastName"], codec = "name" }' in text
    assert load(tmp_path / "two" / "pair.toml", environ={}).mapping.entities


def test_a_document_in_yaml_says_what_it_says_in_json(tmp_path: Path) -> None:
    """Numbers as the keys of answers and days as examples, which YAML reads as such, are the texts that JSON has there."""
    from flows.init.api import survey_api

    document = _api({}, {}).openapi()
    document["info"]["x-since"] = "2026-01-31"
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    told = (
        yaml.safe_dump(document, sort_keys=False)
        .replace("'200':", "200:")
        .replace("'2026-01-31'", "2026-01-31")
    )
    (tmp_path / "openapi.yaml").write_text(told)
    assert survey_api(tmp_path / "openapi.yaml") == survey_api(tmp_path / "openapi.json")


@pytest.mark.parametrize("content", ["a: [", "a: &a [*a, *a]", "!!python/object:os.system {}"])
def test_yaml_that_is_no_document_is_told(tmp_path: Path, content: str) -> None:
    """What does not end, goes round in a ring or asks for an object of a program is refused in words."""
    from flows.init.api import survey_api

    (tmp_path / "openapi.yaml").write_text(content)
    with pytest.raises(ConfigError, match=r"cannot be read as YAML|no list of objects"):
        survey_api(tmp_path / "openapi.yaml")


@pytest.mark.parametrize(
    ("content", "why"), [("{", "cannot be read as JSON"), ('{"a": 1}', "no list of objects")]
)
def test_what_is_no_answer_is_told(tmp_path: Path, content: str, why: str) -> None:
    """A file that is no JSON, or holds no list of records, is refused with what to save instead."""
    from flows.init.api import survey_api

    (tmp_path / "people.json").write_text(content)
    with pytest.raises(ConfigError, match=why):
        survey_api(tmp_path / "people.json")
