"""What people and machines do that nobody thought of: restored backups, merges, swaps, keys given to another, refused values.

Each value that somebody types is a text of its own, numbered in the order of typing, so that the machine can tell of every
write whether it puts a newer value in place of an older one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from connectors.memory import Crash, Killed, Vices
from flows.outcome.tell import exit_code
from flows.review.deciding import answer
from flows.steps import steps
from reconcile.apply.apply import chunks
from reconcile.errors import Refused, StateError
from reconcile.model import Entity, Operation, OpKind, Side
from reconcile.ports import FieldInfo, Write
from reconcile.report.document import document
from reconcile.stage import archive
from reconcile.values.codecs import Email
from reconcile.values.mapping import Mapping
from tests.builders import World as Sides
from tests.builders import contacts, field_of, mapping_of, notes, small_stage, tasks
from tests.builders_world import about_of
from tests.properties.profiles import profile
from tests.properties.simulation import KINDS
from tests.reconcile.report.test_values import broken, differing

SIDES = st.sampled_from(list(Side))
PICK = st.integers(0, 30)
FIELD = st.sampled_from(["first_name", "company"])
CHILD = st.sampled_from([Entity.TASK, Entity.NOTE])
UNREADABLE = st.sampled_from(["call reception, ask for 12", "+1 888 555 12 12 or 13", "??"])
ALLOWED = ("empty-app", "empty-ghl")

_GHL = Vices(lowercase_tags=True, e164=True, unique=("email",), strict=True)


def _refuse(write: Write) -> str | None:
    return "INVALID_FIELD" if write.fields.get("company") else None


def _pair_file(without: str | None = None) -> Mapping:
    """The usual mapping, in which a contact is known by its other addresses, too; a field may be left out of it."""
    email = field_of("email", Email(), also=dict.fromkeys(Side, ("more_emails",)))
    usual = [email if each.name == "email" else each for each in contacts().fields]
    return mapping_of(contacts(*(each for each in usual if each.name != without)), tasks(), notes())


class Habits(RuleBasedStateMachine):
    """People and machines do as they do; after each run the oracle looks at what was written, deleted, doubled and said."""

    @initialize(strict=st.booleans())
    def begin(self, strict: bool) -> None:
        vices = {
            Side.GHL: _GHL,
            Side.APP: Vices(unique=("email",), strict=True) if strict else Vices(),
        }
        limits = {"max_first_creates": 9999, "max_deletes": 9999}
        self.sides = Sides(vices=vices, limits=limits, mapping=_pair_file())
        for each in self.sides.sides.values():
            each._fields[Entity.CONTACT]["more_emails"] = FieldInfo("json")
        self.number = 0
        self.backups: dict[Side, Any] = {}
        self.deleted: set[str] = set()
        """Markers of people, tasks and notes that somebody deleted or merged away."""

        self.entered: Counter[tuple[Side, str]] = Counter()
        self.merged: dict[str, str] = {}
        """Contacts that were merged away in GHL, with the email that they had."""
        self.seen_merged: set[str] = set()
        """Those of them that a run saw among another contact's emails, while the app had the email still."""

    def teardown(self) -> None:
        self.sides.close()

    # what people do ---------------------------------------------------------------------------------------------

    def fresh(self) -> str:
        """A text that nobody has typed yet; later ones are greater."""
        self.number += 1
        return f"T{self.number:06d}"

    def key(self, side: Side, entity: Entity, pick: int) -> str | None:
        keys = sorted(self.sides.sides[side].rows(entity))
        return keys[pick % len(keys)] if keys else None

    def edit(self, side: Side, entity: Entity, pick: int, fields: dict[str, Any]) -> None:
        key = self.key(side, entity, pick)
        if key is not None:
            self.sides.sides[side].edit(entity, key, fields)

    @rule(side=SIDES, field=FIELD)
    def add(self, side: Side, field: str) -> None:
        self._enter(side, field, key=None)

    def _enter(self, side: Side, field: str, key: str | None) -> None:
        marker = self.fresh()
        fields = {"last_name": marker, "email": f"{marker}@x.com".lower(), field: self.fresh()}
        fields["phone"] = f"+1415{2_000_000 + self.number}"
        self.sides.sides[side].put(Entity.CONTACT, fields, key=key)
        self.entered[side, marker] += 1

    @rule(side=SIDES, pick=PICK, field=FIELD)
    def edit_contact(self, side: Side, pick: int, field: str) -> None:
        self.edit(side, Entity.CONTACT, pick, {field: self.fresh()})

    @rule(side=SIDES, pick=PICK)
    def correct_the_address(self, side: Side, pick: int) -> None:
        """Who knows only the former address does not know the record any more."""
        self.edit(side, Entity.CONTACT, pick, {"email": f"{self.fresh()}@x.com".lower()})

    @rule(side=SIDES, pick=PICK, entity=CHILD)
    def add_child(self, side: Side, pick: int, entity: Entity) -> None:
        parent = self.key(side, Entity.CONTACT, pick)
        if parent is not None:
            text = "title" if entity is Entity.TASK else "body"
            self.sides.sides[side].put(entity, {text: self.fresh()}, parent=parent)

    @rule(side=SIDES, pick=PICK, entity=CHILD)
    def edit_child(self, side: Side, pick: int, entity: Entity) -> None:
        self.edit(side, entity, pick, {"title" if entity is Entity.TASK else "body": self.fresh()})

    @rule(side=SIDES, pick=PICK, entity=st.sampled_from(KINDS))
    def delete(self, side: Side, pick: int, entity: Entity) -> None:
        key = self.key(side, entity, pick)
        if key is not None:
            self._leave(side, entity, key)
            self.sides.sides[side].delete(entity, key)

    def _leave(self, side: Side, entity: Entity, key: str) -> None:
        """Note that a record goes, with what hangs on it."""
        self.deleted.add(f"{side} {entity} {key}")
        for child in (Entity.TASK, Entity.NOTE) if entity is Entity.CONTACT else ():
            for other, row in self.sides.sides[side].rows(child).items():
                if row.parent == key:
                    self.deleted.add(f"{side} {child} {other}")

    @rule(side=SIDES, one=PICK, two=PICK)
    def swap_addresses(self, side: Side, one: int, two: int) -> None:
        """Two people's addresses had been confused, and somebody puts that right."""
        first, second = self.key(side, Entity.CONTACT, one), self.key(side, Entity.CONTACT, two)
        if first is None or second is None or first == second:
            return
        rows = self.sides.sides[side].rows(Entity.CONTACT)
        emails = rows[first].fields.get("email"), rows[second].fields.get("email")
        self.sides.sides[side].edit(Entity.CONTACT, first, {"email": emails[1]})
        self.sides.sides[side].edit(Entity.CONTACT, second, {"email": emails[0]})

    @rule(side=SIDES, pick=PICK, text=UNREADABLE)
    def type_what_no_codec_reads(self, side: Side, pick: int, text: str) -> None:
        self.edit(side, Entity.CONTACT, pick, {"phone": text})

    @rule(master=PICK, loser=PICK)
    def merge(self, master: int, loser: int) -> None:
        first, second = (
            self.key(Side.GHL, Entity.CONTACT, master),
            self.key(Side.GHL, Entity.CONTACT, loser),
        )
        if first is not None and second is not None and first != second:
            self.deleted.add(f"{Side.GHL} {Entity.CONTACT} {second}")
            email = self.sides.ghl.rows(Entity.CONTACT)[second].fields.get("email")
            self.merged[second] = str(email or "")
            self.sides.ghl.merge(first, second)

    @rule(pick=PICK)
    def forget_the_other_addresses(self, pick: int) -> None:
        """Somebody takes out of a contact what showed that another one was merged into it."""
        self.edit(Side.GHL, Entity.CONTACT, pick, {"more_emails": []})

    @rule(field=st.sampled_from(["first_name", "company", None]))
    def change_the_pair_file(self, field: str | None) -> None:
        """From now on a field is mapped no more, or every one is again."""
        self.sides.mapping = _pair_file(without=field)

    @rule(pick=PICK, field=FIELD)
    def give_the_key_to_another(self, pick: int, field: str) -> None:
        """The app's person is deleted, and the next one gets its key, as SQLite does it."""
        key = self.key(Side.APP, Entity.CONTACT, pick)
        if key is not None:
            self._leave(Side.APP, Entity.CONTACT, key)
            self.sides.app.delete(Entity.CONTACT, key)
            self._enter(Side.APP, field, key=key)

    @rule(side=SIDES)
    def back_up(self, side: Side) -> None:
        self.backups[side] = self.sides.sides[side].backup()

    @rule(side=SIDES)
    def restore(self, side: Side) -> None:
        """Yesterday's backup is put back: rows have the times that they had."""
        if side in self.backups:
            self.sides.sides[side].restore(self.backups[side])

    # what machines do -------------------------------------------------------------------------------------------

    @rule(side=SIDES, on=st.booleans())
    def refuse_a_field(self, side: Side, on: bool) -> None:
        self.sides.set_vices(side, rejects=_refuse if on else lambda write: None)

    @rule(side=SIDES, on=st.booleans())
    def drop_a_field(self, side: Side, on: bool) -> None:
        self.sides.set_vices(side, drops=frozenset({"company"}) if on else frozenset())

    @rule(budget=st.sampled_from([None, 1]))
    def read_few_notes(self, budget: int | None) -> None:
        self.sides.notes_budget = budget

    @rule(side=SIDES, at=st.integers(1, 5), when=st.sampled_from(["before", "after"]))
    def kill(self, side: Side, at: int, when: Any) -> None:
        connector = self.sides.sides[side]
        self.sides.set_vices(side, crash=Crash(connector.carried_out + at, when))
        try:
            self._night()
        except Killed:
            self.sides.reopen()
        finally:
            self.sides.set_vices(side, crash=None)

    @rule(pick=PICK, option=PICK)
    def answer(self, pick: int, option: int) -> None:
        """A person answers an open question."""
        bodies = [(row.hold_id, json.loads(row.body)) for row in self.sides.ledger.holds()]
        asked = [(hold_id, body["options"]) for hold_id, body in bodies if body.get("options")]
        if not asked:
            return
        hold_id, options = asked[pick % len(asked)]
        choice = options[option % len(options)]
        with suppress(StateError):  # where another answer names the same record
            answer(self.sides.ledger, hold_id, choice, by="Ada", at=self.sides.clock())

    @rule(side=SIDES, pick=PICK, field=FIELD)
    def edit_between_plan_and_apply(self, side: Side, pick: int, field: str) -> None:
        self._night(between=lambda: self.edit_contact.__wrapped__(self, side, pick, field))  # type: ignore[attr-defined]

    @rule()
    def run(self) -> None:
        self._night()

    @rule(side=SIDES)
    def bring_back(self, side: Side) -> None:
        """Somebody says of all that went back that the other side is right."""
        self._night(allowed=(f"restore-{side}",))

    # the oracle -------------------------------------------------------------------------------------------------

    def _night(
        self, between: Callable[[], None] | None = None, allowed: tuple[str, ...] = ()
    ) -> None:
        """One run, judged: what it wrote, deleted and doubled, and what it said."""
        self.sides.clock.advance(3_600)
        with small_stage(self.sides.folder / "runs" / f"n{self.fresh()}") as stage:
            run = self.sides.open(stage, allowed=[*ALLOWED, *allowed])
            plan = self.sides.look(run)
            operations = list(steps.operations(run))
            try:
                steps.check(run, plan)
            except Refused:
                return
            shown = self._shown_merges()
            if between is not None:
                between()
            steps.begin_apply(run)
            for chunk in chunks(operations, 3):
                steps.apply(run, chunk)
            steps.settle_run(run)
            self.seen_merged |= shown
            steps.read_back(run)
            archive.load_outcomes(stage, run.journal)
            whole = document(stage, run.mapping, about_of(run))
        self._judge_words(whole)
        if between is None:
            assert (
                differing(self.sides, whole) == []
            )  # the night after one sees what was typed since
        for operation in operations:
            self._judge(operation)
        self._judge_doubles()

    def _judge(self, operation: Operation) -> None:
        asked = "decided by" in operation.because
        if operation.kind is OpKind.UPDATE and not asked:
            for name, value in operation.after.items():
                before = operation.before.get(name)
                if _typed(before) and name != "last_name":
                    assert _typed(value), f"a typed value goes for none: {operation}"
                    assert str(value) > str(before), (
                        f"an older value goes for a newer one: {operation}"
                    )
        if operation.kind in (OpKind.DELETE, OpKind.ARCHIVE) and not asked:
            end = f"{operation.side.other} {operation.entity} {operation.source_key}"
            assert end in self.deleted, f"deleted by nobody: {operation}"
            merged = operation.side is Side.APP and operation.source_key in self.seen_merged
            assert not merged, f"a merge was taken for a deletion: {operation}"

    def _shown_merges(self) -> set[str]:
        """The merged contacts whose merge shows now: another contact carries the email that the app knows them by."""
        app, links = self.sides.cells(Side.APP), self.sides.links()
        known = {ghl: app[key].get("email") for key, ghl in links.items() if key in app}
        carried = {
            email
            for row in self.sides.ghl.rows(Entity.CONTACT).values()
            for email in cast("list[str]", row.fields.get("more_emails") or [])
        }
        return {
            key
            for key, email in self.merged.items()
            if email and email in carried and known.get(key) == email
        }

    def _judge_doubles(self) -> None:
        for side in Side:
            rows = self.sides.cells(side).values()
            counted = Counter(str(cells["last_name"]) for cells in rows if cells.get("last_name"))
            assert not {marker for marker, many in counted.items() if many > 1}, (side, counted)
            for entity, text in ((Entity.TASK, "title"), (Entity.NOTE, "body")):
                children = self.sides.cells(side, entity).values()
                twice = Counter(str(cells[text]) for cells in children if cells.get(text))
                assert not {word for word, many in twice.items() if many > 1}, (side, twice)

    def _judge_words(self, whole: dict[str, Any]) -> None:
        assert broken(whole) == []
        if exit_code("settled", whole) == 0:
            assert whole["values"]["agree"]
            assert not whole["holds"]


def _typed(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("T0")


TestHabits = Habits.TestCase
TestHabits.settings = profile(ci=(4, 14), soak=(2_000, 40))
