"""The invariants of the architecture, on a world that users of both sides edit while the job runs, fails and is killed."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from connectors.memory import Vices
from reconcile.model import Entity, OpKind, Side
from reconcile.ports import Json
from reconcile.values.mapping import EntityMap
from reconcile.values.policy import Blank
from tests.builders import companies, contacts, field_of, mapping_of, notes, tasks
from tests.properties.profiles import profile
from tests.properties.simulation import Simulation

SIDES = st.sampled_from(list(Side))
PICK = st.integers(0, 50)
NAMES = st.sampled_from(["Ann", "Bob", "ann", "Åsa", " Cy  D ", None])
COMPANIES = st.sampled_from(["ACME", "Böb & Co", "x,y", 'q"uote', "", None])
TAGS = st.lists(st.sampled_from(["VIP", "lead", " Hot ", "a b", "Ünï"]), max_size=3, unique=True)
PERSON = st.fixed_dictionaries(
    {}, optional={"first_name": NAMES, "company": COMPANIES, "tags": TAGS}
)
CHILD = st.sampled_from([False, True])
"""Whether it is a task, or what hangs on a contact beside tasks: a note, or a deal."""
STAGES = st.sampled_from(["New", "Quoted", "Signed"])
CITIES = st.sampled_from(["Rome", "Zürich", None])
TITLES = st.sampled_from(["Call", "Mail", "Visit"])
BODIES = st.sampled_from(["hello", "<p>hello</p>", "a &amp; b", "two\nlines"])
GHL_VICES = st.sampled_from(
    [
        Vices(lowercase_tags=True, e164=True, unique=("email",)),
        Vices(lowercase_tags=True, e164=True, unique=("email",), lag_seconds=30),
        Vices(unversioned=True),
    ]
)


def _deals() -> EntityMap:
    """What is sold to a contact."""
    stage = field_of("stage", within="pipeline")
    fields = (field_of("name", required=True), field_of("pipeline"), stage, field_of("status"))
    return replace(tasks(*fields, match=(("name",),)), entity=Entity.OPPORTUNITY)


def _clearing(mapped: EntityMap) -> EntityMap:
    fields = tuple(replace(f, rule=replace(f.rule, blank=Blank.CLEAR)) for f in mapped.fields)
    return replace(mapped, fields=fields)


class World(RuleBasedStateMachine):
    """Users edit, the job runs; every run is checked, and a further one must have nothing to do."""

    @initialize(vices=GHL_VICES, sales=st.booleans())
    def begin(self, vices: Vices, sales: bool) -> None:
        """A world with companies and deals, or with notes: each kind costs."""
        kinds = (contacts(), tasks(), notes())
        if sales:
            kinds = (companies(), contacts(), tasks(), _deals())
        mapping = mapping_of(*map(_clearing, kinds))
        self.other = kinds[-1].entity
        self.simulation = Simulation(vices={Side.GHL: vices}, mapping=mapping)
        self.lag = vices.lag_seconds
        self.clean = True

    def teardown(self) -> None:
        self.simulation.close()

    def key(self, side: Side, entity: Entity, pick: int) -> str | None:
        keys = self.simulation.keys(side, entity)
        return keys[pick % len(keys)] if keys else None

    def kind(self, pick: int) -> Entity:
        """One of the kinds of record that there are."""
        kinds = self.simulation.kinds
        return kinds[pick % len(kinds)]

    @rule(side=SIDES, fields=PERSON)
    def add_contact(self, side: Side, fields: dict[str, Json]) -> None:
        self.simulation.add_contact(side, fields)

    @rule(side=SIDES, pick=PICK, fields=PERSON)
    def enter_the_same_person_across(self, side: Side, pick: int, fields: dict[str, Json]) -> None:
        key = self.key(side, Entity.CONTACT, pick)
        world = self.simulation.world
        if key is not None:
            email = world.sides[side].rows(Entity.CONTACT)[key].fields["email"]
            there = {
                str(r.fields["email"]).lower()
                for r in world.sides[side.other].rows(Entity.CONTACT).values()
            }
            if str(email).lower() not in there:
                world.sides[side.other].put(Entity.CONTACT, {"email": str(email).upper(), **fields})

    @rule(side=SIDES, pick=PICK, fields=PERSON)
    def edit_contact(self, side: Side, pick: int, fields: dict[str, Json]) -> None:
        key = self.key(side, Entity.CONTACT, pick)
        if key is not None and fields:
            self.simulation.edit(side, Entity.CONTACT, key, fields)

    @rule(side=SIDES, pick=PICK, other=PICK, fields=PERSON, again=st.booleans())
    def share_an_identity(
        self, side: Side, pick: int, other: int, fields: dict[str, Json], again: bool
    ) -> None:
        """A contact gets the address of another of its side, or is entered a second time."""
        one, two = self.key(side, Entity.CONTACT, pick), self.key(side, Entity.CONTACT, other)
        if one is not None and two is not None:
            shared: dict[str, Json] = {
                "email": self.simulation.world.sides[side].rows(Entity.CONTACT)[one].fields["email"]
            }
            if again:
                self.simulation.world.sides[side].put(Entity.CONTACT, {**shared, **fields})
            else:
                self.simulation.edit(side, Entity.CONTACT, two, shared)

    @rule(
        side=SIDES,
        pick=PICK,
        phone=st.sampled_from(["+18885550101", "(888) 555-0101", "+18885550102", None]),
    )
    def change_number(self, side: Side, pick: int, phone: str | None) -> None:
        key = self.key(side, Entity.CONTACT, pick)
        if key is not None:
            self.simulation.edit(side, Entity.CONTACT, key, {"phone": phone})

    @rule(side=SIDES, pick=PICK)
    def change_address(self, side: Side, pick: int) -> None:
        key = self.key(side, Entity.CONTACT, pick)
        if key is not None:
            self.simulation.edit(
                side, Entity.CONTACT, key, {"email": f"{self.simulation.fresh('q')}@x.com"}
            )

    @rule(pick=PICK, option=PICK)
    def answer(self, pick: int, option: int) -> None:
        """A person answers one of the questions of the last run."""
        self.simulation.answer(pick, option)

    @rule(side=SIDES, pick=PICK, other=CHILD, title=TITLES, body=BODIES, done=st.booleans())
    def add_child(
        self, side: Side, pick: int, other: bool, title: str, body: str, done: bool
    ) -> None:
        parent = self.key(side, Entity.CONTACT, pick)
        if parent is not None:
            due = "2026-01-01T10:00:00.000Z"
            made: dict[Entity, dict[str, Json]] = {
                Entity.TASK: {"title": title, "due": due, "completed": done},
                Entity.NOTE: {"body": body},
                Entity.OPPORTUNITY: {"name": title, "pipeline": "Sales", "stage": "New"},
            }
            entity = self.other if other else Entity.TASK
            self.simulation.add_child(side, entity, parent, made[entity])

    @rule(
        side=SIDES,
        pick=PICK,
        other=CHILD,
        title=TITLES,
        body=BODIES,
        stage=STAGES,
        done=st.booleans(),
    )
    def edit_child(
        self, side: Side, pick: int, other: bool, title: str, body: str, stage: str, done: bool
    ) -> None:
        entity = self.other if other else Entity.TASK
        key = self.key(side, entity, pick)
        pipeline = "Care" if pick % 2 else "Sales"
        if key is not None:
            edits: dict[Entity, dict[str, Json]] = {
                Entity.TASK: {"completed": done} if done else {"title": title},
                Entity.NOTE: {"body": body},
                Entity.OPPORTUNITY: {"pipeline": pipeline} if done else {"stage": stage},
            }
            self.simulation.edit(side, entity, key, edits[entity])

    @precondition(lambda self: self.other is Entity.OPPORTUNITY)
    @rule(side=SIDES, pick=PICK, city=CITIES, new=st.booleans())
    def company(self, side: Side, pick: int, city: str | None, new: bool) -> None:
        """A company is entered, or moves."""
        key = self.key(side, Entity.COMPANY, pick)
        if new or key is None:
            name = self.simulation.fresh("Firm ")
            self.simulation.world.sides[side].put(Entity.COMPANY, {"name": name, "city": city})
        else:
            self.simulation.edit(side, Entity.COMPANY, key, {"city": city})

    @rule(side=SIDES, pick=PICK, kind=PICK)
    def delete(self, side: Side, pick: int, kind: int) -> None:
        entity = self.kind(kind)
        key = self.key(side, entity, pick)
        if key is not None:
            self.simulation.delete(side, entity, key)

    @rule(side=SIDES, at=st.integers(1, 5), when=st.sampled_from(["before", "after"]))
    def kill(self, side: Side, at: int, when: str) -> None:
        self.catch_up()
        self.simulation.crash(side, at, when)

    @rule(side=SIDES, kind=PICK)
    def read_only_half(self, side: Side, kind: int) -> None:
        """An incomplete snapshot yields no delete on the other side, nor of what hung on whom it did not show (invariant 6)."""
        entity = self.kind(kind)
        self.catch_up()
        self.simulation.world.set_vices(side, incomplete={entity: "page 2 answered 500"})
        result = self.simulation.run()
        self.simulation.world.set_vices(side, incomplete={})
        across = [o for o in result.operations if o.side is side.other and o.kind is OpKind.DELETE]
        gone = [o for o in across if o.entity is entity]
        if entity is Entity.CONTACT:
            gone += [o for o in across if o.parent and not self.owner_there(side, o.parent)]
        assert not gone, gone

    def owner_there(self, side: Side, link: str) -> bool:
        """Whether the contact of that link is on a side."""
        key = self.simulation.world.baseline()[link][f"{side}_key"]
        return key in self.simulation.keys(side, Entity.CONTACT)

    @rule(data=st.data())
    def edit_between_plan_and_apply(self, data: st.DataObject) -> None:
        self.catch_up()
        side, pick, fields = data.draw(SIDES), data.draw(PICK), data.draw(PERSON)
        self.simulation.run(between=lambda: self.edit_contact.__wrapped__(self, side, pick, fields))  # type: ignore[attr-defined]

    @rule()
    def run(self) -> None:
        """A whole run: all is shown, nothing is lost, both sides agree, and the next run has nothing to do."""
        self.catch_up()
        result = self.simulation.run()
        self.simulation.check_quiet()
        self.simulation.check_converged(result)
        self.simulation.check_complete(result)

    @precondition(lambda self: not self.lag)
    @rule(seed=st.integers(0, 99))
    def shuffle(self, seed: int) -> None:
        self.simulation.check_order(seed)

    def catch_up(self) -> None:
        """Users wait for an index before they look; our own writes of a moment ago are what it hides from the job."""
        self.simulation.world.clock.advance(self.lag + 1)

    @invariant()
    def the_ledger_never_runs_ahead(self) -> None:
        if hasattr(self, "simulation"):
            self.simulation.check_ledger()


TestInvariants = World.TestCase
TestInvariants.settings = profile(ci=(3, 8), soak=(200, 30))
