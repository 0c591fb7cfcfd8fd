"""Who is to be erased, and how a document is told again without them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from reconcile.entities import OWNER, Entity
from reconcile.model import Side

WORD = "erased"
"""What stands in the place of a value, a key or a name where its row has to stay."""

Key = tuple[str, str, str]
"""(entity, side, key) of a record."""

_LONG = 8
"""From so many characters a key is one that no other text holds by chance, as GHL's are."""

_TELLING = 12
"""From so many characters a title or a text is somebody's own."""

_NUMBER = re.compile(r"\+?\d[\d ().-]{5,}\d")
_NOTHING = r"(?!)"
"""A pattern that matches nowhere: an empty one would match everywhere."""

_LINK = "link:"

_PLAIN = frozenset(
    [
        "entity",
        "side",
        "kind",
        "status",
        "code",
        "class",
        "risk",
        "turn",
        "phase",
        "starts_workflows",
        "age_days",
        "run",
        "run_id",
        "modified_at",
        "opened",
        "at",
        "started_at",
        "ended_at",
        "begun_at",
        "start",
        "local",
        "as_of",
        "last",
    ]
)
"""Members that say nothing of a person, and by which documents are sorted and counted."""

_ANYWHERE = frozenset(("candidates", "options"))
_LISTS = frozenset(("keys", "quarantined", "unexplained_keys", *_ANYWHERE))
"""Lists of keys: of the side that stands beside them, or of either."""

_REFERENCES = frozenset(
    ("other_key", "other_app_key", "other_ghl_key", "contact", "choice", "decision")
)
_SENTENCES = frozenset(
    [
        "because",
        "detail",
        "sentences",
        "headline",
        "brief",
        "what",
        "refusal",
        "stopped",
        "why",
        "reason",
        "why_incomplete",
        "ground",
        "lost",
        "says",
        "lines",
        "meaning",
    ]
)
_NAMES = frozenset(("label", "under", "value", "records"))
_KINDS = frozenset(kind.value for kind in Entity)
_SIDES = frozenset(side.value for side in Side)


@dataclass(slots=True)
class Person:
    """All by which the product knows one person, and what hangs on them.

    `keys` and `links` are those of the contact, its tasks and its notes; `operations` and `holds`
    are the ids of what was written and asked about any of them. `words` are texts that stand in
    sentences about them. `cells` is what the contact held, as field and value, one a state;
    `tags` are the words of its sets.
    """

    keys: set[Key] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    operations: set[str] = field(default_factory=set)
    holds: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    cells: list[Map[str, str | None]] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)

    @property
    def size(self) -> tuple[int, ...]:
        """How much is known: it grows until nothing more is found."""
        return len(self.keys), len(self.links), len(self.operations), len(self.holds)

    def own(self, entity: str, side: str) -> set[str]:
        """Their keys of one kind on one side."""
        return {key for kind, where, key in self.keys if (kind, where) == (entity, side)}

    def has(self, entity: str, side: str | None, key: object) -> bool:
        """Whether a key is theirs; on either side where none is told."""
        kind = Entity(entity).record.value
        sides = [side] if side else [each.value for each in Side]
        return any((kind, where, key) in self.keys for where in sides)

    def remember(self, values: Iterable[object]) -> None:
        """Take in the texts by which sentences may name them."""
        for value in values:
            if isinstance(value, str) and _tells(value):
                self.words.add(value)

    def state(self, cells: Map[str, str | None], *, names: Iterable[str] = ()) -> None:
        """Take in what the contact held at some time; `names` are the fields of their name."""
        if cells not in self.cells:
            self.cells.append(dict(cells))
        self.remember(cells.values())
        for cell in cells.values():
            if cell and cell.startswith("["):
                self.tags.update(map(str, json.loads(cell)))
        called = " ".join(str(cells[name]) for name in names if cells.get(name))
        if " " in called:
            self.words.add(called)

    def long_keys(self) -> list[str]:
        """Those of their keys that no text holds by chance."""
        return sorted({key for _, _, key in self.keys if len(key) >= _LONG})

    def texts(self) -> list[str]:
        """Their words, the longest first: one may stand in another."""
        return sorted(self.words, key=lambda text: (-len(text), text))

    def pattern(self) -> re.Pattern[str]:
        """What finds their words and long keys in a text, a key as a whole alone."""
        texts = [re.escape(text) for text in self.texts()]
        keys = [rf"(?<!\w){re.escape(key)}(?!\w)" for key in self.long_keys()]
        either = "|".join([*texts, *keys])
        return re.compile(either or _NOTHING)

    def about(self, node: Map[str, Any], entity: str, side: str | None) -> bool:
        """Whether an object of a document is about them, by the keys and links that it names."""
        if self.links & {node.get(name) for name in ("link_id", "parent", "subject")}:
            return True
        if node.get("op_id") in self.operations or node.get("hold_id") in self.holds:
            return True
        other = Side(side).other.value if side else None
        owner = OWNER.value
        named = (
            (entity, "app", node.get("app_key")),
            (entity, "ghl", node.get("ghl_key")),
            (entity, side, node.get("key")),
            (entity, side, node.get("subject")),
            (entity, other, node.get("source_key")),
            (owner, side, node.get("parent_key")),
            (owner, side or "ghl", node.get("contact")),
        )
        for kind, where, key in named:
            if isinstance(key, str) and self.has(kind, where, key):
                return True
        return False


def _tells(value: str) -> bool:
    """Whether a text is somebody's own: an address, a number, or a sentence."""
    if len(value) < 5:
        return False
    if "@" in value or _NUMBER.fullmatch(value):
        return True
    return len(value) >= _TELLING and " " in value


class Wiped:
    """Tells documents again without a person; `changed` counts what was told otherwise.

    What is about them keeps its place, kind and times, and has no value, key or name any more. A
    sentence about somebody else only loses the texts that are theirs.
    """

    def __init__(self, person: Person) -> None:
        self.person = person
        self.changed = 0
        self._texts = person.pattern()
        # Short keys, such as 17, are theirs only beside the kind's name: "contact 17".
        escaped = sorted({re.escape(key) for _, _, key in person.keys})
        keys = "|".join(escaped) or _NOTHING
        kinds = "|".join(kind.value for kind in Entity)
        self._named = re.compile(rf"\b({kinds}) ({keys})(?!\w)")

    def document(self, node: Any, entity: str = OWNER.value, side: str | None = None) -> Any:
        """The same document, told without them."""
        if isinstance(node, list):
            return [self.document(each, entity, side) for each in node]
        if not isinstance(node, dict):
            return node
        entity, side = self._place(node, entity, side)
        if self.person.about(node, entity, side):
            self.changed += 1
            return {name: self._blank(name, value) for name, value in node.items()}
        return dict(self._members(node, entity, side))

    def sentence(self, text: str) -> str:
        """A sentence without their texts and keys."""
        without_texts = self._texts.sub(WORD, text)
        redacted = self._named.sub(rf"\1 {WORD}", without_texts)
        self.changed += redacted != text
        return redacted

    def _place(self, node: Map[str, Any], entity: str, side: str | None) -> tuple[str, str | None]:
        """The kind and side that an object says, else those of what it stands in."""
        own, where = node.get("entity"), node.get("side")
        if isinstance(own, str) and own in _KINDS:
            entity = own
        if isinstance(where, str) and where in _SIDES:
            side = where
        return entity, side

    def _members(
        self, node: Map[str, Any], entity: str, side: str | None
    ) -> Iterator[tuple[str, Any]]:
        keys = node.get("keys")
        mine: list[bool] = []
        if _texts(keys):
            mine = [self.person.has(entity, side, key) for key in keys]
        keyed = any(node.get(name) for name in ("app_key", "ghl_key", "key", "contact"))
        for name, value in node.items():
            # Of a record of somebody else, who may be called the same, the name stays.
            if keyed and name in _NAMES and isinstance(value, str):
                yield name, value
            elif name == "names" and len(mine) == len(value):
                pairs = zip(mine, value, strict=True)
                yield name, [WORD if own else each for own, each in pairs]
            elif (name == "value" and any(mine)) or (name == "tag" and self._rare(value, node)):
                yield name, self._put(WORD)
            else:
                yield name, self._member(name, value, entity, side)

    def _rare(self, tag: Any, node: Map[str, Any]) -> bool:
        """Whether a tag is theirs and nobody else's, by the counts beside it."""
        own = isinstance(tag, str) and tag in self.person.tags
        return own and all(node.get(side.value, 0) <= 1 for side in Side)

    def _member(self, name: str, value: Any, entity: str, side: str | None) -> Any:
        if name in _LISTS and _texts(value):
            where = None if name in _ANYWHERE else side
            return [self._reference(each, entity, where) for each in value]
        if name in _NAMES and _texts(value):
            return [self._name(each) for each in value]
        if name in _SENTENCES and _texts(value):
            return [self.sentence(each) for each in value]
        if not isinstance(value, str):
            return self.document(value, entity, side)
        if name in _SENTENCES:
            return self.sentence(value)
        if name in _NAMES:
            return self._name(value)
        if name in _REFERENCES:
            return self._reference(value, entity, None)
        return value

    def _name(self, text: str) -> str:
        """A name or a value, unless it is theirs."""
        if text in self.person.words:
            return self._put(WORD)
        return text

    def _reference(self, text: str, entity: str, side: str | None) -> str:
        """A key, or the answer that links with one, unless it is theirs."""
        key = text.removeprefix(_LINK)
        if not self.person.has(entity, side, key):
            return text
        if text.startswith(_LINK):
            return self._put(_LINK + WORD)
        return self._put(WORD)

    def _put(self, text: str) -> str:
        self.changed += 1
        return text

    def _blank(self, name: str, value: Any) -> Any:
        if name in _PLAIN or value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict):
            return {inner: self._blank(inner, each) for inner, each in value.items()}
        if isinstance(value, list):
            return [self._blank(name, each) for each in value]
        if name == "field":
            return value.partition(": ")[0]
        # Of an answer that links with one of their keys, what kind of answer it was stays.
        if name in ("options", "choice"):
            return _LINK + WORD if value.startswith(_LINK) else value
        if value.startswith("["):
            return json.dumps([WORD])
        return WORD


def _texts(value: Any) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
