"""The error tree: every failure has a stable code.

It says what was expected, what was found, and what to do next.

ReconcileError
├── ConfigError          the pair file or the environment is wrong; holds every Problem found
├── StateError           the ledger, the archive or a plan file cannot be used
│   ├── Locked           another run holds this pair
│   └── StalePlan        the plan no longer fits the ledger or the configuration
├── Refused              a limit stopped the run before anything was written
└── ConnectorError       a side answered with something other than what was asked for
    ├── Duplicate        the record exists already; `.key` names it when the side said so
    ├── NotFound         no such record on that side
    ├── Expired          the credentials are no longer valid
    ├── Forbidden        the credentials lack a scope or a privilege
    ├── WrongLocation    the token belongs to another location
    ├── InvalidField     the side does not accept a value or a property
    │   └── Unnamed      something is not found, and nothing says that it is the record asked for
    ├── Stale            the record is not what the plan expected to find
    ├── Exhausted        a quota is used up; `.until_seconds` says for how long, if known
    │   └── Stopped      the run has to end: its time is over, or somebody asked for it
    ├── Transient        may succeed when repeated (5xx, reset, timeout before the request was sent)
    ├── Blocked          a gateway in front of the side refused the client itself
    ├── Uncertain        the request may or may not have been carried out
    └── Malformed        the side's answer does not have the documented form
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class ReconcileError(Exception):
    """The root of the tree.

    `code` is stable and documented in docs/errors.md; `remedy` is one sentence that says what to do
    next.
    """

    code = "RECONCILE"

    def __init__(self, what: str, *, remedy: str = "", code: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"[{self.code}] {self.what}" + (f" → {self.remedy}" if self.remedy else "")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a file a person wrote: where it is, what it is, what to do."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}\n    → {self.remedy}"


class ConfigError(ReconcileError):
    """The pair file, a secret or a declared table is wrong.

    `problems` holds all that was found, never just the first.
    """

    code = "CONFIG"

    def __init__(self, problems: list[Problem]) -> None:
        count = len(problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the configuration")
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(
            [f"[{self.code}] {self.what}", *(str(problem) for problem in self.problems)]
        )


class StateError(ReconcileError):
    """The ledger, the archive or a plan file cannot be used as it is."""

    code = "STATE"


class Locked(StateError):
    """Another run holds this pair; its lease has not expired."""

    code = "LOCKED"


class StalePlan(StateError):
    """The plan was made from a ledger or a configuration that has changed since."""

    code = "STALE_PLAN"


class Refused(ReconcileError):
    """A limit stopped the run before anything was written.

    `limits` are those that it would go over, as a report lists them.
    """

    code = "REFUSED"

    def __init__(
        self,
        what: str,
        *,
        remedy: str = "",
        code: str | None = None,
        limits: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(what, remedy=remedy, code=code)
        self.limits = tuple(limits)


class ConnectorError(ReconcileError):
    """A side answered with something other than what was asked for.

    `status` is the HTTP status where there is one; `trace_id` is the side's own reference for its
    support.
    """

    code = "CONNECTOR"

    def __init__(
        self,
        what: str,
        *,
        remedy: str = "",
        code: str | None = None,
        status: int | None = None,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(what, remedy=remedy, code=code)
        self.status = status
        self.trace_id = trace_id


class Duplicate(ConnectorError):
    """The record exists already; `key` is its key where the side named it."""

    code = "DUPLICATE"
    key: str | None = None


class NotFound(ConnectorError):
    """No such record on that side."""

    code = "NOT_FOUND"


class Expired(ConnectorError):
    """The credentials are no longer valid and could not be renewed."""

    code = "EXPIRED"


class Forbidden(ConnectorError):
    """The credentials lack a scope or a privilege; renewing them does not help."""

    code = "FORBIDDEN"


class WrongLocation(ConnectorError):
    """The token belongs to another location."""

    code = "WRONG_LOCATION"


class InvalidField(ConnectorError):
    """The side does not accept a value or a property."""

    code = "INVALID_FIELD"


class Unnamed(InvalidField):
    """The side says that something is not found or deleted, but not that it is this record.

    That is no proof that the record is gone.
    """

    code = "UNNAMED"


class Stale(ConnectorError):
    """The record is not what the plan expected to find."""

    code = "STALE"


class Exhausted(ConnectorError):
    """A quota is used up; `until_seconds` says for how long, where that is known."""

    code = "EXHAUSTED"
    until_seconds: float | None = None


class Stopped(Exhausted):
    """The run has to end, so nothing further is sent, waited for or tried again.

    What is left undone is kept.
    """

    code = "STOPPED"


class Transient(ConnectorError):
    """The request was not carried out and may succeed when repeated."""

    code = "TRANSIENT"


class Blocked(ConnectorError):
    """A gateway in front of the side refused the client itself."""

    code = "BLOCKED"


class Uncertain(ConnectorError):
    """The request may or may not have been carried out: look before repeating it."""

    code = "UNCERTAIN"


class Malformed(ConnectorError):
    """The side's answer does not have the documented form."""

    code = "MALFORMED"


EXTRAS = {
    "psycopg": "postgres",
    "pymysql": "mysql",
    "splink": "match",
    "pyarrow": "match",
    "s3fs": "s3",
    "prefect_dask": "dask",
    "prefect_ray": "ray",
}
"""The extra that brings a module which not everybody needs."""


def to_install(module: str) -> str:
    """The command that installs a module: with the extra that brings it, where there is one."""
    extra = EXTRAS.get(module.partition(".")[0])
    if extra:
        return f'pip install "ghl-reconcile[{extra}]"'
    return f"pip install {module}"


def to_open(scheme: str) -> str:
    """What to do where no file system for this kind of URL is installed."""
    if scheme in ("s3", "s3a"):
        return f"install it: {to_install('s3fs')}"
    return f"install the file system that fsspec has for {scheme}://"
