"""Nights between two full readings, against the sandbox over HTTP; what their reports and the doctor say."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.ghl.sandbox import Sandbox
from flows.config import Pair, load
from flows.demo.pairfile import LOCATION, SANDBOX_FILE
from flows.demo.world import open_sandbox
from flows.doctor.finding import Level
from flows.doctor.sweep import sweep
from flows.jobs.full import FULL
from flows.opening import open_run
from flows.outcome.tell import Told
from flows.run import Options
from flows.runner import carry_out
from flows.steps import marks
from reconcile.errors import ConfigError
from reconcile.model import Entity, Side
from tests.builders import World
from tests.flows.acme import Acme
from tests.flows.nights import night

C = Entity.CONTACT


@dataclass(frozen=True, slots=True)
class Went:
    """What a night came to, and how often it asked GHL for each thing."""

    told: Told
    requests: dict[str, int]

    @property
    def contacts(self) -> dict[str, object]:
        """What the report says of the reading of GHL's contacts."""
        read = self.told.document["provenance"]["snapshots"]
        return next(each for each in read if (each["entity"], each["side"]) == ("contact", "ghl"))


def went(pair: Path) -> Went:
    with open_run(load(pair), Options("nightly", verify="none")) as run:
        told = carry_out(run, FULL)
        requests = run.connectors[Side.GHL].usage().by_endpoint
    assert told.document["statement"]["clean"], told.document["statement"]
    return Went(told, dict(requests))


def weekly(acme: Acme, *, tags: str = "yes") -> None:
    """Let the pair read all once a week; the sandbox dates a change of tags."""
    text = acme.pair.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(("no_sms", "appointments"))]
    changed = "\n".join(lines)
    changed = changed.replace("\n[ghl]\n", f'\n[ghl]\ntags_move_date = "{tags}"\npage_size = 10\n')
    acme.pair.write_text(f'sweep = "weekly"\n{changed}\n', encoding="utf-8")


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    acme = Acme.made(tmp_path_factory.mktemp("sweep") / "world", contacts=40)
    weekly(acme)
    assert went(acme.pair).told.exit_code < 2
    return acme.folder


@pytest.fixture
def acme(settled: Path, tmp_path: Path) -> Iterator[Acme]:
    """The settled world, put back in its place afterwards: a database is known by its path."""
    kept = tmp_path / "kept"
    shutil.copytree(settled, kept)
    acme = Acme(settled, settled / "acme.toml", f"sqlite:///{settled / 'app.db'}")
    yield acme
    acme.replaced_by(kept)


def ghl(acme: Acme) -> Sandbox:
    return open_sandbox(acme.folder / SANDBOX_FILE)


def test_the_report_says_since_when_nobody_was_read_again(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second night has one page of changes and a count; the verdict says as of when it speaks."""
    monkeypatch.setattr(marks, "OVERLAP", timedelta())
    text = acme.pair.read_text(encoding="utf-8")
    acme.pair.write_text(text.replace("lag_seconds = 5", "lag_seconds = 0"), encoding="utf-8")
    second = went(acme.pair)
    third = went(acme.pair)
    assert third.requests["contact.search"] == 2
    assert third.contacts["partial"]
    assert int(str(third.contacts["not_read"])) > 30
    as_of = str(third.contacts["as_of"])
    assert as_of == second.contacts["as_of"]
    assert as_of < str(third.contacts["taken_at"])
    verdict = third.told.document["verdict"]
    said = f"were not read again since {as_of[:10]}"
    assert any(said in sentence for sentence in verdict["sentences"])


def test_a_deletion_in_ghl_is_met_by_a_full_reading(acme: Acme) -> None:
    """The count differs, and the same night reads all."""
    with ghl(acme) as sandbox:
        key = str(sandbox.contacts(LOCATION)[0]["id"])
        sandbox.delete_contact(key)
    read = went(acme.pair)
    assert not read.contacts["partial"]
    assert read.contacts["as_of"] is None
    assert read.requests["contact.search"] > 4


def test_where_tags_may_be_undated_each_night_reads_all(acme: Acme) -> None:
    """Until the pair file says what holds for the location."""
    text = acme.pair.read_text(encoding="utf-8")
    acme.pair.write_text(text.replace('"yes"', '"unknown"'), encoding="utf-8")
    assert not went(acme.pair).contacts["partial"]


def test_a_forged_archive_is_not_built_on(acme: Acme) -> None:
    """What a run left is noted in the ledger; where it was changed, all are read."""
    (archived,) = acme.folder.glob("state/runs/*/raw_contact_ghl.parquet")
    archived.write_bytes(archived.read_bytes() + b" ")
    assert not went(acme.pair).contacts["partial"]


def test_the_verdict_never_says_agree_without_as_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """A night that did not read somebody again names how many, and since when."""
    monkeypatch.setattr(marks, "OVERLAP", timedelta())
    with World(sweep=7) as world:
        world.app.put(C, {"first_name": "Ann", "email": "ann@x.com"})
        world.ghl.put(C, {"first_name": "Ann", "email": "ann@x.com"})
        world.app.put(C, {"first_name": "Bob", "email": "bob@x.com"})
        world.ghl.put(C, {"first_name": "Bob", "email": "bob@x.com"})  # the last is read again
        first = night(world)
        world.clock.advance(3_600)
        second = night(world)
    assert first.document["verdict"]["headline"] == "Both sides agree"
    assert first.exit_code == second.exit_code == 0
    day = str(first.document["started_at"])[:10]
    headline = second.document["verdict"]["headline"]
    assert headline.startswith(f"Both sides agree; 1 contact of GHL as of {day} ")


# what the pair file and the doctor say ------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "days"),
    [("", None), ('sweep = "nightly"', None), ('sweep = "weekly"', 7), ("sweep = 3", 3)],
)
def test_how_often_a_night_reads_all(acme: Acme, line: str, days: int | None) -> None:
    """Each night by default."""
    text = acme.pair.read_text(encoding="utf-8").removeprefix('sweep = "weekly"\n')
    acme.pair.write_text(f"{line}\n{text}", encoding="utf-8")
    assert load(acme.pair).sweep == days


@pytest.mark.parametrize("line", ["sweep = 0", 'sweep = "monthly"', "sweep = 32"])
def test_another_word_is_refused(acme: Acme, line: str) -> None:
    """No night may be put off for longer than a month, and the one problem is told once."""
    text = acme.pair.read_text(encoding="utf-8").removeprefix('sweep = "weekly"\n')
    acme.pair.write_text(f"{line}\n{text}", encoding="utf-8")
    with pytest.raises(ConfigError, match='expected "nightly", "weekly" or 1 to 31 days') as caught:
        load(acme.pair)
    assert len(caught.value.problems) == 1


def test_the_doctor_says_what_it_comes_to(acme: Acme) -> None:
    """Shorter nights, or why there are none."""
    pair = load(acme.pair)
    assert [found.level for found in sweep(pair)] == [Level.OK]
    unknown = replace(pair, ghl=pair.ghl.model_copy(update={"tags_move_date": "unknown"}))
    assert "tags are mapped" in warned(unknown)
    assert "tags_move_date" in warned(unknown)
    part = replace(pair, ghl=pair.ghl.model_copy(update={"business_ids": ["b1"]}))
    assert "business" in warned(part)
    proving = replace(pair, verify=pair.verify.model_copy(update={"mode": "full"}))
    assert "proves" in warned(proving)
    assert not list(sweep(replace(pair, sweep=None)))


def warned(pair: Pair) -> str:
    (found,) = [each for each in sweep(pair) if each.level is Level.WARNING]
    return str(found)
