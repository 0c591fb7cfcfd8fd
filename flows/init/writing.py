"""A proposal as a pair file that a person can read and correct: one line per field, with the reason beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from flows.init.proposal import SURE, Line, Place, Proposal
from reconcile.entities import RECORDS
from reconcile.model import Entity

_ASKED = {Entity.TASK: ("title", "dueDate"), Entity.NOTE: ("body",)}


@dataclass(frozen=True, slots=True)
class Head:
    """What the pair file says besides the mapping; `app_url` and `token` are as they shall stand in the file.

    `paths` says where the tables are where the app is a set of files, `connector` of which format.
    """

    name: str
    app_url: str
    ghl_url: str
    location: str
    token: str | None
    connector: str = "sql"
    paths: Mapping[str, str] = field(default_factory=dict)


def pair_text(proposal: Proposal, head: Head) -> str:
    """The text of the pair file."""
    return (
        "\n".join([*_top(proposal, head), *_app(proposal, head), *_ghl(head), *_mapping(proposal)])
        + "\n"
    )


def _top(proposal: Proposal, head: Head) -> Iterator[str]:
    yield "# Written by `ghl-reconcile init`. Read it, correct it, then: ghl-reconcile doctor, ghl-reconcile plan."
    yield "# The number beside a line is how sure its proposal is."
    yield f"pair = {_quoted(head.name)}"
    yield 'store = "state"'
    if proposal.region:
        yield f"region = {_quoted(proposal.region)}  # the location's country, for phones without a country code"


def _app(proposal: Proposal, head: Head) -> Iterator[str]:
    yield from ("", "[app]", f"connector = {_quoted(head.connector)}")
    if not head.paths:
        yield f"url = {_quoted(head.app_url)}"
    for place in proposal.places:
        yield from _place(place, head.paths)


def _place(place: Place, paths: Mapping[str, str]) -> Iterator[str]:
    yield from (
        "",
        f"[app.{place.entity}]  # {_percent(place.confidence)}: {_comment(place.because)}",
    )
    yield f"path = {_quoted(paths[place.table])}" if paths else f"table = {_quoted(place.table)}"
    yield f"key = {_names(place.key)}"
    if place.parent:
        yield f"parent = {_quoted(place.parent)}"
    for name in ("modified_at", "version", "deleted"):
        if (column := getattr(place, name)) is not None:
            yield f"{name} = {_quoted(column)}"
    if place.tags and paths:
        yield f"tags = {_quoted(place.tags['column'])}"
        if (delimiter := place.tags.get("delimiter")) is not None:
            yield f"tags_delimiter = {_quoted(delimiter)}"
    elif place.tags:
        yield f"tags = {_inline(place.tags)}"


def _ghl(head: Head) -> Iterator[str]:
    yield from (
        "",
        "[ghl]",
        f"url = {_quoted(head.ghl_url)}",
        f"location = {_quoted(head.location)}",
    )
    if head.token:
        yield f"token = {_quoted(head.token)}"
    yield "# live = true  # allow writes to GHL; plan, audit and doctor work without it"


def _mapping(proposal: Proposal) -> Iterator[str]:
    for place in proposal.places:
        lines = proposal.fields(place.entity)
        yield ""
        yield f"[{place.entity}]"
        if place.entity is Entity.CONTACT:
            yield '# create = "both"  # or "app", "ghl", "none": on which sides records may be created'
            yield '# delete = { app = "hold", ghl = "hold" }  # or "mirror", "ignore": when the other end is gone'
        mapped = {name for line in lines if line.confidence >= SURE for name in line.ghl}
        missing = [name for name in _ASKED.get(place.entity, ()) if name not in mapped]
        if missing:
            yield f'create = "app"  # GHL asks for {" and ".join(missing)} of each new {place.entity}, and nothing is mapped'
        if place.entity is not Entity.CONTACT and missing:
            yield f"match = [{_names([line.column for line in lines if line.confidence >= SURE])}]"
        yield from (
            "",
            f"[{place.entity}.fields]",
            *_fields(lines),
            *_unplaced(proposal, place.entity),
        )
    yield from _absent(proposal)


def _fields(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        prefix = "" if line.confidence >= SURE else "# "
        yield f"{prefix}{_key(line.column)} = {_value(line)}  # {_percent(line.confidence)}: {_comment(line.because)}"


def _value(line: Line) -> str:
    if not (line.codec or line.choices or line.also):
        return _names(line.ghl)
    parts = [f"ghl = {_names(line.ghl)}"]
    if line.codec:
        parts.append(f"codec = {_quoted(line.codec)}")
    if line.choices:
        said = ", ".join(
            f"{_key(word)} = {str(done).lower()}" for word, done in line.choices.items()
        )
        parts.append(f"choices = {{ {said} }}")
    if line.also:
        parts.append(f"also = {{ app = {_names(line.also)} }}")
    return f"{{ {', '.join(parts)} }}"


def _unplaced(proposal: Proposal, entity: Entity) -> Iterator[str]:
    for one in proposal.unplaced:
        if one.entity is entity:
            yield f"# {one.where} has no place: {_comment(one.why)}"


def _absent(proposal: Proposal) -> Iterator[str]:
    found = {place.entity for place in proposal.places}
    for entity in RECORDS:
        if entity not in found:
            yield from ("", f"# [{entity}.fields]")
    for one in proposal.unplaced:
        if one.entity is None:
            yield f"# {one.where}: {_comment(one.why)}"


def _percent(confidence: float) -> str:
    return f"{round(100 * confidence)} %"


def _comment(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else _quoted(name)


def _names(names: Iterable[str]) -> str:
    listed = list(names)
    return _quoted(listed[0]) if len(listed) == 1 else f"[{', '.join(map(_quoted, listed))}]"


def _inline(table: Mapping[str, str]) -> str:
    return f"{{ {', '.join(f'{key} = {_quoted(value)}' for key, value in table.items())} }}"
