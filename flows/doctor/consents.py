"""Which channels' consents are mapped.

It also asks whether the app's columns look as if they were read the wrong way round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from connectors.ghl.entities import GHL
from flows.doctor.finding import Finding, failures, ok, warning
from flows.doctor.sample import first_values
from reconcile.errors import ConnectorError
from reconcile.model import Cell
from reconcile.ports import Connector
from reconcile.values.consent import ALLOWED, NOES
from reconcile.values.mapping import Field, Mapping

_FEW = 20
"""So few say nothing of a column."""
_SHOWN = 3


def consents(mapping: Mapping, app: Connector) -> Iterator[Finding]:
    """A finding for each consent that is mapped, and one for the channels that are not."""
    for mapped in mapping.entities:
        fields = [mapped.field(name) for name in mapped.consents]
        if not fields:
            continue
        try:
            said = first_values(mapped, fields, app)
        except ConnectorError as failed:
            yield from failures("the consents", failed)
            continue
        for field in fields:
            yield _finding(field, said[field.name])
        taken = {native for field in fields for native in field.ghl}
        left = sorted(GHL[mapped.entity].consent - taken)
        if left:
            yield ok(f"no consent is mapped to {', '.join(left)}: a no there stays in GHL alone")


def _finding(field: Field, said: Counter[Cell]) -> Finding:
    yes, no = said[ALLOWED], sum(said[word] for word in NOES)
    answers = yes + no
    line = f'{field.name}: GHL\'s "{field.ghl[0]}"'
    unknown = {
        word: records
        for word, records in said.items()
        if word is not None and word not in (ALLOWED, *NOES)
    }
    if unknown:
        return _unread(line, unknown)
    if not answers:
        return ok(f"{line}; nobody in the app says yes or no yet")
    share = f"{no:,} of {answers:,} say no in the app ({no / answers:.0%})"
    if answers >= _FEW and no > yes:
        remedy = (
            "Look at a person whom you know: a no of the app is written to GHL. Where it is the "
            "other way round, turn true_says (or the choices) round."
        )
        return warning(f"{line}; {share}: is the column read the right way round?", remedy)
    return ok(f"{line}; {share}")


def _unread(line: str, words: dict[str, int]) -> Finding:
    """What is no answer might be a no: each record is asked about, until the pair file says."""
    records = sum(words.values())
    first = sorted(words)[:_SHOWN]
    shown = ", ".join(f'"{word}"' for word in first)
    remedy = (
        'Add what each means to its choices: "allowed", "denied", or "" where it says that nobody '
        "was asked. Until then each is a question."
    )
    return warning(f"{line}; {records:,} in the app say {shown}, which is no yes and no no", remedy)
