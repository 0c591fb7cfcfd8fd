"""Values and columns that a pair file names, and that could never work, are said when it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.config import load
from reconcile.errors import ConfigError
from tests.flows.broken import GOOD


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        (
            'field = "email", is = [""]',
            'field = "born", is = ["", "01.01.190O"]',
            "exclude",
            'born: "01.01.190O" is not a date',
        ),
        (
            'zip = "postalCode"',
            'Zip = "city"\nzip = "postalCode"',
            'zip = "',
            '"Zip" and "zip" differ by letter case alone',
        ),
        (
            "[task.fields]\n",
            '[task]\nmerged = "relink"\n[task.fields]\n',
            "merged",
            "tasks are not merged, contacts are",
        ),
        (
            'born = "dateOfBirth"',
            'full = { ghl = "city", value = "first || now()" }',
            "full",
            "full: value: it may not use now()",
        ),
        (
            'born = "dateOfBirth"',
            'full = { ghl = "city", value = "first", flow = "both" }',
            "full",
            'a value that is computed for ghl cannot flow "both"',
        ),
        (
            'born = "dateOfBirth"',
            'last = { app = "last", value = "upper(lastNam)" }',
            "last = ",
            'GHL\'s contact has no field "lastNam"',
        ),
        (
            'born = "dateOfBirth"',
            'plan = { ghl = "city", lookup = { table = "plans" }, choices = { 1 = "Gold" } }',
            "plan",
            'plan: "lookup" and "choices" both say what the value is',
        ),
        (
            'born = "dateOfBirth"',
            'boss = { ghl = "city", by = "email" }',
            "boss",
            "boss: it holds no user of the location",
        ),
    ],
)
def test_what_could_never_work_is_said_with_its_line(
    tmp_path: Path, old: str, new: str, at: str, says: str
) -> None:
    """A filter's value that no record can hold, and two columns that are one to the comparison, are problems."""
    text = GOOD.replace(old, new, 1)
    (tmp_path / "pair.toml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        load(tmp_path / "pair.toml", environ={"GHL_TOKEN": "secret"})
    [problem] = raised.value.problems
    assert says in problem.what
    assert (
        problem.where
        == f"pair.toml:{next(n for n, line in enumerate(text.splitlines(), 1) if line.startswith(at))}"
    )


DEALS = """
[app.opportunity]
table = "deals"
parent = "person"
[opportunity.fields]
title = "name"
pipeline = {{ ghl = "pipeline", {whole} }}
stage = {{ ghl = "stage", {part} }}
"""


@pytest.mark.parametrize(
    ("whole", "part", "says"),
    [
        ('flow = "app->ghl"', 'flow = "ghl->app"', 'stage: flow "ghl->app", and pipeline has'),
        ('conflict = "app"', 'conflict = "ghl"', 'stage: conflict "ghl", and pipeline has'),
    ],
)
def test_rules_that_want_a_deal_s_two_values_apart_are_refused(
    tmp_path: Path, whole: str, part: str, says: str
) -> None:
    """A stage and its pipeline count as one: they would wait for each other for good. Rules that agree are taken."""
    file, environ = tmp_path / "pair.toml", {"GHL_TOKEN": "secret"}
    file.write_text(GOOD + DEALS.format(whole=whole, part=part))
    with pytest.raises(ConfigError) as raised:
        load(file, environ=environ)
    [problem] = raised.value.problems
    assert says in problem.what
    file.write_text(GOOD + DEALS.format(whole=whole, part=whole))
    assert load(file, environ=environ).mapping
