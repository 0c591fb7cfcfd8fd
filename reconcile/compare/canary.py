"""Not read is not blank: whether bulk reads carry every mapped field, seen on a few records."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconcile.errors import Malformed, Refused, Unnamed
from reconcile.model import Side
from reconcile.ports import Json, Record
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.stage.texts import text
from reconcile.values.codecs import raw_text
from reconcile.values.mapping import TAGS, EntityMap

log = logging.getLogger("reconcile.compare.canary")

MOST = 2
"""How many records of an entity are read by key; one more confirms what was found."""

_PATTERNS = 100

Read = Callable[[str, "str | None"], "Record | None"]
"""Reads a record by key and parent key, past whatever lags."""


@dataclass
class Findings:
    """What records showed by their key and not in bulk: by native field, the keys of the records.

    `proven` are the fields of which one record was proof enough.
    """

    seen: dict[str, list[str]] = field(default_factory=dict)
    proven: set[str] = field(default_factory=set)
    records: dict[str, Record] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """The fields that the bulk read does not carry: one record proved it, or two show it."""
        return [name for name, keys in self.seen.items() if name in self.proven or len(keys) > 1]

    @property
    def in_doubt(self) -> bool:
        """Whether a field was seen on one record alone, which is no proof."""
        return len(self.missing) < len(self.seen)


def check(stage: Stage, mapped: EntityMap, side: Side, read: Read, *, endpoint: str) -> list[str]:
    """The keys of rows that were read anew.

    Raises Refused where the bulk read through `endpoint` does not carry a mapped field.

    `moved_e`, `basecell_e` and `cell_e_s` have to be there. A value that is present in both reads
    and different is no finding: an index trails. One record is proof where both reads show the same
    moment of its last change; else a second record has to show the same, and without one the record
    itself is taken as it was read by its key. A second one is read as well where the first were
    really cleared: what one person did says nothing of the others.
    """
    chosen, reserve = _chosen(stage, mapped, side)
    findings = Findings()
    for key in chosen:
        _look(stage, mapped, side, key, read, findings)
    if not findings.seen or findings.in_doubt:
        for key in reserve:
            _look(stage, mapped, side, key, read, findings)
    if findings.missing:
        raise _not_carried(mapped, side, findings, endpoint)
    if findings.records:
        stage.refresh(mapped, side, sorted(findings.records.items()))
    return sorted(findings.records)


def _not_carried(mapped: EntityMap, side: Side, findings: Findings, endpoint: str) -> Refused:
    missing = findings.missing
    shown, *_ = findings.seen[missing[0]]
    values = "a value" if len(missing) == 1 else "values"
    return Refused(
        f"{side.label}'s bulk read of {mapped.entity} records ({endpoint}) does not carry "
        f"{', '.join(missing)}: read by its key, record {shown} has {values} there that "
        "the bulk read shows as blank",
        remedy="leave what is not carried out of the pair file, or repeat the run once the "
        "side shows it again: not read is not blank, so nothing was concluded and nothing "
        "written",
        code="NOT_CARRIED",
    )


def _look(
    stage: Stage, mapped: EntityMap, side: Side, key: str, read: Read, findings: Findings
) -> None:
    """Read one record by its key, and note which mapped native fields its bulk row lacks."""
    natives = mapped.native(side)
    query = render("compare/bulk_row", entity=mapped.entity, side=side, columns=len(natives))
    parent, modified, filled = stage.one(query, key)
    try:
        record = read(key, text(parent))
    except (Unnamed, Malformed):
        return
    if record is None or record.deleted:
        return
    moment, moment_by_key = _moment(modified), _moment(record.modified_at)
    same = moment is not None and moment == moment_by_key
    changed = moment is not None and moment_by_key is not None and not same
    blank = [name for name, there in zip(natives, _listed(filled), strict=True) if not there]
    unseen = [name for name in blank if _says(record.fields.get(name))]
    about = {"entity": mapped.entity, "side": side, "key": key}
    log.info("canary", extra={**about, "unseen": unseen, "changed": changed})
    if unseen:
        findings.records[key] = record
    if changed:  # since the index was made: the record alone is read anew
        return
    for name in unseen:
        findings.seen.setdefault(name, []).append(key)
        if same and not _is_tags(mapped, side, name):  # tags may change without the record's time
            findings.proven.add(name)


def _chosen(stage: Stage, mapped: EntityMap, side: Side) -> tuple[list[str], list[str]]:
    """Keys of the records to look at, and of those that confirm what the first ones show.

    Records that seem to have lost values first, as many different ones as possible. Then, where a
    mapped field is blank in every row of a whole read, those with the most values: on a first run
    nothing else is known of them.
    """
    firsts, seconds = _cleared(stage, mapped, side)
    snapshot = stage.snapshots[mapped.entity, side]
    if len(firsts) < MOST and not snapshot.partial:
        blank = _blank_everywhere(stage, mapped, side)
        if blank:
            about = {"entity": mapped.entity, "side": side, "fields": blank}
            log.info("blank in every row", extra=about)
            full = [key for key in _fullest(stage, mapped, side) if key not in firsts]
            missing = MOST - len(firsts)
            firsts, seconds = firsts + full[:missing], seconds + full[missing:]
    others = [key for key in dict.fromkeys(seconds) if key not in firsts]
    return firsts, others[:1]


@dataclass(frozen=True, slots=True)
class _Loss:
    """A set of values that records seem to have lost: how many records lost just these, and two."""

    places: frozenset[int]
    records: int
    one: str
    other: str


def _losses(stage: Stage, mapped: EntityMap, side: Side) -> list[_Loss]:
    """What linked records seem to have lost of their baseline, set by set."""
    column = {native: at for at, native in enumerate(mapped.native(side))}
    native_columns = []
    for place, each in enumerate(mapped.fields, start=1):
        natives = each.native(side)
        if natives and not each.constant:
            native_columns.append((place, [column[name] for name in natives]))
    present = f"moved_{mapped.entity} WHERE {side}_state = 'present'"
    if not native_columns or not stage.some(present):
        return []
    query = render(
        "compare/cleared",
        entity=mapped.entity,
        side=side,
        native_columns=native_columns,
        most=_PATTERNS,
    )
    losses = []
    for places, records, one, other in stage.rows(query):
        lost = frozenset(_listed(places))
        losses.append(_Loss(lost, int(str(records)), str(one), str(other)))
    return losses


def _cleared(stage: Stage, mapped: EntityMap, side: Side) -> tuple[list[str], list[str]]:
    """Keys of linked records that seem to have lost values, and of others that lost the same.

    The values that most records lost come first, each with a record that lost many others as well.
    """
    losses = _losses(stage, mapped, side)
    often = Counter[int]()
    for loss in losses:
        often.update(dict.fromkeys(loss.places, loss.records))
    firsts: list[str] = []
    seconds: list[str] = []
    covered: set[int] = set()
    for place, _ in often.most_common():
        if place in covered or len(firsts) == MOST:
            continue
        having = [loss for loss in losses if place in loss.places]
        having.sort(key=lambda loss: -len(loss.places))
        first = having[0]
        covered |= first.places
        firsts.append(first.one)
        # Where no other record lost just these values, one that lost more confirms it.
        ends = [key for loss in having for key in (loss.one, loss.other)]
        seconds += [key for key in ends if key != first.one][:1]
    return firsts, seconds


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _blank_everywhere(stage: Stage, mapped: EntityMap, side: Side) -> list[str]:
    """The mapped native fields that no row has a value in; none where there is no row."""
    natives = mapped.native(side)
    if not natives or not stage.some(f"raw_{mapped.entity}_{side}"):
        return []
    query = render("compare/ever_filled", entity=mapped.entity, side=side, columns=len(natives))
    (filled,) = stage.one(query)
    return [name for name, there in zip(natives, _listed(filled), strict=True) if not there]


def _fullest(stage: Stage, mapped: EntityMap, side: Side) -> list[str]:
    query = render(
        "compare/fullest",
        entity=mapped.entity,
        side=side,
        columns=len(mapped.native(side)),
        most=MOST + 1,
    )
    return [str(key) for (key,) in stage.rows(query)]


def _says(value: Json) -> bool:
    """Whether a native value is more than a blank: some sides leave false and empty lists out."""
    written = raw_text(value) or ""
    return written not in ("", "[]", "{}", "null", "false")


def _is_tags(mapped: EntityMap, side: Side, native: str) -> bool:
    return mapped.has_tags and native in mapped.field(TAGS).native(side)


def _moment(value: object) -> datetime | None:
    if not value:
        return None
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
