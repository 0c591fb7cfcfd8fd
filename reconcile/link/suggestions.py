"""Asks a person about contacts that are probably one, and keeps asking in every run until there is an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator

from reconcile.ledger.ledger import Ledger
from reconcile.link.similarity import score
from reconcile.model import Entity, Hold, Side
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

# {s}: the row's side, {t}: the other one. A row without a counterpart is held on both sides, or it would be created across.
_HOLD = """
INSERT INTO unsure_contact
SELECT '{s}', {s}_key, 'ambiguous', arg_max({rule}, weight), list_sort(list({t}_key)) FROM suggested GROUP BY {s}_key;
"""

_TOLD = """
'{name} ' || CASE WHEN probability > 0.999 THEN 'over 99.9' ELSE round(100 * probability, 1)::VARCHAR END || ' %: '
|| array_to_string(list_transform(list_filter(evidence, lambda e: e.how <> 'different'), lambda e: e.how || ' ' || replace(e.field, '_', ' ')), ', ')
"""

_AGAIN = """
INSERT INTO unsure_contact
WITH told AS (SELECT * REPLACE (from_json(candidates, '["VARCHAR"]') AS candidates) FROM asked_before WHERE side = '{s}'),
there AS (SELECT list(key) AS keys FROM free_contact_{t})
SELECT '{s}', key, 'ambiguous', rule, CASE WHEN ignored THEN candidates ELSE list_filter(candidates, lambda c: list_contains(there.keys, c)) END AS left_over
FROM told, there WHERE key IN (SELECT key FROM free_contact_{s}) AND len(left_over) > 0;
"""

_TAKEN_OUT = (
    "DELETE FROM free_contact_{s} WHERE key IN (SELECT key FROM unsure_contact WHERE side = '{s}');"
)


def propose(stage: Stage, mapped: EntityMap) -> str:
    """Hold contacts that neither link nor match rule joins and that are probably one; nothing is linked by it.

    Needs what `compare.link` made, and comes before the draft. Leaves `suggested`, and `suggesting` (why nothing
    was looked for, or nothing), for the report; returns that reason.
    """
    why = score(stage, mapped)
    stage.fill("suggesting", [("why", "VARCHAR")], [[(why,)]])
    told = _TOLD.format(name=RULE)
    stage.run("".join(_HOLD.format(s=side, t=side.other, rule=told) for side in Side))
    stage.run("".join(_TAKEN_OUT.format(s=side) for side in Side))
    return why


def remember(stage: Stage, ledger: Ledger, mapped: EntityMap) -> None:
    """Hold again what earlier runs asked about in this way, as long as both records are there and have no counterpart.

    It needs no Splink: a nightly run must not create across what an audit found to be there already.
    """
    if mapped.entity is not Entity.CONTACT:
        return
    before = list(_asked(ledger))
    if before:
        stage.fill("asked_before", _ASKED, [before])
        stage.run("".join(_AGAIN.format(s=side, t=side.other) for side in Side))
        stage.run("".join(_TAKEN_OUT.format(s=side) for side in Side) + "DROP TABLE asked_before")


def _asked(ledger: Ledger) -> Iterator[tuple[object, ...]]:
    for row in ledger.holds(only_open=False):
        ignored = row.decision == "ignore"
        if RULE in row.body and (row.open or ignored):
            body = json.loads(row.body)
            told = body.get("values", {})
            if str(told.get("rule", "")).startswith(RULE):
                yield (
                    body["side"],
                    body["subject"],
                    told["rule"],
                    json.dumps(told["candidates"]),
                    ignored,
                )


def is_suggestion(hold: Hold) -> bool:
    """Whether a question is about a likeness alone."""
    return str(hold.values.get("rule", "")).startswith(RULE)
