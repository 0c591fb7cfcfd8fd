"""init and doctor: the commands that come before the first run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.markup import escape
from rich.prompt import Confirm, Prompt

from flows.commands.options import Json, PairFile
from flows.commands.printed import print_json
from flows.terminal import Console, program

if TYPE_CHECKING:
    from flows.doctor import Probed
    from flows.init.proposal import Line

_HOST = "https://services.leadconnectorhq.com"
_MARKS = {
    "ok": "[green]✓[/]",
    "note": "[blue]·[/]",
    "warning": "[yellow]![/]",
    "error": "[red]✗[/]",
}


def init(
    *,
    app: Annotated[
        str,
        Parameter(
            help=(
                "the app: a database URL, env:NAME, a file or a folder of files, "
                "an OpenAPI document (.json, .yaml) or saved answers (.json)"
            )
        ),
    ],
    location: Annotated[str, Parameter(help="the GHL location's id")],
    ghl_url: Annotated[str, Parameter(help="GHL's address, or sandbox:FILE")] = _HOST,
    ghl_token_env: Annotated[
        str, Parameter(help="the environment variable that holds the token")
    ] = "GHL_TOKEN",  # noqa: S107 - the name of a variable, not a token
    out: Annotated[Path, Parameter(help="the pair file to write")] = Path("pair.toml"),
    name: Annotated[str | None, Parameter(help="the pair's name")] = None,
    yes: Annotated[bool, Parameter(negative="", help="take what is likely, ask nothing")] = False,
) -> int:
    """Connect both sides, propose the field mapping, and write a commented pair file.

    Each proposal comes with its evidence.
    """
    from flows.init import init as write_pair
    from flows.init.propose import likeliest
    from flows.init.run import Wish
    from flows.init.telling import summary

    wish = Wish(app, location, out, ghl_url, ghl_token_env, name)
    console = Console()
    if yes:
        written = write_pair(wish, choose=likeliest)
    else:
        written = write_pair(
            wish, ask=partial(_is_right, console), choose=partial(_choice, console)
        )
    said = [*summary(written.proposal), f"wrote {written.path}"]
    said += [f"  • {sentence}" for sentence in written.todo]
    said.append(f"next: {program()} doctor --pair {written.path}")
    for line in said:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return 0


def _is_right(console: Console, line: Line) -> bool:
    """Whether a person finds a proposed line right."""
    return Confirm.ask(escape(str(line)), console=console, default=True)


def _choice(console: Console, question: str, candidates: Sequence[str]) -> str:
    """What a person chooses; the likeliest where they say nothing."""
    return Prompt.ask(
        escape(question),
        console=console,
        choices=list(candidates),
        default=candidates[0],
    )


def _tell_sheet(console: Console, probed: Probed, version: str) -> None:
    """What was found out, to be shared; and apart from it what a person has to delete."""
    console.rule(f"Facts of this location, API version {version}")
    console.print("No id, value or token of the location is in them: they can be shared.")
    for answer in probed.answers:
        console.print(f"  {answer.question}", highlight=False, markup=False)
        so = f" → {answer.suggests}" if answer.suggests else ""
        where = f"docs/ghl.md#{answer.fact}"
        console.print(f"      {answer.answer}{so} ({where})", highlight=False, markup=False)
    console.rule("Taken away again")
    if not probed.left:
        console.print("Everything that was made is deleted.")
    for what in probed.left:
        console.print(f"! Delete by hand in GHL: {what}", highlight=False, markup=False)


def doctor(
    *,
    pair: PairFile,
    probe: Annotated[
        bool, Parameter(negative="", help="also try GHL's unknowns with a throw-away contact")
    ] = False,
    yes: Annotated[bool, Parameter(negative="", help="do not ask before the probe")] = False,
    json: Json = False,
) -> int:
    """Check credentials, scopes, tables, fields, types, quotas and versions.

    Each finding says what to do. Changes nothing.
    """
    from flows.config import load
    from flows.doctor import check
    from flows.doctor import probe as try_out

    loaded = load(pair)
    findings = check(loaded)
    console = Console(stderr=json)
    for finding in findings:
        console.print(
            f"{_MARKS.get(str(finding.level), '·')} {escape(finding.what)}", highlight=False
        )
        if finding.remedy:
            console.print(f"    → {finding.remedy}", highlight=False, markup=False)
    probed = None
    if probe:
        confirm = (lambda _: True) if yes else (lambda text: Confirm.ask(text, console=console))
        probed = try_out(loaded, confirm)
        _tell_sheet(console, probed, loaded.ghl.version)
    if json:
        listed = [{"level": str(f.level), "what": f.what, "remedy": f.remedy} for f in findings]
        answers = [asdict(answer) for answer in probed.answers] if probed else []
        print_json({"findings": listed, "answers": answers})
    if any(str(finding.level) == "error" for finding in findings):
        return 3
    return 0
