"""Forty data files that are wrong in forty ways, each with what has to be said of it and which rows can still be read."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import openpyxl

HEAD = "id,name,mail,changed\n"
GOOD = "1,Ann,ann@example.test,2026-01-01T00:00:00Z\n"
ALSO = "2,Bob,bob@example.test,2026-01-02T00:00:00Z\n"
LINE = '{"id": "1", "name": "Ann", "mail": "ann@example.test", "changed": "2026-01-01T00:00:00Z"}\n'
MORE = '{"id": "2", "name": "Bob", "mail": "bob@example.test", "changed": "2026-01-02T00:00:00Z"}\n'


@dataclass(frozen=True, slots=True)
class Broken:
    """A file, what is said of it, the keys that can be read (None: the whole file is refused), and what is declared."""

    name: str
    form: str
    content: bytes
    says: str
    keys: tuple[str, ...] | None = None
    declared: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return f"{self.form}: {self.name}"


def text(name: str, body: str, says: str, *keys: str, **declared: Any) -> Broken:
    """A CSV file of which some rows can be read."""
    return Broken(name, "csv", body.encode(), says, keys, tuple(declared.items()))


def refused(
    name: str, content: bytes | str, says: str, form: str = "csv", **declared: Any
) -> Broken:
    """A file that cannot be used at all."""
    raw = content.encode() if isinstance(content, str) else content
    return Broken(name, form, raw, says, None, tuple(declared.items()))


def lines(name: str, body: str | bytes, says: str, *keys: str) -> Broken:
    """A file of JSON lines of which some can be read."""
    return Broken(name, "jsonl", body.encode() if isinstance(body, str) else body, says, keys)


def workbook(rows: list[list[Any]], **cells: Any) -> bytes:
    """An Excel workbook with one sheet."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for place, value in cells.items():
        book.active[place] = value
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


ROWS: list[list[Any]] = [
    ["id", "name", "mail", "changed"],
    ["1", "Ann", "a@example.test", "2026-01-01T00:00:00Z"],
]


def bomb(size: int = 40_000_000) -> bytes:
    """A workbook whose sheet is 40 MB (or as much as you say) of nothing, packed into a few kilobytes."""
    source, out = zipfile.ZipFile(io.BytesIO(workbook(ROWS))), io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for item in source.namelist():
            content = source.read(item)
            padded = content.replace(b"<sheetData>", b"<sheetData>" + b" " * size)
            target.writestr(item, padded if "sheet1" in item else content)
    return out.getvalue()


def half_a_workbook() -> bytes:
    """A workbook whose sheet is cut off in the middle."""
    source, out = zipfile.ZipFile(io.BytesIO(workbook(ROWS))), io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for item in source.namelist():
            content = source.read(item)
            target.writestr(item, content[: len(content) // 2] if "sheet1" in item else content)
    return out.getvalue()


def table(folder: Path, select: str) -> bytes:
    """A Parquet file."""
    file = folder / "made.parquet"
    with duckdb.connect() as sql:
        sql.execute(f"COPY ({select}) TO '{file}' (FORMAT parquet)")
    return file.read_bytes()


def cases(folder: Path) -> list[Broken]:
    """All of them."""
    parquet = "SELECT '1' AS id, 'Ann' AS name, 'a@example.test' AS mail, '2026-01-01T00:00:00Z' AS changed"
    whole = table(folder, parquet)
    nameless = table(folder, "SELECT '1' AS name, 'x' AS mail, 'y' AS changed")
    blob = f"{parquet} UNION ALL SELECT '2', 'Bob', 'b@example.test', 'soon'"
    doubled = table(folder, f"{parquet} UNION ALL {parquet}")
    bytewise = table(
        folder, "SELECT '1' AS id, '\\xFF\\xFE'::BLOB AS name, 'm' AS mail, NULL AS changed"
    )
    keyless = table(folder, f"{parquet} UNION ALL SELECT NULL, 'Bob', NULL, NULL")
    return [
        refused("nothing in it", "", "is empty"),
        refused("nothing but a mark", b"\xef\xbb\xbf", "is empty"),
        refused("nothing but blank lines", "\n\r\n\n", "is empty"),
        refused("no header", GOOD + ALSO, "has no column id, changed, name, mail"),
        refused("a column is missing", "id,name,changed\n1,Ann,\n", "has no column mail"),
        refused("a column is misspelt", "id,name,email,changed\n1,Ann,,\n", "there is email"),
        refused(
            "a column twice",
            "id,name,mail,name,changed\n1,Ann,,Ann,\n",
            "name stands more than once in the header",
        ),
        refused(
            "a header never closed", 'id,"name,mail,changed\n1,Ann,x,\n', "header cannot be read"
        ),
        refused("another delimiter than declared", HEAD + GOOD, "has no column", delimiter=";"),
        refused(
            "a delimiter of two letters",
            HEAD + GOOD,
            "a delimiter is one character",
            delimiter=";;",
        ),
        refused("an unknown encoding", HEAD + GOOD, 'no encoding "klingon"', encoding="klingon"),
        refused(
            "UTF-16 cut in half",
            b"\xff\xfe" + (HEAD + GOOD).encode("utf-16-le") + b"\x41",
            "is not utf-16-le",
        ),
        refused("a picture", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "has no column"),
        text(
            "too few columns",
            HEAD + GOOD + "2,Bob\n" + "3,Cy,,\n",
            "line 3: expected 4 columns, found 2",
            "1",
            "3",
        ),
        text(
            "too many columns",
            HEAD + GOOD + "2,Bob,x,,extra\n",
            "line 3: expected 4 columns, found 5",
            "1",
        ),
        text(
            "an unquoted comma",
            HEAD + "1,Lee, Ann,x,\n" + ALSO,
            "line 2: expected 4 columns, found 5",
            "2",
        ),
        text(
            "a quote never closed",
            HEAD + GOOD + '2,"Bob,x,\n3,Cy,,\n',
            "line 3: a quote is opened and never closed",
            "1",
        ),
        text(
            "a quote in a value",
            HEAD + '1,"A"nn,x,\n' + ALSO,
            "line 2: a quote stands in the middle",
            "2",
        ),
        text(
            "a row without its key", HEAD + GOOD + ",Bob,x,\n", "line 3: it has no id, the key", "1"
        ),
        text("a key of spaces", HEAD + GOOD + "  ,Bob,x,\n", "line 3: it has no id, the key", "1"),
        text(
            "a key twice",
            HEAD + GOOD + ALSO + "1,Eve,,\n",
            "people.csv line 2, people.csv line 4",
            "2",
        ),
        text("a zero byte", HEAD + "1,A\x00nn,x,\n" + ALSO, "line 2: it holds a zero byte", "2"),
        text(
            "a time that is none",
            HEAD + GOOD + "2,Bob,x,yesterday\n",
            "line 3: changed holds no time",
            "1",
        ),
        text(
            "a date that is none",
            HEAD + GOOD + "2,Bob,x,2026-02-30\n",
            "line 3: changed holds no time",
            "1",
        ),
        Broken(
            "a byte that is not UTF-8",
            "csv",
            f"{HEAD}1,Zoë,x,\n".encode() + b"2,Zo\xeb,y,\n",
            "not utf-8",
            ("1",),
        ),
        Broken(
            "declared as UTF-8",
            "csv",
            HEAD.encode() + b"1,Zo\xeb,x,\n",
            "not utf-8",
            (),
            (("encoding", "utf-8"),),
        ),
        Broken(
            "a byte that is not cp1252",
            "csv",
            HEAD.encode() + b"1,Zo\xeb,x,\n2,B\x81b,y,\n",
            "not cp1252",
            ("1",),
        ),
        lines("half a line", LINE + MORE[:40] + "\n", "line 2: it is not JSON", "1"),
        lines("a line cut off at the end", LINE + MORE[:40], "line 2: it is not JSON", "1"),
        lines("a list a line", LINE + '["2"]\n', "line 2: expected a JSON object, found list", "1"),
        lines("not a number", LINE + '{"id": "2", "name": NaN}\n', "line 2: NaN is not JSON", "1"),
        lines(
            "a member twice",
            LINE + '{"id": "2", "id": "3"}\n',
            "line 2: id stands more than once",
            "1",
        ),
        lines(
            "half a letter",
            LINE + '{"id": "2", "name": "\\ud83d"}\n',
            "line 2: it holds half of a character",
            "1",
        ),
        lines("no key", LINE + '{"name": "Bob"}\n', "line 2: it has no id, the key", "1"),
        lines(
            "too deep",
            LINE + '{"id": ' + "[" * 100_000 + "\n",
            "line 2: it cannot be read as JSON",
            "1",
        ),
        lines(
            "a damaged byte",
            (LINE + "é".join(MORE.split("Bob"))).encode().replace(b"\xc3\xa9", b"\xc3"),
            "line 2",
            "1",
        ),
        refused("one JSON list", json.dumps([{"id": 1}]), "is one JSON list", "jsonl"),
        refused("no workbook", b"id,name\n1,Ann\n", "is not a workbook", "excel"),
        refused(
            "an old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "old .xls", "excel"
        ),
        refused("half a workbook", half_a_workbook(), "is damaged", "excel"),
        refused(
            "a workbook that unpacks to a thousand times its size",
            bomb(),
            "unpacks from",
            form="excel",
        ),
        refused("an empty sheet", workbook([]), "is empty", "excel"),
        refused(
            "no such sheet",
            workbook(ROWS),
            'no sheet "People"; it has Sheet',
            "excel",
            sheet="People",
        ),
        Broken(
            "a formula without result",
            "excel",
            workbook(ROWS, B3="=1+1", A3="2"),
            "row 3: a formula",
            ("1",),
        ),
        Broken(
            "an error in a cell",
            "excel",
            workbook(ROWS, A3="2", B3="#REF!"),
            "row 3: a cell shows the error",
            ("1",),
        ),
        Broken(
            "a value beside the table",
            "excel",
            workbook(ROWS, A3="2", F3="x"),
            "row 3: a value stands beyond",
            ("1",),
        ),
        refused("no Parquet", LINE, "is not a Parquet file", "parquet"),
        refused(
            "half a Parquet file", whole[: len(whole) // 2], "is not a Parquet file", "parquet"
        ),
        refused("Parquet without the key", nameless, "has no column id", "parquet"),
        Broken(
            "Parquet with a key twice",
            "parquet",
            doubled,
            "people.parquet row 1, people.parquet row 2",
            (),
        ),
        Broken(
            "Parquet with bytes", "parquet", bytewise, "row 1: it holds bytes that are no text", ()
        ),
        Broken("Parquet without a key", "parquet", keyless, "row 2: it has no id", ("1",)),
        Broken(
            "Parquet with no time",
            "parquet",
            table(folder, blob),
            "row 2: changed holds no time",
            ("1",),
        ),
    ]
