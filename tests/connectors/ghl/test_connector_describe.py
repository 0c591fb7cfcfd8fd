"""What the connector says of a location: its fields, its limits, and what it lacks."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.ghl import GhlConnector, GhlSettings, PrivateToken, SharedBudget
from connectors.ghl.entities import GHL
from connectors.ghl.sandbox import COMPANY, Limit
from reconcile.errors import Expired, Forbidden, InvalidField
from reconcile.model import Entity, OpKind
from reconcile.ports import FieldInfo, Page, Scope
from tests.connectors.ghl.hosted import LOCATION, TOKEN, VERSIONS, connect, hosted, unlimited


@pytest.mark.parametrize("version", VERSIONS)
def test_a_location_is_described(version: str) -> None:
    """Identity, region, custom fields with types and choices, users as choices, and what GHL can do."""
    with hosted(version=version) as host:
        host.sandbox.seed_custom_field(
            LOCATION, "Colour", "SINGLE_OPTIONS", picklist=("red", "green")
        )
        host.sandbox.seed_custom_field(LOCATION, "Plan", model="opportunity")
        host.sandbox.seed_pipeline(LOCATION, "Sales", ["New", "Signed"])
        user = host.sandbox.seed_user(LOCATION)
        described = host.connector.describe()
        assert described.identity == f"ghl:{LOCATION}:{COMPANY}"
        assert described.region == "US"
        fields = described.fields[Entity.CONTACT]
        assert fields["contact.colour"] == FieldInfo(
            "choice", label="Colour", choices=("red", "green")
        )
        assert fields["assignedTo"].choices == (user,)
        assert not fields["additionalEmails"].writable
        assert not fields["postalCode"].clearable
        assert described.costs[OpKind.CREATE] == 1
        assert described.bulk_tags == 100
        assert described.modified == set(GHL) - {Entity.NOTE}
        sold = described.fields[Entity.OPPORTUNITY]
        assert sold["stage"].choices == ("New", "Signed")
        assert "opportunity.plan" in sold
        assert "opportunity.plan" not in fields
        assert host.connector.usage().requests == 4


def test_a_field_that_is_not_there_is_named() -> None:
    """A mapping of a custom field that the location lacks is refused at describe, with near matches."""
    with hosted(fields={Entity.CONTACT: ("email", "contact.color")}) as host:
        host.sandbox.seed_custom_field(LOCATION, "Colour")
        with pytest.raises(InvalidField, match=r"contact\.colour"):
            host.connector.describe()


@pytest.mark.parametrize("version", VERSIONS)
def test_all_users_are_told_with_their_emails(version: str) -> None:
    """Also those beyond a page of v3's search, which gives 25 unless it is asked for more."""
    with hosted(version=version) as host:
        emails = {f"u{number}@x.test" for number in range(130)}
        for email in emails:
            host.sandbox.seed_user(LOCATION, email=email)
        owners = host.connector.describe().owners or {}
        assert len(owners) == 130
        assert set(owners.values()) == emails


def test_users_are_optional() -> None:
    """Without the scope to list users, any user id is let pass."""
    with hosted() as host:
        scopes = ("contacts.readonly", "locations.readonly", "locations/customFields.readonly")
        host.sandbox.add_token("pit-narrow", LOCATION, scopes=scopes)
        narrow = connect(host.url, token="pit-narrow")
        assert narrow.describe().fields[Entity.CONTACT]["assignedTo"].choices == ()
        assert narrow.describe().owners is None
        with pytest.raises(Forbidden):
            list(narrow.extract(Entity.TASK))
        narrow.close()


def test_a_wrong_token_is_expired() -> None:
    """A private token that GHL does not know cannot be renewed."""
    with hosted() as host:
        wrong = connect(host.url, token="pit-unknown")
        with pytest.raises(Expired):
            wrong.describe()
        wrong.close()


def test_usage_counts_by_endpoint() -> None:
    """Requests are counted under their endpoints' names, with the window and the daily remainder as GHL told them."""
    with hosted(unlimited(pit=Limit(max=500, daily=1000))) as host:
        keys = host.sandbox.seed_contacts(
            LOCATION, [{"email": f"p{n}@example.com"} for n in range(3)]
        )
        list(host.connector.extract(Entity.CONTACT, Scope(keys=tuple(keys))))
        usage = host.connector.usage()
        assert usage.by_endpoint == {"contact.get": 3}
        assert (usage.requests, usage.remaining_today, usage.window) == (3, 997, (500, 10.0))


def reading_process(url: str, ledger: str, pipe: Any) -> None:
    """Reads all contacts in pages of one, within a budget that lies in the ledger."""
    engine = sa.create_engine(f"sqlite:///{ledger}", connect_args={"timeout": 30})
    connector = GhlConnector(
        GhlSettings(location=LOCATION, url=url, page_size=1, fields={Entity.CONTACT: ("email",)}),
        auth=PrivateToken(TOKEN),
        budget=SharedBudget(engine, LOCATION),
    )
    pipe.send("ready")
    pipe.recv()
    rows = sum(page.rows for page in connector.extract(Entity.CONTACT) if isinstance(page, Page))
    pipe.send((rows, connector.usage().answers_429))
    connector.close()
    engine.dispose()


def test_two_processes_keep_one_limit(tmp_path: Path) -> None:
    """Two processes with five threads each, on one location: never more than the limit in a window, and no 429."""
    spawn = multiprocessing.get_context("spawn")
    limited = unlimited(pit=Limit(max=25, window_seconds=1.0, daily=100_000), latency_seconds=0.05)
    with hosted(limited) as host:
        host.sandbox.seed_contacts(LOCATION, [{"email": f"p{n}@example.com"} for n in range(40)])
        pipes = []
        for _ in range(2):
            ours, theirs = spawn.Pipe()
            arguments = (host.url, str(tmp_path / "ledger.db"), theirs)
            spawn.Process(target=reading_process, args=arguments, daemon=True).start()
            pipes.append(ours)
        assert [pipe.recv() for pipe in pipes] == ["ready", "ready"]
        for pipe in pipes:
            pipe.send("go")
        assert [pipe.recv() for pipe in pipes] == [(40, 0), (40, 0)]
        assert host.sandbox.max_in_window(LOCATION) <= 25
        for pipe in pipes:
            pipe.close()
