"""export: what the runs left, as tables for SQL and pandas."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from flows.commands.looking import open_ledger
from flows.commands.options import AtLeastOne, Json, PairFile
from flows.commands.printed import print_json

if TYPE_CHECKING:
    from flows.config import Pair
    from reconcile.ledger.ledger import Ledger
    from reconcile.report.tables import Newest


def export(
    out: Annotated[Path, Parameter(help="a DuckDB file, NAME.duckdb; or a folder, for Parquet")],
    /,
    *,
    pair: PairFile,
    limit: Annotated[int, AtLeastOne, Parameter(help="so many runs, the newest")] = 100,
    json: Json = False,
) -> int:
    """Write what the runs left as tables.

    Runs, changes, values, questions, and both sides' records under the mapping's names.

    The tables hold people's values, as the reports do.
    """
    from reconcile.report.tables import export as write

    with ExitStack() as stack:
        loaded, ledger = stack.enter_context(open_ledger(pair))
        documents, newest = _kept(loaded, ledger, limit, stack)
        rows = write(documents, newest, out)
    if json:
        print_json(rows)
    else:
        for name, count in rows.items():
            print(f"{count:>10,}  {name}")
        print(out)
    return 0


def _kept(
    loaded: Pair, ledger: Ledger, limit: int, stack: ExitStack
) -> tuple[list[dict[str, Any]], Newest | None]:
    """The reports of the runs, oldest first, and the newest archive of both sides.

    What was pruned is left out.
    """
    from flows.state.imprints import trusted
    from flows.state.stores import runs_folder
    from reconcile.ledger import runs
    from reconcile.report import kept
    from reconcile.report.schema import FORMAT

    documents: list[dict[str, Any]] = []
    newest: Newest | None = None
    for row in runs.runs(ledger, limit=limit):
        folder = trusted(loaded, ledger, runs_folder(loaded) / row.run_id)
        path = folder / "report.json"
        document = kept.read(path) if path.exists() else {}
        if document.get("format") == FORMAT:
            documents.append(document)
            newest = newest or _archive(loaded, folder, document, stack)
    return documents[::-1], newest


def _archive(
    loaded: Pair, folder: Path, document: dict[str, Any], stack: ExitStack
) -> Newest | None:
    """A run's archive, where it read both sides' contacts.

    It did so under the mapping that the pair file has now.
    """
    from reconcile.entities import OWNER
    from reconcile.report.tables import Newest
    from reconcile.stage.archive import MANIFEST, Archived

    read = [each for each in document["provenance"]["snapshots"] if each["entity"] == OWNER]
    # A partial run reads some contacts; notes are read within a budget, on any night.
    if not read or any(each["partial"] for each in read) or not (folder / MANIFEST).exists():
        return None
    archive = Archived(folder)
    mapping = loaded.located(archive.manifest.get("region"))
    if archive.manifest["mapping"] != mapping.digest:
        archive.sql.close()
        return None
    return Newest(folder.name, mapping, stack.enter_context(archive))
