"""What each run saw and did, as Parquet under its run id.

Immutable, for undo, backtest and audit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reconcile.errors import StateError
from reconcile.ledger.journal import Journal
from reconcile.model import Cell, Entity, Outcome, Side, Snapshot
from reconcile.stage.confinement import confined
from reconcile.stage.quoting import literal
from reconcile.stage.stage import Stage
from reconcile.values.codec import declared
from reconcile.values.codecs import Codec
from reconcile.values.jsonl import line, outcome_json, snapshot_from, snapshot_json
from reconcile.values.mapping import EntityMap, Field, Mapping

MANIFEST = "archive.json"
"""What the columns of the Parquet files mean: native names, fields and snapshots."""

TOLD = ("region", "owners", "companies")
"""What a location tells that completes a mapping, in the order in which it is asked for."""

_BATCH = 10_000

_FORMAT = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480)"
"""A row group is in memory until it is whole.

Of rows with a record each, DuckDB's usual one is 120 MB.
"""

_OUTCOME = (
    ("op_id", "VARCHAR"),
    ("status", "VARCHAR"),
    ("key", "VARCHAR"),
    ("code", "VARCHAR"),
    ("detail", "VARCHAR"),
    ("trace_id", "VARCHAR"),
    ("outcome", "VARCHAR"),
)


def load_outcomes(stage: Stage, journal: Journal) -> None:
    """Create `outcome` in the stage from the journal, beside `planned`."""
    batches = ([_outcome_row(outcome)] for outcome in journal.outcomes())
    stage.fill("outcome", _OUTCOME, batches)


def _outcome_row(outcome: Outcome) -> tuple[object, ...]:
    """A row of `outcome`: what queries ask for as columns, and all of it as JSON."""
    return (
        outcome.op_id,
        outcome.status.value,
        outcome.key,
        outcome.code,
        outcome.detail,
        outcome.trace_id,
        outcome_json(outcome),
    )


def store(
    stage: Stage,
    mapping: Mapping,
    folder: Path,
    *,
    location: Map[str, Any] | None = None,
) -> list[Path]:
    """Write snapshots, baseline links, plan, holds and outcomes of a run as Parquet files.

    Returns the files.

    `base_e` has every link without its values, `basecell_e` the values of those that moved; of the
    others the baseline is what the snapshot shows. `location` is what it tells, by the names of
    `TOLD`: they complete a mapping without asking the location again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    there = {str(name) for (name,) in stage.rows("SELECT table_name FROM duckdb_tables()")}
    written = []
    for table in _archived(mapping):
        if table in there:
            path = folder / f"{table}.parquet"
            stage.run(f"COPY {table} TO {literal(str(path))} {_FORMAT}")
            written.append(path)
    _describe(stage, mapping, folder, location or {})
    return written


def _archived(mapping: Mapping) -> Iterator[str]:
    """The tables that are archived, where a run has made them."""
    for mapped in mapping.entities:
        for side in Side:
            of_side = f"{mapped.entity}_{side}"
            yield from (f"raw_{of_side}", f"cover_{of_side}", f"proven_{of_side}")
            yield from (f"raw_kept_{of_side}", f"cover_kept_{of_side}")
        for kind in ("base", "basecell", "judged", "difference"):
            yield f"{kind}_{mapped.entity}"
    yield from ("planned", "hold", "outcome", "passed", "decision", "grave", "swing")
    yield from ("in_question", "edited_back", "parted", "never_blank", "looked")


def _describe(stage: Stage, mapping: Mapping, folder: Path, location: Map[str, Any]) -> None:
    snapshots = [json.loads(snapshot_json(each)) for _, each in sorted(stage.snapshots.items())]
    entities = {mapped.entity.value: _columns(mapped) for mapped in mapping.entities}
    partial = folder / f"{MANIFEST}.partial"
    described = {
        "mapping": mapping.digest,
        "digests": stage.digest_kind,
        **location,
        "entities": entities,
        "snapshots": snapshots,
    }
    partial.write_text(line(described), encoding="utf-8")
    # The manifest says that the archive is whole: it appears last, and at once.
    partial.replace(folder / MANIFEST)


def _columns(mapped: EntityMap) -> dict[str, Any]:
    """The native names behind r0, r1, ... on each side, in order.

    The fields behind the baseline's values come with them, in order as well.
    """
    return {
        "natives": {side.value: list(mapped.native(side)) for side in Side},
        "fields": [_field(each) for each in mapped.fields],
    }


def _field(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "app": list(field.app),
        "ghl": list(field.ghl),
        "codec": codec_name(field.codec),
        "formula": field.formula and field.formula.text,
    }


def codec_name(codec: Codec) -> str:
    """A codec with its settings as text: equal codecs give equal texts."""
    members = {name: str(value) for name, value in declared(codec).items()}
    return f"{type(codec).__name__} {line(members)}"


@dataclass(frozen=True, slots=True)
class Kept:
    """One archived record in native terms: raw texts by native name."""

    key: str
    parent: str | None
    modified_at: str | None
    raw: Map[str, str | None]

    def cells(self, mapped: EntityMap, side: Side) -> dict[str, Cell]:
        """Its canonical values under a mapping."""
        return {each.name: each.decode(self.raw, side) for each in mapped.fields}


@dataclass(frozen=True, slots=True)
class Buried:
    """An archived task or note of a contact that was deleted.

    Its key, its values, its link and its counterpart's key.
    """

    key: str
    cells: Map[str, Cell]
    link_id: str | None
    other_key: str | None


class Archived:
    """One run's archive, open for reading. Raises StateError where the run left none.

    Where `mapping` is given it stands in for a manifest, for a run that was killed before it wrote
    its archive: then its stage is read.
    """

    def __init__(self, folder: Path, *, mapping: Mapping | None = None) -> None:
        self.folder = folder
        stage = folder / "stage.duckdb"
        self.manifest: dict[str, Any]
        if mapping is not None and not (folder / MANIFEST).exists() and stage.exists():
            entities = {mapped.entity.value: _columns(mapped) for mapped in mapping.entities}
            self.manifest = {"entities": entities, "snapshots": []}
            self._staged = True
            self.sql = confined(stage, folders=[folder], read_only=True)
        else:
            self.manifest = _manifest(folder)
            self._staged = False
            self.sql = confined(None, folders=[folder])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sql.close()

    def snapshot(self, entity: Entity, side: Side) -> Snapshot | None:
        """What the run read of an entity on a side."""
        for members in self.manifest["snapshots"]:
            snapshot = snapshot_from(members)
            if (snapshot.entity, snapshot.side) == (entity, side):
                return snapshot
        return None

    def has(self, table: str) -> bool:
        """Whether the run kept that table."""
        if self._staged:
            return self._some("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", table)
        return (self.folder / f"{table}.parquet").exists()

    def relation(self, table: str) -> str:
        """SQL for one of the run's tables."""
        if self._staged:
            return table
        path = self.folder / f"{table}.parquet"
        return f"read_parquet({literal(str(path))})"

    def optional(self, table: str) -> str | None:
        """The same, where the run kept that table; None where not."""
        return self.relation(table) if self.has(table) else None

    def _some(self, query: str, value: str) -> bool:
        """Whether a query gives a row."""
        return self.sql.execute(query, [value]).fetchone() is not None

    def records(
        self, entity: Entity, side: Side, *, column: str, equals: str, prefix: str = ""
    ) -> Iterator[Kept]:
        """What the snapshot had, deleted rows left out, where `column` (key or parent) has a value.

        A `prefix` "kept_" asks for what was read beside the snapshot, before a deletion.
        """
        table = f"raw_{prefix}{entity}_{side}"
        # The run may have been under a pair file that did not map this kind.
        if entity.value not in self.manifest["entities"] or not self.has(table):
            return
        natives = self.manifest["entities"][entity.value]["natives"][side.value]
        names = ", ".join(f"r{at}" for at in range(len(natives)))
        query = (
            f"SELECT key, parent, modified_at, {names} FROM {self.relation(table)} "
            f"WHERE {column} = ? AND NOT deleted ORDER BY key"
        )
        for key, parent, modified, *values in self.sql.execute(query, [equals]).fetchall():
            yield Kept(str(key), parent, modified, dict(zip(natives, values, strict=True)))

    def named(self, entity: Entity, side: Side, name: str, *, anywhere: bool) -> list[str]:
        """The keys of the records, deleted ones too, whose key is `name`.

        `anywhere`: or that hold it in any column, whatever its letter case.
        """
        table = f"raw_{entity}_{side}"
        if entity.value not in self.manifest["entities"] or not self.has(table):
            return []
        columns: list[str] = []
        if anywhere:
            natives = self.manifest["entities"][entity.value]["natives"][side.value]
            columns = [f"r{at}" for at in range(len(natives))]
        holds = "".join(f" OR lower(trim({column})) = lower(?)" for column in columns)
        query = f"SELECT key FROM {self.relation(table)} WHERE key = ?{holds} ORDER BY key"
        rows = self.sql.execute(query, [name] * (1 + len(columns))).fetchall()
        return [str(key) for (key,) in rows]

    def marked(self, entity: Entity, side: Side, key: str) -> bool:
        """Whether the side showed the record as deleted."""
        table = f"raw_{entity}_{side}"
        if not self.has(table):
            return False
        return self._some(f"SELECT 1 FROM {self.relation(table)} WHERE key = ? AND deleted", key)

    def linked(self, entity: Entity, side: Side) -> Iterator[tuple[str | None, Kept]]:
        """Everything that the snapshot had, each with its link as it was when the run began.

        Deleted rows are left out.
        """
        table = f"raw_{entity}_{side}"
        if entity.value not in self.manifest["entities"] or not self.has(table):
            return
        natives = self.manifest["entities"][entity.value]["natives"][side.value]
        names = "".join(f", r.r{at}" for at in range(len(natives)))
        query = (
            f"SELECT b.link_id, r.key, r.parent, r.modified_at{names} "
            f"FROM {self.relation(table)} AS r "
            f"LEFT JOIN {self.relation(f'base_{entity}')} AS b ON b.{side}_key = r.key "
            "WHERE NOT r.deleted ORDER BY r.key"
        )
        cursor = self.sql.execute(query)
        while rows := cursor.fetchmany(_BATCH):
            for link_id, key, parent, modified, *values in rows:
                raw = dict(zip(natives, values, strict=True))
                yield link_id, Kept(str(key), parent, modified, raw)

    def covers(self, entity: Entity, side: Side, parent: str, *, prefix: str = "") -> bool:
        """Whether the snapshot speaks of what hangs on a contact.

        It was whole, or that contact was looked at.
        """
        snapshot = self.snapshot(entity, side)
        whole = snapshot is not None and snapshot.complete and not snapshot.partial
        if whole and not prefix:
            return True
        table = f"cover_{prefix}{entity}_{side}"
        if not self.has(table):
            return False
        return self._some(f"SELECT 1 FROM {self.relation(table)} WHERE key = ?", parent)

    def link_of(self, entity: Entity, side: Side, key: str) -> tuple[str, str] | None:
        """(link_id, key on the other side) of a record that was linked when the run began."""
        table = f"base_{entity}"
        if not self.has(table):
            return None
        query = f"SELECT link_id, {side.other}_key FROM {self.relation(table)} WHERE {side}_key = ?"
        row = self.sql.execute(query, [key]).fetchone()
        if row is None:
            return None
        link_id, other_key = row
        return str(link_id), str(other_key)

    def buried(
        self, mapping: Mapping, side: Side, entity: Entity, contact: str
    ) -> list[Buried] | None:
        """The tasks or notes that a contact had; None where the run did not read them."""
        # As the snapshot had them; else as they were read beside it, before the deletion.
        if self.covers(entity, side, contact):
            prefix = ""
        elif self.covers(entity, side, contact, prefix="kept_"):
            prefix = "kept_"
        else:
            return None
        children = []
        for one in self.records(entity, side, column="parent", equals=contact, prefix=prefix):
            cells = one.cells(mapping[entity], side)
            link_id, other = self.link_of(entity, side, one.key) or (None, None)
            children.append(Buried(one.key, cells, link_id, other))
        return children


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
        manifest: dict[str, Any] = json.loads(text)
    except (OSError, ValueError) as error:
        raise StateError(
            f"run {folder.name} left no archive",
            remedy="it was pruned, or never ended; choose another run",
            code="NO_ARCHIVE",
        ) from error
    return manifest
