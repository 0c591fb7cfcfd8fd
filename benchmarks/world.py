"""Makes the contacts that the benchmarks compare: a base, and both sides as they are a day later, as JSON lines in a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import duckdb

from connectors.ghl.shapes import shape_of
from reconcile.model import Entity, Side
from reconcile.ports import Proof, Shape
from reconcile.stage.quoting import literal
from reconcile.stage.spooled import Spooled
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Bool, Codec, Date, Email, Labels, Name, Phone, Text
from reconcile.values.mapping import EntityMap, Field, Mapping
from reconcile.values.policy import OnConflict, OnDelete, Rule

TAKEN_AT = "2026-03-02T02:00:00.000Z"

PLAIN: dict[str, tuple[str, Codec]] = {
    "first_name": ("firstName", Name()),
    "last_name": ("lastName", Name()),
    "email": ("email", Email()),
    "phone": ("phone", Phone(region="US")),
    "address": ("address1", Text()),
    "city": ("city", Text()),
    "state": ("state", Text()),
    "postal_code": ("postalCode", Text()),
    "country": ("country", Text()),
    "website": ("website", Text()),
    "time_zone": ("timezone", Text()),
    "company": ("companyName", Text()),
    "source": ("source", Text()),
    "birthday": ("dateOfBirth", Date()),
    "owner": ("assignedTo", Text()),
    "dnd": ("dnd", Bool()),
}
"""Canonical fields: the app's name, GHL's, how it is read. With the id, tags, two times and 5 custom fields: 25 columns."""

CUSTOM = {f"contact.custom{n}": f"field{n:017d}" for n in range(1, 6)}

_BASE = """
CREATE TABLE base AS
SELECT n, 'A' || lpad(n::VARCHAR, 9, '0') AS app_id, 'g' || md5(n::VARCHAR)[1:19] AS ghl_id,
    'First' || hash(n, 1) % 5000 AS first_name, 'Last' || hash(n, 2) % 60000 AS last_name,
    'person' || n || '@example' || hash(n, 3) % 500 || '.test' AS email,
    '+1' || (200 + n // 800000 * 7 % 780 + 1)::VARCHAR || (2000000 + n % 800000 * 9)::VARCHAR AS phone,
    (hash(n, 4) % 9999 + 1) || ' Main Street' AS address, 'City' || hash(n, 5) % 900 AS city, 'State' || hash(n, 6) % 50 AS state,
    lpad((hash(n, 7) % 100000)::VARCHAR, 5, '0') AS postal_code, 'US' AS country,
    CASE WHEN n % 3 = 0 THEN 'https://example.test/' || n END AS website, 'America/New_York' AS time_zone,
    'Company ' || hash(n, 8) % 30000 AS company, 'web form' AS source,
    (DATE '1950-01-01' + (hash(n, 9) % 20000)::INTEGER)::VARCHAR AS birthday, 'user' || hash(n, 10) % 40 AS owner,
    CASE WHEN n % 50 = 0 THEN 'true' ELSE 'false' END AS dnd,
    ['tag' || hash(n, 11) % 40, 'group ' || hash(n, 12) % 7] AS tags,
    'custom value ' || hash(n, 13) % 1000 AS custom1, (hash(n, 14) % 100000)::VARCHAR AS custom2, 'plan ' || hash(n, 15) % 5 AS custom3,
    CASE WHEN n % 4 = 0 THEN 'remark ' || n END AS custom4, (DATE '2020-01-01' + (hash(n, 16) % 2000)::INTEGER)::VARCHAR AS custom5,
    strftime(TIMESTAMP '2023-01-01' + INTERVAL (n % 900000) MINUTE, '%Y-%m-%dT%H:%M:%S.000Z') AS modified_at
FROM range({rows} + 2 * ({rows} // 200)) t(n);
"""

# A day later: 1 % changed on each side (a twentieth of them on both, to different values), 0.5 % new, 0.2 % gone.
_LATER = """
SELECT * REPLACE (
    CASE WHEN hash(n, '{side}') % 100 = 0 THEN company || ' of {side}' ELSE company END AS company,
    CASE WHEN hash(n, 'both') % 2000 = 0 THEN city || ' {side}' ELSE city END AS city,
    CASE WHEN hash(n, '{side}') % 300 = 0 THEN list_concat(tags, ['seen by {side}']) ELSE tags END AS tags,
    CASE WHEN hash(n, '{side}') % 100 = 0 OR hash(n, 'both') % 2000 = 0 THEN '2026-03-01T12:00:00.000Z' ELSE modified_at END AS modified_at)
FROM base WHERE n < {rows} AND hash(n, '{side}') % 500 <> 7
UNION ALL SELECT * FROM base WHERE n >= {rows} + {first_new} AND n < {rows} + {first_new} + {rows} // 200
"""


def mapping() -> Mapping:
    """How the two sides correspond: every field both ways, matched by email, then phone."""
    fields = [Field(app, (app,), (ghl,), codec) for app, (ghl, codec) in PLAIN.items()]
    union = Rule(conflict=OnConflict.UNION)
    fields.append(Field("tags", ("tags",), ("tags",), Labels(), rule=union))
    fields += [
        Field(f"custom{n}", (f"custom{n}",), (name,), Text())
        for n, name in enumerate(CUSTOM, start=1)
    ]
    mirrored = {Side.APP: OnDelete.MIRROR, Side.GHL: OnDelete.MIRROR}
    contacts = EntityMap(
        Entity.CONTACT,
        tuple(fields),
        match=(("email",), ("phone",)),
        delete=mirrored,
        absent_runs=1,
    )
    return Mapping((contacts,))


def shape(side: Side) -> Shape:
    """Where the JSON lines of a side hold what the mapping reads: GHL's as its connector says."""
    native = mapping()[Entity.CONTACT].native(side)
    if side is Side.GHL:
        return shape_of(Entity.CONTACT, native, CUSTOM)
    time = (("modified_at",),)
    return Shape(
        (("app_id",),), {name: ((name,),) for name in native}, version=time, modified_at=time
    )


@dataclass(frozen=True, slots=True)
class World:
    """Files made: `base_app`, `base_ghl`, `app`, `ghl` as JSON lines, and `wide.duckdb` with the tables base, app, ghl."""

    folder: Path
    rows: int

    def make(self) -> None:
        """Write all files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(str(self.folder / "wide.duckdb")) as sql:
            sql.execute(
                "SET threads = 2; SET preserve_insertion_order = false; SET memory_limit = '4GB'"
            )
            sql.execute(_BASE.format(rows=self.rows))
            for side in Side:
                first_new = 0 if side is Side.APP else self.rows // 200
                sql.execute(
                    f"CREATE TABLE {side} AS {_LATER.format(side=side, rows=self.rows, first_new=first_new)}"
                )
            sql.execute(f"DELETE FROM base WHERE n >= {self.rows}")
            for side in Side:
                self._lines(sql, "base", side, f"base_{side}")
                self._lines(sql, side, side, side)

    def _lines(self, sql: duckdb.DuckDBPyConnection, table: str, side: Side, name: str) -> None:
        path = literal(str(self.folder / f"{name}.ndjson"))
        sql.execute(f"COPY ({_selected(side)} FROM {table}) TO {path} (FORMAT json)")

    def stage(self, stage: Stage, side: Side, name: str) -> None:
        """Load one of the files as if it had been extracted."""
        copy = stage.folder / f"contact_{side}.ndjson"
        copy.unlink(missing_ok=True)
        os.link(self.folder / f"{name}.ndjson", copy)
        proof = Proof(complete=True, reported_total=None)
        stage.load(mapping()[Entity.CONTACT], side, shape(side), Spooled(copy, proof, (), TAKEN_AT))


def _selected(side: Side) -> str:
    if side is Side.APP:
        # One phone in fifty is written as people write them.
        written = "CASE WHEN n % 50 = 1 THEN '(' || phone[3:5] || ') ' || phone[6:8] || '-' || phone[9:12] ELSE phone END"
        return f"SELECT * EXCLUDE (n, ghl_id) REPLACE ({written} AS phone)"
    plain = ", ".join(
        f"{app} AS {literal(ghl)[1:-1]}" for app, (ghl, _) in PLAIN.items() if app != "dnd"
    )
    custom = ", ".join(
        f"struct_pack(id := {literal(field)}, value := custom{n})"
        for n, field in enumerate(CUSTOM.values(), start=1)
    )
    return (
        f"SELECT ghl_id AS id, 'locationOfTheBench01' AS locationId, {plain}, dnd::BOOLEAN AS dnd, tags, [{custom}] AS customFields, "
        "modified_at AS dateUpdated, modified_at AS dateAdded, [] AS additionalEmails"
    )
