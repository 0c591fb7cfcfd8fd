"""What each side holds now, read directly and brought to one form.

It goes by the demo's own rules, so that it can judge the product.
"""

from __future__ import annotations

import html
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connectors.ghl.sandbox import Sandbox
from flows.config import Pair, load
from flows.config.pair import DEMO
from flows.config.sides import FilesForm, RestForm, SqlForm
from flows.demo import sheets
from flows.demo.cast import VIP
from flows.demo.tables import DEALS, FIRMS, PEOPLE, REMARKS, TODOS, engine_of
from flows.demo.world import open_sandbox
from reconcile.errors import ConfigError, Problem
from reconcile.model import Side

CELLS = {
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "email",
    "phone": "phone",
    "company": "companyName",
    "street": "address1",
    "city": "city",
    "state": "state",
    "postal_code": "postalCode",
    "country": "country",
    "birth_date": "dateOfBirth",
    "source": "source",
}
"""The app's columns, and GHL's names for the same.

`vip` lies in a custom field, `no_sms` in the settings of a channel, `firm_id` names a company.
"""

_NO_SMS = {"True": "no", "active": "no", "permanent": "no", "False": "yes", "inactive": "yes"}
"""What either side says of text messages."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task in one form for both sides."""

    key: str
    due: str
    done: bool
    details: str


@dataclass(frozen=True, slots=True)
class Deal:
    """An opportunity in one form for both sides."""

    key: str
    stage: str
    status: str
    amount: str


@dataclass(frozen=True, slots=True)
class Company:
    """A company in one form for both sides."""

    key: str
    name: str
    city: str


@dataclass(frozen=True, slots=True)
class Holder:
    """Someone as one side holds them.

    Cells are text, "" where blank; tasks and deals by title; notes counted by their text.
    """

    key: str
    cells: Mapping[str, str]
    tags: frozenset[str]
    tasks: Mapping[str, Task] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    repeated: Mapping[str, int] = field(default_factory=dict)
    deals: Mapping[str, Deal] = field(default_factory=dict)
    firm: Company | None = None

    @property
    def name(self) -> str:
        """First and last name, or the key of somebody without."""
        return f"{self.cells['first_name']} {self.cells['last_name']}".strip() or self.key


@dataclass(frozen=True, slots=True)
class Ends:
    """Both sides of a demo, open for direct work: past the product, and past GHL's API."""

    engine: sa.Engine
    sandbox: Sandbox
    location: str

    def app(self) -> dict[str, Holder]:
        """Everyone the app holds, by key."""
        with self.engine.connect() as connection:
            people = (
                connection.execute(sa.select(PEOPLE).where(PEOPLE.c.deleted_at.is_(None)))
                .mappings()
                .all()
            )
            todos = connection.execute(sa.select(TODOS).order_by(TODOS.c.id)).mappings().all()
            remarks = connection.execute(sa.select(REMARKS).order_by(REMARKS.c.id)).mappings().all()
            deals = connection.execute(sa.select(DEALS).order_by(DEALS.c.id)).mappings().all()
        tasks, notes = _by(todos, "person_id"), _by(remarks, "person_id")
        sold, firms = _by(deals, "person_id"), self.firms(Side.APP)
        return {
            str(row["id"]): _selling(
                _app_holder(dict(row), tasks[row["id"]], notes[row["id"]]),
                firms.get(str(row["firm_id"])),
                {one["title"]: _deal(one, one["amount"]) for one in sold[row["id"]]},
            )
            for row in people
        }

    def ghl(self) -> dict[str, Holder]:
        """Everyone GHL holds, by key."""
        tasks = _by(self.sandbox.tasks(self.location), "contactId")
        notes = _by(self.sandbox.notes(self.location), "contactId")
        vip = next(
            key
            for key, custom in self.sandbox.state.fields(self.location).items()
            if custom.key == VIP
        )
        sold = _by(self.sandbox.opportunities(self.location), "contactId")
        firms = self.firms(Side.GHL)
        people = self.sandbox.contacts(self.location)
        return {
            row["id"]: _selling(
                _ghl_holder(row, vip, tasks[row["id"]], notes[row["id"]]),
                firms.get(str(row["businessId"])),
                {one["name"]: _deal(one, one["monetaryValue"]) for one in sold[row["id"]]},
            )
            for row in people
        }

    def firms(self, side: Side) -> dict[str, Company]:
        """Every company that a side holds, by key."""
        if side is Side.GHL:
            rows: list[Any] = self.sandbox.businesses(self.location)
        else:
            with self.engine.connect() as connection:
                rows = list(connection.execute(sa.select(FIRMS)).mappings())
        return {
            str(row["id"]): Company(str(row["id"]), row["name"], row["city"] or "") for row in rows
        }


@contextmanager
def opened(folder: Path, pair_path: Path, sandbox: Sandbox | None) -> Iterator[Ends]:
    """Both sides of the pair, closed afterwards.

    A `sandbox` that is given (because it is being served) stays open.

    `pair_path` may be relative to `folder`. Files are written back at the end. Raises ConfigError
    for a pair whose sides are not the demo's.
    """
    pair = load(folder / pair_path)
    if not pair.is_sandbox:
        raise _unfit(pair)
    with _application(pair) as engine:
        used = sandbox or open_sandbox(Path(pair.ghl.url.removeprefix("sandbox:")))
        try:
            yield Ends(engine, used, pair.ghl.location)
        finally:
            if sandbox is None:
                used.close()


def _unfit(pair: Pair) -> ConfigError:
    what = "the demo's edits need the demo's application and a sandbox"
    return ConfigError([Problem(pair.path.name, what, "use the pair file that the demo made")])


@contextmanager
def _application(pair: Pair) -> Iterator[sa.Engine]:
    """The app's tables: the database itself, the one behind the demo's API, or its files."""
    match pair.app:
        case SqlForm() as form:
            url = form.url.get_secret_value()
        case RestForm() as form if str(getattr(form, "url", "")).startswith(DEMO):
            url = f"sqlite:///{str(getattr(form, 'url', '')).removeprefix(DEMO)}"
        case FilesForm(connector="csv"):
            with sheets.opened(pair.path.parent) as engine:
                yield engine
            return
        case _:
            raise _unfit(pair)
    engine = engine_of(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _by(rows: Any, column: str) -> Mapping[Any, list[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        groups[row[column]].append(row)
    return groups


def _app_holder(row: Mapping[str, Any], todos: list[Any], remarks: list[Any]) -> Holder:
    cells = {name: _cell(name, row[name]) for name in CELLS} | {
        "vip": str(bool(row["vip"])).lower(),
        "no_sms": _NO_SMS.get(str(row["no_sms"]), ""),
    }
    tasks = {
        todo["title"]: Task(
            str(todo["id"]),
            _moment(todo["due_at"]),
            todo["status"] == "done",
            plain(todo["details"]),
        )
        for todo in todos
    }
    return _holder(
        str(row["id"]),
        cells,
        row["tags"],
        tasks,
        [(str(one["id"]), one["body"]) for one in remarks],
    )


def _ghl_holder(row: Mapping[str, Any], vip: str, tasks: list[Any], notes: list[Any]) -> Holder:
    custom = {item["id"]: item["value"] for item in row["customFields"]}
    cells = {name: _cell(name, row[native]) for name, native in CELLS.items()}
    cells["vip"] = str(custom.get(vip) or "false").lower()
    cells["no_sms"] = _NO_SMS.get(row["dndSettings"].get("SMS", {}).get("status", ""), "")
    by_title = {
        task["title"]: Task(
            task["id"], _moment(task["dueDate"]), task["completed"], plain(task["body"])
        )
        for task in tasks
    }
    return _holder(
        row["id"], cells, row["tags"], by_title, [(note["id"], note["body"]) for note in notes]
    )


def _holder(
    key: str,
    cells: Mapping[str, str],
    tags: Any,
    tasks: Mapping[str, Task],
    notes: list[tuple[str, str]],
) -> Holder:
    texts = [(plain(body), note) for note, body in notes]
    counted = Counter(text for text, _ in texts)
    folded = frozenset(" ".join(tag.split()).lower() for tag in tags or ())
    return Holder(key, cells, folded, tasks, dict(texts), counted)


def _selling(one: Holder, firm: Company | None, deals: Mapping[str, Deal]) -> Holder:
    cells = {**one.cells, "firm_id": firm.name if firm else ""}
    return replace(one, cells=cells, firm=firm, deals=deals)


def _deal(row: Mapping[str, Any], amount: Any) -> Deal:
    value = "" if amount is None else f"{amount:g}"
    return Deal(str(row["id"]), f"{row['pipeline']}: {row['stage']}", row["status"], value)


def _cell(name: str, value: Any) -> str:
    text = " ".join(str(value or "").split())
    if name == "email":
        if re.fullmatch(r"[^@\s]+@[^@\s]+\.[A-Za-z]+", text):
            return text.lower()
        return ""
    if name == "phone":
        return _phone(text)
    if name == "birth_date":
        return text[:10]
    return text


def _phone(text: str) -> str:
    """North American numbers alone are in the demo: ten digits, with or without the 1.

    Anything else is no number.
    """
    digits = re.sub(r"\D", "", text)
    ten = digits[1:] if len(digits) == 11 and digits.startswith("1") else digits
    if len(ten) == 10:
        return f"+1{ten}"
    return ""


def _moment(value: datetime | str) -> str:
    if isinstance(value, str):
        value = datetime.fromisoformat(value).astimezone(UTC)
    return f"{value:%Y-%m-%d %H:%M}"


def plain(body: str | None) -> str:
    """The words of a text or of HTML, single-spaced."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body or "")).split())
