"""Asks a person about contacts that are probably one.

It keeps asking in every run until there is an answer.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping

from reconcile.entities import OWNER
from reconcile.ledger.ledger import Ledger
from reconcile.link.similarity import score
from reconcile.model import Hold, Side
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap

RULE = "likeness"
"""How the rule of such a question begins; what follows is the evidence."""

_ASKED = [
    ("side", "VARCHAR"),
    ("key", "VARCHAR"),
    ("rule", "VARCHAR"),
    ("candidates", "JSON"),
    ("ignored", "BOOLEAN"),
]


def propose(stage: Stage, mapped: EntityMap) -> str:
    """Hold contacts that neither link nor match rule joins and that are probably one.

    Nothing is linked by it.

    Needs what `compare.link` made, and comes before the draft. Leaves `suggested`, and `suggesting`
    (why nothing was looked for, or nothing), for the report; returns that reason.
    """
    why = score(stage, mapped)
    stage.fill("suggesting", [("why", "VARCHAR")], [[(why,)]])
    stage.make("link/unsure_likeness", entity=mapped.entity, likeness=RULE)
    return why


def remember(stage: Stage, ledger: Ledger, mapped: EntityMap) -> None:
    """Hold again what earlier runs asked about in this way.

    It goes on while both records are there and have no counterpart.

    It needs no Splink: a nightly run must not create across what an audit found to be there
    already.
    """
    if not mapped.entity.spec.person:
        return
    before = list(_asked(ledger))
    if before:
        stage.fill("asked_before", _ASKED, [before])
        stage.make("link/unsure_again", entity=mapped.entity)


def companions(ledger: Ledger, contacts: Mapping[Side, Collection[str]]) -> dict[Side, set[str]]:
    """These contacts, with all that a person said are one with them, or was asked for a likeness.

    And so on: two answers that name the same contact contradict each other.
    """
    joined = list(_joined(ledger))
    closure = {side: set(contacts[side]) for side in Side}
    grown = True
    while grown:
        grown = False
        for side, key, far in joined:
            near = closure[side]
            across = closure[side.other]
            if (key in near) != (far in across):
                near.add(key)
                across.add(far)
                grown = True
    return closure


def _joined(ledger: Ledger) -> Iterator[tuple[Side, str, str]]:
    """Two contacts that a question or an answer joins: the side and key of one, the other's key."""
    for row in ledger.holds(only_open=False):
        choice, _, far = str(row.decision).partition(":")
        if choice != "link":
            continue
        body = json.loads(row.body)
        if body["entity"] == OWNER:
            yield Side(body["side"]), body["subject"], far
    for side, key, _, candidates, _ in _asked(ledger):
        for each in json.loads(str(candidates)):
            yield Side(str(side)), str(key), each


def _asked(ledger: Ledger) -> Iterator[tuple[object, ...]]:
    """The likenesses that were asked about and that are open, or that a person said to ignore."""
    for row in ledger.holds(only_open=False):
        ignored = row.decision == "ignore"
        if RULE not in row.body or not (row.open or ignored):  # most are of another kind
            continue
        body = json.loads(row.body)
        values = body.get("values", {})
        rule = str(values.get("rule", ""))
        if rule.startswith(RULE):
            candidates = json.dumps(values["candidates"])
            yield body["side"], body["subject"], rule, candidates, ignored


def is_suggestion(hold: Hold) -> bool:
    """Whether a question is about a likeness alone."""
    return str(hold.values.get("rule", "")).startswith(RULE)
