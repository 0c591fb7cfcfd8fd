"""Tables of names and values, which are columns laid on their side."""

from __future__ import annotations

from collections.abc import Sequence

from flows.init.found import Column, Table
from flows.init.words import SECRET_WORDS, likeness, words

_NAMES = "key|meta key|name|attribute|field|field name|property|setting|option"
_VALUES = "value|meta value|attribute value|val|content"
_SOME = 2


def names_and_values(table: Table) -> tuple[Column, Column] | None:
    """The two columns of a table of names and values."""
    texts = [column for column in table.columns if column.type == "text"]
    name = called_so(texts, _NAMES)
    value = called_so(texts, _VALUES)
    if name is None or value is None or name is value or len(name.distinct) < _SOME:
        return None
    return name, value


def called_so(columns: Sequence[Column], said: str) -> Column | None:
    """The column that is surely called one of these; None where none is."""
    scored = [(likeness(column.name, said), column) for column in columns]
    best = max(
        scored,
        key=lambda pair: pair[0],
        default=(0.0, None),
    )
    return best[1] if best[0] >= 0.9 else None


def pivoted(
    table: Table,
    name: Column,
    value: Column,
) -> Table:
    """A table of names and values as a table whose columns are the names."""
    samples: dict[str, list[str]] = {}
    for row in table.rows:
        # What is a secret is not even looked at for an email or a phone.
        if name.name in row and not SECRET_WORDS.intersection(words(row[name.name])):
            values = samples.setdefault(row[name.name], [])
            values += [row[value.name]] if value.name in row else []
    columns = (Column(called, samples=tuple(values)) for called, values in samples.items())
    return Table(table.name, tuple(columns))
