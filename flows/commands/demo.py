"""demo: three nights of the real job on an example that a person can then edit."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from flows.commands.options import Engine, Json
from flows.commands.printed import print_json
from flows.commands.running import through
from flows.commands.show import tell_paths, tell_run
from flows.outcome.tell import Told
from flows.run import Options
from flows.terminal import Console, program
from reconcile.report.verdict import many

_NEXT = (
    ("Answer the questions in your browser:", "review --web"),
    ("Edit a value in the app or the pair file, and see what would be written:", "plan"),
    ("Ask why a record is as it is (its key stands in the report):", "explain contact 1"),
)
"""What somebody may try after the demo."""


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

    Three nights: the first brings both sides together; then people edit both sides; the second
    night carries the edits across and holds the conflict; the third finds nothing left to do.
    """
    console = Console(stderr=json, quiet=json and not sys.stderr.isatty())
    folder = folder.absolute()
    _clear(folder)
    from flows.demo import edit, make

    pair_file = make(folder, contacts=contacts, app=app)
    nights: list[Told] = []
    console.rule("First night: two sides that overlap in part")
    nights.append(_night(console, pair_file, engine))
    console.rule("The next day")
    for line in edit(folder, pair_file):
        console.print(f"  {line}", highlight=False, markup=False)
    console.rule("Second night: the edits travel")
    nights.append(_night(console, pair_file, engine))
    console.rule("Third night: nothing is left to do")
    nights.append(_night(console, pair_file, engine))
    _ending(console, nights, pair_file)
    if json:
        print_json({"folder": str(folder), "runs": [_brief(each) for each in nights]})
    return max(each.exit_code for each in nights)


def _ending(console: Console, nights: list[Told], pair_file: Path) -> None:
    """What just happened, why the exit code is what it is, and what to do next."""
    console.rule("What happened")
    days = ("First night", "Second night", "Third night")
    for day, night in zip(days, nights, strict=True):
        totals = night.document["totals"]
        writes = many(totals["done"]["writes"], "write")
        questions = many(totals["questions"], "question")
        console.print(f"  {day}: {writes}, {questions}.", highlight=False)
    open_questions = nights[-1].document["totals"]["questions"]
    if open_questions:
        console.print(
            (
                f"The exit code is 1, as {many(open_questions, 'question')} wait for a person: "
                "nothing failed, and nothing else is held up by them."
            ),
            highlight=False,
        )
    tell_paths(console, nights[1].paths)
    pair = shlex.quote(str(pair_file))
    for why, words in _NEXT:
        console.print(f"\n{why}", highlight=False, markup=False)
        line = f"  {program()} {words} --pair {pair}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _night(console: Console, pair_file: Path, engine: str) -> Told:
    result = through(engine, pair_file, Options("nightly", verify="full"))
    tell_run(console, result.document, pair=pair_file)
    return result


def _brief(result: Told) -> dict[str, Any]:
    names = (
        "run_id",
        "state",
        "started_at",
        "ended_at",
        "verdict",
        "entities",
        "certificate",
        "usage",
    )
    brief = {name: result.document[name] for name in names}
    return brief | {
        "plan_digest": result.document["provenance"]["plan_digest"],
        "exit_code": result.exit_code,
        "report": {kind: str(path) for kind, path in result.paths.items()},
    }


def _clear(folder: Path) -> None:
    """Take an earlier demo away; anything else in the way is left for `make` to refuse."""
    if (folder / "acme.toml").exists() and (folder / "ghl-sandbox.db").exists():
        shutil.rmtree(folder)
