"""What people do to pipelines and opportunities in GHL's own screens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from connectors.ghl.sandbox.instants import parse_instant
from connectors.ghl.sandbox.nouns import Opportunity, Pipeline, Row
from connectors.ghl.sandbox.opportunities import WIRE, shape
from connectors.ghl.sandbox.state import State
from connectors.ghl.sandbox.writing import Writer


class Sales:
    """Pipelines and opportunities as people make, move and delete them."""

    state: State

    def seed_pipeline(self, location_id: str, name: str, stages: Iterable[str]) -> str:
        """Add a pipeline with its stages in order; returns its id."""
        with self.state.lock:
            steps = tuple((self.state.new_trace_id(), stage) for stage in stages)
            pipeline = Pipeline(
                id=self.state.new_id(), location_id=location_id, name=name, stages=steps
            )
            self.state.store.put(pipeline)
            return pipeline.id

    def rename_pipeline(self, pipeline_id: str, name: str) -> None:
        """Give a pipeline another name: its id stays, and no opportunity moves."""
        with self.state.lock:
            pipeline = self.state.store.table(Pipeline)[pipeline_id]
            self.state.store.put(msgspec.structs.replace(pipeline, name=name))

    def delete_pipeline(self, pipeline_id: str) -> None:
        """Take a pipeline out of the list."""
        with self.state.lock:
            pipeline = self.state.store.table(Pipeline)[pipeline_id]
            self.state.store.put(msgspec.structs.replace(pipeline, deleted=True))

    def seed_opportunity(self, contact_id: str, **fields: Any) -> str:
        """Add an opportunity that search shows at once; returns its id.

        `fields` are in write shape, with `pipeline` and `stage` by name where they are not by id;
        also id, source and createdAt.
        """
        with self.state.lock:
            place = self.state.contacts[contact_id].location_id
            added = parse_instant(fields.get("createdAt")) or self.state.now()
            opportunity = Opportunity(
                id=fields.get("id") or self.state.new_id(),
                location_id=place,
                contact_id=contact_id,
                added=added,
                updated=added,
                staged=added,
                **{"name": "Deal", **self._sold(place, fields, {})},
            )
            return self.state.put_opportunity(opportunity, at_once=True).id

    def edit_opportunity(self, opportunity_id: str, **fields: Any) -> None:
        """Change an opportunity, or move it: fields as `seed_opportunity` takes them."""
        with self.state.lock:
            current = self.state.opportunities[opportunity_id]
            changes = self._sold(
                current.location_id, fields, current.custom_fields, current.pipeline_id
            )
            updated = max(self.state.now(), current.updated + 1)
            self.state.put_opportunity(msgspec.structs.replace(current, **changes, updated=updated))

    def delete_opportunity(self, opportunity_id: str) -> None:
        """Delete an opportunity."""
        with self.state.lock:
            opportunity = self.state.opportunities[opportunity_id]
            self.state.put_opportunity(msgspec.structs.replace(opportunity, deleted=True))

    def opportunities(self, location_id: str) -> list[Row]:
        """The live opportunities of a location as GET shows them, with the names of their place."""
        with self.state.lock:
            live = self.state.live(Opportunity, location_id)
            stand = [one for one in live if not self.state.contacts[one.contact_id].deleted]
            return [{**shape(self.state, one), **self._named(one)} for one in stand]

    def _named(self, one: Opportunity) -> Row:
        pipeline = self.state.store.table(Pipeline)[one.pipeline_id]
        return {"pipeline": pipeline.name, "stage": dict(pipeline.stages).get(one.stage_id)}

    def _sold(
        self,
        location_id: str,
        fields: dict[str, Any],
        custom: dict[str, Any],
        pipeline_id: str = "",
    ) -> dict[str, Any]:
        """The attributes that these fields set; a new one begins at its pipeline's first stage."""
        changes = {attr: fields[wire] for wire, attr in WIRE.items() if wire in fields}
        if "source" in fields:
            changes["source"] = fields["source"]
        if "customFields" in fields:
            writer = Writer(self.state, self.state.location(location_id), lenient=True)
            changes["custom_fields"] = writer.custom(fields["customFields"], custom)
        if "pipeline" in fields:
            named = {one.name: one.id for one in self.state.live(Pipeline, location_id)}
            changes["pipeline_id"] = named[fields["pipeline"]]
        stages = self._stages(changes.get("pipeline_id", pipeline_id))
        if "stage" in fields:
            changes["stage_id"] = stages[fields["stage"]]
        elif changes.get("pipeline_id", pipeline_id) != pipeline_id and "stage_id" not in changes:
            changes["stage_id"] = next(iter(stages.values()))
        return changes

    def _stages(self, pipeline_id: str) -> dict[str, str]:
        return {name: key for key, name in self.state.store.table(Pipeline)[pipeline_id].stages}
