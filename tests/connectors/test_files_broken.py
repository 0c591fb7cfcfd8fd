"""Broken data files: each gives a clear error or a quarantine, never a traceback, never a partial write."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.contract import create, read_line
from connectors.files import FilesConnector, FileSettings, FilesSettings
from reconcile.errors import ConfigError, ReconcileError
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Page, Proof, Write
from tests.connectors.broken_files import Broken, cases

SUFFIX = {"csv": "csv", "jsonl": "jsonl", "parquet": "parquet", "excel": "xlsx"}
NUMBER = 53


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Broken]:
    return cases(tmp_path_factory.mktemp("made"))


@pytest.fixture(params=range(NUMBER))
def broken(request: pytest.FixtureRequest, made: list[Broken]) -> Broken:
    return made[request.param]


@pytest.fixture
def file(broken: Broken, tmp_path: Path) -> Path:
    file = tmp_path / f"people.{SUFFIX[broken.form]}"
    file.write_bytes(broken.content)
    return file


@pytest.fixture
def connector(broken: Broken, file: Path) -> FilesConnector:
    people = FileSettings(file.name, modified_at="changed", new_key="uuid", **dict(broken.declared))
    fields = {Entity.CONTACT: ("id", "name", "mail", "changed")}
    return FilesConnector(FilesSettings(broken.form, {Entity.CONTACT: people}, file.parent, fields))  # type: ignore[arg-type]


def test_there_are_more_than_forty(made: list[Broken]) -> None:
    """Every case has a name of its own, and each is run."""
    assert len({str(case) for case in made}) == NUMBER > 40


def test_an_extraction_says_what_is_wrong(broken: Broken, connector: FilesConnector) -> None:
    """The proof is incomplete and names the line, or the fault of the file; what can be read is there, and nothing else."""
    *pages, proof = connector.extract(Entity.CONTACT)
    assert isinstance(proof, Proof)
    assert not proof.complete
    assert broken.says in " | ".join([proof.why_incomplete, *proof.quarantined])
    assert "Traceback" not in proof.why_incomplete
    lines = [line for page in pages if isinstance(page, Page) for line in page.lines.splitlines()]
    if broken.keys is None:
        assert lines == []
    else:
        assert proof.quarantined
        shape = connector.shape(Entity.CONTACT)
        assert tuple(read_line(shape, line).key for line in lines) == broken.keys


def test_a_description_refuses_what_cannot_be_used(
    broken: Broken, connector: FilesConnector
) -> None:
    """A file that cannot be used is a problem with its place, what is wrong, and what to do; one with bad rows is none."""
    if broken.keys is not None:
        assert connector.describe().fields
        return
    with pytest.raises(ConfigError) as raised:
        connector.describe()
    [problem] = raised.value.problems
    assert broken.says in f"{problem.what} {problem.remedy}"
    assert problem.where == "app.contact"
    assert problem.remedy


def test_writing_never_spoils_it(broken: Broken, connector: FilesConnector, file: Path) -> None:
    """A write is answered; either nothing changed, or just what was written did and the bad rows stand as they stood."""
    doomed = Write("up", OpKind.UPDATE, Entity.CONTACT, "1", fields={"name": "Changed"})
    replies = {
        reply.op_id: reply
        for reply in connector.write([doomed, create(Entity.CONTACT, {"name": "New"}, op_id="new")])
    }
    assert set(replies) == {"up", "new"}
    content = file.read_bytes()
    if all(reply.status is not Status.DONE for reply in replies.values()):
        assert content == broken.content
        assert all(reply.code and reply.detail for reply in replies.values())
    else:
        assert broken.keys is not None
        assert file.with_name(f"{file.name}.bak-1").read_bytes() == broken.content
        if broken.form in ("csv", "jsonl"):
            gone = set(broken.content.splitlines()) - set(content.splitlines())
            assert len(gone) <= 1, "only the row that was written to is another"
        *_, proof = connector.extract(Entity.CONTACT)
        assert isinstance(proof, Proof)
        assert broken.says in " | ".join(proof.quarantined)
    assert {path.name for path in file.parent.iterdir()} <= {
        file.name,
        f".{file.name}.lock",
        f"{file.name}.bak-1",
    }


def test_reading_one_row_raises_nothing_but_what_is_declared(
    broken: Broken, connector: FilesConnector
) -> None:
    """A row that can be read is read; any other failure is one of the errors that a connector may raise."""
    if broken.keys is None or (broken.keys[:1] != ("1",) and "more than once" in _said(connector)):
        with pytest.raises(ReconcileError) as raised:
            connector.read(Entity.CONTACT, "1")
        assert getattr(raised.value, "remedy", "")
    else:
        assert (connector.read(Entity.CONTACT, "1") is not None) == ("1" in broken.keys)


def _said(connector: FilesConnector) -> str:
    *_, proof = connector.extract(Entity.CONTACT)
    return " | ".join(proof.quarantined) if isinstance(proof, Proof) else ""
