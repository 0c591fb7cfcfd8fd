"""The audit: both sides read whole and reported on, with contacts that are probably one; nothing is written to either."""

from __future__ import annotations

from flows.jobs.full import Whole
from flows.steps import suggestions
from flows.steps.appointments import read_appointments

AUDIT = Whole(
    name="audit",
    suggests=True,
    writes=False,
    unwritten=(suggestions.keep, read_appointments),
    ends="audit",
)
