"""What a sandbox is told to be like.

Limits, lag, quirks and faults, from code or from a TOML file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from connectors.ghl.sandbox.faults import Fault, FaultKind
from reconcile.errors import ConfigError, Problem

TokenKind = Literal["pit", "oauth", "agency"]


@dataclass(frozen=True, slots=True)
class Limit:
    """`max` requests in any `window_seconds`, and `daily` requests a UTC day.

    They count per client and location (docs/ghl.md#rate-limits).
    """

    max: int = 100
    window_seconds: float = 10.0
    daily: int = 200_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything switchable. Seconds are seconds; `faults` are rules that are on from the start.

    The defaults are GHL's documented limits and its observed quirks. Where GHL's behaviour is
    unknown (docs/ghl.md), there is a switch and the default is the less convenient reading.
    `refuse_shared_updates`: an update that gives a contact the email or phone of another one is
    refused as a create is, where the location allows no duplicates; so is a move of an opportunity
    into a pipeline in which its contact has one. `replaces_dnd`: an update's
    dndSettings take the place of all channels. `inbound_in_search`: search carries
    inboundDndSettings. `dnd_closes_channels`: `dnd: true` sets every channel to no. `null_clears`,
    `empty_clears`: what blanks a field, of a contact or a company. `wraps_bodies`: texts of tasks
    and notes come back as HTML. `notes_list_max`: how many notes a contact's list shows (0: all).
    `companies_late`: the list of companies trails a write by `lag_seconds`. `unlinks_deleted`: a
    deleted company's contacts lose it. `names_gone`: "not found" names the opportunity
    or appointment. `tasks_show_last`: of the contacts of a task search shows the last one.
    `events_whole`: a calendar shows what begins and ends within what is asked for.
    `keeps_stage_name`: a move that names a pipeline alone ends in its stage of the same name.
    `opportunity_cursor`: the rows of POST /opportunities/search say how to go on.
    """

    pit: Limit = Limit()
    oauth: Limit = Limit()
    agency: Limit = Limit()
    lag_seconds: float = 2.0
    latency_seconds: float = 0.0
    retry_after: bool = False
    allow_duplicates: bool = False
    allow_duplicate_opportunities: bool = False
    refuse_shared_updates: bool = True
    match_order: tuple[str, ...] = ("email", "phone")
    country: str = "US"
    timezone: str = "America/New_York"
    normalise_tags: bool = True
    lower_case_names: bool = True
    lower_case_email: bool = False
    explicit_nulls: bool = True
    older_search: bool = False
    replaces_dnd: bool = True
    inbound_in_search: bool = False
    dnd_closes_channels: bool = False
    null_clears: bool = True
    empty_clears: bool = True
    tags_move_updated: bool = True
    tasks_move_updated: bool = False
    notes_move_updated: bool = False
    wraps_bodies: bool = False
    notes_list_max: int = 0
    companies_late: bool = False
    unlinks_deleted: bool = False
    names_gone: bool = True
    tasks_show_last: bool = False
    events_whole: bool = True
    keeps_stage_name: bool = False
    opportunity_cursor: bool = True
    deleted_tasks_in_search: bool = True
    tasks_page_max: int = 100
    access_token_seconds: int = 86_399
    refresh_grace_seconds: float = 30.0
    refresh_token_seconds: int = 31_536_000
    seed: int | None = None
    faults: tuple[Fault, ...] = ()

    def limit(self, kind: TokenKind) -> Limit:
        """The limit that holds for a kind of token."""
        return {"pit": self.pit, "oauth": self.oauth, "agency": self.agency}[kind]

    @staticmethod
    def load(path: Path) -> Settings:
        """Read settings from TOML.

        Keys are as the fields here, tables are [pit], [oauth], [agency] and [[faults]].

        Raises ConfigError with every problem found, each with its file and key.
        """
        try:
            with path.open("rb") as file:
                raw = tomllib.load(file)
        except OSError as error:
            said = (
                "there is no such file"
                if isinstance(error, FileNotFoundError)
                else f"it cannot be read ({error.strerror})"
            )
            raise ConfigError([Problem(str(path), said, "name an existing TOML file")]) from None
        except (UnicodeDecodeError, RecursionError):
            raise ConfigError(
                [Problem(str(path), "this is not a TOML text", "name a TOML file in UTF-8")]
            ) from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(
                [Problem(str(path), f"not valid TOML: {error}", "mend the syntax there")]
            ) from error
        return _Reader(str(path)).settings(raw)


@dataclass(slots=True)
class _Reader:
    """Collects every problem of one settings file before it refuses it."""

    where: str
    problems: list[Problem] = field(default_factory=list)

    def settings(self, raw: Mapping[str, Any]) -> Settings:
        sample = Settings()
        chosen: dict[str, Any] = {}
        for name, value in raw.items():
            if name in ("pit", "oauth", "agency"):
                chosen[name] = self._record(name, value, Limit())
            elif name == "faults":
                chosen[name] = self._faults(value)
            else:
                chosen |= self._scalar("", name, value, sample)
        if self.problems:
            raise ConfigError(self.problems)
        return Settings(**chosen)

    def _scalar(
        self, prefix: str, name: str, value: Any, sample: Settings | Limit
    ) -> dict[str, Any]:
        known = [item.name for item in fields(sample)]
        if name not in known:
            self._problem(prefix + name, "is not a setting", f"use one of: {', '.join(known)}")
            return {}
        wanted = 0 if name == "seed" else getattr(sample, name)
        if isinstance(wanted, tuple):
            if isinstance(value, list) and value and set(value) <= set(wanted):
                return {name: tuple(value)}
        elif _fits(value, wanted):
            return {name: type(wanted)(value)}
        self._problem(prefix + name, f"is {value!r}", f"give {_describe(wanted)}")
        return {}

    def _record(self, name: str, value: Any, sample: Limit) -> Limit:
        if not isinstance(value, dict):
            self._problem(
                name, f"is {value!r}", "write it as a table with max, window_seconds and daily"
            )
            return sample
        chosen: dict[str, Any] = {}
        for key, item in value.items():
            chosen |= self._scalar(f"{name}.", key, item, sample)
        return Limit(**chosen)

    def _faults(self, rows: Any) -> tuple[Fault, ...]:
        if not isinstance(rows, list):
            self._problem("faults", f"is {rows!r}", "write each fault as a [[faults]] table")
            return ()
        return tuple(
            fault for at, row in enumerate(rows) if (fault := self._fault(f"faults[{at}]", row))
        )

    def _fault(self, name: str, row: Any) -> Fault | None:
        try:
            return Fault.parse(row)
        except (TypeError, ValueError) as error:
            self._problem(name, str(error), f"kinds are: {', '.join(get_args(FaultKind))}")
            return None

    def _problem(self, key: str, what: str, remedy: str) -> None:
        self.problems.append(Problem(f"{self.where}: {key}", what, remedy))


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(wanted, bool)
    if isinstance(wanted, float):
        return isinstance(value, (int, float)) and value >= 0
    if isinstance(value, int) and value < 0:
        return False
    return isinstance(value, type(wanted))


def _describe(wanted: Any) -> str:
    if isinstance(wanted, bool):
        return "true or false"
    if isinstance(wanted, tuple):
        return f"a list of: {', '.join(wanted)}"
    return {int: "a whole number of at least 0", float: "a number of at least 0", str: "a text"}[
        type(wanted)
    ]
