"""No run, kill, undo, restored backup, merge or answer loosens a consent unasked, judged by what people said last."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest

from connectors.memory import Crash
from connectors.memory.vices import Killed
from reconcile.errors import Refused
from reconcile.model import Entity, Side
from reconcile.values.policy import Rule
from tests.flows.nights import night, take_back
from tests.properties.profiles import SOAK
from tests.reconcile.test_consent import ASKS, TRAVELS, world_of

C = Entity.CONTACT
PEOPLE = ("ann", "bob", "cat", "dan", "eve")
WORLDS = range(150) if SOAK else range(1)
STEPS = 15 if SOAK else 5
NATIVE = {Side.APP: "sms_ok", Side.GHL: "dnd.sms"}
WORDS = {
    Side.APP: {"yes": True, "no": False, "nothing": ""},
    Side.GHL: {"yes": "inactive", "no": "active", "for good": "permanent", "nothing": ""},
}
ANSWERS = ("app", "ghl", "deny", "leave", "relink", "keep", "restore")
"""Whatever a person says to many questions at once, but for the one word that says yes for somebody."""


class Book:
    """Who said what last. It knows nothing of rules, baselines or answers: only what people typed."""

    def __init__(self) -> None:
        self.last: dict[str, str] = {}

    def typed(self, email: str, word: str) -> None:
        """A person's own word; saying nothing takes no word back."""
        if word != "nothing":
            self.last[email] = word

    def merged(self, master: str, loser: str) -> None:
        """Two are one person by what GHL says: a no of either is his, and else what was said at all."""
        words = {self.last.get(master), self.last.get(loser)}
        if words & {"no", "for good"}:
            self.last[master] = "no"
        elif "yes" in words:
            self.last[master] = "yes"

    def allows(self, email: str) -> bool:
        """Whether a yes is what was last said."""
        return self.last.get(email) == "yes"


class Life:
    """A world in which people say yes and no on both sides, and machines do what they do."""

    def __init__(self, seed: int, rule: Rule) -> None:
        self.chance = Random(seed)  # noqa: S311 - a world made by chance
        self.book = Book()
        self.travels = rule.opt_in
        self.world = world_of(rule, max_opt_ins=100, max_rewound=100)
        self.backups = {side: world.backup() for side, world in self.world.sides.items()}
        self.told = None
        for name in PEOPLE:
            side = self.chance.choice(list(Side))
            self._enter(side, f"{name}@x.com")

    def _enter(self, side: Side, email: str) -> None:
        word = self.chance.choice(list(WORDS[side]))
        said = WORDS[side][word]
        self.world.sides[side].put(C, {"email": email, NATIVE[side]: said}, key=f"{side}-{email}")
        self.book.typed(email, word)

    def said(self, side: Side) -> dict[str, tuple[str, str | None]]:
        """By key: whose record it is on a side, and what it says."""
        cells = self.world.cells(side)
        return {key: (str(held["email"]), held.get("sms")) for key, held in cells.items()}

    def step(self) -> None:
        """Something that people do, and something that a machine does, judged."""
        self.chance.choice((self._edit, self._edit, self._edit, self._rest, self._back_up))()
        self.world.clock.advance(self.chance.choice((5, 7200)))
        self.chance.choice((self._restore, self._merge, self._nothing, self._nothing))()
        machine = self.chance.choice((self._run, self._run, self._kill, self._undo, self._answer))
        self._judged(machine)
        self._judged(self._run)

    def _judged(self, machine: Callable[[], None]) -> None:
        before = {side: self.said(side) for side in Side}
        machine()
        for side in Side:
            for key, (email, now) in self.said(side).items():
                was = before[side].get(key, (email, "new"))[1]
                if now != "allowed" or was in ("allowed", "new"):
                    continue
                assert self.travels, f"{machine.__name__} loosened {email} in {side}: was {was}"
                assert was != "permanent"
                assert self.book.allows(email), (
                    f"{machine.__name__} loosened {email}: {self.book.last}"
                )

    def _edit(self) -> None:
        side = self.chance.choice(list(Side))
        for key, (email, now) in self.said(side).items():
            if self.chance.random() < 0.5 and now != "permanent":
                word = self.chance.choice(list(WORDS[side]))
                self.world.sides[side].edit(C, key, {NATIVE[side]: WORDS[side][word]})
                self.book.typed(email, word)

    def _rest(self) -> None:
        side = self.chance.choice(list(Side))
        for key in self.said(side):
            self.world.sides[side].edit(C, key, {"company": self.chance.choice("xyz")})

    def _back_up(self) -> None:
        side = self.chance.choice(list(Side))
        self.backups[side] = self.world.sides[side].backup()

    def _restore(self) -> None:
        side = self.chance.choice(list(Side))
        if self.backups[side][C]:
            self.world.sides[side].restore(self.backups[side])

    def _merge(self) -> None:
        keys = sorted(self.world.ghl.rows(C))
        if len(keys) > 3:
            master, loser = self.chance.sample(keys, 2)
            people = self.said(Side.GHL)
            self.book.merged(people[master][0], people[loser][0])
            self.world.ghl.merge(master, loser)

    def _nothing(self) -> None:
        pass

    def _run(self) -> None:
        try:
            self.told = night(self.world)
        except Refused:
            self.told = None

    def _kill(self) -> None:
        at = self.chance.randint(1, 3)
        self.world.set_vices(self.chance.choice(list(Side)), crash=Crash(at))
        with suppress(Killed, Refused):
            self.world.run()
        for side in Side:
            self.world.set_vices(side, crash=None)
        self.world.reopen()

    def _undo(self) -> None:
        self._run()
        if self.told is not None:
            with suppress(Refused):
                take_back(self.world, self.told)

    def _answer(self) -> None:
        try:
            holds = self.world.run().holds
        except Refused:
            return
        choice = self.chance.choice(ANSWERS)
        for hold in holds:
            self.world.decide(hold, choice)


@pytest.mark.parametrize("rule", [ASKS, TRAVELS], ids=["asks", "travels"])
@pytest.mark.parametrize("seed", WORLDS)
def test_nobody_is_opted_in_who_did_not_say_so(seed: int, rule: Rule) -> None:
    """Where a yes does not travel, no machine loosens anything; where it travels, only for whom a yes was said last."""
    life = Life(seed, rule)
    with life.world:
        for _ in range(STEPS):
            life.step()


def test_the_judge_sees_a_loosened_consent() -> None:
    """A machine that opts somebody in is found out: the property above can fail."""
    life = Life(1, ASKS)

    def loosen() -> None:
        for key in life.world.app.rows(C):
            life.world.app.edit(C, key, {"sms_ok": True})

    with life.world:
        life.world.app.put(C, {"email": "zoe@x.com", "sms_ok": False}, key="zoe")
        with pytest.raises(AssertionError, match=r"loosen loosened \w+@x\.com in app"):
            life._judged(loosen)
