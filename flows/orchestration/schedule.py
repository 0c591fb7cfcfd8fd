"""What is deployed for a pair: which flow, when, where, with which parameters.

As data, for Prefect's API and for prefect.yaml alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from flows.config.pair import Pair
from reconcile.errors import StateError


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks of a deployment.

    `minutes`: how often a delta runs by itself; None: when it is triggered.
    """

    pool: str = "ghl-reconcile"
    cron: str = "0 2 * * *"
    timezone: str | None = None
    approval: bool = False
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """One deployment.

    `module` and `flow` are where the flow is; `retries` counts new attempts of a flow run that
    failed.
    """

    pair: str
    location: str
    name: str
    module: str
    flow: str
    prefect_name: str
    parameters: dict[str, object]
    cron: str | None = None
    timezone: str = "UTC"
    tags: tuple[str, ...] = field(default=("ghl-reconcile",))
    description: str = ""

    @property
    def full_name(self) -> str:
        """The name by which Prefect knows it: flow/deployment."""
        return f"{self.prefect_name}/{self.name}"

    @property
    def entrypoint(self) -> str:
        """Where the flow is, for prefect.yaml."""
        return f"{self.module.replace('.', '/')}.py:{self.flow}"


def deployments(pair: Pair, wish: Wish) -> Iterator[Planned]:
    """The deployments of one pair.

    One run of each at a time: a second one that falls due meanwhile is cancelled.
    """
    file = str(pair.path)
    zone = wish.timezone or pair.timezone
    shared: dict[str, object] = {"pair": file}
    about = {
        "pair": pair.name,
        "location": pair.ghl.location,
        "tags": ("ghl-reconcile", f"pair:{pair.name}"),
    }

    for kind, module, flow, cron, description in _kinds(wish):
        yield Planned(
            name=f"{kind}-{pair.name}",
            module=f"flows.orchestration.{module}",
            flow=flow,
            prefect_name=flow.replace("_", "-"),
            parameters=shared,
            cron=cron,
            timezone=zone,
            description=description,
            **about,  # type: ignore[arg-type]
        )


def _kinds(wish: Wish) -> Iterator[tuple[str, str, str, str | None, str]]:
    """(kind, module, flow, cron, description) of what is deployed for a pair."""
    if wish.approval:
        description = "Reconcile everything; risky plans wait for a person's answer."
        yield "nightly", "jobs", "nightly_approved", wish.cron, description
    else:
        description = "Reconcile everything, inside the limits."
        yield "nightly", "engine", "nightly", wish.cron, description
    every = None if wish.minutes is None else _every(wish.minutes)
    description = "What changed since the last look, or what a trigger names."
    yield "delta", "jobs", "delta", every, description
    yield "audit", "jobs", "audit", None, "Report on both sides' data; write to neither."
    yield "migrate", "jobs", "migrate", None, "Load one side into the other, once."


def _every(minutes: int) -> str:
    """A cron line for "every so many minutes".

    Raises StateError for what cron cannot say evenly.
    """
    if minutes > 0 and 60 % minutes == 0:
        if minutes < 60:
            return f"*/{minutes} * * * *"
        return "0 * * * *"
    hours, rest = divmod(minutes, 60)
    if minutes > 0 and rest == 0 and 24 % hours == 0:
        if hours < 24:
            return f"0 */{hours} * * *"
        return "0 0 * * *"
    raise StateError(
        f"a delta every {minutes} minutes is no even schedule",
        remedy=(
            "give a part of an hour (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30) or hours that divide "
            "a day (60, 120, 180 …)"
        ),
        code="MINUTES",
    )


def yaml_text(planned: Sequence[Planned], wish: Wish) -> str:
    """A prefect.yaml with these deployments.

    JSON values are YAML, so that nothing needs quoting rules of its own.
    """
    lines = [
        "# Made by `ghl-reconcile deploy --file`; `prefect deploy --all` puts it in place.",
        "name: ghl-reconcile",
        "deployments:",
    ]
    for one in planned:
        lines += [
            f"  - name: {json.dumps(one.name)}",
            f"    description: {json.dumps(one.description)}",
            f"    entrypoint: {one.entrypoint}",
            f"    tags: {json.dumps(list(one.tags))}",
            f"    parameters: {json.dumps(one.parameters)}",
            "    concurrency_limit: { limit: 1, collision_strategy: CANCEL_NEW }",
            f"    work_pool: {{ name: {json.dumps(wish.pool)} }}",
        ]
        if one.cron:
            lines += [
                "    schedules:",
                f"      - cron: {json.dumps(one.cron)}",
                f"        timezone: {json.dumps(one.timezone)}",
            ]
    return "\n".join(lines) + "\n"
