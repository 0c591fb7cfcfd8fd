"""What a deleted person says on the other side by now.

Who comes back must not be written to against that.
"""

from __future__ import annotations

from collections.abc import Callable

from reconcile.model import Cells, Entity, Operation, Side
from reconcile.ports import Record
from reconcile.values.consent import DENIED, NOES
from reconcile.values.mapping import EntityMap

Read = Callable[[Side, Entity, str, "str | None"], "Record | None"]


def noes_across(operation: Operation, cells: Cells, mapped: EntityMap, read: Read) -> Cells:
    """Of the consents in `cells`, a no for each to which the counterpart says no now."""
    if not mapped.consents or not operation.source_key:
        return {}
    other = operation.side.other
    record = read(other, operation.entity, operation.source_key, None)
    current = mapped.decode(record, other) if record else {}
    denied = [name for name in mapped.consents if name in cells and current.get(name) in NOES]
    return dict.fromkeys(denied, DENIED)
