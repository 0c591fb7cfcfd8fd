"""What a run shows in Prefect while it goes on and afterwards: progress, tables of what is held and what failed, the way to the report."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from flows.config import Pair
from flows.outcome.tell import Told
from flows.state.leases import release_dead
from reconcile.report.mask import masked

Do = Callable[..., Any]


def key_of(kind: str, pair: Pair) -> str:
    """An artifact's key: lower-case letters, digits and dashes, which is all that Prefect takes."""
    return f"{kind}-" + "".join(letter if letter.isalnum() else "-" for letter in pair.name.lower())


class Watched:
    """Carries out steps like `do`, and moves a progress artifact between the chunks; never inside one.

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


def tables(pair: Pair, told: Told) -> None:
    """What is held and what failed, without a person's values, and a link to the report."""
    document = masked(told.document)
    holds = [
        {name: hold.get(name) for name in ("hold_id", "kind", "entity", "field", "because")}
        for hold in document["holds"]
    ]
    create_table_artifact(
        holds, key=key_of("holds", pair), description=f"{pair.name}: {len(holds)} questions"
    )
    failed = [
        {name: change.get(name) for name in ("op_id", "kind", "entity", "side", "status", "code")}
        for change in document["changes"]
        if change["status"] not in ("done", "planned")
    ]
    create_table_artifact(
        failed, key=key_of("failures", pair), description=f"{pair.name}: {len(failed)} failures"
    )
    if "html" in told.paths:
        create_link_artifact(
            told.paths["html"].absolute().as_uri(),
            key=key_of("report", pair),
            link_text="the report",
        )


# Prefect calls hooks by these very names of their arguments; under a worker, others fail without a word.
def let_go(flow: Any, flow_run: Any, state: Any) -> None:  # noqa: ARG001 - see above
    """After a crash or a cancellation: give back the lease of the process that is gone. The journal knows the rest."""
    pair = (flow_run.parameters or {}).get("pair")
    if isinstance(pair, str):
        release_dead(Path(pair))
