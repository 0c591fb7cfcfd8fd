"""The neighbourhood of new contacts.

All that they may be equal to, so that matching it gives what a whole run would give.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from reconcile.entities import OWNER
from reconcile.link.identity import identities, make_further
from reconcile.model import Side
from reconcile.stage.stage import Stage
from reconcile.values.mapping import EntityMap

Keys = Mapping[Side, Collection[str]]
"""Keys of contacts, by side."""


def neighbourhood(stage: Stage, mapped: EntityMap, keys: Keys, fresh: Keys) -> dict[Side, set[str]]:
    """`keys`, with all that share an identity with one of the `fresh` contacts.

    What shares one with those is added as well, and so on, and so are the other ends of all.

    Both sides' contacts have to be staged whole. No match rule relates contacts of two
    neighbourhoods: see docs/adr/0012-a-delta-reads-whole-for-a-new-contact.md.
    """
    _make_known_by(stage, mapped)
    rows = sorted((side.value, key) for side, those in fresh.items() for key in those)
    stage.fill("near", [("side", "VARCHAR"), ("key", "VARCHAR")], [rows])
    before = -1
    while (size := stage.count("SELECT count(*) FROM near")) > before:
        before = size
        stage.make("link/near_alike")
    for side in Side:
        stage.make("link/near_ends", entity=mapped.entity, side=side)
    near = {side: set(keys[side]) for side in Side}
    for at, key in stage.rows("SELECT side, key FROM near"):
        near[Side(str(at))].add(str(key))
    return near


def _make_known_by(stage: Stage, mapped: EntityMap) -> None:
    stage.make("link/known_by")
    for side in Side:
        make_further(stage, mapped, side)
    for number, rule in enumerate(mapped.match):
        for side in Side:
            everyone = identities(mapped, side, rule, rows="cell")
            stage.make("link/known_by_rule", rule=number, side=side, identities=everyone)


def keep_only(stage: Stage, keys: Keys) -> None:
    """Leave only these contacts in the stage, as what a partial read of them would have given."""
    for side in Side:
        rows = [(key,) for key in sorted(keys[side])]
        cover = f"cover_{OWNER}_{side}"
        stage.fill(cover, [("key", "VARCHAR")], [rows])
        stage.run(f"DELETE FROM raw_{OWNER}_{side} WHERE key NOT IN (SELECT key FROM {cover})")
        count = stage.count(f"SELECT count(*) FROM raw_{OWNER}_{side}")
        whole = stage.snapshots[OWNER, side]
        part = replace(whole, rows=count, partial=True, reported_total=None)
        stage.snapshots[OWNER, side] = part


def note_looked(stage: Stage, side: Side, keys: Collection[str]) -> None:
    """Note that these new contacts were looked for on the other side, all of which was read."""
    for key in sorted(keys):
        stage.rows("INSERT INTO looked VALUES (?, ?, ?)", OWNER.value, side.value, key)
