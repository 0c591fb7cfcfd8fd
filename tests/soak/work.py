"""What goes on in the soak every day and every night: people's ordinary work, and GHL's habits."""

from __future__ import annotations

from typing import Any

from tests.soak.values import SIMPLE

OTHERS = ("email", "phone", "birth_date", "renewal", "score", "vip", "languages", "tags")


def edits(world: Any) -> None:
    """The day's ordinary work: about a tenth of the people are edited, some get tasks and notes."""
    dice = world.dice
    for _ in range(max(2, len(world.idents("contact")) // 12)):
        ident = world.pick()
        if ident is not None:
            chosen = dice.sample((*SIMPLE, *OTHERS), dice.choice((1, 1, 2)))
            world.type(world.side(), ident, **{name: world.cast.value(name) for name in chosen})
    children: dict[str, tuple[str, ...]] = {
        "task": ("title", "details", "status"),
        "note": ("body",),
    }
    for entity, names in children.items():
        for _ in range(max(1, len(world.idents(entity)) // 20)):
            ident = world.pick(entity)
            if ident is not None:
                name = dice.choice(names)
                world.type(world.side(), ident, **{name: world.new_value(entity, ident, name)})
        for _ in range(2):
            owner = world.pick()
            if owner is not None:
                made = world.cast.task() if entity == "task" else world.cast.note()
                world.enter(world.side(), entity, made, owner)


def _refuse_section_sign(
    method: str, path: str, body: dict[str, Any]
) -> tuple[int, dict[str, Any]] | None:
    if (
        method in ("POST", "PUT")
        and path.startswith("/contacts")
        and "§" in str(body.get("companyName") or "")
    ):
        return 422, {
            "message": ["companyName must not contain §"],
            "error": "Unprocessable Entity",
            "statusCode": 422,
        }
    return None


def _drop_starred(_method: str, _path: str, body: dict[str, Any]) -> None:
    custom = body.get("customFields")
    if isinstance(custom, list):
        kept = [
            one
            for one in custom
            if "¤" not in str(one.get("field_value", one.get("fieldValue", "")))
        ]
        if len(kept) < len(custom):
            body["customFields"] = kept


def habits(world: Any) -> None:
    """What GHL does every night from when somebody met it."""
    if world.poisoned:
        world.wire.refuse.append(_refuse_section_sign)
    if world.dropping:
        world.wire.change.append(_drop_starred)
