"""Where an audit and a migration look for contacts that are probably one.

A person is asked to say so in `review`.
"""

from __future__ import annotations

import logging

from flows.run import Run
from reconcile.ledger import runs
from reconcile.link import suggestions as suggesting
from reconcile.plan import draft

log = logging.getLogger("flows.steps.suggestions")


def suggest(run: Run) -> None:
    """Hold what neither link nor rule joins and what is probably one all the same.

    A pair without match rules wants none.

    The nightly run only asks again what was found so: it has the day's quota and a person's
    patience to mind.
    """
    for mapped in run.mapping.people():
        if mapped.match:
            why = suggesting.propose(run.stage, mapped)
            links = run.stage.count("SELECT count(*) FROM suggested")
            log.info("suggested", extra={"links": links, "why_not": why})


def keep(run: Run) -> None:
    """Put the suggestions of a run that writes nothing among the open questions.

    It answers and closes none.
    """
    with run.ledger.transaction() as connection:
        suggested = filter(suggesting.is_suggestion, draft.holds(run.stage))
        runs.put_holds(
            run.ledger, connection, suggested, run_id=run.run_id, at=run.clock(), within=frozenset()
        )
