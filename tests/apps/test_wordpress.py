"""WordPress with WooCommerce as people have it, by its page in the cookbook: a customer is a row of users and ten of names and values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.world import World, fresh

SHOWN = ("firstName", "lastName", "email", "phone", "city", "country")
CUSTOMER = 'a:1:{s:8:"customer";b:1;}'
META = """
SELECT u.user_email, m.meta_key, m.meta_value FROM wp_usermeta m JOIN wp_users u ON u.ID = m.user_id ORDER BY 1, 2, m.umeta_id
"""


def user(number: int, email: str, role: str, **meta: str) -> list[str]:
    """A user with what WordPress and its plugins keep of them."""
    capabilities = f'a:1:{{s:{len(role)}:"{role}";b:1;}}'
    rows = {"wp_capabilities": capabilities, "session_tokens": "secret", **meta}
    return [
        "INSERT INTO wp_users (ID, user_login, user_email, user_registered, display_name)"
        f" VALUES ({number}, 'user{number}', '{email}', '2026-01-01', 'user{number}')",
        *(
            f"INSERT INTO wp_usermeta (user_id, meta_key, meta_value) VALUES ({number}, '{name}', '{value}')"
            for name, value in rows.items()
        ),
    ]


SEED = (
    *user(1, "admin@w.test", "administrator", first_name="Adam", billing_phone="+12025550100"),
    *user(
        2,
        "ann@a.test",
        "customer",
        first_name="Ann",
        last_name="Abel",
        billing_phone="+12025550101",
        billing_city="Rome",
        billing_country="IT",
    ),
    *user(
        3,
        "ben@b.test",
        "customer",
        first_name="Ben",
        last_name="Bird",
        billing_country="US",
        billing_address_1="",
        billing_state="",
        billing_postcode="",
        billing_company="",
    ),
)
"""Two customers and an administrator."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two customers and an administrator; one contact in GHL alone."""
    for world in fresh("wordpress", "mariadb", tmp_path):
        world.sql(*SEED)
        world.add(
            firstName="Cara",
            lastName="Cole",
            email="cara@c.test",
            phone="+12025550103",
            city="Oslo",
            country="NO",
        )
        yield world


def test_both_sides_agree_from_the_first_night_on(world: World) -> None:
    """The first night makes customers of each side on the other, with all rows that WordPress needs of one; the next is quiet."""
    assert world.doctor() == []
    admin = [row for row in world.rows(META) if row[0] == "admin@w.test"]
    assert world.night().told.exit_code == 0
    assert world.contacts(*SHOWN) == [
        ("Ann", "Abel", "ann@a.test", "+12025550101", "Rome", "IT"),
        ("Ben", "Bird", "ben@b.test", "", "", "US"),
        ("Cara", "Cole", "cara@c.test", "+12025550103", "Oslo", "NO"),
    ]
    rows = world.rows(META)
    assert [row for row in rows if row[0] == "admin@w.test"] == admin
    assert dict(row[1:] for row in rows if row[0] == "cara@c.test") == {
        "wp_capabilities": CUSTOMER,
        "wp_user_level": "0",
        "nickname": "cara@c.test",
        "first_name": "Cara",
        "last_name": "Cole",
        "billing_phone": "+12025550103",
        "billing_city": "Oslo",
        "billing_country": "NO",
    }
    assert world.rows("SELECT user_login, display_name FROM wp_users WHERE ID > 3") == [
        ("cara@c.test", "cara@c.test")
    ]
    world.quiet()


def test_edits_of_both_sides_cross(world: World) -> None:
    """A phone that WordPress had no row for gets one, a row that is there is changed in place, and nothing else of the user moves."""
    world.night()
    before = world.rows(META)
    world.edit(world.key_of("ben@b.test"), {"phone": "+12025550199", "firstName": "Benno"})
    world.sql(
        "UPDATE wp_usermeta SET meta_value = 'Milan' WHERE user_id = 2 AND meta_key = 'billing_city'",
        "INSERT INTO wp_usermeta (user_id, meta_key, meta_value) VALUES (2, 'billing_state', 'MI')",
    )
    assert world.night().told.exit_code == 0
    changed = {
        ("ben@b.test", "first_name", "Ben"): "Benno",
        ("ann@a.test", "billing_city", "Rome"): "Milan",
    }
    expected = [(*row[:2], changed.get(row, row[2])) for row in before]
    expected += [
        ("ann@a.test", "billing_state", "MI"),
        ("ben@b.test", "billing_phone", "+12025550199"),
    ]
    assert sorted(world.rows(META)) == sorted(expected)
    assert ("Ann", "Abel", "ann@a.test", "+12025550101", "Milan", "IT") in world.contacts(*SHOWN)
    world.quiet()


def test_a_name_that_stands_twice_is_the_first_one(world: World) -> None:
    """WordPress takes the first row of a name; so does this, on reading and on writing."""
    world.sql(
        "INSERT INTO wp_usermeta (user_id, meta_key, meta_value) VALUES (2, 'billing_city', 'Naples')"
    )
    world.night()
    assert ("Ann", "Abel", "ann@a.test", "+12025550101", "Rome", "IT") in world.contacts(*SHOWN)
    world.edit(world.key_of("ann@a.test"), {"city": "Turin"})
    world.night()
    cities = [row[2] for row in world.rows(META) if row[:2] == ("ann@a.test", "billing_city")]
    assert cities == ["Turin", "Naples"]
    world.quiet()
