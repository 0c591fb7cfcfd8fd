"""The invariants of the architecture with the real connectors: GHL's sandbox and a database, with all that goes wrong between."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from connectors.ghl.sandbox import Fault
from connectors.memory import Killed
from reconcile.entities import OWNER
from reconcile.errors import ReconcileError
from reconcile.model import Entity, OpKind, Side, Status
from reconcile.ports import Json
from tests.builders import Result
from tests.properties.profiles import profile
from tests.properties.sandbox_world import LIMIT, LOCATION, RESERVE, SandboxWorld, mapping
from tests.properties.simulation import ALLOWED, Simulation

KINDS = tuple(each.entity for each in mapping(sales=True, firms=True).entities)

SIDES = st.sampled_from(list(Side))
PICK = st.integers(0, 50)
NAMES = st.sampled_from(["Ann", "Bob", "ann", "Åsa", "Cy D", None])
COMPANIES = st.sampled_from(["ACME", "Böb & Co", 'q"uote', None])
TAGS = st.lists(st.sampled_from(["VIP", "lead", " Hot ", "a b"]), max_size=3, unique=True)
PERSON = st.fixed_dictionaries(
    {}, optional={"first_name": NAMES, "company": COMPANIES, "tags": TAGS}
)
CHILD = st.sampled_from(OWNER.children)
_GHL = {"first_name": "firstName", "company": "companyName", "due": "dueDate"}
_ANYWHERE = ("rate_limited", "status", "reset_before", "reset_after", "malformed", "cdn_block")
_READING = ("truncated_page", "wrong_total", "repeated_ids", "refuse_filter")
_READS = (
    "/contacts/search",
    "/locations/*/tasks/search",
    "/contacts/*/notes",
    "/opportunities/*",
    "/businesses/",
)
_WRITES = (
    ("POST", "/contacts/"),
    ("PUT", "/contacts/*"),
    ("DELETE", "/contacts/*"),
    ("POST", "/contacts/*/tasks"),
    ("PUT", "/contacts/*/tasks/*"),
    ("POST", "/contacts/*/notes"),
    ("POST", "/opportunities/"),
    ("PUT", "/opportunities/*"),
    ("*", "/contacts/*/tags"),
    ("POST", "/businesses/"),
    ("PUT", "/businesses/*"),
    ("POST", "/contacts/bulk/business"),
)
NTH = st.integers(1, 3)
FAULTS = st.one_of(
    st.builds(Fault, st.sampled_from(_ANYWHERE), path=st.just("*"), nth=st.integers(1, 25)),
    st.builds(Fault, st.sampled_from((*_ANYWHERE, *_READING)), path=st.sampled_from(_READS), nth=NTH, field=st.just("dateAdded")),
    st.builds(
        lambda kind, at, nth: Fault(kind, method=at[0], path=at[1], nth=nth, seconds=40.0),
        st.sampled_from((*_ANYWHERE, "created_but_422", "extra_lag")),
        st.sampled_from(_WRITES),
        NTH,
    ),
    st.builds(Fault, st.just("status"), after=st.integers(0, 25)),
)  # fmt: skip
"""One answer that is wrong, anywhere or at one kind of request; or an outage from some request on."""


class Both(Simulation):
    """The simulation on a SandboxWorld. Contacts and what hangs on them are told apart by a number, so that a second copy shows."""

    def __init__(self, lag: float, *, firms: bool) -> None:
        self.lag = lag
        super().__init__(mapping=mapping(sales=True, firms=firms))

    def __post_init__(self) -> None:
        limits = {"max_first_creates": 9999, "max_deletes": 9999, "flapping": 0}
        self.real = SandboxWorld(
            mapping=self.mapping, limits=limits, recheck="always", lag=self.lag
        )
        self.world = self.real
        self.lossy = False
        self.number = 0
        self.last = None

    def keys(self, side: Side, entity: Entity) -> list[str]:
        return sorted(self.real.places[side].rows(entity))

    def put(
        self, side: Side, entity: Entity, fields: dict[str, Json], parent: str | None = None
    ) -> str:
        key: str = self.real.places[side].put(entity, _native(side, fields), parent)
        return key

    def change(self, side: Side, entity: Entity, key: str, fields: dict[str, Json]) -> None:
        self.real.places[side].edit(entity, key, _native(side, fields))

    def remove(self, side: Side, entity: Entity, key: str) -> None:
        self.real.places[side].delete(entity, key)

    def check_ledger(self) -> None:
        """Invariant 3, as for memory sides: what the ledger holds, its side has shown."""
        sides, self.world.sides = self.world.sides, self.real.places
        try:
            super().check_ledger()
        finally:
            self.world.sides = sides

    def check_single(self) -> None:
        """Nothing is on a side twice (invariant 4), whatever just happened."""
        named = {Entity.CONTACT: "email", Entity.TASK: "title", Entity.NOTE: "body"}
        named |= dict.fromkeys((Entity.COMPANY, Entity.OPPORTUNITY), "name")
        for side in Side:
            for entity in self.kinds:
                rows = self.world.cells(side, entity).values()
                seen = Counter(str(cells.get(named[entity])).lower() for cells in rows)
                assert not [name for name, many in seen.items() if many > 1], (side, entity, seen)

    def check_employers(self, result: Result) -> None:
        """Linked contacts that nothing is asked about, and no write of whom failed, work for one company."""
        if Entity.COMPANY not in self.kinds or result.holds or result.passed:
            return
        if any(one.status is not Status.DONE or one.code for one in result.outcomes):
            return
        known = self.world.links(Entity.COMPANY)
        app, ghl = (self.real.employers(side) for side in Side)
        for ours, theirs in self.world.links(Entity.CONTACT).items():
            assert known.get(app.get(ours, "")) == ghl.get(theirs), (ours, theirs)

    def check_gone(self, result: Result, before: Callable[[Side, Entity], set[str]]) -> None:
        """What is deleted on one side is really gone from the other (invariant 6)."""
        for operation in result.operations:
            if operation.kind is OpKind.DELETE:
                assert operation.source_key not in before(operation.side.other, operation.entity), (
                    operation
                )


def _native(side: Side, fields: dict[str, Json]) -> dict[str, Json]:
    return (
        fields
        if side is Side.APP
        else {_GHL.get(name, name): value for name, value in fields.items()}
    )


_SALES: dict[bool | None, dict[str, Json]] = {
    None: {},
    True: {"pipeline": "Sales", "stage": "Signed", "status": "won"},
    False: {"pipeline": "Care", "stage": "New"},
}
"""What somebody makes of an opportunity: another name, a deal that is won, a move."""


def _child(entity: Entity, text: str, done: bool) -> dict[str, Json]:
    """What somebody enters for a contact."""
    if entity is Entity.TASK:
        return {"title": text, "due": "2026-01-01T10:00:00.000Z", "completed": done}
    if entity is Entity.NOTE:
        return {"body": f"{text} & more"}
    return {"name": text, "pipeline": "Sales", "stage": "New", "status": "open"}


class Location(RuleBasedStateMachine):
    """People edit both sides, the job runs, GHL fails, processes die, time passes."""

    @initialize(
        lag=st.sampled_from([0.0, 0.0, 2.0, 30.0]),
        people=st.lists(SIDES, max_size=4),
        firms=st.booleans(),
    )
    def begin(self, lag: float, people: list[Side], firms: bool) -> None:
        self.both = Both(lag, firms=firms)
        self.wait = lag + 1
        for side in people:
            self.busy(side, 0)
        if people:
            self.checked_run()

    def teardown(self) -> None:
        if hasattr(self, "both"):
            self.both.close()

    def key(self, side: Side, entity: Entity, pick: int) -> str | None:
        keys = self.both.keys(side, entity)
        return keys[pick % len(keys)] if keys else None

    # what people do

    def busy(self, side: Side, pick: int) -> None:
        """A new person with a task, a note and an opportunity, and edits across: something for the next run to be disturbed at."""
        person: dict[str, Json] = {
            "email": f"{self.both.fresh('p')}@x.com",
            "first_name": "Ann",
            "tags": ["lead"],
        }
        parent = self.both.put(side, Entity.CONTACT, person)
        text = self.both.fresh("Call ")
        task: dict[str, Json] = {
            "title": text,
            "due": "2026-01-01T10:00:00.000Z",
            "completed": False,
        }
        self.both.put(side, Entity.TASK, task, parent)
        self.both.put(side, Entity.NOTE, {"body": text}, parent)
        self.both.put(side, Entity.OPPORTUNITY, _child(Entity.OPPORTUNITY, text, True), parent)
        self.hire(side, parent)
        for entity, fields in (
            (Entity.CONTACT, {"company": text, "tags": ["VIP"]}),
            (Entity.TASK, {"completed": True}),
            (Entity.OPPORTUNITY, {"stage": "Signed", "status": "won"}),
        ):
            known = self.key(side.other, entity, pick)
            if known is not None:
                self.both.change(side.other, entity, known, dict(fields))

    def hire(self, side: Side, contact: str, pick: int | None = None) -> None:
        """Somebody begins to work at a company of that side, at a new one unless told otherwise."""
        if Entity.COMPANY not in self.both.kinds:
            return
        firm = self.key(side, Entity.COMPANY, pick) if pick is not None else None
        firm = firm or self.both.put(side, Entity.COMPANY, {"name": self.both.fresh("Firm ")})
        where: dict[str, Json] = (
            {"firm_id": int(firm)} if side is Side.APP else {"businessId": firm}
        )
        self.both.real.places[side].edit(Entity.CONTACT, contact, where)

    @rule(side=SIDES, pick=PICK, at=PICK)
    def change_employer(self, side: Side, pick: int, at: int) -> None:
        contact = self.key(side, Entity.CONTACT, pick)
        if contact is not None:
            self.hire(side, contact, at)

    @rule(side=SIDES, pick=PICK, city=st.sampled_from(["Oslo", "Rome", None]))
    def edit_company(self, side: Side, pick: int, city: str | None) -> None:
        key = self.key(side, Entity.COMPANY, pick)
        if key is not None:
            self.both.change(side, Entity.COMPANY, key, {"city": city})

    @rule(side=SIDES, fields=PERSON)
    def add_contact(self, side: Side, fields: dict[str, Json]) -> None:
        self.both.put(side, Entity.CONTACT, {"email": f"{self.both.fresh('p')}@x.com", **fields})

    @rule(side=SIDES, pick=PICK, fields=PERSON)
    def enter_the_same_person_across(self, side: Side, pick: int, fields: dict[str, Json]) -> None:
        key = self.key(side, Entity.CONTACT, pick)
        if key is not None:
            email = str(self.both.world.cells(side)[key].get("email"))
            if email not in {
                str(cells.get("email")).lower()
                for cells in self.both.world.cells(side.other).values()
            }:
                self.both.put(side.other, Entity.CONTACT, {"email": email.upper(), **fields})

    @rule(side=SIDES, pick=PICK, fields=PERSON)
    def edit_contact(self, side: Side, pick: int, fields: dict[str, Json]) -> None:
        key = self.key(side, Entity.CONTACT, pick)
        if key is not None and fields:
            self.both.change(side, Entity.CONTACT, key, fields)

    @rule(side=SIDES, pick=PICK, entity=CHILD, done=st.booleans())
    def add_child(self, side: Side, pick: int, entity: Entity, done: bool) -> None:
        parent = self.key(side, Entity.CONTACT, pick)
        if parent is not None:
            self.both.put(side, entity, _child(entity, self.both.fresh("Call "), done), parent)

    @rule(side=SIDES, pick=PICK, entity=CHILD, done=st.sampled_from([None, True, False]))
    def edit_child(self, side: Side, pick: int, entity: Entity, done: bool | None) -> None:
        key = self.key(side, entity, pick)
        if key is not None:
            text = self.both.fresh("Mail ")
            edits: dict[Entity, dict[str, Json]] = {
                Entity.TASK: {"title": text} if done is None else {"completed": done},
                Entity.NOTE: {"body": text},
                Entity.OPPORTUNITY: _SALES[done] or {"name": text},
            }
            self.both.change(side, entity, key, edits[entity])

    @rule(side=SIDES, pick=PICK, entity=st.sampled_from(KINDS))
    def delete(self, side: Side, pick: int, entity: Entity) -> None:
        key = self.key(side, entity, pick)
        if key is not None:
            self.both.remove(side, entity, key)

    @rule(pick=PICK, other=PICK)
    def merge_in_ghl(self, pick: int, other: int) -> None:
        """A user of GHL merges two contacts; GHL tells nobody."""
        master, loser = (
            self.key(Side.GHL, Entity.CONTACT, pick),
            self.key(Side.GHL, Entity.CONTACT, other),
        )
        if master and loser and master != loser:
            self.both.real.sandbox.merge_contacts(master, loser)
            self.both.real.ghl_place.note()

    @rule()
    def a_day_passes(self) -> None:
        """Hypothesis tries first what needs no choice: that is not to be a run, the dearest of all steps, thirty times."""
        self.both.world.clock.advance(86_400.0)

    @rule(seconds=st.sampled_from([1.0, 15.0]))
    def time_passes(self, seconds: float) -> None:
        self.both.world.clock.advance(seconds)

    # what the job does

    def catch_up(self) -> None:
        """Wait until the index shows what people did."""
        self.both.world.clock.advance(self.wait + 40)

    def checked_run(self, between: Callable[[], None] | None = None) -> Result:
        there: dict[tuple[Side, Entity], set[str]] = {}

        def pause() -> None:
            there.update(
                {
                    (side, entity): set(self.both.keys(side, entity))
                    for side in Side
                    for entity in KINDS
                }
            )
            if between is not None:
                between()

        result = self.both.run(between=pause)
        self.both.check_gone(result, lambda side, entity: there[side, entity])
        return result

    @rule()
    def run(self) -> None:
        """A whole run: all is shown, nothing is lost, both sides agree, and the next run has nothing to do."""
        self.catch_up()
        result = self.checked_run()
        self.both.check_quiet()
        self.both.check_converged(result)
        self.both.check_complete(result)
        self.both.check_employers(result)

    @rule()
    def run_at_once(self) -> None:
        """A run that may see an index that trails what people just did."""
        self.checked_run()

    @rule(side=SIDES, pick=PICK, fields=PERSON, done=st.booleans())
    def edit_between_plan_and_apply(
        self, side: Side, pick: int, fields: dict[str, Json], done: bool
    ) -> None:
        def between() -> None:
            self.edit_contact.__wrapped__(self, side, pick, fields)  # type: ignore[attr-defined]
            self.edit_child.__wrapped__(self, side.other, pick, Entity.TASK, done)  # type: ignore[attr-defined]

        self.checked_run(between)

    @rule(faults=st.lists(FAULTS, min_size=1, max_size=3), side=SIDES, pick=PICK)
    def run_through_faults(self, faults: list[Fault], side: Side, pick: int) -> None:
        """GHL fails; the run ends right, or stops with a named error, and the next one goes on from there."""
        self.busy(side, pick)
        self.both.real.sandbox.arm(*faults)
        with suppress(ReconcileError):
            self.checked_run()
        self.both.real.sandbox.faults.clear()

    @rule(
        place=st.sampled_from(["commit:before", "commit:after", "send:before", "send:after"]),
        at=st.integers(1, 32),
        fault=st.none() | FAULTS,
        side=SIDES,
        pick=PICK,
    )
    def kill(self, place: str, at: int, fault: Fault | None, side: Side, pick: int) -> None:
        """A run dies at any commit, or around any write; a few seconds later there is another process."""
        self.busy(side, pick)
        real = self.both.real
        real.sandbox.arm(*([fault] if fault else []))
        real.fuse.light(place, at if place.startswith("commit") else 1 + at % 8)
        with suppress(Killed, ReconcileError):
            real.run(allowed=ALLOWED)
        real.fuse.put_out()
        real.sandbox.faults.clear()
        real.clock.advance(10.0)
        real.reopen()

    @rule(left=st.integers(0, 30), side=SIDES, pick=PICK)
    def others_use_the_quota(self, left: int, side: Side, pick: int) -> None:
        """Little is left of the day above the reserve: a run stops before it touches that, and goes on tomorrow."""
        self.busy(side, pick)
        sandbox, kept = self.both.real.sandbox, math.ceil(RESERVE * LIMIT.daily)
        used = sandbox.quotas._usage["pit", LOCATION]
        sandbox.spend(LOCATION, 0)
        if used.today >= LIMIT.daily - kept - left:
            return
        sandbox.spend(LOCATION, LIMIT.daily - kept - left - used.today)
        day = used.day
        with suppress(ReconcileError):
            self.checked_run()
        # What others took, this process learns by its next answer.
        assert used.day != day or used.today <= LIMIT.daily - kept + 1
        self.both.world.clock.advance(86_400.0)

    # what always holds

    @invariant()
    def the_ledger_never_runs_ahead(self) -> None:
        if hasattr(self, "both"):
            self.both.check_ledger()

    @invariant()
    def nothing_is_there_twice(self) -> None:
        if hasattr(self, "both"):
            self.both.check_single()

    @invariant()
    def no_window_holds_more_than_its_limit(self) -> None:
        if hasattr(self, "both"):
            assert self.both.real.sandbox.max_in_window(LOCATION) <= LIMIT.max


TestSandboxMachine = Location.TestCase
TestSandboxMachine.settings = profile(ci=(3, 8), soak=(200, 30))
