"""What people do by day in any world: ordinary work on both sides, and habits nobody thought of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flows.rehearse.book import Ident, other
from flows.rehearse.rules import Row
from flows.rehearse.world import World

Happens = Callable[[Any], None]
"""What happens to a world."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that may happen on a day. `share` is how often."""

    name: str
    happens: Happens
    share: float


EVENTS: list[Event] = []
"""What may happen by day."""


def entering(events: list[Event]) -> Callable[[float], Callable[[Happens], Happens]]:
    """A decorator that enters a happening in a list, under its function's name."""

    def event(share: float) -> Callable[[Happens], Happens]:
        def enter(happens: Happens) -> Happens:
            events.append(Event(happens.__name__, happens, share))
            return happens

        return enter

    return event


event = entering(EVENTS)


def owner_of(world: World, ident: Ident) -> str | None:
    """The uid of the contact that a task or note hangs on."""
    row = world.now.row("app", ident) or world.now.row("ghl", ident)
    return row.of if row is not None else None


def touch_what_hangs_on(world: World, *owners: Ident) -> None:
    """Let nothing else happen today to the tasks and notes of these contacts."""
    uids = {owner[1] for owner in owners}
    world.touched |= {one for one in world.now.idents() if owner_of(world, one) in uids}


@event(0.5)
def blanked(world: World) -> None:
    """A value is cleared."""
    ident = world.pick()
    if ident is not None and world.known.clears:
        world.type(
            world.side(),
            ident,
            **{world.dice.choice(world.known.clears): None},
        )


@event(0.6)
def conflict(world: World) -> None:
    """Both sides type other values into one field."""
    for _ in range(3):
        ident, name = world.pick(), world.known.text(world.dice)
        if ident is not None and name is not None:
            sides = world.dice.sample(("app", "ghl"), 2)
            for side in sides:
                world.retype(side, ident, name)


@event(0.4)
def tagged(world: World) -> None:
    """Somebody changes the tags of two people."""
    for _ in range(2):
        ident = world.pick()
        if ident is not None and world.known.sets:
            name = world.dice.choice(world.known.sets)
            world.retype(world.side(), ident, name)


@event(0.5)
def consent_said(world: World) -> None:
    """People say that they may be written to, or may not: to one side, or one word to each."""
    for _ in range(3):
        ident = world.pick()
        if ident is not None and world.known.consents:
            name = world.dice.choice(world.known.consents)
            count = world.dice.choice((1, 1, 2))
            sides = world.dice.sample(("app", "ghl"), count)
            for side in sides:
                world.retype(side, ident, name)


@event(0.4)
def moved(world: World) -> None:
    """What has a place, as a deal its stage, is moved: on one side, or on both to other places."""
    for entity, names in world.known.moves.items():
        ident = world.pick(entity)
        if ident is not None:
            name = world.dice.choice(names)
            count = world.dice.choice((1, 2))
            sides = world.dice.sample(("app", "ghl"), count)
            for side in sides:
                world.retype(side, ident, name)


@event(0.4)
def odd_values(world: World) -> None:
    """An address with letters of another alphabet, and words where a number belongs."""
    for name, value in world.odd_values().items():
        ident = world.pick()
        if ident is not None:
            world.type(world.side(), ident, **{name: value})
    person = {**world.new_person(), **world.odd_values()}
    world.enter(world.side(), "contact", person)


@event(0.7)
def new_people(world: World) -> None:
    """Two people are entered."""
    for _ in range(2):
        world.enter(world.side(), "contact", world.new_person())


@event(0.4)
def hired(world: World) -> None:
    """People begin to work where their side knows the company; one of them is new."""
    for name, kind in world.known.links.items():
        ident = world.pick()
        firm = world.pick(kind)
        side = world.side()
        if ident is not None and firm is not None and world.now.row(side, firm) is not None:
            _hire(world, side, ident, {name: firm[1]})


@event(0.3)
def hired_where_it_is_gone(world: World) -> None:
    """A company is deleted on one side while people begin to work there across."""
    for name, kind in world.known.links.items():
        ident = world.pick()
        firm = world.pick(kind)
        side = world.side()
        if ident is not None and firm is not None:
            world.delete(other(side), firm)
            _hire(world, side, ident, {name: firm[1]})


def _hire(world: World, side: str, ident: Ident, link: Mapping[str, str]) -> None:
    """Somebody who is there, and somebody new, begin to work at that company."""
    world.type(side, ident, **link)
    world.enter(side, "contact", {**world.new_person(), **link})


@event(0.25)
def the_same_person_on_both_sides(world: World) -> None:
    """Both sides enter the same person on the same day."""
    person = world.new_person()
    for side in ("app", "ghl"):
        world.enter(side, "contact", person)


@event(0.4)
def deleted(world: World) -> None:
    """A record of each kind is deleted on one side."""
    for entity in world.kinds:
        ident = world.pick(entity)
        if ident is not None:
            if entity == "contact":
                touch_what_hangs_on(world, ident)
            world.delete(world.side(), ident)


@event(0.3)
def deleted_here_edited_there(world: World) -> None:
    """Somebody deletes a record while somebody else types into it across."""
    for entity in world.kinds:
        ident, name = world.pick(entity), world.known.text(world.dice, entity)
        if ident is not None and name is not None:
            side = world.side()
            world.delete(side, ident)
            world.retype(other(side), ident, name)


@event(0.3)
def deleted_here_edited_there_later(world: World) -> None:
    """Somebody types into a record that is gone across since yesterday."""
    for ident in sorted(world.book.gone, key=world.order):
        where = world.book.gone[ident]
        if len(where) == 1 and ident[0] == "contact" and ident not in world.touched:
            side = other(next(iter(where)))
            name = world.known.text(world.dice)
            if world.now.row(side, ident) is not None and name is not None:
                world.touched.add(ident)
                world.retype(side, ident, name)
                return


@event(0.2)
def key_given_away(world: World) -> None:
    """The app gives a deleted person's key to a new one."""
    ident = world.pick()
    if ident is not None:
        touch_what_hangs_on(world, ident)
        world.give_key(ident)


@event(0.25)
def merged_in_ghl(world: World) -> None:
    """GHL, or somebody in it, makes one contact of two."""
    winner, loser = world.pick(), world.pick()
    if winner is None or loser is None:
        return
    touch_what_hangs_on(world, winner, loser)
    if not _leaves_a_trace(world, loser):
        world.book.untraceable.add(loser)
    world.sandbox.merge_contacts(world.key("ghl", winner), world.key("ghl", loser))
    world.book.merged[loser] = winner
    world.book.tell(
        loser,
        world.day,
        f"merged in GHL into {winner[1]}",
    )
    world.book.tell(
        winner,
        world.day,
        f"took in {loser[1]} in GHL",
    )


def _leaves_a_trace(world: World, ident: Ident) -> bool:
    """Whether anybody outside GHL can tell a merge from a deletion.

    By what both sides know the loser by, or by a task of its.
    """
    now = world.look()
    ends = [now.row(side, ident) for side in ("app", "ghl")]
    shared = [name for name in world.known.alone if _alike(ends, name)]
    tasks = (one for one in now.rows["ghl"] if one[0] == "task")
    rows = [now.row("ghl", one) for one in tasks]
    hanging = [row for row in rows if row is not None and row.of == ident[1]]
    return bool(shared or hanging)


def _alike(ends: list[Row | None], name: str) -> bool:
    """Whether both ends hold the same value."""
    values = {end.cells.get(name) if end else None for end in ends}
    return len(values) == 1 and None not in values


@event(0.3)
def addresses_swapped(world: World) -> None:
    """Two people's addresses are swapped in one side, and another value changes with them."""
    if world.known.alone:
        ring(world, 2, world.known.alone[0])


@event(0.2)
def phones_in_a_ring(world: World) -> None:
    """Three people's numbers go round."""
    if world.known.alone:
        ring(world, 3, world.known.alone[-1])


def ring(world: World, size: int, name: str) -> None:
    """Each of so many people gets the next one's value."""
    side = world.side()
    people = [ident for _ in range(size) if (ident := world.pick()) is not None]
    values = [
        row.cells.get(name) for ident in people if (row := world.now.row(side, ident)) is not None
    ]
    if len(people) < size or not all(values):
        return
    for ident, value in zip(
        people,
        [*values[1:], values[0]],
        strict=True,
    ):
        text = world.known.text(world.dice)
        more = {text: world.new_value("contact", ident, text)} if text else {}
        world.type(side, ident, **{name: value, **more})
