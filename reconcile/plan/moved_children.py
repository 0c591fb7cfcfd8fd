"""Tasks and notes that hang on another contact than when they were linked: question and answers."""

from __future__ import annotations

from reconcile.model import Side
from reconcile.plan import phases
from reconcile.plan.creates import placed, travelling
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap


def release(stage: Stage, mapped: EntityMap) -> None:
    """Take apart what a person said are two things.

    Each is then matched, or created across, as any record without a link.
    """
    if not mapped.entity.parent:
        return
    # Without such an answer nothing is done: the statement would look at every link there is.
    (answered,) = stage.one("SELECT EXISTS (FROM decision WHERE choice = 'unlink')")
    if answered:
        stage.make("plan/unlink_strays", entity=mapped.entity)


def draft(stage: Stage, mapped: EntityMap) -> None:
    """Create `strayed_e`, and add the questions and operations that follow from it."""
    sent = travelling(mapped, Side.APP)
    stage.make(
        "plan/strayed",
        entity=mapped.entity,
        fields=mapped.fields,
        sent=sent,
        match=[[mapped.place(name) for name in rule] for rule in mapped.match],
        allowed=mapped.create.allows(Side.GHL),
    )
    stage.make("plan/strays", entity=mapped.entity, fields=placed(mapped), sent=sent, phases=phases)
