"""Tells the failure of single records from that of a whole side.

One that cannot be read is set aside, and the rest goes on.
"""

from __future__ import annotations

from reconcile.errors import ConnectorError, Exhausted, Malformed, Unnamed

IN_A_ROW = 5
"""So many different records that cannot be read one after the other are no accident of one of them.

The side fails.
"""


class Patience:
    """Counts the records that failed in a row."""

    def __init__(self) -> None:
        self._failed = 0

    def renew(self) -> None:
        """Note that a record was read."""
        self._failed = 0

    def spend(self, error: ConnectorError) -> None:
        """Note that a record could not be read.

        Raises the error where that is the side's failure, not the record's.

        So it is where no answer came from the side itself, where a quota is spent, and where one
        record after the other fails.
        """
        self._failed += 1
        answered = (
            error.status is not None or isinstance(error, (Malformed, Unnamed))
        ) and not isinstance(error, Exhausted)
        if not answered or self._failed >= IN_A_ROW:
            raise error


def unread(entity: str, key: str, error: ConnectorError) -> str:
    """What a report says of a record that could not be read.

    Which, the side's answer to which request, and its reference.
    """
    reference = f" (trace id {error.trace_id})" if error.trace_id else ""
    return f"{entity} {key}: {error.what}{reference}"
