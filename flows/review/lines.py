"""What `review` says in a terminal: the list, one question whole, a preview, an act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from flows.review import wording
from flows.review.naming import short_ids
from flows.review.questions import Answer, Question, Shown
from flows.review.tangles import WHICH, tangle_of
from flows.review.together import Group, Proposal, groups, shared_options
from flows.review.tracing import Trace, traces
from flows.terminal import Console
from reconcile.model import Side
from reconcile.report import asking

if TYPE_CHECKING:
    from flows.review.desk import Desk
    from reconcile.ledger.acts import Act

_GROUPS = 5
"""So many groups of alike questions are named above the list."""

# Five are read and answered within a minute; a command to copy for each pair would only be noise.
_FEW = 4
"""Up to so many alike questions are as quickly answered one by one."""


def say(console: Console, text: str, style: str = "") -> None:
    """A line of plain text, wrapped at the terminal's width."""
    console.print(Text(text, style=style))


def say_command(console: Console, words: str) -> None:
    """A command to copy: it is never broken."""
    console.print(Text(f"  ghl-reconcile {words}"), soft_wrap=True)


# the list -----------------------------------------------------------------------------------------


def tell_list(console: Console, questions: Sequence[Question], *, limit: int, pair: str) -> None:
    """Every question that fits: those that can be answered here, then those that cannot."""
    answerable = [each for each in questions if each.options]
    at_source = [each for each in questions if not each.options]
    names = short_ids([each.hold_id for each in questions])
    say(console, headline(questions), "bold")
    _tell_alike(console, answerable, pair)
    if answerable:
        console.print(_answerable(answerable[:limit], names))
        _tell_rest(console, len(answerable), limit)
    if at_source:
        say(console, "\nNot to be answered here: each closes once its value is corrected.", "bold")
        console.print(_at_source(at_source[:limit], names))
        _tell_rest(console, len(at_source), limit)
    if answerable:
        say(console, "\nLook at one, then answer it:")
        first = names[answerable[0].hold_id]
        say_command(console, f"review {first} --pair {pair}")


def headline(questions: Iterable[Question]) -> str:
    """How many wait, how many are answered, and how many are to be corrected at their source."""
    listed = list(questions)
    answered = sum(each.answer is not None for each in listed)
    at_source = sum(not each.options and each.answer is None for each in listed)
    waiting = len(listed) - answered - at_source
    parts = [f"{waiting:,} {_plural(waiting, 'question waits', 'questions wait')} for an answer"]
    if at_source:
        parts.append(f"{at_source:,} to be corrected at the source")
    if answered:
        parts.append(f"{answered:,} answered, for the next run to carry out")
    return "; ".join(parts) + "."


def _plural(number: int, one: str, many: str) -> str:
    return one if number == 1 else many


def _tell_alike(console: Console, answerable: Sequence[Question], pair: str) -> None:
    """The largest groups of alike questions, each with the command that answers it."""
    alike = [group for group in groups(answerable) if len(group.questions) > _FEW]
    if not alike:
        return
    say(console, "\nAlike, and answered in one act (add --preview to see first what it does):")
    for group in alike[:_GROUPS]:
        number = len(group.questions)
        about = joined(group.heading, group.entity, group.field)
        say(console, f"{number:,} {about}")
        say_command(console, _group_command(group, pair))
    say(console, "")


def _group_command(group: Group, pair: str) -> str:
    words = ["review", "--all", "--kind", group.kind, "--entity", group.entity]
    if group.field:
        words += ["--field", group.field]
    options = "|".join(group.options)
    words += ["--take", options, "--pair", pair]
    return " ".join(words)


def joined(*parts: str | None) -> str:
    """The parts that there are, as one heading."""
    return " · ".join(part for part in parts if part)


def _answerable(questions: Sequence[Question], names: Mapping[str, str]) -> Table:
    table = _table("id", "record", "question", "the app", "GHL", "answers")
    for each in questions:
        table.add_row(
            names[each.hold_id],
            Text(each.label),
            Text(joined(wording.kind(each), each.field)),
            side_text(each, Side.APP),
            side_text(each, Side.GHL),
            _answers(each),
        )
    return table


def _answers(question: Question) -> Text:
    answer = question.answer
    if answer is not None:
        return Text(f"→ {answer.choice} ({answer.by})", style="green")
    links = sum(option.startswith(asking.LINK) for option in question.options)
    words = list(shared_options(question))
    if links > 1:
        words.insert(0, f"link to one of {links}")
    return Text(", ".join(words))


def side_text(question: Question, side: Side) -> Text:
    """What one side holds: the value that the question is about, else the records by name."""
    if side in question.values:
        value = question.values[side]
        if not isinstance(value, Mapping):
            return _cell(value)
    records = (*question.records, *question.candidates)
    # Of a record that is gone nothing is left but its key.
    there = [shown.label for shown in records if shown.side is side and shown.values]
    if there:
        return Text(", ".join(there))
    return _NOTHING


_NOTHING = Text("–", style="dim")  # noqa: RUF001 - a dash, as people set one


def _cell(value: Any) -> Text:
    if value is None:
        return Text("blank", style="dim")
    return Text(str(value))


def _at_source(questions: Sequence[Question], names: Mapping[str, str]) -> Table:
    table = _table("id", "record", "field", "why")
    for each in questions:
        name = names[each.hold_id]
        table.add_row(name, Text(each.label), Text(each.field or ""), Text(each.because))
    return table


def _table(*heads: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold", no_wrap=head == "id")
    return table


def _tell_rest(console: Console, number: int, limit: int) -> None:
    if number > limit:
        ways = f"--limit {number}, or --kind, --entity, --field, --side, --search"
        say(console, f"… and {number - limit:,} more: {ways}", "dim")


# one question -------------------------------------------------------------------------------------


def tell_one(console: Console, each: Question, desk: Desk, *, name: str, pair: str) -> None:
    """One question whole: values, records, since when, and every answer with what it does."""
    # Only questions about which record is which share more than one record.
    tangle = tangle_of(desk.questions(), each.hold_id) if each.kind in WHICH else None
    heading = joined(each.label, each.field)
    say(console, f"{heading}: {wording.kind(each)} ({each.entity})", "bold")
    say(console, sentence_of(each.because))
    if "app" in each.values and "ghl" in each.values:
        console.print(_versus(each, traces(desk.ledger, each)))
    if each.records or each.candidates:
        console.print(_records(each))
    say(console, _facts(each), "dim")
    for record, address in _pages(each, desk):
        console.print(Text(f"{record.side.label}: {address}", style="dim"), soft_wrap=True)
    if tangle is not None:
        others = [other.hold_id for other in tangle.questions if other.hold_id != each.hold_id]
        say(console, f"\nThe same records are asked about in {', '.join(others)}.")
        say(console, "One answer settles all of them on the page:")
        say_command(console, f"review --web --pair {pair}")
    if each.answer is not None:
        say(console, _given(each, each.answer), "green")
    if not each.options:
        say(console, f"\n{wording.AT_SOURCE}")
        return
    say(console, "\nAnswers:")
    console.print(_options(each))
    say_command(console, f"review {name} {each.options[0]} --pair {pair}")


def sentence_of(because: str) -> str:
    """A reason as a sentence."""
    end = "" if because.endswith("?") else "."
    return because[:1].upper() + because[1:] + end


def _pages(each: Question, desk: Desk) -> list[tuple[Shown, str]]:
    """The records that have a page of their own, with its address."""
    pages = []
    for record in (*each.records, *each.candidates):
        address = desk.links.to(each.entity, record)
        if address is not None:
            pages.append((record, address))
    return pages


def _facts(each: Question) -> str:
    parts = [f"asked first {each.asked_at[:10]}", each.hold_id]
    if each.ghl_key:
        parts.insert(0, f"key in GHL {each.ghl_key}")
    if each.app_key:
        parts.insert(0, f"key in the app {each.app_key}")
    return "; ".join(parts)


def _given(each: Question, answer: Answer) -> str:
    title = wording.title(each, answer.choice)
    reason = f": {answer.reason}" if answer.reason else ""
    return f"\nAnswered: {title}, by {answer.by}{reason}. The next run carries it out."


def _options(each: Question) -> Table:
    table = _table("", "")
    table.show_header = False
    for option in each.options:
        title = wording.title(each, option)
        does = wording.sentence(each, option)
        table.add_row(Text(option, style="cyan"), Text(f"{title}. {does}"))
    return table


def _versus(each: Question, evidence: Sequence[Trace]) -> Table:
    table = _table(each.field or "value", "the app", "GHL")
    values = each.values
    table.add_row(Text("now", style="dim"), _cell(values["app"]), _cell(values["ghl"]))
    if evidence:
        changed = [Text(trace.changed) for trace in evidence]
        table.add_row(Text("changed last", style="dim"), *changed)
        before = [Text("\n".join(_sources(trace))) for trace in evidence]
        table.add_row(Text("last values", style="dim"), *before)
    elif "base_app" in values or "base_ghl" in values:
        before = [_cell(values.get(name)) for name in ("base_app", "base_ghl")]
        table.add_row(Text("last agreed", style="dim"), *before)
    return table


def _sources(trace: Trace) -> list[str]:
    return [f"{known.value or 'blank'} ({known.source})" for known in trace.values]


def _records(each: Question) -> Table:
    records = (*each.records, *each.candidates)
    table = _table("", *(_record_heading(each, record) for record in records))
    for field in each.fields:
        values = [record.values.get(field) for record in records if record.values]
        mark = "  " if len(set(values)) == 1 else "≠ "
        shown = [
            _cell(record.values.get(field)) if record.values else _NOTHING for record in records
        ]
        table.add_row(Text(mark + field, style="dim"), *shown)
    return table


def _record_heading(each: Question, record: Shown) -> str:
    place = record.side.label
    if record in each.candidates:
        place = f"candidate in {place}"
    name = record.label if record.values else "gone"
    return f"{place}: {name} ({record.key})"


# acts ---------------------------------------------------------------------------------------------


def tell_preview(console: Console, proposal: Proposal, over: Sequence[str], again: str) -> None:
    """What the answers will do, counted and with the first few; `again` gives them."""
    number = len(proposal.answers)
    answers = _plural(number, "answer", "answers")
    say(console, f"{number:,} {answers}; nothing is recorded yet.", "bold")
    for count, what in proposal.counts:
        say(console, f"  {count:,} {what}")
    if proposal.replaced:
        say(console, f"  {proposal.replaced:,} of them are answered already: that is replaced.")
    for sentence in over:
        say(console, f"  {sentence}", "yellow")
    for each, does in proposal.first:
        say(console, f"  {joined(each.label, each.field)}: {does}", "dim")
    rest = number - len(proposal.first)
    if rest:
        say(console, f"  … and {rest:,} more", "dim")
    say(console, "To give them:")
    say_command(console, again)


def tell_acts(console: Console, acts: Sequence[Act]) -> None:
    """What was answered so far, newest first."""
    table = _table("id", "when", "who", "answers", "why", "")
    names = short_ids([act.act_id for act in acts])
    for act in acts:
        choices = ", ".join(f"{number} {choice}" for choice, number in act.choices.items())
        undone = ""
        if act.undone_at:
            undone = f"taken back {act.undone_at[:16]} by {act.undone_by}"
        row = (act.at[:16], act.by, choices, act.reason, undone)
        table.add_row(names[act.act_id], *map(Text, row))
    console.print(table)


def tell_undone(console: Console, back: Mapping[str, Any]) -> None:
    """What taking an act back came to."""
    number, late = len(back["reopened"]), len(back["too_late"])
    said = f"Taken back: {number:,} {_plural(number, 'question is', 'questions are')} as before."
    if late:
        said += (
            f" For {late:,} it was too late: a run has carried the answer out, or it was replaced."
        )
    say(console, f"{said} {back['waiting']:,} still open.")
    for digest in back["plans"]:
        say(console, f"Plan {digest} was made with these answers: make it again, do not apply it.")


def document_of(each: Question, desk: Desk) -> dict[str, Any]:
    """One question as JSON, whole."""
    options = [
        {"choice": option, "does": wording.sentence(each, option)} for option in each.options
    ]
    evidence = {trace.side: asdict(trace) for trace in traces(desk.ledger, each)}
    pages = [
        {"side": record.side, "key": record.key, "page": page}
        for record, page in _pages(each, desk)
    ]
    return {
        "hold_id": each.hold_id,
        "kind": each.kind,
        "entity": each.entity,
        "label": each.label,
        "field": each.field,
        "side": each.side,
        "because": each.because,
        "app_key": each.app_key,
        "ghl_key": each.ghl_key,
        "first_seen": each.asked_at,
        "age_days": each.age_days,
        "run_id": each.run_id,
        "values": each.values,
        "records": [_record(shown) for shown in each.records],
        "candidates": [_record(shown) for shown in each.candidates],
        "options": options,
        "evidence": evidence,
        "pages": pages,
        **answer_of(each),
    }


def answer_of(each: Question) -> dict[str, str | None]:
    """Its answer as JSON; all of it null where there is none."""
    answer = each.answer
    if answer is None:
        return dict.fromkeys(("decision", "decided_by", "decided_at", "reason"))
    return {
        "decision": answer.choice,
        "decided_by": answer.by,
        "decided_at": answer.at,
        "reason": answer.reason,
    }


def _record(shown: Shown) -> dict[str, Any]:
    return {
        "side": shown.side,
        "key": shown.key,
        "label": shown.label,
        "values": shown.values,
        "modified_at": shown.modified_at,
    }
