"""Who is known to which side, and how differently.

Links by email, phone or name, gaps, conflicts, twins, broken values.
"""

from __future__ import annotations

import html
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from flows.demo.people import PLACES, TAGS, Person, Population, notation

Row = dict[str, Any]
Where = Literal["both", "app", "ghl"]

ANCHOR = datetime(2025, 11, 3, 9, 0)  # noqa: DTZ001 - UTC, as the app's tables keep it
"""When the demo's world stood still: nothing in it depends on the day it is made."""

VISITS = datetime(2036, 3, 3, 15, 0)  # noqa: DTZ001 - UTC
"""When the next appointments begin: to come for years, and across a change of the clock."""

VIP = "contact.vip"

_TITLES = (
    "Call back about the quote",
    "Send the new price list",
    "Check the delivery address",
    "Renew the yearly contract",
    "Ask for a review",
    "Book the site visit",
    "Follow up on invoice #2041",
    "Prepare samples & swatches",
    "Confirm the appointment",
    "Birthday card",
)
_DETAILS = (
    None,
    "Mornings are best.",
    "Ask for the manager.\nOffer 5 % off.",
    "See the remarks & the last order",
)
_REMARKS = (
    "Met at the trade show, wants a call in spring.",
    "Prefers email to phone.",
    "Asked about wholesale prices & delivery times.",
    "Moved house; the old address is out of date.\nNew one on file.",
    "Complained about a late delivery. Sorted out.",
    "Knows the owner of Café Lumière.",
    'Left a voicemail: "call me" & a number.',
    "Paid the last invoice early.",
)


@dataclass(frozen=True, slots=True)
class Todo:
    """A task, and which sides know of it."""

    title: str
    details: str | None
    due: datetime
    status: str
    where: Where


@dataclass(frozen=True, slots=True)
class Remark:
    """A note, and which sides know of it."""

    body: str
    at: datetime
    where: Where


@dataclass(frozen=True, slots=True)
class Deal:
    """An opportunity, and which sides know of it; its amount is in whole dollars."""

    title: str
    pipeline: str
    stage: str
    status: str
    amount: int
    where: Where


@dataclass(frozen=True, slots=True)
class Being:
    """Someone as the two sides know them.

    A row in the app's columns, a contact in GHL's write shape, or only one of them. `firm` is the
    name of the company that they work for.
    """

    app: Row | None = None
    ghl: Row | None = None
    todos: tuple[Todo, ...] = ()
    remarks: tuple[Remark, ...] = ()
    deals: tuple[Deal, ...] = ()
    firm: str | None = None


@dataclass(slots=True)
class Casting:
    """Draws beings of every kind."""

    dice: random.Random
    people: Population = field(init=False)
    _number: int = 300

    def __post_init__(self) -> None:
        self.people = Population(self.dice)

    def all(self, contacts: int) -> list[Being]:
        """Everyone, in no particular order.

        Of 200 about 116 on both sides, 40 on each alone, and 4 knots to untie.
        """
        hundredth, alone = max(1, contacts // 100), contacts // 5
        knots = [self.shared_phone] * hundredth
        knots += [self.twins, self.lone_twins] * max(1, contacts // 200)
        single = [self.only("app") for _ in range(alone)]
        single += [self.only("ghl") for _ in range(alone)]
        self._break(single[0].app, "email", "is.not.an.address@example")
        self._break(single[-1].ghl, "phone", "ask at the desk")
        # Those on both sides come after: a seed makes the same world if the dice fall in one order.
        beings = [*self._shared(contacts - 2 * alone - len(knots), hundredth), *single]
        for knot in knots:
            beings += knot()
        self.dice.shuffle(beings)
        return beings

    def _shared(self, count: int, hundredth: int) -> Iterator[Being]:
        """Those on both sides.

        About 80 % linked by email, 15 % by phone alone, 5 % by last name and postal code alone.
        """
        by_phone, by_name = count * 15 // 100, count * 5 // 100
        by_email = count - by_phone - by_name
        kinds: list[tuple[Callable[[Being], Being], int]] = [
            (self._other_city, hundredth + 1),
            (self._bad_phone, hundredth),
            (lambda being: being, by_email - 2 * hundredth - 1),
            (self._bad_email, hundredth),
            (self._by_phone, by_phone - hundredth),
            (self._by_name, by_name),
        ]
        for change, many in kinds:
            for _ in range(many):
                yield change(self.known_to_both())

    # -- kinds of beings

    def known_to_both(self) -> Being:
        """On both sides with the same email, perhaps with a gap or a tag more on one of them."""
        person = self.people.person()
        app, ghl = self.as_app(person), self.as_ghl(person)
        self._gap(app, ghl)
        self._tag_more(app, ghl)
        return Being(app, ghl, self._todos("both"), self._remarks("both"))

    def only(self, side: Literal["app", "ghl"]) -> Being:
        """On one side alone, with tasks and notes of their own."""
        person = self.people.person()
        todos, remarks = self._todos(side), self._remarks(side)
        if side == "app":
            return Being(app=self.as_app(person), todos=todos, remarks=remarks)
        return Being(ghl=self.as_ghl(person), todos=todos, remarks=remarks)

    def shared_phone(self) -> list[Being]:
        """Someone without email in the app whose phone two contacts in GHL share.

        It could be either.
        """
        person, partner = self.people.person(), self.people.person()
        app = self.as_app(person) | {"email": None}
        rival = self.as_ghl(replace(partner, last_name=person.last_name, phone=person.phone))
        return [Being(app=app), Being(ghl=self.as_ghl(person)), Being(ghl=rival)]

    def twins(self) -> list[Being]:
        """Two people in the app with the email of one contact in GHL."""
        person, (first, second) = self._twins()
        return [replace(first, ghl=self.as_ghl(person)), second]

    def lone_twins(self) -> list[Being]:
        """Two people in the app with one email, unknown to GHL."""
        return self._twins()[1]

    def _twins(self) -> tuple[Person, list[Being]]:
        person, other = self.people.person(), self.people.person()
        double = replace(other, last_name=person.last_name, email=person.email)
        return person, [Being(app=self.as_app(person)), Being(app=self.as_app(double))]

    def _by_phone(self, being: Being) -> Being:
        blank = self.dice.random() < 0.5
        if blank:
            return _changed(being, app={"email": None})
        return _changed(being, ghl={"email": None})

    def _by_name(self, being: Being) -> Being:
        # The one that is linked by name must have neither email nor phone: two that have one
        # contradict each other.
        if self.dice.random() < 0.5:
            return _changed(being, app={"email": None, "phone": None})
        return _changed(being, ghl={"email": None, "phone": None})

    def _other_city(self, being: Being) -> Being:
        assert being.app is not None  # noqa: S101 - made by known_to_both
        other = next(place for place in PLACES if place.city != being.app["city"])
        return _changed(being, ghl={"city": other.city})

    def _bad_phone(self, being: Being) -> Being:
        self._number += 1
        return _changed(being, app={"phone": f"ext. {self._number}"}, ghl={"phone": None})

    def _bad_email(self, being: Being) -> Being:
        self._number += 1
        return _changed(being, app={"email": f"guest{self._number}@example"}, ghl={"email": None})

    @staticmethod
    def _break(row: Row | None, column: str, value: str) -> None:
        if row is not None:
            row[column] = value

    # -- how each side writes the same person

    def as_app(self, person: Person) -> Row:
        """A row of `people`, with the habits of those who type.

        Phones any way, tags and emails in any case.
        """
        tags = [tag.title() if self.dice.random() < 0.4 else tag for tag in person.tags]
        email = person.email.title() if self.dice.random() < 0.1 else person.email
        return {
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": email,
            "phone": notation(person.phone, self.dice.randrange(6)),
            "company": person.company,
            "street": person.street,
            "city": person.city,
            "state": person.state,
            "postal_code": person.postal_code,
            "country": person.country,
            "birth_date": person.birth_date,
            "source": person.source,
            "vip": person.vip,
            "tags": tags,
            "updated_at": self._before(),
            "deleted_at": None,
        }

    def as_ghl(self, person: Person) -> Row:
        """A contact in write shape.

        GHL makes phones E.164 and tags lower-case, emails it leaves as they are.
        """
        added = self._before()
        return {
            "firstName": person.first_name,
            "lastName": person.last_name,
            "email": person.email.capitalize() if self.dice.random() < 0.1 else person.email,
            "phone": person.phone,
            "companyName": person.company,
            "address1": person.street,
            "city": person.city,
            "state": person.state,
            "postalCode": person.postal_code,
            "country": person.country,
            "dateOfBirth": person.birth_date.isoformat() if person.birth_date else None,
            "source": person.source,
            "tags": list(person.tags),
            "customFields": [{"key": VIP, "field_value": "true" if person.vip else "false"}],
            "dateAdded": stamp(added),
            "dateUpdated": stamp(added + timedelta(hours=self.dice.randrange(1, 48))),
        }

    def _before(self) -> datetime:
        return ANCHOR - timedelta(
            days=self.dice.randrange(2, 700), seconds=self.dice.randrange(86_400)
        )

    def _gap(self, app: Row, ghl: Row) -> None:
        if self.dice.random() < 0.2:
            row, columns = self.dice.choice(
                (
                    (app, ("company", "street", "phone")),
                    (ghl, ("companyName", "dateOfBirth", "source")),
                )
            )
            row[self.dice.choice(columns)] = None

    def _tag_more(self, app: Row, ghl: Row) -> None:
        if self.dice.random() < 0.2:
            missing = [tag for tag in TAGS if tag not in ghl["tags"]]
            self.dice.choice((app, ghl))["tags"].append(self.dice.choice(missing))

    # -- what hangs on them

    def _todos(self, most: Where) -> tuple[Todo, ...]:
        """One to three for a third of people.

        Half of those of a shared contact are on both sides.
        """
        if self.dice.random() >= 1 / 3:
            return ()
        return tuple(
            Todo(
                title=title,
                details=self.dice.choice(_DETAILS),
                due=ANCHOR
                + timedelta(days=self.dice.randrange(-20, 60), hours=self.dice.randrange(10)),
                status=self.dice.choice(("open", "open", "waiting", "done")),
                where=self._somewhere(most),
            )
            for title in self.dice.sample(_TITLES, self.dice.randint(1, 3))
        )

    def _remarks(self, most: Where) -> tuple[Remark, ...]:
        if self.dice.random() >= 0.3:
            return ()
        bodies = self.dice.sample(_REMARKS, self.dice.randint(1, 2))
        return tuple(Remark(body, self._before(), self._somewhere(most)) for body in bodies)

    def _somewhere(self, most: Where) -> Where:
        places: tuple[Where, ...] = ("both", "both", "app", "ghl")
        if most == "both":
            return self.dice.choice(places)
        return most


def _changed(being: Being, *, app: Row | None = None, ghl: Row | None = None) -> Being:
    return replace(
        being, app={**(being.app or {}), **(app or {})}, ghl={**(being.ghl or {}), **(ghl or {})}
    )


def stamp(moment: datetime) -> str:
    """A moment in UTC as GHL writes it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def rich(text: str | None) -> str | None:
    """A text as GHL's editor stores it."""
    if text is None:
        return None
    return "".join(f"<p>{html.escape(line, quote=False)}</p>" for line in text.split("\n"))
