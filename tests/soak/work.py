"""What goes on in the soak every day and every night: people's ordinary work, and GHL's habits."""

from __future__ import annotations

from typing import Any

from tests.soak.cast import MAKERS
from tests.soak.values import PIPELINES, SIMPLE

OTHERS = ("email", "phone", "birth_date", "renewal", "score", "vip", "languages", "tags")


def edits(world: Any) -> None:
    """The day's ordinary work: about a tenth of the people are edited, some get tasks, notes and deals; firms come and change."""
    dice = world.dice
    for _ in range(max(2, len(world.idents("contact")) // 12)):
        ident = world.pick()
        if ident is not None:
            chosen = dice.sample((*SIMPLE, *OTHERS), dice.choice((1, 1, 2)))
            world.type(world.side(), ident, **{name: world.cast.value(name) for name in chosen})
    children: dict[str, tuple[str, ...]] = {
        "task": ("title", "details", "status"),
        "note": ("body",),
        "company": ("name", "city"),
        "opportunity": ("title", "amount", "stage", "status", "pipeline"),
    }
    for entity, names in children.items():
        for _ in range(max(1, len(world.idents(entity)) // 20)):
            ident = world.pick(entity)
            if ident is not None:
                name = dice.choice(names)
                value = world.new_value(entity, ident, name)
                more = {"stage": dice.choice(PIPELINES[value])} if name == "pipeline" else {}
                world.type(world.side(), ident, **{name: value, **more})
        for _ in range(2):
            owner = world.pick()
            if entity == "company":
                world.enter(world.side(), entity, world.cast.firm())
            elif owner is not None:
                world.enter(world.side(), entity, MAKERS[entity](world.cast), owner)


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
