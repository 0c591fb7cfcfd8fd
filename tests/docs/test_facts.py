"""What the code says of GHL stands in docs/ghl.md, under the heading that it cites, with how it is known."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.measure import ROOT

PAGE = ROOT / "docs" / "ghl.md"
MARKS = ("verified", "reported", "unknown", "inferred")

_CITED = re.compile(r"docs/ghl\.md#([\w-]+)")


def _headings() -> set[str]:
    """The anchors of the page, as the site and GitHub make them."""
    heads = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {head.lower().replace(" ", "-") for head in heads}


def _sources() -> Iterator[tuple[str, str]]:
    """Each file of the product and its tests, by its path, with its text."""
    for folder in ("reconcile", "connectors", "flows", "ghl_reconcile", "tests", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def test_every_fact_that_is_cited_can_be_read() -> None:
    """Each citation leads to a heading that is there."""
    missing = [
        f"{path}: {anchor}"
        for path, text in _sources()
        for anchor in _CITED.findall(text)
        if anchor not in _headings()
    ]
    assert not missing


def test_facts_are_cited_from_nowhere_else() -> None:
    """No file is named that a reader does not have."""
    elsewhere = re.compile(r"\bfacts" + r"\.md|\bfacts, sect")
    assert not [path for path, text in _sources() if elsewhere.search(text)]


def test_each_heading_is_cited_or_says_what_no_line_can() -> None:
    """What no code relies on is not on the page, but for what shapes it as a whole."""
    cited = {anchor for _, text in _sources() for anchor in _CITED.findall(text)}
    assert _headings() - cited == {"deletion", "workflows"}


def test_each_fact_says_how_it_is_known() -> None:
    """Every row has its mark: verified, reported, unknown or inferred."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    facts = [row.split(" | ") for row in rows if not row.startswith("| fact |")]
    assert len(facts) > 50
    assert not [fact for fact, mark, *_ in facts if not any(word in mark for word in MARKS)]
