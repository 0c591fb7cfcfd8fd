"""What earlier versions left opens: ledgers, plans, archives and reports, made by their own code (tests/data/upgrades/make.py)."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flows.outcome.explain import explanation
from reconcile.errors import StateError
from reconcile.ledger import runs
from reconcile.ledger.ledger import Ledger, newest
from reconcile.model import Entity, Side
from reconcile.plan import planfile
from reconcile.report import kept
from reconcile.report.page import page
from reconcile.stage.archive import Archived
from tests.builders import World, mapping_of
from tests.flows import nights
from tests.flows.nights import night
from tests.long_forms import tried

LEFT = Path(__file__).parents[1] / "data" / "upgrades"
VERSIONS = sorted(path.stem for path in LEFT.glob("*.zip"))
WHOLE = [
    version
    for version in VERSIONS
    if any(
        name.endswith("archive.json")
        for name in zipfile.ZipFile(LEFT / f"{version}.zip").namelist()
    )
]


def unpacked(version: str, folder: Path) -> Path:
    """What that version left: ledger.db, sides.json and runs/."""
    with zipfile.ZipFile(LEFT / f"{version}.zip") as left:
        left.extractall(folder)
    return folder


@contextmanager
def opened(version: str, folder: Path) -> Iterator[World]:
    """A world of today on the ledger of then, a month later, with what both sides held."""
    left = unpacked(version, folder)
    with World(ledger_url=f"sqlite:///{left / 'ledger.db'}") as world:
        shutil.copytree(left / "runs", world.folder / "runs")
        world.clock.advance(30 * 86_400)
        sides = json.loads((left / "sides.json").read_text(encoding="utf-8"))
        for side in Side:
            for entity, rows in sides[side.value].items():
                for key, fields, parent in rows:
                    world.sides[side].put(Entity(entity), fields, parent=parent, key=key)
        yield world


def held(world: World) -> dict[Side, Any]:
    """What both sides hold, by key."""
    entities = (Entity.CONTACT, Entity.TASK, Entity.NOTE)
    return {side: [world.cells(side, entity) for entity in entities] for side in Side}


@pytest.mark.parametrize("version", tried(VERSIONS, [VERSIONS[0], VERSIONS[-1]]))
def test_a_night_on_an_earlier_versions_ledger_changes_nothing_unasked(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is brought to the newest version; links, history and the open question stay, nothing is written, and an edit then travels."""
    monkeypatch.setattr(nights, "_NUMBERS", count(101))  # the nights of then were called so, too
    with opened(version, tmp_path) as world:
        before, links = held(world), world.links()
        assert len(links) == 3
        told = night(world)
        assert held(world) == before
        assert world.links() == links
        assert told.document["totals"]["planned"]["writes"] == 0
        assert told.document["statement"]["unexplained"] == 0
        assert told.document["totals"]["questions"] == 1
        (hold,) = told.document["holds"]
        assert (hold["field"], hold["values"]["base_app"]) == ("company", "D")
        assert hold["opened"].startswith("2026-01-01")
        assert len(runs.runs(world.ledger)) == 3
        story = explanation(world.ledger, "contact", "app-contact-1", "company")
        assert [write["changed"]["company"] for write in story["writes"]] == [[None, "ACME"]]
        assert _codecs(world) == {mapping_of()[Entity.CONTACT].codecs}
        world.app.edit(Entity.CONTACT, "app-contact-2", {"company": "B"})
        night(world)
        assert world.cells(Side.GHL)[links["app-contact-2"]]["company"] == "B"
    version_of = sa.create_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    with version_of.connect() as connection:
        query = sa.text("SELECT version_num FROM ledger_version")
        assert connection.execute(query).scalar_one() == newest()


def _codecs(world: World) -> set[str]:
    """With which codecs the contacts' baselines were made."""
    query = sa.text("SELECT codecs FROM link WHERE entity = 'contact'")
    with world.ledger.engine.connect() as connection:
        return set(connection.execute(query).scalars())


@pytest.mark.parametrize("version", VERSIONS)
def test_an_earlier_versions_plan_file_opens(version: str, tmp_path: Path) -> None:
    """Its head has the digest that the ledger knows, and its operations and questions can be read."""
    left = unpacked(version, tmp_path)
    (path,) = left.glob("runs/*/plan.jsonl")
    plan = planfile.read(path)
    ledger = Ledger(f"sqlite:///{left / 'ledger.db'}", "p")
    row = runs.find(ledger, plan_digest=plan.digest)
    ledger.close()
    assert row is not None
    assert row.run_id == path.parent.name
    (operation,) = planfile.operations(path)
    assert (operation.side, operation.after) == (Side.GHL, {"company": "ACME"})
    assert [hold.field for hold in planfile.holds(path)] == ["company"]


@pytest.mark.parametrize("version", WHOLE)
def test_an_earlier_versions_archive_and_report_open(version: str, tmp_path: Path) -> None:
    """Records and links of the archive are there; the report is shown as a page of today, or refused with where its own page is."""
    left = unpacked(version, tmp_path)
    (manifest,) = left.glob("runs/*/archive.json")
    with Archived(manifest.parent) as archived:
        (ann,) = archived.records(Entity.CONTACT, Side.APP, column="key", equals="app-contact-1")
        cells = ann.cells(mapping_of()[Entity.CONTACT], Side.APP)
        assert (cells["email"], cells["phone"]) == ("ann@x.com", "+18885551212")
        assert archived.link_of(Entity.CONTACT, Side.APP, "app-contact-1") is not None
        assert archived.has("planned")
        assert archived.named(Entity.CONTACT, Side.GHL, "ANN@x.com", anywhere=True)
    path = manifest.parent / "report.json"
    assert len(kept.read(path)["holds"]) == 1
    if version < "0007":  # of format 1
        with pytest.raises(StateError, match=r"of format 1, .*report\.html") as refused:
            kept.of_today(path)
        assert refused.value.code == "REPORT_FORMAT"
    else:
        assert "From the app" in page(kept.of_today(path))


def test_a_ledger_of_a_newer_version_is_refused_with_the_way_back(tmp_path: Path) -> None:
    """It is left as it is, and the message names the later version and the backup."""
    left = unpacked(VERSIONS[-1], tmp_path)
    url = f"sqlite:///{left / 'ledger.db'}"
    Ledger(url, "p").close()
    with sa.create_engine(url).begin() as connection:
        connection.execute(sa.text("UPDATE ledger_version SET version_num = '9999'"))
    with pytest.raises(StateError, match=r"newer version.*or put back a backup") as refused:
        Ledger(url, "p")
    assert refused.value.code == "LEDGER"
    with sa.create_engine(url).connect() as connection:
        query = sa.text("SELECT version_num FROM ledger_version")
        assert connection.execute(query).scalar_one() == "9999"


def test_every_version_of_the_ledger_is_kept() -> None:
    """A migration comes with what the version before it left; only the newest tables may have none yet."""
    numbers = {f"{number:04d}" for number in range(1, int(newest()))}
    assert numbers - set(VERSIONS) <= {"0003"}  # came in one step with 0004
