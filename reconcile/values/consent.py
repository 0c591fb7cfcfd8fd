"""Whether a person may be written to.

What a consent says, how each side words it, and what would loosen it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reconcile.model import Cell, Cells, Operation, OpKind, Side
from reconcile.ports import Json
from reconcile.values.codec import Codec, Raw, clean, truth

ALLOWED, DENIED, PERMANENT = "allowed", "denied", "permanent"
"""What a consent says.

`permanent` is GHL's: the person alone lifts it there (docs/ghl.md#do-not-disturb).
"""

NOES = frozenset({DENIED, PERMANENT})

# A contact whose `dnd` is false may be on "do not disturb" by channel all the same, so that false
# says nothing.
_GHL = {"active": DENIED, "inactive": ALLOWED, "true": DENIED, "false": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent(Codec):
    """One channel's consent.

    `table` gives what each of the app's words says, "" where it says nothing; a boolean has the
    words true and false.
    """

    table: Mapping[str, str] = field(default_factory=dict)
    name: str = "consent"

    @classmethod
    def of_truth(cls, meaning: str) -> Consent:
        """The consent of a boolean, whose true means this."""
        other = DENIED if meaning == ALLOWED else ALLOWED
        return cls(table={"true": meaning, "false": other})

    def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
        text = clean(raws)
        if side is Side.GHL:
            return _GHL.get(text.lower(), text) or None
        # A word as it stands comes first; what means yes or no may be written in several ways.
        if text in self.table:
            return self.table[text] or None
        return self.table.get(truth(text), text) or None

    def encode(self, cell: Cell, side: Side, arity: int) -> tuple[Json, ...]:
        """What a run may write.

        A no that lasts is the person's own, and is passed on as a plain no.
        """
        said = storable(cell)
        if side is Side.GHL:
            status = {DENIED: "active", ALLOWED: "inactive"}.get(said or "", said)
            return (status,) * arity
        wanted = said or ""
        words = (word for word, meaning in self.table.items() if meaning == wanted)
        word = next(words, said)
        native = {"true": True, "false": False}.get(word or "", word)
        return (native,) * arity

    def fault(self, cell: Cell) -> str | None:
        if cell is None or cell == ALLOWED or cell in NOES:
            return None
        return "neither a yes nor a no"


def storable(cell: Cell) -> Cell:
    """What another side than GHL can hold of it, and what a run may write."""
    return DENIED if cell == PERMANENT else cell


def loosened(operation: Operation, consents: Iterable[str]) -> list[str]:
    """The consents that a write of existing values would loosen.

    A new record has nothing that it could lift.
    """
    if operation.kind is OpKind.CREATE:
        return []
    before, after = operation.before, operation.after
    return [name for name in consents if loosens(before.get(name), after.get(name))]


def loosened_back(operation: Operation, current: Cells, consents: Iterable[str]) -> list[str]:
    """The consents that taking the write of an operation back would loosen."""
    written = [name for name in consents if name in operation.after and name in current]
    return [name for name in written if loosens(current[name], operation.before.get(name))]


def loosens(before: Cell, after: Cell) -> bool:
    """Whether a yes would take the place of a no, or of nothing said at all."""
    return after == ALLOWED and before != ALLOWED
