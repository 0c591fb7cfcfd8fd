"""Words beside a telephone number are words: taken for digits they would be the number of somebody else."""

from __future__ import annotations

import pytest

from reconcile.model import Entity, Side
from reconcile.values.codecs import Phone
from tests.builders import World

C = Entity.CONTACT


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("020 7946 home", "GB"),
        ("040-4711 (nur abends!)", "DE"),
        ("Tel. 040-4711 nur abends", "DE"),
        ("12345 work", "DE"),
        ("555-MAMA", "US"),
        ("040 4711 Büro", "DE"),
    ],
)
def test_a_number_with_a_word_beside_it_is_unreadable(text: str, region: str) -> None:
    """The text stays as it is, with a fault, on either side."""
    phone = Phone(region=region)
    for side in Side:
        assert phone.decode([text], side) == text
    assert phone.fault(text) is not None


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("Tel. 020 7946 0958", "GB", "+442079460958"),
        ("+44 20 7946 0958", "GB", "+442079460958"),
    ],
)
def test_a_number_that_is_told_in_letters_is_one(text: str, region: str, number: str) -> None:
    """A free number may be spelled, and a word may stand before any."""
    assert Phone(region=region).decode([text], Side.APP) == number


def test_no_words_reach_the_other_side_as_digits() -> None:
    """The rest of the record comes across, and no number that nobody typed is written."""
    with World() as world:
        known = {"email": "ann@x.com", "first_name": "Ann", "phone": "555-MAMA"}
        world.app.put(C, known, key="ann")
        world.run()
        [ann] = world.cells(Side.GHL).values()
        assert (ann["first_name"], ann.get("phone")) == ("Ann", None)
