"""What is in an application that nobody has described yet.

Tables, columns, references and a few samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconcile.ports import FieldType


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its declared type, and what the sampled rows hold, as text and without blanks.

    `meaning` is the concept that a column of a known export holds, `strange` why it is none though
    it looks like one. `list_of` is the column with several values in each cell, of which this one
    is the first. `called` is what people call it, where its name is a path. `required`: a new row
    needs a value, and the database gives none; `nullable`: it may be without. `words` are all that
    it may hold.
    """

    name: str
    type: FieldType = "text"
    samples: tuple[str, ...] = ()
    meaning: str | None = None
    strange: str = ""
    list_of: str | None = None
    called: str = ""
    required: bool = False
    nullable: bool = True
    default: bool = False
    words: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What it is to be known by."""
        return self.called or self.list_of or self.name

    @property
    def distinct(self) -> tuple[str, ...]:
        """The sampled values, once each, in order."""
        return tuple(dict.fromkeys(self.samples))


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view.

    `references` gives the table that a column refers to, where the database says so.

    `natural` means that the key is made of columns with a meaning of their own, such as an email.
    `rows` are the sampled rows, each without its blanks. `declared`: it says of each column whether
    it may be blank.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    natural: bool = False
    rows: tuple[Mapping[str, str], ...] = ()
    declared: bool = False

    @property
    def bare(self) -> str:
        """Its name without the schema."""
        return self.name.rpartition(".")[2]

    def column(
        self,
        name: str,
    ) -> Column:
        """The column of that name. Raises KeyError where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
