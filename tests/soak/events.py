"""What people do by day: ordinary work on both sides, and the habits that nobody thought of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.soak.book import Ident, look
from tests.soak.world import World

Happens = Callable[[World], None]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that may happen on a day. `share` is how often, `point` the number of the fault it is after."""

    name: str
    happens: Happens
    share: float
    point: str = ""


EVENTS: list[Event] = []
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
OTHERS = ("email", "phone", "birth_date", "renewal", "score", "vip", "languages", "tags")


def event(share: float, point: str = "") -> Callable[[Happens], Happens]:
    """Enter a happening in EVENTS, under its function's name."""

    def enter(happens: Happens) -> Happens:
        EVENTS.append(Event(happens.__name__, happens, share, point))
        return happens

    return enter


def side_of(world: World) -> str:
    return world.dice.choice(("app", "ghl"))


def across(side: str) -> str:
    return "ghl" if side == "app" else "app"


def edits(world: World) -> None:
    """The day's ordinary work: about a tenth of the people are edited, some get tasks and notes."""
    dice = world.dice
    for _ in range(max(2, len(world.idents("contact")) // 12)):
        ident = world.pick()
        if ident is not None:
            chosen = dice.sample((*SIMPLE, *OTHERS), dice.choice((1, 1, 2)))
            world.type(side_of(world), ident, **{name: world.cast.value(name) for name in chosen})
    children: dict[str, tuple[str, ...]] = {
        "task": ("title", "details", "status"),
        "note": ("body",),
    }
    for entity, names in children.items():
        for _ in range(max(1, len(world.idents(entity)) // 20)):
            ident = world.pick(entity)
            if ident is not None:
                name = dice.choice(names)
                world.type(side_of(world), ident, **{name: world.new_value(entity, ident, name)})
        for _ in range(2):
            owner = world.pick()
            if owner is not None:
                made = world.cast.task() if entity == "task" else world.cast.note()
                world.enter(side_of(world), entity, made, owner)


@event(0.5, "1")
def addresses_abroad(world: World) -> None:
    """Addresses with letters of other alphabets, in old and new records."""
    for _ in range(2):
        ident = world.pick()
        if ident is not None:
            world.type(side_of(world), ident, email=world.cast.email_abroad())
    world.enter(
        side_of(world), "contact", world.cast.person() | {"email": world.cast.email_abroad()}
    )


@event(0.4, "1")
def words_for_a_phone(world: World) -> None:
    ident = world.pick()
    if ident is not None:
        world.type(side_of(world), ident, phone=world.cast.junk_phone())
    world.enter(side_of(world), "contact", world.cast.person() | {"phone": world.cast.junk_phone()})


@event(0.5)
def blanked(world: World) -> None:
    """A value is cleared."""
    ident = world.pick()
    if ident is not None:
        name = world.dice.choice(
            ("first_name", "street", "city", "remark", "company", "phone", "renewal", "score")
        )
        world.type(side_of(world), ident, **{name: None})


@event(0.6)
def conflict(world: World) -> None:
    """Both sides type other values into one field."""
    for _ in range(3):
        ident = world.pick()
        if ident is not None:
            name = world.dice.choice(
                (*SIMPLE, "email", "phone", "birth_date", "languages", "tags", "city", "city")
            )
            for side in world.dice.sample(("app", "ghl"), 2):
                world.type(side, ident, **{name: world.cast.value(name)})


@event(0.3)
def conflict_in_children(world: World) -> None:
    for entity, name in (("task", "title"), ("note", "body")):
        ident = world.pick(entity)
        if ident is not None:
            for side in world.dice.sample(("app", "ghl"), 2):
                world.type(side, ident, **{name: world.new_value(entity, ident, name)})


@event(0.3, "5")
def silent_edit(world: World) -> None:
    """The application changes a row without stamping it."""
    ident = world.pick()
    if ident is not None:
        name = world.dice.choice(SIMPLE)
        world.app.edit(
            "contact", world.key("app", ident), silently=True, **{name: world.cast.value(name)}
        )


@event(0.7)
def new_people(world: World) -> None:
    for _ in range(2):
        side = side_of(world)
        world.enter(side, "contact", world.cast.person(full=world.dice.random() < 0.7))


@event(0.25)
def the_same_person_on_both_sides(world: World) -> None:
    person = world.cast.person()
    for side in ("app", "ghl"):
        world.enter(side, "contact", person)


@event(0.4)
def deleted(world: World) -> None:
    """A person, a task and a note are deleted on one side."""
    for entity in ("contact", "task", "note"):
        ident = world.pick(entity)
        if ident is not None:
            if entity == "contact":
                world.touched |= {
                    one for one in world.now.idents() if _owner(world, one) == ident[1]
                }
            world.delete(side_of(world), ident)


def _owner(world: World, ident: tuple[str, str]) -> str | None:
    row = world.now.row("app", ident) or world.now.row("ghl", ident)
    return row.of if row is not None else None


@event(0.3)
def deleted_here_edited_there(world: World) -> None:
    for entity, name in (("contact", "remark"), ("task", "title")):
        ident = world.pick(entity)
        if ident is not None:
            side = side_of(world)
            world.delete(side, ident)
            world.type(across(side), ident, **{name: world.new_value(entity, ident, name)})


@event(0.3)
def deleted_here_edited_there_later(world: World) -> None:
    """Somebody types into a record that is gone across since yesterday."""
    for ident in sorted(world.book.gone):
        where = world.book.gone[ident]
        if len(where) == 1 and ident[0] == "contact" and ident not in world.touched:
            side = across(next(iter(where)))
            if world.now.row(side, ident) is not None:
                world.touched.add(ident)
                world.type(side, ident, remark=world.cast.value("remark"))
                return


@event(0.25, "6")
def merged_in_ghl(world: World) -> None:
    """GHL, or somebody in it, makes one contact of two."""
    winner, loser = world.pick(), world.pick()
    if winner is None or loser is None:
        return
    world.touched |= {
        one for one in world.now.idents() if _owner(world, one) in (winner[1], loser[1])
    }
    if not _leaves_a_trace(world, loser):
        world.book.untraceable.add(loser)
    world.place.sandbox.merge_contacts(world.key("ghl", winner), world.key("ghl", loser))
    world.book.merged[loser] = winner
    world.book.tell(loser, world.day, f"merged in GHL into {winner[1]}")
    world.book.tell(winner, world.day, f"took in {loser[1]} in GHL")


def _leaves_a_trace(world: World, ident: Ident) -> bool:
    """Whether anybody outside GHL can tell a merge from a deletion: by what both sides know the loser by, or a task of its."""
    now = look(world.app, world.place)
    ends = [now.row(side, ident) for side in ("app", "ghl")]
    shared = [
        name
        for name in ("email", "phone")
        if len({end.cells.get(name) if end else None for end in ends} - {None}) == 1
        and all(end is not None and end.cells.get(name) for end in ends)
    ]
    tasks = (one for one in now.rows["ghl"] if one[0] == "task")
    return bool(shared) or any((row := now.row("ghl", one)) and row.of == ident[1] for one in tasks)


@event(0.2, "7")
def key_reused(world: World) -> None:
    """The application gives a deleted person's key to a new one."""
    ident = world.pick()
    if ident is None:
        return
    key = world.key("app", ident)
    world.touched |= {one for one in world.now.idents() if _owner(world, one) == ident[1]}
    world.delete("app", ident)
    person = world.cast.person()
    world.app.add("contact", key=int(key), **person)
    world.book.tell(
        ("contact", person["ref"]), world.day, f"entered in the app under the key of {ident[1]}"
    )


@event(0.3, "10")
def addresses_swapped(world: World) -> None:
    """Two people's addresses are swapped in one side, and their streets change with it."""
    _ring(world, 2, "email")


@event(0.2, "10")
def phones_in_a_ring(world: World) -> None:
    _ring(world, 3, "phone")


def _ring(world: World, size: int, name: str) -> None:
    side = side_of(world)
    people = [ident for _ in range(size) if (ident := world.pick()) is not None]
    values = [
        row.cells.get(name) for ident in people if (row := world.now.row(side, ident)) is not None
    ]
    if len(people) == size and all(values):
        for ident, value in zip(people, [*values[1:], values[0]], strict=True):
            world.type(side, ident, **{name: value, "street": world.cast.value("street")})


@event(0.25, "10")
def phone_moved(world: World) -> None:
    """A phone goes from one person to another, who is called by another name now, too."""
    giver, taker = world.pick(), world.pick()
    if giver is None or taker is None:
        return
    side = side_of(world)
    row = world.now.row(side, giver)
    if row is not None and row.cells.get("phone"):
        world.type(side, giver, phone=None)
        world.type(side, taker, phone=row.cells["phone"], last_name=world.cast.value("last_name"))


@event(0.3, "10")
def value_refused(world: World) -> None:
    """GHL takes no company with a section sign in it; the rest of the record is as good as any."""
    world.poisoned = True
    ident = world.pick("contact")
    if ident is not None:
        company = f"{world.cast.value('company')} §"
        world.type(
            "app",
            ident,
            company=company,
            street=world.cast.value("street"),
            tags=world.cast.value("tags"),
        )


@event(0.3, "13")
def value_dropped(world: World) -> None:
    """GHL takes a postal code with a star in it, and does not keep it."""
    world.dropping = True
    ident = world.pick("contact")
    if ident is not None:
        world.type(
            "app",
            ident,
            remark=f"{world.cast.value('remark')} ¤",
            last_name=world.cast.value("last_name"),
        )


@event(0.2, "8")
def task_moved(world: World) -> None:
    """A task goes to another person in the application."""
    ident, owner = world.pick("task"), world.pick()
    if ident is not None and owner is not None:
        key = int(world.key("app", owner))
        world.app.edit("task", world.key("app", ident), person_id=key)
        world.book.tell(ident, world.day, f"moved in the app to {owner[1]}")


@event(0.6, "8")
def questions_answered(world: World) -> None:
    """Some of the open questions are answered, with answers of every kind."""
    keys = {
        (entity, side, row.key): (entity, uid)
        for side in ("app", "ghl")
        for (entity, uid), rows in world.now.rows[side].items()
        for row in rows
    }
    for question in world.operator.questions():
        if question.get("decision") is None and world.dice.random() < 0.35:
            _answer(world, question, keys)


def _answer(
    world: World, question: dict[str, Any], keys: dict[tuple[str, str, str], tuple[str, str]]
) -> None:
    entity = question["entity"]
    found = {
        keys[entity, side, question[f"{side}_key"]]
        for side in ("app", "ghl")
        if (entity, side, question.get(f"{side}_key")) in keys
    }
    options = [one for one in question["options"] if _sensible(world, entity, one, found, keys)]
    if not options or not found:
        return
    choice = world.dice.choice(options)
    if not world.operator.answer(question["hold_id"], choice):
        return
    world.book.counts[f"answered {choice.partition(':')[0]}"] += 1
    name = (question.get("field") or "").replace(": ", ":") or None
    for ident in found:
        world.touched.add(ident)
        world.book.decided[ident][name] = choice
        world.book.tell(
            ident,
            world.day,
            f"answered {choice} to {question['kind']} {name or ''}: {question['because'][:90]}",
        )
        if choice in ("ignore", "keep", "leave") and name is None:
            world.judge.left_out.add(ident)
        if choice == "unlink" and entity != "contact":  # two things from now on, under one number
            world.book.twice.add(ident)


def _sensible(
    world: World,
    entity: str,
    option: str,
    found: set[tuple[str, str]],
    keys: dict[tuple[str, str, str], tuple[str, str]],
) -> bool:
    """Nobody takes two people for one, or enters anew who is there already."""
    if option == "create":
        return not any(len(_sides(world, ident)) == 2 for ident in found)
    if option == "same":
        return len(found) == 1
    if not option.startswith("link:"):
        return option != "ignore" or world.dice.random() < 0.3
    key = option.removeprefix("link:")
    return {
        keys[entity, side, key] for side in ("app", "ghl") if (entity, side, key) in keys
    } == found


def _sides(world: World, ident: tuple[str, str]) -> set[str]:
    return {side for side in ("app", "ghl") if world.now.row(side, ident) is not None}
