"""Files of a run that somebody changed, added or took away: no plan of them is applied, and no archive or report of them is believed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.config import load
from flows.opening import open_run
from flows.run import Options
from flows.state.imprints import drop, take, trusted
from flows.state.stores import runs_folder
from reconcile.errors import StateError
from reconcile.ledger.ledger import Ledger
from reconcile.plan import planfile
from tests.flows.acme import Acme, Night
from tests.flows.calls import Said, say


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Acme:
    """A world with nothing done in it yet."""
    return Acme.made(tmp_path_factory.mktemp("forged") / "acme", contacts=44)


@pytest.fixture(scope="module")
def planned(acme: Acme) -> Night:
    """A plan that waits."""
    return acme.run(job="plan")


def folder_of(acme: Acme, night: Night) -> Path:
    return runs_folder(load(acme.pair)) / str(night.told.document["run_id"])


def digest_of(night: Night) -> str:
    return str(night.told.document["provenance"]["plan_digest"])


def apply(acme: Acme, digest: str) -> None:
    """As far as `apply DIGEST` comes before it reads a side."""
    with open_run(load(acme.pair), Options("apply"), plan_digest=digest):
        pass


def refused(acme: Acme, digest: str) -> StateError | None:
    """Why the plan is not even opened; None where it is."""
    try:
        apply(acme, digest)
    except StateError as error:
        return error
    return None


def forgeries(folder: Path) -> Iterator[tuple[str, Path, bytes | None]]:
    """What somebody may do to a plan that waits, each with the file and what it then holds (None: it is gone)."""
    plan = folder / "plan.jsonl"
    text = plan.read_bytes()
    head, _, body = text.partition(b"\n")
    members = json.loads(head)
    for member in ("estimates", "run_id", "digest", "groups", "holds"):
        other = {
            **members,
            "plan": {
                **members["plan"],
                member: {"digest": "0" * 16, "run_id": "r"}.get(member, {}),
            },
        }
        yield f"head: {member}", plan, json.dumps(other).encode() + b"\n" + body
    for at in range(0, len(text), max(1, len(text) // 12)):
        yield f"byte {at}", plan, text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]
    yield "body gone", plan, head + b"\n"
    stage = (folder / "stage.duckdb").read_bytes()
    for at in (4096, len(stage) // 2, len(stage) - 1):
        yield (
            f"stage byte {at}",
            folder / "stage.duckdb",
            stage[:at] + bytes([stage[at] ^ 1]) + stage[at + 1 :],
        )
    yield "a log beside the stage", folder / "stage.duckdb.wal", b"x"
    yield "stage gone", folder / "stage.duckdb", None
    yield "plan gone", plan, None
    yield "a table more", folder / "grave.parquet", b"PAR1"
    parquet = min(folder.glob("*.parquet"))
    yield "a table changed", parquet, parquet.read_bytes()[:-1] + b"?"
    yield "a table gone", parquet, None
    yield (
        "another report",
        folder / "report.json",
        (folder / "report.json").read_bytes().replace(b"{", b"{ ", 1),
    )


def test_no_forged_plan_is_applied(acme: Acme, planned: Night) -> None:
    """Any byte of its head, body, stage or archive, under the digest that was approved: refused by its file, before any is opened."""
    folder, digest = folder_of(acme, planned), digest_of(planned)
    apply(acme, digest)
    passed = []
    for what, path, content in forgeries(folder):
        before = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        if (refusal := refused(acme, digest)) is None or refusal.code != "FORGED":
            passed.append((what, refusal))
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)
    assert passed == []
    apply(acme, digest)


def test_a_digest_made_anew_does_not_help(acme: Acme, planned: Night) -> None:
    """A plan that was changed and numbered as its new content wants is no plan of the ledger's, and is not the approved one."""
    folder, digest = folder_of(acme, planned), digest_of(planned)
    plan = folder / "plan.jsonl"
    before = plan.read_bytes()
    lines = before.decode().splitlines()
    head = json.loads(lines[0])
    del lines[1]
    plan.write_text("\n".join([json.dumps(head), *lines[1:]]) + "\n", encoding="utf-8")
    head["plan"]["digest"] = planfile.digest(plan)
    plan.write_text("\n".join([json.dumps(head), *lines[1:]]) + "\n", encoding="utf-8")
    said = [say("apply", name, "--pair", acme.pair) for name in (head["plan"]["digest"], digest)]
    plan.write_bytes(before)
    assert [(each.code, _code(each)) for each in said] == [(3, "NO_PLAN"), (3, "FORGED")]


def _code(said: Said) -> str:
    return said.errors.partition("[")[2].partition("]")[0]


def test_what_is_not_noted_is_read_and_not_applied(acme: Acme, planned: Night) -> None:
    """A run's page may be changed; of a run that nobody noted, as a killed or earlier one, the report is told and no plan applied."""
    folder, digest, pair = folder_of(acme, planned), digest_of(planned), load(acme.pair)
    page = folder / "report.html"
    before = page.read_bytes()
    page.write_bytes(before + b"<!-- by hand -->")
    assert refused(acme, digest) is None
    page.write_bytes(before)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    drop(ledger, folder.name)
    refusal = refused(acme, digest)
    assert refusal is not None
    assert refusal.code == "NO_IMPRINT"
    assert say("report", folder.name, "--pair", acme.pair).code == 0
    take(ledger, folder, stage=True)
    ledger.close()
    assert refused(acme, digest) is None


def test_a_plan_that_was_refused_stays_approvable(acme: Acme, planned: Night) -> None:
    """A limit, or a process that went no further, writes into the stage: the plan is noted once more and is carried out when allowed."""
    digest = digest_of(planned)
    text = acme.pair.read_text(encoding="utf-8")
    assert "max_first_creates = 50" in text
    acme.pair.write_text(
        text.replace("max_first_creates = 50", "max_first_creates = 0"), encoding="utf-8"
    )
    stopped = say("apply", digest, "--pair", acme.pair)
    assert (stopped.code, _code(stopped)) == (3, "LIMIT"), stopped.errors
    done = say(
        "apply", digest, "--pair", acme.pair, "--allow", "first-creates", "--allow", "creates"
    )
    assert done.code < 2, done.errors


def test_no_archive_or_report_of_somebody_elses_is_believed(acme: Acme, planned: Night) -> None:
    """Of a run that was carried out: `report`, `undo`, `explain` and a backtest say that it was changed, and `review` shows none of it."""
    folder = folder_of(acme, planned)
    run_id, pair = folder.name, load(acme.pair)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    assert trusted(pair, ledger, folder) == folder
    report = folder / "report.json"
    before = report.read_bytes()
    report.write_bytes(before.replace(b"settled", b"setlted", 1))
    assert _code(say("report", run_id, "--pair", acme.pair)) == "FORGED"
    assert _code(say("undo", run_id, "--pair", acme.pair)) == "FORGED"
    assert _code(say("review", "--pair", acme.pair)) == "FORGED"
    report.write_bytes(before)
    table = folder / "raw_contact_app.parquet"
    kept = table.read_bytes()
    table.write_bytes((folder / "raw_contact_ghl.parquet").read_bytes())
    assert _code(say("plan", "--backtest", 1, "--pair", acme.pair)) == "FORGED"
    told = say("explain", "contact", "1", "--as-of", "2099-01-01", "--pair", acme.pair)
    assert _code(told) == "FORGED"
    with pytest.raises(StateError, match=r"raw_contact_app\.parquet of run"):
        trusted(pair, ledger, folder)
    table.write_bytes(kept)
    assert say("report", run_id, "--pair", acme.pair).code == 0
    ledger.close()
