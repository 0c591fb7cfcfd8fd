"""The last gate: what one run may do unasked, and the words that say what would have happened."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from reconcile.model import Entity, OpKind, Side, Snapshot
from reconcile.plan.dependants import words
from reconcile.plan.plan import Plan

_DELETING = (OpKind.DELETE, OpKind.ARCHIVE)
_UPDATING = (OpKind.UPDATE, OpKind.COMPLETE)
_TAGGING = (OpKind.ADD_TAGS, OpKind.REMOVE_TAGS)


_BACK = {
    Side.APP: "what the application deletes for good, only its backup brings back",
    Side.GHL: (
        "GHL restores contacts by hand only, for 60 days, and maybe not their tasks and notes"
    ),
}


_HOLDS_ALL = {Side.APP: "database", Side.GHL: "location"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may do without a person's word. Shares are of the linked records of an entity.

    max_deletes, max_delete_share: a run deletes no more than either, per entity and side (the share
    counts from `small` records up). max_update_share: the same for updates, from `small` linked
    records up; contacts whose tags change count apart from those whose fields do. max_create_share:
    creates against the linked records, from `small` of them up. max_first_creates: creates where
    fewer are linked, as on a first run: too few to vouch for so many. min_rows_share: how far a
    side may have shrunk since it was last settled. max_confirm: how many records that seem to be
    gone are looked up by key. flapping: a value that this many runs wrote, and that its side took
    back each time within 30 days, is asked about instead of written once more; 0 never asks.
    max_opt_ins: in how many records of a side a yes takes the place of a no, or of nothing said.
    max_rewound: records of a side that went back to an older state are asked about one by one, as
    far as they are not more than this.
    """

    max_deletes: int = 25
    max_delete_share: float = 0.02
    max_update_share: float = 0.5
    max_create_share: float = 0.3
    max_first_creates: int = 50
    min_rows_share: float = 0.7
    small: int = 50
    max_confirm: int = 500
    flapping: int = 3
    max_opt_ins: int = 10
    max_rewound: int = 10


@dataclass(frozen=True, slots=True)
class Facts:
    """What the limits look at, beside the plan."""

    snapshots: Mapping[tuple[Entity, Side], Snapshot]
    links: Mapping[Entity, int]
    """How many links each entity has."""

    changed_identity: Collection[Side] = field(default=())
    """The sides that are not the ones that the ledger knows."""

    undone: Mapping[tuple[Entity, Side], int] = field(default_factory=dict)
    """Of how many links a side lacks the record since an undo, so that it need not show them."""

    tagged: Mapping[Side, int] | None = None
    """How many contacts of each side have tags added, removed or both.

    Where that is not known, what is added and what is removed is taken for different contacts.
    """

    rewound: Mapping[Side, tuple[int, int]] = field(default_factory=dict)
    """How many records of a side went back to an older state and wait for an answer.

    And how many are missing there meanwhile.
    """

    along: Mapping[Side, Mapping[str, int]] = field(default_factory=dict)
    """How many tasks and notes go with the contacts that the plan deletes on a side."""

    def expected(self, entity: Entity, side: Side) -> int:
        """How many links should have a record on a side."""
        return self.links.get(entity, 0) - self.undone.get((entity, side), 0)


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that a plan goes over: its name for `--allow`, what would happen, and the danger."""

    name: str
    what: str
    danger: str
    setting: str = ""
    """The limit's name in the pair file."""

    allowed: float | None = None
    """A count, or a share of `of`."""

    found: int | None = None
    """What the plan comes to."""

    of: int | None = None
    entity: Entity | None = None
    side: Side | None = None
    along: Mapping[str, int] = field(default_factory=dict)
    """The tasks and notes that would go with deleted contacts."""

    def __str__(self) -> str:
        return f"{self.what}\n    To allow it all the same: --allow {self.name}   ({self.danger})"


_OF_A_RUN = ("deletes", "updates", "creates", "first-creates", "opt-ins")
_OF_A_SIDE = ("another", "empty", "shrunk", "rewound", "restore")
NAMES = frozenset([*_OF_A_RUN, *(f"{what}-{side}" for what in _OF_A_SIDE for side in Side)])
"""What limits are called; with `restore-app`, an app that went back is brought back from GHL."""


def breaches(
    plan: Plan, facts: Facts, limits: Limits, *, allowed: Collection[str] = ()
) -> list[Breach]:
    """Every limit that the plan goes over and that was not allowed by name."""
    over = [
        *_identities(facts),
        *_rewound(facts, limits),
        *_empty(facts),
        *_shrunk(facts, limits),
    ]
    for entity in facts.links:
        over += _deletes(plan, facts, limits, entity)
    for entity in facts.links:
        over += _updates(plan, facts, limits, entity)
    over += _tags(plan, facts, limits)
    over += _opt_ins(plan, limits)
    for entity in facts.links:
        over += _creates(plan, facts, limits, entity)
    # Who brings a side back has said what becomes of it; what stays in question is asked about.
    brought_back = {f"rewound-{side}" for side in Side if f"restore-{side}" in allowed}
    passed = brought_back.union(allowed)
    return [breach for breach in over if breach.name not in passed]


def _identities(facts: Facts) -> Iterator[Breach]:
    for side in facts.changed_identity:
        yield Breach(
            f"another-{side}",
            f"{side.label} is not the {_HOLDS_ALL[side]} that the ledger knows: "
            "every link would be taken for deleted, or linked to a stranger",
            "the crosswalk belongs to the former one; start a new pair instead, unless it was only "
            "moved or renamed",
        )


def _rewound(facts: Facts, limits: Limits) -> Iterator[Breach]:
    for side, (older, missing) in facts.rewound.items():
        if older <= limits.max_rewound:
            continue
        what = (
            f"{side.label} went back in time, as a restored backup does: {older} linked "
            f"records are older there than they were seen already, {missing} are missing; "
            f"the limit is {limits.max_rewound} (max_rewound)\n"
            f"    To bring them back from {side.other.label}: run --allow restore-{side}   "
            f"(overwrites up to {older} records in {side.label}, and makes {missing} there again)"
        )
        danger = (
            f"goes on without these records and asks about each; what else {side.label} lost "
            "since is not noticed"
        )
        yield Breach(
            f"rewound-{side}",
            what,
            danger,
            setting="max_rewound",
            allowed=limits.max_rewound,
            found=older,
            side=side,
        )


def _empty(facts: Facts) -> Iterator[Breach]:
    for (entity, side), snapshot in facts.snapshots.items():
        linked = facts.expected(entity, side)
        whole = snapshot.complete and not snapshot.partial
        if whole and snapshot.rows == 0 and linked > 0:
            yield Breach(
                f"empty-{side}",
                f"{side.label} answered with no {entity.plural} at all, "
                f"though {linked:,} are linked",
                f"every linked {entity} would count as deleted in {side.label}",
                found=0,
                of=linked,
                entity=entity,
                side=side,
            )


def _shrunk(facts: Facts, limits: Limits) -> Iterator[Breach]:
    for (entity, side), snapshot in facts.snapshots.items():
        linked = facts.expected(entity, side)
        # What a side did not show, because it was not asked or not read to its end, is not gone.
        if snapshot.partial or not snapshot.complete:
            continue
        # A side without any rows is `_empty`'s, whatever the number of links.
        if linked < limits.small or not snapshot.rows:
            continue
        if snapshot.rows >= linked * limits.min_rows_share:
            continue
        lost = linked - snapshot.rows
        yield Breach(
            f"shrunk-{side}",
            f"{side.label} has {snapshot.rows:,} {entity.plural}, {linked:,} are linked: "
            f"fewer than {limits.min_rows_share:.0%} are left",
            f"{lost} {entity.plural} would count as deleted in {side.label}",
            setting="min_rows_share",
            allowed=limits.min_rows_share,
            found=snapshot.rows,
            of=linked,
            entity=entity,
            side=side,
        )


def _deletes(plan: Plan, facts: Facts, limits: Limits, entity: Entity) -> Iterator[Breach]:
    linked = facts.links[entity]
    for side in Side:
        count = plan.count(entity, *_DELETING, side=side)
        too_many = count > limits.max_deletes
        # Of a handful of linked records, a single one is a large share already.
        too_large = linked >= limits.small and count > linked * limits.max_delete_share
        if not count or not (too_many or too_large):
            continue
        setting, allowed = "max_delete_share", limits.max_delete_share
        limit = f"{limits.max_delete_share:.0%} (max_delete_share)"
        if too_many:
            setting, allowed = "max_deletes", limits.max_deletes
            limit = f"{limits.max_deletes} (max_deletes)"
        along = facts.along.get(side, {}) if entity.children else {}
        beside = words(along)
        if beside:
            beside = f", with {beside}"
        yield Breach(
            "deletes",
            f"{count:,} of {linked:,} linked {entity.plural} would be deleted "
            f"in {side.label}{beside}; the limit is {limit}",
            f"deletes {count:,} {entity.plural} in {side.label}{beside}; {_BACK[side]}",
            setting=setting,
            allowed=allowed,
            found=count,
            of=linked,
            entity=entity,
            side=side,
            along=along,
        )


def _updates(plan: Plan, facts: Facts, limits: Limits, entity: Entity) -> Iterator[Breach]:
    linked = facts.links[entity]
    for side in Side:
        count = plan.count(entity, *_UPDATING, side=side)
        if linked >= limits.small and count > linked * limits.max_update_share:
            yield Breach(
                "updates",
                f"{count:,} of {linked:,} linked {entity.plural} would be changed in "
                f"{side.label}; "
                f"the limit is {limits.max_update_share:.0%} (max_update_share)",
                f"overwrites values in {count:,} {entity.plural}; check first "
                "that a mapping or a bulk edit did not go wrong",
                setting="max_update_share",
                allowed=limits.max_update_share,
                found=count,
                of=linked,
                entity=entity,
                side=side,
            )


def _tags(plan: Plan, facts: Facts, limits: Limits) -> Iterator[Breach]:
    linked = facts.links.get(Entity.TAG.record, 0)
    for side in Side:
        added, removed = (plan.count(Entity.TAG, kind, side=side) for kind in _TAGGING)
        count = _tagged(plan, facts, side)
        if linked >= limits.small and count > linked * limits.max_update_share:
            yield Breach(
                "updates",
                f"the tags of {count:,} contacts would be changed in {side.label}, "
                f"where {linked:,} are linked (added to {added:,}, removed from {removed:,}); "
                f"the limit is {limits.max_update_share:.0%} (max_update_share)",
                f"changes the tags of {count:,} contacts, which may start workflows; "
                "check first that a mapping or a bulk edit did not go wrong",
                setting="max_update_share",
                allowed=limits.max_update_share,
                found=count,
                of=linked,
                entity=Entity.TAG,
                side=side,
            )


def _opt_ins(plan: Plan, limits: Limits) -> Iterator[Breach]:
    entity = Entity.TAG.record
    for side in Side:
        groups = (group for group in plan.groups if group.side is side)
        count = sum(group.opt_ins for group in groups)
        if count > limits.max_opt_ins:
            yield Breach(
                "opt-ins",
                f"{count:,} {entity.plural} that say no in {side.label}, or nothing, "
                "would be opted "
                f"in; the limit is {limits.max_opt_ins} (max_opt_ins)",
                f"has {count:,} people written to who had not said yes in {side.label}; a column "
                "that is read the wrong way round looks just like this",
                setting="max_opt_ins",
                allowed=limits.max_opt_ins,
                found=count,
                entity=entity,
                side=side,
            )


def _tagged(plan: Plan, facts: Facts, side: Side) -> int:
    """How many contacts have their tags changed on a side: one that gains and loses some is one."""
    writes = plan.count(Entity.TAG, *_TAGGING, side=side)
    # Each write counts as another contact where more is not known, up to all that are linked.
    record = Entity.TAG.record
    if facts.tagged is None:
        linked = facts.links.get(record, 0) + plan.count(record, OpKind.ADOPT)
        return min(writes, linked)
    return min(writes, facts.tagged.get(side, 0))


def _creates(plan: Plan, facts: Facts, limits: Limits, entity: Entity) -> Iterator[Breach]:
    linked = facts.links[entity]
    for side in Side:
        count = plan.count(entity, OpKind.CREATE, side=side)
        if linked < limits.small and count > limits.max_first_creates:
            # With few links, or none, a share says nothing: what is matched may be all wrong.
            run, where = "first run", ""
            if linked:
                run, where = "run", f", where {linked:,} are linked"
            begun = ", each of which may start workflows" if side is Side.GHL else ""
            yield Breach(
                "first-creates",
                f"this {run} would create {count:,} {entity.plural} in {side.label}{where}; "
                f"the limit is {limits.max_first_creates:,} (max_first_creates)",
                f"creates {count:,} {entity.plural} in {side.label}{begun}; "
                "look at the plan's matches first",
                setting="max_first_creates",
                allowed=limits.max_first_creates,
                found=count,
                entity=entity,
                side=side,
            )
        elif linked >= limits.small and count > linked * limits.max_create_share:
            yield Breach(
                "creates",
                f"{count:,} {entity.plural} would be created in {side.label}, where {linked:,} "
                f"are linked; the limit is {limits.max_create_share:.0%} (max_create_share)",
                f"creates {count:,} {entity.plural} in {side.label}; a lost key "
                "column or a second import looks just like this",
                setting="max_create_share",
                allowed=limits.max_create_share,
                found=count,
                of=linked,
                entity=entity,
                side=side,
            )
