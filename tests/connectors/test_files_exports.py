"""Files as programs export them: a title above, a footer below, several values in a cell, tags in quotes, keys of several columns or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pytest

from connectors.contract import create
from connectors.files import FilesConnector, FileSettings, FilesSettings
from connectors.memory import Ticks
from reconcile.errors import ConfigError
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Proof, Record, Write
from tests.connectors.test_files import shown

TITLED = (
    'Customers of 2026\r\nas of "today\r\n\r\nid;name;mail\r\n1;Ann;a@b.test\r\n2;Bob;b@b.test\r\n'
)
REPORT = 'id,name,mail\n1,Ann,a@b.test\n2,Bob,b@b.test\n\n\n"All contacts"\n"Copyright (c) 2026"\n'


def people(
    folder: Path, content: str, *, fields: tuple[str, ...] = (), **more: Any
) -> FilesConnector:
    """A connector on one CSV file of people."""
    (folder / "people.csv").write_bytes(content.encode())
    contact = {Entity.CONTACT: FileSettings("people.csv", **more)}
    named = {Entity.CONTACT: fields} if fields else {}
    return FilesConnector(FilesSettings("csv", contact, folder, named), clock=Ticks())


def text(folder: Path) -> str:
    return (folder / "people.csv").read_bytes().decode()


def only(connector: FilesConnector, write: Write) -> Any:
    [reply] = connector.write([write])
    return reply


def proof_of(connector: FilesConnector) -> Proof:
    *_, proof = connector.extract(Entity.CONTACT)
    assert isinstance(proof, Proof)
    return proof


def change(key: str, **fields: Any) -> Write:
    return Write("op", OpKind.UPDATE, Entity.CONTACT, key, fields=fields)


def test_what_stands_above_the_header_is_kept(tmp_path: Path) -> None:
    """Lines above the declared header are no records, may hold anything, and stay as they are when rows are written."""
    connector = people(tmp_path, TITLED, header=4)
    assert [line["name"] for line in shown(connector)] == ["Ann", "Bob"]
    assert only(connector, change("2", name="Rob")).status is Status.DONE
    assert only(connector, create(Entity.CONTACT, {"name": "Cy"})).key == "3"
    assert text(tmp_path) == TITLED.replace("Bob", "Rob") + "3;Cy;\r\n"


@pytest.mark.parametrize("header", [0, 7])
def test_a_header_that_is_not_there_is_told(tmp_path: Path, header: int) -> None:
    """A line that no file has is a problem of the pair file, not an empty list of records."""
    with pytest.raises(ConfigError, match="header"):
        people(tmp_path, TITLED, header=header).describe()


def test_a_footer_is_no_record_and_stays_below_them(tmp_path: Path) -> None:
    """Its lines are neither records nor unreadable, and a new row stands above them and the blank lines before them."""
    connector = people(tmp_path, REPORT, footer=2)
    assert proof_of(connector).complete
    assert [line["name"] for line in shown(connector)] == ["Ann", "Bob"]
    assert only(connector, create(Entity.CONTACT, {"name": "Cy"})).status is Status.DONE
    assert text(tmp_path) == REPORT.replace("b@b.test\n", "b@b.test\n3,Cy,\n")
    assert proof_of(connector).complete


@pytest.mark.parametrize(
    ("content", "footer", "why"),
    [
        (REPORT.partition('\n"All')[0], 2, "line 2 fills several columns"),
        (REPORT.partition('"Copy')[0], 2, "line 3 fills several columns"),
        (REPORT, 1, "line 6, above the 1 of its footer, fills one column too"),
        ("id,name,mail\n", 2, "it has 0 in all"),
        (REPORT, "Total", '"Total", with which its footer begins, stands nowhere'),
        ("id,name\n1,Ann\nTotal,1\nTotal,2\n", "Total", "stands in lines 3, 4"),
        ("id,name\n1,Ann\nTotal,1\n2,Bob\n", "Total", 'line 4, below "Total", has a key'),
    ],
)
def test_a_file_that_does_not_end_so_is_not_taken(
    tmp_path: Path, content: str, footer: int | str, why: str
) -> None:
    """Where the footer is missing, longer or has records below it, nothing is read: what was cut off would look deleted."""
    connector = people(tmp_path, content, footer=footer, fields=("name",))
    [proof] = connector.extract(Entity.CONTACT)
    assert isinstance(proof, Proof)
    assert not proof.complete
    with pytest.raises(ConfigError, match=why):
        connector.describe()


def test_without_a_declared_footer_its_lines_are_set_aside(tmp_path: Path) -> None:
    """They are told by their line numbers, and make the extraction incomplete, so that nothing is concluded from absence."""
    proof = proof_of(people(tmp_path, REPORT))
    assert (proof.complete, len(proof.quarantined)) == (False, 2)


def _workbook(folder: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["Customers"], [], ["id", "name", "sum"], [1, "Ann", 5], [2, "Bob", 7]):
        sheet.append(row)
    sheet.append(["Total", None, "=SUM(C4:C5)"])
    book.save(folder / "people.xlsx")


def test_a_workbook_with_title_and_total(tmp_path: Path) -> None:
    """Title and total stay, cells are changed; rows are neither added nor taken out, as no formula would follow them."""
    _workbook(tmp_path)
    settings = FileSettings("people.xlsx", header=3, footer="Total")
    connector = FilesConnector(FilesSettings("excel", {Entity.CONTACT: settings}, tmp_path))
    assert [line["name"] for line in shown(connector)] == ["Ann", "Bob"]
    assert only(connector, change("2", name="Rob")).status is Status.DONE
    for write in (
        create(Entity.CONTACT, {"name": "Cy"}),
        Write("op", OpKind.DELETE, Entity.CONTACT, "2"),
    ):
        reply = only(connector, write)
        assert (reply.status, "footer" in reply.detail) == (Status.REJECTED, True)
    cells = [
        [cell.value for cell in row]
        for row in openpyxl.load_workbook(tmp_path / "people.xlsx").active
    ]
    assert cells[0][0] == "Customers"
    assert cells[3:] == [[1, "Ann", 5], [2, "Rob", 7], ["Total", None, "=SUM(C4:C5)"]]


MANY = "id,mail,tags\n1,a@b.test ::: a@c.test:::a@d.test,x ::: y\n2,,\n"
LISTS = {"mail": " ::: "}


def test_several_values_in_a_cell(tmp_path: Path) -> None:
    """A column of lists is shown whole, by its first value and by the further ones; a change of the first keeps the others."""
    connector = people(tmp_path, MANY, lists=LISTS, fields=("mail", "mail[0]", "mail[1:]"))
    [first, second] = shown(connector)
    assert first["mail"] == ["a@b.test", "a@c.test", "a@d.test"]
    assert (first["mail[0]"], first["mail[1:]"]) == ("a@b.test", ["a@c.test", "a@d.test"])
    assert (second["mail"], second["mail[0]"], second["mail[1:]"]) == (None, None, None)
    assert only(connector, change("1", **{"mail[0]": "a@b.test"})).status is Status.DONE
    assert text(tmp_path) == MANY
    assert only(connector, change("1", **{"mail[0]": "new@b.test"})).status is Status.DONE
    assert only(connector, change("2", mail=["u@b.test", "v@b.test"])).status is Status.DONE
    assert "1,new@b.test ::: a@c.test ::: a@d.test,x" in text(tmp_path)
    assert "2,u@b.test ::: v@b.test," in text(tmp_path)
    refused = only(connector, change("2", mail=["a ::: b"]))
    assert (refused.status, "stands between values" in refused.detail) == (Status.REJECTED, True)
    assert only(connector, change("2", **{"mail[1:]": ["x@b.test"]})).status is Status.REJECTED


def test_tags_that_stay_in_the_file(tmp_path: Path) -> None:
    """Groups that are no tags are neither shown nor lost."""
    content = "id,labels\n1,* myContacts ::: vip\n"
    settings: dict[str, Any] = {
        "tags": "labels",
        "tags_delimiter": " ::: ",
        "tags_except": ("* myContacts",),
    }
    connector = people(tmp_path, content, **settings)
    assert [line["tags"] for line in shown(connector)] == [["vip"]]
    write = Write("op", OpKind.REMOVE_TAGS, Entity.CONTACT, "1", tags=("vip",))
    assert only(connector, write).record.fields["tags"] == []
    assert text(tmp_path) == "id,labels\n1,* myContacts\n"


def test_tags_in_quotes(tmp_path: Path) -> None:
    """A tag in quotes may hold what stands between tags, and quotes."""
    content = 'id,labels\n1,"""vip"",""news, weekly"""\n2,\n'
    connector = people(tmp_path, content, tags="labels", tags_quoted=True)
    assert [line["tags"] for line in shown(connector)] == [["vip", "news, weekly"], []]
    write = Write("op", OpKind.ADD_TAGS, Entity.CONTACT, "2", tags=('the "best", ever',))
    assert only(connector, write).record.fields["tags"] == ['the "best", ever']
    assert text(tmp_path).startswith('id,labels\n1,"""vip"",""news, weekly"""\n2,')


PAIRS = "first,last,mail,city\nAnn,Lee,,Rome\nAnn,Ray,,Rome\n,,c@b.test,\n"


def test_a_key_of_several_columns(tmp_path: Path) -> None:
    """Rows are told apart by all of them; a new row brings them, and what names a row is not changed."""
    connector = people(tmp_path, PAIRS, key=("first", "last", "mail"), new_key="none")
    keys = [line["#key"] for line in shown(connector)]
    assert keys == ['["Ann","Lee",""]', '["Ann","Ray",""]', '["","","c@b.test"]']
    assert only(connector, change(keys[1], city="Oslo", first="Ann")).status is Status.DONE
    refused = only(connector, change(keys[1], last="Day"))
    assert (refused.status, refused.code) == (Status.REJECTED, "INVALID_FIELD")
    new = only(connector, create(Entity.CONTACT, {"first": "Cy", "city": "Bonn"}))
    assert (new.status, new.key) == (Status.DONE, '["Cy","",""]')
    nameless = only(connector, create(Entity.CONTACT, {"city": "Bonn"}))
    assert (nameless.status, "needs a value for first or last" in nameless.detail) == (
        Status.REJECTED,
        True,
    )
    assert text(tmp_path) == PAIRS.replace("Ann,Ray,,Rome", "Ann,Ray,,Oslo") + "Cy,,,Bonn\n"


def test_no_key_is_made_up_for_an_email(tmp_path: Path) -> None:
    """Where the key is an email, a new row without one is refused; with one it stands under it."""
    connector = people(tmp_path, "mail,name\na@b.test,Ann\n", key="mail", new_key="none")
    refused = only(connector, create(Entity.CONTACT, {"name": "Cy"}))
    assert (refused.status, "a new row needs a value for mail" in refused.detail) == (
        Status.REJECTED,
        True,
    )
    assert (
        only(connector, create(Entity.CONTACT, {"name": "Cy", "mail": "c@b.test"})).key
        == "c@b.test"
    )


def test_a_file_without_a_key_is_read_and_never_written(tmp_path: Path) -> None:
    """Equal rows are one record, an edited row has another key, no field can be written, and each write is refused with the reason."""
    content = "name,mail\nAnn,a@b.test\nAnn,a@b.test\nBob,b@b.test\n"
    connector = people(tmp_path, content, key=())
    assert not any(field.writable for field in connector.describe().fields[Entity.CONTACT].values())
    assert proof_of(connector).complete
    before = [line["#key"] for line in shown(connector)]
    assert len(set(before)) == len(before) == 2
    seen = connector.read(Entity.CONTACT, before[1])
    assert isinstance(seen, Record)
    assert seen.fields["name"] == "Bob"
    for write in (change(before[0], name="X"), create(Entity.CONTACT, {"name": "Cy"})):
        reply = only(connector, write)
        assert (reply.status, "has no key" in reply.detail) == (Status.REJECTED, True)
    assert text(tmp_path) == content
    (tmp_path / "people.csv").write_text(content.replace("Bob", "Rob"))
    after = [line["#key"] for line in shown(connector)]
    assert (after[0], after[1] != before[1]) == (before[0], True)
