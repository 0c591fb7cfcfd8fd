"""The report of a run: one document for machines, terminals, browsers and spreadsheets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from collections.abc import Mapping as Map
from pathlib import Path
from typing import Any

from reconcile.report.about import About
from reconcile.report.decisions import decisions_from
from reconcile.report.document import document
from reconcile.report.frames import Run, Runs, changes
from reconcile.report.kept import texts
from reconcile.report.markdown import markdown
from reconcile.stage.stage import Stage
from reconcile.values.mapping import Mapping

__all__ = [
    "About",
    "Run",
    "Runs",
    "changes",
    "decisions_from",
    "document",
    "markdown",
    "texts",
    "write",
    "write_document",
]


def write(stage: Stage, mapping: Mapping, about: About, folder: Path) -> dict[str, Path]:
    """Write report.json, .md, .html and .xlsx into `folder`, each whole or not at all.

    Returns their paths by ending.
    """
    return write_document(document(stage, mapping, about), folder)


def write_document(whole: Map[str, Any], folder: Path, *, masked: bool = False) -> dict[str, Path]:
    """The same from a document that is there already.

    `masked` takes personal values out of all of them.
    """
    from reconcile.report.mask import masked as mask_document
    from reconcile.report.page import page
    from reconcile.report.sheet import sheet

    document = mask_document(whole) if masked else whole
    folder.mkdir(parents=True, exist_ok=True)
    paths = {"json": _place(folder / "report.json", texts(document))}
    paths["md"] = _place(folder / "report.md", [markdown(document)])
    # The page says of which document it is, so that whoever is handed both can tell.
    paths["html"] = _place(folder / "report.html", [page(document, digest=_digest(paths["json"]))])
    return paths | {"xlsx": sheet(document, folder / "report.xlsx")}


def _digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(path: Path, parts: Iterable[str]) -> Path:
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as out:
        out.writelines(parts)
    return partial.replace(path)
