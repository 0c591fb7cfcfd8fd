"""A fleet's night and morning: who is tried again, who starts when, and how the pairs stand by what ledgers and stores hold."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from flows.fleet.page import page, summary
from flows.fleet.standing import Standing, standings
from flows.jobs.fleet import (
    Job,
    fleet,
    group_of,
    longest_first,
    pair_files,
    pair_run,
    seconds_of,
)
from flows.jobs.turns import Pace
from flows.outcome.fleet import LOST, FleetReport, PairRun, write
from reconcile.ledger import runs
from reconcile.ledger.ledger import Ledger
from tests.builders import hold_of
from tests.flows.calls import say

PAIR = """\
pair = "{name}"
store = "state/{name}"
[app]
connector = "sql"
url = "sqlite:///app.db"
[app.contact]
table = "people"
modified_at = "updated_at"
[ghl]
url = "sandbox:ghl.db"
location = "{name}"
[contact]
match = ["mail"]
[contact.fields]
mail = "email"
"""
AT = "2026-11-30T07:00:00.000Z"


# the night -------------------------------------------------------------------------------------------------------------


class Night:
    """Pairs that end with the codes they are given, one a try."""

    def __init__(self, **codes: list[str]) -> None:
        self.codes = codes
        self.log: list[str] = []

    def run(self, path: Path, job: Job) -> PairRun:
        self.log.append(path.stem)
        code = self.codes[path.stem].pop(0)
        return PairRun(path.stem, 3 if code else 0, 1.0, code=code)

    def fleet(self) -> dict[str, PairRun]:
        files = [Path(f"{name}.toml") for name in self.codes]
        report = fleet(files, workers=1, runner=self.run, pace=Pace(put_off=0.0))
        return {run.pair: run for run in report.runs}


def test_what_passes_is_put_off_and_tried_again() -> None:
    """A pair whose host did not answer, or whose process was lost, has a second try after all others; one that is wrong has none."""
    night = Night(a=["TRANSIENT", ""], b=["CONFIG"], c=[LOST, "TRANSIENT"], d=[""])
    runs = night.fleet()
    assert night.log == ["a", "b", "c", "d", "a", "c"]
    assert {pair: (run.code, run.tries) for pair, run in runs.items()} == {
        "c": ("TRANSIENT", 2),
        "b": ("CONFIG", 1),
        "a": ("", 2),
        "d": ("", 1),
    }


def test_a_worker_that_waits_is_called_for_a_second_try() -> None:
    """Where one worker has nothing to do and the other's pair is put off, both go on, and the fleet ends."""
    both = threading.Barrier(2)
    tries = Counter[str]()

    def run(path: Path, job: Job) -> PairRun:
        tries[path.stem] += 1
        if tries[path.stem] == 1:
            both.wait(10)
        return PairRun(path.stem, 3, 1.0, code="TRANSIENT" if path.stem == "a" else "")

    report = fleet([Path("a.toml"), Path("b.toml")], workers=2, runner=run, pace=Pace(put_off=0.0))
    assert tries == {"a": 2, "b": 1}
    assert [(run.pair, run.tries) for run in report.runs] == [("a", 2), ("b", 1)]


def test_a_fleet_that_is_broken_off_starts_nothing_more() -> None:
    """After Ctrl-C what runs ends, and no other pair starts; the other worker does not wait for ever."""
    started = []

    def run(path: Path, job: Job) -> PairRun:
        started.append(path.stem)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fleet([Path(f"{number}.toml") for number in range(9)], workers=2, runner=run)
    assert len(started) <= 2


def test_whose_pair_it_is(tmp_path: Path) -> None:
    """By the file's `group`, else by the agency; a file that says neither, or cannot be read, is in no group."""
    files = {
        "own": 'group = "north"\n[ghl.oauth]\ncompany = "agency"\n',
        "agency": '[ghl.oauth]\ncompany = "agency"\n',
        "plain": '[ghl]\ntoken = "env:TOKEN"\n',
        "odd": 'ghl = "nothing"\n',
        "torn": "pair = \n",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.toml").write_text(text)
    groups = {name: group_of(tmp_path / f"{name}.toml") for name in (*files, "missing")}
    assert groups == {
        "own": "north",
        "agency": "agency",
        "plain": "",
        "odd": "",
        "torn": "",
        "missing": "",
    }


def test_agencies_share_the_workers(tmp_path: Path) -> None:
    """The fleet itself goes by the groups of its files: an agency with two pairs is not behind one with twenty."""
    for name in (*(f"a{number:02d}" for number in range(20)), "b1", "b2"):
        (tmp_path / f"{name}.toml").write_text(
            PAIR.format(name=name) + f'# of\n[x]\n"{name}" = 1\n'
        )
        text = f'group = "{name[0]}"\n' + PAIR.format(name=name)
        (tmp_path / f"{name}.toml").write_text(text)
    started = []

    def run(path: Path, job: Job) -> PairRun:
        started.append(path.stem)
        return PairRun(path.stem, 0, 1.0)

    report = fleet(pair_files(tmp_path), workers=1, runner=run)
    assert started[:2] == ["a00", "b1"]
    assert len(report.runs) == len(set(started)) == 22


def test_the_longest_starts_first(tmp_path: Path) -> None:
    """By the report of the last night: the new ones, then who took longest; without one the order stays."""
    files = [Path(f"{name}.toml") for name in "abcd"]
    assert longest_first(files, seconds_of(tmp_path / "fleet.json")) == files
    last = tuple(
        PairRun(pair, 0, seconds) for pair, seconds in (("a", 1.0), ("b", 9.0), ("d", 3.0))
    )
    paths = write(FleetReport("run", AT, 1.0, 1, last), tmp_path)
    order = longest_first(files, seconds_of(paths["json"]))
    assert [path.stem for path in order] == ["c", "b", "d", "a"]


def test_the_code_of_what_failed() -> None:
    """A process tells the code of its error in its document; one that was killed is lost."""
    error = {"code": "TRANSIENT", "what": "no answer", "remedy": ""}
    assert pair_run(Path("a.toml"), 3, json.dumps({"error": error}), "", 1.0).code == "TRANSIENT"
    assert pair_run(Path("a.toml"), -9, "", "", 1.0).code == LOST
    assert pair_run(Path("a.toml"), 3, "", "words", 1.0).code == ""


# the morning -----------------------------------------------------------------------------------------------------------


def ran(
    folder: Path, name: str, *codes: int | None, ended: str = "2026-11-30T02", **opened: str
) -> None:
    """A pair with runs of the last nights, oldest first, by their exit codes; and questions by the day they were first asked."""
    (folder / f"{name}.toml").write_text(PAIR.format(name=name))
    (folder / "state" / name).mkdir(parents=True)
    ledger = Ledger(f"sqlite:///{folder / 'state' / name / 'ledger.db'}", name)
    for at, code in enumerate(codes, start=1):
        run_id, day = f"run-{at}", 30 - len(codes) + at
        moment = ended.replace("30T", f"{day:02d}T")
        runs.start(ledger, run_id, "nightly", at=f"{moment}:00:00.000Z")
        brief = {"totals": {"done": {"writes": 10 * at}, "failed": 0, "questions": 0}}
        told = brief if code is None else {**brief, "exit_code": code}
        state = "refused" if code == 3 else "settled"
        runs.remember(ledger, run_id, state=state, summary=told, at=f"{moment}:10:00.000Z")
    for first in sorted(opened.values()):
        holds = [hold_of(hold_id=one) for one, then in opened.items() if then <= first]
        with ledger.transaction() as connection:
            runs.put_holds(ledger, connection, holds, run_id="run-1", at=first)
    ledger.close()


@pytest.fixture
def morning(tmp_path: Path) -> Path:
    """Six pairs: well, asking, refused, never run, late, and one whose file is wrong."""
    ran(tmp_path, "well", 0, 1, 0)
    ran(tmp_path, "asks", 0, 1, q1="2026-11-29T08:00:00.000Z", q2="2026-11-01T02:00:00.000Z")
    ran(tmp_path, "refused", 0, 0, 3)
    ran(tmp_path, "late", 0, ended="2026-11-30T02".replace("30T", "27T"))
    ran(tmp_path, "earlier", None)
    (tmp_path / "never.toml").write_text(PAIR.format(name="never"))
    (tmp_path / "wrong.toml").write_text(PAIR.format(name="wrong").replace("email", "emial"))
    folder = tmp_path / "state" / "well" / "runs" / "run-3"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text('{"usage": {"ghl": {"remaining_today": 4711}}}')
    (folder / "report.html").write_text("<!doctype html>")
    return tmp_path


def test_how_the_pairs_stand(morning: Path) -> None:
    """Worst first, each with its last runs, its questions by age, what was left of the quota and its report; nothing is asked or made."""
    before = sorted(morning.rglob("*"))
    found = {one.pair: one for one in standings(sorted(morning.glob("*.toml")), at=AT)}
    assert list(found) == ["never", "refused", "wrong", "late", "asks", "earlier", "well"]
    assert [path for path in sorted(morning.rglob("*")) if "ledger.db" not in path.name] == [
        path for path in before if "ledger.db" not in path.name
    ]
    well, asks = found["well"], found["asks"]
    assert (well.word, well.trend, well.written, well.remaining) == ("agree", (0, 1, 0), 30, 4711)
    assert well.report.endswith("state/well/runs/run-3/report.html")
    assert (asks.questions, asks.oldest_days, asks.ages) == (2, 29, {"today": 1, "this month": 1})
    assert (found["refused"].code, found["refused"].reasons) == (3, ("the last run was refused",))
    assert found["late"].reasons == ("the last run began 77 hours ago",)
    assert (found["earlier"].code, found["earlier"].trend) == (1, ())
    assert "emial" in found["wrong"].reasons[0]


def test_the_page_and_the_command(morning: Path) -> None:
    """The command ends with the worst of all; its page has the sentence, each pair and a link to the report."""
    done = say("fleet", "status", morning, "--out", morning / "out", "--json")
    assert done.code == 3
    text = (morning / "out" / "status.html").read_text()
    assert "7 pairs: 3 refused or broken" in text
    assert '/state/well/runs/run-3/report.html">well</a>' in text
    assert json.loads((morning / "out" / "status.json").read_text()) == done.document
    assert "2 questions are open" in say("fleet", "status", morning).out


def test_the_page_escapes() -> None:
    """No word of a pair breaks the page, and no link of it leads to a script."""
    one = Standing("a<b", 1, ("<script>",), report="javascript:alert(1)", trend=(0, 3))
    text = page([one, replace(one, report="https://x/?a=1&b=2")], at=AT)
    assert "<script>" not in text
    assert "javascript" not in text
    assert 'href="https://x/?a=1&amp;b=2"' in text
    assert summary([one]) == "1 pairs: 1 questions or records left; 0 questions are open"
