"""A number means one thing: every surface says the same of seven kinds of run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa

from flows.orchestration.artifacts import shown
from flows.steps import steps
from reconcile.errors import Transient
from reconcile.model import Operation, Outcome
from reconcile.plan.plan import LEDGER_ONLY
from tests.flows.acme import Acme
from tests.flows.calls import Said, say

KINDS = ("first", "quiet", "twice", "refused", "failed in the middle", "audit", "migration")
RECORDS = ("creates", "updates", "deletes")

_GROUP = re.compile(
    r"^(?:Contacts|Tasks|Notes) in (?:the app|GHL): (?:(tags \w+(?: \w+)?) (?:to|from) )?"
    r"([\d,]+)(?: of [\d,]+)?(?: (?:to )?(\w+))?(?:, in [\d,]+ writes)?$",
    re.MULTILINE,
)
_NAMES = {"create": "creates", "update": "updates", "delete": "deletes", "archive": "deletes"}


@dataclass(frozen=True, slots=True)
class Surfaces:
    """What each surface says of one run."""

    document: dict[str, Any]
    history: dict[str, Any]
    terminal: str
    past: str
    """The run's lines in `history`."""

    folder: Path
    """Where its files are."""

    def text(self, name: str) -> str:
        """One of its files."""
        return (self.folder / name).read_text(encoding="utf-8")

    @property
    def shown(self) -> dict[str, int]:
        """What the terminal is about: what was done, or would be."""
        totals = self.document["totals"]
        counts: dict[str, int] = totals["done" if self.document["applied"] else "planned"]
        return counts


def _surfaces(acme: Acme, run_id: str) -> Surfaces:
    rows = say("history", "--pair", acme.pair, "--json").document
    (row,) = [each for each in rows if each["run_id"] == run_id]
    document = say("report", run_id, "--pair", acme.pair, "--json").document
    lines = say("history", "--pair", acme.pair).out.splitlines()
    at = next(at for at, line in enumerate(lines) if run_id in line)
    terminal = say("report", run_id, "--pair", acme.pair).out
    page = Path(terminal.partition("\nReport: ")[2].strip())
    return Surfaces(document, row, terminal, " ".join(lines[at : at + 2]), page.parent)


def _run(acme: Acme, *words: str) -> Said:
    return say(
        "run", "--pair", acme.pair, "--engine", "local", "--verify", "none", "--json", *words
    )


def _fails_in_the_middle(acme: Acme) -> Said:
    """A run whose side gives no answer any more after the first part of the writes."""
    done: list[int] = []
    plain = steps.apply_chunk

    def halfway(desk: Any, operations: Sequence[Operation]) -> list[Outcome]:
        if any(done):
            raise Transient("the connection was reset")
        done.append(sum(each.kind not in LEDGER_ONLY for each in operations))
        return plain(desk, operations)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "apply_chunk", halfway)
        return _run(acme)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Surfaces]:
    """One run of each kind, and what is said of it."""
    folder = tmp_path_factory.mktemp("numbers")
    found: dict[str, Surfaces] = {}

    def note(kind: str, acme: Acme, said: Said) -> None:
        found[kind] = _surfaces(acme, said.document["run_id"])

    one = _world(folder / "one")
    note("audit", one, say("audit", "--pair", one.pair, "--json"))
    _rewrite(one, "max_first_creates = 50", "max_first_creates = 2")
    note("refused", one, _run(one))
    _rewrite(one, "max_first_creates = 2", "max_first_creates = 500")
    note("failed in the middle", one, _fails_in_the_middle(one))
    two = _world(folder / "two")
    note("first", two, _run(two))
    note("quiet", two, _run(two))
    _swap_emails(two)
    note("twice", two, _run(two))
    three = _world(folder / "three")
    moved = say("migrate", "--pair", three.pair, "--yes", "--json").document
    rows = say("history", "--pair", three.pair, "--json").document
    legs = [row for row in rows if row["job"] == "migrate"]
    assert len(legs) == moved["legs"]
    note("migration", three, Said(0, f'{{"run_id": "{legs[-1]["run_id"]}"}}', ""))
    created = sum(row["totals"]["done"]["creates"] for row in legs)
    counted = [count["created"].values() for count in moved["cutover"]["counts"]]
    assert created == sum(sum(each) for each in counted) > 0
    return found


def _world(folder: Path) -> Acme:
    acme = Acme.made(folder, contacts=40)
    _rewrite(acme, "[ghl]\n", "[apply]\nchunk = 20\n\n[ghl]\n")
    return acme


def _swap_emails(acme: Acme) -> None:
    """Let two people in the app exchange their emails: GHL takes that in three writes, as no two contacts share one."""
    engine = sa.create_engine(acme.app_url)
    people = "SELECT id, email FROM people WHERE deleted_at IS NULL AND email LIKE '%@%' GROUP BY lower(email) HAVING count(*) = 1 ORDER BY id DESC LIMIT 2"
    with engine.begin() as connection:
        (one, his), (other, hers) = connection.execute(sa.text(people)).all()
        for person, email in ((one, hers), (other, his)):
            change = sa.text("UPDATE people SET email = :email WHERE id = :id")
            connection.execute(change, {"email": email, "id": person})
    engine.dispose()


def _rewrite(acme: Acme, before: str, after: str) -> None:
    text = acme.pair.read_text(encoding="utf-8")
    assert before in text
    acme.pair.write_text(text.replace(before, after, 1), encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_json_and_history_are_the_same(runs: dict[str, Surfaces], kind: str) -> None:
    """`history` has the report's own totals, and shows them as they are."""
    of = runs[kind]
    totals = of.document["totals"]
    assert of.history["totals"] == totals
    assert of.history["seconds"] == of.document["seconds"]
    shown = {
        "writes planned": totals["planned"]["writes"],
        "done": totals["done"]["writes"],
        "failed": totals["failed"],
        "questions": totals["questions"],
    }
    for name, count in shown.items():
        assert f"{name} {count:,}" in of.past


@pytest.mark.parametrize("kind", KINDS)
def test_the_totals_are_the_entities_and_the_changes(runs: dict[str, Surfaces], kind: str) -> None:
    """What is counted of the run is the sum of its entities' figures, and what its list of changes has."""
    of = runs[kind]
    records = [row for name, row in of.document["entities"].items() if name != "tag"]
    for name in RECORDS:
        assert of.shown[name] == sum(row[name] for row in records)
    tags = of.document["entities"]["tag"]
    assert (of.shown["tags_added"], of.shown["tags_removed"]) == (tags["creates"], tags["deletes"])
    statuses = Counter(
        change["status"]
        for change in of.document["changes"]
        if change["kind"] not in ("adopt", "forget")
    )
    assert of.document["totals"]["planned"]["writes"] == statuses.total()
    assert of.document["totals"]["done"]["writes"] == statuses["done"] + statuses["value_dropped"]
    assert of.document["totals"]["questions"] == len(of.document["holds"])


def test_a_record_that_is_written_twice_is_one_record(runs: dict[str, Surfaces]) -> None:
    """Two people exchange a value that nobody may share: two records updated, in three writes, and each surface says which it counts."""
    of = runs["twice"]
    done = of.document["totals"]["done"]
    assert (done["updates"], done["writes"]) == (2, 3)
    assert "2 contacts updated" in of.document["verdict"]["sentences"][0]
    assert "Contacts in GHL: 2 updated, in 3 writes" in of.terminal
    assert "2 updated" in of.past
    assert "writes planned 3" in of.past
    assert "3 writes in all" in of.text("report.html")
    assert "writes planned **3**" in of.text("report.md")


@pytest.mark.parametrize("kind", KINDS)
def test_the_terminal_shows_the_same_figures(runs: dict[str, Surfaces], kind: str) -> None:
    """The table and the headings of a terminal have the figures of the JSON."""
    of = runs[kind]
    headings: Counter[str] = Counter()
    for tags, count, verb in _GROUP.findall(of.terminal):
        name = _NAMES.get(verb.removesuffix("d"), _NAMES.get(verb, ""))
        if tags:
            name = "tags_added" if "add" in tags else "tags_removed"
        headings[name] += int(count.replace(",", ""))
    for name in (*RECORDS, "tags_added", "tags_removed"):
        assert headings[name] == of.shown[name], name
    if of.shown["creates"]:
        assert _column(of) == of.shown["creates"]


def _column(of: Surfaces) -> int:
    """The sum of the terminal's column of creates."""
    name = "created" if of.document["applied"] else "to create"
    table = [re.split(r"\s{2,}", line.strip()) for line in of.terminal.splitlines()]
    heads = next(row for row in table if row[0] == name or name in row[1:])
    at = 1 + heads.index(name)
    rows = [row for row in table if row[0] in ("contacts", "tasks", "notes")]
    return sum(int(row[at].replace("·", "0")) for row in rows)


_TILE = re.compile(
    r'<li class="tile[^"]*"><a[^>]*>\s*<b>([\d,]+)</b><span>([^<]+)</span><small>([^<]*)</small>'
)
_VERBS = {
    "created": ("creates",),
    "updated": ("updates",),
    "deleted": ("deletes",),
    "linked": ("links",),
    "tag changes": ("tags_added", "tags_removed"),
}
_MOODS = {"planned": "to be", "refused": "would be", "audit": "would be"}


def _count(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_shows_the_same_figures(runs: dict[str, Surfaces], kind: str) -> None:
    """The page's cards are the totals, in words that tell done from planned; what was done in part says of how many."""
    of = runs[kind]
    totals = of.document["totals"]
    tiles = {
        label: (_count(value), detail)
        for value, label, detail in _TILE.findall(of.text("report.html"))
    }
    for verb, names in _VERBS.items():
        due = verb + " made" if verb == "tag changes" else verb
        mood = _MOODS.get(of.document["state"])
        label = due.replace(due.split()[-1], f"{mood} {due.split()[-1]}") if mood else verb
        expected = sum(of.shown[name] for name in names)
        value, detail = tiles.get(label, (0, ""))
        assert value == expected, label
        assert label in tiles or verb == "linked"
        planned = sum(totals["planned"][name] for name in names)
        assert (f"of {planned:,} planned" in detail) == (not mood and expected < planned)
    assert tiles["to decide"][0] == totals["questions"]
    assert tiles["failed"][0] == totals["failed"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_charts_and_the_statement_show_the_same_figures(
    runs: dict[str, Surfaces], kind: str
) -> None:
    """The last column of each chart is this run; what it planned and did not do stands apart; each class has the statement's count."""
    of = runs[kind]
    totals, html = of.document["totals"], of.text("report.html")
    done = totals["done"]
    charts = dict(re.findall(r'<article class="card trend"><h3>([^<]+)</h3>(<svg.*?</svg>)', html))
    if len(of.document["trends"]) > 1 and totals["planned"]["writes"]:
        last = re.findall(r"<title>[^<]*: ([^<:]*)</title>", charts["Changes a run"])[-1]
        drawn = {
            name: _count(value) for name, value in re.findall(r"([a-z, ]+?) ([\d,]+)(?:, |$)", last)
        }
        assert drawn == {
            "created": done["creates"],
            "updated": done["updates"],
            "deleted": done["deletes"],
            "tag changes": done["tags_added"] + done["tags_removed"],
            "planned, not written": totals["planned"]["writes"] - done["writes"],
        }
    requests = sum(used["requests"] for used in of.document["usage"].values() if used["metered"])
    if "Requests" in charts:
        assert re.findall(r"requests ([\d,]+)</title>", charts["Requests"])[-1] == f"{requests:,}"
    assert of.document["trends"][-1]["requests"] == requests
    accounts = [side for each in of.document["statement"]["entities"] for side in each["sides"]]
    for each in of.document["statement"]["classes"]:
        numbers = [account["classes"].get(each["name"], 0) for account in accounts]
        if any(numbers):
            row = html.partition(f"</i>{each['label']}</th>")[2].partition('<td class="text">')[0]
            assert [_count(number) for number in re.findall(r">([\d,]+)</td>", row)] == numbers


@pytest.mark.parametrize("kind", KINDS)
def test_the_workbook_shows_the_same_figures(runs: dict[str, Surfaces], kind: str) -> None:
    """The summary has the totals, and each sheet lists as many records as they say."""
    of = runs[kind]
    totals, applied = of.document["totals"], of.document["applied"]
    book = openpyxl.load_workbook(of.folder / "report.xlsx", read_only=True)
    rows = {name: list(book[name].iter_rows(values_only=True))[1:] for name in book.sheetnames}
    book.close()
    summary = {row[1]: row[2] for row in rows["Summary"] if not row[0]}
    for state in ("planned", "done"):
        assert summary[f"{state}: writes, all in all"] == totals[state]["writes"]
        assert summary[f"{state}: records created"] == totals[state]["creates"]
        assert summary[f"{state}: records deleted"] == totals[state]["deletes"]
    assert [summary[name] for name in ("failed", "left", "questions")] == [
        totals[name] for name in ("failed", "left", "questions")
    ]
    # An update has a row for each field; keys and reason tell which.
    sheets = {"create": "creates", "update": "updates", "delete": "deletes", "link": "links"}
    for verb, name in sheets.items():
        sheet = f"{verb}d".replace("linkd", "linked").capitalize() if applied else f"To {verb}"
        records = {(*row[:6], row[-1] if verb == "create" else "") for row in rows[sheet]}
        assert len(records) == of.shown[name], sheet
    assert len(rows["Decisions"]) == totals["questions"]


@pytest.mark.parametrize("kind", KINDS)
def test_prefect_is_shown_the_same_figures(runs: dict[str, Surfaces], kind: str) -> None:
    """The statement's first line has the totals; the tables are called by them."""
    of = runs[kind]
    totals = of.document["totals"]
    figures = re.findall(r"(planned|done|failed|questions) \*\*([\d,]+)\*\*", of.text("report.md"))
    assert {name: _count(value) for name, value in figures} == {
        "planned": totals["planned"]["writes"],
        "done": totals["done"]["writes"],
        "failed": totals["failed"],
        "questions": totals["questions"],
    }
    questions, failures = shown("acme", of.document)
    assert _count(questions.description.split()[1]) == totals["questions"] == len(questions.rows)
    assert failures.description == (
        f"acme: {totals['failed']:,} failed, {totals['left']:,} left for the next run"
    )


def test_planned_refused_and_done_are_told_apart(runs: dict[str, Surfaces]) -> None:
    """What was refused or only looked at did nothing; what failed in the middle did a part; what is quiet planned nothing."""
    done = {kind: of.document["totals"]["done"]["writes"] for kind, of in runs.items()}
    planned = {kind: of.document["totals"]["planned"]["writes"] for kind, of in runs.items()}
    assert done["refused"] == done["audit"] == done["quiet"] == planned["quiet"] == 0
    assert planned["refused"] > 0
    assert 0 < done["failed in the middle"] < planned["failed in the middle"]
    assert done["first"] == planned["first"] > 0
    assert done["migration"] > 0
