"""What a run came to, with its report as frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ghl_reconcile import frames

if TYPE_CHECKING:
    import pandas as pd

    from flows.outcome.tell import Told


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to.

    `run_id` names it, `job` says what it was: plan, apply, nightly, audit, delta, migrate, undo.
    `state` is settled, planned, stopped, refused, failed or audit. `exit_code` is that of the
    command: 0 both sides agree, 1 questions wait or values are apart, 2 something failed, 3 refused
    or come to nothing. `digest` is the plan's name, which `Pair.apply` takes; None where there is
    no plan. `document` is the whole report, as report.json has it (its schema is
    docs/report.schema.json). `page` is where the report for people lies, None where it is gone.

    Frames are made when they are asked for, and hold people's values, as the report does. Values
    are canonical text: a telephone number as `+351912345678`, a date as `2026-01-31`, a set as a
    JSON list; `<NA>` is blank. Moments are in UTC.
    """

    run_id: str
    job: str
    state: str
    exit_code: int
    document: Mapping[str, Any]
    page: Path | None = None

    @property
    def digest(self) -> str | None:
        """The plan's digest: what `Pair.apply` takes."""
        digest: str | None = self.document["provenance"]["plan_digest"]
        return digest

    @property
    def agrees(self) -> bool:
        """Whether both sides are known to agree in every mapped value but for declared rules."""
        return bool(self.document["values"]["agree"])

    @property
    def headline(self) -> str:
        """The verdict in one sentence, as the report begins."""
        return str(self.document["verdict"]["headline"])

    @property
    def entries(self) -> pd.DataFrame:
        """One row for each operation of the plan, in its order, with what became of it.

        `kind` is create, update, complete, add_tags, remove_tags, archive, delete, adopt or forget;
        `side` is the one that is written to; `label` names the record and `under` the contact that
        it hangs on; `risk` is low or high; `status` is planned, done, rejected, stale, uncertain or
        skipped, with the side's `code`, `detail` and `trace_id`. `op_id` joins `changes`.
        """
        return frames.frame(self._named("changes"), frames.ENTRIES)

    @property
    def changes(self) -> pd.DataFrame:
        """One row for each field that an operation changes, with the values `before` and `after`.

        `stored` is what the side keeps where that is another value than it was sent. `op_id` joins
        `entries`.
        """
        return frames.frame(self._fields(), frames.CHANGES)

    @property
    def statement(self) -> pd.DataFrame:
        """One row for each entity and side: records, counted.

        Each side's `rows`, less those without a counterpart, plus those that the run `created` or
        `met` and those `unread`, is `adjusted`, which equals `linked` on both sides where the
        statement balances. `unexplained` has to be 0.
        """
        return frames.frame(self._sides(), frames.STATEMENT)

    @property
    def agreement(self) -> pd.DataFrame:
        """One row for each entity and class of values: how many mapped `values` are in it.

        A class without values has no row. The classes are equal, carried, by_rule, held,
        unreadable, pending, rejected, dropped, not_read and unexplained.
        """
        return frames.frame(self._classes(), frames.AGREEMENT)

    @property
    def values(self) -> pd.DataFrame:
        """One row for each value that is neither equal nor carried, the most urgent first.

        At most 5,000. `class` and `because` say why, `app` and `ghl` are what each side holds. A
        missing `field` means every value of the record.
        """
        return frames.frame(self._listed(), frames.VALUES)

    @property
    def questions(self) -> pd.DataFrame:
        """One row for each question for a person, the oldest first.

        `app`, `ghl`, `base_app` and `base_ghl` are the values now and when both last agreed, of a
        question about a value. `choices` is a list of the answers that are offered, empty where the
        value has to be corrected at its source. `age_days` are whole days since it was `opened`.
        """
        return frames.frame(self._questions(), frames.QUESTIONS)

    def _named(self, member: str) -> Iterator[dict[str, Any]]:
        for each in self.document[member]:
            yield {"run_id": self.run_id, **each}

    def _fields(self) -> Iterator[dict[str, Any]]:
        for entry in self._named("changes"):
            yield from (entry | field for field in entry["fields"])

    def _sides(self) -> Iterator[dict[str, Any]]:
        for entity in self.document["statement"]["entities"]:
            about = {"run_id": self.run_id, "entity": entity["entity"], "linked": entity["linked"]}
            yield from (about | side for side in entity["sides"])

    def _classes(self) -> Iterator[dict[str, Any]]:
        for entity in self.document["values"]["entities"]:
            about = {"run_id": self.run_id, "entity": entity["entity"]}
            for name, count in entity["classes"].items():
                if count:
                    yield about | {"class": name, "values": count}

    def _listed(self) -> Iterator[dict[str, Any]]:
        for each in self.document["values"]["listed"]:
            yield {"run_id": self.run_id, **each}

    def _questions(self) -> Iterator[dict[str, Any]]:
        for hold in self._named("holds"):
            # A question about a whole record has its fields there, by name: it has no one value.
            plain = {}
            for name in ("app", "ghl", "base_app", "base_ghl"):
                value = hold["values"].get(name)
                plain[name] = None if isinstance(value, dict) else value
            yield hold | plain | {"choices": [each["choice"] for each in hold["options"]]}


def result_of(report: Told) -> Result:
    """What a job came to, as the library tells it."""
    document = report.document
    page = report.paths.get("html")
    if page is not None and not page.exists():
        page = None
    return Result(
        run_id=document["run_id"],
        job=document["job"],
        state=report.state,
        exit_code=report.exit_code,
        document=document,
        page=page,
    )
