"""The audit: both sides read whole and reported on, with contacts that are probably one.

Nothing is written to either.
"""

from __future__ import annotations

from flows.jobs.full import Whole
from flows.steps import suggestions
from flows.steps.agendas import read_agendas

AUDIT = Whole(
    name="audit",
    suggests=True,
    writes=False,
    unwritten=(suggestions.keep, read_agendas),
    ends="audit",
)
