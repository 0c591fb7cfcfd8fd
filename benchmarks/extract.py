"""How well a full read of contacts uses the rate limit: alone, slowly, beside another client, and in two processes.

    python benchmarks/extract.py [--contacts 200000] [--latency 0.3] [--only NAME]

Each scenario has a sandbox of its own in another process. `window_utilisation` is requests per window of what the limit
allows to us (the fair share, where another client uses half); the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from connectors.ghl import GhlConnector, GhlSettings, PrivateToken, SharedBudget
from connectors.http import Client, Request
from reconcile.model import Entity
from reconcile.ports import Page, Proof

LOCATION, TOKEN = "benchLocation0000001", "pit-benchmark"
INTERVAL = 10.0


@dataclass(frozen=True)
class Scenario:
    """One location, one limit, and who else uses it."""

    name: str
    contacts: int
    limit: int
    latency: float
    other_share: float = 0.0
    processes: int = 1
    tasks: int = 0
    notes: int = 0
    companies: int = 0
    opportunities: int = 0

    @property
    def pages(self) -> int:
        """The fewest requests that read all contacts once."""
        return math.ceil(self.contacts / 500)


def serve_location(scenario: Scenario, pipe: Connection) -> None:
    """A sandbox with the scenario's contacts, added over three years, and what hangs on them, until the pipe closes."""
    from connectors.ghl.sandbox import Limit, Sandbox, Settings, serve

    limit = Limit(max=scenario.limit, daily=100_000_000)
    sandbox = Sandbox(
        Settings(pit=limit, latency_seconds=scenario.latency, lag_seconds=0.0, seed=1)
    )
    sandbox.add_location(LOCATION)
    sandbox.add_token(TOKEN, LOCATION)
    begun, step = (
        int((time.time() - 3 * 365 * 86_400) * 1000),
        3 * 365 * 86_400_000 // scenario.contacts,
    )
    firms = [
        sandbox.seed_business(LOCATION, f"Company {number}") for number in range(scenario.companies)
    ]
    people = sandbox.seed_contacts(
        LOCATION,
        (
            {
                "firstName": f"Ada{number}",
                "lastName": "Lovelace",
                "email": f"ada{number}@example.com",
                "tags": ["customer"],
                "dateAdded": begun + number * step,
                **({"businessId": firms[number % len(firms)]} if firms else {}),
            }
            for number in range(scenario.contacts)
        ),
    )
    if scenario.opportunities:
        sandbox.seed_pipeline(LOCATION, "Sales", ["New", "Sent"])
    for number in range(scenario.opportunities):
        sandbox.seed_opportunity(people[number], name=f"Deal {number}", pipeline="Sales")
    for number in range(scenario.tasks):
        sandbox.seed_task(
            people[number], title=f"Call {number}", dueDate="2027-01-05T09:00:00.000Z"
        )
    for number in range(scenario.notes):
        sandbox.seed_note(people[number], body=f"Note {number}")
    with serve(sandbox) as url:
        pipe.send(url)
        pipe.recv()


@contextmanager
def location(scenario: Scenario) -> Iterator[str]:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve_location, args=(scenario, theirs), daemon=True)
    server.start()
    try:
        yield ours.recv()
    finally:
        ours.send("stop")
        server.join(10)


def extract(url: str, ledger: str | None, pipe: Connection) -> None:
    """One full read in this process; what it took goes into the pipe."""
    import sqlalchemy as sa

    engine = (
        sa.create_engine(f"sqlite:///{ledger}", connect_args={"timeout": 30}) if ledger else None
    )
    connector = GhlConnector(
        GhlSettings(location=LOCATION, url=url, fields={Entity.CONTACT: ("firstName", "email")}),
        auth=PrivateToken(TOKEN),
        budget=SharedBudget(engine, LOCATION) if engine else None,
    )
    pipe.send("ready")
    pipe.recv()
    begun, rows, proof = time.monotonic(), 0, None
    for page in connector.extract(Entity.CONTACT):
        rows += page.rows if isinstance(page, Page) else 0
        proof = page if isinstance(page, Proof) else None
    usage = connector.usage()
    seconds = time.monotonic() - begun
    assert proof is not None
    assert proof.complete, proof.why_incomplete
    pipe.send(
        {
            "rows": rows,
            "seconds": seconds,
            "requests": usage.requests,
            "answers_429": usage.answers_429,
        }
    )


def use_quota(url: str, rate: float, stop: threading.Event) -> None:
    """Another client on the same quota, at a steady rate, that knows nothing of ours."""
    client = Client(url, auth=PrivateToken(TOKEN), explain=lambda *_: None)
    request = Request("GET", f"/locations/{LOCATION}", headers={"Version": "2021-07-28"})

    def one() -> None:
        client.send(request)

    while not stop.wait(1 / rate):
        threading.Thread(target=one, daemon=True).start()


def run(scenario: Scenario) -> dict[str, Any]:
    with location(scenario) as url, tempfile.TemporaryDirectory() as folder:
        ledger = str(Path(folder) / "ledger.db") if scenario.processes > 1 else None
        stop = threading.Event()
        if scenario.other_share:
            rate = scenario.other_share * scenario.limit / INTERVAL
            threading.Thread(target=use_quota, args=(url, rate, stop), daemon=True).start()
            time.sleep(INTERVAL)
        results = together(scenario, url, ledger)
        stop.set()
        most = max_in_window(url)
    return summary(scenario, results, most)


def together(scenario: Scenario, url: str, ledger: str | None) -> list[dict[str, Any]]:
    pipes = []
    for _ in range(scenario.processes):
        ours, theirs = multiprocessing.Pipe()
        multiprocessing.Process(target=extract, args=(url, ledger, theirs), daemon=True).start()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send("go")
    return [pipe.recv() for pipe in pipes]


def max_in_window(url: str) -> int:
    reply = Client(url).send(Request("GET", "/_sandbox/log", params={"last": 0})).json()
    return int(reply["max_in_window"][LOCATION])


def summary(scenario: Scenario, results: list[dict[str, Any]], most: int) -> dict[str, Any]:
    requests = sum(result["requests"] for result in results)
    seconds = max(result["seconds"] for result in results)
    share = scenario.limit * (1 - scenario.other_share) * seconds / INTERVAL
    return {
        "window_utilisation": round(requests / share, 4),
        "requests_vs_pages": round(requests / (scenario.pages * scenario.processes), 4),
        "answers_429": sum(result["answers_429"] for result in results),
        "max_in_window": most,
        "limit": scenario.limit,
        "contacts": min(result["rows"] for result in results),
        "requests": requests,
        "seconds": round(seconds, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=200_000)
    parser.add_argument("--latency", type=float, default=0.3)
    parser.add_argument("--only", choices=["alone", "slow", "beside", "two"])
    chosen = parser.parse_args()
    scenarios = [
        Scenario("alone", chosen.contacts, 100, chosen.latency),
        Scenario("slow", chosen.contacts // 4, 20, chosen.latency),
        Scenario("beside", chosen.contacts // 2, 100, chosen.latency, other_share=0.5),
        Scenario("two", chosen.contacts // 2, 100, chosen.latency, processes=2),
    ]
    results: dict[str, dict[str, Any]] = {}
    print(
        f"{'scenario':<10}{'pages':>7}{'requests':>10}{'seconds':>9}{'used':>8}{'429':>5}{'most/limit':>12}",
        flush=True,
    )
    for scenario in scenarios:
        if chosen.only in (None, scenario.name):
            found = results[scenario.name] = run(scenario)
            print(
                f"{scenario.name:<10}{scenario.pages * scenario.processes:>7}{found['requests']:>10}{found['seconds']:>9}"
                f"{found['window_utilisation']:>8.3f}{found['answers_429']:>5}"
                f"{found['max_in_window']:>8}/{found['limit']}",
                flush=True,
            )
    first = next(iter(results.values()))
    print(json.dumps({**first, "scenarios": results}))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
