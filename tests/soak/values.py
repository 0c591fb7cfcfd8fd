"""How the soak reads values: its own idea of what is the same, made without the product's codecs."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from flows.rehearse.rules import ALLOWED, DENIED, Rule, Value
from flows.rehearse.world import Known

Read = Callable[[Any], Value]


def text(raw: Any) -> Value:
    """Plain text: composed, without white space around it, one kind of line end."""
    said = (
        unicodedata.normalize("NFC", str(raw)).replace("\r\n", "\n").strip()
        if raw is not None
        else ""
    )
    return said or None


def name(raw: Any) -> Value:
    """A name: case and accents count, the number of spaces does not."""
    return " ".join((text(raw) or "").split()) or None


def email(raw: Any) -> Value:
    """An address: case does not count."""
    said = text(raw)
    return said.lower() if said else None


def phone(raw: Any) -> Value:
    """The digits with the country, where nothing but a number was typed; else the words as they are."""
    said = name(raw)
    if said is None or re.search(r"[^\d\s()+./-]", said):
        return said
    digits = re.sub(r"\D", "", said)
    if said.startswith("+"):
        return f"+{digits}"
    if len(digits) == 10:
        return f"+1{digits}"
    return f"+{digits}" if len(digits) == 11 and digits.startswith("1") else said


def day(raw: Any) -> Value:
    """A date; GHL's search shows milliseconds."""
    if isinstance(raw, datetime | date):
        return raw.isoformat()[:10]
    if isinstance(raw, int | float):
        return datetime.fromtimestamp(raw / 1000, UTC).date().isoformat()
    said = text(raw)
    return said[:10] if said and re.match(r"\d{4}-\d\d-\d\d", said) else said


def moment(raw: Any) -> Value:
    """A moment, to the second, in UTC."""
    if raw is None or raw == "":
        return None
    at = raw if isinstance(raw, datetime) else datetime.fromisoformat(str(raw))
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def number(raw: Any) -> Value:
    """A number, whatever its notation."""
    said = text(raw)
    try:
        return None if said is None else f"{Decimal(said).normalize():f}"
    except InvalidOperation:
        return said


def flag(raw: Any) -> Value:
    """Yes or no; blank is no."""
    return "yes" if str(raw).lower() in ("true", "1", "yes") else "no"


def no(raw: Any) -> Value:
    """What the app's column says of a consent: it is true where the person said no."""
    return None if raw is None else DENIED if raw else ALLOWED


def status(raw: Any) -> Value:
    """What GHL says of a consent."""
    return {"active": DENIED, "inactive": ALLOWED}.get(raw, raw)


def plain(raw: Any) -> Value:
    """What a reader sees of a body in GHL: its screens keep HTML, its API takes plain text and gives it back."""
    said = str(raw or "")
    return name(html.unescape(re.sub(r"<[^>]*>", " ", said)) if said.startswith("<p>") else said)


def words(raw: Any) -> frozenset[str]:
    """The members of a set, as GHL spells tags."""
    listed = json.loads(raw) if isinstance(raw, str) and raw.startswith("[") else raw
    found = [listed] if isinstance(listed, str) else listed or ()
    return frozenset(" ".join(str(one).split()).lower() for one in found)


@dataclass(frozen=True, slots=True)
class Field:
    """One mapped field: its name, the app's column, GHL's name (`contact.x`: a custom field), and the rule declared for it.

    `loses` says which side's value a rule may overwrite: "app", "ghl", "older" or "" for none; `keeps` that a blank on
    one side leaves the other's value; `line` is what the pair file says of it.
    """

    name: str
    column: str
    wire: str
    read: Read
    line: str
    loses: str = ""
    keeps: bool = False
    items: bool = False
    column_read: Read | None = None
    """How the app's column is read, where GHL's form is another one."""
    owner: str = ""
    """The side that a one-way field comes from."""
    consent: bool = False
    names: str = ""
    """The kind of record whose key it holds; the soak knows that one by its number."""

    @property
    def rule(self) -> Rule:
        """What the check has to know of it."""
        return Rule(
            loses=self.loses,
            keeps=self.keeps,
            items=self.items,
            owner=self.owner,
            alone=self.name in ("email", "phone"),
            consent=self.consent,
            names=self.names,
            shown=self.shown,
        )

    def shown(self, said: Any) -> Collection[Value]:
        """What a value in a report may stand for."""
        if self.wire == "completed":
            return ("yes", "no", None)
        try:
            return (self.read(said), self.read_app(said))
        except ValueError:
            return ()

    def read_app(self, raw: Any) -> Value:
        return (self.column_read or self.read)(raw)


def _two_way(name: str, wire: str, read: Read, more: str = "", **rule: Any) -> Field:
    said = f', blank = "clear"{more}'
    return Field(name, name, wire, read, f'{name} = {{ ghl = "{wire}"{said} }}', **rule)


CONTACT = (
    Field("ref", "ref", "contact.ref", text, 'ref = "contact.ref"'),
    _two_way("first_name", "firstName", name),
    _two_way("last_name", "lastName", name),
    _two_way("email", "email", email),
    _two_way("phone", "phone", phone),
    Field("company", "company", "companyName", text, 'company = "companyName"', keeps=True),
    _two_way("street", "address1", text),
    _two_way("city", "city", text, ', conflict = "newest"', loses="older"),
    _two_way("state", "state", text, ', conflict = "app"', loses="ghl"),
    _two_way("postal_code", "postalCode", text, ', conflict = "ghl"', loses="app"),
    _two_way("birth_date", "dateOfBirth", day),
    Field(
        "source",
        "source",
        "source",
        text,
        'source = { ghl = "source", flow = "app->ghl" }',
        loses="ghl",
        keeps=True,
        owner="app",
    ),
    Field(
        "vip",
        "vip",
        "contact.vip",
        flag,
        'vip = { ghl = "contact.vip", codec = "bool", fallback = false }',
    ),
    _two_way("score", "contact.score", number, ', codec = "decimal"'),
    _two_way("renewal", "contact.renewal", day, ', codec = "date"'),
    _two_way("remark", "contact.remark", text, ', codec = "text"'),
    _two_way(
        "languages", "contact.languages", text, ', codec = "set", conflict = "union"', items=True
    ),
    Field(
        "firm_id",
        "firm_id",
        "businessId",
        text,
        'firm_id = { ghl = "businessId", by = "key" }',
        keeps=True,
        names="company",
    ),
    Field(
        "no_sms",
        "no_sms",
        "dnd.sms",
        status,
        'no_sms = { ghl = "dnd.sms", true_says = "denied" }',
        column_read=no,
        consent=True,
    ),
)
"""What a contact has, besides its tags. `ref` is how the soak knows a person on both sides; nobody ever retypes it."""

KIND = 'kind = { app = "kind", constant = "person" }'
"""The people's table holds suppliers, too, which are not this pair's."""

CUSTOM = {
    "ref": "TEXT",
    "vip": "TEXT",
    "score": "NUMERICAL",
    "renewal": "DATE",
    "remark": "LARGE_TEXT",
}
"""The custom fields and their types; languages is one of several options."""

LANGUAGES = ("Deutsch", "English", "Français", "Polski", "Português")

TASK = (
    Field("title", "title", "title", name, 'title = { ghl = "title", required = true }'),
    Field("due_at", "due_at", "dueDate", moment, 'due_at = { ghl = "dueDate", required = true }'),
    _two_way("details", "body", plain, ', codec = "html"', column_read=name),
    Field(
        "status",
        "status",
        "completed",
        flag,
        'status = { ghl = "completed", choices = { open = false, done = true } }',
    ),
)
NOTE = (
    Field(
        "body", "body", "body", plain, 'body = { ghl = "body", required = true }', column_read=name
    ),
)

COMPANY = (
    Field("name", "name", "name", name, 'name = { ghl = "name", required = true }'),
    Field("city", "city", "city", text, 'city = "city"', keeps=True),
)
DEAL = (
    Field("title", "title", "name", name, 'title = { ghl = "name", required = true }'),
    *(
        Field(one, one, one, text, f'{one} = {{ ghl = "{one}", required = true }}')
        for one in ("pipeline", "stage", "status")
    ),
    Field("amount", "amount", "monetaryValue", number, 'amount = "monetaryValue"', keeps=True),
)
PIPELINES = {"Sales": ("New", "Quoted", "Signed"), "Care": ("New", "Answered", "Done")}
STATUSES = ("open", "won", "lost", "abandoned")

FIELDS = {"company": COMPANY, "contact": CONTACT, "task": TASK, "note": NOTE, "opportunity": DEAL}
BY_NAME = {(entity, one.name): one for entity, listed in FIELDS.items() for one in listed}
RULES = {key: one.rule for key, one in BY_NAME.items()}
RULES["contact", "tags"] = Rule(items=True)

SIMPLE = (
    "first_name",
    "last_name",
    "street",
    "city",
    "state",
    "postal_code",
    "company",
    "remark",
    "source",
)
"""The texts of a contact that anybody retypes without a thought."""
KNOWN = Known(
    texts={
        "contact": SIMPLE,
        "task": ("title",),
        "note": ("body",),
        "company": ("name", "city"),
        "opportunity": ("title",),
    },
    clears=(
        "first_name",
        "street",
        "city",
        "remark",
        "company",
        "phone",
        "renewal",
        "score",
    ),
    alone=("email", "phone"),
    sets=("tags",),
    consents=("no_sms",),
    moves={"opportunity": ("stage", "status")},
    links={"firm_id": "company"},
)
