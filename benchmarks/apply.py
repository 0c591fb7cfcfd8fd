"""How well writes use the rate limit: a mixed plan applied, with its journal, to a sandbox that answers slowly.

    python benchmarks/apply.py [--writes 2000] [--latency 0.3]

A quarter creates, two fifths updates, the rest tag changes of two kinds. `window_utilisation` is requests per window of
what the limit allows, `requests_vs_estimate` what was sent against what the plan said it would cost, and
`bulk_tags_saving` the share of tag requests that batches saved. `looks_per_write` is how many records were read again right
before their write, as by default before every update, and `longest_look` the most seconds from such a look to the end of its
write: nobody's edit had longer to be overwritten unseen. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.extract import INTERVAL, LOCATION, TOKEN, Scenario, location, max_in_window  # noqa: E402 - the path comes first
from benchmarks.seed import open_ledger  # noqa: E402
from connectors.ghl import GhlConnector, GhlSettings, PrivateToken  # noqa: E402
from flows.clock import now  # noqa: E402
from reconcile.apply.apply import Desk, apply_chunk, chunks  # noqa: E402
from reconcile.ledger import runs  # noqa: E402
from reconcile.ledger.journal import Journal  # noqa: E402
from reconcile.model import Entity, Operation, OpKind, Side, Status, fingerprint  # noqa: E402
from reconcile.plan.plan import Group, estimate  # noqa: E402
from reconcile.ports import Page  # noqa: E402
from reconcile.values.codecs import Email, Labels, Name, Text  # noqa: E402
from reconcile.values.mapping import EntityMap, Field, Mapping  # noqa: E402

FIELDS = {
    "first_name": ("firstName", Name()),
    "email": ("email", Email()),
    "company": ("companyName", Text()),
    "tags": ("tags", Labels()),
}
MAPPING = Mapping(
    (
        EntityMap(
            Entity.CONTACT,
            tuple(Field(name, (name,), (ghl,), codec) for name, (ghl, codec) in FIELDS.items()),
        ),
    )
)


def plan(keys: list[str], writes: int) -> Iterator[Operation]:
    """Operations in the order a plan has them."""
    made, changed = writes // 4, writes * 2 // 5

    def operation(
        kind: OpKind, number: int, after: dict[str, str], *, key: str | None = None
    ) -> Operation:
        entity = Entity.TAG if "tags" in after else Entity.CONTACT
        name = fingerprint(kind, str(number))
        return Operation(
            name,
            kind,
            entity,
            Side.GHL,
            link_id=name,
            because="the benchmark",
            key=key,
            after=after,
        )

    for number in range(made):
        cells = {
            "first_name": f"New {number}",
            "email": f"new{number}@example.test",
            "company": "New",
        }
        yield operation(OpKind.CREATE, number, cells)
    for number in range(changed):
        yield operation(OpKind.UPDATE, number, {"company": f"Company {number}"}, key=keys[number])
    tagged = writes - made - changed
    for number in range(tagged):
        words = '["moved"]' if number < tagged // 2 else '["checked","called"]'
        yield operation(OpKind.ADD_TAGS, number, {"tags": words}, key=keys[number])


def grouped(operations: list[Operation]) -> list[Group]:
    """What the plan's head says of them."""
    groups = []
    for (kind, entity), found in groupby(operations, key=lambda o: (o.kind, o.entity)):
        same = list(found)
        deltas: dict[str, int] = {}
        for operation in same:
            words = operation.after.get("tags")
            if words:
                deltas[words] = deltas.get(words, 0) + 1
        groups.append(Group(entity, Side.GHL, kind, len(same), deltas=tuple(deltas.values())))
    return groups


def measure(url: str, folder: Path, writes: int) -> dict[str, float]:
    used = {Entity.CONTACT: tuple(ghl for ghl, _ in FIELDS.values())}
    connector = GhlConnector(
        GhlSettings(location=LOCATION, url=url, fields=used), auth=PrivateToken(TOKEN)
    )
    described = connector.describe()
    lines = b"".join(
        page.lines for page in connector.extract(Entity.CONTACT) if isinstance(page, Page)
    )
    operations = list(plan([json.loads(line)["id"] for line in lines.splitlines()], writes))
    expected = estimate(
        grouped(operations), Side.GHL, described, connector.usage(), recheck="always"
    ).requests
    ledger = open_ledger(folder)
    runs.start(ledger, "bench", "nightly", at=now())
    desk = Desk(
        MAPPING, {Side.GHL: connector}, Journal(ledger, "bench"), now, parents=lambda *_: None
    )
    time.sleep(INTERVAL + 1)  # the window of the extraction is over
    before, tags, begun = connector.usage().requests, 0, time.monotonic()
    for chunk in chunks(operations, 500):
        sent = connector.usage().requests
        outcomes = apply_chunk(desk, chunk)
        bad = [outcome for outcome in outcomes if outcome.status is not Status.DONE]
        assert not bad, bad[0]
        tags += connector.usage().requests - sent if chunk[0].entity is Entity.TAG else 0
    seconds, usage = time.monotonic() - begun, connector.usage()
    requests, tag_writes = usage.requests - before, sum(o.entity is Entity.TAG for o in operations)
    connector.close()
    ledger.close()
    return {
        "writes": len(operations),
        "requests": requests,
        "seconds": round(seconds, 2),
        "window_utilisation": round(requests / (100 * seconds / INTERVAL), 4),
        "requests_vs_estimate": round(requests / expected, 4),
        "bulk_tags_saving": round(1 - tags / tag_writes, 4),
        "looks_per_write": round(usage.looks / len(operations), 4),
        "longest_look": round(usage.longest_look, 2),
        "answers_429": usage.answers_429,
        "max_in_window": max_in_window(url),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--writes", type=int, default=2_000)
    parser.add_argument("--latency", type=float, default=0.3)
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        location(Scenario("apply", chosen.writes, 100, chosen.latency)) as url,
    ):
        result = measure(url, Path(folder), chosen.writes)
    for name, value in result.items():
        print(f"{name:<22}{value:>10}")
    print(json.dumps(result))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
