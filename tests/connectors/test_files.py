"""The files connector shows the contract's behaviour on each format, and leaves a file it did not change as it was."""

from __future__ import annotations

import csv
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import openpyxl
import pandas
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from connectors.contract import Can, ConnectorContract, Rig, create
from connectors.files import FilesConnector, FileSettings, FilesSettings
from connectors.memory import Killed, Ticks
from reconcile.errors import ConfigError, Malformed
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Json, Page, Proof, Scope, Write

COLUMNS = {
    Entity.CONTACT: ["id", "name", "mail", "visits", "labels", "gone", "changed", "rev"],
    Entity.TASK: ["id", "person", "title", "done"],
    Entity.NOTE: ["id", "person", "words"],
}
TEXT = {Entity.CONTACT: "name", Entity.TASK: "title", Entity.NOTE: "words"}
FIELDS = {
    Entity.CONTACT: ("name", "mail", "visits", "tags"),
    Entity.TASK: ("title", "done"),
    Entity.NOTE: ("words",),
}
SUFFIX = {"csv": "csv", "jsonl": "jsonl", "parquet": "parquet", "excel": "xlsx"}


def files_settings(folder: Path, form: Any = "csv", **more: Any) -> FilesSettings:
    """Contacts, tasks and notes in a file each."""
    suffix = SUFFIX[form]
    entities = {
        Entity.CONTACT: FileSettings(
            f"people.{suffix}",
            modified_at="changed",
            version="rev",
            deleted="gone",
            tags="labels",
            tags_delimiter="|",
        ),
        Entity.TASK: FileSettings(f"tasks.{suffix}", parent="person"),
        Entity.NOTE: FileSettings(f"notes.{suffix}", parent="person"),
    }
    return replace(FilesSettings(form, entities, folder, FIELDS), **more)


def connect(settings: FilesSettings) -> FilesConnector:
    """A connector with a clock of its own and keys k1, k2, ..."""
    numbers = itertools.count(1)
    clock = Ticks("2026-06-01T00:00:00Z")
    return FilesConnector(
        settings, clock=clock, unique=lambda: f"k{next(numbers)}", sleep=lambda seconds: None
    )


# What users do with their files, each through another library than the connector's own code.

Rows = list[dict[str, Any]]


def write_csv(file: Path, columns: list[str], rows: Rows) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, columns)
        writer.writeheader()
        writer.writerows(rows)


def read_csv(file: Path) -> Rows:
    with file.open(newline="", encoding="utf-8") as text:
        return [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(text)]


def write_jsonl(file: Path, columns: list[str], rows: Rows) -> None:
    file.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )


def read_jsonl(file: Path) -> Rows:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def write_parquet(file: Path, columns: list[str], rows: Rows) -> None:
    types = {"visits": "INTEGER", "labels": "VARCHAR[]", "done": "BOOLEAN"}
    with duckdb.connect() as sql:
        declared = ", ".join(f"{name} {types.get(name, 'VARCHAR')}" for name in columns)
        sql.execute(f"CREATE TABLE t ({declared})")
        for row in rows:
            values = [row.get(name) for name in columns]
            sql.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(columns))})", values)
        sql.execute(f"COPY t TO '{file}' (FORMAT parquet)")


def read_parquet(file: Path) -> Rows:
    with duckdb.connect() as sql:
        found = sql.execute("SELECT * FROM read_parquet(?)", [str(file)])
        names = [column[0] for column in found.description or []]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def write_excel(file: Path, columns: list[str], rows: Rows) -> None:
    pandas.DataFrame(rows, columns=columns, dtype=object).to_excel(file, index=False)


def read_excel(file: Path) -> Rows:
    first, *rest = openpyxl.load_workbook(file).active.iter_rows(values_only=True)
    return [dict(zip(first, row, strict=True)) for row in rest]


HANDS: dict[str, tuple[Callable[[Path, list[str], Rows], None], Callable[[Path], Rows]]] = {
    "csv": (write_csv, read_csv),
    "jsonl": (write_jsonl, read_jsonl),
    "parquet": (write_parquet, read_parquet),
    "excel": (write_excel, read_excel),
}


class Folder:
    """A folder of files in one format, and its user."""

    def __init__(self, folder: Path, form: str) -> None:
        self.form = form
        self.write, self.read = HANDS[form]
        self.files = {
            Entity.CONTACT: folder / f"people.{SUFFIX[form]}",
            Entity.TASK: folder / f"tasks.{SUFFIX[form]}",
            Entity.NOTE: folder / f"notes.{SUFFIX[form]}",
        }
        self.ticks = 0
        for entity, file in self.files.items():
            self.write(file, COLUMNS[entity], [])

    def seed(self, entity: Entity, fields: Mapping[str, Json], parent: str | None) -> str:
        rows = self.read(self.files[entity])
        self.ticks += 1
        row: dict[str, Any] = {"id": f"u{self.ticks}", **fields}
        if parent is not None:
            row["person"] = parent
        self._save(entity, [*rows, self._stamped(entity, row)])
        return str(row["id"])

    def edit(self, entity: Entity, key: str, fields: Mapping[str, Json]) -> None:
        self.ticks += 1
        rows = self.read(self.files[entity])
        self._save(
            entity,
            [self._stamped(entity, {**row, **fields}) if row["id"] == key else row for row in rows],
        )

    def remove(self, entity: Entity, key: str) -> None:
        self._save(entity, [row for row in self.read(self.files[entity]) if row["id"] != key])

    def _stamped(self, entity: Entity, row: dict[str, Any]) -> dict[str, Any]:
        if entity is not Entity.CONTACT:
            return row
        return {
            **row,
            "changed": f"2026-01-01T00:00:{self.ticks:02d}Z",
            "rev": str(int(row.get("rev") or 0) + 1),
        }

    def _save(self, entity: Entity, rows: Rows) -> None:
        self.write(self.files[entity], COLUMNS[entity], rows)


def sample_of(form: str) -> Callable[[Entity, int], dict[str, Json]]:
    typed = form in ("jsonl", "parquet")

    def sample(entity: Entity, number: int) -> dict[str, Json]:
        match entity:
            case Entity.CONTACT:
                visits: Json = 2 if typed else "2"
                return {
                    "name": f"Ann{number}",
                    "mail": f"ann{number}@example.test",
                    "visits": visits,
                }
            case Entity.TASK:
                return {"title": f"call {number}", "done": False if typed else "no"}
            case _:
                return {"words": f"note {number}"}

    return sample


@pytest.mark.parametrize("form", list(HANDS))
class TestFiles(ConnectorContract):
    @pytest.fixture
    def rig(self, form: str, tmp_path: Path) -> Iterator[Rig]:  # type: ignore[override]
        folder = Folder(tmp_path, form)
        connector = connect(files_settings(tmp_path, form))
        typed = form in ("jsonl", "parquet")
        bad: dict[str, Json] = {
            "parquet": {"visits": "no number"},
            "excel": {"name": "bell\x07rings"},
        }.get(form, {})
        yield Rig(
            connector=connector,
            sample=sample_of(form),
            text=TEXT,
            seed=folder.seed,
            edit=folder.edit,
            remove=folder.remove,
            can=frozenset(Can),
            bad={Entity.CONTACT: bad or {"name": "\ud800 is half a letter"}},
            completed={"done": True if typed else "yes"},
        )
        connector.close()


# Beyond the contract: what stands in a file stays as it is.

HEAD = "id,name,mail,visits,labels,gone,changed,rev"


def people(folder: Path, content: str | bytes, **more: Any) -> FilesConnector:
    """A connector on one CSV file of people."""
    (folder / "people.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    settings = files_settings(folder)
    contact = replace(settings.entities[Entity.CONTACT], **more)
    return connect(replace(settings, entities={Entity.CONTACT: contact}))


def rested(folder: Path) -> None:
    """As if nobody had changed the file of people for two minutes."""
    changed = (folder / "people.csv").stat().st_mtime - 120
    os.utime(folder / "people.csv", (changed, changed))


def shown(connector: FilesConnector, entity: Entity = Entity.CONTACT) -> list[dict[str, Any]]:
    """The lines of an extraction."""
    pages = [page for page in connector.extract(entity) if isinstance(page, Page)]
    return [json.loads(line) for page in pages for line in page.lines.splitlines()]


def proof_of(connector: FilesConnector) -> Proof:
    *_, proof = connector.extract(Entity.CONTACT)
    assert isinstance(proof, Proof)
    return proof


def change(key: str, **fields: Json) -> Write:
    return Write("op", OpKind.UPDATE, Entity.CONTACT, key, fields=fields)


def only(connector: FilesConnector, write: Write) -> Any:
    [reply] = connector.write([write])
    return reply


@pytest.mark.parametrize(
    "value",
    [
        "007",
        "1.10",
        "1e5",
        "NA",
        "null",
        "None",
        "nan",
        "TRUE",
        "2026-01-02",
        "01/02/2026",
        "+1 415",
        " x ",
    ],
)
def test_values_are_never_guessed(tmp_path: Path, value: str) -> None:
    """Leading zeros, words for nothing, dates and numbers are the text that stands there, read and written back."""
    connector = people(tmp_path, f"{HEAD}\n1,{value},a@b.test,{value},,,,\n")
    assert [(line["name"], line["visits"]) for line in shown(connector)] == [(value, value)]
    assert only(connector, change("1", mail="new@b.test")).record.fields["visits"] == value
    assert f"1,{value},new@b.test,{value},,," in (tmp_path / "people.csv").read_text()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_an_update_keeps_every_other_byte(
    tmp_path: Path, encoding: str, delimiter: str, end: str
) -> None:
    """Encoding, mark, delimiter, line ends, quoting and the other rows are as they were; one row differs, the last gets its end."""
    body = [HEAD, '1,"Zoë ",a@b.test,1,,,,', "", '"2","Bo""b",,"2","","","",""', "3,Cy,,3,,,,"]
    before = end.join(body).replace(",", delimiter).encode(encoding)
    connector = people(tmp_path, before)
    rested(tmp_path)
    assert [line["name"] for line in shown(connector)] == ["Zoë ", 'Bo"b', "Cy"]
    assert only(connector, change("2", name="José")).status is Status.DONE
    after = (tmp_path / "people.csv").read_bytes()
    body[3] = '"2","José",,"2","","","2026-06-01T00:00:01Z","1"'
    assert after == end.join([*body, ""]).replace(",", delimiter).encode(encoding)


def test_a_row_is_added_to_a_file_without_a_last_line_end(tmp_path: Path) -> None:
    """The new row stands on a line of its own, with the next number as its key."""
    connector = people(tmp_path, f"{HEAD}\r\n8,Ann,,,,,,\r\n9,Bob,,,,,,")
    rested(tmp_path)
    reply = only(connector, create(Entity.CONTACT, {"name": "Cy"}))
    assert (reply.status, reply.key) == (Status.DONE, "10")
    assert (
        (tmp_path / "people.csv")
        .read_bytes()
        .endswith(b"9,Bob,,,,,,\r\n10,Cy,,,,,2026-06-01T00:00:01Z,1\r\n")
    )


def test_a_last_row_that_may_be_cut_off_is_not_taken(tmp_path: Path) -> None:
    """A row without a line end in a file that has just been changed is quarantined and not written over; later it is a row."""
    connector = people(tmp_path, f"{HEAD}\n1,Ann,,,,,,\n2,Bob,,,,,,Amst")
    before = (tmp_path / "people.csv").read_bytes()
    assert [line["name"] for line in shown(connector)] == ["Ann"]
    proof = proof_of(connector)
    assert not proof.complete
    assert "people.csv line 3: it has no line end" in proof.quarantined[0]
    assert only(connector, change("1", name="New")).status is Status.SKIPPED
    assert (tmp_path / "people.csv").read_bytes() == before
    rested(tmp_path)
    assert proof_of(connector).complete
    assert only(connector, change("1", name="New")).status is Status.DONE
    assert proof_of(connector).complete


def test_a_number_is_never_given_twice(tmp_path: Path) -> None:
    """After the last row was deleted by a connector, its number is not that of the next new row."""
    connector = people(tmp_path, f"{HEAD}\n8,Ann,,,,,,\n9,Bob,,,,,,\n", deleted=None)
    assert only(connector, Write("op", OpKind.DELETE, Entity.CONTACT, "9")).status is Status.DONE
    assert only(connect(connector._settings), create(Entity.CONTACT, {"name": "Cy"})).key == "10"


def test_a_number_is_not_made_up_beside_rows_that_cannot_be_read(tmp_path: Path) -> None:
    """Where a quarantined row may hold the next number, a create is refused and nothing is written."""
    connector = people(tmp_path, f"{HEAD}\n8,Ann,,,,,,\n9,Bob\n")
    before = (tmp_path / "people.csv").read_bytes()
    reply = only(connector, create(Entity.CONTACT, {"name": "Cy"}))
    assert (reply.status, reply.code) == (Status.REJECTED, "INVALID_FIELD")
    assert (tmp_path / "people.csv").read_bytes() == before


def test_backups_go_round(tmp_path: Path) -> None:
    """Each run that writes leaves the file as it was before; the oldest of the declared number goes."""
    for name in ("One", "Two", "Three"):
        settings = files_settings(tmp_path, backups=2)
        connector = (
            people(tmp_path, f"{HEAD}\n1,Ann,,,,,,\n") if name == "One" else connect(settings)
        )
        connector = connect(replace(connector._settings, backups=2))
        assert only(connector, change("1", name=name)).status is Status.DONE
        assert only(connector, change("1", name=f"{name} again")).status is Status.DONE
    kept = {file.name: file.read_text() for file in tmp_path.glob("people.csv.bak-*")}
    assert sorted(kept) == ["people.csv.bak-1", "people.csv.bak-2"]
    assert "Two again" in kept["people.csv.bak-1"]
    assert "One again" in kept["people.csv.bak-2"]


def test_a_file_changed_by_another_program_is_read_again_and_kept(tmp_path: Path) -> None:
    """A user's change between two calls is seen by the next, and not undone by it."""
    connector = people(tmp_path, f"{HEAD}\n1,Ann,,,,,,\n2,Bob,,,,,,\n")
    assert connector.read(Entity.CONTACT, "2") is not None
    (tmp_path / "people.csv").write_text(f"{HEAD}\n1,Ann,,,,,,\n2,Eve,,,,,,\n3,Cy,,,,,,\n")
    assert only(connector, change("1", name="Zoë")).status is Status.DONE
    assert [line["name"] for line in shown(connector)] == ["Zoë", "Eve", "Cy"]


def test_a_file_changed_while_it_is_written_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that ignores the lock and writes in between loses nothing: our change is made again on top of its."""
    from connectors.files.storage import Disk

    connector = people(tmp_path, f"{HEAD}\n1,Ann,,,,,,\n")
    keep, calls = Disk.keep, []

    def meddle(self: Disk, name: str, content: bytes, backups: int) -> None:
        keep(self, name, content, backups)
        if not calls:
            calls.append(name)
            with (tmp_path / "people.csv").open("a") as file:
                file.write("2,Eve,,,,,,\n")

    monkeypatch.setattr(Disk, "keep", meddle)
    assert only(connector, change("1", name="Zoë")).status is Status.DONE
    assert [line["name"] for line in shown(connector)] == ["Zoë", "Eve"]


def test_a_second_writer_waits_and_then_is_told(tmp_path: Path) -> None:
    """While another run holds the lock nothing is written, and the writes are left for the next run."""
    import fcntl

    connector = people(tmp_path, f"{HEAD}\n1,Ann,,,,,,\n")
    with (tmp_path / ".people.csv.lock").open("a+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        reply = only(connector, change("1", name="Zoë"))
    assert (reply.status, reply.code) == (Status.SKIPPED, "LOCKED")
    assert only(connector, change("1", name="Zoë")).status is Status.DONE


def test_a_file_open_in_an_office_program_is_left_alone(tmp_path: Path) -> None:
    """Excel's own mark beside a file means that what we wrote would be overwritten."""
    connector = people(tmp_path, f"{HEAD}\n1,Ann,,,,,,\n")
    (tmp_path / "~$people.csv").touch()
    assert only(connector, change("1", name="Zoë")).code == "LOCKED"
    assert [line["name"] for line in shown(connector)] == ["Ann"]


@pytest.mark.parametrize("step", ["keep", "replace"])
def test_a_disk_that_is_full_leaves_the_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A failure on the way changes nothing, leaves nothing behind, and the writes are not said to be done."""
    from connectors.files.storage import Disk

    connector = people(tmp_path, f"{HEAD}\n1,Ann,,,,,,\n")
    before = (tmp_path / "people.csv").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Disk, "_durable" if step == "replace" else "keep", full)
    reply = only(connector, change("1", name="Zoë"))
    assert (reply.status, reply.code) == (Status.SKIPPED, "UNWRITABLE")
    assert (tmp_path / "people.csv").read_bytes() == before
    assert not list(tmp_path.glob(".*.tmp"))
    monkeypatch.undo()
    assert only(connector, change("1", name="Zoë")).status is Status.DONE


def test_a_run_that_was_killed_leaves_the_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped just before the new file takes the name, the old one stands; the next run is not in its way."""
    connector = people(tmp_path, f"{HEAD}\n1,Ann,,,,,,\n")
    before = (tmp_path / "people.csv").read_bytes()

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(Killed):
            list(connector.write([change("1", name="Zoë")]))
    assert (tmp_path / "people.csv").read_bytes() == before
    assert (tmp_path / ".people.csv.tmp").exists()
    again = connect(connector._settings)
    assert [line["name"] for line in shown(again)] == ["Ann"]
    assert only(again, change("1", name="Zoë")).status is Status.DONE
    assert not (tmp_path / ".people.csv.tmp").exists()


def test_letters_that_an_encoding_lacks_are_refused(tmp_path: Path) -> None:
    """A file in cp1252 cannot take Japanese; the write is rejected and says what to do."""
    connector = people(tmp_path, f"{HEAD}\n1,Zoë,,,,,,\n".encode("cp1252"))
    reply = only(connector, change("1", name="寿司"))
    assert (reply.status, reply.code) == (Status.REJECTED, "INVALID_FIELD")
    assert "save people.csv as UTF-8" in reply.detail


def test_a_folder_is_one_table(tmp_path: Path) -> None:
    """Rows of all files are read, a key in two files is quarantined with both places, new rows go to the last file."""
    folder = tmp_path / "people"
    folder.mkdir()
    (folder / "2025.csv").write_text(f"{HEAD}\n1,Ann,,,,,,\n2,Bob,,,,,,\n")
    (folder / "2026.csv").write_text(
        "name,id,mail,visits,labels,gone,changed,rev\nCy,3,,,,,,\nEve,2,,,,,,\n"
    )
    (folder / "2026.csv.bak-1").write_text("not a table")
    settings = files_settings(tmp_path)
    contact = replace(settings.entities[Entity.CONTACT], path="people")
    connector = connect(replace(settings, entities={Entity.CONTACT: contact}))
    assert [line["name"] for line in shown(connector)] == ["Ann", "Cy"]
    assert proof_of(connector).quarantined == (
        "the key 2 stands more than once: 2025.csv line 3, 2026.csv line 3",
    )
    assert only(connector, change("2", name="Zoë")).code == "DOUBLE_KEY"
    with pytest.raises(Malformed):
        connector.read(Entity.CONTACT, "2")
    assert only(connector, create(Entity.CONTACT, {"name": "Di"})).key == "4"
    assert (
        (folder / "2026.csv").read_text().endswith("Eve,2,,,,,,\nDi,4,,,,,2026-06-01T00:00:02Z,1\n")
    )


def test_a_url_is_as_good_as_a_disk() -> None:
    """Files behind an fsspec URL are found, read, written and backed up."""
    files = fsspec.filesystem("memory")
    files.pipe_file("/pair/people.csv", f"{HEAD}\n1,Ann,,,,,,\n".encode())
    settings = files_settings(Path())
    contact = replace(settings.entities[Entity.CONTACT], path="memory://pair/people.csv")
    connector = connect(replace(settings, entities={Entity.CONTACT: contact}))
    assert only(connector, change("1", name="Zoë")).status is Status.DONE
    assert [line["name"] for line in shown(connector)] == ["Zoë"]
    assert b"Ann" in files.cat_file("/pair/people.csv.bak-1")
    files.rm("/pair", recursive=True)
    assert not proof_of(connector).complete


def test_a_file_that_is_being_written_behind_a_url_is_in_doubt(tmp_path: Path) -> None:
    """Where a store writes in place, what ends in the middle of a line may be half of it, as on a disk."""
    path = tmp_path / "people.csv"
    path.write_text(f"{HEAD}\n1,Ann,,,,,,\n2,Bo,,,,,,", encoding="utf-8")
    settings = files_settings(tmp_path)
    contact = replace(settings.entities[Entity.CONTACT], path=f"local://{path}")
    connector = connect(replace(settings, entities={Entity.CONTACT: contact}))
    assert not proof_of(connector).complete
    os.utime(path, (1, 1))
    assert proof_of(connector).complete
    assert [line["name"] for line in shown(connector)] == ["Ann", "Bo"]


def test_a_file_of_which_not_all_came_is_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that ends early without a fault: the store tells how long the file is."""
    files = fsspec.filesystem("memory")
    files.pipe_file("/pair/people.csv", f"{HEAD}\n1,Ann,,,,,,\n2,Bo,,,,,,\n".encode())
    settings = files_settings(Path())
    contact = replace(settings.entities[Entity.CONTACT], path="memory://pair/people.csv")
    connector = connect(replace(settings, entities={Entity.CONTACT: contact}))
    assert proof_of(connector).complete
    whole = MemoryFileSystem.cat_file
    monkeypatch.setattr(
        MemoryFileSystem, "cat_file", lambda self, path, **words: whole(self, path, **words)[:-12]
    )
    proof = proof_of(connector)
    assert not proof.complete
    assert "bytes of" in (proof.why_incomplete or "")
    files.rm("/pair", recursive=True)


def test_a_password_in_a_url_is_not_shown() -> None:
    """Neither the repr nor a problem holds what stands before the host."""
    contact = FileSettings("memory://ann:hush-hush@nowhere/people.csv")
    connector = connect(FilesSettings("csv", {Entity.CONTACT: contact}))
    with pytest.raises(ConfigError) as raised:
        connector.describe()
    assert "hush-hush" not in f"{connector!r} {raised.value}"


def test_tags_keep_the_form_they_have(tmp_path: Path) -> None:
    """A JSON list stays one, delimited text stays that, and a tag with the delimiter in it is refused."""
    connector = people(tmp_path, f'{HEAD}\n1,Ann,,,"[""vip""]",,,\n2,Bob,,,vip|old,,,\n')
    for key in "12":
        reply = only(
            connector, Write("op", OpKind.ADD_TAGS, Entity.CONTACT, key, tags=("new lead",))
        )
        assert reply.status is Status.DONE
    rows = {row["id"]: row["labels"] for row in read_csv(tmp_path / "people.csv")}
    assert rows == {"1": '["vip", "new lead"]', "2": "vip|old|new lead"}
    assert (
        only(connector, Write("op", OpKind.ADD_TAGS, Entity.CONTACT, "2", tags=("a|b",))).status
        is Status.REJECTED
    )


@pytest.mark.parametrize(
    ("marks", "wrote"), [("no", "yes"), ("0", "1"), ("false", "true"), ("", "2026-06-01T00:00:01Z")]
)
def test_a_soft_delete_is_written_as_the_column_has_it(
    tmp_path: Path, marks: str, wrote: str
) -> None:
    """Where the column says yes and no it says yes, where it holds times it holds the time; the row stays."""
    connector = people(tmp_path, f"{HEAD}\n1,Ann,,,,{marks},,\n2,Bob,,,,{marks},,\n")
    assert only(connector, Write("op", OpKind.DELETE, Entity.CONTACT, "1")).status is Status.DONE
    assert [row["gone"] or "" for row in read_csv(tmp_path / "people.csv")] == [wrote, marks]
    assert [line["#deleted"] for line in shown(connector)] == [True, False]


@pytest.mark.parametrize(
    ("kind", "after"), [(OpKind.ADD_TAGS, "Strasse|straße"), (OpKind.REMOVE_TAGS, "Strasse")]
)
def test_tags_that_ghl_tells_apart_are_two(tmp_path: Path, kind: OpKind, after: str) -> None:
    """Tags are one where they are equal in lower case, as in GHL: ß is not ss."""
    connector = people(tmp_path, f"{HEAD}\n1,Ann,,,Strasse,,,\n")
    assert (
        only(connector, Write("op", kind, Entity.CONTACT, "1", tags=("straße",))).status
        is Status.DONE
    )
    assert f"1,Ann,,,{after},," in (tmp_path / "people.csv").read_text()


@pytest.mark.parametrize(
    ("mark", "deleted"),
    [("0.0", False), ("None", False), ("NULL", False), ("off", False), ("x", True)],
)
def test_a_word_that_says_no_is_no_mark(tmp_path: Path, mark: str, deleted: bool) -> None:
    """What says no in any way leaves a row as it is; anything else marks it as deleted."""
    [line] = shown(people(tmp_path, f"{HEAD}\n1,Ann,,,,{mark},,\n"))
    assert line["#deleted"] is deleted


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("20240131", "2024-01-31T00:00:00.000Z"),
        ("20240131093000", "2024-01-31T09:30:00.000Z"),
        ("45000", None),
    ],
)
def test_digits_of_a_date_are_no_seconds(tmp_path: Path, text: str, instant: str | None) -> None:
    """A time of change in digits alone is YYYYMMDD, or a count long enough to be one; else the row is quarantined."""
    connector = people(tmp_path, f"{HEAD}\n1,Ann,,,,,{text},\n")
    assert [line["#modified_at"] for line in shown(connector)] == ([instant] if instant else [])


def test_times_without_a_zone_are_local(tmp_path: Path) -> None:
    """They are read in the declared zone, and a new one is written in the form that the column has."""
    connector = people(tmp_path, f"{HEAD}\n1,Ann,,,,,2026-01-01 09:30:00,\n")
    connector = connect(replace(connector._settings, timezone="America/New_York"))
    assert [line["#modified_at"] for line in shown(connector)] == ["2026-01-01T14:30:00.000Z"]
    assert only(connector, change("1", name="Zoë")).record.modified_at == "2026-06-01T00:00:01.000Z"
    assert [row["changed"] for row in read_csv(tmp_path / "people.csv")] == ["2026-05-31 20:00:01"]


def test_json_numbers_keep_every_digit(tmp_path: Path) -> None:
    """A decimal is read as its text; members that were not written to keep theirs, in a changed line too."""
    (tmp_path / "people.jsonl").write_text(
        '{"id": 7, "name": "Ann", "rate": 1.10,  "big": 12345678901234567890.10}\n'
    )
    settings = FilesSettings("jsonl", {Entity.CONTACT: FileSettings("people.jsonl")}, tmp_path)
    connector = connect(settings)
    assert [line["rate"] for line in shown(connector)] == ["1.10"]
    assert only(connector, change("7", name="Zoë")).status is Status.DONE
    assert (tmp_path / "people.jsonl").read_text() == (
        '{"id": 7, "name": "Zoë", "rate": 1.10, "big": 12345678901234567890.10}\n'
    )


def test_a_workbook_keeps_its_other_sheets_and_formulas(tmp_path: Path) -> None:
    """What is around the table stays, text that looks like a number or a formula stays text, pandas reads it back."""
    book = openpyxl.Workbook()
    for row in (
        ["id", "name", "mail", "changed"],
        [1, "Ann", "=1+1", None],
        [2, "Bob", None, None],
    ):
        book.active.append(row)
    book.create_sheet("Sums")["A1"] = "=COUNTA(Sheet!A:A)"
    book.active["C2"] = "x"
    book.save(tmp_path / "people.xlsx")
    connector = connect(
        FilesSettings("excel", {Entity.CONTACT: FileSettings("people.xlsx")}, tmp_path)
    )
    replies = connector.write(
        [change("1", name="007"), replace(change("2", name="=2+2"), op_id="formula")]
    )
    assert {reply.status for reply in replies} == {Status.DONE}
    after = pandas.read_excel(tmp_path / "people.xlsx", dtype=object)
    assert list(after["name"]) == ["007", "=2+2"]
    assert list(after["id"]) == [1, 2]
    assert (
        openpyxl.load_workbook(tmp_path / "people.xlsx")["Sums"]["A1"].value == "=COUNTA(Sheet!A:A)"
    )


@pytest.mark.parametrize("form", list(HANDS))
def test_half_a_character_stops_no_other_write(form: str, tmp_path: Path) -> None:
    """A value that no file can hold is refused by itself; what is written beside it arrives."""
    folder = Folder(tmp_path, form)
    keys = [folder.seed(Entity.CONTACT, {"name": name}, None) for name in ("Ann", "Bob")]
    connector = connect(files_settings(tmp_path, form))
    bad, good = connector.write(
        [change(keys[0], name="half \ud83d"), replace(change(keys[1], name="Rob"), op_id="good")]
    )
    assert (bad.status, good.status) == (Status.REJECTED, Status.DONE)
    assert [row["name"] for row in folder.read(folder.files[Entity.CONTACT])] == ["Ann", "Rob"]


def test_a_workbook_knows_one_line_end(tmp_path: Path) -> None:
    """A text of two lines is found again after it was made, and writing it once more changes nothing."""
    folder = Folder(tmp_path, "excel")
    connector = connect(files_settings(tmp_path, "excel"))
    write = create(Entity.CONTACT, {"name": "one\r\ntwo\rthree"})
    (made,) = connector.write([write])
    assert made.record is not None
    assert made.record.fields["name"] == "one\ntwo\nthree"
    assert [found.key for found in connector.look(write)] == [made.key]
    before = folder.files[Entity.CONTACT].read_bytes()
    assert only(connector, change(str(made.key), name="one\r\ntwo\rthree")).status is Status.DONE
    assert folder.files[Entity.CONTACT].read_bytes() == before


def test_leading_zeros_that_a_workbook_shows_are_kept(tmp_path: Path) -> None:
    """Numbers formatted with zeros are read as they are shown, keys too, and stay numbers when they are written."""
    book = openpyxl.Workbook()
    for row in (["id", "zip", "name"], [42, 1067.0, "Ann"], [43, 10115, "Bob"], [44, -7, "Cy"]):
        book.active.append(row)
        for cell in book.active[book.active.max_row][:2]:
            cell.number_format = "00000"
    book.save(tmp_path / "people.xlsx")
    connector = FilesConnector(
        FilesSettings("excel", {Entity.CONTACT: FileSettings("people.xlsx")}, tmp_path)
    )
    assert [line["zip"] for line in shown(connector)] == ["01067", "10115", "-00007"]
    assert connector.read(Entity.CONTACT, "00042") is not None
    assert only(connector, change("00042", name="New")).status is Status.DONE
    assert only(connector, change("00043", zip="01099")).record.fields["zip"] == "01099"
    sheet = openpyxl.load_workbook(tmp_path / "people.xlsx").active
    found = [
        [(cell.value, cell.number_format) for cell in row[:2]]
        for row in sheet.iter_rows(min_row=2, max_row=3)
    ]
    assert found == [[(42, "00000"), (1067, "00000")], [(43, "00000"), (1099, "00000")]]


def test_whole_numbers_in_columns_with_blanks_are_whole(tmp_path: Path) -> None:
    """What pandas saves as fractions since a cell is blank is read as whole numbers and blanks, keys and parents too."""
    frame = pandas.DataFrame(
        {"id": [1.0, 2.0], "person": [7.0, None], "score": [0.5, float("nan")]}
    )
    frame.to_parquet(tmp_path / "tasks.parquet")
    settings = FileSettings("tasks.parquet", parent="person")
    connector = FilesConnector(FilesSettings("parquet", {Entity.TASK: settings}, tmp_path))
    assert [
        (line["#key"], line["#parent"], line["score"]) for line in shown(connector, Entity.TASK)
    ] == [
        ("1", "7", "0.5"),
        ("2", None, None),
    ]


def test_a_parquet_file_keeps_its_types(tmp_path: Path) -> None:
    """Numbers, dates and lists are still that after a write, and rows keep their order."""
    with duckdb.connect() as sql:
        rows = (
            "(1, 'Ann', DATE '2026-01-02', 1.50::DECIMAL(9,2), ['a']), (2, 'Bob', NULL, NULL, NULL)"
        )
        sql.execute(
            f"COPY (FROM (VALUES {rows}) t(id, name, born, rate, labels)) TO '{tmp_path}/people.parquet'"
        )
    connector = connect(
        FilesSettings(
            "parquet", {Entity.CONTACT: FileSettings("people.parquet", tags="labels")}, tmp_path
        )
    )
    first = shown(connector)[0]
    assert (first["born"], first["rate"], first["tags"]) == ("2026-01-02", "1.50", ["a"])
    assert (
        only(connector, change("2", born="2025-03-04", rate="2.5", tags=["b", "c"])).status
        is Status.DONE
    )
    with duckdb.connect() as sql:
        kinds = [
            str(row[1])
            for row in sql.execute(f"DESCRIBE FROM '{tmp_path}/people.parquet'").fetchall()
        ]
    assert kinds == ["INTEGER", "VARCHAR", "DATE", "DECIMAL(9,2)", "VARCHAR[]"]
    assert [str(row["rate"]) for row in read_parquet(tmp_path / "people.parquet")] == [
        "1.50",
        "2.50",
    ]


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    """A missing file, a missing folder and a missing column are three problems of one error."""
    (tmp_path / "people.csv").write_text("id,name\n")
    with pytest.raises(ConfigError) as raised:
        connect(files_settings(tmp_path)).describe()
    assert [problem.where for problem in raised.value.problems] == [
        "app.contact",
        "app.task",
        "app.note",
    ]


def test_what_carries_no_time_may_have_changed_since(tmp_path: Path) -> None:
    """Asked for changes since an instant, it leaves out what is older, and shows what is later or does not tell."""
    rows = "1,Ann,,,,,2026-01-01T00:00:00Z,\n2,Bob,,,,,2026-01-03T00:00:00Z,\n3,Cyd,,,,,,\n"
    since = Scope(since="2026-01-02T00:00:00Z")
    pages = people(tmp_path, f"{HEAD}\n{rows}").extract(Entity.CONTACT, since)
    assert [page.covers for page in pages if isinstance(page, Page)] == [("2", "3")]
