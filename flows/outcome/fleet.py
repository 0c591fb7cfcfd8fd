"""The report of a fleet.

What each pair's run came to, worst first, as JSON, Markdown and a page.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

WORDS = {
    0: "agree",
    1: "questions or records left",
    2: "some records failed",
    3: "refused or broken",
}
"""What an exit code says of a pair."""


LOST = "LOST"
"""The code of a process, or a worker, that ended and said nothing."""


@dataclass(frozen=True, slots=True)
class PairRun:
    """What one pair's run came to. `error` is its message where it did not come to a report.

    `code` is that of its error; `tries` is 2 for one that was put off and tried again.
    """

    pair: str
    exit_code: int
    seconds: float
    run_id: str = ""
    state: str = ""
    headline: str = ""
    figures: dict[str, int] | None = None
    requests: int = 0
    report: str = ""
    error: str = ""
    code: str = ""
    tries: int = 1

    @property
    def word(self) -> str:
        """The exit code in words."""
        return WORDS.get(self.exit_code, "broken")


@dataclass(frozen=True, slots=True)
class FleetReport:
    """All pairs of one fleet run, worst first."""

    job: str
    started_at: str
    seconds: float
    workers: int
    runs: tuple[PairRun, ...]

    @property
    def exit_code(self) -> int:
        """The worst of all."""
        return max((run.exit_code for run in self.runs), default=0)


def write(report: FleetReport, folder: Path) -> dict[str, Path]:
    """The report as JSON, Markdown and HTML in a folder; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {kind: folder / f"fleet.{kind}" for kind in ("json", "md", "html")}
    paths["json"].write_text(
        json.dumps(asdict(report), indent=1, ensure_ascii=False), encoding="utf-8"
    )
    paths["md"].write_text(markdown(report), encoding="utf-8")
    paths["html"].write_text(page(report), encoding="utf-8")
    return paths


_HEADS = (
    "pair",
    "result",
    "created",
    "updated",
    "deleted",
    "held",
    "failed",
    "requests",
    "seconds",
    "what",
)


def _rows(report: FleetReport) -> Iterable[tuple[str, ...]]:
    for run in report.runs:
        figures = run.figures or {}
        counts = (
            f"{figures.get(name, 0):,}"
            for name in ("creates", "updates", "deletes", "holds", "failed")
        )
        last = run.headline or (run.error.splitlines() or [""])[-1]
        yield (run.pair, run.word, *counts, f"{run.requests:,}", f"{run.seconds:.1f}", last)


def _summary(report: FleetReport) -> str:
    counted = {
        word: sum(run.word == word for run in report.runs) for word in dict.fromkeys(WORDS.values())
    }
    said = ", ".join(f"{count} {word}" for word, count in counted.items() if count)
    return (
        f"{len(report.runs)} pairs in {report.seconds:.0f} s with {report.workers} "
        f"workers: {said or 'none'}"
    )


def markdown(report: FleetReport) -> str:
    """The report for people, and for Prefect."""
    lines = [
        "# Fleet",
        "",
        _summary(report),
        "",
        f"| {' | '.join(_HEADS)} |",
        f"|{'---|' * len(_HEADS)}",
    ]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in _rows(report)]
    return "\n".join(lines) + "\n"


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">\
<meta name="viewport" content="width=device-width">
<title>Fleet</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; \
max-width: 75rem; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }} \
th, td {{ padding: .3rem .6rem; border-bottom: 1px solid #ddd; text-align: left }}
tr[data-code="2"] td, tr[data-code="3"] td {{ background: #fdecea }} \
tr[data-code="1"] td {{ background: #fff8e1 }}
</style><h1>Fleet</h1><p>{summary}</p>\
<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></html>
"""


def page(report: FleetReport) -> str:
    """The report as one small page that needs nothing from elsewhere."""
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    rows = "".join(
        f'<tr data-code="{run.exit_code}">'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for run, cells in zip(report.runs, _rows(report), strict=True)
    )
    return _PAGE.format(summary=html.escape(_summary(report)), heads=heads, rows=rows)
