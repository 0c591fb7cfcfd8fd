"""Finds and opens the files of each entity.

It keeps them open for as long as nobody changes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from connectors.files.layout import TAGS, Layout
from connectors.files.parts import BrokenFileError
from connectors.files.settings import SUFFIXES, FilesSettings
from connectors.files.shelf import Shelf, Volume, sheet_of
from connectors.files.storage import Storage, bare, storage_of
from reconcile.errors import Problem
from reconcile.model import Entity


@dataclass(slots=True)
class Library:
    """The files of one FilesConnector.

    Methods raise BrokenFileError where a file cannot be used.
    """

    settings: FilesSettings
    sleep: Callable[[float], None] = time.sleep
    reads: int = 0
    _shelves: dict[Entity, Shelf] = field(default_factory=dict)

    def place(self, entity: Entity) -> tuple[Storage, list[str]]:
        """Where an entity's files lie, and their names."""
        own = self.settings
        storage, path = storage_of(own.entities[entity].path, own.folder, self.sleep)
        return storage, storage.find(path, SUFFIXES[own.format])

    def identity(self) -> str:
        """What names these files and no others."""
        return f"{self.settings.format}:{';'.join(self.places().values())}"

    def places(self) -> dict[Entity, str]:
        """Where the files of each entity lie, without user and password."""
        own = self.settings
        places = {}
        for entity, file in own.entities.items():
            _, path = storage_of(file.path, own.folder, self.sleep)
            if "://" in path:
                places[entity] = bare(path)
            else:
                places[entity] = str(Path(path).resolve())
        return places

    def open(self, entity: Entity) -> list[Volume]:
        """Every file of an entity, read whole and checked for the declared columns."""
        storage, names = self.place(entity)
        return [self._volume(entity, storage, name) for name in names]

    def problems(self, entity: Entity) -> list[Problem]:
        """All that is wrong with an entity's files."""
        try:
            storage, names = self.place(entity)
        except BrokenFileError as error:
            return [Problem(f"app.{entity}", error.what, error.remedy)]
        problems = []
        for name in names:
            try:
                self._volume(entity, storage, name)
            except BrokenFileError as error:
                problems.append(Problem(f"app.{entity}", error.what, error.remedy))
        return problems

    def layout(self, entity: Entity) -> Layout:
        """What the columns mean; where no mapping names any, those of the files are the fields."""
        own = self.settings
        names = own.fields.get(entity) or self._fields_of(entity)
        tags = own.entities[entity].tags
        hidden = {TAGS, tags} if tags else set()
        return Layout(
            entity,
            own.entities[entity],
            tuple(n for n in names if n not in hidden),
            ZoneInfo(own.timezone),
        )

    def shelf(self, entity: Entity) -> Shelf:
        """The entity's files with every row in memory.

        They are read again only where one of them changed.
        """
        storage, names = self.place(entity)
        shelf = self._shelves.get(entity)
        if shelf is not None and [volume.name for volume in shelf.volumes] == names:
            try:
                if all(storage.stamp(volume.name) == volume.file.stamp for volume in shelf.volumes):
                    return shelf
            except OSError as error:
                raise _unreadable(names[0], error) from None
        shelf = Shelf(self.layout(entity), [self._volume(entity, storage, name) for name in names])
        shelf.load()
        self._shelves[entity] = shelf
        return shelf

    def forget(self, entity: Entity) -> None:
        """Read the entity's files anew the next time."""
        self._shelves.pop(entity, None)

    def _volume(self, entity: Entity, storage: Storage, name: str) -> Volume:
        own = self.settings
        settings = own.entities[entity]
        self.reads += 1
        try:
            file = storage.fetch(name)
        except OSError as error:
            raise _unreadable(name, error) from None
        word = "line" if own.format in ("csv", "jsonl") else "row"
        label = name.rpartition("/")[2]
        sheet = sheet_of(own.format, file.content, label, settings, young=file.young)
        volume = Volume(name, file, sheet, word)
        fields = list(own.fields.get(entity, ()))
        if settings.tags and TAGS in fields:  # which column they are in, the settings say
            fields.remove(TAGS)
        bare = Layout(entity, settings, (), ZoneInfo(own.timezone))
        volume.check(bare, fields)
        return volume

    def _fields_of(self, entity: Entity) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for volume in self.open(entity):
            columns = volume.sheet.columns
            if columns is None:
                columns = tuple(name for part in volume.sheet.parts() for name in part.values or ())
            names.update(dict.fromkeys(columns))
        return tuple(names)


def _unreadable(name: str, error: OSError) -> BrokenFileError:
    what = f"{name.rpartition('/')[2]} cannot be read ({error.strerror or type(error).__name__})"
    return BrokenFileError(what, "check that it is there and may be read")
