"""People who do not exist.

From several cultures, at fictitious numbers and example addresses, the same for the same seed.
"""

from __future__ import annotations

import itertools
import random
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

MOST = 100_000
"""The most people that can be told apart by last name and postal code without a long search."""

_NAMES: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("Ana", "João", "Beatriz", "Rafael", "Luíza"),
        ("Souza", "da Silva", "Araújo", "Conceição", "Teixeira Lopes"),
    ),
    (
        ("María José", "Íñigo", "Lucía", "Andrés", "Ximena"),
        ("García Márquez", "Muñoz", "Núñez", "de la Cruz", "Peña"),
    ),
    (
        ("Siobhán", "Liam", "Aoife", "Patrick", "Maeve"),
        ("O'Brien", "O'Connor", "McCarthy", "Ní Dhomhnaill", "Kelly"),
    ),
    (
        ("Søren", "Åsa", "Björn", "Ingrid", "Lars"),
        ("Ångström", "Bjørnsen", "Lindqvist", "Østergaard", "Halvorsen"),
    ),
    (
        ("Jürgen", "Anneliese", "Björn-Eric", "Käthe", "Max"),
        ("Müller", "Weiß", "von Bergen", "Schröder", "Böhm"),
    ),
    (
        ("François", "Zoé", "Amélie", "Thierry", "Noël"),
        ("Lefèvre", "Côté", "d'Aubigné", "Saint-Pierre", "Béranger"),
    ),
    (("Wei", "Mei-Ling", "Jun", "Xiu", "Hao"), ("Chen", "Wang", "Ouyang", "Liu", "Zhao")),
    (
        ("Haruto", "Yui", "Kenji", "Sakura", "Ren"),
        ("Tanaka", "Satō", "Nakamura", "Kobayashi", "Itō"),
    ),
    (
        ("Priya", "Arjun", "Lakshmi", "Rohan", "Anjali"),
        ("Sharma", "Iyer", "Patel", "Krishnamurthy", "Nair"),
    ),
    (
        ("Ngozi", "Chinedu", "Amara", "Tunde", "Folasade"),
        ("Adeyemi", "Okafor", "Nwosu", "Balogun", "Eze"),
    ),
    (
        ("Layla", "Omar", "Fatima", "Yusuf", "Noor"),
        ("al-Hassan", "Haddad", "Khoury", "Nasser", "El-Sayed"),
    ),
    (
        ("Zoë", "Małgorzata", "Jiří", "Katarzyna", "Łukasz"),
        ("Nowak", "Wójcik", "Dvořák", "Kowalczyk", "Šimek"),
    ),
    (
        ("Emily", "James", "Mary Ann", "Robert", "Grace"),
        ("Smith", "Washington", "Johnson-Reed", "Taylor", "Brooks"),
    ),
    (("Linh", "Minh", "Thảo", "Quang", "Hạnh"), ("Nguyễn", "Trần", "Phạm", "Lê", "Đặng")),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A city.

    `area` is its telephone area code with the country code, `postal` what its postal codes begin
    with.
    """

    city: str
    state: str
    postal: str
    area: str
    country: str = "US"


PLACES = (
    Place("Austin", "TX", "787", "+1512"),
    Place("Boston", "MA", "021", "+1617"),
    Place("Chicago", "IL", "606", "+1312"),
    Place("Denver", "CO", "802", "+1303"),
    Place("El Paso", "TX", "799", "+1915"),
    Place("Fresno", "CA", "937", "+1559"),
    Place("Honolulu", "HI", "968", "+1808"),
    Place("Miami", "FL", "331", "+1305"),
    Place("Minneapolis", "MN", "554", "+1612"),
    Place("New Orleans", "LA", "701", "+1504"),
    Place("Philadelphia", "PA", "191", "+1215"),
    Place("Portland", "OR", "972", "+1503"),
    Place("San José", "CA", "951", "+1408"),
    Place("Santa Fe", "NM", "875", "+1505"),
    Place("Savannah", "GA", "314", "+1912"),
    Place("Seattle", "WA", "981", "+1206"),
    Place("St. Louis", "MO", "631", "+1314"),
    Place("Toronto", "ON", "M5V 2", "+1416", "CA"),
)
_STREETS = (
    "Oak Street",
    "Maple Avenue",
    "Elm Drive",
    "2nd Street",
    "Sunset Blvd",
    "Church Road",
    "Main St. Apt 4B",
)
_COMPANIES = (
    "Cedar & Co",
    "Blue Heron Bakery",
    "Kestrel Labs",
    "Ortega Roofing",
    "Smith & Daughters",
    "Café Lumière",
)
_DOMAINS = ("example.com", "example.org", "example.net")
_SOURCES = ("Website", "Referral", "Trade show", "Walk-in")
TAGS = (
    "newsletter",
    "wholesale",
    "trade show",
    "referral",
    "spring offer",
    "prefers phone",
    "café club",
)
_ASCII = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "æ": "ae"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone as they are; what each side knows of them, and how it writes it, is another matter.

    `phone` is E.164.
    """

    first_name: str
    last_name: str
    email: str
    phone: str
    company: str | None
    street: str
    city: str
    state: str
    postal_code: str
    country: str
    birth_date: date | None
    source: str
    vip: bool
    tags: tuple[str, ...]


@dataclass(slots=True)
class Population:
    """Draws people, no two of whom share an email, a phone, or a last name with a postal code."""

    dice: random.Random
    _emails: Counter[str] = field(default_factory=Counter)
    _names: set[tuple[str, str]] = field(default_factory=set)
    _homes: set[tuple[str, str]] = field(default_factory=set)
    _lines: dict[str, Iterator[str]] = field(default_factory=dict)

    def person(self) -> Person:
        """The next one."""
        (first, last), place = self._name(), self.dice.choice(PLACES)
        return Person(
            first_name=first,
            last_name=last,
            email=self._email(first, last),
            phone=self.phone(place),
            company=self.dice.choice(_COMPANIES) if self.dice.random() < 0.6 else None,
            street=f"{self.dice.randrange(1, 2000)} {self.dice.choice(_STREETS)}",
            city=place.city,
            state=place.state,
            postal_code=self._postal_code(last, place),
            country=place.country,
            birth_date=date(1950, 1, 1) + timedelta(self.dice.randrange(19_000))
            if self.dice.random() < 0.6
            else None,
            source=self.dice.choice(_SOURCES),
            vip=self.dice.random() < 0.1,
            tags=tuple(self.dice.sample(TAGS, self.dice.choice((0, 0, 1, 1, 2, 3)))),
        )

    def phone(self, place: Place) -> str:
        """A number nobody has: 555-01xx is kept for fiction.

        Once a city has used those up, the exchanges below it.
        """
        return next(self._lines.setdefault(place.area, _lines(place.area)))

    def _name(self) -> tuple[str, str]:
        """A first and a last name.

        A pair that is taken already only where a few tries find no other.
        """
        for _ in range(20):
            firsts, lasts = self.dice.choice(_NAMES)
            name = self.dice.choice(firsts), self.dice.choice(lasts)
            if name not in self._names:
                break
        self._names.add(name)
        return name

    def _email(self, first: str, last: str) -> str:
        name = f"{_plain(first)}.{_plain(last)}"
        self._emails[name] += 1
        domain = _DOMAINS[sum(self._emails.values()) % len(_DOMAINS)]
        if self._emails[name] > 1:
            name += str(self._emails[name])
        return f"{name}@{domain}"

    def _postal_code(self, last: str, place: Place) -> str:
        for digits in itertools.count(self.dice.randrange(100)):
            code = (
                f"{place.postal}{digits % 100:02d}"
                if place.country == "US"
                else f"{place.postal}{'ABCEGHJKLM'[digits % 10]}{digits // 10 % 10}"
            )
            if digits >= 200 or (last, code) not in self._homes:
                break
        self._homes.add((last, code))
        return code


def _lines(area: str) -> Iterator[str]:
    for exchange in range(555, 199, -1):
        for line in range(100, 200):
            yield f"{area}{exchange}{line:04d}"
    raise ValueError(f"more than {356 * 100} people with the area code {area}")


def _plain(name: str) -> str:
    bare = unicodedata.normalize("NFKD", name.translate(_ASCII)).encode("ascii", "ignore").decode()
    return "".join(letter for letter in bare.lower() if letter.isalnum())


def notation(phone: str, style: int) -> str:
    """A North American number as people type it, in one of several ways."""
    area, exchange, line = phone[2:5], phone[5:8], phone[8:]
    styles = (
        f"({area}) {exchange}-{line}",
        f"{area}-{exchange}-{line}",
        f"{area}.{exchange}.{line}",
        f"+1 {area} {exchange} {line}",
        f"1 ({area}) {exchange}-{line}",
        phone,
    )
    return styles[style % len(styles)]
