"""Search, GET, list, write reply, webhook and v3 shapes become one native record, in Python and for DuckDB alike."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.ghl.entities import GHL
from connectors.ghl.lines import Row, decode, fresh, join, rows_of, with_parent
from connectors.ghl.lines import SearchPage as Found
from connectors.ghl.schema import _custom
from connectors.ghl.shapes import instant, record, shape_of
from reconcile.errors import InvalidField, Malformed
from reconcile.model import Entity
from reconcile.ports import Item, Record

CUSTOM = {"contact.colour": "f1"}
SHAPE = shape_of(
    Entity.CONTACT,
    ("firstName", "lastName", "address1", "dateOfBirth", "tags", "contact.colour"),
    CUSTOM,
)
UPDATED = "2026-01-02T03:04:05.678Z"


def contact(**fields: Any) -> dict[str, Any]:
    """What all shapes agree on."""
    return {"id": "c1", "lastName": "Lovelace", "tags": ["vip"], "dateUpdated": UPDATED, **fields}


SHAPES = {
    "GET": contact(
        firstName="Ada",
        address1="1 Main St",
        dateOfBirth="1815-12-10T00:00:00.000Z",
        customFields=[{"id": "f0", "value": "no"}, {"id": "f1", "value": "red"}],
    ),
    "search": contact(
        firstName="Ada",
        firstNameLowerCase="ada",
        address="1 Main St",
        dateOfBirth="1815-12-10T00:00:00.000Z",
        customFields=[{"id": "f1", "value": "red"}],
        searchAfter=[1, "c1"],
    ),
    "list and create reply, lower-cased": contact(
        firstName="ada",
        firstNameRaw="Ada",
        lastName="lovelace",
        lastNameRaw="Lovelace",
        address1="1 Main St",
        dateOfBirth="1815-12-10T00:00:00.000Z",
        customFields=[{"id": "f1", "value": "red"}],
    ),
    "explicit nulls": contact(
        firstNameRaw=None,
        firstName="Ada",
        address1=None,
        address="1 Main St",
        dateOfBirth="1815-12-10T00:00:00.000Z",
        customFields=[{"id": "f1", "value": None, "fieldValue": "red"}],
    ),
    "v2 write reply": contact(
        firstName="Ada",
        address1="1 Main St",
        dateOfBirth="1815-12-10T00:00:00.000Z",
        customFields=[{"id": "f1", "field_value": "red"}],
    ),
    "v3 write reply": contact(
        firstName="Ada",
        address1="1 Main St",
        dateOfBirth="1815-12-10T00:00:00.000Z",
        customFields=[{"id": "f1", "fieldValue": "red"}],
    ),
    "webhook": contact(
        type="ContactUpdate",
        locationId="loc1",
        firstName="Ada",
        address1="1 Main St",
        dateOfBirth="1815-12-10T00:00:00.000Z",
        customFields=[{"id": "f1", "value": "red"}],
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_one_record(name: str) -> None:
    """Seven shapes of one contact, one Record."""
    assert record(SHAPES[name], SHAPE) == Record(
        "c1",
        {
            "firstName": "Ada",
            "lastName": "Lovelace",
            "address1": "1 Main St",
            "dateOfBirth": "1815-12-10T00:00:00.000Z",
            "tags": ["vip"],
            "contact.colour": "red",
        },
        version=UPDATED,
        modified_at=UPDATED,
    )


def test_what_is_absent_is_none() -> None:
    """A field that no path finds is None, and odd types under a path are no error."""
    found = record({"id": "c1", "customFields": "none", "address": None}, SHAPE)
    assert found.fields == dict.fromkeys(SHAPE.fields)
    assert (found.version, found.modified_at, found.deleted) == (None, None, False)


def test_false_and_zero_are_values() -> None:
    """Only null and absence give way to the next path."""
    shape = shape_of(Entity.CONTACT, ("dnd", "contact.colour"), CUSTOM)
    found = record(
        {"id": "c1", "dnd": False, "customFields": [{"id": "f1", "value": 0, "fieldValue": 9}]},
        shape,
    )
    assert found.fields == {"dnd": False, "contact.colour": 0}


@pytest.mark.parametrize("key", ["id", "_id"])
@pytest.mark.parametrize("entity", [Entity.TASK, Entity.NOTE], ids=str)
def test_tasks_and_notes_have_a_parent(entity: Entity, key: str) -> None:
    """The contact's id is the parent, or the one that the request named."""
    shape = shape_of(entity, ("body",), {})
    assert record({key: "t1", "contactId": "c1", "body": "x"}, shape, parent="c2").parent == "c1"
    assert record({key: "t1", "body": "x"}, shape, parent="c2").parent == "c2"


def test_a_task_has_a_date_but_no_version() -> None:
    """Only the location-wide search shows a task's dateUpdated: it cannot guard against a GET."""
    found = record(
        {"_id": "t1", "dateUpdated": UPDATED, "deleted": True},
        shape_of(Entity.TASK, ("title",), {}),
    )
    assert (found.version, found.modified_at, found.deleted) == (None, UPDATED, True)


@pytest.mark.parametrize("found", [{}, {"id": ""}, {"id": 7}, {"name": "x"}])
def test_a_record_without_a_key_is_malformed(found: dict[str, Any]) -> None:
    """There is no guessing of keys."""
    with pytest.raises(Malformed):
        record(found, SHAPE)


def test_an_unknown_field_names_near_matches() -> None:
    """A misspelt field is refused with what was probably meant, custom fields included."""
    with pytest.raises(InvalidField, match=r"fistName.*firstName"):
        shape_of(Entity.CONTACT, ("fistName",), CUSTOM)
    with pytest.raises(InvalidField, match=r"contact\.color.*contact\.colour"):
        shape_of(Entity.CONTACT, ("contact.color",), CUSTOM)
    with pytest.raises(InvalidField):
        shape_of(Entity.TASK, ("contact.colour",), CUSTOM)


def test_custom_fields_are_found_by_id() -> None:
    """The path looks in the list for the id, under each of the three names of a value."""
    paths = SHAPE.fields["contact.colour"]
    assert paths[0] == ("customFields", Item("id", "f1"), "value")
    assert [path[-1] for path in paths] == ["value", "fieldValue", "field_value"]


def test_every_known_field_is_described() -> None:
    """What a bulk read carries is described, and the reverse."""
    for kind in GHL.values():
        assert set(kind.paths) - set(kind.unread) == set(kind.info)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (UPDATED, UPDATED),
        (1767323045678, "2026-01-02T03:04:05.678Z"),
        (None, None),
        ("", None),
        (True, None),
        (["x"], None),
    ],
)
def test_times_are_iso(value: Any, expected: str | None) -> None:
    """Epoch milliseconds become ISO 8601 in UTC; text stays."""
    assert instant(value) == expected


@pytest.mark.parametrize(
    ("data_type", "expected"),
    [
        ("TEXT", "text"),
        ("NUMERICAL", "decimal"),
        ("MONETORY", "decimal"),
        ("DATE", "date"),
        ("SINGLE_OPTIONS", "choice"),
        ("CHECKBOX", "json"),
        ("PHONE", "phone"),
        ("SOMETHING_NEW", "text"),
    ],
)
def test_custom_field_types(data_type: str, expected: str) -> None:
    """GHL's data types, its spelling of money included, and text for what is new."""
    found = _custom(
        {
            "id": "f1",
            "fieldKey": "contact.x",
            "dataType": data_type,
            "picklistOptions": ["a", {"name": "b"}],
        },
        Entity.CONTACT,
    )
    assert (found.info.type, found.info.choices) == (expected, ("a", "b"))


# Lines.


def page(body: bytes) -> list[Row]:
    """The rows of a search page."""
    return rows_of(decode(body, Found).contacts)


def test_a_page_is_cut_into_lines_without_change() -> None:
    """Compact records are passed on byte by byte."""
    rows = page(b'{"contacts":[{"id":"a","x":1.10},{"id":"b","y":"\\n"}],"total":2}')
    assert join(rows) == b'{"id":"a","x":1.10}\n{"id":"b","y":"\\n"}\n'


def test_records_printed_over_several_lines_become_one_line_each() -> None:
    """Pretty-printed JSON is still a record a line."""
    rows = page(b'{"contacts":[{\n  "id": "a",\r\n  "x": [1,\n 2]\n}]}')
    assert join(rows).count(b"\n") == 1
    assert page(b'{"contacts":[' + join(rows).strip() + b"]}")[0].head.key == "a"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"contacts": 7}', "SearchPage"),
        (b"{}", "SearchPage"),
        (b'{"contacts":[{"id":7}]}', "documented form"),
        (b'{"contacts":[{"name":"x"}]}', "without"),
        (b'{"contacts":[7]}', "documented form"),
    ],
)
def test_a_page_of_another_form_is_malformed(body: bytes, why: str) -> None:
    """Whatever is not the documented page is refused whole: half a page would be a short one."""
    with pytest.raises(Malformed, match=why):
        page(body)


def test_a_listing_that_leaves_the_contact_out_is_completed() -> None:
    """A task or note read under a contact names it, also where GHL did not."""
    rows = page(
        b'{"contacts":[{"id":"t1"},{"id":"t2","contactId":"c9"},{"id":"t3","contactId":null}]}'
    )
    lines = join(with_parent(row, "c1") for row in rows).splitlines()
    shape = shape_of(Entity.TASK, ("title",), {})
    assert [record(json.loads(line), shape).parent for line in lines] == ["c1", "c9", "c1"]


def test_fresh_keeps_each_id_once() -> None:
    """Repeats within a page and across pages are dropped."""
    rows = page(b'{"contacts":[{"id":"a"},{"id":"a"},{"id":"b"}]}')
    seen = {"b"}
    assert [row.head.key for row in fresh(rows, seen)] == ["a"]
    assert seen == {"a", "b"}
