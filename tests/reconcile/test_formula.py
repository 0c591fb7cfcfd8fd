"""Expressions of a pair file: what they may be, and that one record gives what the whole table gives."""

from __future__ import annotations

import pytest

from reconcile.stage.confinement import confined
from reconcile.stage.formula import FormulaError, formula
from reconcile.stage.quoting import literal
from reconcile.values.mapping import UNCOMPUTED


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a; DROP TABLE x", "no SQL expression"),
        ("a, b", "it may not use"),
        ("a) FROM (SELECT 1 AS a", "more than one expression"),
        ("(SELECT max(a) FROM x)", "a query of its own"),
        ("a IN (SELECT b FROM x)", "a query of its own"),
        ("sum(a)", "it may not use sum()"),
        ("sum(a) OVER ()", "it may not use window"),
        ("a || random()", "it may not use random()"),
        ("a || now()", "it may not use now()"),
        ("a || getenv('HOME')", "it may not use getenv()"),
        ("a || read_text('/etc/passwd')", "it may not use read_text()"),
        ("nextval('s') || a", "it may not use nextval()"),
        ("main.upper(a)", "as a query would"),
        ("upper(a) FILTER (WHERE true)", "as a query would"),
        ("a::TIMESTAMPTZ", "it may not read a value as TIMESTAMPTZ"),
        ("a || ?", "it may not use parameter"),
        ("COLUMNS('a')", "it may not use"),
        ("list_transform([a], lambda x: x)", "it may not use"),
        ("a * 2", "DuckDB cannot evaluate it"),
        ("'always'", "it names no column"),
    ],
)
def test_more_than_an_expression_over_the_row_is_refused(text: str, says: str) -> None:
    """No query, no table, no file, no clock, no chance: what it gives depends on its columns alone."""
    with pytest.raises(FormulaError, match=says.replace("(", r"\(").replace(")", r"\)")):
        formula(text)


@pytest.mark.parametrize(
    "text",
    [
        "first || ' ' || \"last.name\"",
        "concat_ws(' ', first, last.name)",
        "CASE WHEN first = 'it''s' THEN upper(last.name) ELSE first[1] END",
        "CAST(first AS INTEGER) + 1",
        "try_strptime(first, '%d.%m.%Y')::DATE",
        "coalesce(first, last.name) -- whichever there is",
    ],
)
def test_one_record_gives_what_the_whole_table_gives(text: str) -> None:
    """Also where a value is blank, holds quotes, or fails to be computed."""
    found = formula(text)
    values = ("it's", "", None, "12", "03.02.2001", '"Ünï" \\ \n', UNCOMPUTED)
    rows = [(a, b)[: len(found.names)] for a in values for b in values]
    columns = ["a", "b"][: len(found.names)]
    given = ", ".join(f"({', '.join(literal(value) for value in row)})" for row in rows)
    listed = ", ".join(columns)
    with confined() as sql:
        query = f"SELECT {listed}, {found.sql(columns)} FROM (VALUES {given}) t({listed})"
        for *row, value in sql.execute(query).fetchall():
            assert found.of(row) == value, row


def test_what_fails_is_not_blank() -> None:
    """A blank gives a blank; a value of which the expression cannot be computed gives the mark of that."""
    number = formula("CAST(seats AS INTEGER) * 2")
    assert [number.of([raw]) for raw in ("4", "", None, "many")] == ["8", None, None, UNCOMPUTED]
