"""Which questions a person looks at.

Filters and pages, given in an address or on the command line.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from flows.review.questions import Question
from reconcile.errors import StateError
from reconcile.model import Entity, Side
from reconcile.report import asking

PAGE = 25
STATES = {"open": "not answered", "answered": "answered", "all": "all"}


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of the list.

    `kinds`, `entities` and `fields` count what the other filters let through; `page` starts at 1.
    """

    shown: Sequence[Question]
    matches: int
    first: int
    page: int
    pages: int
    waiting: int
    answered: int
    at_source: int
    kinds: Mapping[str, int]
    entities: Mapping[str, int]
    fields: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Beside:
    """The questions before and after one in the list.

    Its place there, from 1, and how many there are follow.
    """

    before: str | None
    after: str | None
    place: int
    of: int


@dataclass(frozen=True, slots=True)
class View:
    """The filters of one request; an empty text lets everything through.

    `field` may be a set's: it fits each element of it.
    """

    kind: str = ""
    entity: str = ""
    field: str = ""
    side: str = ""
    state: str = "open"
    text: str = ""
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> View:
        """The view that an address names; what makes no sense there is left out."""
        state, page = query.get("state", "open"), query.get("page", "1")
        return cls(
            kind=query.get("kind", ""),
            entity=query.get("entity", ""),
            field=query.get("field", ""),
            side=query.get("side", ""),
            state=state if state in STATES else "open",
            text=query.get("text", "").strip(),
            page=max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1,
        )

    def query(self, **more: str | int) -> str:
        """The part of an address that names this view, with some of it replaced."""
        named = {
            "kind": self.kind,
            "entity": self.entity,
            "field": self.field,
            "side": self.side,
            "state": self.state,
            "text": self.text,
            "page": self.page,
        }
        usual = {"state": "open", "page": 1}
        return urlencode({k: v for k, v in (named | more).items() if v != usual.get(k, "")})

    def list(self, questions: Sequence[Question]) -> Listed:
        """One page of what fits."""
        fitting = [each for each in questions if self._state_fits(each) and self._text_fits(each)]
        matching = [each for each in fitting if self._names_fit(each)]
        matching.sort(key=lambda each: not each.options)
        pages = max(1, -(-len(matching) // PAGE))
        page = min(self.page, pages)
        answered = sum(each.answer is not None for each in questions)
        at_source = sum(not each.options and each.answer is None for each in questions)
        return Listed(
            shown=matching[(page - 1) * PAGE : page * PAGE],
            matches=len(matching),
            first=(page - 1) * PAGE + 1,
            page=page,
            pages=pages,
            waiting=len(questions) - answered - at_source,
            answered=answered,
            at_source=at_source,
            kinds=Counter(each.kind for each in fitting if self._names_fit(each, "kind")),
            entities=Counter(each.entity for each in fitting if self._names_fit(each, "entity")),
            fields=Counter(each.field_name for each in fitting if self._names_fit(each, "field")),
        )

    def beside(self, questions: Sequence[Question], hold_id: str) -> Beside:
        """Where a question stands among those that fit; one that does not fit stands nowhere."""
        ids = [each.hold_id for each in self.fitting(questions)]
        if hold_id not in ids:
            return Beside(None, None, 0, len(ids))
        at = ids.index(hold_id)
        before = ids[at - 1] if at else None
        after = ids[at + 1] if at + 1 < len(ids) else None
        return Beside(before, after, at + 1, len(ids))

    def fitting(self, questions: Iterable[Question]) -> Sequence[Question]:
        """All that fit, on whatever page."""
        return [
            each
            for each in questions
            if self._state_fits(each) and self._names_fit(each) and self._text_fits(each)
        ]

    def check(self, questions: Sequence[Question], mapped: Iterable[str] = ()) -> View:
        """The same view.

        Raises StateError where it names a kind, an entity, a side or a field that there is none of.

        `mapped` are the fields that the pair file has.
        """
        known = {
            "kind": list(asking.ASKED),
            "entity": [each.value for each in Entity],
            "side": [each.value for each in Side],
            "field": sorted({*mapped, *(each.field_name for each in questions if each.field_name)}),
        }
        for name, words in known.items():
            word = getattr(self, name)
            if word and word not in words:
                said = ", ".join(words) or "none: no open question is about a field"
                raise StateError(
                    f"there is no {name} {word!r}",
                    remedy=f"known are {said}",
                    code="NO_FILTER",
                )
        return self

    def _names_fit(self, question: Question, apart_from: str = "") -> bool:
        """Whether kind, entity, field and side fit; one of them may be left out."""
        own = {
            "kind": question.kind,
            "entity": question.entity,
            "field": question.field_name,
            "side": question.side or "",
        }
        return all(getattr(self, name) in ("", own[name]) for name in own if name != apart_from)

    def _state_fits(self, question: Question) -> bool:
        return self.state == "all" or (self.state == "answered") == (question.answer is not None)

    def _text_fits(self, question: Question) -> bool:
        if not self.text:
            return True
        wanted = _folded(self.text)
        return any(wanted in _folded(part) for part in _texts(question))


def _texts(question: Question) -> Iterable[str]:
    """What a search looks through: names, keys, the reason, and the values of every record."""
    own = (
        question.label,
        question.because,
        question.hold_id,
        question.app_key,
        question.ghl_key,
        question.field,
        *(str(value) for value in question.values.values() if isinstance(value, str)),
    )
    yield from (part for part in own if part)
    for shown in (*question.records, *question.candidates):
        yield shown.label
        yield from shown.values.values()


def _folded(text: str) -> str:
    """The text without capitals and accents, as people type it in a hurry."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
