"""Writes gathered by file.

Changed in memory, proven to read back, and put in place of the old file in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from connectors.files.changes import Change, next_key
from connectors.files.layout import Layout
from connectors.files.library import Library
from connectors.files.parts import BrokenFileError, Part, State, UnfitError
from connectors.files.shelf import Shelf, Volume, sheet_of
from connectors.files.storage import BusyError, File, MovedError, Storage
from reconcile.model import Entity, Status
from reconcile.ports import Reply, Write

_TRIES = 3
Told = tuple[Write, Reply, Volume | None]


@dataclass(slots=True)
class Writer:
    """Writes to the files of a Library.

    `saved` are the files of which this connector has made a backup.
    """

    library: Library
    clock: Callable[[], str]
    unique: Callable[[], str]
    saved: set[str] = field(default_factory=set)

    def write(self, writes: Sequence[Write]) -> Iterator[Reply]:
        """One Reply a Write; those of a file come once it is in place."""
        for entity in dict.fromkeys(write.entity for write in writes):
            mine = [write for write in writes if write.entity is entity]
            if entity not in self.library.settings.entities:
                yield from (
                    _reply(
                        w,
                        Status.REJECTED,
                        "UNSUPPORTED",
                        f"no file is declared for {entity.plural}",
                    )
                    for w in mine
                )
                continue
            yield from self._entity(entity, mine)

    def _entity(self, entity: Entity, writes: Sequence[Write]) -> Iterator[Reply]:
        """What another program's write came before is done again on the file as it is then."""
        for _ in range(_TRIES):
            left: list[Write] = []
            try:
                replies = self._locked(entity, writes, left)
            except BusyError as error:
                replies = [_reply(write, Status.SKIPPED, "LOCKED", str(error)) for write in writes]
            except (BrokenFileError, OSError) as error:
                replies = [
                    _reply(write, Status.SKIPPED, "UNREADABLE", _why(error)) for write in writes
                ]
            yield from replies
            if not left:
                return
            writes = left
        yield from (
            _reply(w, Status.SKIPPED, "LOCKED", "the file keeps being changed by another program")
            for w in writes
        )

    def _locked(self, entity: Entity, writes: Sequence[Write], left: list[Write]) -> list[Reply]:
        storage, names = self.library.place(entity)
        with ExitStack() as locks:
            for name in names:
                locks.enter_context(storage.locked(name, self.library.settings.lock_seconds))
            return self._once(entity, storage, writes, left)

    def _once(
        self, entity: Entity, storage: Storage, writes: Sequence[Write], left: list[Write]
    ) -> list[Reply]:
        shelf = self.library.shelf(entity)
        outcomes = [(write, *self._change(shelf, storage, write)) for write in writes]
        replies = [reply for _, reply, volume in outcomes if volume is None]
        for volume in list(shelf.volumes):
            mine = [one for one in outcomes if one[2] is volume]
            try:
                if volume.is_dirty:
                    self._commit(shelf, storage, volume)
            except MovedError:
                self.library.forget(entity)
                left += [write for write, _, _ in mine]
                continue
            except (BrokenFileError, OSError) as error:
                self.library.forget(entity)
                replies += [
                    _reply(write, Status.SKIPPED, "UNWRITABLE", _why(error)) for write, _, _ in mine
                ]
                continue
            replies += [_with_record(shelf, reply) for _, reply, _ in mine]
        return replies

    def _change(self, shelf: Shelf, storage: Storage, write: Write) -> tuple[Reply, Volume | None]:
        def new_key(shelf: Shelf) -> str:
            name, own = shelf.volumes[-1].name, shelf.layout.settings
            if own.new_key == "none":
                raise UnfitError(f"a new row needs a value for {own.keys[0]}, its key")
            key = next_key(shelf, own.new_key, mark=storage.highest(name), unique=self.unique)
            if key.isdecimal() and any(
                part.why for volume in shelf.volumes for part in volume.parts
            ):
                raise UnfitError(
                    "the next number is not known while rows of the file cannot be "
                    "read: correct them first"
                )
            return key

        return Change(shelf, write, self.clock(), new_key).carry_out()

    def _commit(self, shelf: Shelf, storage: Storage, volume: Volume) -> None:
        """Write one file and take in what it holds then.

        Raises MovedError, BrokenFileError or OSError: it is as it was.
        """
        settings = self.library.settings
        content = volume.sheet.dump(volume.parts)
        fresh = proven(settings.format, shelf.layout, volume, content)
        if volume.name not in self.saved:
            storage.keep(volume.name, volume.file.content, settings.backups)
            self.saved.add(volume.name)
        keys = [shelf.layout.key_of(part.values) for part in volume.parts if part.values]
        storage.highest(
            volume.name,
            max((int(key) for key in keys if key.isdecimal() and len(key) < 19), default=0),
        )
        storage.replace(volume.name, content, volume.file.stamp)
        fresh.file = File(content, storage.stamp(volume.name))
        shelf.volumes[shelf.volumes.index(volume)] = fresh
        shelf.load()


def proven(form: str, layout: Layout, volume: Volume, content: bytes) -> Volume:
    """The new content, read as any reader would.

    Raises BrokenFileError where it holds anything but what was meant.
    """
    sheet = sheet_of(form, content, volume.label, layout.settings)  # type: ignore[arg-type]
    parts = list(sheet.parts())
    meant = [
        part for part in volume.parts if part.values is not None and part.state is not State.GONE
    ]
    actual = [part for part in parts if part.values is not None]
    spoilt = len([part for part in parts if part.why]) != len(
        [part for part in volume.parts if part.why]
    )
    if (
        spoilt
        or len(meant) != len(actual)
        or not all(map(_is_same, meant, actual, [layout] * len(actual)))
    ):
        raise BrokenFileError(
            (
                f"{volume.label} would not read back what was to be written to "
                "it; it was left as it is"
            ),
            "correct the rows that cannot be read, then run again",
        )
    return Volume(volume.name, volume.file, sheet, volume.word, parts)


def _is_same(meant: Part, actual: Part, layout: Layout) -> bool:
    if meant.state is State.KEPT:
        return meant.values == actual.values
    return layout.key_of(meant.values or {}) == layout.key_of(actual.values or {})


def _with_record(shelf: Shelf, reply: Reply) -> Reply:
    """A reply that is done, with the row as the file now holds it; without one after a delete."""
    entry = shelf.find(reply.key or "") if reply.status is Status.DONE else None
    if entry is None:
        return reply
    record = shelf.layout.record(entry[1].values or {})
    if record.deleted:
        return reply
    return replace(reply, record=record)


def _why(error: BrokenFileError | OSError) -> str:
    if isinstance(error, BrokenFileError):
        return str(error)
    return f"the file cannot be locked or written ({error.strerror or type(error).__name__})"


def _reply(write: Write, status: Status, code: str, detail: str) -> Reply:
    return Reply(write.op_id, status, key=write.key, code=code, detail=detail)
