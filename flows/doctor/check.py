"""The doctor's round: this machine, both sides, and whether the mapping fits them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as Map
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flows.config import Pair
from flows.doctor import location, machine
from flows.doctor.consents import consents
from flows.doctor.finding import Finding, failures, ok, warning
from flows.doctor.fit import computed, fit, unstamped
from flows.doctor.owners import owners
from flows.doctor.pipelines import pipelines
from flows.doctor.rehearsal import rehearsal
from flows.doctor.required import required
from flows.doctor.sweep import sweep
from flows.doctor.token import token
from flows.wiring.wiring import connect
from reconcile.errors import ConfigError, ConnectorError
from reconcile.model import Side
from reconcile.ports import Connector, Description
from reconcile.values.mapping import Mapping

if TYPE_CHECKING:
    from connectors.http import Auth


def _now() -> datetime:
    return datetime.now(UTC)


def check(
    pair: Pair,
    *,
    auth: Auth | None = None,
    now: Callable[[], datetime] = _now,
    server: Callable[[], Iterable[Finding]] = machine.prefect_server,
) -> list[Finding]:
    """Look at everything a run needs.

    No write stays on either side, in the ledger or in the store.

    `auth` is needed where the pair says oauth. `server` says whether Prefect's server can start
    here.
    """
    findings = [
        *machine.versions(),
        *server(),
        *machine.disk(pair),
        *machine.ledger(pair),
        *machine.receivers(pair),
        *_live(pair),
        *sweep(pair),
    ]
    with ExitStack() as stack:
        try:
            sides = stack.enter_context(connect(pair, auth=auth))
        except (ConnectorError, ConfigError) as failed:
            return [*findings, *failures("the connectors", failed)]
        described: dict[Side, Description] = {}
        for side, connector in sides.items():
            findings += _describe(side, connector, described)
        findings += token(pair, now())
        findings += _location(pair, sides[Side.GHL], now())
        if len(described) == len(Side):
            ghl = described[Side.GHL]
            located = pair.located(ghl.region, ghl.owners, ghl.companies)
            findings += fit(located, described)
            findings += computed(located)
            findings += unstamped(pair.app)
            findings += consents(located, sides[Side.APP])
            findings += owners(pair, located, sides[Side.APP])
            findings += required(located, sides[Side.APP])
            findings += _pipelines(located, sides)
            findings += machine.ends(pair, described)
        if Side.APP in described and not described[Side.APP].read_only:
            findings += rehearsal(pair, sides[Side.APP])
    return findings


def _live(pair: Pair) -> Iterator[Finding]:
    if pair.is_sandbox:
        yield ok("GHL is the sandbox of this machine")
    elif pair.may_write:
        yield ok(f"writes to {urlsplit(pair.ghl.url).hostname} are allowed")
    else:
        what = (
            f"writes to {urlsplit(pair.ghl.url).hostname} are not allowed: "
            "plan and audit work, run and apply refuse"
        )
        yield warning(what, "When a plan looks right, write live = true under [ghl].")


def _describe(
    side: Side, connector: Connector, described: dict[Side, Description]
) -> list[Finding]:
    try:
        described[side] = connector.describe()
    except (ConnectorError, ConfigError) as failed:
        return failures(side.label, failed)
    fields = sum(map(len, described[side].fields.values()))
    findings = [ok(f"{side.label} answers: {described[side].identity}, {fields} fields")]
    if why := described[side].read_only:
        what = (
            f"{side.label} takes no writes, as {why}: a run whose plan writes to it is "
            "refused [DB_READ_ONLY]"
        )
        findings.append(
            warning(
                what,
                "Let the pair write to the primary, or map its fields one way, from that side.",
            )
        )
    return findings


def _pipelines(located: Mapping, sides: Map[Side, Connector]) -> Iterator[Finding]:
    from connectors.ghl import GhlConnector

    ghl = sides[Side.GHL]
    if isinstance(ghl, GhlConnector):
        yield from pipelines(located, sides[Side.APP], ghl.api)


def _location(pair: Pair, connector: Connector, now: datetime) -> list[Finding]:
    """What only GHL's own requests can tell."""
    from connectors.ghl import GhlConnector

    if not isinstance(connector, GhlConnector):
        return []
    findings = list(location.scopes(pair, connector.api))
    try:
        findings += location.duplicates(connector.api)
        findings += location.agendas(pair, connector.api)
        findings += location.clock(connector.api, now)
        findings += location.quota(pair, connector.usage(), location.estimate(pair, connector.api))
    except ConnectorError as failed:
        findings += failures("GHL", failed)
    return list(dict.fromkeys(findings))
