"""The report of a run: the statement, and the same document for machines, terminals, browsers and spreadsheets."""

from __future__ import annotations

import json
from collections.abc import Mapping as Map
from pathlib import Path
from typing import Any

from reconcile.mapping import Mapping
from reconcile.report.about import About
from reconcile.report.document import document
from reconcile.report.markdown import markdown
from reconcile.stage import Stage

__all__ = ["About", "document", "markdown", "write"]


def write(
    stage: Stage, mapping: Mapping, about: About, folder: Path, *, whole: Map[str, Any] | None = None
) -> dict[str, Path]:
    """Write report.json and report.md into `folder`, each whole or not at all; returns their paths.

    `whole` is the document, where the caller has it already.
    """
    made = document(stage, mapping, about) if whole is None else whole
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"json": dumped(made), "md": markdown(made)}
    return {kind: _place(folder / f"report.{kind}", text) for kind, text in texts.items()}


def dumped(document: Map[str, Any]) -> str:
    """The document as JSON text: equal documents give equal bytes."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n"


def _place(path: Path, text: str) -> Path:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    return partial.replace(path)
