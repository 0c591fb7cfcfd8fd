"""A codec that makes another form canonical changes nothing of what nobody edited."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import ClassVar

import pytest

from reconcile.model import Cell, Entity, Side, fingerprint
from reconcile.values.codecs import CODECS, Codec, Email, Phone, Raw, codec_named
from reconcile.values.mapping import Mapping
from tests.builders import World, contacts, field_of, mapping_of
from tests.long_forms import ring, tried

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "lower case": str.lower,
    "upper case": str.upper,
    "without spaces": lambda text: "".join(text.split()),
    "with a plus": lambda text: "+" + text.lstrip("+"),
    "its length": lambda text: text if text.startswith("#") else f"#{len(text)}",
}
C = Entity.CONTACT
VALUES = ("Ab c", "ab c", "ABC", "+ab", "a b  c", "abc", "")


def mapping_with(form: str) -> Mapping:
    """A mapping whose field `company` has a codec of that canonical form: nothing else of it differs."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Formed(Codec):
        revision: ClassVar[str] = form
        name: str = "formed"

        def decode(self, raws: Sequence[Raw], side: Side) -> Cell:
            text = (raws[0] or "").strip()
            return FORMS[form](text) if text else None

    fields = (field_of("email", Email()), field_of("first_name"), field_of("company", Formed()))
    return mapping_of(contacts(*fields, match=(("email",),)))


PAIRS = list(permutations(FORMS, 2))


@pytest.mark.parametrize(("before", "after"), tried(PAIRS, ring(list(FORMS))))
def test_a_night_after_the_change_has_nothing_to_do(before: str, after: str) -> None:
    """Whatever each side holds: nothing is planned, and asked is what the former form had hidden alone, night after night."""
    hidden = set()
    with World(mapping=mapping_with(before)) as world:
        for at, (app, ghl) in enumerate((app, ghl) for app in VALUES for ghl in VALUES):
            email = f"p{at}@x.com"
            world.app.put(C, {"email": email, "company": app})
            world.ghl.put(C, {"email": email, "company": ghl})
            # What was carried to a blank is what the former form had left of it.
            left, right = app or FORMS[before](ghl or ""), ghl or FORMS[before](app or "")
            if (
                (app or ghl)
                and FORMS[before](left) == FORMS[before](right)
                and FORMS[after](left) != FORMS[after](right)
            ):
                hidden.add((FORMS[after](left), FORMS[after](right)))
        for hold in world.run().holds:
            world.decide(hold, "leave")
        world.run()
        assert not world.plan().operations
        world.mapping = mapping_with(after)
        for _ in range(2):
            night = world.run()
            assert night.operations == ()
            assert {(hold.values["app"], hold.values["ghl"]) for hold in night.holds} == hidden


KEEPING = [
    pair
    for pair in PAIRS
    if all(FORMS[pair[1]](FORMS[pair[0]](v)) == FORMS[pair[1]](v) for v in VALUES if v)
]
"""Pairs of forms of which the former one loses nothing that the later one keeps."""


@pytest.mark.parametrize(("before", "after"), tried(KEEPING, KEEPING[::3]))
def test_an_edit_in_the_night_of_the_change_travels_alone(before: str, after: str) -> None:
    """An edit goes across as the edit that it is, and what else its record holds, also where the sides differ, is as it was."""
    with World(mapping=mapping_with(before), limits={"max_update_share": 1.0}) as world:
        for at, (app, ghl) in enumerate((app, ghl) for app in VALUES for ghl in VALUES):
            world.app.put(C, {"email": f"p{at}@x.com", "company": app}, key=f"p{at}")
            world.ghl.put(C, {"email": f"p{at}@x.com", "company": ghl})
        for hold in world.run().holds:
            world.decide(hold, "leave")
        world.run()
        world.run()
        world.app.put(C, {"email": "new@x.com", "company": "Ab c"}, key="new")
        world.run()
        for at in range(len(VALUES) ** 2):
            world.app.edit(C, f"p{at}", {"first_name": "Ann"})
        world.app.edit(C, "new", {"company": "Zed"})
        world.mapping = mapping_with(after)
        night = world.run()
        changed = [dict(operation.after) for operation in night.operations]
        assert {"company": FORMS[after]("Zed")} in changed
        assert changed.count({"first_name": "Ann"}) == len(changed) - 1
        assert not night.holds


def test_baselines_of_what_was_out_of_reach_are_renewed_when_it_is_read() -> None:
    """A link that the first night under the new codec did not see keeps its old baseline, and is compared by what it means."""
    with World(mapping=mapping_with("lower case")) as world:
        world.app.put(C, {"email": "ann@x.com", "company": "Ab c"}, key="ann")
        world.run()
        world.run()
        world.mapping = mapping_with("upper case")
        world.set_vices(Side.APP, incomplete={C: "it broke off"})
        world.run()
        world.set_vices(Side.APP, incomplete={})
        world.app.edit(C, "ann", {"company": "Zed"})
        night = world.run()
        assert [dict(operation.after) for operation in night.operations] == [{"company": "ZED"}]
        assert not night.holds


def test_what_a_run_made_is_known_by_its_codecs() -> None:
    """Links of new records, and of those that were compared, are marked at once: no later night reads them anew."""
    with World(mapping=mapping_with("lower case")) as world:
        world.app.put(C, {"email": "ann@x.com", "company": "Ab c"})
        for _ in range(2):
            world.run()
            marks = [row for batch in world.ledger.links(C, ["codecs"]) for row in batch]
            assert marks == [(world.mapping[C].codecs,)]
        assert world.ledger.state().codecs == world.mapping.codecs


def test_the_telephone_codec_is_as_old_as_its_metadata() -> None:
    """A new version of the library is another revision: what a possible number is may have changed."""
    import phonenumbers

    assert phonenumbers.__version__ in Phone().revision
    assert Phone().revision != Email().revision


SAMPLES = (
    "Ann  Lee",
    " ANN@X.com ",
    "łukasz@exämple.fr",
    "ann@xn--exmple-cua.fr",
    "call 12",
    "2026-01-31",
    "31 Jan 2026",
    "2026/1/5",
    "1769900000000",
    "2026-01-31T10:00:00+02:00",
    "2026-01-31 10:00",
    "012.50",
    "1e3",
    "-0",
    "Yes",
    "0",
    "perhaps",
    "done",
    "a, B,a",
    '["b","A"]',
    "<p>a<br>b</p>",
    "a &lt; b",
    "Cafe\u0301",
    "x\r\ny",
)

CANONICAL = {
    "text 1": "b4a2f71c125a8121e29d",
    "text 2": "b4a2f71c125a8121e29d",
    "name 1": "2bd594bb9b7f424f8e4f",
    "email 1": "2dd2c7fc412956dbb75e",
    "email 2": "5452edb92c09676f9803",
    "date 1": "44c5e1d01a4b225edfd0",
    "instant 1": "6f3d8fbe6d4f03dd2b72",
    "decimal 1": "35c15a049e8dfac836bf",
    "decimal_comma 1": "29853f90d06a4c823ef7",
    "digits 2": "846579967e7c609ae8e9",
    "bool 1": "8413a19f08b0b1649a00",
    "choice 1": "d44ccf8cd85727213d7b",
    "consent 1": "d44ccf8cd85727213d7b",
    "tags 1": "67b2775156bfe4efb9f4",
    "set 1": "2cae4a0c178b849cbca9",
    "html 1": "64732f70a98dbd261941",
}
"""What each codec makes of the samples, by its name and revision; former revisions may stay.

Where a codec's value changes, so must its revision, and a line is added.
"""


def test_what_is_canonical_changes_with_the_revision_alone() -> None:
    """A codec that makes something else of a sample needs another revision, or every edit of that night is a conflict."""
    found = {}
    for name in CODECS:
        if name != "phone":  # its revision is the library's
            codec = codec_named(name, choices={"done": "true"})
            cells = [codec.decode([sample], side) for sample in SAMPLES for side in Side]
            found[f"{name} {codec.revision}"] = fingerprint(*cells)
    assert {name: value for name, value in found.items() if CANONICAL.get(name) != value} == {}
