"""fleet: run many pairs, and make them from one template and a table of locations."""

from __future__ import annotations

import json as jsons
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.prompt import Confirm
from rich.table import Table
from rich.text import Text

from flows.commands.options import AtLeastOne, Json
from flows.commands.printed import print_json
from flows.jobs.fleet import Job
from flows.outcome.fleet import FleetReport, PairRun
from flows.terminal import Console
from reconcile.errors import ConfigError, Problem

if TYPE_CHECKING:
    from flows.fleet.changes import Change
    from flows.fleet.discovery import Discovery
    from flows.fleet.fitting import Fit
    from flows.fleet.standing import Standing
    from flows.fleet.table import Table as Locations

Runner = Literal["processes", "threads", "dask", "ray"]

Template = Annotated[
    Path, Parameter(help="a pair file in which values may be columns: see docs/tasks/fleet.md")
]
Locations_ = Annotated[
    Path | None, Parameter(name="--table", help="the table of locations, a CSV file")
]
Database = Annotated[
    str | None, Parameter(help='a database with the table instead: "env:NAME", or its URL')
]
Query = Annotated[str | None, Parameter(help="what gives the table in --database")]

fleet = App(
    name="fleet",
    help=(
        "Run many pairs, each in a process of its own; discover an agency's locations; "
        "make the pairs from one template and a table; say how they stand."
    ),
)


@fleet.default
def run(
    folder: Annotated[Path, Parameter(help="the folder with the pair files")],
    /,
    *,
    ledger: Annotated[
        str | None,
        Parameter(
            help='run the pairs that this ledger keeps: "env:NAME", or its URL; see `ledger add`'
        ),
    ] = None,
    job: Annotated[Job, Parameter(help="what to do with each pair")] = "run",
    workers: Annotated[int, AtLeastOne, Parameter(help="how many pairs at a time")] = 2,
    runner: Annotated[
        Runner, Parameter(help="processes here, or Prefect's task runners")
    ] = "processes",
    stagger: Annotated[
        float, Parameter(validator=Number(gte=0), help="seconds between the starts of two pairs")
    ] = 0.0,
    out: Annotated[Path, Parameter(help="where the fleet report goes")] = Path("fleet"),
    json: Json = False,
) -> int:
    """Run every pair of a folder, each in a process of its own.

    One that fails never stops the others.

    With --ledger the pairs are those that the ledger keeps; their files are written into the
    folder, on each worker. The exit code is the worst of all.
    """
    from flows.jobs.fleet import fleet as run_all
    from flows.jobs.fleet import longest_first, pair_files, seconds_before
    from flows.jobs.turns import Pace
    from flows.outcome.fleet import write

    files, before = _kept(ledger, folder) if ledger else (pair_files(folder), [])
    files = longest_first(files, seconds_before(job, report=out / "fleet.json", ledger=ledger))
    pace = Pace(stagger)
    if runner == "processes":
        report = run_all(files, job, workers=workers, before=before, pace=pace)
    else:
        from flows.orchestration.fleet import fleet_on

        kept_in = ledger or ""
        report = fleet_on(
            runner, files, job, workers=workers, kept_in=kept_in, before=before, pace=pace
        )
    paths = write(report, out)
    if json:
        print_json(asdict(report))
    else:
        _show(report, paths["html"])
    return report.exit_code


def _kept(ledger: str, folder: Path) -> tuple[list[Path], list[PairRun]]:
    """The files of the pairs that the ledger keeps.

    It also gives those pairs that this worker's settings do not let run.
    """
    from flows.jobs.fleet import refused
    from flows.state.pairs import url_of, write_out

    before: list[PairRun] = []
    files = write_out(
        url_of(ledger),
        folder,
        kept_in=ledger,
        refuse=lambda name, error: before.append(refused(name, error)),
    )
    return files, before


def _show(report: FleetReport, page: Path) -> None:
    table = Table(box=None, header_style="dim")
    for head in ("pair", "result", "seconds", "what"):
        table.add_column(head, overflow="fold")
    for run in report.runs:
        table.add_row(
            *map(Text, (run.pair, run.word, f"{run.seconds:.1f}", run.headline or run.error))
        )
    console = Console()
    console.print(table)
    console.print(f"Fleet report: {page}", highlight=False, markup=False, soft_wrap=True)


@fleet.command
def discover(
    template: Template,
    /,
    *,
    table: Locations_ = None,
    database: Database = None,
    query: Query = None,
    out: Annotated[
        Path | None,
        Parameter(help="write the table, with the new locations and the names as they are now"),
    ] = None,
    json: Json = False,
) -> int:
    """List the locations of an agency, and say how they stand to the table.

    Known, renamed, moved to another agency, new, gone, or unauthorised: without the app, or of an
    agency that was not asked. Reads only. Exit code 1 where the table differs, 2 where an agency
    could not be asked.
    """
    from flows.fleet.agency import agency_app
    from flows.fleet.discovery import discover as look
    from flows.fleet.discovery import write

    app = agency_app(template)
    locations = _locations(table, database, query)
    discovery = look(app, locations)
    if out is not None:
        write(discovery.results, locations, out)
    if json:
        results = [
            {"mark": one.mark.value, "where": one.row.where if one.row else None}
            | {name: getattr(one, name) for name in ("location", "name", "before", "company")}
            | {"pair": one.pair}
            for one in discovery.results
        ]
        document = {
            "counts": discovery.counted(),
            "locations": results,
            "failures": discovery.failures,
        }
        print_json(document)
    else:
        _show_discovery(discovery)
        if out is not None:
            Console().print(f"The table: {out}", highlight=False, markup=False, soft_wrap=True)
    return discovery.exit_code


def _locations(table: Path | None, database: str | None, query: str | None) -> Locations | None:
    """The table, however it is said; None where it is not."""
    from flows.fleet.table import of_csv, of_query
    from flows.state.pairs import url_of

    if (database is None) != (query is None) or (table is not None and database is not None):
        what = "a table is a CSV file, or what a query gives of a database"
        remedy = "Give --table FILE; or --database env:NAME and --query."
        raise ConfigError([Problem("--table", what, remedy)])
    if table is not None:
        return of_csv(table)
    if database is not None and query is not None:
        return of_query(url_of(database, "--database"), query)
    return None


def _show_discovery(discovery: Discovery) -> None:
    console = Console()
    table = Table(box=None, header_style="dim")
    for head in ("", "location", "name", "agency", "pair"):
        table.add_column(head, overflow="fold")
    for one in discovery.results:
        if one.mark.value != "known":
            name = f"{one.before} → {one.name}" if one.mark.value == "renamed" else one.name
            table.add_row(*map(Text, (one.mark.value, one.location, name, one.company, one.pair)))
    if table.row_count:
        console.print(table)
    counts = ", ".join(f"{count:,} {mark}" for mark, count in discovery.counted().items() if count)
    console.print(f"{len(discovery.results):,} locations: {counts or 'none'}", highlight=False)
    for company, why in discovery.failures.items():
        console.print(Text(f"agency {company} could not be asked: {why}"))


@fleet.command
def make(
    template: Template,
    /,
    *,
    table: Locations_ = None,
    database: Database = None,
    query: Query = None,
    out: Annotated[Path, Parameter(help="the folder of the pair files")] = Path("pairs"),
    offline: Annotated[
        bool, Parameter(negative="", help="do not ask each location whether its pair fits it")
    ] = False,
    yes: Annotated[
        bool, Parameter(name=["--yes", "-y"], negative="", help="let it take effect without asking")
    ] = False,
    json: Json = False,
) -> int:
    """Make the pair files of a fleet from one template and a table of locations.

    Everything is checked first, and what would change is shown: it takes effect with --yes, or when
    you say so. A location that lacks a custom field or a user that its pair names is told, its file
    is left as it is, and the others go on. Exit code 1 where one was left, or nothing took effect.
    """
    from flows.fleet.changes import changes, take_effect
    from flows.fleet.fitting import fits
    from flows.fleet.pairs import make as make_pairs
    from flows.fleet.template import read

    locations = _locations(table, database, query)
    if locations is None:
        what = "there is no table of locations"
        raise ConfigError(
            [Problem("--table", what, "Give --table FILE, or --database and --query.")]
        )
    read_template = read(template)
    pairs = make_pairs(read_template, locations, out.absolute())
    results = changes(read_template, pairs, out)
    touched = {change.pair for change in results}
    looks = [] if offline else fits([one for one in pairs if one.pair.name in touched])
    unfit = {fit.pair: fit for fit in looks if not fit.fits}
    ready = [change for change in results if change.pair not in unfit]
    if not json:
        _show_changes(ready, list(unfit.values()), len(pairs))
    done = bool(ready) and (yes or _agreed(len(ready), json=json))
    if done:
        take_effect(ready, out)
    if json:
        left = [asdict(fit) for fit in unfit.values()]
        document = {
            "pairs": len(pairs),
            "changes": _listed(ready),
            "unfit": left,
            "in_effect": done,
        }
        print_json(document)
    return int(bool(unfit) or (bool(ready) and not done))


def _listed(ready: Sequence[Change]) -> list[dict[str, Any]]:
    """The changes for machines."""
    return [
        {
            "kind": change.kind.value,
            "pair": change.pair,
            "keys": [dict(zip(("key", "old", "new"), key, strict=True)) for key in change.keys],
        }
        for change in ready
    ]


_MOST = 20
"""So many pairs are shown whole; of others their number."""


def _show_changes(ready: Sequence[Change], unfit: Sequence[Fit], pairs: int) -> None:
    console = Console()
    for kind in ("gone", "changed", "added"):
        of_kind = [change for change in ready if change.kind.value == kind]
        for change in of_kind[:_MOST]:
            console.print(Text(f"{kind}: {change.pair}"))
            for key, old, new in change.keys if kind == "changed" else ():
                console.print(Text(f"  {key}: {old or 'nothing'} → {new or 'nothing'}"))
        if len(of_kind) > _MOST:
            console.print(Text(f"… and {len(of_kind) - _MOST:,} more {kind}"))
    for fit in unfit:
        lacks = f"the location lacks {', '.join(fit.missing)}" if fit.missing else fit.error
        console.print(Text(f"left as it is: {fit.pair} ({fit.where}): {lacks}"))
    console.print(
        Text(f"{pairs:,} pairs: {len(ready):,} would change, {len(unfit):,} do not fit yet")
    )


def _agreed(count: int, *, json: bool) -> bool:
    """Whether a person says so at a terminal; without one nobody is asked."""
    console = Console(stderr=json)
    if not sys.stdin.isatty():
        console.print("Nothing took effect. --yes lets it.", highlight=False)
        return False
    question = f"Shall the changes of {count:,} pairs take effect?"
    return Confirm.ask(question, console=console, default=False)


@fleet.command
def status(
    folder: Annotated[Path, Parameter(help="the folder with the pair files")],
    /,
    *,
    out: Annotated[
        Path | None, Parameter(help="write the page there: status.html, and status.json")
    ] = None,
    json: Json = False,
) -> int:
    """Say how each pair of a folder stands, worst first, by what ledgers and stores hold.

    How its last runs went, which questions wait and for how long, how many of GHL's requests were
    left, and where its report is. Asks neither side. The exit code is the worst of all.
    """
    from flows.clock import now
    from flows.fleet.page import page, summary
    from flows.fleet.standing import standings
    from flows.jobs.fleet import pair_files

    at = now()
    results = standings(pair_files(folder), at=at)
    document = {"at": at, "pairs": [asdict(one) | {"questions": one.questions} for one in results]}
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "status.html").write_text(page(results, at=at), encoding="utf-8")
        text = jsons.dumps(document, ensure_ascii=False, indent=1)
        (out / "status.json").write_text(text, encoding="utf-8")
    if json:
        print_json(document)
    else:
        _show_standings(results, summary(results))
        if out is not None:
            place = out / "status.html"
            Console().print(f"Page: {place}", highlight=False, markup=False, soft_wrap=True)
    return max((one.code for one in results), default=0)


def _show_standings(results: Sequence[Standing], said: str) -> None:
    table = Table(box=None, header_style="dim")
    for head in ("pair", "how it stands", "last runs", "questions", "oldest", "what is wrong"):
        table.add_column(head, overflow="fold")
    for one in results[:_MOST]:
        trend = "".join("✓?!✗"[code] for code in one.trend)
        oldest = f"{one.oldest_days} d" if one.questions else ""
        cells = (one.pair, one.word, trend, f"{one.questions:,}", oldest, "; ".join(one.reasons))
        table.add_row(*map(Text, cells))
    console = Console()
    console.print(table)
    if len(results) > _MOST:
        console.print(Text(f"… and {len(results) - _MOST:,} more"))
    console.print(Text(said))
