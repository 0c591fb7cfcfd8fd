"""A run's figures for whoever watches many: as a Prometheus text file, and as OpenTelemetry gauges.

Every figure is one of the report's own; none of them, nor any label, is a person's value.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from reconcile.ledger.runs import DELTA

log = logging.getLogger("flows.outcome.metrics")

PREFIX = "ghl_reconcile_"

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Gauge:
    """One figure: its name without the prefix, what it is, and its value for each set of labels."""

    name: str
    what: str
    samples: tuple[tuple[Labels, float], ...]


def gauges(whole: Mapping[str, Any], exit_code: int) -> list[Gauge]:
    """The figures of a report; what a run does not have, as a refused one's values, is left out."""
    pair = {"pair": whole["pair"], "job": whole["job"]}
    figures = [
        Gauge(name, what, tuple(({**pair, **labels}, float(value)) for labels, value in samples))
        for name, what, samples in _all(whole, exit_code)
    ]
    return [gauge for gauge in figures if gauge.samples]


Sample = tuple[dict[str, str], float]


def _all(whole: Mapping[str, Any], exit_code: int) -> Iterator[tuple[str, str, list[Sample]]]:
    ended = datetime.fromisoformat(whole["ended_at"]).timestamp()
    yield "last_run_timestamp_seconds", "when the last run ended", [({}, ended)]
    yield "last_run_seconds", "how long the last run took", [({}, whole["seconds"])]
    what = "0 both sides agree, 1 questions are left, 2 something failed, 3 refused"
    yield "last_run_exit_code", what, [({}, exit_code)]
    yield "step_seconds", "how long each step took", _steps(whole)
    yield "records", "records that were read", _records(whole)
    yield "values", "mapped values by their class", _values(whole)
    yield "writes", "writes that were done", _writes(whole)
    yield "failed_writes", "writes that failed", _by_entity(whole, "failed")
    yield "left_writes", "writes that wait for the next run", _by_entity(whole, "left")
    yield "questions", "questions that wait for a decision", _questions(whole)
    yield "oldest_question_days", "age of the oldest question", _oldest(whole)
    yield "requests", "requests that the run made", _usage(whole, "requests")
    remaining = "requests that are left of the day's quota"
    yield "requests_remaining_today", remaining, _usage(whole, "remaining_today")
    yield "requests_slowed", "answers 429", _usage(whole, "answers_429")
    lag = "since when the notes of any contact were not looked at, longest"
    yield "notes_oldest_look_timestamp_seconds", lag, _notes(whole)


def _steps(whole: Mapping[str, Any]) -> list[Sample]:
    seconds: Counter[str] = Counter()
    for step in whole.get("times", ()):
        seconds[step["says"]] += step["seconds"]
    return [({"step": step}, taken) for step, taken in seconds.items()]


def _records(whole: Mapping[str, Any]) -> list[Sample]:
    return [
        ({"entity": each["entity"], "side": each["side"]}, each["rows"])
        for each in whole["provenance"]["snapshots"]
        if each["complete"] and (each["as_of"] or not each["partial"])
    ]


def _values(whole: Mapping[str, Any]) -> list[Sample]:
    return [
        ({"entity": each["entity"], "class": name}, count)
        for each in whole.get("values", {}).get("entities", ())
        for name, count in each["classes"].items()
    ]


def _writes(whole: Mapping[str, Any]) -> list[Sample]:
    return [
        ({"entity": entity, "kind": kind}, row[kind])
        for entity, row in whole["entities"].items()
        for kind in ("creates", "updates", "deletes")
    ]


def _by_entity(whole: Mapping[str, Any], name: str) -> list[Sample]:
    return [({"entity": entity}, row[name]) for entity, row in whole["entities"].items()]


def _questions(whole: Mapping[str, Any]) -> list[Sample]:
    counts = Counter((each["entity"], each["kind"]) for each in whole.get("holds", ()))
    return [({"entity": entity, "kind": kind}, count) for (entity, kind), count in counts.items()]


def _oldest(whole: Mapping[str, Any]) -> list[Sample]:
    return [({}, max((each["age_days"] or 0 for each in whole.get("holds", ())), default=0))]


def _usage(whole: Mapping[str, Any], name: str) -> list[Sample]:
    return [
        ({"side": side}, used[name])
        for side, used in whole.get("usage", {}).items()
        if used.get(name) is not None
    ]


def _notes(whole: Mapping[str, Any]) -> list[Sample]:
    oldest = (whole.get("quality") or {}).get("notes_oldest")
    if not oldest:
        return []
    return [({}, datetime.fromisoformat(oldest).timestamp())]


def text(figures: Iterable[Gauge]) -> str:
    """The figures in Prometheus' text format, version 0.0.4."""
    lines = []
    for gauge in figures:
        lines.append(f"# HELP {PREFIX}{gauge.name} {gauge.what}")
        lines.append(f"# TYPE {PREFIX}{gauge.name} gauge")
        lines += [f"{PREFIX}{gauge.name}{_braced(at)} {value:.17g}" for at, value in gauge.samples]
    return "\n".join(lines) + "\n"


def _braced(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def path_of(path: Path, job: str) -> Path:
    """The file of a job: deltas have one of their own, else they would hide the nightly run's."""
    if job == DELTA:
        return path.with_stem(f"{path.stem}-delta")
    return path


def write(figures: Iterable[Gauge], path: Path) -> None:
    """Put the file in place whole: a collector never reads half of it.

    Others may read it, as a collector runs as another user.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text(figures), encoding="utf-8")
    beside.chmod(0o644)
    beside.replace(path)


def publish(figures: Iterable[Gauge]) -> None:
    """Set the same as gauges of OpenTelemetry, where its SDK was set up for this process.

    `opentelemetry-instrument ghl-reconcile run …` does that.
    """
    if "opentelemetry.sdk.metrics" not in sys.modules:
        return
    from opentelemetry import metrics

    meter = metrics.get_meter("ghl-reconcile")
    for gauge in figures:
        instrument = meter.create_gauge(f"{PREFIX}{gauge.name}", description=gauge.what)
        for labels, value in gauge.samples:
            instrument.set(value, dict(labels))


def tell(whole: Mapping[str, Any], exit_code: int, path: Path | None) -> None:
    """Give a run's figures to both. What keeps them from being written changes no run."""
    figures = gauges(whole, exit_code)
    publish(figures)
    if path is None:
        return
    try:
        write(figures, path_of(path, str(whole["job"])))
    except OSError as error:
        why = error.strerror or type(error).__name__
        log.warning("the metrics were not written", extra={"pair": whole["pair"], "why": why})
