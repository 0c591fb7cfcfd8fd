"""`./dev measure`: how dense the code is, figure by figure, beside what is aimed at; `tests/test_architecture.py` lets none get worse."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT = ("reconcile", "connectors", "flows", "ghl_reconcile")
WIDTH = 100
PARTICIPLES = frozenset({"told", "held", "made", "kept", "found", "asked"})
"""Names that say that something was done, not what it is."""

_NO_CODE = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a tree of Python files: what it says, how much it is, and what is aimed at."""

    name: str
    value: float
    aim: str


@dataclass(slots=True)
class _Counts:
    code: int = 0
    """Lines with code on them: no blank ones, comments or docstrings."""

    comments: int = 0
    expressions: int = 0
    conditionals: int = 0
    wide: int = 0
    names: int = 0
    participles: int = 0


def product() -> list[Path]:
    """The product's Python files."""
    return sorted(path for package in PRODUCT for path in (ROOT / package).rglob("*.py"))


def figures(paths: Iterable[Path]) -> list[Figure]:
    """The figures of these files."""
    counts = _Counts()
    for path in paths:
        _count(counts, path.read_text(encoding="utf-8"))
    return [
        Figure("expressions per code line", counts.expressions / counts.code, "<= 3"),
        Figure(f"lines wider than {WIDTH}", counts.wide, "0"),
        Figure(
            "conditional expressions per 100 code lines",
            100 * counts.conditionals / counts.code,
            "<= 1.5",
        ),
        Figure("comments per 100 code lines", 100 * counts.comments / counts.code, "2 to 4"),
        Figure("participles per 1,000 names", 1_000 * counts.participles / counts.names, "<= 2"),
    ]


def _count(counts: _Counts, text: str) -> None:
    tree = ast.parse(text)
    docstrings = list(_docstrings(tree))
    own = {id(docstring) for docstring in docstrings}
    for node in ast.walk(tree):
        counts.expressions += isinstance(node, ast.expr) and id(node) not in own
        counts.conditionals += isinstance(node, ast.IfExp)
        name = _name(node)
        counts.names += name is not None
        counts.participles += name in PARTICIPLES
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        counts.comments += token.type == tokenize.COMMENT
        if (
            token.type not in _NO_CODE
        ):  # a text over several lines is one: SQL is measured by its own linter
            lines.add(token.start[0])
    for docstring in docstrings:
        lines -= set(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    counts.code += len(lines)
    counts.wide += sum(len(line) > WIDTH for line in text.splitlines())


def _docstrings(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if (
            isinstance(node, _DOCUMENTED)
            and ast.get_docstring(node)
            and isinstance(node.body[0], ast.Expr)
        ):
            yield node.body[0].value


def _name(node: ast.AST) -> str | None:
    """What a node gives a name to."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id
    return None


def main() -> int:
    """Print the figures of the product, or of the folders that are named."""
    named = [Path(word) for word in sys.argv[1:]]
    paths = [path for folder in named for path in sorted(folder.rglob("*.py"))] or product()
    for figure in figures(paths):
        print(f"{figure.name:45} {figure.value:8.2f}   aim {figure.aim}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
