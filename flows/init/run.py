"""`init` from end to end: connect, look, propose, ask where it is unsure, write."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from flows.config.clear import is_loopback
from flows.config.pair import SANDBOX, read
from flows.config.sides import GhlForm
from flows.init.api import ApiSurvey, survey_api
from flows.init.files import FileSurvey, survey_files
from flows.init.proposal import SURE, Join, Line, Place, Proposal, Unplaced
from flows.init.propose import Choose, likeliest, propose
from flows.init.required import sentences
from flows.init.survey import survey
from flows.init.writing import Head, pair_text
from reconcile.entities import OWNER
from reconcile.errors import ConfigError, Problem
from reconcile.ports import Description
from reconcile.values.mapping import TAGS

HOST = "https://services.leadconnectorhq.com"
APP_VARIABLE = "APP_DATABASE_URL"
_DOUBT = 0.9

Ask = Callable[[Line], bool]
"""Asks a person whether a proposed line is right."""


@dataclass(frozen=True, slots=True)
class Written:
    """What `init` did: the file, and what it proposed.

    It also says what a person has to do next, a sentence each.
    """

    path: Path
    proposal: Proposal
    todo: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """What `init` is told: the flags of the command line.

    `app_url` is a database URL, "env:NAME", or a file or folder.
    """

    app_url: str
    location: str
    out: Path
    ghl_url: str = HOST
    token_env: str = "GHL_TOKEN"  # noqa: S105 - the name of a variable, not a token
    name: str | None = None


def init(
    wish: Wish,
    *,
    ask: Ask | None = None,
    choose: Choose = likeliest,
    environ: Mapping[str, str] = os.environ,
) -> Written:
    """Connect both sides, propose the mapping and write a commented pair file.

    Nothing is written to either side.

    `choose` is called where several tables or tenants may be meant, `ask` for every line that is
    not quite sure; without it (`--yes`) what is likely is taken and the rest is mentioned in the
    file. Raises ConfigError where a side cannot be reached, no table looks like contacts, or the
    file exists.
    """
    if wish.out.exists():
        raise _refused(
            "--out", f"{wish.out} exists already", "Name another file, or move that one away."
        )
    api = _api(wish)
    files = None if api else _files(wish)
    known = api or files
    tables = known.tables if known else survey(_database_url(wish, environ))
    proposal = propose(tables, _described(wish, environ), choose)
    if api:
        proposal = api.fitted(_without_joins(proposal))
    if known is None:
        proposal = _in_dialect(proposal, _database_url(wish, environ))
    if files:
        proposal = _of_files(_without_joins(proposal), files)
    if proposal.place(OWNER) is None:
        seen = ", ".join(table.name for table in tables) or "none at all"
        remedy = (
            "Offer a view with names, emails and telephone numbers, or write the pair file by hand."
        )
        raise _refused("--app", f"no table looks like contacts; tables seen: {seen}", remedy)
    proposal = _checked_keys(proposal)
    if ask is not None:
        proposal = _asked(proposal, ask)
    head = _api_head(wish, api) if api else _head(wish, files)
    text = pair_text(proposal, head)
    secrets = dict.fromkeys(("APP_TOKEN", "APP_USER"), "to be set")
    variables = {**secrets, **environ, APP_VARIABLE: _app_url(wish, environ)}
    # Read as `run` reads it, before it is written: nobody gets a file that is refused.
    read(text, wish.out.absolute(), environ=variables)
    _write(wish.out, text)
    todo = _todo(proposal, head, environ)
    if api:
        todo = (*api.todo, *todo)
    return Written(wish.out, proposal, todo)


def _refused(where: str, what: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(where, what, remedy)])


def _database_url(wish: Wish, environ: Mapping[str, str]) -> str:
    url = _app_url(wish, environ)
    if url.startswith(("http://", "https://")):
        what = "a JSON API is not asked what it holds: no mapping can be proposed from its address"
        remedy = (
            "Save its OpenAPI document, or an answer of each collection, as .json files, "
            "and give those; or begin with the cookbook."
        )
        raise _refused("--app", what, remedy)
    return url


def _in_dialect(proposal: Proposal, url: str) -> Proposal:
    """Conditions as the database takes them.

    What stands between double quotes is a text for MySQL and MariaDB.
    """
    if not url.startswith(("mysql", "mariadb")):
        return proposal
    places = [replace(place, where=place.where.replace('"', "`")) for place in proposal.places]
    return replace(proposal, places=tuple(places))


def _app_url(wish: Wish, environ: Mapping[str, str]) -> str:
    if not wish.app_url.startswith("env:"):
        return wish.app_url
    variable = wish.app_url.removeprefix("env:")
    if not environ.get(variable):
        raise _refused(
            "--app", f"the environment variable {variable} is not set", f"export {variable}=…"
        )
    return environ[variable]


def _described(wish: Wish, environ: Mapping[str, str]) -> Description:
    from flows.wiring.wiring import connect_ghl

    token = environ.get(wish.token_env, "").strip()
    sandbox = wish.ghl_url.startswith(SANDBOX)
    if not token and not sandbox:
        what = f"the environment variable {wish.token_env} is not set"
        raise _refused(
            "--ghl-token-env",
            what,
            f"Make a private integration token in GHL, then: export {wish.token_env}=…",
        )
    url = wish.ghl_url
    if sandbox:
        url = f"{SANDBOX}{Path(url.removeprefix(SANDBOX)).absolute()}"
    if url.startswith("http://") and not is_loopback(url):
        raise _refused("--ghl-url", "the token would go unencrypted", "Write https://…")
    form = GhlForm(url=url, location=wish.location, token=SecretStr(token) if token else None)
    with connect_ghl(form) as connector:
        return connector.describe()


def _checked_keys(proposal: Proposal) -> Proposal:
    """Without the entities whose table has no key to know a record by.

    They could not be kept apart.
    """
    keyless = [place for place in proposal.places if not place.key and not place.reads]
    if any(place.entity is OWNER for place in keyless):
        what = (
            f"the table {keyless[0].table} has no primary key, so its records cannot be told apart"
        )
        raise _refused(
            "--app", what, "Give it a primary key, or write the pair file by hand and name the key."
        )
    gone = {place.entity for place in keyless}
    unplaced = list(proposal.unplaced)
    for place in keyless:
        why = f"the table {place.table} has no primary key"
        unplaced.append(Unplaced(place.entity.value, why))
    return replace(
        proposal,
        places=tuple(place for place in proposal.places if place.entity not in gone),
        lines=tuple(line for line in proposal.lines if line.entity not in gone),
        unplaced=tuple(unplaced),
    )


def _asked(proposal: Proposal, ask: Ask) -> Proposal:
    lines: list[Line] = []
    for line in proposal.lines:
        if line.confidence < _DOUBT:
            answer = ask(line)
            line = replace(line, confidence=float(answer))
        lines.append(line)
    places = (_without_denied(place, lines) for place in proposal.places)
    return replace(proposal, places=tuple(places), lines=tuple(lines))


def _without_denied(place: Place, lines: Sequence[Line]) -> Place:
    """Without the joins whose every field was denied."""
    own = [line for line in lines if line.entity is place.entity]
    joins = [join for join in place.joins if not _is_denied(join, own)]
    return replace(place, joins=tuple(joins))


def _is_denied(join: Join, lines: Iterable[Line]) -> bool:
    answers = [line.confidence for line in lines if line.column.startswith(f"{join.name}.")]
    return bool(answers) and not any(answers)


def _files(wish: Wish) -> FileSurvey | None:
    """What the files hold, where the app is a file or a folder on this machine."""
    path = Path(wish.app_url).expanduser()
    if "://" not in wish.app_url and path.exists():
        return survey_files(path)
    return None


def _api(wish: Wish) -> ApiSurvey | None:
    """What a JSON API holds, where the app is given as its document or as saved answers."""
    path = Path(wish.app_url).expanduser()
    if "://" not in wish.app_url and path.exists():
        return survey_api(path)
    return None


def _api_head(wish: Wish, api: ApiSurvey) -> Head:
    return replace(_head(wish, None), connector="rest", files=api.said(), app=api.app)


def _without_joins(proposal: Proposal) -> Proposal:
    """Files and JSON APIs have no join tables: what is in a file of its own is said, not mapped."""
    places = tuple(map(_alone, proposal.places))
    tagged = {place.entity for place in places if place.tags}
    lines = [
        line for line in proposal.lines if "." not in line.column or not _joined(line, proposal)
    ]
    said = [
        Unplaced(
            join.said["table"], "it is in a file of its own: put it into columns of the contacts"
        )
        for place in proposal.places
        for join in place.joins
    ]
    if proposal.place(OWNER) and not tagged and any(place.tags for place in proposal.places):
        lines = [line for line in lines if line.ghl != (TAGS,)]
        why = "tags are in a file of their own: put them into a column of the contacts"
        said.append(Unplaced(TAGS, why))
    return replace(
        proposal,
        places=tuple(place for place in places if "." not in (place.parent or "")),
        lines=tuple(lines),
        unplaced=(*proposal.unplaced, *said),
    )


def _alone(place: Place) -> Place:
    tags = None if place.tags and "table" in place.tags else place.tags
    return replace(place, tags=tags, joins=(), fixed={}, on_create={}, where="", creates="")


def _joined(line: Line, proposal: Proposal) -> bool:
    place = proposal.place(line.entity)
    return place is not None and line.column.partition(".")[0] in {
        join.name for join in place.joins
    }


def _of_files(proposal: Proposal, files: FileSurvey) -> Proposal:
    """Rows without a key are read alone, and an application's own numbers are not made up."""
    return replace(proposal, places=tuple(_of_file(place, files) for place in proposal.places))


def _of_file(place: Place, files: FileSurvey) -> Place:
    export = files.files[place.table].export
    if export is not None:
        place = replace(place, because=f"it is {export.name}; {place.because}")
    if not place.key and place.entity is OWNER:
        why = (
            "no column tells its rows apart: an edit looks like another row, so nothing is written"
        )
        return replace(place, creates=why, reads=True)
    if files.format == "excel" and "footer" in files.files[place.table].said:
        return replace(place, creates="below the rows stands a footer, which new rows would spoil")
    if export is not None and export.own_key is not None:
        return replace(place, creates=f'"{export.own_key}" is given by the application alone')
    return place


def _head(wish: Wish, files: FileSurvey | None) -> Head:
    return Head(
        connector=files.format if files else "sql",
        files=_written_files(wish, files) if files else {},
        name=wish.name or re.sub(r"[^A-Za-z0-9_.-]+", "-", wish.out.stem).strip("-.") or "pair",
        app_url=_written_url(wish),
        ghl_url=_written_sandbox(wish) if wish.ghl_url.startswith(SANDBOX) else wish.ghl_url,
        location=wish.location,
        token=None if wish.ghl_url.startswith(SANDBOX) else f"env:{wish.token_env}",
    )


def _written_files(wish: Wish, files: FileSurvey) -> dict[str, dict[str, Any]]:
    written = {}
    for name, file in files.files.items():
        said = {"path": _beside(wish.out, str(file.path)), **file.said}
        if file.export and file.export.tags_except:
            said["tags_except"] = file.export.tags_except
        written[name] = said
    return written


def _written_url(wish: Wish) -> str:
    """How the app's URL stands in the file.

    Never with a password, SQLite's path relative to the file where it can be.
    """
    if wish.app_url.startswith("env:"):
        return wish.app_url
    scheme, slashes, file = wish.app_url.partition(":///")
    if scheme.startswith("sqlite") and slashes:
        return f"{scheme}:///{_beside(wish.out, file)}"
    if "@" in urlsplit(wish.app_url).netloc:
        return f"env:{APP_VARIABLE}"
    return wish.app_url


def _written_sandbox(wish: Wish) -> str:
    return f"{SANDBOX}{_beside(wish.out, wish.ghl_url.removeprefix(SANDBOX))}"


def _beside(out: Path, file: str) -> str:
    whole, folder = Path(file).absolute(), out.absolute().parent
    if whole.is_relative_to(folder):
        return str(whole.relative_to(folder))
    return str(whole)


def _write(out: Path, text: str) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.name}.part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(out)


def _todo(proposal: Proposal, head: Head, environ: Mapping[str, str]) -> tuple[str, ...]:
    said = []
    if head.app_url == f"env:{APP_VARIABLE}" and APP_VARIABLE not in environ:
        said.append(
            f"The URL names a login, so the file says env:{APP_VARIABLE}: "
            "export that variable before each run."
        )
    unsure = [line for line in proposal.lines if SURE <= line.confidence < _DOUBT]
    if unsure:
        said.append(
            f"Check the lines that are not quite sure: {', '.join(line.column for line in unsure)}."
        )
    if any(line.choices and line.entity.spec.completes for line in proposal.lines):
        said.append(
            "Check which words mean that a task is done, and add those that "
            "the samples did not show."
        )
    said += sentences(proposal)
    if proposal.unplaced:
        said.append("Some columns found no place; the file says which, and why.")
    return tuple(said)
