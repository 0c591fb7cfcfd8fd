"""What a run shows in Prefect while it goes on and afterwards.

Progress, tables of what is held and what failed, the way to the report.
"""

from __future__ import annotations

import contextlib
import platform
import shlex
from collections.abc import Callable
from collections.abc import Mapping as Map
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from flows.config import Pair
from flows.outcome.tell import Told
from flows.state.leases import release_dead
from reconcile.model import Side
from reconcile.report.changes import FAILED
from reconcile.report.mask import masked
from reconcile.report.totals import totals_of
from reconcile.report.verdict import many

LISTED = 200
"""Rows of a table in Prefect: its page shows them all at once."""

Do = Callable[..., Any]


def key_of(kind: str, pair: Pair) -> str:
    """An artifact's key: lower-case letters, digits and dashes, which is all that Prefect takes."""
    letters = [letter if letter.isalnum() else "-" for letter in pair.name.lower()]
    return f"{kind}-{''.join(letters)}"


class Watched:
    """Carries out steps like `do`, and moves a progress artifact between the chunks.

    Never inside one.

    Prefect's server may be gone by then: what is shown must not stop what is done.
    """

    def __init__(self, do: Do, pair: Pair) -> None:
        self._do = do
        self._pair = pair
        self._due = self._done = 0
        self._artifact: UUID | None = None

    def __call__(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """Carry out a step."""
        result = self._do(step, *arguments)
        with contextlib.suppress(Exception):  # a picture of the work, not the work
            self._show(step.__name__, arguments, result)
        return result

    def _show(self, name: str, arguments: tuple[Any, ...], result: Any) -> None:
        if name in ("make_plan", "take_over"):
            self._due = result.writes
        elif name == "begin_apply" and self._due:
            words = f"{self._pair.name}: {self._due} writes"
            self._artifact = cast(
                "UUID",
                create_progress_artifact(
                    0.0, key=key_of("progress", self._pair), description=words
                ),
            )
        elif name == "apply" and self._artifact is not None:
            self._done += len(arguments[1])
            update_progress_artifact(self._artifact, min(100.0, 100.0 * self._done / self._due))


@dataclass(frozen=True, slots=True)
class Shown:
    """An artifact as Prefect gets it: its kind in the key, the words above it, its rows."""

    kind: str
    description: str
    rows: list[dict[str, Any]]


def shown(pair: str, report: Map[str, Any]) -> list[Shown]:
    """What is asked and what failed, by the names of the records.

    Every value of a person is masked.

    `report` is the run's. The figures are its totals; the lists end at LISTED rows, and say so.
    """
    document, totals = masked(report), totals_of(report)
    holds = [
        {
            "question": hold["hold_id"],
            "record": f"{hold['entity']} {hold['label']}",
            "field": hold["field"],
            "the app": hold["values"].get("app"),
            "GHL": hold["values"].get("ghl"),
            "why": hold["because"],
            "days": hold["age_days"],
        }
        for hold in document["holds"]
    ]
    failed = [
        {
            "what": f"{change['kind'].replace('_', ' ')} {change['entity']}",
            "record": change["label"],
            "in": Side(change["side"]).label,
            "outcome": change["status"].replace("_", " "),
            "code": change["code"],
            "why": change["detail"] or change["because"],
        }
        for change in document["changes"]
        if change["status"] in FAILED
    ]
    words = f"{totals['failed']:,} failed, {totals['left']:,} left for the next run"
    return [
        Shown("holds", f"{pair}: {many(totals['questions'], 'question')}", _first(holds)),
        Shown("failures", f"{pair}: {words}", _first(failed)),
    ]


def _first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    more = len(rows) - LISTED
    if more <= 0:
        return rows
    first_column, *_ = rows[0]
    last = dict.fromkeys(rows[0], "")
    last[first_column] = f"and {more:,} more in the report"
    return [*rows[:LISTED], last]


def called(pair: str, report: Map[str, Any]) -> str:
    """What a run is called once it is over.

    Its pair, its job, the verdict, and how many questions wait. No record is named.
    """
    said = f"{pair} {report['job']}: {report['verdict']['headline']}"
    questions = totals_of(report)["questions"]
    # Where nothing else is to be said the verdict counts them itself.
    if questions and report["verdict"]["code"] != "holds":
        said += f", {many(questions, 'question')}"
    return said


def rename(pair: Pair, result: Told) -> None:
    """Call the run in Prefect's lists by what it came to."""
    if flow_run.id:
        with get_client(sync_client=True) as client:
            client.update_flow_run(UUID(str(flow_run.id)), name=called(pair.name, result.document))


def tables(pair: Pair, result: Told) -> None:
    """What is held and what failed, without a person's values, and where the report lies."""
    for each in shown(pair.name, result.document):
        create_table_artifact(each.rows, key=key_of(each.kind, pair), description=each.description)
    if pair.report_url is not None:
        create_link_artifact(
            link_of(pair.report_url, result),
            link_text=called(pair.name, result.document),
            key=key_of("report", pair),
            description=f"{pair.name}: the whole report",
        )
    elif "html" in result.paths:
        create_markdown_artifact(
            where(pair.path, result),
            key=key_of("report", pair),
            description=f"{pair.name}: where the whole report lies",
        )


def link_of(pattern: str, result: Told) -> str:
    """The address of the whole report, where a web server shows the store's."""
    return pattern.replace("{run}", quote(str(result.document["run_id"]), safe=""))


def where(pair: Path, result: Told) -> str:
    """Where the whole report lies, and how to open it.

    A browser follows no link from a server to a file.
    """
    run_id = result.document["run_id"]
    return (
        "The whole report has people's values, so it is not kept in Prefect. "
        f"On the machine of the worker ({platform.node()}) it is the file\n\n    "
        f"{result.paths['html'].absolute()}\n\nand wherever the pair file is, this shows it and "
        "says where it lies:\n\n"
        f"    ghl-reconcile report {run_id} --pair {shlex.quote(str(pair))}\n"
    )


# Prefect calls hooks by these very names of their arguments; under a worker, others fail without a
# word.
def let_go(flow: Any, flow_run: Any, state: Any) -> None:  # noqa: ARG001 - see above
    """After a crash or a cancellation: give back the lease of the process that is gone.

    The journal knows the rest.
    """
    pair = (flow_run.parameters or {}).get("pair")
    if isinstance(pair, str):
        release_dead(Path(pair))
