"""Whether two sides agree in the end.

By the demo's own reading, without a line of the engine that it judges.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from connectors.ghl.sandbox import Sandbox
from flows.demo.seen import Company, Ends, Holder, opened
from reconcile.model import Entity, Hold, Side

Couple = tuple[Holder, Holder]
"""The same person in the app and in GHL."""


@dataclass(frozen=True, slots=True)
class Held:
    """What open questions excuse.

    Whole records by key, and single fields of records by (key, field).
    """

    records: frozenset[str]
    fields: frozenset[tuple[str, str]]

    @staticmethod
    def of(holds: Iterable[Hold]) -> Held:
        """The records and fields that these holds are about."""
        records: set[str] = set()
        fields: set[tuple[str, str]] = set()
        for hold in holds:
            for key in filter(None, (hold.app_key, hold.ghl_key)):
                if hold.field is None:
                    records.add(f"{hold.entity}:{key}")
                else:
                    fields.add((f"{hold.entity}:{key}", hold.field))
        return Held(frozenset(records), frozenset(fields))

    def whole(self, entity: Entity, *keys: str) -> bool:
        """Whether one of these records is held as a whole."""
        return any(f"{entity}:{key}" in self.records for key in keys)

    def one(self, entity: Entity, field: str, *keys: str) -> bool:
        """Whether this field of one of these records is held."""
        return any((f"{entity}:{key}", field) in self.fields for key in keys)


def differences(
    folder: Path, pair_path: Path, *, sandbox: Sandbox | None = None, holds: Iterable[Hold] = ()
) -> list[str]:
    """What the two sides of a demo do not agree on, a sentence each; what `holds` name is left out.

    People are linked by email, else by phone, else by last name with postal code, each only where
    just one on either side has it. A value that is no email or no phone counts as blank, as neither
    side could take it from the other.
    """
    with opened(folder, pair_path, sandbox) as ends:
        app, ghl = ends.app(), ends.ghl()
        firms = {side: {one.name: one for one in ends.firms(side).values()} for side in Side}
    questions = Held.of(holds)
    linked = couples(app, ghl)
    return [
        *_alone(app, ghl, linked, questions),
        *(said for couple in linked for said in _couple(couple, questions)),
        *_firms(firms[Side.APP], firms[Side.GHL], questions),
    ]


Identity = Callable[[Holder], str]


def _email(one: Holder) -> str:
    return one.cells["email"]


def _phone(one: Holder) -> str:
    return one.cells["phone"]


def _home(one: Holder) -> str:
    if one.cells["postal_code"]:
        return f"{one.cells['last_name']}/{one.cells['postal_code']}"
    return ""


def couples(
    app: Mapping[str, Holder],
    ghl: Mapping[str, Holder],
    identities: Iterable[Identity] = (_email, _phone, _home),
) -> list[Couple]:
    """Who is the same person, in the order of the app's keys."""
    links: dict[str, str] = {}
    for identity in identities:
        taken = set(links.values())
        ours = _unique((one for key, one in app.items() if key not in links), identity)
        theirs = _unique((one for key, one in ghl.items() if key not in taken), identity)
        links |= {one.key: theirs[name].key for name, one in ours.items() if name in theirs}
    return [(app[key], ghl[links[key]]) for key in sorted(links, key=int)]


def _unique(holders: Iterable[Holder], identity: Identity) -> dict[str, Holder]:
    by_name: dict[str, list[Holder]] = defaultdict(list)
    for one in holders:
        if name := identity(one):
            by_name[name].append(one)
    return {name: those[0] for name, those in by_name.items() if len(those) == 1}


def _alone(
    app: Mapping[str, Holder], ghl: Mapping[str, Holder], linked: Iterable[Couple], holds: Held
) -> Iterator[str]:
    known = {one.key for couple in linked for one in couple}
    for label, other, holders in (("the app", "GHL", app), ("GHL", "the app", ghl)):
        for key, one in holders.items():
            if key not in known and not holds.whole(Entity.CONTACT, key):
                yield f"{one.name} ({key}) is in {label}, not in {other}"


def _couple(couple: Couple, holds: Held) -> Iterator[str]:
    app, ghl = couple
    if not holds.whole(Entity.CONTACT, app.key, ghl.key):
        yield from _cells(app, ghl, holds)
        yield from _tags(app, ghl, holds)
        yield from _tasks(app, ghl, holds)
        yield from _notes(app, ghl, holds)
        yield from _deals(app, ghl, holds)


def _cells(app: Holder, ghl: Holder, holds: Held) -> Iterator[str]:
    for name, ours in app.cells.items():
        theirs = ghl.cells[name]
        unowned = name == "source" and not ours
        if ours != theirs and not unowned and not holds.one(Entity.CONTACT, name, app.key, ghl.key):
            yield f"{app.name}'s {name} is {ours!r} in the app, {theirs!r} in GHL"


def _tags(app: Holder, ghl: Holder, holds: Held) -> Iterator[str]:
    for tag in sorted(app.tags ^ ghl.tags):
        if not holds.one(Entity.CONTACT, f"tags: {tag}", app.key, ghl.key):
            yield (
                f"{app.name} has the tag {tag!r} in {'the app' if tag in app.tags else 'GHL'} alone"
            )


def _tasks(app: Holder, ghl: Holder, holds: Held) -> Iterator[str]:
    for title in sorted({*app.tasks, *ghl.tasks}):
        ours, theirs = app.tasks.get(title), ghl.tasks.get(title)
        keys = [task.key for task in (ours, theirs) if task is not None]
        if holds.whole(Entity.TASK, *keys):
            continue
        if ours is None or theirs is None:
            yield f"{app.name}'s task {title!r} is in {'GHL' if ours is None else 'the app'} alone"
            continue
        named = (
            ("due_at", ours.due, theirs.due),
            ("status", ours.done, theirs.done),
            ("details", ours.details, theirs.details),
        )
        for field, mine, other in named:
            if mine != other and not holds.one(Entity.TASK, field, *keys):
                yield (
                    f"{app.name}'s task {title!r}: {field} is {mine!r} in the app, {other!r} in GHL"
                )


def _notes(app: Holder, ghl: Holder, holds: Held) -> Iterator[str]:
    for text in sorted({*app.notes, *ghl.notes}):
        ours, theirs = app.repeated.get(text, 0), ghl.repeated.get(text, 0)
        keys = [key for key in (app.notes.get(text), ghl.notes.get(text)) if key is not None]
        excused = holds.whole(Entity.NOTE, *keys) or holds.one(Entity.NOTE, "body", *keys)
        if ours != theirs and not excused:
            yield (
                f"{app.name}'s note {text!r} stands {ours} times in the app, {theirs} times in GHL"
            )


def _deals(app: Holder, ghl: Holder, holds: Held) -> Iterator[str]:
    for title in sorted({*app.deals, *ghl.deals}):
        ours, theirs = app.deals.get(title), ghl.deals.get(title)
        keys = [deal.key for deal in (ours, theirs) if deal is not None]
        if holds.whole(Entity.OPPORTUNITY, *keys):
            continue
        if ours is None or theirs is None:
            yield f"{app.name}'s deal {title!r} is in {'GHL' if ours is None else 'the app'} alone"
            continue
        for field in ("stage", "status", "amount"):
            mine, other = getattr(ours, field), getattr(theirs, field)
            if mine != other and not holds.one(Entity.OPPORTUNITY, field, *keys):
                yield (
                    f"{app.name}'s deal {title!r}: {field} is {mine!r} in the app, {other!r} in GHL"
                )


def _firms(app: Mapping[str, Company], ghl: Mapping[str, Company], holds: Held) -> Iterator[str]:
    for name in sorted({*app, *ghl}):
        ours, theirs = app.get(name), ghl.get(name)
        keys = [one.key for one in (ours, theirs) if one is not None]
        if holds.whole(Entity.COMPANY, *keys):
            continue
        if ours is None:
            yield f"{name} (a company) is in GHL, not in the app"
        elif theirs is None:
            yield f"{name} (a company) is in the app, not in GHL"
        elif ours.city != theirs.city and not holds.one(Entity.COMPANY, "city", *keys):
            yield f"{name}'s city is {ours.city!r} in the app, {theirs.city!r} in GHL"


def agreed(ends: Ends) -> list[Couple]:
    """Those who have an email of their own on both sides and agree in everything.

    Nothing about them is open.
    """
    nothing = Held.of(())
    linked = couples(ends.app(), ends.ghl(), (_email,))
    return [couple for couple in linked if not any(_couple(couple, nothing))]
