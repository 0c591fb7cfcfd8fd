"""Which of the app's pipelines and stages GHL does not have, with what to make there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from connectors.ghl.api import Api
from connectors.ghl.entities import GHL
from connectors.ghl.pipelines import PIPELINE, STAGE, Pipelines
from flows.doctor.finding import Finding, failures, ok, warning
from flows.doctor.sample import first_records
from reconcile.errors import ConnectorError
from reconcile.model import Cell
from reconcile.ports import Connector
from reconcile.values.mapping import EntityMap, Field, Mapping

_REMEDY = (
    "Make it in GHL (Opportunities, Pipelines), or say which of GHL's words it is, "
    'by choices = {{ {word!r} = "…" }}; until then such records are refused, and asked about.'
)


def pipelines(mapping: Mapping, app: Connector, api: Api) -> Iterator[Finding]:
    """A finding for each name that GHL lacks, or one that it has all of them."""
    for mapped in mapping.entities:
        fields = {name: _field(mapped, name) for name in GHL[mapped.entity].named}
        if not any(fields.values()):
            continue
        try:
            used = _used(mapped, app, fields)
            missing = list(_missing(used, api.pipelines()))
        except ConnectorError as failed:
            yield from failures("the pipelines", failed)
            continue
        yield from missing
        if not missing:
            yield ok(f"GHL has every pipeline and stage of the app's {mapped.entity.plural}")


def _field(mapped: EntityMap, native: str) -> Field | None:
    return next((field for field in mapped.fields if field.ghl == (native,)), None)


def _used(
    mapped: EntityMap, app: Connector, fields: dict[str, Field | None]
) -> Counter[tuple[Cell, Cell]]:
    """How many of the app's first records are in each pipeline and stage."""
    read = {name: field for name, field in fields.items() if field is not None}
    used: Counter[tuple[Cell, Cell]] = Counter()
    for cells in first_records(mapped, list(read.values()), app):
        said = {name: cells[field.name] for name, field in read.items()}
        used[said.get(PIPELINE), said.get(STAGE)] += 1
    return used


def _missing(used: Counter[tuple[Cell, Cell]], known: Pipelines) -> Iterator[Finding]:
    lacking: Counter[str] = Counter()
    for (pipeline, _), count in used.items():
        if pipeline and pipeline not in known.names():
            lacking[pipeline] += count
    for pipeline, count in lacking.items():
        stages = sorted(stage for of, stage in used if of == pipeline and stage)
        steps = f", with the stages {', '.join(stages)}" if stages else ""
        what = f"GHL has no pipeline {pipeline!r}{steps} ({count:,} in the app)"
        yield warning(what, _REMEDY.format(word=pipeline))
    for (pipeline, stage), count in used.items():
        if not stage or (pipeline and pipeline in lacking):
            continue
        if stage not in known.stages(pipeline):
            where = f" in the pipeline {pipeline!r}" if pipeline else ""
            what = f"GHL has no stage {stage!r}{where} ({count:,} in the app)"
            yield warning(what, _REMEDY.format(word=stage))
