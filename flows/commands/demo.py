"""demo: three nights of the real job on an example that a person can then edit."""

from __future__ import annotations

import json as jsons
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from flows.commands.options import Engine, Json
from flows.commands.running import through
from flows.commands.show import tell_paths, tell_run
from flows.outcome.tell import Told
from flows.run import Options
from flows.terminal import Console


def demo(
    *,
    folder: Annotated[
        Path, Parameter(help="where to make it; an earlier demo there is replaced")
    ] = Path("demo"),
    contacts: Annotated[int, Parameter(help="how many people there are altogether")] = 200,
    app: Annotated[
        str | None,
        Parameter(help='in place of SQLite: a database URL, "rest" (a JSON API) or "csv" (files)'),
    ] = None,
    json: Json = False,
    engine: Engine = "prefect",
) -> int:
    """Run the whole job on an example: a small application, and GHL's look-alike over HTTP.

    Three nights: the first brings both sides together; then people edit both sides; the second night carries the edits
    across and holds the conflict; the third finds nothing left to do.
    """
    console = Console(stderr=json, quiet=json and not sys.stderr.isatty())
    folder = folder.absolute()
    _clear(folder)
    from flows.demo import edit, make

    pair_file = make(folder, contacts=contacts, app=app)
    told: list[Told] = []
    console.rule("First night: two sides that overlap in part")
    told.append(_night(console, pair_file, engine))
    console.rule("The next day")
    for line in edit(folder, pair_file):
        console.print(f"  {line}", highlight=False, markup=False)
    console.rule("Second night: the edits travel")
    told.append(_night(console, pair_file, engine))
    console.rule("Third night: nothing is left to do")
    told.append(_night(console, pair_file, engine))
    tell_paths(console, told[1].paths)
    console.print(
        f"The pair file, to edit and try: {pair_file}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    console.print(
        f"                                ghl-reconcile plan --pair {pair_file}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if json:
        jsons.dump(
            {"folder": str(folder), "runs": [_brief(each) for each in told]},
            sys.stdout,
            ensure_ascii=False,
            indent=1,
        )
        print()
    return max(each.exit_code for each in told)


def _night(console: Console, pair_file: Path, engine: str) -> Told:
    told = through(engine, pair_file, Options("nightly", verify="full"))
    tell_run(console, told.document, pair=pair_file)
    return told


def _brief(told: Told) -> dict[str, Any]:
    kept = (
        "run_id",
        "state",
        "started_at",
        "ended_at",
        "verdict",
        "entities",
        "certificate",
        "usage",
    )
    brief = {name: told.document[name] for name in kept}
    return brief | {
        "plan_digest": told.document["provenance"]["plan_digest"],
        "exit_code": told.exit_code,
        "report": {kind: str(path) for kind, path in told.paths.items()},
    }


def _clear(folder: Path) -> None:
    """Take an earlier demo away; anything else in the way is left for `make` to refuse."""
    if (folder / "acme.toml").exists() and (folder / "ghl-sandbox.db").exists():
        shutil.rmtree(folder)
