"""The exports that people have: proposed, checked, carried both ways, and on both sides exactly what they should be."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from flows.config import load
from flows.demo.world import open_sandbox
from reconcile.errors import ConfigError
from tests.flows.calls import Said, say

EXPORTS = Path(__file__).resolve().parents[1] / "data" / "exports"
SETTINGS = "lag_seconds = 0.0\n"
SHOWN = (
    "firstName",
    "lastName",
    "phone",
    "companyName",
    "city",
    "postalCode",
    "country",
    "dateOfBirth",
)

Changes = tuple[tuple[str, str], ...]
"""Texts of a file, and what stands in their place."""
People = dict[str | None, dict[str, Any]]
"""What GHL holds, by email."""


@dataclass(frozen=True, slots=True)
class Export:
    """One export, what both sides do, and what each holds in the end."""

    file: str
    encoding: str = "utf-8"
    country: str = "US"
    ghl: tuple[Mapping[str, Any], ...] = ()
    first: Changes = ()
    edit: Changes = ()
    edit_ghl: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    second: Changes = ()
    people: People = field(default_factory=dict)


def _said(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in (*SHOWN, "tags"):
        if value := row.get(name):
            yield name, sorted(value) if name == "tags" else value.removesuffix("T00:00:00.000Z")


def _changed(content: bytes, changes: Changes, encoding: str) -> bytes:
    """A file's bytes with some of them replaced, each at the one place where it stands, or at the end ("$")."""
    for before, after in changes:
        old, new = before.removesuffix("$").encode(encoding), after.encode(encoding)
        if before.endswith("$"):
            assert content.endswith(old), before
            content = content.removesuffix(old) + new
        else:
            assert content.count(old) == 1, before
            content = content.replace(old, new)
    return content


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with an export, a location of GHL's, and the pair file that `init` writes."""

    folder: Path
    file: Path

    @classmethod
    def empty(cls, folder: Path, file: str, country: str = "US") -> Place:
        (folder / "ghl.toml").write_text(SETTINGS)
        with open_sandbox(folder / "ghl.db") as sandbox:
            sandbox.add_location("loc1", country=country)
            sandbox.seed_custom_field("loc1", "Umsatz", "NUMERICAL")
        return cls(folder, folder / file)

    @classmethod
    def made(cls, folder: Path, export: Export) -> Place:
        shutil.copy(EXPORTS / export.file, folder)
        place = cls.empty(folder, export.file, export.country)
        with open_sandbox(folder / "ghl.db") as sandbox:
            for person in export.ghl:
                sandbox.seed_contact("loc1", **person)
        return place

    @property
    def pair(self) -> Path:
        return self.folder / "pair.toml"

    def init(self) -> Said:
        where = ("--ghl-url", f"sandbox:{self.folder / 'ghl.db'}", "--location", "loc1")
        return say("init", "--app", self.file, *where, "--out", self.pair, "--yes")

    def run(self, verify: str = "none") -> Any:
        said = say("run", "--pair", self.pair, "--engine", "local", "--verify", verify, "--json")
        assert said.code in (0, 1), said.errors + said.out
        return said.document

    def people(self) -> People:
        """What GHL holds, by email, without what is blank."""
        with open_sandbox(self.folder / "ghl.db") as sandbox:
            held = sandbox.contacts("loc1")
        return {row.get("email"): dict(_said(row)) for row in held}

    def cities(self) -> dict[str, str | None]:
        """Where GHL's people live, by first name; each is there once."""
        with open_sandbox(self.folder / "ghl.db") as sandbox:
            held = sandbox.contacts("loc1")
        cities = {row["firstName"]: row.get("city") for row in held}
        assert len(cities) == len(held)
        return cities

    def edit_ghl(self, edits: Mapping[str, Mapping[str, Any]]) -> None:
        with open_sandbox(self.folder / "ghl.db") as sandbox:
            keys = {row.get("email"): row["id"] for row in sandbox.contacts("loc1")}
            for email, changes in edits.items():
                sandbox.edit_contact(keys[email], **changes)


def _reads(content: bytes, expected: bytes) -> bool:
    """Whether a file is exactly as expected; `{now}` stands for the time of a write."""
    pattern = re.escape(expected).replace(rb"\{now\}", rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
    return re.fullmatch(pattern, content) is not None


ANN = {"firstName": "Ann", "lastName": "Lee", "email": "ann@mail.example"}
AENNE = {"firstName": "Änne", "lastName": "Groß", "email": "aenne@mail.example"}
DORA = {
    "firstName": "Dora",
    "lastName": "Day",
    "phone": "+12125550155",
    "city": "Rome",
    "tags": ["vip"],
}
DORA_IN_GHL = {**DORA, "email": "dora@mail.example", "country": "IT"}
DORA_SEEN = {**DORA, "country": "IT"}


def _seen(first: str, last: str, country: str = "US", **more: Any) -> dict[str, Any]:
    return {"firstName": first, "lastName": last, "country": country, **more}


HUBSPOT = Export(
    "hubspot-contacts.csv",
    ghl=(ANN, DORA_IN_GHL),
    edit=(('"Troy"', '"Utica"'),),
    edit_ghl={"zoe@mail.example": {"city": "Sevilla", "companyName": 'Sol "Uno", S.L.'}},
    second=(
        (
            '"2026-02-03 10:00","","Madrid","","28013","Spain",""',
            '"{now}","","Sevilla","","28013","Spain","Sol ""Uno"", S.L."',
        ),
    ),
    people={
        "ann@mail.example": _seen(
            "Ann",
            "Lee",
            phone="+12125550101",
            companyName="Lee & Co",
            city="Albany",
            postalCode="12207",
        ),
        "bob@mail.example": _seen("Bob", "Ray", city="Utica", postalCode="12180"),
        "zoe@mail.example": _seen(
            "Zoë",
            "Ñuñez",
            "ES",
            phone="+34911234567",
            city="Sevilla",
            postalCode="28013",
            companyName='Sol "Uno", S.L.',
        ),
        "dora@mail.example": DORA_SEEN,
    },
)
_NEW_IN_GOOGLE = "Dora,,Day,,,,,,,,,,,,,,vip,,dora@mail.example,,,,+12125550155,,,,Rome,,,,IT,,,\n"
_CARA_IN_GOOGLE = "Clients ::: * myContacts,,,,,Mobile,+1 212-555-0103,,,,,,,,"
GOOGLE = Export(
    "google-contacts.csv",
    ghl=(ANN, DORA_IN_GHL),
    first=(("\n$", f"\n{_NEW_IN_GOOGLE}"),),
    edit=(("Mobile,+1 212-555-0101 :::", "Mobile,+1 212-555-0100 :::"),),
    edit_ghl={
        "bob@mail.example": {"tags": ["vip"], "city": "Troy, NY", "country": ""},
        "ann@mail.example": {"companyName": "Lee"},
    },
    second=(
        (
            "* myContacts,* ,bob@mail.example,,,,,,,,",
            '* myContacts ::: vip,* ,bob@mail.example,,,,,,,,"Troy, NY"',
        ),
        (_CARA_IN_GOOGLE, f"{_CARA_IN_GOOGLE}US"),
        (",Lee & Co,", ",Lee,"),
    ),
    people={
        "ann@mail.example": _seen(
            "Ann",
            "Lee",
            phone="+12125550100",
            companyName="Lee",
            city="Albany",
            postalCode="12207",
            dateOfBirth="1980-01-31",
            tags=["clients", "vip"],
        ),
        "bob@mail.example": {
            "firstName": "Bob",
            "lastName": "Ray",
            "city": "Troy, NY",
            "tags": ["vip"],
        },
        None: _seen("Cara", "Finn", phone="+12125550103", tags=["clients"]),
        "dora@mail.example": DORA_SEEN,
    },
)
SALESFORCE = Export(
    "salesforce-report.csv",
    encoding="iso-8859-1",
    ghl=(ANN, DORA_IN_GHL),
    edit=(('"Ray\'s Café"', '"Ray\'s Bar"'),),
    edit_ghl={"cara@mail.example": {"city": "Málaga"}},
    second=(
        ('"Finn","","","",""', '"Finn","","","Málaga",""'),
        ('"","","","cara@', '"","USA","","cara@'),
    ),
    people={
        "ann@mail.example": _seen(
            "Ann",
            "Lee",
            phone="+12125550101",
            companyName="Lee & Co",
            city="Albany",
            postalCode="12207",
        ),
        "jose@mail.example": _seen(
            "José",
            "Ray",
            phone="+12125550103",
            companyName="Ray's Bar",
            city="Troy",
            postalCode="12180",
        ),
        "cara@mail.example": _seen("Cara", "Finn", city="Málaga"),
        "dora@mail.example": DORA_SEEN,
    },
)
MAILCHIMP = Export(
    "mailchimp-audience.csv",
    ghl=(ANN, DORA_IN_GHL),
    first=(
        (
            "\n$",
            '\n"dora@mail.example","Dora","Day",,"+12125550155",,,,,,,,,,,,,,{now},,,,"""vip"""\n',
        ),
    ),
    edit=(('""news, weekly""', '""news, monthly""'),),
    edit_ghl={"bob@mail.example": {"tags": ['the "best"'], "firstName": "Rob"}},
    second=(
        ("bob@mail.example,Bob,", "bob@mail.example,Rob,"),
        (
            '"2026-02-02 10:00:00",480002,a1b2c3d4e6,,',
            '"{now}",480002,a1b2c3d4e6,,"""the """"best"""""""',
        ),
    ),
    people={
        "ann@mail.example": _seen(
            "Ann", "Lee", phone="+12125550101", tags=["news, monthly", "vip"]
        ),
        "bob@mail.example": _seen("Rob", "Ray", tags=['the "best"']),
        "cara@mail.example": _seen("Cara", "Finn", tags=["vip"]),
        "dora@mail.example": DORA_SEEN,
    },
)
_EXCEL_PEOPLE: People = {
    "aenne@mail.example": _seen(
        "Änne",
        "Groß",
        "DE",
        phone="+493511234567",
        companyName="Groß & Söhne GmbH",
        city="Dresden",
        postalCode="01067",
        dateOfBirth="1980-01-31",
        tags=["messe", "vip"],
    ),
    "juergen@mail.example": _seen(
        "Jürgen",
        "Weiß",
        "DE",
        phone="+49891234567",
        city="Augsburg",
        postalCode="86150",
        dateOfBirth="1975-07-02",
    ),
    "cara@mail.example": _seen(
        "Cara", "Finn-Öttl", "DE", city="Leipzig", postalCode="04109", tags=["messe"]
    ),
    "dora@mail.example": DORA_SEEN,
}
GERMAN = Export(
    "kunden-excel.csv",
    encoding="cp1252",
    country="DE",
    ghl=(AENNE, DORA_IN_GHL),
    first=(("\r\n$", "\r\n10004;;Dora;Day;;;;Rome;IT;+12125550155;dora@mail.example;;;vip\r\n"),),
    edit=(("80331;München", "86150;Augsburg"),),
    edit_ghl={
        "cara@mail.example": {
            "lastName": "Finn-Öttl",
            "customFields": [{"key": "umsatz", "field_value": 12.5}],
        }
    },
    second=(
        (
            "Cara;Finn;;;04109;Leipzig;DE;;cara@mail.example;;0;",
            "Cara;Finn-Öttl;;;04109;Leipzig;DE;;cara@mail.example;;12,5;",
        ),
    ),
    people=_EXCEL_PEOPLE,
)


def _tabbed(changes: Changes) -> Changes:
    return tuple((before.replace(";", "\t"), after.replace(";", "\t")) for before, after in changes)


UNICODE = replace(
    GERMAN,
    file="kunden-unicode.txt",
    encoding="utf-16-le",
    first=_tabbed(GERMAN.first),
    edit=_tabbed(GERMAN.edit),
    second=_tabbed(GERMAN.second),
)
ALL = (HUBSPOT, GOOGLE, SALESFORCE, MAILCHIMP, GERMAN, UNICODE)


@pytest.mark.parametrize("export", ALL, ids=lambda export: export.file)
def test_an_export_is_carried_both_ways(export: Export, tmp_path: Path) -> None:
    """What init proposes needs no correction; header, footer, quotes, encoding and every other byte stay; a third run is quiet."""
    place = Place.made(tmp_path, export)
    assert place.init().code == 0
    doctor = say("doctor", "--pair", place.pair)
    assert (doctor.code, "!" in doctor.out) == (0, False), doctor.out
    place.run()
    first = _changed((EXPORTS / export.file).read_bytes(), export.first, export.encoding)
    assert _reads(place.file.read_bytes(), first), place.file.read_bytes().decode(export.encoding)
    edited = _changed(place.file.read_bytes(), export.edit, export.encoding)
    place.file.write_bytes(edited)
    place.edit_ghl(export.edit_ghl)
    place.run()
    second = _changed(edited, export.second, export.encoding)
    assert _reads(place.file.read_bytes(), second), place.file.read_bytes().decode(export.encoding)
    assert place.people() == export.people
    settled = place.file.read_bytes()
    quiet = place.run("full")
    left = sum(row["residual_operations"] for row in quiet["entities"].values())
    assert (quiet["changes"], quiet["holds"], left) == ([], [], 0)
    assert place.people() == export.people
    assert place.file.read_bytes() == settled


KEYLESS = """\
pair = "leads"
[app]
connector = "csv"
[app.contact]
path = "leads.csv"
key = []
[ghl]
url = "sandbox:ghl.db"
location = "loc1"
[contact]
delete = { app = "mirror" }
[contact.fields]
Phone = "phone"
City = { ghl = "city", flow = "app->ghl" }
"""


def test_a_file_without_a_key_is_mapped_one_way(tmp_path: Path) -> None:
    """A pair file that would write to it is refused, with each reason and what to write instead."""
    (tmp_path / "pair.toml").write_text(KEYLESS)
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "pair.toml", environ={})
    assert {problem.what.partition(", and ")[2] for problem in refused.value.problems} == {
        "Phone would flow to it",
        "records would be created in it",
        "records would be deleted from it",
    }


def test_an_edit_without_a_key_is_asked_about(tmp_path: Path) -> None:
    """What init proposes for a file without a key is read alone; an edited row is neither a second person nor a delete."""
    (tmp_path / "leads.csv").write_text(
        "Name,Phone,City\nAnn Lee,+12125550101,Rome\nBob Ray,,\nBob Ray,,\n"
    )
    place = Place.empty(tmp_path, "leads.csv")
    assert place.init().code == 0
    place.run()
    assert place.cities() == {"Ann": "Rome", "Bob": None}
    place.file.write_text(place.file.read_text().replace("Rome", "Riga"))
    content = place.file.read_bytes()
    kinds = [{hold["kind"] for hold in place.run()["holds"]} for _ in range(2)]
    assert (kinds[0] != set(), kinds[1] != set()) == (True, True)
    assert place.cities() == {"Ann": "Rome", "Bob": None}
    assert place.file.read_bytes() == content


def test_a_workbook_is_carried_both_ways(tmp_path: Path) -> None:
    """Title, totals, the other sheet and numbers stay; postal codes get their zeros in GHL, and an edit there is written as text."""
    place = Place.made(tmp_path, Export("kunden.xlsx", country="DE", ghl=(AENNE, DORA_IN_GHL)))
    assert place.init().code == 0
    place.run()
    place.edit_ghl({"cara@mail.example": {"postalCode": "01069", "city": "Dresden"}})
    place.run()
    quiet = place.run()
    assert (quiet["changes"], quiet["holds"]) == ([], [])
    codes = {email: row.get("postalCode") for email, row in place.people().items()}
    assert codes == {
        "aenne@mail.example": "01067",
        "juergen@mail.example": "80331",
        "cara@mail.example": "01069",
        "dora@mail.example": None,
    }
    before = openpyxl.load_workbook(EXPORTS / "kunden.xlsx")
    after = openpyxl.load_workbook(place.file)
    assert after.sheetnames == before.sheetnames
    expected = {
        (sheet.title, cell.coordinate): cell.value
        for sheet in before
        for row in sheet
        for cell in row
    }
    expected |= {("Kunden", "D7"): "01069", ("Kunden", "E7"): "Dresden"}
    held = {
        (sheet.title, cell.coordinate): cell.value
        for sheet in after
        for row in sheet
        for cell in row
    }
    assert held == expected
