"""review: lists what is held for a person, shows a question, takes answers and takes them back."""

from __future__ import annotations

import getpass
import json as jsons
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter
from cyclopts.validators import Number

from flows.commands.options import Json, PairFile, Port
from flows.commands.printed import print_json
from flows.terminal import Console

if TYPE_CHECKING:
    from flows.review.choosing import View
    from flows.review.desk import Desk
    from flows.review.questions import Question
    from flows.review.together import Proposal

Flag = Parameter(negative="")


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Which:
    """The questions that are listed, or answered with --all."""

    kind: Annotated[str, Parameter(help="only questions of this kind, such as conflict")] = ""
    entity: Annotated[str, Parameter(help="only those about this kind of record, such as task")] = (
        ""
    )
    field: Annotated[str, Parameter(help="only those about this field")] = ""
    side: Annotated[str, Parameter(help="only those about a record of the app, or of ghl")] = ""
    search: Annotated[str, Parameter(help="only those with this text in a name or a value")] = ""
    state: Annotated[
        Literal["open", "answered", "all"] | None,
        Parameter(help="not answered yet, answered, or all; default: all, and with --all open"),
    ] = None

    def view(self, usual: str) -> View:
        """The same as a view; `usual` is the state where none is named."""
        from flows.review.choosing import View

        return View(
            kind=self.kind,
            entity=self.entity,
            field=self.field,
            side=self.side,
            text=self.search,
            state=self.state or usual,
        )

    @property
    def words(self) -> str:
        """The same as words of a command line."""
        import shlex

        names = ("kind", "entity", "field", "side", "search", "state")
        values = ((name, getattr(self, name)) for name in names)
        return "".join(f" --{name} {shlex.quote(value)}" for name, value in values if value)


_ALL = Which()


@dataclass(frozen=True, slots=True)
class _Request:
    """One call of the command, as its parts need it."""

    target: str | None
    choice: str | None
    pair: Path
    which: Which
    take: str
    preview: bool
    shown: str | None
    from_file: Path | None
    reason: str
    limit: int


class _Ending(NamedTuple):
    """What a call came to: as JSON, as lines, and the exit code."""

    document: Any
    tell: Callable[[Console], None]
    code: int


def review(
    target: Annotated[
        str | None,
        Parameter(
            name="ID",
            help="a question, by its id or the beginning of it; without it, all are listed",
        ),
    ] = None,
    choice: Annotated[str | None, Parameter(help="one of its options")] = None,
    /,
    *,
    pair: PairFile,
    which: Which = _ALL,
    every: Annotated[
        bool, Parameter(name="--all", negative="", help="answer all that the filters let through")
    ] = False,
    take: Annotated[str, Parameter(help="the answer to all of them")] = "",
    preview: Annotated[
        bool, Flag, Parameter(help="say what it would do, and record nothing")
    ] = False,
    shown: Annotated[
        str | None, Parameter(help="answer only if all is still as that preview showed it")
    ] = None,
    undo: Annotated[
        bool, Flag, Parameter(help="take the last act back, or the one whose id is given")
    ] = False,
    acts: Annotated[bool, Flag, Parameter(help="list what was answered, newest first")] = False,
    reason: Annotated[str, Parameter(help="why, for whoever asks later")] = "",
    by: Annotated[str | None, Parameter(help="who decides; default: you")] = None,
    from_file: Annotated[
        Path | None, Parameter(help="a report's spreadsheet with its decision column filled in")
    ] = None,
    web: Annotated[bool, Flag, Parameter(help="answer in a local web page, until Ctrl-C")] = False,
    port: Annotated[Port, Parameter(help="the page's port; default: a free one")] = 0,
    limit: Annotated[
        int, Parameter(help="so many are listed", validator=Number(gte=1, lte=1_000_000))
    ] = 25,
    json: Json = False,
) -> int:
    """List what is held for a person, oldest first; look at one; answer one or many; undo that.

    The next run carries the answers out.
    """
    one = target is not None and not undo  # with --undo, the id is that of an act
    _refuse_two(target=one, from_file=from_file, web=web, every=every, undo=undo, acts=acts)
    way: Callable[[Desk, _Request], _Ending] = _list
    if every:
        way = _all
    elif undo:
        way = _undo
    elif acts:
        way = _acts
    elif from_file is not None:
        way = _file
    elif one:
        way = _one
    call = _Request(target, choice, pair, which, take, preview, shown, from_file, reason, limit)
    answers = web or every or undo or choice is not None or from_file is not None
    if answers and not preview:  # who only looks need not have a name
        by = by or _user()
    with _desk(pair, by or "") as desk:
        if web:
            _serve(desk, port, aside=json)
        ending = way(desk, call)
        if json:
            print_json(ending.document)
        else:
            ending.tell(Console())
    return ending.code


def _refuse_two(**ways: object) -> None:
    """Raise StateError where more than one way to answer was asked for."""
    from reconcile.errors import StateError

    if sum(map(bool, ways.values())) > 1:
        raise StateError(
            "an answer, --all, --from-file, --web, --undo and --acts do not go together",
            remedy="give them one after the other",
            code="ONE_ANSWER",
        )


def _user() -> str:
    """Who decides where nobody is named.

    Raises StateError where this process's user has no name, as in some containers.
    """
    from reconcile.errors import StateError

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise StateError(
            "this process's user has no name", remedy="say who decides with --by", code="NO_USER"
        ) from None


@contextmanager
def _desk(pair: Path, who: str) -> Iterator[Desk]:
    from flows.clock import now
    from flows.config import load
    from flows.outcome.links import links_of
    from flows.outcome.sought import sources
    from flows.review.desk import Desk
    from flows.review.questions import Evidence
    from flows.state.imprints import trusted
    from flows.state.stores import runs_folder
    from reconcile.ledger.ledger import Ledger
    from reconcile.plan.limits import Limits

    loaded = load(pair)
    ledger = Ledger(loaded.ledger_url.get_secret_value(), loaded.name)

    def bring(folder: Path) -> Path:
        return trusted(loaded, ledger, folder, "report.json")

    names = [field.name for entity in loaded.mapping.entities for field in entity.fields]
    fields = dict.fromkeys(names)
    limits = Limits(**loaded.limits)
    evidence = Evidence(runs_folder(loaded), bring=bring)
    try:
        yield Desk(
            ledger,
            evidence,
            who,
            now,
            tuple(fields),
            links_of(loaded),
            limits,
            partial(sources, loaded, ledger),
        )
    finally:
        ledger.close()


def _serve(desk: Desk, port: int, *, aside: bool) -> None:
    from flows.review.serving import serve

    stream = sys.stderr if aside else sys.stdout
    serve(desk, port=port, tell=lambda url: print(url, file=stream, flush=True))


# looking ------------------------------------------------------------------------------------------


def _list(desk: Desk, call: _Request) -> _Ending:
    from flows.review import lines

    pending = desk.questions()
    questions = call.which.view("all").check(pending, desk.fields).fitting(pending)
    bodies = {row.hold_id: jsons.loads(row.body) for row in desk.ledger.holds()}
    document = [
        {
            "options": [],
            **bodies[each.hold_id],
            "label": each.label,
            "first_seen": each.asked_at,
            **lines.answer_of(each),
        }
        for each in questions
    ]

    def tell(console: Console) -> None:
        if questions or not call.which.words:
            lines.tell_list(console, questions, limit=call.limit, pair=str(call.pair))
        else:
            lines.say(console, f"No question matches{call.which.words}.")

    return _Ending(document, tell, _open(questions))


def _open(questions: Any) -> int:
    """The exit code: 1 while a question is without an answer."""
    return int(any(each.answer is None for each in questions))


def _one(desk: Desk, call: _Request) -> _Ending:
    """Show a question, or answer it."""
    from flows.review.together import Proposal

    beginning = call.target or ""
    questions = desk.questions()
    hold_id = _hold_id(desk, questions, beginning)
    question = next((each for each in questions if each.hold_id == hold_id), None)
    if call.choice is None:
        return _look(desk, call, questions, hold_id, question)
    choice = _choice(question, call.choice)
    if not call.preview:
        return _answer(desk, call, hold_id, choice, question)
    if question is None:
        raise _not_open(hold_id)
    proposal = Proposal(((question, choice),))
    _check(desk, proposal)
    return _previewed(desk, proposal, f"review {beginning} {choice} --pair {call.pair}")


def _look(
    desk: Desk,
    call: _Request,
    questions: list[Question],
    hold_id: str,
    question: Question | None,
) -> _Ending:
    from flows.review import lines
    from flows.review.naming import short_ids

    if question is None:
        raise _not_open(hold_id)
    name = short_ids([each.hold_id for each in questions])[hold_id]
    return _Ending(
        lines.document_of(question, desk),
        lambda console: lines.tell_one(console, question, desk, name=name, pair=str(call.pair)),
        0,
    )


def _answer(
    desk: Desk, call: _Request, hold_id: str, choice: str, question: Question | None
) -> _Ending:
    from flows.review import lines, wording
    from flows.review.deciding import answer

    act_id = answer(desk.ledger, hold_id, choice, by=desk.by, at=desk.now(), reason=call.reason)
    about = f"question {hold_id}"
    does = "The next run carries it out."
    if question is not None:
        about = lines.joined(question.label, question.field)
        does = wording.sentence(question, choice)
    return _noted(desk, act_id, 1, f"Noted for {about}: {does}", choice=choice)


def _choice(question: Question | None, word: str) -> str:
    """An option by its word, or a candidate by the beginning of its key, or by `link` alone."""
    from flows.review.together import ONE_LINK, choice_for
    from reconcile.report import asking

    # A settled question may have an answer that can be replaced: what it offers, the ledger knows.
    if question is None or word in question.options:
        return word
    key = word.removeprefix(asking.LINK)
    begins = [each for each in question.options if each.startswith(asking.LINK + key)]
    if word != ONE_LINK and word.startswith(asking.LINK) and key and len(begins) == 1:
        return begins[0]
    return choice_for(question, word) or word


def _hold_id(desk: Desk, questions: list[Question], beginning: str) -> str:
    """The question that is meant: an open one, or one that was settled."""
    from flows.review.naming import whole_id
    from reconcile.errors import StateError

    nothing = StateError(
        f"there is no hold {beginning}", remedy="list them with `review`", code="NO_HOLD"
    )
    try:
        return whole_id(beginning, [each.hold_id for each in questions], otherwise=nothing)
    except StateError as error:
        if error is not nothing:
            raise
        known = [row.hold_id for row in desk.ledger.holds(only_open=False)]
        return whole_id(beginning, known, otherwise=nothing)


def _not_open(hold_id: str) -> Exception:
    from reconcile.errors import StateError

    return StateError(
        f"question {hold_id} is not open any more: it was settled",
        remedy="list the open ones with `review`; what became of it, `explain` tells",
        code="NOT_OPEN",
    )


# answering ----------------------------------------------------------------------------------------


def _all(desk: Desk, call: _Request) -> _Ending:
    """Answer all that match, or say what that would do."""
    from flows.review.together import give, propose

    pending = desk.questions()
    questions = call.which.view("open").check(pending, desk.fields).fitting(pending)
    proposal = propose(questions, call.take)
    if call.preview:
        _check(desk, proposal)
        words = f"review --all{call.which.words} --take {call.take}"
        return _previewed(desk, proposal, f"{words} --shown {proposal.digest} --pair {call.pair}")
    recorded = give(desk, proposal, reason=call.reason, shown=call.shown)
    does = "; ".join(f"{number:,} {what}" for number, what in proposal.counts)
    said = f"Noted {recorded.count:,} answers: {does}."
    return _noted(desk, recorded.act_id, recorded.count, said, choice=call.take)


def _file(desk: Desk, call: _Request) -> _Ending:
    """Read the answers of a spreadsheet."""
    from flows.review.deciding import answer_all, check_all
    from flows.review.together import Proposal
    from reconcile.report.decisions import decisions_from

    path = call.from_file
    assert path is not None  # noqa: S101  it is what the caller asked for
    decided = decisions_from(path)
    if call.preview:
        new = check_all(desk.ledger, decided, by=desk.by, at=desk.now())
        choices = {each.hold_id: each.choice for each in new}
        answered = [each for each in desk.questions() if choices.get(each.hold_id)]
        proposal = Proposal(tuple((each, choices[each.hold_id]) for each in answered))
        return _previewed(desk, proposal, f"review --from-file {path} --pair {call.pair}")
    recorded = answer_all(desk.ledger, decided, by=desk.by, at=desk.now(), reason=call.reason)
    said = f"Noted {recorded.count:,} answers of {path.name}"
    before = len(decided) - recorded.count
    if before:
        said += f"; {before:,} stood there already"
    return _noted(desk, recorded.act_id, recorded.count, f"{said}.")


def _check(desk: Desk, proposal: Proposal) -> None:
    """Raise what giving these answers would raise."""
    from flows.review.deciding import check_all
    from flows.review.together import decided_of

    check_all(desk.ledger, decided_of(proposal, ""), by=desk.by, at=desk.now())


def _previewed(desk: Desk, proposal: Proposal, again: str) -> _Ending:
    from flows.review import lines
    from flows.review.foreseeing import over_limits

    over = over_limits(desk, proposal)
    return _Ending(
        {**proposal.document, "preview": True, "over_limits": over},
        lambda console: lines.tell_preview(console, proposal, over, again),
        0,
    )


def _noted(
    desk: Desk, act_id: str | None, count: int, said: str, *, choice: str | None = None
) -> _Ending:
    """What an act came to, in one line."""
    from flows.review import lines

    questions = desk.questions()
    waiting = sum(each.answer is None for each in questions)
    document = {"act_id": act_id, "answers": count, "choice": choice, "waiting": waiting}
    left = f"{waiting:,} still open" if waiting else "None is left open"
    line = f"{said} {left}."
    if act_id:
        line += f" Take it back: review --undo {act_id}"
    return _Ending(document, lambda console: lines.say(console, line), _open(questions))


# taking back --------------------------------------------------------------------------------------


def _undo(desk: Desk, call: _Request) -> _Ending:
    """Take an act back: the one that is named, or the last that was not taken back."""
    from flows.review import lines
    from reconcile.ledger.acts import take_back

    act_id = _act_id(desk, call.target)
    back = take_back(desk.ledger, act_id, by=desk.by, at=desk.now())
    questions = desk.questions()
    document = {
        "act_id": act_id,
        "reopened": back.reopened,
        "too_late": back.too_late,
        "waiting": sum(each.answer is None for each in questions),
        "plans": _plans_with(desk, back.act.at),
    }
    return _Ending(document, lambda console: lines.tell_undone(console, document), _open(questions))


def _act_id(desk: Desk, beginning: str | None) -> str:
    from flows.review.naming import whole_id
    from reconcile.errors import StateError
    from reconcile.ledger.acts import acts

    known = acts(desk.ledger, limit=100_000)
    remedy = "list them with `review --acts`"
    if beginning is None:
        for act in known:
            if act.undone_at is None:
                return act.act_id
        what = "nothing was answered that could be taken back"
        raise StateError(what, remedy=remedy, code="NO_ACT")
    nothing = StateError(f"there is no act {beginning}", remedy=remedy, code="NO_ACT")
    return whole_id(beginning, [act.act_id for act in known], otherwise=nothing)


def _plans_with(desk: Desk, since: str) -> list[str]:
    """The digests of plans that wait for approval, and were made when the answers stood already."""
    from reconcile.ledger import runs

    rows = [row for row in runs.runs(desk.ledger) if row.started_at >= since]
    return [row.plan_digest for row in rows if row.state == "planned" and row.plan_digest]


def _acts(desk: Desk, call: _Request) -> _Ending:
    """What was answered so far."""
    from dataclasses import asdict

    from flows.review import lines
    from reconcile.ledger.acts import acts

    known = acts(desk.ledger, limit=call.limit)
    return _Ending(
        [asdict(act) for act in known], lambda console: lines.tell_acts(console, known), 0
    )
