"""What people do on both sides between two nights, and whether it arrived across.

They do it straight in the database and in GHL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connectors.ghl.sandbox import Sandbox
from flows.demo.cast import VIP, stamp
from flows.demo.compare import Couple, agreed
from flows.demo.sales import PIPELINE
from flows.demo.seen import Ends, Holder, opened
from flows.demo.tables import DEALS, FIRMS, PEOPLE, REMARKS, TODOS, now
from reconcile.errors import ConfigError, Problem
from reconcile.model import Side

Test = Callable[[Couple], bool]
Stands = Callable[[Holder | None, Side], bool]

NEW_TAG = "called back"
_DUE = datetime(2025, 12, 12, 15, 0)  # noqa: DTZ001 - UTC, as the app's tables keep it


@dataclass(frozen=True, slots=True)
class Edit:
    """Something that somebody did.

    `stands` tells whether it is so on a side, for whoever has `email` there now.
    """

    says: str
    email: str
    stands: Stands

    def missing(self, side: Side, holders: Iterable[Holder]) -> bool:
        """Whether the edit is not on `side`, given all whom that side holds."""
        known = next((one for one in holders if one.cells["email"] == self.email), None)
        return not self.stands(known, side)


def edit(folder: Path, pair_path: Path, *, sandbox: Sandbox | None = None) -> list[str]:
    """Make all the edits; returns a sentence each.

    See `edits` for what they are and what is raised.
    """
    return [one.says for one in edits(folder, pair_path, sandbox=sandbox)]


def edits(folder: Path, pair_path: Path, *, sandbox: Sandbox | None = None) -> list[Edit]:
    """Edit people who agree on both sides, each of them once.

    Returns the edits, to be looked for after the next run.

    A `sandbox` that is being served in this process has to be given: its file belongs to it. Raises
    ConfigError where too few people agree, as before the first run.
    """
    with opened(folder, pair_path, sandbox) as ends:
        return list(_Editor(ends, agreed(ends)).everything())


def unmet(
    folder: Path, pair_path: Path, edits: Iterable[Edit], *, sandbox: Sandbox | None = None
) -> list[str]:
    """Which of these edits are not what either side holds now; a sentence each."""
    with opened(folder, pair_path, sandbox) as ends:
        people = {Side.APP: list(ends.app().values()), Side.GHL: list(ends.ghl().values())}
    return [
        f"{one.says}: this is not so in {side.label}"
        for one in edits
        for side, holders in people.items()
        if one.missing(side, holders)
    ]


def _cell(name: str, value: str) -> Stands:
    return lambda one, _: one is not None and one.cells[name] == value


def _task(title: str, stands: Callable[[Any], bool]) -> Stands:
    return lambda one, _: one is not None and title in one.tasks and stands(one.tasks[title])


def _deal(title: str, stage: str, status: str) -> Stands:
    wanted = (f"{PIPELINE}: {stage}", status)
    return lambda one, _: (
        one is not None
        and title in one.deals
        and (one.deals[title].stage, one.deals[title].status) == wanted
    )


def _open_deal(one: Holder) -> str | None:
    return next((title for title, deal in sorted(one.deals.items()) if deal.status == "open"), None)


def _open_task(one: Holder) -> str | None:
    return next((title for title, task in sorted(one.tasks.items()) if not task.done), None)


def _has_open_task(couple: Couple) -> bool:
    return _open_task(couple[0]) is not None


@dataclass(slots=True)
class _Editor:
    """Both sides, and those who can still be edited."""

    ends: Ends
    left: list[Couple]

    def everything(self) -> Iterator[Edit]:
        """Every edit, one after the other."""
        # Those that need a task or a tag choose first: they are the fewest.
        yield self.deal_moved()
        yield self.firm_moved()
        yield self.task_completed()
        yield self.task_moved()
        yield self.task_deleted()
        yield self.person_deleted()
        yield self.tag_removed()
        yield self.tag_added()
        yield self.city("Recife")
        yield self.phone()
        yield self.company("Acme Rockets & Sons")
        yield self.street("1 Infinite Loop")
        yield from self.both_at_once()
        yield self.conflict()
        yield self.stop()
        yield self.note_in_app()
        yield self.note_in_ghl()
        yield self.deal_in_app()
        yield self.new_in_app()
        yield self.new_in_ghl()

    # -- fields

    def city(self, city: str) -> Edit:
        """Somebody moves, and tells the app."""
        app, _ = self._take(lambda couple: couple[0].cells["city"] != city)
        self._change(app, city=city)
        return Edit(
            f"{app.name}'s city became {city} in the app", app.cells["email"], _cell("city", city)
        )

    def phone(self) -> Edit:
        """A new number, typed as people type it."""
        app, _ = self._take()
        taken = {
            one.cells["phone"] for one in (*self.ends.app().values(), *self.ends.ghl().values())
        }
        number = next(
            n for n in (f"+1512554{line:04d}" for line in range(100, 10_000)) if n not in taken
        )
        self._change(app, phone=f"({number[2:5]}) {number[5:8]}-{number[8:]}")
        return Edit(
            f"{app.name}'s phone became {number} in the app",
            app.cells["email"],
            _cell("phone", number),
        )

    def company(self, company: str) -> Edit:
        """A new employer, told to GHL."""
        app, ghl = self._take(lambda couple: couple[0].cells["company"] != company)
        self.ends.sandbox.edit_contact(ghl.key, companyName=company)
        return Edit(
            f"{app.name}'s company became {company} in GHL",
            app.cells["email"],
            _cell("company", company),
        )

    def street(self, street: str) -> Edit:
        """A new address, told to GHL."""
        app, ghl = self._take(lambda couple: couple[0].cells["street"] != street)
        self.ends.sandbox.edit_contact(ghl.key, address1=street)
        return Edit(
            f"{app.name}'s street became {street} in GHL",
            app.cells["email"],
            _cell("street", street),
        )

    def both_at_once(self) -> Iterator[Edit]:
        """Two fields of one person, one on each side: no conflict."""
        app, ghl = self._take(lambda couple: couple[0].cells["state"] != "VT")
        self._change(app, state="VT")
        self.ends.sandbox.edit_contact(ghl.key, dateOfBirth="1984-02-29")
        email = app.cells["email"]
        yield Edit(f"{app.name}'s state became VT in the app", email, _cell("state", "VT"))
        yield Edit(
            f"{app.name}'s birth date became 1984-02-29 in GHL",
            email,
            _cell("birth_date", "1984-02-29"),
        )

    def conflict(self) -> Edit:
        """One field of one person, changed on both sides to different values.

        Each side keeps its own until someone decides.
        """
        app, ghl = self._take()
        city = {Side.APP: "Lisboa", Side.GHL: "Porto"}
        self._change(app, city=city[Side.APP])
        self.ends.sandbox.edit_contact(ghl.key, city=city[Side.GHL])
        says = f"{app.name}'s city became Lisboa in the app and Porto in GHL: a conflict"
        return Edit(
            says,
            app.cells["email"],
            lambda one, side: one is not None and one.cells["city"] == city[side],
        )

    def stop(self) -> Edit:
        """Somebody answers a text message with STOP."""
        app, ghl = self._take()
        self.ends.sandbox.edit_contact(ghl.key, dndSettings={"SMS": {"status": "active"}})
        says = f"{app.name} said no to text messages in GHL"
        return Edit(says, app.cells["email"], _cell("no_sms", "no"))

    # -- tags

    def tag_added(self) -> Edit:
        """A tag in the app, in the app's own capitals."""
        app, _ = self._take(lambda couple: NEW_TAG not in couple[0].tags)
        self._change(app, tags=[*self._tags(app), NEW_TAG.title()])
        says = f"{app.name} got the tag {NEW_TAG!r} in the app"
        return Edit(
            says, app.cells["email"], lambda one, _: one is not None and NEW_TAG in one.tags
        )

    def tag_removed(self) -> Edit:
        """A tag taken away in GHL."""
        app, ghl = self._take(lambda couple: bool(couple[1].tags))
        tag = min(ghl.tags)
        self.ends.sandbox.tag_contact(ghl.key, remove=(tag,))
        says = f"{app.name} lost the tag {tag!r} in GHL"
        return Edit(
            says, app.cells["email"], lambda one, _: one is not None and tag not in one.tags
        )

    # -- tasks and notes

    def task_completed(self) -> Edit:
        """A to-do is done in the app."""
        app, _ = self._take(_has_open_task)
        title = _open_task(app) or ""
        self._run(
            sa.update(TODOS).where(TODOS.c.id == int(app.tasks[title].key)).values(status="done")
        )
        says = f"{app.name}'s task {title!r} was completed in the app"
        return Edit(says, app.cells["email"], _task(title, lambda task: task.done))

    def task_moved(self) -> Edit:
        """A task's due date moves in GHL."""
        app, ghl = self._take(_has_open_task)
        title = _open_task(ghl) or ""
        self.ends.sandbox.edit_task(ghl.tasks[title].key, dueDate=stamp(_DUE))
        says = f"{app.name}'s task {title!r} was moved to {_DUE:%Y-%m-%d %H:%M} in GHL"
        return Edit(
            says,
            app.cells["email"],
            _task(title, lambda task: task.due == f"{_DUE:%Y-%m-%d %H:%M}"),
        )

    def task_deleted(self) -> Edit:
        """A task is deleted in GHL."""
        app, ghl = self._take(_has_open_task)
        title = _open_task(ghl) or ""
        self.ends.sandbox.delete_task(ghl.tasks[title].key)
        says = f"{app.name}'s task {title!r} was deleted in GHL"
        return Edit(
            says, app.cells["email"], lambda one, _: one is not None and title not in one.tasks
        )

    def note_in_app(self) -> Edit:
        """A remark is added in the app."""
        app, _ = self._take()
        text = "Called today: delighted with the delivery & the new packaging."
        self._remark(int(app.key), text)
        return Edit(f"{app.name} got a note in the app", app.cells["email"], _noted(text))

    def note_in_ghl(self) -> Edit:
        """A note is added in GHL, whose editor makes it HTML."""
        app, ghl = self._take()
        self.ends.sandbox.seed_note(
            ghl.key, body="<p>Wants the <b>spring</b> catalogue.</p><p>Send two.</p>"
        )
        text = "Wants the spring catalogue. Send two."
        return Edit(f"{app.name} got a note in GHL", app.cells["email"], _noted(text))

    # -- companies and deals

    def deal_moved(self) -> Edit:
        """A deal goes on to the next stage, in GHL."""
        app, ghl = self._take(lambda couple: _open_deal(couple[0]) is not None)
        title = _open_deal(app) or ""
        self.ends.sandbox.edit_opportunity(ghl.deals[title].key, stage="Signed", status="won")
        says = f"{app.name}'s deal {title!r} was signed in GHL"
        return Edit(says, app.cells["email"], _deal(title, "Signed", "won"))

    def deal_in_app(self) -> Edit:
        """Somebody wants something, and tells the app."""
        app, _ = self._take(lambda couple: not couple[0].deals)
        title = "New windows"
        values = {"title": title, "pipeline": PIPELINE, "stage": "New", "amount": 4_200}
        self._run(sa.insert(DEALS).values(person_id=int(app.key), **values))
        says = f"{app.name} got the deal {title!r} in the app"
        return Edit(says, app.cells["email"], _deal(title, "New", "open"))

    def firm_moved(self) -> Edit:
        """Somebody's company moves, and the app hears of it."""
        app, _ = self._take(lambda couple: couple[0].firm is not None)
        name = app.cells["firm_id"]
        self._run(sa.update(FIRMS).where(FIRMS.c.name == name).values(city="Oslo"))
        return Edit(
            f"{app.name}'s company {name} moved to Oslo in the app",
            app.cells["email"],
            lambda one, _: one is not None and one.firm is not None and one.firm.city == "Oslo",
        )

    # -- people

    def person_deleted(self) -> Edit:
        """Somebody is deleted in the app, which keeps the row and drops what hangs on it."""
        app, _ = self._take(_has_open_task)
        key = int(app.key)
        self._run(
            sa.delete(TODOS).where(TODOS.c.person_id == key),
            sa.delete(REMARKS).where(REMARKS.c.person_id == key),
            sa.delete(DEALS).where(DEALS.c.person_id == key),
            sa.update(PEOPLE).where(PEOPLE.c.id == key).values(deleted_at=now()),
        )
        return Edit(
            f"{app.name} was deleted in the app", app.cells["email"], lambda one, _: one is None
        )

    def new_in_app(self) -> Edit:
        """Somebody new in the app, with a to-do."""
        number = self._number()
        email = f"wilhelmina.{number}@example.org"
        person = {
            "first_name": "Wilhelmina",
            "last_name": "van der Berg",
            "email": email,
            "phone": f"(303) 554-{number % 10_000:04d}",
            "city": "Denver",
            "state": "CO",
            "tags": ["Newsletter"],
        }
        title = "Send the welcome letter"
        with self.ends.engine.begin() as connection:
            connection.execute(sa.insert(PEOPLE).values(person))
            key = connection.scalar(sa.select(PEOPLE.c.id).where(PEOPLE.c.email == email))
            connection.execute(sa.insert(TODOS).values(person_id=key, title=title, due_at=_DUE))
        stands = _task(title, lambda task: not task.done)
        return Edit("Wilhelmina van der Berg was added in the app, with a task", email, stands)

    def new_in_ghl(self) -> Edit:
        """Somebody new in GHL, with a note."""
        number = self._number()
        email = f"kwame.{number}@example.net"
        contact = self.ends.sandbox.seed_contact(
            self.ends.location,
            firstName="Kwame",
            lastName="Mensah-Boateng",
            email=email,
            phone=f"+1206554{number % 10_000:04d}",
            city="Seattle",
            tags=["wholesale"],
            customFields=[{"key": VIP, "field_value": "true"}],
        )
        text = "Came from the web form."
        self.ends.sandbox.seed_note(contact, body=f"<p>{text}</p>")
        return Edit("Kwame Mensah-Boateng was added in GHL, with a note", email, _noted(text))

    # -- hands

    def _take(self, fits: Test = lambda _: True) -> Couple:
        for at, couple in enumerate(self.left):
            if fits(couple):
                return self.left.pop(at)
        what = "too few people agree on both sides to edit one"
        raise ConfigError(
            [
                Problem(
                    "demo", what, "run the nightly job first, or make the demo with more --contacts"
                )
            ]
        )

    def _run(self, *statements: sa.Executable) -> None:
        with self.ends.engine.begin() as connection:
            for statement in statements:
                connection.execute(statement)

    def _change(self, one: Holder, **values: Any) -> None:
        self._run(sa.update(PEOPLE).where(PEOPLE.c.id == int(one.key)).values(**values))

    def _remark(self, person_id: int, body: str) -> None:
        self._run(sa.insert(REMARKS).values(person_id=person_id, body=body))

    def _tags(self, one: Holder) -> list[str]:
        with self.ends.engine.connect() as connection:
            return (
                connection.scalar(sa.select(PEOPLE.c.tags).where(PEOPLE.c.id == int(one.key))) or []
            )

    def _number(self) -> int:
        """A number that no edit has used before: how many rows the app and GHL ever had."""
        with self.ends.engine.connect() as connection:
            last_key = connection.scalar(sa.select(sa.func.max(PEOPLE.c.id))) or 0
        return int(last_key) + len(self.ends.sandbox.contacts(self.ends.location)) + 100


def _noted(text: str) -> Stands:
    return lambda one, _: one is not None and text in one.notes
