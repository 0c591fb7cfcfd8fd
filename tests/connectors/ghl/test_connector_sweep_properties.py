"""Whatever people do while all contacts are read: a complete proof means that nobody was missed or read twice."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.model import Entity
from reconcile.ports import Page, Proof
from tests.connectors.ghl.fake_ghl import START, SearchOnly, connector

CONTACTS = {Entity.CONTACT: ("firstName",)}
EDITS = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from(["add", "delete"]), st.integers(0, 10_000)),
    max_size=12,
)
TIMES = st.lists(st.integers(0, 20) | st.integers(0, 150_000_000_000), max_size=150)


@settings(max_examples=150, deadline=None)
@given(
    times=TIMES,
    edits=EDITS,
    ranges=st.sampled_from(["yes", "yes", "refused", "ignored"]),
    page_size=st.integers(1, 9),
    width=st.integers(1, 5),
)
def test_a_complete_read_missed_nobody(
    times: list[int], edits: list[tuple[int, str, int]], ranges: str, page_size: int, width: int
) -> None:
    """Everyone who was there from beginning to end is read exactly once, whoever comes and goes meanwhile."""
    side = SearchOnly([START + at for at in times], ranges=ranges)
    steady = {key for _, key in side.rows}

    def meddle(
        number: int, page: list[dict[str, Any]], total: int
    ) -> tuple[list[dict[str, Any]], int]:
        with side.lock:
            for at, what, place in edits:
                if at == number and what == "add":
                    side.rows = sorted(
                        [*side.rows, (START + place * 10_000_000, f"new{number}.{place}")]
                    )
                elif at == number and side.rows:
                    _, key = side.rows.pop(place % len(side.rows))
                    steady.discard(key)
        return page, total

    side.spoil = meddle
    reader = connector(side, fields=CONTACTS, page_size=page_size, concurrency=width)
    *pages, proof = reader.extract(Entity.CONTACT)
    assert isinstance(proof, Proof)
    keys = [
        line.split(b'"')[3].decode()
        for page in pages
        if isinstance(page, Page)
        for line in page.lines.splitlines()
    ]
    assert len(keys) == len(set(keys))
    if proof.complete:
        assert steady <= set(keys)
    else:
        assert proof.why_incomplete
        assert edits, "without edits nothing can be missing"
