"""One write against rows in memory: compare with what was expected, change, or say why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from connectors.files.layout import TAGS, Layout
from connectors.files.parts import Part, State, UnfitError, same, text_of, unix
from connectors.files.shelf import Shelf, Volume
from reconcile.model import OpKind, Status
from reconcile.ports import Json, Record, Reply, Write, looked_at


@dataclass(frozen=True, slots=True)
class Change:
    """One Write on a shelf.

    `now` is the instant for modified_at, `new_key` makes the key of a new row.

    `carry_out` gives the reply and the file that it depends on; a reply that is done gets its
    record once that file is written. Nothing is changed where the reply is not done.
    """

    shelf: Shelf
    write: Write
    now: str
    new_key: Callable[[Shelf], str]

    @property
    def layout(self) -> Layout:
        """The entity's columns."""
        return self.shelf.layout

    def carry_out(self) -> tuple[Reply, Volume | None]:
        """Do what the write says, in memory."""
        try:
            if self.write.key is not None and self.write.key in self.shelf.doubles:
                return self._reply(
                    Status.REJECTED, "DOUBLE_KEY", "its key stands more than once in the files"
                ), None
            return self._one()
        except UnfitError as error:
            return self._reply(Status.REJECTED, "INVALID_FIELD", str(error)), None

    def _one(self) -> tuple[Reply, Volume | None]:
        if not self.layout.settings.keys:
            raise UnfitError("the file has no key, so it is read and never written")
        ready = looked_at(self.write, self._seen)
        if isinstance(ready, Reply):
            return ready, None
        if ready is not self.write:
            return replace(self, write=ready)._one()
        match self.write.kind:
            case OpKind.CREATE:
                return self._create()
            case OpKind.UPDATE | OpKind.COMPLETE:
                return self._existing(self._update)
            case OpKind.ADD_TAGS | OpKind.REMOVE_TAGS:
                return self._existing(self._change_tags)
            case OpKind.DELETE | OpKind.ARCHIVE:
                return self._delete()
            case OpKind.ADOPT | OpKind.FORGET:
                return self._reply(
                    Status.REJECTED, "UNSUPPORTED", f"{self.write.kind} is not a write to a side"
                ), None
            case _:
                assert_never(self.write.kind)

    # What each kind does.

    def _create(self) -> tuple[Reply, Volume | None]:
        own, volume = self.layout.settings, self.shelf.volumes[-1]
        if volume.sheet.fixed:
            raise UnfitError(f"a new row cannot be written: {volume.sheet.fixed}")
        part = Part(0, None, {}, state=State.NEW)
        fields = {name: value for name, value in self.write.fields.items() if value is not None}
        if own.parent and self.write.parent is not None:
            fields[own.parent] = self.write.parent
        if self.write.tags and TAGS not in fields:
            fields[TAGS] = list(self.write.tags)
        values = {**self._named(fields), **self._fitted(volume, part, fields)}
        key = self.layout.key_of(values)
        if not key:
            raise UnfitError(f"a new row needs a value for {' or '.join(own.keys)}, its key")
        if key in self.shelf.index:
            reply = Reply(
                self.write.op_id,
                Status.REJECTED,
                key=key,
                code="DUPLICATE",
                detail="its key is taken",
            )
            return reply, None
        for name, value in {**values, **self._stamps(volume, part, values)}.items():
            part.put(name, value)
        volume.add(part)
        self.shelf.index[key] = (volume, part)
        return Reply(self.write.op_id, Status.DONE, key=key), volume

    def _named(self, fields: Mapping[str, Json]) -> dict[str, Json]:
        """The key of a new row by its column.

        It is for one column alone that holds the key, where no field says it.
        """
        keys = self.layout.settings.keys
        if len(keys) != 1:
            return {}
        named = self.write.key or text_of(fields.get(keys[0])).strip()
        return {keys[0]: named or self.new_key(self.shelf)}

    def _update(self, volume: Volume, part: Part) -> tuple[Reply, Volume | None]:
        fitted = self._fitted(volume, part, self.write.fields)
        current = part.values or {}
        moved = {
            name: value for name, value in fitted.items() if not same(current.get(name), value)
        }
        if not moved:
            return self._reply(Status.DONE), volume
        if set(self.layout.settings.keys) & set(moved):
            return self._reply(
                Status.REJECTED, "INVALID_FIELD", "the key of a row cannot be changed"
            ), None
        if stale := self._stale(current):
            return stale, None
        return self._put(volume, part, moved)

    def _change_tags(self, volume: Volume, part: Part) -> tuple[Reply, Volume | None]:
        column = self.layout.settings.tags
        if column is None:
            return self._reply(
                Status.REJECTED, "UNSUPPORTED", "no column of tags is declared"
            ), None
        before = self.layout.tags_of(part.values or {})
        known = {tag.lower() for tag in before}
        named = {tag.lower() for tag in self.write.tags}
        if self.write.kind is OpKind.ADD_TAGS:
            after = [*before, *(tag for tag in self.write.tags if tag.lower() not in known)]
        else:
            after = [tag for tag in before if tag.lower() not in named]
        if after == before:
            return self._reply(Status.DONE), volume
        return self._put(volume, part, self._fitted(volume, part, {TAGS: list(after)}))

    def _delete(self) -> tuple[Reply, Volume | None]:
        column = self.layout.settings.deleted
        if column is None and self.write.kind is OpKind.ARCHIVE:
            return self._reply(
                Status.REJECTED, "NO_ARCHIVE", "no soft-delete column is declared"
            ), None
        entry = self.shelf.find(self.write.key or "")
        if entry is None or self.layout.is_deleted(entry[1].values or {}):
            return self._reply(Status.DONE), None
        volume, part = entry
        if stale := self._stale(part.values or {}):
            return stale, None
        if column is not None:
            mark = volume.sheet.fit(column, self._mark(volume, column), part)
            return self._put(volume, part, {column: mark})
        if volume.sheet.fixed:
            raise UnfitError(f"the row cannot be taken out: {volume.sheet.fixed}")
        part.state = State.GONE
        del self.shelf.index[self.write.key or ""]
        return self._reply(Status.DONE), volume

    # What they are made of.

    def _seen(self) -> Record | None:
        """The row as it is in the file, which stays locked until the change is in place."""
        entry = self.shelf.find(self.write.key or "")
        if entry is None:
            return None
        return self.layout.record(entry[1].values or {})

    def _existing(
        self, work: Callable[[Volume, Part], tuple[Reply, Volume | None]]
    ) -> tuple[Reply, Volume | None]:
        entry = self.shelf.find(self.write.key or "")
        if entry is None or self.layout.is_deleted(entry[1].values or {}):
            return self._reply(Status.STALE, "NOT_FOUND", "the record is gone"), None
        return work(*entry)

    def _put(self, volume: Volume, part: Part, moved: Mapping[str, Json]) -> tuple[Reply, Volume]:
        for name, value in {**moved, **self._stamps(volume, part, moved)}.items():
            part.put(name, value)
        return self._reply(Status.DONE), volume

    def _fitted(self, volume: Volume, part: Part, fields: Mapping[str, Json]) -> dict[str, Json]:
        """Values by column as the file can hold them.

        Raises UnfitError for a column that is not there, or a value.
        """
        fitted: dict[str, Json] = {}
        for name, value in fields.items():
            column, view = self.layout.part(name)
            if view == "1:":
                raise UnfitError(f"{name}: further values are not written")
            if column in self.layout.settings.lists:
                value = self._list_cell(volume, part, column, value, first=bool(view))
            if name == TAGS and self.layout.settings.tags is not None:
                column, value = self.layout.settings.tags, self._tag_cell(volume, part, value)
            if volume.sheet.columns is not None and column not in volume.sheet.columns:
                raise UnfitError(f"{name}: {volume.label} has no such column")
            try:
                fitted[column] = volume.sheet.fit(
                    column, value, part if part.state is not State.NEW else None
                )
            except UnfitError as error:
                raise UnfitError(f"{name}: {error}") from None
        return fitted

    def _list_cell(
        self, volume: Volume, part: Part, column: str, value: Json, *, first: bool
    ) -> Json:
        """A cell of several values with all of them changed, or the first alone."""
        row = part.values or {}
        before = self.layout.words_of(row, column)
        items = value if isinstance(value, list) else [value]
        words = [text_of(item) for item in items]
        if first:
            words += before[1:]
        after = list(dict.fromkeys(words))
        if "" in after:
            after.remove("")
        unchanged = after == before if first else set(after) == set(before)
        if unchanged:
            return row.get(column)
        listed = volume.sheet.lists(column)
        return self.layout.stored_words(after, column, listed=listed)

    def _tag_cell(self, volume: Volume, part: Part, value: Json) -> Json:
        column = str(self.layout.settings.tags)
        tags = (
            [text_of(tag) for tag in value]
            if isinstance(value, list)
            else text_of(value).split(",")
        )
        before = (part.values or {}).get(column)
        if set(tags) == set(self.layout.tags_of(part.values or {})):
            return before
        return self.layout.stored_tags(
            [tag for tag in tags if tag], part.values or {}, listed=volume.sheet.lists(column)
        )

    def _stale(self, row: Mapping[str, Json]) -> Reply | None:
        """The answer to a write whose expectation the row does not meet.

        What is as wanted already is not held against it.
        """
        version, fields = self.layout.version, self.write.fields
        shown = self.layout.record(row)
        moved: list[str] = []
        for name, value in self.write.expected.items():
            if name not in shown.fields:
                continue
            now = shown.fields[name]
            wanted = name in fields and same(now, fields[name])
            if not wanted and not same(now, value):
                moved.append(name)
        expected = self.write.version
        if version is not None and expected is not None and shown.version != expected:
            moved.append(version)
        if not moved:
            return None
        detail = f"changed since the plan was made: {', '.join(moved)}"
        return Reply(
            self.write.op_id,
            Status.STALE,
            record=shown,
            key=self.write.key,
            code="STALE",
            detail=detail,
        )

    def _stamps(self, volume: Volume, part: Part, values: Mapping[str, Json]) -> dict[str, Json]:
        """What a writer of this file is expected to set.

        The time of the change, and the next version.
        """
        own, row = self.layout.settings, part.values or {}
        stamps: dict[str, Json] = {}
        if own.modified_at is not None and own.modified_at not in values:
            like = row.get(own.modified_at) or self._example(volume, own.modified_at)
            stamp = self.layout.stamp(self.now, like)
            stamps[own.modified_at] = volume.sheet.fit(own.modified_at, stamp, None)
        if own.version in (None, own.modified_at) or own.version in values:
            return stamps
        version = self._next_version(text_of(row.get(own.version)))
        stamps[own.version] = volume.sheet.fit(own.version, version, None)
        return stamps

    def _next_version(self, before: str) -> Json:
        """A number counts on; where a version is no number, a moment is another one each time."""
        if not before:
            return 1
        if before.isdecimal():
            return int(before) + 1
        return self.now

    def _mark(self, volume: Volume, column: str) -> Json:
        """What says "deleted" in this column.

        A yes like the noes and yeses there, else the time.
        """
        words = {text_of((part.values or {}).get(column)).lower() for part in volume.parts}
        for yes, others in (("true", {"true", "false"}), ("1", {"0", "1"}), ("yes", {"yes", "no"})):
            if words & others:
                if yes == "true" and volume.sheet.columns is None:
                    return True
                return yes
        return self.now

    @staticmethod
    def _example(volume: Volume, column: str) -> Json:
        return next(
            (
                value
                for part in volume.parts
                if (value := (part.values or {}).get(column)) is not None
            ),
            None,
        )

    def _reply(self, status: Status, code: str = "", detail: str = "") -> Reply:
        return Reply(self.write.op_id, status, key=self.write.key, code=code, detail=detail)


def may_be(layout: Layout, values: Mapping[str, Json], write: Write) -> bool:
    """Whether a row may be what a create in doubt made.

    It has the same email, or all that was written under the same parent.
    """
    record = layout.record(values)
    wanted = {
        name: value
        for name, value in write.fields.items()
        if value not in (None, "") and name != TAGS
    }
    emails = [name for name in wanted if "mail" in name.lower() and layout.settings.parent is None]
    if any(
        text_of(record.fields.get(name)).lower() == text_of(wanted[name]).lower() for name in emails
    ):
        return True
    if write.parent is not None and layout.settings.parent and record.parent != write.parent:
        return False
    return bool(wanted) and all(
        _alike(layout.value(values, name), value) for name, value in wanted.items()
    )


def _alike(current: Json, wanted: Json) -> bool:
    return same(current, wanted) or unix(text_of(current)) == unix(
        text_of(wanted)
    )  # a workbook knows one line end


def next_key(shelf: Shelf, rule: str, *, mark: int, unique: Callable[[], str]) -> str:
    """The key of a new row: the next whole number after any there ever was, or a unique one."""
    keys = list(shelf.index)
    numbered = bool(keys) and all(key.isdecimal() for key in keys)
    if rule == "uuid" or (rule == "auto" and not numbered):
        return unique()
    # `mark` is the highest ever given: the key of a row that was deleted is not given again.
    numbers = [int(key) for key in keys if key.isdecimal()]
    return str(max([mark, *numbers]) + 1)
