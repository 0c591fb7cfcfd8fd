"""What people type: made-up persons, and values with the habits of many countries, each unique where it has to be."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

from flows.rehearse.rules import ALLOWED, DENIED, PERMANENT
from tests.soak.values import LANGUAGES, PIPELINES, STATUSES

FIRST = (
    "Ana",
    "María José",
    "Siobhán",
    "Søren",
    "Jürgen",
    "Zoé",
    "Mei-Ling",
    "Yui",
    "Ngozi",
    "Łukasz",
    "Émile",
    "omar",
)
LAST = (
    "da Silva",
    "Núñez",
    "O'Brien",
    "Ångström",
    "Weiß",
    "Côté",
    "Wang",
    "Satō",
    "Okafor",
    "Wójcik",
    "MacLeod",
    "NGUYỄN",
)
COMPANIES = ("Acme", "Böb & Co", 'The "Quoted" Ltd', "Smith, Jones", "Żabka", "A <b> C", "50% off")
CITIES = ("Austin", "San José", "Zürich", "Łódź", "new york", "New York", "Saint-Étienne")
STATES = ("TX", "CA", "ny", "Île-de-France", "WA")
SOURCES = ("web", "fair", "Phone", "partner")
TAGS = ("vip", "lead", "hot", "a b", "été", "newsletter", "do call")
AREAS = ("512", "617", "312", "303", "212", "415", "206")
DOMAINS = ("example.com", "example.org", "EXAMPLE.net", "mail.example.co.uk")
ABROAD = ("exämple.fr", "пример.рф", "example.com")
REMARKS = ("prefers mail", "naïve café", "two  spaces", "first\nsecond")
STREETS = ("Main St", "Rue de la Gare", "ul. Żółta", "Çiçek Sk.")
LETTERS = ("łukasz", "émile", "jürgen", "renée", "o'neil", "ana+news")


@dataclass
class Cast:
    """Values from one seed; emails, phones and numbers of records are never given twice."""

    dice: random.Random
    numbers: Any = field(default_factory=lambda: count(1))

    def uid(self, letter: str) -> str:
        return f"{letter}{next(self.numbers):05d}"

    def email(self) -> str:
        return f"{self.dice.choice(('Ana', 'ann', 'Bob', 'carl.d', 'eve_x'))}{next(self.numbers)}@{self.dice.choice(DOMAINS)}"

    def email_abroad(self) -> str:
        return f"{self.dice.choice(LETTERS)}{next(self.numbers)}@{self.dice.choice(ABROAD)}"

    def phone(self) -> str:
        """A number as people write it; all of them are possible numbers of the US, or of Germany."""
        place, line = self.dice.choice(AREAS), f"{next(self.numbers):07d}"
        middle, last = f"{2 + int(line[0])}{line[1:3]}", line[3:]
        forms = (
            f"+1{place}{middle}{last}",
            f"({place}) {middle}-{last}",
            f"{place}.{middle}.{last}",
            f"1 {place} {middle} {last}",
        )
        return self.dice.choice((*forms, f"+49 30 {middle}{last}"))

    def junk_phone(self) -> str:
        return self.dice.choice(
            ("call reception, ask for {}", "mobile: see notes {}", "{} (mornings only!)")
        ).format(next(self.numbers))

    def value(self, name: str) -> Any:
        """A new value for a contact's field, as a column or a screen takes it."""
        dice, mark = self.dice, next(self.numbers)
        made: dict[str, Callable[[], Any]] = {
            "first_name": lambda: (
                f"{dice.choice(FIRST)}{dice.choice(('', ' J.', ' ' + dice.choice(FIRST)))} {mark}"
            ),
            "last_name": lambda: f"{dice.choice(LAST)} {mark}",
            "email": self.email,
            "phone": self.phone,
            "company": lambda: f"{dice.choice(COMPANIES)} {mark}",
            "street": lambda: f"{mark} {dice.choice(STREETS)}",
            "city": lambda: f"{dice.choice(CITIES)} {mark}",
            "state": lambda: f"{dice.choice(STATES)} {mark}",
            "postal_code": lambda: f"{dice.randrange(10_000, 99_999)}-{mark}",
            "source": lambda: f"{dice.choice(SOURCES)} {mark}",
            "remark": lambda: f"{dice.choice(REMARKS)} {mark}",
            "birth_date": lambda: date(1940, 1, 1) + timedelta(days=dice.randrange(25_000)),
            "renewal": lambda: date(2026, 1, 1) + timedelta(days=dice.randrange(2_000)),
            "score": lambda: dice.choice((mark, mark + 0.5, mark + 0.25)),
            "vip": lambda: dice.random() < 0.5,
            "languages": lambda: sorted(dice.sample(LANGUAGES, dice.randrange(1, 4))),
            "tags": lambda: sorted(dice.sample(TAGS, dice.randrange(0, 4))),
            "no_sms": lambda: dice.choice((DENIED, DENIED, ALLOWED, ALLOWED, None, PERMANENT)),
        }
        return made[name]()

    def person(self, *, full: bool = True) -> dict[str, Any]:
        """A whole new person."""
        always = ("first_name", "last_name", "email", "phone")
        more = (
            "company",
            "street",
            "city",
            "state",
            "postal_code",
            "source",
            "remark",
            "birth_date",
            "renewal",
            "score",
        )
        sets = ("vip", "languages", "tags", "no_sms")
        chosen = [name for name in (*more, *sets) if full and self.dice.random() < 0.6]
        return {"ref": self.uid("P")} | {name: self.value(name) for name in (*always, *chosen)}

    def task(self) -> dict[str, Any]:
        uid = self.uid("T")
        due = datetime.fromisoformat("2026-09-01T09:00:00") + timedelta(
            hours=self.dice.randrange(20_000)
        )
        words = self.dice.choice(("Call back", "Send offer", "Überprüfen", "Visit"))
        details = self.dice.choice((None, f"about {uid}", f"tea & <cake> {uid}"))
        return {"title": f"{words} #{uid}", "due_at": due, "status": False, "details": details}

    def firm(self) -> dict[str, Any]:
        uid = self.uid("F")
        city = self.dice.choice((None, self.dice.choice(CITIES)))
        return {"name": f"{self.dice.choice(COMPANIES)} #{uid}", "city": city}

    def deal(self) -> dict[str, Any]:
        uid, pipeline = self.uid("D"), self.dice.choice(list(PIPELINES))
        return {
            "title": f"{self.dice.choice(('Roof', 'Küche', 'A & B'))} #{uid}",
            "pipeline": pipeline,
            "stage": self.dice.choice(PIPELINES[pipeline]),
            "status": self.dice.choice(STATUSES),
            "amount": self.dice.choice((None, next(self.numbers))),
        }

    def note(self) -> dict[str, Any]:
        uid = self.uid("N")
        return {
            "body": f"{self.dice.choice(('met at the fair', 'asked for a quote', 'naïve & <shy>'))} #{uid}"
        }


MAKERS: dict[str, Callable[[Cast], dict[str, Any]]] = {
    "task": Cast.task,
    "note": Cast.note,
    "opportunity": Cast.deal,
}
"""What makes a new record that hangs on a person."""
