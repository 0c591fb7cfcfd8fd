"""What happens to the machines at night: failing and lying answers, killed runs, moved clocks."""

from __future__ import annotations

import os
import signal
from typing import Any

from connectors.ghl.sandbox import Fault
from connectors.ghl.sandbox.faults import FaultKind
from flows.rehearse.book import Ident, other
from flows.rehearse.events import Event, entering
from flows.rehearse.world import World

HARMS: list[Event] = []
"""What happens at night, in or around a run. At most two of them in one night."""
_SEVERAL = 2
"""What so many records show by their key, and not in bulk, is proof that the bulk lacks it."""

harm = entering(HARMS)


@harm(0.35)
def edited_during_the_run(world: World) -> None:
    """While the run goes on people type, also into what it is about to write."""
    dice = world.dice
    waiting = (
        cell
        for cell, typed in world.book.pending.items()
        if cell[0] == "contact"
        and len(typed) == 1
        and cell[2] in world.known.texts["contact"]
        and len(world.now.keys(cell[:2])) == 2
    )
    owed = sorted(waiting, key=lambda cell: (world.order(cell[:2]), cell[2]))
    # What the run is about to write, on the side that it will write to.
    for cell in dice.sample(owed, min(4, len(owed))):
        side = other(next(iter(world.book.pending[cell])))
        world.wire.at_write.setdefault(dice.choice((1, 1, 2, 5)), []).append(
            _typing(world, side, cell[:2], cell[2])
        )
    for at in dice.sample(range(1, 12), 2):  # and anything else
        ident, names = world.pick(), _any_name(world)
        if ident is not None and names:
            name = dice.choice(names)
            world.wire.at_write.setdefault(at, []).append(
                _typing(
                    world,
                    world.side(),
                    ident,
                    name,
                )
            )


def _any_name(world: World) -> tuple[str, ...]:
    known = world.known
    return (*known.texts.get("contact", ()), *known.alone, *known.sets)


def _typing(world: World, side: str, ident: Ident, name: str) -> Any:
    """Types at the first moment that is not between the job's look at the record and its write.

    That is the window left, as docs/operations.md says.
    """
    value = world.new_value("contact", ident, name)

    def type_it() -> bool:
        if side == "ghl" and world.key("ghl", ident) in world.wire.looked:
            return True
        world.meanwhile(side, ident, **{name: value})
        return False

    return type_it


@harm(0.15)
def deleted_during_the_run(world: World) -> None:
    """Somebody deletes a person while the job writes."""
    ident = world.pick("contact")
    if ident is None:
        return
    side = world.side()

    def delete() -> None:
        world.delete(side, ident)
        seen = world.look()
        for one, where in ((one, side) for one in world.now.idents()):
            before = world.now.row(where, one)
            if before is not None and seen.row(where, one) is None:
                world.book.gone[one].setdefault(where, world.day)
                world.book.tell(
                    one,
                    world.day,
                    f"deleted in {where} during the run",
                )

    world.wire.at_write.setdefault(world.dice.randrange(1, 6), []).append(delete)


@harm(0.2)
def killed(world: World) -> None:
    """The run is killed at some request, and started again."""
    at = world.dice.randrange(2, 40) if world.dice.random() < 0.3 else 0
    process = world.operator.begin(world.clock.ahead)
    planned = world.wire.at_request if at else world.wire.at_write
    number = at or world.dice.randrange(1, 25)
    planned.setdefault(number, []).append(lambda: os.kill(process.pid, signal.SIGKILL))
    ended = process.wait()
    world.book.counts["killed" if ended == -signal.SIGKILL else "not killed in time"] += 1
    for ident in world.now.idents():
        if ended == -signal.SIGKILL and ident in {cell[:2] for cell in world.book.pending}:
            world.book.tell(
                ident,
                world.day,
                f"a run was killed at request {number}",
            )
    world.wire.recount()


@harm(0.15)
def delta_before(world: World) -> None:
    """A delta runs in the evening, and people go on typing before the night."""
    world.operator.command("delta")
    world.wire.recount()
    _type_more(world)


@harm(0.15)
def planned_and_applied_later(world: World) -> None:
    """Somebody makes a plan, people go on typing, and the plan is carried out as it was shown."""
    digest = world.operator.plan()
    _type_more(world)
    if digest:
        world.operator.command("apply", digest)
    world.wire.recount()


def _type_more(world: World) -> None:
    for _ in range(4):
        ident, name = world.pick(), world.known.text(world.dice)
        if ident is not None and name is not None:
            world.meanwhile(
                world.side(),
                ident,
                **{
                    name: world.new_value(
                        "contact",
                        ident,
                        name,
                    )
                },
            )


@harm(0.15)
def burst_of_503(world: World) -> None:
    """GHL is down for a while, somewhere in the night."""
    dice = world.dice
    world.sandbox.arm(
        Fault(
            "status",
            status=503,
            after=dice.randrange(0, 60),
            count=dice.choice((3, 20, 200)),
        )
    )


@harm(0.2)
def broken_connections(world: World) -> None:
    """Connections break, also after the request was carried out; answers come broken or refused."""
    for _ in range(3):
        kind: FaultKind = world.dice.choice(
            ("reset_before", "reset_after", "malformed", "rate_limited")
        )
        after = world.dice.randrange(0, 30)
        method = world.dice.choice(("*", "POST", "PUT"))
        world.sandbox.arm(
            Fault(
                kind,
                method=method,
                after=after,
                count=world.dice.choice((1, 2)),
            )
        )


@harm(0.1)
def short_pages(world: World) -> None:
    """A list that is not all of it, or says a wrong total."""
    kind: FaultKind = world.dice.choice(("truncated_page", "wrong_total", "repeated_ids"))
    path = world.dice.choice(("/contacts/search", "/locations/*/tasks/search", "/contacts/*/notes"))
    world.sandbox.arm(Fault(kind, path=path, nth=1))


@harm(0.1)
def created_but_refused(world: World) -> None:
    """GHL makes a contact and says that it refused it."""
    world.sandbox.arm(
        Fault(
            "created_but_422",
            method="POST",
            path="/contacts/*",
            count=1,
        )
    )
    world.sandbox.arm(
        Fault(
            "created_but_422",
            method="POST",
            path="/contacts/",
            count=1,
        )
    )


@harm(0.12)
def search_lacks_fields(world: World) -> None:
    """The bulk search carries no street and no company on this night, or no names.

    Only what several people had before: by what the others have since nobody can tell it.
    """
    gone = world.dice.choice(
        (("address", "companyName"), ("firstName", "lastName"), ("customFields",), ("tags",))
    )
    known = {world.key("ghl", ident) for ident in world.idents("contact")}

    def show(path: str, body: dict[str, Any]) -> None:
        if path.endswith("/contacts/search"):
            rows = body.get("contacts", ())
            for name in gone:
                having = [row for row in rows if row.get("id") in known and row.get(name)]
                if len(having) >= _SEVERAL:
                    for row in rows:
                        row.pop(name, None)

    world.wire.show.append(show)
    world.book.counts[f"search without {gone[0]}"] += 1


@harm(0.12)
def location_not_found(world: World) -> None:
    """For a night GHL leaves contacts out of its lists, and does not find the location of each."""
    hidden = {world.key("ghl", ident) for _ in range(2) if (ident := world.pick()) is not None}

    def show(path: str, body: dict[str, Any]) -> None:
        if path.endswith("/contacts/search") and isinstance(body.get("contacts"), list):
            left = [row for row in body["contacts"] if row.get("id") not in hidden]
            gone = len(body["contacts"]) - len(left)
            body["contacts"] = left
            if isinstance(body.get("total"), int):
                shown = body["total"] - (gone or len(hidden))
                body["total"] = max(len(left), shown)

    def refuse(method: str, path: str, _body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        if method == "GET" and any(path.startswith(f"/contacts/{key}") for key in hidden):
            return 400, {"message": "Location not found", "statusCode": 400}
        return None

    world.wire.show.append(show)
    world.wire.refuse.append(refuse)


@harm(0.1)
def values_dropped(world: World) -> None:
    """What is typed into some contacts in the app GHL takes on this night, and does not keep."""
    paths = set()
    for _ in range(3):
        ident = world.pick()
        name = world.known.text(world.dice)
        if ident is not None and name is not None:
            paths.add(f"/contacts/{world.key('ghl', ident)}")
            value = world.new_value("contact", ident, name)
            world.meanwhile("app", ident, **{name: value})

    def drop(method: str, path: str, body: dict[str, Any]) -> None:
        if method == "PUT" and path in paths:
            body.clear()

    world.wire.change.append(drop)


@harm(0.08)
def ledger_restored(world: World) -> None:
    """The ledger is put back to what it held the night before the last one."""
    world.ledgers.keep()
    if world.ledgers.put(world.ledgers.older):
        world.book.counts["ledger a night older"] += 1


@harm(0.06)
def ledger_emptied(world: World) -> None:
    """The ledger is gone; there is a backup of it."""
    world.ledgers.keep()
    world.ledgers.put(None)
    world.book.counts["ledger emptied"] += 1


@harm(0.08)
def clock_set_back(world: World) -> None:
    """The job's machine is two hours slow for a night."""
    world.clock.step = -7200.0


@harm(0.1)
def app_restored(world: World) -> None:
    """The app is put back to what it held before the last night, or the one before."""
    if len(world.backups) < 3:
        return
    before = world.look()
    world.put_back(world.backups[-world.dice.choice((1, 2))])
    after = world.look()
    for ident in before.rows["app"].keys() | after.rows["app"].keys():
        was, now = before.row("app", ident), after.row("app", ident)
        if was is not None and now is not None and was.cells == now.cells:
            continue
        world.book.rewound.add(ident)
        world.book.tell(
            ident,
            world.day,
            "the app's row went back with a backup",
        )
        for cell in [cell for cell in world.book.pending if cell[:2] == ident]:
            typed = world.book.pending[cell].get("app")
            there = now.cells.get(cell[2]) if now is not None else None
            if typed is not None and there != typed.value:
                del world.book.pending[cell]["app"]
        if was is None:  # deleted since, and there again: it counts as new (docs/operations.md)
            world.book.gone[ident].clear()
    world.now = after
    world.remember()
