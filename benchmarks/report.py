"""A report of many changes, from the stage of a finished run to its four files, beside datacompy's HTML of as many rows.

Prints a table for people, and as its last line one JSON object: changes, seconds, cpu_seconds (of all threads: what
stays the same on a busy machine), megabytes (of the HTML page), the seconds of each part, open_seconds (in a headless
Chromium, until the list of records is there; null without one),
vs_datacompy_html (writing our page / writing their HTML of as many differing rows, each from its own finished
comparison) and vs_datacompy_whole (our document, statement included, and page / their comparison and HTML). The last
two are null where datacompy is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from reconcile.model import Entity, Side  # noqa: E402 - the checkout is put on the path first
from reconcile.report import document, markdown  # noqa: E402
from reconcile.report.kept import texts  # noqa: E402
from reconcile.report.page import page  # noqa: E402
from reconcile.report.sheet import sheet  # noqa: E402
from tests.builders import World  # noqa: E402
from tests.builders_world import Seen, seen  # noqa: E402

# As if everything had been carried out, but for one in five hundred.
_OUTCOMES = """
CREATE OR REPLACE TABLE outcome AS
SELECT op_id, CASE WHEN seq % 500 = 0 THEN 'rejected' ELSE 'done' END AS status, coalesce(key, 'made' || seq) AS key,
    CASE WHEN seq % 500 = 0 THEN 'INVALID_FIELD' ELSE '' END AS code, CASE WHEN seq % 500 = 0 THEN 'email: not an address' ELSE '' END AS detail,
    md5(op_id) AS trace_id, '{}' AS outcome FROM planned WHERE kind NOT IN ('adopt', 'forget')
"""


def person(number: int) -> dict[str, Any]:
    return {
        "first_name": f"First{number % 5000}",
        "last_name": f"Last{number % 20000}",
        "email": f"person{number}@mail.example",
        "phone": f"+1{2_000_000_000 + number * 7}",
        "company": f"Company {number % 3000}",
        "tags": [f"tag{number % 40}"],
    }


@contextmanager
def finished(changes: int) -> Iterator[Seen]:
    """A run whose plan has about that many operations: seven tenths updates, two creates, one of tags, some deletes."""
    with World(limits={"max_first_creates": 10**9, "max_deletes": 10**9}) as world:
        known = int(changes * 0.8)
        keys = []
        for number in range(known):
            keys.append(world.app.put(Entity.CONTACT, person(number)))
            world.ghl.put(Entity.CONTACT, person(number))
        world.run()
        for number, key in enumerate(keys):
            if number % 8 == 7:
                world.app.edit(Entity.CONTACT, key, {"tags": [f"tag{number % 40}", "new"]})
            elif number % 100 == 3:
                world.app.delete(Entity.CONTACT, key)
            else:
                world.app.edit(
                    Entity.CONTACT,
                    key,
                    {
                        "company": f"Company {number % 3000} of the North",
                        "last_name": f"Next{number}",
                    },
                )
        for number in range(known, changes):
            side = world.sides[list(Side)[number % 2]]
            side.put(Entity.CONTACT, person(number))
        with seen(world, apply=False, state="settled") as found:
            found.stage.run(_OUTCOMES)
            yield found


def timed(parts: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    result = work()
    parts[name] = time.perf_counter() - began
    return result


def ours(changes: int, folder: Path) -> dict[str, Any]:
    parts: dict[str, float] = {}
    spent = time.process_time
    with finished(changes) as found:
        began = spent()
        whole = timed(
            parts, "document", lambda: document(found.stage, found.run.mapping, found.about)
        )
    html, path = folder / "report.html", folder / "report.json"
    timed(parts, "json", lambda: path.write_text("".join(texts(whole)), encoding="utf-8"))
    timed(
        parts,
        "markdown",
        lambda: (folder / "report.md").write_text(markdown(whole), encoding="utf-8"),
    )
    timed(parts, "html", lambda: html.write_text(page(whole), encoding="utf-8"))
    timed(parts, "xlsx", lambda: sheet(whole, folder / "report.xlsx"))
    took = spent() - began
    if not whole["statement"]["clean"]:
        raise SystemExit("the statement does not balance: the benchmark's world is wrong")
    return {
        "changes": len(whole["changes"]),
        "megabytes": html.stat().st_size / 1e6,
        "parts": parts,
        "cpu_seconds": took,
    }


def opening(html: Path) -> float | None:
    """Seconds until a headless Chromium shows the list of records."""
    import shutil

    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        return None
    from tests.chromium import chromium

    with chromium() as browser:
        began = time.perf_counter()
        browser.open(html.as_uri())
        if not browser.js("document.querySelectorAll('#table tbody tr.row').length"):
            raise SystemExit("the page shows no records")
        return time.perf_counter() - began


def theirs(changes: int, folder: Path) -> tuple[float, float] | None:
    """Seconds of datacompy to compare, and to write an HTML report that shows as many differing rows."""
    if importlib.util.find_spec("datacompy") is None:
        return None
    import datacompy
    import pandas as pd

    before = pd.DataFrame(
        [{"key": number, **person(number), "tags": "tag"} for number in range(changes)]
    )
    after = before.assign(
        company=before.company + " of the North", last_name="Next" + before.key.astype(str)
    )
    kind = getattr(datacompy, "PandasCompare", None) or datacompy.Compare
    began = time.perf_counter()
    compared = kind(before, after, join_columns="key")
    there = time.perf_counter()
    compared.report(sample_count=changes, html_file=str(folder / "datacompy.html"))
    return there - began, time.perf_counter() - there


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=50_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = ours(arguments.changes, folder)
        parts = found.pop("parts")
        seconds = sum(parts.values())
        opened = opening(folder / "report.html")
        other = theirs(found["changes"], folder)
        sizes = {path.name: path.stat().st_size / 1e6 for path in sorted(folder.glob("report.*"))}
    for part, took in parts.items():
        print(f"{part:<10} {took:7.2f} s")
    for file, size in sizes.items():
        print(f"{file:<12} {size:7.2f} MB")
    told = {
        "seconds": round(seconds, 2),
        "megabytes": round(found["megabytes"], 2),
        "changes": found["changes"],
    }
    told["cpu_seconds"] = round(found["cpu_seconds"], 2)
    told |= {
        "open_seconds": opened and round(opened, 2),
        "vs_datacompy_html": None,
        "vs_datacompy_whole": None,
    }
    if other is not None:
        told["vs_datacompy_html"] = round(parts["html"] / other[1], 3)
        told["vs_datacompy_whole"] = round((parts["document"] + parts["html"]) / sum(other), 3)
        print(
            f"datacompy: {other[0]:.2f} s to compare, {other[1]:.2f} s to write HTML of as many rows"
        )
    print(json.dumps(told | {f"{part}_seconds": round(took, 2) for part, took in parts.items()}))


if __name__ == "__main__":
    main()
