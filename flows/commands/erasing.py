"""erase: the command that takes one person out of all that is kept of a pair."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from flows.commands.looking import open_ledger
from flows.commands.options import Json, PairFile
from flows.commands.printed import print_json
from flows.commands.who import account
from flows.terminal import Console

if TYPE_CHECKING:
    from flows.config import Pair
    from flows.state.erasing import Desk
    from flows.state.rewriting import Found
    from reconcile.ledger.ledger import Ledger
    from reconcile.model import Side
    from reconcile.values.person import Person

Yes = Annotated[
    bool, Parameter(name=["--yes", "-y"], negative="", help="erase without asking, for scripts")
]


def erase(
    contact: Annotated[str, Parameter(help="the key in the app or in GHL, or the email")],
    /,
    *,
    pair: PairFile,
    yes: Yes = False,
    json: Json = False,
    by: Annotated[
        str | None, Parameter(help="who erases, for the certificate; default: your account")
    ] = None,
) -> int:
    """Erase one person from the ledger, the archives, the reports and the ledger's copies.

    It deletes nobody on either side, and says who is still there. What it would change is shown
    first. Salted digests stay, so that the person is asked about and not brought over again.
    """
    from flows.state import erasing

    console = Console(stderr=json)
    with open_ledger(pair) as (loaded, ledger):
        desk = _desk(loaded, ledger)
        unfinished = erasing.waits(desk)
        if not unfinished:
            person = erasing.find(desk, contact)
            _show(console, person, erasing.look(desk, person))
            for line in _still_there(loaded, ledger, person):
                console.print(line, highlight=False, markup=False)
        if not yes and not _confirmed(console):
            console.print("Nothing was erased. --yes erases without asking.", highlight=False)
            return 0
        certificate = erasing.erase(desk, contact, by=by or account())
    if json:
        print_json(certificate)
        return 0
    _tell(console, certificate, erasing.place(desk, certificate))
    return 0


def _desk(loaded: Pair, ledger: Ledger) -> Desk:
    """What an erasure works on, with the mapping as the newest archive completes it."""
    from flows.outcome.past import Evidence
    from flows.state.erasing import Desk
    from flows.state.stores import brought, runs_folder
    from reconcile.ledger import runs

    folder = runs_folder(loaded)
    with Evidence(folder, bring=lambda path: brought(loaded, path)) as evidence:
        archives = (evidence.archive(row.run_id) for row in runs.runs(ledger))
        then: Mapping[str, Any] = next((each.manifest for each in archives if each), {})
    mapping = loaded.located(then.get("region"), then.get("owners"))
    return Desk(loaded, ledger, mapping, folder)


def _confirmed(console: Console) -> bool:
    """Whether a person says so at a terminal; without one nobody is asked."""
    if not sys.stdin.isatty():
        return False
    console.print("Erase this person? Nothing brings it back. Type yes: ", end="")
    return sys.stdin.readline().strip().lower() == "yes"


def _show(console: Console, person: Person, tally: Found) -> None:
    """What would be changed, before anything is."""
    from reconcile.entities import OWNER

    ends = sorted((side, key) for kind, side, key in person.keys if kind == OWNER)
    hanging = {(kind, key) for kind, _, key in person.keys if kind != OWNER}
    console.print("To be erased:", highlight=False)
    lines = [f"contact {key} of {_label(side)}" for side, key in ends]
    lines.append(f"links: {len(person.links):,}; keys of tasks and notes: {len(hanging):,}")
    lines.append(f"ledger: {_counted(tally.ledger) or 'nothing'}")
    lines.append(
        f"{len(tally.runs):,} runs: {tally.rows + tally.told:,} rows in {tally.tables:,} tables, "
        f"{tally.documents:,} documents, {len(tally.removed):,} files that go whole"
    )
    if tally.plans:
        lines.append(f"{tally.plans:,} plans that wait have to be made again")
    if tally.backups:
        lines.append(f"copies of the ledger: {', '.join(tally.backups)}")
    for line in lines:
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def _counted(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(rows.items()))


def _label(side: str) -> str:
    from reconcile.model import Side

    return Side(side).label


def _still_there(loaded: Pair, ledger: Ledger, person: Person) -> Iterable[str]:
    """Which side has the person still, and what the next run makes of that."""
    from flows.wiring.wiring import connect
    from reconcile.entities import OWNER
    from reconcile.errors import ReconcileError
    from reconcile.model import Side

    there: dict[Side, bool] = {}
    try:
        with ExitStack() as stack:
            connectors = stack.enter_context(connect(loaded, engine=ledger.engine))
            for side, connector in connectors.items():
                keys = person.own(OWNER.value, side.value)
                there[side] = _any(connector, keys)
    except ReconcileError as error:
        yield f"Whether a side still has the person was not looked at: {error.code}"
        return
    yield from _sentences([side for side in Side if there.get(side)])


def _any(connector: Any, keys: Iterable[str]) -> bool:
    from reconcile.entities import OWNER

    records = (connector.read(OWNER, key, None) for key in sorted(keys))
    return any(record is not None and not record.deleted for record in records)


def _sentences(sides: list[Side]) -> Iterable[str]:
    if not sides:
        yield "Neither side has the person any more."
        return
    where = " and ".join(side.label for side in sides)
    yield f"Still there, and not deleted by this: the person in {where}."
    if len(sides) > 1:
        yield (
            "The next run links the two again, and remembers them. Delete the person on one side, "
            "let a run carry that across or ask, as the pair file says, and erase once more."
        )
    else:
        yield (
            "The next run reads the person there, and asks before it brings anything across. "
            "Delete the person there, too."
        )


def _tell(console: Console, certificate: Mapping[str, Any], path: Path) -> None:
    rows = sum(certificate["ledger_rows"].values())
    tables = certificate["tables_written_again"]
    console.print(
        f"Erased: {rows:,} rows of the ledger, {certificate['rows_taken_out']:,} rows of "
        f"{tables:,} tables, {certificate['documents_told_without']:,} documents.",
        highlight=False,
    )
    for name in (
        *certificate["ledger_copies_not_opened"],
        *certificate["files_that_still_mention"],
    ):
        console.print(f"Not erased in {name}: remove it yourself", highlight=False, markup=False)
    console.print(f"Certificate: {path}", highlight=False, markup=False, soft_wrap=True)
