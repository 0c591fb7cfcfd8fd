"""The charts: what is there is seen, and what is not takes no room."""

from __future__ import annotations

import re

import pytest

from reconcile.report.charts import Part, against, columns, stacked
from reconcile.report.mask import mask, masked, scrub
from tests.builders_report import report_of


def widths(svg: str) -> list[float]:
    return [float(width) for width in re.findall(r'width="([\d.]+)"', svg)]


def test_one_in_a_million_is_seen() -> None:
    """A part too small for its share is a sliver, and the whole stays as wide as the bar."""
    svg = stacked(
        [Part("in sync", 1_000_000, "a"), Part("failed", 1, "b"), Part("none", 0, "c")], title="t"
    )
    drawn = widths(svg)
    assert len(drawn) == 2
    assert min(drawn) >= 3
    assert sum(drawn) <= 1000


def test_names_are_escaped() -> None:
    """A label cannot end its element."""
    assert "<b>" not in stacked([Part("<b>", 1, "a")], title='"<b>')


def test_nothing_to_draw_is_no_chart() -> None:
    """Where all is nought there is no empty frame."""
    assert stacked([], title="t") == ""
    assert columns([("r1", [Part("a", 0, "x")])], title="t") == ""


def test_the_last_run_stands_out() -> None:
    """All runs but the last are drawn faintly."""
    svg = columns([(f"r{n}", [Part("a", n + 1, "x")]) for n in range(3)], title="t")
    assert svg.count("opacity") == 2


def test_the_mark_is_where_it_was_expected() -> None:
    """What was used and what was expected share one scale."""
    svg = against(50, 100, title="t")
    used = float(re.findall(r'class="tone-done" x="0" y="2" width="([\d.]+)"', svg)[0])
    mark = float(re.findall(r'class="mark" x="([\d.]+)"', svg)[0])
    assert abs(mark - 2 * used) < 5


def test_what_a_mask_leaves() -> None:
    """Initials and forms stay, people do not; what is nobody's stays whole."""
    assert mask("Grace Hopper") == "G••• H•••"
    assert mask("grace@navy.example") == "g•••@n•••"
    assert mask("+1 888 555 1212") == "•••12"
    assert mask("true") == "true"
    assert mask(None) is None
    assert mask("a note of quite a few words") == "a••• n••• o••• …"
    assert scrub("refused: grace@navy.example, +18885551212") == "refused: •••, •••"


def test_masking_leaves_the_document_alone() -> None:
    """The masked document is another one."""
    whole = report_of(5)
    before = repr(whole)
    assert masked(whole)["changes"][0]["label"] != whole["changes"][0]["label"]
    assert repr(whole) == before


def test_a_tag_change_does_not_name_its_tags_when_masked() -> None:
    """Tags say much about people: their names go, the reason stays."""
    whole = report_of(5)
    whole["changes"][2]["because"] = (
        "vip, hiv positive: changed in the app, not in GHL; lead: changed on both sides"
    )
    change = masked(whole)["changes"][2]
    assert change["because"] == "changed in the app, not in GHL; changed on both sides"
    assert "vip" not in repr(change)


@pytest.mark.parametrize(
    ("entity", "because", "left"),
    [
        (
            "contact",
            "company: decided by ada: Ann; she said: divorced",
            "company: decided by a person",
        ),
        ("contact", "decided by ada", "decided by a person"),
        ("tag", "vip: decided by ada: Ann said; lead: no", "decided by a person"),
        (
            "contact",
            "company: changed in the app, not in GHL",
            "company: changed in the app, not in GHL",
        ),
    ],
)
def test_what_a_person_wrote_with_an_answer_is_masked(entity: str, because: str, left: str) -> None:
    """Neither the name of who decided nor the reason they gave gets through, whatever it holds."""
    whole = report_of(5)
    whole["changes"][0] |= {"entity": entity, "because": because}
    whole["passed"]["counts"] = [
        {"entity": "contact", "side": "app", "class": "c", "because": because, "count": 1}
    ]
    document = masked(whole)
    assert document["changes"][0]["because"] == left
    assert "ada" not in document["passed"]["counts"][0]["because"]
