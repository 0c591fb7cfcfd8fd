"""Finds a person in an archive's tables, and writes those tables again without them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from reconcile.entities import OWNER, RECORDS, Entity
from reconcile.model import Side
from reconcile.stage.archive import MANIFEST
from reconcile.stage.confinement import confined
from reconcile.stage.quoting import literal, quoted
from reconcile.values.person import WORD, Key, Person

_OF_SIDE = re.compile(r"(raw|cover|proven)(?:_kept)?_([a-z]+)_(app|ghl)")
_OF_ENTITY = re.compile(r"(?:base|basecell|judged|difference)_([a-z]+)")
_SENTENCES = ("because", "detail", "reason")
_NAMING = "kind IN ('ambiguous', 'duplicate', 'refused', 'suggested')"
"""Questions whose values name other records, and hold no value of theirs."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What was, or would be, written again: files, rows taken out, and rows told otherwise."""

    files: tuple[str, ...] = ()
    gone: int = 0
    rewritten: int = 0


class Tables:
    """The Parquet files of one run's folder, open to be looked through and written again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sql = confined(None, folders=[folder])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sql.close()

    def contacts(self, email: str) -> set[Key]:
        """The contacts that a side showed with that email."""
        contacts: set[Key] = set()
        for side in Side:
            table = f"raw_{OWNER}_{side}"
            columns = [name for name in self._columns(table) if re.fullmatch(r"r\d+", name)]
            if not columns:
                continue
            holds = " OR ".join(f"lower({name}) = lower(?)" for name in columns)
            query = f"SELECT key FROM {self._from(table)} WHERE {holds}"
            rows = self.sql.execute(query, [email] * len(columns)).fetchall()
            contacts |= {(OWNER.value, side.value, str(key)) for (key,) in rows}
        return contacts

    def has(self, key: Key) -> bool:
        """Whether the archive has a record of that key."""
        entity, side, name = key
        table = f"raw_{entity}_{side}"
        if not self._columns(table):
            return False
        query = f"SELECT 1 FROM {self._from(table)} WHERE key = ? LIMIT 1"
        return bool(self.sql.execute(query, [name]).fetchall())

    def linked(self, person: Person) -> set[tuple[str, str, str]]:
        """(link_id, app key, GHL key) of contacts linked under a key or link of theirs."""
        table = f"base_{OWNER}"
        if not self._columns(table):
            return set()
        tests = [f"link_id IN {_in(person.links)}"]
        for side in Side:
            own = _in(person.own(OWNER.value, side.value))
            tests.append(f"{side}_key IN {own}")
        query = f"SELECT link_id, app_key, ghl_key FROM {self._from(table)} "
        rows = self.sql.execute(f"{query} WHERE {' OR '.join(tests)}").fetchall()
        return {(str(link_id), str(app), str(ghl)) for link_id, app, ghl in rows}

    def gather(self, person: Person) -> None:
        """Add what hangs on them, what was planned for them, and what they held."""
        for child in OWNER.children:
            for side in Side:
                self._children(person, child, side)
            table = f"base_{child}"
            if self._columns(table):
                links = _in(person.links)
                query = (
                    f"SELECT link_id, app_key, ghl_key FROM {self._from(table)} "
                    f"WHERE parent IN {links} OR link_id IN {links}"
                )
                for link_id, app, ghl in self.sql.execute(query).fetchall():
                    person.links.add(link_id)
                    person.keys |= {(child.value, "app", app), (child.value, "ghl", ghl)}
        for side in Side:
            self._texts(person, OWNER, side)
        for table, column, into in (
            ("planned", "op_id", person.operations),
            ("hold", "hold_id", person.holds),
        ):
            columns = self._columns(table)
            if columns:
                which = self._gone(table, columns, person)
                query = f"SELECT {column} FROM {self._from(table)} WHERE {which}"
                into |= {str(name) for (name,) in self.sql.execute(query).fetchall()}

    def _children(self, person: Person, child: Entity, side: Side) -> None:
        for table in (f"raw_{child}_{side}", f"raw_kept_{child}_{side}"):
            if self._columns(table):
                owners = _in(person.own(OWNER.value, side.value))
                query = f"SELECT key FROM {self._from(table)} WHERE parent IN {owners}"
                rows = self.sql.execute(query).fetchall()
                person.keys |= {(child.value, side.value, str(key)) for (key,) in rows}
        self._texts(person, child, side)

    def _texts(self, person: Person, entity: Entity, side: Side) -> None:
        """Take in all that a side showed of theirs, as it was archived."""
        for table in (f"raw_{entity}_{side}", f"raw_kept_{entity}_{side}"):
            if self._columns(table):
                own = _in(person.own(entity.value, side.value))
                query = f"SELECT * FROM {self._from(table)} WHERE key IN {own}"
                for row in self.sql.execute(query).fetchall():
                    person.remember(row)

    def states(self, person: Person, side: Side) -> list[dict[str, str | None]]:
        """What a side showed of the contact, by native name."""
        table = f"raw_{OWNER}_{side}"
        manifest = self._manifest()
        if not self._columns(table) or OWNER.value not in manifest.get("entities", {}):
            return []
        natives = manifest["entities"][OWNER.value]["natives"][side.value]
        names = ", ".join(f"r{at}" for at in range(len(natives)))
        own = _in(person.own(OWNER.value, side.value))
        query = f"SELECT {names} FROM {self._from(table)} WHERE key IN {own}"
        rows = self.sql.execute(query).fetchall()
        return [dict(zip(natives, row, strict=True)) for row in rows]

    def _manifest(self) -> dict[str, Any]:
        path = self.folder / MANIFEST
        if not path.exists():
            return {}
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return manifest

    def cut(self, person: Person, *, really: bool) -> Cut:
        """Write each file again that has something of theirs, or say only which has."""
        files, gone, rewritten = [], 0, 0
        for path in sorted(self.folder.glob("*.parquet")):
            columns = self._columns(path.stem)
            which = self._gone(path.stem, columns, person)
            otherwise = self._otherwise(path.stem, columns, person)
            source = self._from(path.stem)
            # Where a key is NULL, whether the row is theirs is, too: then it stays.
            told_otherwise = f"NOT coalesce({which}, false) AND ({_differs(otherwise)})"
            count = f"SELECT count(*) FILTER ({which}), count(*) FILTER ({told_otherwise})"
            rows, changed = self.sql.execute(f"{count} FROM {source}").fetchall()[0]
            if not rows and not changed:
                continue
            files.append(path.name)
            gone += int(rows)
            rewritten += int(changed)
            if really:
                self._write(path, source, which, otherwise)
        return Cut(tuple(files), gone, rewritten)

    def _write(self, path: Path, source: str, which: str, otherwise: Mapping[str, str]) -> None:
        put = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in otherwise.items())
        shown = "*"
        if put:
            shown += f" REPLACE ({put})"
        partial = path.with_name(f"{path.name}.partial")
        rest = f"SELECT {shown} FROM {source} WHERE NOT coalesce({which}, false)"
        kind = "(FORMAT parquet, COMPRESSION zstd)"
        self.sql.execute(f"COPY ({rest}) TO {literal(str(partial))} {kind}")
        partial.replace(path)

    def _columns(self, table: str) -> list[str]:
        if not (self.folder / f"{table}.parquet").exists():
            return []
        rows = self.sql.execute(f"DESCRIBE SELECT * FROM {self._from(table)}").fetchall()
        return [str(row[0]) for row in rows]

    def _from(self, table: str) -> str:
        path = self.folder / f"{table}.parquet"
        return f"read_parquet({literal(str(path))})"

    def _gone(self, table: str, columns: Iterable[str], person: Person) -> str:
        """SQL for whether a row of a table is theirs."""
        there = set(columns)
        of_side = _OF_SIDE.fullmatch(table)
        if of_side:
            kind, entity, side = of_side.groups()
            owners = _in(person.own(OWNER.value, side))
            own = _in(person.own(entity, side))
            if kind == "cover" and Entity(entity).parent:
                return f"key IN {owners}"
            if "parent" in there:
                return f"key IN {own} OR parent IN {owners}"
            return f"key IN {own}"
        named = {
            "link_id": person.links,
            "parent": person.links,
            "subject": person.links,
            "op_id": person.operations,
            "hold_id": person.holds,
        }
        tests = [f"{name} IN {_in(ids)}" for name, ids in named.items() if name in there]
        of_entity = _OF_ENTITY.fullmatch(table)
        if of_entity:
            tests += _by_key(literal(of_entity[1]), there, person)
        elif "entity" in there:
            tests += _by_key("entity", there, person)
        return " OR ".join(tests) or "false"

    def _otherwise(self, table: str, columns: Iterable[str], person: Person) -> dict[str, str]:
        """SQL by column for what a row that stays says instead."""
        there = [name for name in columns if name in _SENTENCES]
        replacements = {name: _wordless(quoted(name), person) for name in there}
        if table == "hold":
            keys = sorted({key for _, _, key in person.keys})
            links = _in(f"link:{key}" for key in keys)
            options = f"list_transform(options, lambda o: CASE WHEN o IN {links} "
            replacements["options"] = options + f"THEN 'link:{WORD}' ELSE o END)"
            named = _without('"values"::VARCHAR', [f'"{key}"' for key in keys], f'"{WORD}"')
            replacements["values"] = f'CASE WHEN {_NAMING} THEN {named}::JSON ELSE "values" END'
        if _OF_ENTITY.fullmatch(table) and "other_key" in columns:
            keys = sorted({key for entity, _, key in person.keys if entity == OWNER.value})
            replacements["other_key"] = (
                f"CASE WHEN other_key IN {_in(keys)} THEN '{WORD}' ELSE other_key END"
            )
        return replacements


def _by_key(entity: str, there: set[str], person: Person) -> list[str]:
    """SQL tests of a row's keys, where a column or the table's name says of what kind it is."""
    tests = []
    for kind in sorted(kind.value for kind in RECORDS):
        # What is written of tags stands under a kind of its own, with the contact's keys.
        of = (kind, Entity.TAG.value) if Entity.TAG.record.value == kind else (kind,)
        here = f"{entity} IN {_in(of)}"
        for side in Side:
            own = _in(person.own(kind, side.value))
            if f"{side}_key" in there:
                tests.append(f"({here} AND {side}_key IN {own})")
            if "side" not in there:
                continue
            if "source_key" in there:
                tests.append(f"({here} AND side = '{side.other}' AND source_key IN {own})")
            own_columns = [name for name in ("key", "subject") if name in there]
            tests += [f"({here} AND side = '{side}' AND {name} IN {own})" for name in own_columns]
    return tests


def _in(names: Iterable[str]) -> str:
    listed = ", ".join(literal(name) for name in sorted(names))
    return f"({listed or 'NULL'})"


def _without(column: str, texts: Iterable[str], word: str = WORD) -> str:
    expression = column
    for text in texts:
        expression = f"replace({expression}, {literal(text)}, {literal(word)})"
    return expression


def _wordless(column: str, person: Person) -> str:
    """SQL for a text without their words, and without their long keys where one stands alone."""
    expression = _without(column, person.texts())
    for key in person.long_keys():
        alone = literal(rf"\b{re.escape(key)}\b")
        expression = f"regexp_replace({expression}, {alone}, '{WORD}', 'g')"
    return expression


def _differs(otherwise: Mapping[str, str]) -> str:
    """SQL for whether a row would be told otherwise than it is."""
    tests = []
    for name, expression in otherwise.items():
        tests.append(f"({expression})::VARCHAR IS DISTINCT FROM {quoted(name)}::VARCHAR")
    return " OR ".join(tests) or "false"
