"""The filters of POST /contacts/search, compiled to a test of one contact (docs/ghl.md#search)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from connectors.ghl.sandbox.answers import Refusal, invalid
from connectors.ghl.sandbox.instants import date_ms, parse_instant
from connectors.ghl.sandbox.nouns import Contact, CustomField

Test: TypeAlias = Callable[[Contact], bool]
Getter: TypeAlias = Callable[[Contact], Any]

TEXTS = {
    "id": "id",
    "firstName": "first_name",
    "lastName": "last_name",
    "firstNameLowerCase": "first_name",
    "lastNameLowerCase": "last_name",
    "email": "email",
    "phone": "phone",
    "address": "address1",
    "city": "city",
    "state": "state",
    "postalCode": "postal_code",
    "country": "country",
    "website": "website",
    "timezone": "timezone",
    "source": "source",
    "companyName": "company_name",
    "assignedTo": "assigned_to",
    "businessId": "business_id",
    "type": "type",
}
OTHERS: Mapping[str, Getter] = {
    "dateAdded": lambda contact: contact.added,
    "dateUpdated": lambda contact: contact.updated,
    "dateOfBirth": lambda contact: (
        date_ms(contact.date_of_birth) if contact.date_of_birth else None
    ),
    "tags": lambda contact: contact.tags,
    "dnd": lambda contact: contact.dnd,
    "additionalEmails": lambda contact: contact.additional_emails,
    "additionalPhones": lambda contact: contact.additional_phones,
}
INSTANTS = ("dateAdded", "dateUpdated", "dateOfBirth")
OPERATORS = ("eq", "not_eq", "contains", "not_contains", "exists", "not_exists", "range")
BOUNDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": lambda value, bound: bool(value > bound),
    "gte": lambda value, bound: bool(value >= bound),
    "lt": lambda value, bound: bool(value < bound),
    "lte": lambda value, bound: bool(value <= bound),
}


def getter(name: str, fields: Mapping[str, CustomField]) -> Getter:
    """How to read a search field of a contact.

    Raises Refusal 400 "Invalid field X" (docs/ghl.md#search).
    """
    if name in TEXTS:
        attribute = TEXTS[name]
        return lambda contact: getattr(contact, attribute)
    if name in OTHERS:
        return OTHERS[name]
    head, _, key = name.partition(".")
    if head == "customFields" and key in fields:
        return lambda contact: contact.custom_fields.get(key)
    raise Refusal(400, f"Invalid field {name}")


def every(filters: list[Any], fields: Mapping[str, CustomField]) -> Test:
    """A test that all of these filters or groups hold."""
    tests = [_one(item, fields) for item in filters]
    return lambda contact: all(test(contact) for test in tests)


def _one(item: Any, fields: Mapping[str, CustomField]) -> Test:
    if not isinstance(item, dict):
        raise invalid("each value in filters must be an object")
    if "group" in item:
        return _group(item, fields)
    name, operator = item.get("field"), item.get("operator")
    if not isinstance(name, str):
        raise invalid("filters.field must be a string")
    get = getter(name, fields)
    if operator not in OPERATORS or (
        name in ("dateAdded", "dateUpdated") and operator not in ("range", "exists")
    ):
        raise invalid(f"Invalid Operator passed for field {snake(name)}")
    return _test(name, str(operator), item.get("value"), get)


def _group(item: Mapping[str, Any], fields: Mapping[str, CustomField]) -> Test:
    nested = item.get("filters")
    if item["group"] not in ("AND", "OR") or not isinstance(nested, list):
        raise invalid("filters.group must be one of the following values: AND, OR")
    if item["group"] == "AND":
        return every(nested, fields)
    tests = [_one(one, fields) for one in nested]
    return lambda contact: any(test(contact) for test in tests)


def _test(name: str, operator: str, value: Any, get: Getter) -> Test:
    match operator:
        case "exists":
            return lambda contact: bool(get(contact)) == (value is not False)
        case "not_exists":
            return lambda contact: not get(contact)
        case "range":
            return _range(name, value, get)
        case "eq" | "not_eq":
            wanted = (
                [_folded(one) for one in value] if isinstance(value, list) else [_folded(value)]
            )
            return _signed(lambda contact: _equals(get(contact), wanted), holds=operator == "eq")
        case _:
            part = str(value).casefold()
            return _signed(
                lambda contact: _contains(get(contact), part), holds=operator == "contains"
            )


def _signed(test: Test, *, holds: bool) -> Test:
    if holds:
        return test
    return lambda contact: not test(contact)


def _folded(value: Any) -> Any:
    if isinstance(value, str):
        return value.casefold()
    return value


def _equals(value: Any, wanted: list[Any]) -> bool:
    if isinstance(value, (tuple, list)):
        return any(_folded(one) in wanted for one in value)
    return _folded(value) in wanted


def _contains(value: Any, part: str) -> bool:
    if isinstance(value, (tuple, list)):
        return any(part in str(one).casefold() for one in value)
    return value is not None and part in str(value).casefold()


def _range(name: str, value: Any, get: Getter) -> Test:
    bounds = [(BOUNDS[key], bound) for key, bound in parse_range(name, value).items()]
    return lambda contact: (
        (stored := get(contact)) is not None and all(test(stored, bound) for test, bound in bounds)
    )


def parse_range(name: str, value: Any) -> dict[str, Any]:
    """The bounds of a range filter, instants in milliseconds.

    Raises Refusal 422 for another form.
    """
    if not isinstance(value, dict) or not value or any(key not in BOUNDS for key in value):
        raise invalid(f"Invalid value passed for field {snake(name)}: range takes gt, gte, lt, lte")
    if name not in INSTANTS:
        return dict(value)
    bounds = {key: parse_instant(bound) for key, bound in value.items()}
    if None in bounds.values():
        raise invalid(f"Invalid value passed for field {snake(name)}: not a date")
    return bounds


def snake(name: str) -> str:
    """Turn dateUpdated into date_updated, as the search's own messages spell fields."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
