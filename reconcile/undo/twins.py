"""Who is there in the place of a deleted contact.

Somebody with its identity who was not there beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from reconcile.ledger import schema
from reconcile.ledger.ledger import Ledger
from reconcile.model import Cells, OpKind, Side
from reconcile.ports import Connector, Write
from reconcile.values.mapping import EntityMap


@dataclass(frozen=True, slots=True)
class Twins:
    """Looks for who has the identity of a contact, or of a company, now.

    Whoever was linked before `since`, or was created by this undo (`created`), was there beside it:
    that is somebody else.
    """

    mapped: EntityMap
    ledger: Ledger
    since: str
    created: Callable[[str], bool]

    def find(self, connector: Connector, side: Side, cells: Cells) -> tuple[str, str] | None:
        """By which fields somebody on that side has the identity of these cells, and the key.

        None where nobody has.
        """
        for rank, rule in enumerate(self.mapped.match):
            sought = {name: cells.get(name) for name in rule}
            known = all(self.mapped.field(name).native(side) for name in rule)
            if None in sought.values() or not known:
                continue
            fields = self.mapped.encode(sought, side)
            write = Write("", OpKind.CREATE, self.mapped.entity, fields=fields)
            for record in connector.look(write):
                there = self.mapped.decode(record, side)
                if record.deleted or any(there[name] != cell for name, cell in sought.items()):
                    continue
                stronger = self.mapped.match[:rank]
                if not _differ(stronger, there, cells) and not self._beside(side, record.key):
                    return " and ".join(rule), record.key
        return None

    def _beside(self, side: Side, key: str) -> bool:
        link, run = schema.link, schema.run
        query = (
            sa.select(link.c.link_id)
            .join(run, run.c.run_id == link.c.since_run)
            .where(
                self.ledger.owns(link),
                link.c.entity == self.mapped.entity.value,
                link.c[f"{side}_key"] == key,
                run.c.started_at < self.since,
            )
        )
        with self.ledger.engine.connect() as connection:
            linked = connection.execute(query).first() is not None
        return linked or self.created(key)


def _differ(rules: Iterable[Sequence[str]], one: Cells, other: Cells) -> bool:
    """Whether a stronger rule tells the two apart.

    Both have all of its fields, and not the same.
    """
    for rule in rules:
        pairs = [(one.get(name), other.get(name)) for name in rule]
        if all(None not in pair for pair in pairs) and any(a != b for a, b in pairs):
            return True
    return False
