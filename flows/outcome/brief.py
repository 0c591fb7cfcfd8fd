"""A record in about ten lines: who it is, why each value is what it is, and where to look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from flows.outcome.explain import explanation
from flows.outcome.reasons import Reason, Story, label, of_hold, of_values, value_lines
from flows.outcome.sought import Ends, Sources
from flows.outcome.why_not import lines as lines_of
from flows.outcome.why_not import why_not
from reconcile.entities import OWNER
from reconcile.model import Entity, Side
from reconcile.values.mapping import EntityMap


@dataclass(frozen=True, slots=True)
class Brief:
    """What is told of a record first.

    `reasons` are one a mapped field where it is linked, in the order of the pair file. `pages` are
    addresses or paths, by what is there: app, ghl, report.
    """

    lines: tuple[str, ...]
    reasons: tuple[Reason, ...]
    pages: dict[str, str]

    @property
    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        values = [asdict(reason) for reason in self.reasons]
        return {"brief": list(self.lines), "values": values, "pages": self.pages}


def brief(sources: Sources, entity: Entity, ends: Ends, field: str | None = None) -> Brief:
    """What is known of a record, with the reason for each value, or for that of `field`."""
    if ends.link_id is None or entity not in sources.mapping:
        return _alone(sources, entity, ends)
    mapped = sources.mapping[entity]
    story = explanation(sources.ledger, entity.value, ends.any, None, evidence=sources.evidence)
    every = of_values(sources, mapped, ends, story)
    reasons = [each for each in every if field in (None, *each.fields)]
    open_ones = [hold for hold in story["holds"] if hold["open"] and not hold.get("field")]
    pages = _pages(sources, entity, ends, reasons)
    said = [
        _head(mapped, ends, story),
        *(_asked(of_hold(hold)) for hold in open_ones),
        *value_lines(reasons),
        *_page_lines(pages),
    ]
    return Brief(tuple(said), tuple(reasons), pages)


def _alone(sources: Sources, entity: Entity, ends: Ends) -> Brief:
    """Of a record without a counterpart, why it has none."""
    said = [f"{ends.words}: not linked to a record on the other side."]
    if entity in sources.mapping:
        for finding in why_not(sources, entity, ends.any):
            said += lines_of(finding)[1:] if finding.ends == ends else []
    pages = _pages(sources, entity, ends, [])
    return Brief((*said, *_page_lines(pages)), (), pages)


def _head(mapped: EntityMap, ends: Ends, story: Story) -> str:
    name = label(mapped, story)
    link = story["link"]
    called = f"{name}: " if name else ""
    return f"{called}{ends.words}, linked since run {link['since_run']} ({link['how']})."


def _asked(reason: Reason) -> str:
    return f"In question: {reason.says} → {reason.remedy}"


def _pages(sources: Sources, entity: Entity, ends: Ends, reasons: list[Reason]) -> dict[str, str]:
    """Where to look: the record on either side, and the report of the last run that it names."""
    pages = {}
    for side in Side:
        key = ends.key(side)
        own = sources.links.page(entity, side, key) if key and entity is OWNER else None
        if own is not None:
            pages[side.value] = own
    named = [reason.run_id for reason in reasons if reason.run_id]
    newest = [row.run_id for row in sources.rows()]
    runs = sorted({run for run in named if run in newest}, key=newest.index) or newest
    report = next((place for run in runs if (place := sources.place(run))), None)
    return pages | ({"report": report} if report else {})


_WHAT = {"app": "In the app", "ghl": "In GHL", "report": "Report"}


def _page_lines(pages: dict[str, str]) -> Iterator[str]:
    for what, place in pages.items():
        yield f"{_WHAT[what]}: {place}"
