"""The whole job on a small world: nights, plans approved by digest, limits, decisions, other engines and databases."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.demo import Edit, differences, edits, unmet
from flows.demo.pairfile import LOCATION, SANDBOX_FILE
from flows.demo.world import open_sandbox
from reconcile.model import OpKind
from tests.connectors.databases import fresh_database
from tests.flows.acme import Acme, Night, State
from tests.flows.calls import say
from tests.long_forms import tried


@dataclass(frozen=True, slots=True)
class Nights:
    """Three nights with a day of edits after the first, and what was so after the second."""

    nights: list[Night]
    made: list[Edit]
    unmet: list[str]
    differences: list[str]
    state: State
    ends: dict[str, Counter[str]]


def _three_nights(acme: Acme, run: Callable[[], Night]) -> Nights:
    first = run()
    made = edits(acme.folder, acme.pair)
    second = run()
    state = acme.state() if acme.app_url else {}
    ends = acme.ends()
    not_across = unmet(acme.folder, acme.pair, made)
    apart = differences(acme.folder, acme.pair, holds=second.holds)
    return Nights([first, second, run()], made, not_across, apart, state, ends)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    acme = Acme.made(tmp_path_factory.mktemp("nights") / "acme", contacts=40, sales=True)
    return _three_nights(acme, lambda: acme.run(verify="full"))


def test_edits_travel(told: Nights) -> None:
    """After the second night every edit of either side is on both, the conflict excepted, which stands on each side as made."""
    assert len(told.made) >= 15
    assert told.unmet == []


def test_nothing_else_differs(told: Nights) -> None:
    """After the second night the sides differ, by the demo's own reading, in nothing that is not held."""
    assert told.differences == []


def test_conflict_is_held_with_both_values(told: Nights) -> None:
    """The conflict is in the report with both values, and in its text for people."""
    document = told.nights[1].told.document
    values = [
        hold["values"]
        for hold in document["holds"]
        if hold["kind"] == "conflict" and hold["field"] == "city"
    ]
    assert {("Lisboa", "Porto")} <= {(value["app"], value["ghl"]) for value in values}
    text = told.nights[1].told.paths["md"].read_text(encoding="utf-8")
    assert "Lisboa" in text
    assert "Porto" in text


def test_third_night_has_nothing_to_do(told: Nights) -> None:
    """A night without edits plans no operation, and each night is proved by an empty plan from fresh snapshots."""
    assert told.nights[2].operations == []
    assert [night.residual for night in told.nights] == [0, 0, 0]


def test_every_run_tells_its_figures(told: Nights) -> None:
    """The document has, per entity, creates, updates, deletes, conflicts, holds, requests, the estimate and what is left."""
    names = {
        "creates",
        "updates",
        "deletes",
        "conflicts",
        "holds",
        "requests",
        "estimate",
        "residual_operations",
    }
    for night in told.nights:
        assert set(night.told.document["entities"]) == {
            "company",
            "contact",
            "tag",
            "task",
            "note",
            "opportunity",
        }
        assert all(names <= set(row) for row in night.told.document["entities"].values())


def test_engines_agree(told: Nights, prefect: Path, tmp_path: Path) -> None:
    """The run as a Prefect flow ends as the plain one does."""
    from flows.orchestration.engine import run_pair

    acme = Acme.made(tmp_path / "acme", contacts=40, sales=True)
    run_pair(str(acme.pair), verify="none")
    edits(acme.folder, acme.pair)
    run_pair(str(acme.pair), verify="none")
    assert acme.state() == told.state


SCHEMES = {"postgresql": "postgresql", "mariadb": "mysql"}


def _applications(kind: str, folder: Path) -> Iterator[str]:
    """What `demo --app` takes for an application of this kind."""
    if kind not in SCHEMES:
        yield kind
        return
    for url in fresh_database(kind, folder):
        yield f"{SCHEMES[kind]}://{url.split('://', 1)[1]}"


@pytest.mark.parametrize(
    "kind", tried(["postgresql", "mariadb", "rest", "csv"], ["postgresql", "rest"])
)
def test_applications_agree(told: Nights, tmp_path: Path, kind: str) -> None:
    """With a database server, a JSON API or CSV files as the application the end, on both sides, is the same as with SQLite."""
    for app in _applications(kind, tmp_path):
        acme = Acme.made(tmp_path / "acme", contacts=40, app_url=app, sales=True)
        # That the third night plans nothing proves the second one; the nights above were proved by themselves as well.
        nights = _three_nights(acme, lambda made=acme: made.run(verify="none"))  # type: ignore[misc]
        assert nights.unmet == []
        assert nights.differences == []
        assert nights.nights[2].operations == []
        assert nights.ends == told.ends
        assert nights.state in ({}, told.state)
        assert [_questions(night) for night in nights.nights] == [
            _questions(night) for night in told.nights
        ]


def _questions(night: Night) -> list[tuple[str, str, str | None]]:
    return sorted((hold.kind, hold.subject, hold.field) for hold in night.holds)


# after the first night -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Acme, Path]:
    folder = tmp_path_factory.mktemp("settled")
    acme = Acme.settled(folder / "acme", sales=True)
    shutil.copytree(acme.folder, folder / "kept")
    return acme, folder / "kept"


@pytest.fixture
def acme(settled: tuple[Acme, Path]) -> Iterator[Acme]:
    """A world after its first night."""
    world, kept = settled
    yield world
    world.replaced_by(kept)


def _planned(acme: Acme) -> str:
    said = say("plan", "--pair", acme.pair, "--json")
    assert said.code in (0, 1), said.errors
    return str(said.document["provenance"]["plan_digest"])


def _apply(acme: Acme, digest: str, *more: str) -> Any:
    return say("apply", digest, "--pair", acme.pair, "--verify", "none", "--json", *more)


@dataclass(frozen=True, slots=True)
class Drafted:
    """A plan of a day's edits: its digest, what both sides held before and after it was made, and a copy of the world."""

    made: list[Edit]
    digest: str
    before: State
    after: State
    copy: Path


@pytest.fixture(scope="module")
def drafted(settled: tuple[Acme, Path]) -> Drafted:
    acme, kept = settled
    made = edits(acme.folder, acme.pair)
    before = acme.state()
    digest = _planned(acme)
    copy = kept.with_name("planned")
    shutil.copytree(acme.folder, copy)
    after = acme.state()
    acme.replaced_by(kept)
    return Drafted(made, digest, before, after, copy)


@pytest.fixture
def digest(acme: Acme, drafted: Drafted) -> str:
    """A plan of the world, which is put in the place of the one after its first night."""
    acme.replaced_by(drafted.copy)
    return drafted.digest


def test_apply_by_digest(acme: Acme, drafted: Drafted, digest: str) -> None:
    """A plan is made by one call and carried out by another, exactly; carrying it out again is refused."""
    assert drafted.after == drafted.before
    said = _apply(acme, digest)
    assert said.code == 1, said.errors
    assert unmet(acme.folder, acme.pair, drafted.made) == []
    assert said.document["provenance"]["plan_digest"] == digest
    again = _apply(acme, digest)
    assert (again.code, again.document["exit_code"]) == (3, 3)
    assert "PLAN_USED" in again.errors


def _somebody_else_runs(acme: Acme, digest: str) -> None:
    with open_sandbox(acme.folder / SANDBOX_FILE) as sandbox:
        sandbox.edit_contact(next(_linked(acme)), website="https://example.org", state="ME")
    acme.run(verify="none")


def _pair_file_changes(acme: Acme, digest: str) -> None:
    text = acme.pair.read_text(encoding="utf-8")
    acme.pair.write_text(text.replace('company = "companyName"\n', ""), encoding="utf-8")


def _plan_file_changes(acme: Acme, digest: str) -> None:
    (path,) = (
        each
        for each in acme.folder.rglob("plan.jsonl")
        if digest in each.read_text(encoding="utf-8")
    )
    path.write_text(path.read_text(encoding="utf-8").replace("Recife", "Olinda"), encoding="utf-8")


def _its_run_was_killed(acme: Acme, digest: str) -> None:
    (path,) = (
        each
        for each in acme.folder.rglob("plan.jsonl")
        if digest in each.read_text(encoding="utf-8")
    )
    path.with_name("stage.duckdb").unlink()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_somebody_else_runs, "STALE_PLAN"),
        (_pair_file_changes, "STALE_PLAN"),
        (_plan_file_changes, "FORGED"),
        (_its_run_was_killed, "FORGED"),
    ],
)
def test_stale_plan_is_refused(
    acme: Acme, digest: str, change: Callable[[Acme, str], None], code: str
) -> None:
    """A plan is refused, with nothing written, once another run settled, or it, the pair file or what it was made from is not as it was."""
    change(acme, digest)
    before = acme.state()
    said = _apply(acme, digest)
    assert (said.code, said.document["exit_code"]) == (3, 3)
    assert code in said.errors
    assert acme.state() == before


def test_unknown_plan_is_refused(acme: Acme) -> None:
    """A digest that no plan has is refused with what to do."""
    said = _apply(acme, "0123456789abcdef")
    assert said.code == 3
    assert "NO_PLAN" in said.errors


def test_limits_refuse_and_allow(tmp_path: Path) -> None:
    """A plan over a limit is refused whole, by `run` and by `apply`, with the limit's name; `--allow NAME` lets it pass."""
    acme = Acme.made(tmp_path / "acme", contacts=40)
    text = acme.pair.read_text(encoding="utf-8")
    acme.pair.write_text(
        text.replace("max_first_creates = 50", "max_first_creates = 2"), encoding="utf-8"
    )
    before = acme.state()
    refused = say("run", "--pair", acme.pair, "--engine", "local", "--verify", "none", "--json")
    assert (refused.code, refused.document["exit_code"]) == (3, 3)
    assert "--allow first-creates" in refused.errors
    digest = _planned(acme)
    by_digest = _apply(acme, digest)
    assert (by_digest.code, by_digest.document["exit_code"]) == (3, 3)
    assert "--allow first-creates" in by_digest.errors
    assert acme.state() == before
    allowed = _apply(acme, digest, "--allow", "first-creates")
    assert allowed.code == 1, allowed.errors
    assert acme.state() != before


# decisions ---------------------------------------------------------------------------------------------------------------


def _decide(acme: Acme, hold_id: str, choice: str) -> None:
    said = say(
        "review",
        hold_id,
        choice,
        "--pair",
        acme.pair,
        "--by",
        "Kim",
        "--reason",
        "asked them",
        "--json",
    )
    assert said.code in (0, 1), said.errors
    assert (said.document["answers"], said.document["choice"]) == (1, choice)
    listed = say("review", "--pair", acme.pair, "--json").document
    assert next(row for row in listed if row["hold_id"] == hold_id)["decision"] == choice


def _contacts(acme: Acme) -> dict[str, dict[str, Any]]:
    with open_sandbox(acme.folder / SANDBOX_FILE) as sandbox:
        return {row["id"]: row for row in sandbox.contacts(LOCATION)}


def test_decisions_are_carried_out(acme: Acme) -> None:
    """The next run applies what was decided: a conflict's winner, a link, a create, and what was left alone stays."""
    listed = say("review", "--pair", acme.pair, "--json").document
    conflicts = [row for row in listed if row["kind"] == "conflict" and row["field"] == "city"]
    ambiguous = [
        row
        for row in listed
        if row["kind"] == "ambiguous" and any("link:" in o for o in row["options"])
    ]
    to_app, to_ghl, left = conflicts[0], conflicts[1], ambiguous[1]
    linked = next(option for option in ambiguous[0]["options"] if option.startswith("link:"))
    lonely = next(row for row in listed if row["kind"] == "duplicate" and row["side"] == "app")
    for row, choice in (
        (to_app, "app"),
        (to_ghl, "ghl"),
        (ambiguous[0], linked),
        (left, "ignore"),
        (lonely, "create"),
    ):
        _decide(acme, row["hold_id"], choice)
    night = acme.run(verify="full")
    assert night.residual == 0
    assert _contacts(acme)[to_app["ghl_key"]]["city"] == to_app["values"]["app"]
    kinds = {(o.kind, o.side, o.link_id) for o in night.operations}
    assert {(OpKind.UPDATE, "ghl"), (OpKind.UPDATE, "app")} <= {
        (kind, side) for kind, side, _ in kinds
    }
    adopted = {(o.source_key, o.key) for o in night.operations if o.kind is OpKind.ADOPT}
    assert (ambiguous[0]["app_key"], linked.removeprefix("link:")) in adopted
    assert lonely["app_key"] in {o.source_key for o in night.operations if o.kind is OpKind.CREATE}
    still = {hold.hold_id for hold in night.holds}
    assert not still & {row["hold_id"] for row in (to_app, to_ghl, ambiguous[0], left, lonely)}
    assert acme.run(verify="none").operations == []


def test_held_delete_is_decided(acme: Acme) -> None:
    """A contact deleted in GHL is held; `delete` takes it from the app too, `restore` makes it anew, `keep` leaves it be."""
    names = list(_linked(acme))[:3]
    with open_sandbox(acme.folder / SANDBOX_FILE) as sandbox:
        for key in names:
            sandbox.delete_contact(key)
    held = {hold.ghl_key: hold for hold in acme.run(verify="none").holds if hold.kind == "delete"}
    assert set(names) <= set(held)
    for key, choice in zip(names, ("delete", "restore", "keep"), strict=True):
        _decide(acme, held[key].hold_id, choice)
    night = acme.run(verify="full")
    assert night.residual == 0
    people = {(o.kind, o.side): o for o in night.operations if o.entity == "contact"}
    deleted = people.get((OpKind.DELETE, "app")) or people[OpKind.ARCHIVE, "app"]
    assert deleted.key == held[names[0]].app_key
    assert people[OpKind.CREATE, "ghl"].source_key == held[names[1]].app_key
    assert acme.run(verify="none").operations == []


def _linked(acme: Acme) -> Iterator[str]:
    """GHL keys of people who are linked and have nothing open."""
    from flows.demo.compare import agreed
    from flows.demo.seen import opened

    with opened(acme.folder, acme.pair, None) as ends:
        for _, ghl in agreed(ends):
            yield ghl.key
