"""Which questions a person looks at: filters and pages, read from and written back to the address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from flows.review.questions import Question

PAGE = 25
STATES = {"open": "not answered", "answered": "answered", "all": "all"}


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of the list. `kinds` and `entities` count what the other filters let through; `page` starts at 1."""

    shown: Sequence[Question]
    found: int
    first: int
    page: int
    pages: int
    waiting: int
    answered: int
    kinds: Mapping[str, int]
    entities: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class View:
    """The filters of one request; an empty text lets everything through."""

    kind: str = ""
    entity: str = ""
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
            state=state if state in STATES else "open",
            text=query.get("text", "").strip(),
            page=max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1,
        )

    def query(self, **more: str | int) -> str:
        """The part of an address that names this view, with some of it replaced."""
        named = {
            "kind": self.kind,
            "entity": self.entity,
            "state": self.state,
            "text": self.text,
            "page": self.page,
        }
        usual = {"state": "open", "page": 1}
        return urlencode({k: v for k, v in (named | more).items() if v != usual.get(k, "")})

    def list(self, asked: Sequence[Question]) -> Listed:
        """One page of what fits."""
        fitting = [each for each in asked if self._state_fits(each) and self._text_fits(each)]
        found = [
            each
            for each in fitting
            if self.kind in ("", each.kind) and self.entity in ("", each.entity)
        ]
        pages = max(1, -(-len(found) // PAGE))
        page = min(self.page, pages)
        answered = sum(each.answer is not None for each in asked)
        return Listed(
            shown=found[(page - 1) * PAGE : page * PAGE],
            found=len(found),
            first=(page - 1) * PAGE + 1,
            page=page,
            pages=pages,
            waiting=len(asked) - answered,
            answered=answered,
            kinds=Counter(each.kind for each in fitting if self.entity in ("", each.entity)),
            entities=Counter(each.entity for each in fitting if self.kind in ("", each.kind)),
        )

    def _state_fits(self, question: Question) -> bool:
        return self.state == "all" or (self.state == "answered") == (question.answer is not None)

    def _text_fits(self, question: Question) -> bool:
        if not self.text:
            return True
        values = (
            value
            for shown in (*question.records, *question.candidates)
            for value in shown.values.values()
        )
        told = (
            question.label,
            question.because,
            question.hold_id,
            question.app_key,
            question.ghl_key,
            question.field,
        )
        return any(self.text.casefold() in part.casefold() for part in (*told, *values) if part)
