"""Scores how alike the contacts are that neither a link nor a match rule joins, with Splink.

It is an optional extra that decides nothing.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from reconcile.errors import to_install
from reconcile.model import Side
from reconcile.stage.models import render
from reconcile.stage.stage import Stage
from reconcile.values.codecs import Date, Email, Name, Phone, Text
from reconcile.values.mapping import EntityMap, Field

if TYPE_CHECKING:
    from splink import Linker

HOW = to_install("splink")
"""How to get what this module needs."""

SURE = 0.95
"""From which probability on a pair is suggested.

Measured on FEBRL4: precision 0.999 or more at any value from 0.5 to 0.99.
"""

_MOST_ROWS = 500_000
"""A side's records, beyond which scoring takes minutes and gigabytes."""

_OTHERS_FROM = 20
_SAME_FROM = 300
"""A side's records, from which it is learnt how often two people, and one, agree.

Of fewer, the figures of `_WAYS` are better than what can be learnt.
"""

_SAMPLED_PAIRS = 2_000_000.0

_RULES_RECALL = 0.7
"""How many of all true pairs agree in two fields at once; read off FEBRL4."""

_SCHEMA = "likeness"


@dataclass(frozen=True, slots=True)
class _Way:
    """How the values of one kind of field are compared.

    It says by which function, and from which value on they count as alike.

    `same` and `other` are how often two records of one person, and of two, fall in each level:
    equal, alike, different.
    """

    alike: str
    same: tuple[float, float, float]
    other: tuple[float, float, float]


_NAME = _Way("jaro_winkler_similarity({a}, {g}) >= 0.88", (0.85, 0.1, 0.05), (0.005, 0.01, 0.985))
_EMAIL = _Way(
    "jaro_winkler_similarity({a}, {g}) >= 0.95", (0.8, 0.1, 0.1), (0.00001, 0.0005, 0.99949)
)
_NUMBER = _Way("damerau_levenshtein({a}, {g}) <= 1", (0.8, 0.08, 0.12), (0.0002, 0.0008, 0.999))
_WAYS: dict[type, _Way] = {Text: _NAME, Name: _NAME, Email: _EMAIL, Phone: _NUMBER, Date: _NUMBER}


def installed() -> bool:
    """Whether Splink is there."""
    return all(importlib.util.find_spec(name) for name in ("splink", "pyarrow"))


def score(stage: Stage, mapped: EntityMap) -> str:
    """Create `suggested`: pairs of contacts without link or match that are probably one person.

    Columns: app_key, ghl_key, probability, weight (Splink's: base 2 logarithm of the odds),
    evidence (for each field that both have a value of: equal, alike or different). Returns why
    nothing was looked for, or nothing.
    """
    stage.make("link/suggested")
    rows = {side: stage.count(f"SELECT count(*) FROM free_{mapped.entity}_{side}") for side in Side}
    if not all(rows.values()):
        return ""
    if max(rows.values()) > _MOST_ROWS:
        return (
            f"more than {_MOST_ROWS:,} records without a counterpart on one side: "
            "too many to compare with one another"
        )
    if not installed():
        return f"not looked for: it needs an extra, `{HOW}`"
    places = enumerate(mapped.fields, start=1)
    compared = {place: field for place, field in places if type(field.codec) in _WAYS}
    stage.run(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}")
    try:
        _score(stage, mapped, compared)
    finally:
        stage.run(f"DROP SCHEMA {_SCHEMA} CASCADE")
    return ""


def _score(stage: Stage, mapped: EntityMap, compared: Mapping[int, Field]) -> None:
    """Score the pairs of contacts by the fields at these places."""
    for side in Side:
        stage.make("link/candidate", entity=mapped.entity, side=side, places=list(compared))
    columns = [(f"c{place}", field) for place, field in compared.items()]
    telling = [(column, field) for column, field in columns if _telling(stage, column)]
    joins = list(_joins(stage, [column for column, _ in telling]))
    if not joins:
        return
    linker = _linker(stage, telling, joins)
    _train(stage, linker, joins)
    scored = linker.inference.predict(threshold_match_probability=SURE, warning_mode="never")
    stage.make(
        "link/suggested_scored",
        scored=scored.physical_name,
        fields=[(column, field.name) for column, field in telling],
    )


def _rows(stage: Stage) -> int:
    """Records of the smaller side."""
    return min(stage.count(f"SELECT count(*) FROM {_SCHEMA}.{side}") for side in Side)


def _telling(stage: Stage, column: str) -> bool:
    """Whether a column has several values on each side, so that it can tell people apart."""
    values = {}
    for side in Side:
        values[side] = stage.count(f"SELECT count(DISTINCT {column}) FROM {_SCHEMA}.{side}")
    if all(count > 1 for count in values.values()):
        return True
    # Of a side with one record no column has several values: there, any value tells.
    return _rows(stage) == 1 and all(values.values())


def _pairs(stage: Stage, columns: Sequence[str]) -> int:
    """How many pairs agree in all of these columns."""
    return stage.count(render("link/likeness_pairs", columns=columns))


def _joins(stage: Stage, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Columns whose equality makes a pair worth scoring.

    Single ones, or two where one alone gives too many pairs.
    """
    records = sum(stage.count(f"SELECT count(*) FROM {_SCHEMA}.{side}") for side in Side)
    most = max(200_000, 20 * records)
    pairs = {column: _pairs(stage, (column,)) for column in columns}
    for column in columns:
        if 0 < pairs[column] <= most:
            yield (column,)
    too_common = [column for column in columns if pairs[column] > most]
    for two in combinations(too_common, 2):
        if 0 < _pairs(stage, two) <= most:
            yield two


def _linker(
    stage: Stage, telling: Sequence[tuple[str, Field]], joins: Sequence[tuple[str, ...]]
) -> Linker:
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    database = DuckDBAPI(stage.sql.cursor(), output_schema=f"work.{_SCHEMA}")
    settings = SettingsCreator(
        link_type="link_only",
        comparisons=[_comparison(column, _WAYS[type(field.codec)]) for column, field in telling],
        blocking_rules_to_generate_predictions=[block_on(*columns) for columns in joins],
        probability_two_random_records_match=_prior(stage, [column for column, _ in telling]),
        linker_uid="likeness",
    )
    sides = [database.register(side.value, dataset_display_name=side.value) for side in Side]
    return Linker(sides, settings, log_level=logging.ERROR)


def _comparison(column: str, way: _Way) -> dict[str, Any]:
    """Four levels in Splink's form: no value, equal, alike, different.

    Where Splink cannot learn, they have the figures given.
    """
    a, g = f"{column}_l", f"{column}_r"
    levels = (f"{a} = {g}", way.alike.format(a=a, g=g), "ELSE")
    return {
        "output_column_name": column,
        "comparison_levels": [
            {
                "sql_condition": f"{a} IS NULL OR {g} IS NULL",
                "label_for_charts": "no value",
                "is_null_level": True,
            },
            *(
                {
                    "sql_condition": level,
                    "label_for_charts": label,
                    "m_probability": same,
                    "u_probability": other,
                }
                for level, label, same, other in zip(
                    levels, ("equal", "alike", "different"), way.same, way.other, strict=True
                )
            ),
        ],
    }


def _prior(stage: Stage, columns: Sequence[str]) -> float:
    """The share of true pairs among all.

    Those that agree in two telling columns count as true, and one at least does.
    """
    rows = [stage.count(f"SELECT count(*) FROM {_SCHEMA}.{side}") for side in Side]
    most = 3 * min(rows)
    twos = [two for two in combinations(columns, 2) if 0 < _pairs(stage, two) <= most]
    agreeing = stage.count(render("link/likeness_agreeing", twos=twos)) if twos else 0
    return min(max(1.0, agreeing / _RULES_RECALL), 0.9 * min(rows) or 1.0) / (rows[0] * rows[1] + 1)


def _train(stage: Stage, linker: Linker, joins: Sequence[tuple[str, ...]]) -> None:
    """Learn how often values of two people agree, and of one.

    The two joins leave each other's columns to be learnt.
    """
    from splink import block_on

    rows = _rows(stage)
    if rows < _OTHERS_FROM:
        return
    linker.training.estimate_u_using_random_sampling(
        max_pairs=_SAMPLED_PAIRS, seed=1, min_count_per_level=None
    )
    rich = sorted(
        joins, key=lambda columns: (_pairs(stage, columns) < _SAME_FROM, _pairs(stage, columns))
    )
    for columns in rich[:2] if rows >= _SAME_FROM else ():
        linker.training.estimate_parameters_using_expectation_maximisation(
            block_on(*columns), record_sample_proportion=1.0
        )
