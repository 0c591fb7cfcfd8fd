"""Puts deployments, their work pool and their automations in place through Prefect's API."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

# It settles Prefect's settings before Prefect is imported.
from flows.orchestration import engine as _settings  # noqa: F401

from prefect.automations import AutomationCore  # isort: skip
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.exceptions import ObjectNotFound
from prefect.types.entrypoint import EntrypointType

from flows.orchestration.events import CHANGED
from flows.orchestration.schedule import Planned, Wish
from reconcile.errors import StateError

APP_CHANGED = "ghl-reconcile.app-changed"
"""The event that whoever knows of a change in the app may send.

Payload {"contact": KEY}, resource ghl-reconcile.pair.NAME.
"""

ONE = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
"""After an outage all missed schedules start at once (measured).

One does the work, the others are cancelled.
"""


def check(planned: Sequence[Planned]) -> None:
    """Raises StateError for a schedule that Prefect would not take.

    It is also raised for two deployments of one name.
    """
    for one in planned:
        try:
            CronSchedule(cron=one.cron or "0 0 * * *", timezone=one.timezone)
        except ValueError as error:
            what = f"{one.full_name} cannot run at {one.cron!r}, time zone {one.timezone!r}"
            remedy = "give a cron line such as '0 2 * * *' and a zone such as 'Europe/Berlin'"
            raise StateError(what, remedy=remedy, code="SCHEDULE") from error
    names = [one.full_name for one in planned]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise StateError(
            f"{twice[0]} would be made twice",
            remedy="name each pair once, and each with a name of its own",
            code="SCHEDULE",
        )


def apply(planned: Sequence[Planned], wish: Wish) -> list[str]:
    """Make or replace these deployments; returns their names.

    The work pool is made where there is none.
    """
    asyncio.run(_pool(wish.pool))
    names = []
    for one in planned:
        deployed = _deploy(one, wish.pool)
        names.append(one.full_name)
        if one.flow == "delta":
            asyncio.run(_automate(one, deployed))
    return names


async def _pool(name: str) -> None:
    async with get_client() as client:
        try:
            await client.read_work_pool(name)
        except ObjectNotFound:
            await client.create_work_pool(WorkPoolCreate(name=name, type="process"))


def _deploy(one: Planned, pool: str) -> UUID:
    flow: Any = getattr(importlib.import_module(one.module), one.flow)
    schedules = None
    if one.cron:
        schedules = [CronSchedule(cron=one.cron, timezone=one.timezone)]
    deployment: Any = flow.to_deployment(
        name=one.name,
        parameters=one.parameters,
        schedules=schedules,
        tags=list(one.tags),
        description=one.description,
        concurrency_limit=ONE,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    deployment_id: UUID = deployment.apply(work_pool_name=pool)
    return deployment_id


async def _automate(one: Planned, deployment: UUID) -> None:
    """A change that somebody tells of starts a delta with just that contact."""
    ways = (
        (f"{one.name}: told by GHL", CHANGED, f"ghl-reconcile.location.{one.location}", "ghl"),
        (f"{one.name}: told by the app", APP_CHANGED, f"ghl-reconcile.pair.{one.pair}", "app"),
    )
    async with get_client() as client:
        for name, event, resource, parameter in ways:
            # Prefect takes several of one name: made anew, each change would start two deltas.
            for old in await client.read_automations_by_name(name):
                await client.delete_automation(old.id)
            await client.create_automation(
                _automation(name, event, resource, deployment, parameter, one)
            )


def _automation(
    name: str, event: str, resource: str, deployment: UUID, parameter: str, one: Planned
) -> AutomationCore:
    listed = {"__prefect_kind": "jinja", "template": '["{{ event.payload.contact }}"]'}
    return AutomationCore(
        name=name,
        trigger=EventTrigger(
            expect={event},
            match={"prefect.resource.id": resource},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[
            RunDeployment(
                source="selected",
                deployment_id=deployment,
                job_variables=None,
                parameters={
                    **one.parameters,
                    parameter: {"__prefect_kind": "json", "value": listed},
                },
            )
        ],
    )
