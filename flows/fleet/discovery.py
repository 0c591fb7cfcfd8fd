"""Which locations an agency has, against those that the fleet's table knows."""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from connectors.ghl.agency import Listed, locations
from connectors.ghl.auth import OAuth
from connectors.ghl.oauth import Exchange
from flows.fleet.agency import AgencyApp
from flows.fleet.table import Row, Table
from reconcile.errors import ConfigError, ConnectorError, Expired, Problem

NAMED = ("pair", "location", "name", "company")
"""The columns of a table that discovery writes."""


class Mark(StrEnum):
    """How a location stands to the table."""

    KNOWN = "known"
    RENAMED = "renamed"
    MOVED = "moved"
    NEW = "new"
    GONE = "gone"
    UNAUTHORISED = "unauthorised"


@dataclass(frozen=True, slots=True)
class Found:
    """One location: what GHL says of it now, and what the table calls it.

    `row` is its row of the table; None for a new one.
    """

    mark: Mark
    location: str
    name: str
    company: str
    pair: str = ""
    before: str = ""
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """The locations, and why each agency that could not be asked was not."""

    results: list[Found]
    failures: dict[str, str]

    def counted(self) -> dict[str, int]:
        """How many locations have each mark."""
        marks = [each.mark for each in self.results]
        return {mark.value: marks.count(mark) for mark in Mark}

    @property
    def exit_code(self) -> int:
        """0: the table is as GHL says; 1: it differs; 2: an agency could not be asked."""
        if self.failures:
            return 2
        return int(any(each.mark is not Mark.KNOWN for each in self.results))


def discover(app: AgencyApp, table: Table | None) -> Discovery:
    """Each location of the agencies whose tokens the ledger has, and each that the table knows.

    Nothing is written at GHL. A location of the table is gone where its agency does not list it. It
    is unauthorised where the app is not installed in it, or where its agency was not asked: that
    proves nothing. One without the app that the table does not know is none of the fleet's.

    Raises Expired where no agency's token is there, ConfigError for a table that says no locations.
    """
    rows = _by_location(table) if table is not None else {}
    listed, failures = _listed(app)
    taken = {row.cells.get("pair", "").casefold() for row in rows.values()}
    results = []
    for company, one in listed:
        row = rows.pop(one.location, None)
        if row is not None:
            results.append(_known(one, company, row))
        elif one.installed:
            pair = _proposed(one, taken)
            taken.add(pair.casefold())
            results.append(Found(Mark.NEW, one.location, one.name, company, pair))
    companies = {company for company, _ in listed}
    results += [_unlisted(location, row, companies) for location, row in rows.items()]
    return Discovery(results, failures)


def _listed(app: AgencyApp) -> tuple[list[tuple[str, Listed]], dict[str, str]]:
    """Every location with its agency, and what each agency that cannot be asked said."""
    results: list[tuple[str, Listed]] = []
    failures = {}
    with app.agencies() as agencies:
        stores = agencies.each()
        if app.company is not None:
            stores = {company: each for company, each in stores.items() if company == app.company}
        if not stores:
            raise Expired(
                f"there is no token of {f'agency {app.company}' if app.company else 'an agency'}",
                remedy="run ghl-reconcile auth login --agency --pair TEMPLATE",
            )
        renewal = Exchange(app.app)
        try:
            for company, store in stores.items():
                auth = OAuth(store, renewal)
                try:
                    listed = locations(app.app, agency=auth, company=company, app_id=app.app_id)
                except ConnectorError as failed:
                    failures[company] = str(failed)
                    continue
                results += [(company, one) for one in listed]
        finally:
            renewal.close()
    return results, failures


def _by_location(table: Table) -> dict[str, Row]:
    if "location" not in table.columns:
        what = f'{table.name} has no column "location"'
        raise ConfigError([Problem(table.name, what, "Call the column with GHL's ids so.")])
    problems = []
    rows: dict[str, Row] = {}
    for row in table.rows:
        location = row.cells["location"]
        if not location:
            remedy = "Write its id, or take the line out."
            problems.append(Problem(row.where, 'column "location" is empty', remedy))
        elif location in rows:
            what = f"location {location} stands in {rows[location].where} already"
            problems.append(Problem(row.where, what, "Keep one of the two lines."))
        rows[location] = row
    if problems:
        raise ConfigError(problems)
    return rows


def _known(one: Listed, company: str, row: Row) -> Found:
    before = row.cells.get("name", "")
    if not one.installed:
        mark = Mark.UNAUTHORISED
    elif row.cells.get("company", "") not in ("", company):
        mark = Mark.MOVED
    elif before not in ("", _plain(one.name)):
        mark = Mark.RENAMED
    else:
        mark = Mark.KNOWN
    pair = row.cells.get("pair", "")
    return Found(
        mark,
        location=one.location,
        name=one.name,
        company=company,
        pair=pair,
        before=before,
        row=row,
    )


def _unlisted(location: str, row: Row, companies: Collection[str]) -> Found:
    """A location that no list has: gone where the agency that its row says was asked."""
    company = row.cells.get("company", "")
    mark = Mark.GONE if company in companies else Mark.UNAUTHORISED
    name = row.cells.get("name", "")
    return Found(
        mark,
        location=location,
        name=name,
        company=company,
        pair=row.cells.get("pair", ""),
        before=name,
        row=row,
    )


def _plain(name: str) -> str:
    """A name on one line."""
    return " ".join(name.split())


def _proposed(one: Listed, taken: Collection[str]) -> str:
    """A name for the pair of a new location, from what GHL calls it; with its id where taken."""
    plain = unicodedata.normalize("NFKD", one.name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:60]
    if slug and slug not in taken:
        return slug
    return f"{slug}-{one.location}" if slug else one.location


def as_csv(results: Sequence[Found], table: Table | None) -> str:
    """The table with what was found: new locations at its end, names as they are now.

    Every row and column that it had stays; a location that is gone is taken out by a person.
    """
    columns = list(table.columns) if table is not None else []
    columns += [column for column in NAMED if column not in columns]
    lines = io.StringIO(newline="")
    writer = csv.DictWriter(lines, columns, restval="", lineterminator="\n")
    writer.writeheader()
    order = {row.where: at for at, row in enumerate(table.rows)} if table is not None else {}
    for one in sorted(results, key=lambda one: order[one.row.where] if one.row else len(order)):
        cells = dict(one.row.cells) if one.row is not None else {"pair": one.pair}
        current = {"location": one.location, "name": _plain(one.name), "company": one.company}
        writer.writerow({**cells, **current})
    return lines.getvalue()


def write(results: Sequence[Found], table: Table | None, path: Path) -> None:
    """Write the table that was found, in one step."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(as_csv(results, table), encoding="utf-8")
    partial.replace(path)
