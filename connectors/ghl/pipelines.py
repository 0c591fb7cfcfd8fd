"""A location's pipelines and their stages: people know them by name, GHL by id."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from reconcile.errors import InvalidField, Malformed
from reconcile.ports import Json

PIPELINE, STAGE = "pipeline", "stage"
"""The fields that hold the names."""

_PIPELINE_ID, _STAGE_ID = "pipelineId", "pipelineStageId"
_REMEDY = "make it in GHL, or correct the name in the other system; no name is guessed"


class _Called(Protocol):
    """What has a name."""

    @property
    def name(self) -> str: ...


C = TypeVar("C", bound=_Called)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a pipeline."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline, its stages in their order."""

    id: str
    name: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Pipelines:
    """All of a location."""

    listed: tuple[Pipeline, ...]

    def knows(self, key: str) -> bool:
        """Whether a pipeline or a stage has that id; "" is asked for by nobody."""
        return not key or any(key == each.id or _by_id(each.stages, key) for each in self.listed)

    def names(self) -> tuple[str, ...]:
        """What the pipelines are called."""
        return tuple(each.name for each in self.listed)

    def stages(self, pipeline: str | None = None) -> tuple[str, ...]:
        """What the stages are called, of one pipeline by its name or of all; each name once."""
        of = (each for each in self.listed if pipeline in (None, each.name))
        return tuple(dict.fromkeys(stage.name for each in of for stage in each.stages))

    def with_names(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """A record with the names of its pipeline and stage.

        Raises Malformed where GHL lists none of that id: a blank would be carried over.
        """
        named = dict(record)
        if record.get(_PIPELINE_ID):
            named[PIPELINE] = _name_of(self.listed, record[_PIPELINE_ID], PIPELINE)
        if record.get(_STAGE_ID):
            stages = [stage for each in self.listed for stage in each.stages]
            named[STAGE] = _name_of(stages, record[_STAGE_ID], STAGE)
        return named

    def spelled(self, fields: Mapping[str, Json], current: Mapping[str, Any]) -> dict[str, Json]:
        """The body with GHL's ids in the place of the names; `current` is the record as it is.

        A stage that is not written goes along into a new pipeline by its name. Raises InvalidField,
        by name, for what GHL does not have or has twice, and where the new pipeline has no stage of
        that name: GHL would choose one.
        """
        body = {name: value for name, value in fields.items() if name not in (PIPELINE, STAGE)}
        if PIPELINE not in fields and STAGE not in fields:
            return body
        before = _by_id(self.listed, str(current.get(_PIPELINE_ID)))
        pipeline = before
        if PIPELINE in fields:
            pipeline = _the_one(self.listed, fields[PIPELINE], "")
        if pipeline is None:
            raise InvalidField(
                "a stage is one of a pipeline, and none is named",
                remedy="map the pipeline, or write it as a constant",
            )
        body[_PIPELINE_ID] = pipeline.id
        where = f" of the pipeline {pipeline.name!r}"
        if STAGE in fields:
            body[_STAGE_ID] = _the_one(pipeline.stages, fields[STAGE], where).id
        elif before is not None:
            current_stage = _by_id(before.stages, str(current.get(_STAGE_ID)))
            if current_stage is not None:
                body[_STAGE_ID] = _the_one(pipeline.stages, current_stage.name, where).id
        return body


def needs_current(fields: Mapping[str, Json]) -> bool:
    """Whether one of the two is written alone, which says something beside the other alone."""
    return (PIPELINE in fields) != (STAGE in fields)


def listed(reply: Mapping[str, Any]) -> Pipelines:
    """The reply of GET /opportunities/pipelines. Raises Malformed where one has no id or name."""
    return Pipelines(tuple(_pipeline(each) for each in reply.get("pipelines") or []))


def _pipeline(item: Any) -> Pipeline:
    key, name = _key_and_name(item, PIPELINE)
    stages = (_key_and_name(stage, STAGE) for stage in item.get("stages") or [])
    return Pipeline(key, name, tuple(Stage(*stage) for stage in stages))


def _key_and_name(item: Any, what: str) -> tuple[str, str]:
    if isinstance(item, dict) and item.get("id") and _plain(item.get("name")):
        return str(item["id"]), _plain(item["name"])
    raise Malformed(f"expected a {what} with an id and a name, found something else")


def _name_of(known: Iterable[Any], key: object, field: str) -> str:
    named = _by_id(known, str(key))
    if named is None:
        raise Malformed(f"its {field} {key} is not among those that GHL lists")
    return str(named.name)


def _by_id(known: Iterable[Any], key: str) -> Any:
    return next((each for each in known if each.id == key), None)


def _the_one(known: Sequence[C], value: Json, where: str) -> C:
    """The one of that name, spelled so. Raises InvalidField for none, and for several."""
    name = _plain(value)
    kind = STAGE if where else PIPELINE
    matches = [each for each in known if each.name == name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise InvalidField(f"GHL has {len(matches)} {kind}s{where} called {name!r}", remedy=_REMEDY)
    what = f"GHL has no {kind}{where} called {name!r}"
    near = difflib.get_close_matches(name, [each.name for each in known], n=3, cutoff=0.5)
    if near:
        what += f"; near matches: {', '.join(near)}"
    raise InvalidField(what, remedy=_REMEDY)


def _plain(value: object) -> str:
    """A name as the codec of texts reads it, so that the two are equal where they look so."""
    return unicodedata.normalize("NFC", str(value or "")).strip()
