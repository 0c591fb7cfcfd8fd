"""One record of an API as a line and as a Record.

Native members where they stood, and what has a meaning of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from connectors.marks import says_deleted
from connectors.rest.places import find, find_all, members, parse, text
from connectors.rest.settings import EndpointSettings
from reconcile.errors import InvalidField, Malformed
from reconcile.ports import FieldInfo, FieldType, Item, Path, Record, Shape

TAGS = "tags"
"""The native field under which a contact's tags are shown, wherever they lie."""

_PARENT, _MODIFIED, _DELETED, _TAGS = "#parent", "#modified_at", "#deleted", "#tags"
_MS_FROM = 100_000_000_000
"""Epoch numbers from here on are milliseconds: as seconds they would lie after the year 5000."""
_EPOCH = re.compile(r"(\d{9,10}|\d{13})(\.\d+)?")
"""Text that is an epoch number: more or fewer digits may be a date without its dashes."""


@dataclass(frozen=True, slots=True)
class Form:
    """One entity's places, parsed: `fields` by native name, without tags.

    `zone` is that of times which name none.

    `members` are the paths of list members that fields lie in; `named` tells how each names itself,
    once a record showed it, and `numbers` whether a number lies at a path. `merged` are the members
    that the API was seen to merge, `replaced` those that it was seen to replace, though it is
    declared to merge.
    """

    endpoint: EndpointSettings
    fields: Mapping[str, Path]
    key: Path
    parent: Path | None
    modified_at: Path | None
    version: Path | None
    deleted: Path | None
    tags: Path | None
    zone: tzinfo = UTC
    members: tuple[Path, ...] = ()
    named: dict[Path, Any] = field(default_factory=dict, repr=False, compare=False)
    numbers: dict[Path, bool] = field(default_factory=dict, repr=False, compare=False)
    merged: set[str] = field(default_factory=set, repr=False, compare=False)
    replaced: set[str] = field(default_factory=set, repr=False, compare=False)

    @property
    def shape(self) -> Shape:
        """Native fields where they lie.

        What is dated, marked or attached by us in members of its own.
        """
        fields: dict[str, tuple[Path, ...]] = {name: (path,) for name, path in self.fields.items()}
        if self.tags is not None:
            fields[TAGS] = ((_TAGS,),)
        by_path = "{parent}" in self.endpoint.path or self.parent is not None

        def place(member: str, declared: object) -> tuple[Path, ...]:
            return ((member,),) if declared else ()

        return Shape(
            key=(self.key,),
            fields=fields,
            parent=place(_PARENT, by_path),
            version=(self.version,) if self.version else (),
            modified_at=place(_MODIFIED, self.modified_at),
            deleted=place(_DELETED, self.deleted),
        )

    def key_of(self, item: Any) -> str:
        """The key of a record. Raises Malformed for one without."""
        key = find(item, self.key)
        if isinstance(key, str | int) and not isinstance(key, bool) and key != "":
            return str(key)
        raise Malformed(
            f'a record of {self.endpoint.path} has no key at "{self.endpoint.key}"',
            remedy='say in "key" where a record holds its key',
        )

    def line(self, item: dict[str, Any], parent: str | None) -> dict[str, Any]:
        """The record with the members that the shape refers to."""
        self.learn(item)
        line = dict(item)
        line[_PARENT] = self.parent_of(item, parent)
        if self.modified_at:
            line[_MODIFIED] = instant(find(item, self.modified_at), self.zone)
        if self.deleted:
            line[_DELETED] = self._is_deleted(item)
        if self.tags is not None:
            line[_TAGS] = self.tags_of(item)
        return line

    def record(self, item: dict[str, Any], parent: str | None = None) -> Record:
        """The same record for Python."""
        self.learn(item)
        fields = {name: find(item, path) for name, path in self.fields.items()}
        if self.tags is not None:
            fields[TAGS] = self.tags_of(item)
        modified_at = None
        if self.modified_at:
            modified_at = instant(find(item, self.modified_at), self.zone)
        return Record(
            key=self.key_of(item),
            fields=fields,
            parent=self.parent_of(item, parent),
            version=self._version_of(item),
            modified_at=modified_at,
            deleted=self._is_deleted(item),
        )

    def _version_of(self, item: dict[str, Any]) -> str | None:
        if not self.version:
            return None
        version = find(item, self.version)
        return None if version is None else text(version)

    def tags_of(self, item: dict[str, Any]) -> list[str]:
        """The tags of a record, whether they are texts or objects.

        Raises Malformed for what is neither.
        """
        return [name for name, _ in self.tag_pairs(item) if name]

    def tag_pairs(self, item: dict[str, Any]) -> list[tuple[str, Any]]:
        """Each tag's name, "" where it has none, and what stands for it in the record."""
        if self.tags is None:
            return []
        tags = find(item, self.tags)
        if tags is None or (isinstance(tags, str) and not tags.strip()):
            return []
        if not isinstance(tags, list):
            kind = "text" if isinstance(tags, str) else type(tags).__name__
            raise Malformed(
                f'expected a list of tags at "{self.endpoint.tags}", found {kind}',
                remedy='say in "tags" where a record holds a list of them, or leave "tags" out',
            )
        return [(self._tag_name(tag), tag) for tag in tags]

    def _tag_name(self, tag: Any) -> str:
        if self.endpoint.tag_ids:
            return self._tag_of_id(tag)
        member = self.endpoint.tag_name
        if isinstance(tag, list) or (tag is not None and isinstance(tag, dict) != bool(member)):
            expected, actual = "texts", "objects or lists"
            if member:
                expected, actual = "objects", "others"
            raise Malformed(
                f'expected tags that are {expected} at "{self.endpoint.tags}", found {actual}',
                remedy='say in "tag_name" which member of a tag that is an object holds its name',
            )
        name = find(tag, parse(member)) if member else tag
        if name is None:
            return ""
        return str(name)

    def _tag_of_id(self, tag: Any) -> str:
        for name, known in self.endpoint.tag_ids.items():
            if text(known) == text(tag):
                return name
        raise Malformed(
            f'the tag {text(tag)} at "{self.endpoint.tags}" has no name',
            remedy='name it in "tag_ids"',
        )

    def tag_members(self, tags: Sequence[str]) -> list[Any]:
        """Tags in the form that a record holds them in.

        Raises InvalidField for one whose id is not declared.
        """
        if self.endpoint.tag_ids:
            return self._tag_ids(tags)
        name = self.endpoint.tag_name
        if name:
            return [{name: tag} for tag in tags]
        return list(tags)

    def _tag_ids(self, tags: Sequence[str]) -> list[Any]:
        ids = {folded(name): known for name, known in self.endpoint.tag_ids.items()}
        unknown = [tag for tag in tags if folded(tag) not in ids]
        if unknown:
            raise InvalidField(
                f"{', '.join(unknown)}: no id is declared for such a tag",
                remedy='make it in the app, and name its id in "tag_ids"',
            )
        return [ids[folded(tag)] for tag in tags]

    def parent_of(self, item: dict[str, Any], parent: str | None) -> str | None:
        """The key of the contact that a record belongs to.

        Raises Malformed where an object stands for it, or several.
        """
        stated = find_all(item, self.parent) if self.parent else []
        keys = list(dict.fromkeys(map(str, stated)))
        path, place = self.endpoint.path, self.endpoint.parent
        if any(isinstance(one, dict) for one in stated):
            raise Malformed(
                f'a record of {path} has no key at "{place}", but dict',
                remedy='say in "parent" where a record holds the key of its contact',
            )
        if len(keys) > 1:
            raise Malformed(
                (
                    f"a record of {path} names {len(keys)} contacts at "
                    f'"{place}", and can belong to one'
                ),
                remedy="leave one contact in it, or let the API's list leave it out with `params`",
            )
        return keys[0] if keys else parent

    def _is_deleted(self, item: dict[str, Any]) -> bool:
        return self.deleted is not None and says_deleted(find(item, self.deleted))

    def goes_alone(self, path: Path) -> bool:
        """Whether what lies at a path can be sent without what lies beside it.

        The API merges it into what is there.
        """
        nested = len(path) > 1
        return not nested or (
            self.endpoint.merge_patch and path[0] not in self.replaced and not members(path)
        )

    def looks_before(self, path: Path) -> bool:
        """Whether the record is read before something in it is changed.

        It is read for what lies beside that, or to see that it stays.
        """
        return not self.goes_alone(path) or (len(path) > 1 and path[0] not in self.merged)

    def is_unseen(self, name: str) -> bool:
        """Whether a field lies in a list member that no record has shown yet."""
        return any(place not in self.named for place in members(self.fields.get(name, ())))

    def learn(self, item: dict[str, Any]) -> None:
        """Keep how a record's list members name themselves, 7 or "7", and its parent.

        What is written then does alike.
        """
        if self.parent and self.parent not in self.numbers:
            parents = find_all(item, self.parent)
            if parents:
                self.numbers[self.parent] = isinstance(parents[0], int)
        if len(self.named) == len(self.members):
            return
        for place in self.members:
            member = find(item, place)
            last = place[-1]
            if isinstance(last, Item) and isinstance(member, dict):
                self.named.setdefault(place, member[last.where])

    def described(self, samples: Sequence[dict[str, Any]]) -> dict[str, FieldInfo]:
        """What the sampled records tell of each field."""
        fixed = {self.key, self.parent, self.modified_at, self.version, self.deleted}
        known = {
            name: FieldInfo(
                _type([find(item, path) for item in samples]),
                writable=path not in fixed,
                label=name,
            )
            for name, path in self.fields.items()
        }
        if self.tags is not None:
            known[TAGS] = FieldInfo("tags", label=TAGS)
        return known


def folded(tag: str) -> str:
    """A tag as tags are compared: composed, its spaces folded, in lower case as GHL stores it."""
    tidy = " ".join(unicodedata.normalize("NFC", tag).split())
    return unicodedata.normalize("NFC", tidy.lower())


def form_of(endpoint: EndpointSettings, names: Sequence[str], zone: tzinfo = UTC) -> Form:
    """The places of an entity whose native fields are `names`.

    Raises ValueError for what is not a dotted path.
    """

    def place(dotted: str | None) -> Path | None:
        if not dotted:
            return None
        return parse(dotted)

    hidden = {TAGS, endpoint.tags} if endpoint.tags else set()
    fields = {name: parse(name) for name in names if name not in hidden}
    in_members = [place for path in fields.values() for place in members(path)]
    return Form(
        endpoint,
        fields,
        key=parse(endpoint.key),
        parent=place(endpoint.parent),
        modified_at=place(endpoint.modified_at),
        version=place(endpoint.version),
        deleted=place(endpoint.deleted),
        tags=place(endpoint.tags),
        zone=zone,
        members=tuple(dict.fromkeys(in_members)),
    )


def _type(values: Sequence[Any]) -> FieldType:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "bool"
    if kinds == {int}:
        return "integer"
    if kinds & {list, dict}:
        return "json"
    return "text"


def instant(value: Any, zone: tzinfo = UTC) -> str | None:
    """A time as an ISO 8601 instant in UTC.

    It comes as epoch seconds or milliseconds, or as ISO text, in `zone` where it names none.
    """
    if isinstance(value, str) and _EPOCH.fullmatch(value):
        value = float(value)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MS_FROM else value
            moment = datetime.fromtimestamp(seconds, UTC)
        elif isinstance(value, str):
            moment = datetime.fromisoformat(value)
        else:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
