"""What the people of a rehearsal type: made up after the shape of the data that is there."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from typing import Any

from flows.rehearse.fields import Played
from flows.rehearse.rules import Row, Value
from flows.rehearse.sides import Held
from reconcile.entities import OWNER
from reconcile.model import Entity, Side
from reconcile.values.codecs import Name

FEW = 12
"""A field with at most so many different values, each of them often, is a choice to people."""

_LETTERS = ("łukasz", "émile", "jürgen", "renée", "ana+news", "o'neil")
_WORDS = ("call reception, ask for {}", "mobile: see notes {}", "{} (mornings only)")
_SHORT = 8


@dataclass
class Shape:
    """What was seen of a field: its values, and the share of a side's records that have one."""

    values: list[str] = field(default_factory=list)
    filled: dict[Side, float] = field(default_factory=dict)
    longest: int = 0

    @property
    def few(self) -> bool:
        """Whether the values are a choice."""
        different = len(set(self.values))
        return 0 < different <= FEW and len(self.values) >= 3 * different


def _nobody(_kind: Entity) -> list[str]:
    return []


@dataclass
class Cast:
    """Values from one seed: texts, addresses and phones are never given twice."""

    dice: random.Random
    fields: list[Played]
    shapes: dict[tuple[Entity, str], Shape] = field(default_factory=dict)
    people: list[tuple[str, ...]] = field(default_factory=list)
    """Which fields of a contact are filled, of everybody."""
    numbers: Any = field(default_factory=lambda: count(1))
    records: Callable[[Entity], list[str]] = _nobody
    """By what the records of a kind are known that a value may name."""

    def learn(self, sides: Mapping[Side, Held]) -> None:
        """Look at what is there."""
        for one in self.fields:
            self.shapes[one.entity, one.name] = shape = Shape()
            for side, records in sides.items():
                rows = records.get(one.entity, [])
                seen_values = [value for row in rows for value in _values(row, one)]
                shape.values += seen_values
                shape.filled[side] = len(seen_values) / len(rows) if rows else 0.0
            shape.longest = max((len(value) for value in shape.values), default=40)
        names = [one.name for one in self.fields if one.entity is OWNER]
        for records in sides.values():
            for row in records.get(OWNER, []):
                filled = (name for name in names if row.cells.get(name) is not None)
                self.people.append(tuple(filled))

    def mark(self) -> str:
        """A number that no value had so far."""
        return str(next(self.numbers))

    def value(self, one: Played, now: Value = None) -> Value:
        """Another value for a field, as its codec has it."""
        makers: dict[str, Callable[[Shape], Value]] = {
            "email": self._email,
            "phone": self._phone,
            "date": self._date,
            "instant": self._instant,
            "decimal": self._number,
            "digits": self._number,
            "bool": lambda _: "false" if now == "true" else "true",
        }
        if one.names is not None:
            return self._another(one.names, now)
        shape = self.shapes[one.entity, one.name]
        if one.field.by_item or one.field.codec.name in ("tags", "set"):
            return self._set(shape)
        make = makers.get(one.field.codec.name)
        if make is not None:
            return make(shape)
        table = getattr(one.field.codec, "table", None)
        given = one.choices or (table.values() if table else ())
        choices = sorted(set(given or shape.values))
        # A note that says the same as another is no fault of a run: each gets words of its own.
        if given or shape.longest < _SHORT or (shape.few and one.entity is OWNER):
            others = [value for value in choices if value != now]
            return self.dice.choice(others) if others else now
        return self._text(shape)

    def _another(self, kind: Entity, now: Value) -> Value:
        """Another record of the kind that a field names."""
        others = [uid for uid in self.records(kind) if uid != now]
        if not others:
            return now
        return self.dice.choice(others)

    def _text(self, shape: Shape) -> str:
        mark = self.mark()
        sample = self.dice.choice(shape.values) if shape.values else "Something"
        words = " ".join(word for word in sample.split() if not word.isdigit())
        room = max(shape.longest, len(mark) + 4) - len(mark) - 1
        return f"{words[:room].strip()} {mark}".strip()

    def _email(self, shape: Shape) -> str:
        domains = [one.rpartition("@")[2] for one in shape.values if "@" in one]
        local = self.dice.choice(shape.values).partition("@")[0] if shape.values else "someone"
        name = "".join(letter for letter in local if letter.isalpha())[:12] or "someone"
        domain = self.dice.choice(domains) if domains else "example.com"
        return f"{name.lower()}.{self.mark()}@{domain}"

    def email_abroad(self) -> str:
        """An address with letters of another alphabet."""
        return f"{self.dice.choice(_LETTERS)}{self.mark()}@exämple.fr"

    def words_for_a_phone(self) -> str:
        """What people write where a number belongs."""
        return self.dice.choice(_WORDS).format(self.mark())

    def _phone(self, shape: Shape) -> str:
        abroad = [one for one in shape.values if one.startswith("+")]
        numbers = [one for one in abroad if one[1:].isdigit()]
        sample = self.dice.choice(numbers) if numbers else "+12025550100"
        mark = self.mark()[-5:].zfill(5)
        return f"{sample[:-5]}{mark}"

    def _date(self, shape: Shape) -> str:
        dated = [value for value in shape.values if value[:4].isdigit()]
        days = sorted(value[:10] for value in dated)
        first = (
            date.fromisoformat(self.dice.choice(days))
            if days
            else date(
                1980,
                1,
                1,
            )
        )
        return (first + timedelta(days=self.dice.randrange(1, 700))).isoformat()

    def _instant(self, shape: Shape) -> str:
        hour, minute = self.dice.randrange(24), self.dice.randrange(60)
        day = self._date(shape)
        return f"{day}T{hour:02}:{minute:02}:00Z"

    def _number(self, shape: Shape) -> str:
        numbers = [value for value in shape.values if value.isdigit()]
        top = max((int(number) for number in numbers), default=100)
        return str(self.dice.randrange(1, max(top, 10) + 1))

    def _set(self, shape: Shape) -> str:
        words = sorted({word for value in shape.values for word in _words(value)})
        known = Counter(words)
        most = min(len(known), 4)
        count = self.dice.randrange(0, most + 1) if words else 0
        chosen = self.dice.sample(words, count)
        if self.dice.random() < 0.2 or not words:
            chosen.append(f"new {self.mark()}")
        return json.dumps(
            sorted(chosen),
            ensure_ascii=False,
            separators=(",", ":"),
        )

    def record(self, entity: Entity, side: Side) -> dict[str, Value]:
        """A new record as people of that side enter one: filled as others are."""
        fields = [one for one in self.fields if one.entity is entity and side in one.typed]
        wanted = set(self.dice.choice(self.people)) if self.people else set()
        chosen = [
            one
            for one in fields
            if entity is not OWNER
            or one.name in wanted
            or one.field.required
            or one.field.codec.name in ("email", "phone")
        ]
        return {one.name: self.value(one) for one in chosen}

    def stranger(self, fields: Iterable[Played], to: Row) -> dict[str, Value]:
        """Values of these fields that somebody else shares none of with the record `to`."""
        return {one.name: self._unlike(one, to.cells.get(one.name)) for one in fields}

    def _unlike(self, one: Played, now: Value) -> Value:
        if isinstance(one.field.codec, Name):
            return self._text(self.shapes[one.entity, one.name])
        return self.value(one, now)


def _values(row: Row, one: Played) -> Iterable[str]:
    if one.field.by_item:
        prefix = f"{one.name}:"
        words = [name.removeprefix(prefix) for name in row.cells if name.startswith(prefix)]
        return [json.dumps(words, ensure_ascii=False)] if words else []
    value = row.cells.get(one.name)
    return [] if value is None else [value]


def _words(value: str) -> list[str]:
    try:
        listed = json.loads(value)
    except ValueError:
        return [value]
    return [str(word) for word in listed] if isinstance(listed, list) else [value]
