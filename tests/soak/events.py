"""What people do by day in the soak alone, beside what they do in any world."""

from __future__ import annotations

from typing import Any

from flows.rehearse import events as shared
from flows.rehearse.events import entering
from tests.soak.values import SIMPLE
from tests.soak.world import World

EVENTS = [one for one in shared.EVENTS if one.name != "conflict"]
"""What may happen on a day, here and in any world; here conflicts are of more kinds of values."""
event = entering(EVENTS)


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
                world.retype(side, ident, name)


@event(0.3)
def silent_edit(world: World) -> None:
    """The application changes a row without stamping it."""
    ident = world.pick()
    if ident is not None:
        name = world.dice.choice(SIMPLE)
        world.app.edit(
            "contact", world.key("app", ident), silently=True, **{name: world.cast.value(name)}
        )


@event(0.25)
def phone_moved(world: World) -> None:
    """A phone goes from one person to another, who is called by another name now, too."""
    giver, taker = world.pick(), world.pick()
    if giver is None or taker is None:
        return
    side = world.side()
    row = world.now.row(side, giver)
    if row is not None and row.cells.get("phone"):
        world.type(side, giver, phone=None)
        world.type(side, taker, phone=row.cells["phone"], last_name=world.cast.value("last_name"))


@event(0.3)
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


@event(0.3)
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


@event(0.2)
def task_moved(world: World) -> None:
    """A task goes to another person in the application."""
    ident, owner = world.pick("task"), world.pick()
    if ident is not None and owner is not None:
        key = int(world.key("app", owner))
        world.app.edit("task", world.key("app", ident), person_id=key)
        world.book.tell(ident, world.day, f"moved in the app to {owner[1]}")


@event(0.6)
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
