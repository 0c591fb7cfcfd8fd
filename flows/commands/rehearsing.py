"""rehearse: nights of one's own pair on copies of one's own data, before anything is live."""

from __future__ import annotations

import json as jsons
import logging
import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from flows.commands.options import Json, PairFile
from flows.commands.printed import print_json
from flows.terminal import Console
from reconcile.errors import StateError

if TYPE_CHECKING:
    from flows.rehearse.nights import Night, Rehearsed

PAGE, DOCUMENT, WORK = "rehearsal.md", "rehearsal.json", "copies"


def rehearse(
    *,
    pair: PairFile,
    nights: Annotated[int, Parameter(validator=Number(gte=1, lte=365))] = 30,
    seed: Annotated[int, Parameter(help="the same seed plays the same edits and faults")] = 1,
    people: Annotated[
        int,
        Parameter(validator=Number(gte=0), help="how many people take part; 0: everybody"),
    ] = 200,
    folder: Annotated[
        Path, Parameter(help="where the page is written; an earlier one there is replaced")
    ] = Path("rehearsal"),
    into: Annotated[
        str | None,
        Parameter(
            help="the URL of an empty database of the app's kind, for its copy; "
            'default: an SQLite file. "env:NAME" reads a variable'
        ),
    ] = None,
    keep: Annotated[
        bool, Parameter(negative="", help="leave the copies, with their ledger, in the folder")
    ] = False,
    masked: Annotated[
        bool, Parameter(negative="", help="show no value of a person on the page")
    ] = False,
    json: Json = False,
) -> int:
    """Play nights of this pair on copies of both sides, and check each by what people typed.

    Both sides are read once, and nothing is written to either, nor to the pair's ledger. On the
    copies people make up edits, requests fail, runs are killed, a backup is restored, contacts are
    merged. The page says what the first night would do, what each rule did, and every promise that
    was broken, with what repeats it.
    """
    from flows.config import load
    from flows.progress import CURRENT
    from flows.rehearse import page
    from flows.rehearse.nights import rehearse as play

    loaded = load(pair)
    folder = folder.absolute()
    _clear(folder)
    console = Console(stderr=json, quiet=json and not sys.stderr.isatty())
    CURRENT.wanted = False  # the nights themselves are the progress
    logging.getLogger("flows").setLevel(logging.CRITICAL)  # alerts of nights that nobody had
    logging.getLogger("connectors").setLevel(logging.CRITICAL)
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="copies-", dir=folder))
    try:
        done = play(
            loaded,
            work,
            nights=nights,
            seed=seed,
            people=people or None,
            into=_url(into),
            heard=lambda night: _heard(console, night),
        )
    finally:
        if not keep:
            shutil.rmtree(work, ignore_errors=True)
    if keep:
        work.rename(folder / WORK)
    whole = page.document(done, masked=masked)
    command = _command(pair, people=people, seed=seed, into=into)
    text = page.markdown(done, command=command, masked=masked)
    (folder / PAGE).write_text(text, encoding="utf-8")
    (folder / DOCUMENT).write_text(jsons.dumps(whole, indent=1, ensure_ascii=False), "utf-8")
    _ending(console, done, folder, masked=masked)
    if json:
        print_json(whole)
    return done.exit_code


def _url(said: str | None) -> str | None:
    """The URL itself. Raises StateError for a variable that is not set."""
    if said is None or not said.startswith("env:"):
        return said
    name = said.removeprefix("env:")
    if name not in os.environ:
        what = f"the variable {name} is not set"
        raise StateError(what, remedy=f"set {name} to a database URL", code="OPTIONS")
    return os.environ[name]


def _command(pair: Path, *, people: int, seed: int, into: str | None) -> str:
    """What plays the same again; a URL as it was named, and only where that is a variable."""
    words = ["ghl-reconcile", "rehearse", "--pair", str(pair)]
    words += ["--people", str(people), "--seed", str(seed)]
    if into is not None and into.startswith("env:"):
        words += ["--into", into]
    return shlex.join(words)


def _clear(folder: Path) -> None:
    """Take an earlier rehearsal away. Raises StateError where something else lies there."""
    if not folder.exists():
        return
    strange = [one.name for one in folder.iterdir() if one.name not in (PAGE, DOCUMENT, WORK)]
    strange = [name for name in strange if not name.startswith(f"{WORK}-")]
    if strange:
        what = f"{folder} holds {min(strange)}, which is of no rehearsal"
        raise StateError(what, remedy="name another folder with --folder", code="OPTIONS")
    shutil.rmtree(folder)


def _heard(console: Console, night: Night) -> None:
    broken = f"  {len(night.broken)} broken" if night.broken else ""
    happened = night.happened.replace("_", " ")
    line = f"  night {night.number:3}  exit {night.code}  {night.headline}  ({happened}){broken}"
    console.print(line, highlight=False, markup=False, style="red" if broken else None)


def _ending(console: Console, done: Rehearsed, folder: Path, *, masked: bool) -> None:
    from flows.rehearse import page

    console.print()
    for line in page.summary(done):
        console.print(line, highlight=False, markup=False)
    for line in page.worst(done, masked=masked):
        console.print(line, highlight=False, markup=False, soft_wrap=True, style="red")
    console.print(f"Page: {folder / PAGE}", highlight=False, markup=False, soft_wrap=True)
