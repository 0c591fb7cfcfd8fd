"""What the runs left, as tables for analysts: one DuckDB file or Parquet files, with the mapping's names."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flows.config import load
from tests.flows.acme import Acme
from tests.flows.calls import say

TASKS = Path(__file__).parents[2] / "docs" / "tasks"
NOTEBOOK = TASKS / "analysts.ipynb"


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Acme:
    """A pair after its first night and an audit, with its tables beside it."""
    made = Acme.settled(tmp_path_factory.mktemp("tables") / "demo")
    made.run(job="audit")
    for out in ("analysis.duckdb", "analysis"):
        assert say("export", made.folder.parent / out, "--pair", made.pair).code == 0
    return made


@pytest.fixture
def beside(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which an analyst works."""
    monkeypatch.chdir(acme.folder.parent)
    return acme.folder.parent


def test_the_tables_have_what_the_reports_have(acme: Acme, beside: Path) -> None:
    """Figures and rows of the tables are those of the reports, and join by the run."""
    report = say("report", "--pair", acme.pair, "--json").document
    with duckdb.connect("analysis.duckdb", read_only=True) as tables:
        runs = tables.sql("SELECT job, done_writes, questions FROM runs ORDER BY started_at")
        (night, (job, done, questions)) = runs.fetchall()
        assert (job, done, questions) == ("audit", 0, report["totals"]["questions"])
        written = "SELECT count(DISTINCT op_id) FROM changes JOIN runs USING (run_id) WHERE job = 'nightly' AND status = 'done' AND kind NOT IN ('adopt', 'forget')"
        assert tables.sql(written).fetchall() == [(night[1],)]
        asked = "SELECT count(*), count(choices) FROM questions JOIN runs USING (run_id) WHERE job = 'audit'"
        assert tables.sql(asked).fetchall() == [(questions, questions)]


def test_records_stand_under_the_names_of_the_mapping(acme: Acme, beside: Path) -> None:
    """Contacts, tasks and notes have the pair file's fields, as many rows as were read, and the two ends of a pair share a link."""
    report = say("report", "--pair", acme.pair, "--json").document
    with duckdb.connect("analysis.duckdb", read_only=True) as tables:
        for mapped in load(acme.pair).mapping.entities:
            found = tables.sql(f"FROM {mapped.entity.plural}")
            assert {field.name for field in mapped.fields} <= set(found.columns)
            each = f"SELECT side, count(*) FROM {mapped.entity.plural} GROUP BY side"
            assert dict(tables.sql(each).fetchall()) == _read(report, mapped.entity.value)
        pairs = "SELECT count(*) FROM contacts AS app JOIN contacts AS ghl USING (link_id) WHERE app.side = 'app' AND ghl.side = 'ghl' AND app.phone = ghl.phone"
        (equal,) = tables.sql(pairs).fetchall()[0]
        assert equal > 10


def _read(report: Any, entity: str) -> dict[str, int]:
    (account,) = (each for each in report["statement"]["entities"] if each["entity"] == entity)
    return {side["side"]: side["read"] for side in account["sides"] if side["read"]}


def test_parquet_has_the_same_rows(beside: Path) -> None:
    """Each table is a Parquet file as well, and equals the one in DuckDB."""
    with duckdb.connect("analysis.duckdb", read_only=True) as tables:
        names = [
            name for (name,) in tables.sql("SELECT table_name FROM duckdb_tables()").fetchall()
        ]
        assert sorted(path.stem for path in Path("analysis").glob("*.parquet")) == sorted(names)
        for name in names:
            other = f"FROM 'analysis/{name}.parquet'"
            assert tables.sql(f'FROM "{name}" EXCEPT ALL {other}').fetchall() == []
            assert tables.sql(f'{other} EXCEPT ALL FROM "{name}"').fetchall() == []


def test_the_examples_run(beside: Path) -> None:
    """Every query and every line of Python of the page runs as it stands there, one after another."""
    text = (TASKS / "analysts.md").read_text(encoding="utf-8")
    with duckdb.connect("analysis.duckdb", read_only=True) as tables:
        for query in re.findall(r"```sql\n(.*?)```", text, re.DOTALL):
            assert tables.sql(query).fetchall(), query
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)  # noqa: S102 - the page's own lines
    assert len(names["kept"].runs) == 2


def test_the_notebook_runs(beside: Path) -> None:
    """Every cell of the notebook runs, in order, and its last line shows something; it is kept without the values of a run."""
    book = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert (book["nbformat"], [cell["outputs"] for cell in cells]) == (4, [[]] * len(cells))
    names: dict[str, Any] = {}
    for cell in cells:
        assert len(_shown("".join(cell["source"]), names))
    names["tables"].close()


def _shown(source: str, names: dict[str, Any]) -> Any:
    """What a cell shows: its last line is an expression."""
    *lines, last = ast.parse(source).body
    assert isinstance(last, ast.Expr)
    exec(compile(ast.Module(lines, []), "cell", "exec"), names)  # noqa: S102 - the notebook's own lines
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307 - the same
