"""Gives every row its class, by evidence alone: what nothing accounts for is unexplained."""

from __future__ import annotations

from reconcile.entities import SPECS
from reconcile.link.suggestions import RULE
from reconcile.model import Entity, Side
from reconcile.report.classes import BY_NAME
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap


def begin(stage: Stage, *, applied: bool) -> None:
    """Create `fate`: each planned operation with what became of it.

    Before apply, as if all were done.
    """
    stage.make("report/outcome")
    stage.make("report/fate", applied=applied, sets=[kind for kind in SPECS if kind.spec.set_of])


def class_rows(stage: Stage, mapped: EntityMap) -> None:
    """Create `row_e_s` (key, class, because, paired, linked) for both sides, and `tie_e` (links).

    Contacts come first.
    """
    entity = mapped.entity
    standing = stage.has(f"standing_{entity}")
    classes = list(BY_NAME)
    taken = apart(stage, entity)
    stage.make("report/fate_taken", entity=entity)
    stage.make("report/written", entity=entity, consents=mapped.consents)
    stage.make("report/absent", entity=entity)
    trusted = _trusted(stage)
    stage.make("report/pair", entity=entity, classes=classes, trusted=trusted, **taken)
    stage.make("report/tie", entity=entity, classes=classes, standing=standing, **taken)
    for side in Side:
        stage.make(
            "report/row",
            entity=entity,
            side=side,
            other=side.other,
            classes=classes,
            likeness=RULE,
            **taken,
        )


def apart(stage: Stage, entity: Entity) -> dict[str, bool]:
    """Whether a decision took links apart before they were compared, and whether links strayed.

    Models that ask for either include `_links.sql`.
    """
    return {
        "released": stage.has(f"released_{entity}"),
        "strayed": stage.has(f"strayed_{entity}"),
        "again": stage.has(f"made_again_{entity}"),
    }


def _trusted(stage: Stage) -> bool:
    """Whether the ledger's digests were made of what this run reads."""
    # Under another mapping the digests tell of no change at all.
    if not stage.has("trusted"):
        return True
    (trusted,) = stage.one("SELECT trusted FROM trusted")
    return bool(trusted)
