"""What the doctor says: how bad it is, what it is, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from reconcile.errors import ConfigError, ConnectorError


class Level(StrEnum):
    """How bad a finding is: nothing to do, worth knowing, or in the way of a run."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the doctor looked at; `remedy` is empty where all is well."""

    level: Level
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.level}: {self.what}" + (f"\n    → {self.remedy}" if self.remedy else "")


def ok(what: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, what)


def warning(what: str, remedy: str) -> Finding:
    """Worth knowing."""
    return Finding(Level.WARNING, what, remedy)


def error(what: str, remedy: str) -> Finding:
    """In the way of a run."""
    return Finding(Level.ERROR, what, remedy)


def failures(where: str, failed: ConnectorError | ConfigError) -> list[Finding]:
    """The findings that a failing side gives: one per problem."""
    if isinstance(failed, ConfigError):
        return [
            error(f"{problem.where}: {problem.what}", problem.remedy) for problem in failed.problems
        ]
    return [
        error(
            f"{where}: {failed.what} [{failed.code}]",
            failed.remedy or "See the message, then run doctor again.",
        )
    ]


def worst(findings: Iterable[Finding]) -> Level:
    """The worst level among findings."""
    order = list(Level)
    return max((finding.level for finding in findings), key=order.index, default=Level.OK)
