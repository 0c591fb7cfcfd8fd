"""What is asked of every file here: size, names, docstrings, and nothing that belongs to one machine."""

from __future__ import annotations

import ast
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from reconcile.entities import RECORDS, Shown
from tests.measure import ROOT, figures, product

MOST_LINES, MOST_IN_FUNCTION, MEDIAN = 525, 55, 8
FORBIDDEN_NAMES = ("utils", "util", "helpers", "helper", "common", "manager", "misc")
UNPUBLISHED = {
    ".venv",
    ".git",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "__pycache__",
    "demo",
}
TEXTS = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".sql",
    ".json",
    ".yaml",
    ".yml",
    ".j2",
    ".css",
    ".js",
    ".cfg",
    ".sh",
    "",
}
_FOREIGN = re.compile(
    r"https?://[\w.-]*(?:pypi|pythonhosted|artifactory|nexus|devpi|pkg\.dev|index-url)[\w.-]*"
    r"|(?<![\w.:/}])/(?:home|work|Users|root)/\w+"
)
"""A package registry's host, or an absolute path of somebody's machine."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _files(*suffixes: str) -> Iterator[Path]:
    """The files of the checkout with one of these suffixes."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(set(folders) - UNPUBLISHED)
        published = sorted(set(names) - UNPUBLISHED)  # in a git worktree .git is a file
        yield from (Path(folder, name) for name in published if Path(name).suffix in suffixes)


@cache
def _product() -> list[tuple[Path, ast.Module, str]]:
    texts = [(path, path.read_text(encoding="utf-8")) for path in product()]
    assert len(texts) > 100
    return [(path, ast.parse(text), text) for path, text in texts]


def _functions(tree: ast.AST) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def _body_lines(function: Function) -> int:
    """Lines of a function's body, its docstring left out."""
    body = (
        function.body[1:]
        if ast.get_docstring(function) and len(function.body) > 1
        else function.body
    )
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def _said(path: Path, line: int = 1) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_files_are_short() -> None:
    """No product file has more than 525 lines."""
    long = [
        f"{_said(path)} has {count}"
        for path, _, text in _product()
        if (count := text.count("\n")) > MOST_LINES
    ]
    assert not long, "\n".join(long)


def test_functions_are_short() -> None:
    """No function of the product is above 55 lines, and half of them are below 8."""
    lengths = [
        (_body_lines(function), _said(path, function.lineno), function.name)
        for path, tree, _ in _product()
        for function in _functions(tree)
    ]
    assert not [each for each in lengths if each[0] > MOST_IN_FUNCTION]
    assert statistics.median(length for length, _, _ in lengths) < MEDIAN


def test_the_code_gets_no_denser() -> None:
    """No figure of `./dev measure` is worse than it was: each number here may be made better, and never worse."""
    most = {
        "expressions per code line": 4.41,
        "lines wider than 100": 0,
        "conditional expressions per 100 code lines": 1.3,
        "participles per 1,000 names": 1.3,
    }
    found = {figure.name: figure.value for figure in figures(product())}
    assert {name for name, limit in most.items() if found[name] > limit} == set()
    assert found["comments per 100 code lines"] >= 1.55


def test_no_empty_names() -> None:
    """No file, class or function is called utils, helpers, common or manager: such names say nothing."""
    found = [
        _said(path) for path, _, _ in _product() if {*path.parts, path.stem} & set(FORBIDDEN_NAMES)
    ]
    for path, tree, _ in _product():
        for node in ast.walk(tree):
            if isinstance(node, Function | ast.ClassDef) and _words(node.name) & set(
                FORBIDDEN_NAMES
            ):
                found += [f"{_said(path, node.lineno)} {node.name}"]
    assert not found


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def test_modules_say_why_in_a_sentence() -> None:
    """Each module's docstring starts with one sentence on one line, and has no second one beside it."""
    for path, tree, _ in _product():
        first = (ast.get_docstring(tree) or "").partition("\n")[0]
        assert first.endswith("."), f"{_said(path)}: {first!r} is no sentence"
        assert not re.search(r"[a-z]\. [A-Z]", first), (
            f"{_said(path)}: {first!r} is more than one sentence"
        )


def test_every_test_states_a_fact() -> None:
    """Each test has a docstring: one sentence, ending with a full stop."""
    lacking = []
    for path in _files(".py"):
        if path.relative_to(ROOT).parts[0] != "tests" or not path.name.startswith("test_"):
            continue
        for function in _functions(ast.parse(path.read_text(encoding="utf-8"))):
            if function.name.startswith("test_") and not (
                ast.get_docstring(function) or ""
            ).rstrip().endswith("."):
                lacking += [f"{_said(path, function.lineno)} {function.name}"]
    assert not lacking, "\n".join(lacking)


def test_nothing_of_one_machine() -> None:
    """No file names a package registry's host or an absolute path of a machine."""
    found = []
    for path in _files(*TEXTS):
        # A container's paths are its own; the documents in tests/data are GHL's.
        if path in (Path(__file__), ROOT / "Dockerfile") or path.is_relative_to(
            ROOT / "tests" / "data"
        ):
            continue
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        ):
            if hit := _FOREIGN.search(line):
                found.append(f"{_said(path, number)}: {hit[0]}")
    assert not found, "\n".join(found)


def test_what_the_check_would_find() -> None:
    """The pattern for what belongs to one machine finds a registry and a home, and lets a repository's path be."""
    assert _FOREIGN.search("--index-url https://pypi.example.org/simple")
    assert _FOREIGN.search('open("/home/kim/x")')
    assert not _FOREIGN.search("https://services.leadconnectorhq.com/contacts/home/x")


def test_one_place_opens_duckdb() -> None:
    """No product file but reconcile/stage/confinement.py opens a connection, or uses the one that DuckDB's module opens by itself."""
    found = []
    for path, tree, _ in _product():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "duckdb":
                if node.attr not in (
                    "DuckDBPyConnection",
                    "Statement",
                    "Error",
                ) and not node.attr.endswith("Exception"):
                    found.append(f"{_said(path, node.lineno)} duckdb.{node.attr}")
            elif isinstance(node, ast.ImportFrom) and node.module == "duckdb":
                found.append(f"{_said(path, node.lineno)} from duckdb import ...")
    opened = [each for each in found if not each.startswith("reconcile/stage/confinement.py:")]
    assert len(found) > len(opened)
    assert opened == []


_KINDS = {kind.name for kind in (*RECORDS, *Shown)}
_WORDS = {word for kind in (*RECORDS, *Shown) for word in (kind.value, kind.plural)}
_ANY_KIND = "|".join(RECORDS)
_TABLES = re.compile(
    rf"(?<![a-z'])[a-z]+_(?:{_ANY_KIND})(?:_(?:app|ghl|\{{|$)|\b)"
    rf"|(?:=|WHEN|THEN|IN \(|\[)\s*'(?:{_ANY_KIND})'"
)
"""A table of the stage of one kind of record, or a kind as SQL compares it."""

DECLARING = {
    "reconcile/entities.py": "what each kind is",
    "connectors/ghl/entities.py": "what each is in GHL",
    "connectors/ghl/endpoints.py": "the paths of each",
    "connectors/memory/vices.py": "the fields of each that the side in memory has, unless it is told",
    "flows/init/entities.py": "by what a table of each is known",
    "flows/init/words.py": "the words for that in seven languages",
}
"""Where a kind of record is declared: whoever adds one begins here."""

NAMING = {
    "flows/demo/compare.py": "judges the demo's own people, tasks and notes",
    "flows/doctor/trial.py": "tries what GHL does with tasks and with notes, which nobody could tell",
    "flows/rehearse/events.py": "what people do with contacts and tasks in made-up days",
    "flows/rehearse/harms.py": "faults at GHL's own paths of contacts",
    "flows/rehearse/judge.py": "judges contacts and what hangs on them, some of it by a budget, past the product's own words",
    "flows/rehearse/wire.py": "sees by its path which contact the job looks at",
    "flows/doctor/kind_trials.py": "tries what it does with companies and with opportunities",
}
"""Where a kind is named all the same, with the reason. This only gets shorter."""


def _naming(path: Path) -> bool:
    """Whether a file asks for a kind of record by its name, and not for a trait of it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".sql":
        statements = re.sub(r"\{#.*?#\}", "", re.sub(r"--.*", "", text), flags=re.DOTALL)
        return bool(_TABLES.search(statements))
    tree = ast.parse(text)
    compared = {id(each) for node in ast.walk(tree) for each in _compared(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in ("Entity", "Shown") and node.attr in _KINDS:
                return True
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) in compared and node.value in _WORDS:
                return True
            if "SELECT" in node.value and _TABLES.search(node.value):
                return True
    return False


def _compared(node: ast.AST) -> Iterator[ast.AST]:
    """What a comparison or a case of a match compares with."""
    if isinstance(node, ast.Compare):
        yield from (node.left, *node.comparators)
    elif isinstance(node, ast.MatchValue):
        yield node.value


def test_a_kind_of_record_is_named_where_it_is_declared() -> None:
    """No stage, side or command decides by a kind's name, but where it says why; no SQL model names one."""
    # The sandbox is GHL, and the contract suite is tests.
    elsewhere = ("connectors/ghl/sandbox/", "connectors/contract/")
    naming = {
        path
        for folder in ("reconcile", "connectors", "flows")
        for file in sorted((ROOT / folder).rglob("*"))
        if file.suffix in (".py", ".sql") and "migrations" not in file.parts and _naming(file)
        if not (path := file.relative_to(ROOT).as_posix()).startswith(elsewhere)
    }
    assert naming - set(DECLARING) == set(NAMING), (
        "ask for a trait (reconcile/entities.py) where a kind is named; take away what names none any more"
    )


def test_whoever_adds_a_kind_is_told_every_place() -> None:
    """The walk-through names each file that declares, and they are eight at most."""
    told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert not [path for path in DECLARING if f"`{path}`" not in told]
    assert len(DECLARING) <= 8


SHOWING = {
    "reconcile/entities.py": "the kind",
    "connectors/ghl/settings.py": "the days that are read, by settings with words of their own",
    "connectors/memory/vices.py": "its fields on the side in memory",
    "flows/init/entities.py": "by what a table of it is known",
    "connectors/ghl/entities.py": "what it is in GHL",
    "connectors/ghl/endpoints.py": "its path",
    "flows/config/sides.py": "the same settings, and the budget of what is shown of it",
    "reconcile/ledger/schema.py": "the table that ledgers have",
}
"""All of the product that adding appointments touched by name; the sandbox, the demo, texts and the probe's list of what it does not try aside."""


def test_appointments_are_declared_in_eight_files() -> None:
    """They are read, carried, remembered, summed up and shown by code that does not name them."""
    naming = set()
    for path in product():
        name = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        words = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            if id(node) not in texts and " " not in node.value
        ]
        words += [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        words += [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
        if any("appointment" in word.lower() for word in words):
            naming.add(name)
    aside = ("connectors/ghl/sandbox/", "flows/demo/", "flows/doctor/probe.py")
    assert {name for name in naming if not name.startswith(aside)} == set(SHOWING)


def test_arrows_point_one_way() -> None:
    """Import-linter's contracts hold."""
    linter = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)  # noqa: S603 - the tests' own command
    assert ended.returncode == 0, ended.stdout[-4000:]


@pytest.mark.parametrize("package", ["prefect", "pandas"])
def test_core_imports_nothing_heavy(package: str) -> None:
    """The steps of a run import neither the orchestrator nor pandas."""
    code = f"import sys, flows.runner, flows.jobs.full, flows.cli; sys.exit({package!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0  # noqa: S603 - the tests' own command
