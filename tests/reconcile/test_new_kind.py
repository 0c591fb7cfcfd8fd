"""A kind of record that is only declared takes part in everything: no stage has to learn of it."""

from __future__ import annotations

import subprocess
import sys

from tests.measure import ROOT

DECLARED = """
import sys, types
from pathlib import Path

import reconcile

path = Path(reconcile.__file__).with_name("entities.py")
source = path.read_text(encoding="utf-8")
for before, more in (
    ('    TAG = "tag"\\n', '    CALL = "call"\\n'),
    ("        Entity.TAG: EntitySpec(", "        Entity.CALL: EntitySpec('calls', parent=Entity.CONTACT),\\n"),
):
    assert source.count(before) == 1, before
    whole = before + more if before.startswith("    TAG") else more + before
    source = source.replace(before, whole)
module = types.ModuleType("reconcile.entities")
module.__file__ = str(path)
sys.modules["reconcile.entities"] = module
exec(compile(source, str(path), "exec"), module.__dict__)
"""
"""The core with one kind more: calls, which hang on contacts."""

NIGHTS = """
from dataclasses import replace

from connectors.memory.vices import FIELDS
from reconcile.entities import Entity
from reconcile.model import OpKind, Side
from reconcile.report import document, markdown
from tests.builders import World, contacts, mapping_of, notes
from tests.builders_world import seen

CALL = Entity("call")
FIELDS[CALL] = FIELDS[Entity.NOTE]
with World(mapping=mapping_of(contacts(), replace(notes(), entity=CALL))) as world:
    ann = world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com"})
    call = world.app.put(CALL, {"body": "rang at noon"}, parent=ann)
    world.app.put(CALL, {"body": "rang at one"}, parent=ann)
    first = world.run()
    assert [o.entity for o in first.operations] == [Entity.CONTACT, CALL, CALL], first.operations
    (there,) = world.ghl.rows(Entity.CONTACT)
    made = world.ghl.rows(CALL)
    assert [row.parent for row in made.values()] == [there, there]
    assert not world.run().operations

    (own,) = [key for key, row in made.items() if row.fields["body"] == "rang at noon"]
    world.ghl.edit(CALL, own, {"body": "rang at two"})
    world.run()
    assert world.app.rows(CALL)[call].fields["body"] == "rang at two"

    world.app.delete(CALL, call)
    with seen(world) as found:
        whole = document(found.stage, found.run.mapping, found.about)
    assert own not in world.ghl.rows(CALL)
    assert whole["statement"]["unexplained"] == 0
    assert whole["entities"]["call"]["deletes"] == 1
    assert "1 call deleted" in markdown(whole), markdown(whole)
print("done")
"""


def test_a_kind_that_is_only_declared_is_carried_and_reported() -> None:
    """Two lines in reconcile/entities.py and the fields of a side, and calls are matched, created, changed, deleted and counted with the rest."""
    finished = subprocess.run(  # noqa: S603 - its own text
        [sys.executable, "-c", DECLARED + NIGHTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.stdout.strip().endswith("done"), finished.stderr
