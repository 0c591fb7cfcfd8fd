"""The library: the notebook runs, frames have their columns and dtypes, and errors are those of the tree."""

from __future__ import annotations

import ast
import inspect
import json
import re
import typing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import ghl_reconcile
from ghl_reconcile import Pair, Result, frames
from reconcile.errors import ReconcileError
from tests.flows.acme import Acme

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "tasks" / "library.ipynb"
PAGE = ROOT / "docs" / "reference" / "library.md"

FRAMES = {
    "entries": frames.ENTRIES,
    "changes": frames.CHANGES,
    "statement": frames.STATEMENT,
    "agreement": frames.AGREEMENT,
    "values": frames.VALUES,
    "questions": frames.QUESTIONS,
}

Names = dict[str, Any]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Names:
    """What the notebook leaves, run from top to bottom beside a demo, with each cell's last value as `cells`."""
    folder = tmp_path_factory.mktemp("library")
    Acme.made(folder / "demo", contacts=40)
    there: Names = {"cells": []}
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                there["cells"].append(_ran("".join(cell["source"]), there))
    return there


def _ran(source: str, names: Names) -> Any:
    """Run a cell; what its last expression comes to."""
    *steps, last = ast.parse(source).body
    assert isinstance(last, ast.Expr)
    exec(compile(ast.Module(steps, []), NOTEBOOK.name, "exec"), names)  # noqa: S102 - our own page
    return eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), names)  # noqa: S307 - the same


def test_the_notebook_plans_applies_and_tells(names: Names) -> None:
    """Every cell has something to show; what was planned was done, and the report can be had again."""
    shown = [cell for cell in names["cells"] if isinstance(cell, int) or len(cell)]
    assert len(shown) >= len(names["cells"]) - 1  # no operation of the demo is risky
    planned, done = names["planned"], names["done"]
    assert (planned.state, planned.job, done.state, done.exit_code) == (
        "planned",
        "plan",
        "settled",
        1,
    )
    assert planned.digest == done.digest
    assert not planned.agrees
    written = done.entries[done.entries["status"] == "done"]
    assert len(written) > 40
    assert set(written["op_id"]) <= set(planned.entries["op_id"])
    assert (done.statement["adjusted"] == done.statement["linked"]).all()
    assert not done.statement["unexplained"].any()
    pair = names["pair"]
    assert pair.result(done.run_id).entries.equals(done.entries)
    assert pair.result().job == "audit"
    assert list(pair.runs()["job"])[:2] == ["audit", "plan"]
    assert done.page is not None


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_has_its_columns_and_dtypes_with_rows_or_without(names: Names, name: str) -> None:
    """What the page promises of each column is so, also of a run that has nothing to show in it."""
    empty = {"changes": [], "holds": [], "provenance": {"plan_digest": None}}
    empty |= {"statement": {"entities": []}, "values": {"entities": [], "listed": []}}
    nothing = Result("r", "plan", "planned", 0, empty)
    for result in (names["done"], nothing):
        found = getattr(result, name)
        expected = {column: str(pd.api.types.pandas_dtype(k)) for column, k in FRAMES[name].items()}
        assert {column: str(kind) for column, kind in found.dtypes.items()} == expected
    assert len(getattr(names["done"], name)) > 0


def test_figures_of_frames_are_those_of_the_report(names: Names) -> None:
    """Values by class, changed fields and questions add up to what the report counts."""
    done = names["done"]
    entities = done.document["values"]["entities"]
    assert done.agreement["values"].sum() == sum(each["total"] for each in entities)
    assert len(done.changes) == sum(len(each["fields"]) for each in done.document["changes"])
    assert len(done.questions) == done.document["totals"]["questions"]
    assert set(done.changes["op_id"]) <= set(done.entries["op_id"])


def test_errors_are_those_that_the_docstrings_name(names: Names, tmp_path: Path) -> None:
    """A file that is no pair, a plan that is none, a limit and a run that there is not: each its own error of the tree."""
    pair: Pair = names["pair"]
    with pytest.raises(ghl_reconcile.ConfigError, match="cannot be read"):
        ghl_reconcile.load(tmp_path / "none.toml")
    with pytest.raises(ghl_reconcile.StalePlan, match="no plan"):
        pair.apply("0" * 20, by="ann")
    with pytest.raises(ghl_reconcile.StateError, match="there is no limit 'all'"):
        pair.plan(allow=["all"])
    with pytest.raises(ghl_reconcile.StateError, match="no report of run"):
        pair.result("20200101T000000-nightly-0000")
    errors = [
        each for each in ghl_reconcile.__all__ if each.endswith(("Error", "Locked", "Refused"))
    ]
    assert all(issubclass(getattr(ghl_reconcile, each), ReconcileError) for each in errors)


def test_every_public_name_is_typed_told_and_on_the_page() -> None:
    """Each method and property has a docstring and types, and the page is made of them."""
    page = PAGE.read_text(encoding="utf-8")
    for kind in (Pair, Result):
        for name, member in vars(kind).items():
            if name.startswith("_") or not (callable(member) or isinstance(member, property)):
                continue
            function = member.fget if isinstance(member, property) else member
            assert inspect.getdoc(function), name
            assert "return" in function.__annotations__, name
            assert re.search(rf"^#+ .*{kind.__name__}\.{name}\b", page, re.MULTILINE), name
    assert typing.get_type_hints(ghl_reconcile.load)["return"] is Pair
    for columns in FRAMES.values():
        assert all(f"`{column}`" in page for column in columns)
