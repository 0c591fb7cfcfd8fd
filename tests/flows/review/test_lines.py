"""What the terminal shows of one question."""

from __future__ import annotations

from flows.review.lines import _NOTHING, _records, sentence_of, side_text
from flows.review.questions import Question, Shown
from flows.terminal import Console
from reconcile.model import Side


def test_a_record_that_is_gone_is_not_shown_as_blank() -> None:
    """Of what was deleted on a side nothing is left but its key: the list shows no name there, the question says gone."""
    left = Shown(Side.APP, "70", "Gina Reed", {"email": "gina@x.com"})
    gone = Shown(Side.GHL, "g70", "g70", {})
    each = Question(
        hold_id="0" * 20,
        kind="delete",
        entity="contact",
        label="Gina Reed",
        because="deleted in GHL",
        asked_at="2026-01-01T00:00:00Z",
        age_days=0,
        digest="",
        field=None,
        side=Side.APP,
        app_key="70",
        ghl_key="g70",
        run_id="run",
        options=("delete", "keep"),
        values={},
        records=(left, gone),
        candidates=(),
        along={},
        answer=None,
    )
    assert str(side_text(each, Side.APP)) == "Gina Reed"
    assert side_text(each, Side.GHL) == _NOTHING
    assert sentence_of("deleted in GHL") == "Deleted in GHL."
    assert sentence_of("shall it be there again?") == "Shall it be there again?"
    console = Console(width=80)
    with console.capture() as said:
        console.print(_records(each))
    assert "GHL: gone (g70)" in said.get()
    assert "≠" not in said.get()
    assert "blank" not in said.get()
