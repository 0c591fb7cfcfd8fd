"""The review page: what is asked, with the evidence, and answers to one or many; no script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from flows.outcome.explain import explanation
from flows.review import wording
from flows.review.choosing import View
from flows.review.deciding import Changed, answer
from flows.review.desk import Desk
from flows.review.foreseeing import over_limits
from flows.review.gate import Gate
from flows.review.questions import Question
from flows.review.records import records
from flows.review.tangles import OTHERS, Tangle, tangle_of, tangles
from flows.review.together import Group, give, groups, propose
from flows.review.tracing import traces
from reconcile.entities import OWNER, RECORDS, SPECS
from reconcile.errors import ConfigError, Locked, StateError
from reconcile.ledger import acts
from reconcile.ledger.acts import Act, TakenBack
from reconcile.report import asking
from reconcile.templates import templates

if TYPE_CHECKING:
    from jinja2 import Environment

_ASSETS = Path(__file__).with_name("assets")

_LONGEST_KEY = 400


def make_app(desk: Desk, gate: Gate) -> Starlette:
    """The ASGI application; every address begins with the session's token.

    GET: the list, question/ID, together/GROUP (with choice: what it will do), tangle/ID, acts,
    record (why one is as it is, by its key or email).
    POST: answer, answers (many), undo.
    """
    pages = Pages(desk, gate)
    return Starlette(
        routes=[
            Route("/{token}/", pages.listing),
            Route("/{token}/question/{hold_id}", pages.one),
            Route("/{token}/together/{group}", pages.together),
            Route("/{token}/tangle/{hold_id}", pages.tangle),
            Route("/{token}/acts", pages.acts),
            Route("/{token}/record", pages.record),
            Route("/{token}/answer", pages.answer, methods=["POST"]),
            Route("/{token}/answers", pages.answers, methods=["POST"]),
            Route("/{token}/undo", pages.undo, methods=["POST"]),
            Route("/{rest:path}", pages.nothing),
        ]
    )


Form = Mapping[str, Sequence[str]]
"""What a form says: each of its names with all that was given for it."""

Endpoint = Callable[["Pages", Request], Awaitable[Response]]


def guarded(endpoint: Endpoint) -> Endpoint:
    """Ask the gate first; and answer what goes wrong with a page that says what to do."""

    async def checked(pages: Pages, request: Request) -> Response:
        refusal = pages.gate.refusal(request)
        if refusal is not None:
            return pages.problem(*refusal)
        try:
            return await endpoint(pages, request)
        except (Changed, ConfigError, Locked) as error:
            return pages.problem(409, str(error), link=True)
        except StateError as error:
            return pages.problem(400, str(error), link=True)
        except sa.exc.OperationalError:
            return pages.problem(
                503, "The ledger is busy. Nothing was recorded; try again in a moment.", link=True
            )

    return checked


class Pages:
    """The pages of one session."""

    def __init__(self, desk: Desk, gate: Gate) -> None:
        self.desk, self.gate = desk, gate

    @guarded
    async def listing(self, request: Request) -> Response:
        """What is asked, oldest first, and what of it is alike."""
        view = View.of(request.query_params)
        questions = await run_in_threadpool(self.desk.questions)
        act = await self._act(request)
        return self._page(
            "list.html.j2",
            view=view,
            list=view.list(questions),
            groups=groups(view.fitting(questions)),
            tangles={each.hold_id: one for one in tangles(questions) for each in one.questions},
            **_flash(act, questions, request),
        )

    async def _act(self, request: Request) -> Act | None:
        """The act that the page before this one recorded."""
        act_id = request.query_params.get("act", "")
        if not act_id:
            return None
        return await run_in_threadpool(acts.find, self.desk.ledger, act_id)

    @guarded
    async def one(self, request: Request) -> Response:
        """One question with everything that is known of its record.

        It leads to those beside it.
        """
        view = View.of(request.query_params)
        questions = await run_in_threadpool(self.desk.questions)
        hold_id = request.path_params["hold_id"]
        question = next((each for each in questions if each.hold_id == hold_id), None)
        if question is None:
            return self.problem(
                404, "This question is not open: it was settled, or never asked.", link=True
            )
        lines = await run_in_threadpool(self._history, question)
        evidence = await run_in_threadpool(traces, self.desk.ledger, question)
        act = await self._act(request)
        return self._page(
            "one.html.j2",
            each=question,
            view=view,
            beside=view.beside(questions, hold_id),
            tangle=tangle_of(questions, hold_id),
            history=lines,
            traces=evidence,
            **_flash(act, questions, request),
        )

    def _history(self, question: Question) -> list[str]:
        key = question.app_key or question.ghl_key or ""
        field = question.field_name or None
        story = explanation(self.desk.ledger, question.entity, key, field)
        lines: list[str] = story["lines"]
        return lines

    @guarded
    async def together(self, request: Request) -> Response:
        """Alike questions, to be answered in one act; with a choice, what that will do."""
        query = request.query_params
        view = View.of(query)
        group = await run_in_threadpool(self._group, view, request.path_params["group"])
        if "choice" not in query:
            return self._page("together.html.j2", view=view, group=group)
        without = query.getlist("without")
        proposal = propose(group.apart_from(without), query["choice"])
        hidden = {"group": group.name, "choice": query["choice"], "view": view.query()}
        return self._page(
            "preview.html.j2",
            view=view,
            proposal=proposal,
            over=await run_in_threadpool(over_limits, self.desk, proposal),
            back=f"together/{group.name}?{view.query()}",
            hidden=[*hidden.items(), *(("without", hold_id) for hold_id in without)],
        )

    def _group(self, view: View, name: str) -> Group:
        fitting = view.fitting(self.desk.questions())
        group = next((each for each in groups(fitting) if each.name == name), None)
        if group is None:
            raise Changed(
                "these questions are not open any more, or only one of them is",
                remedy="look at the list again",
            )
        return group

    @guarded
    async def tangle(self, request: Request) -> Response:
        """Questions that share records, with all of these; with an answer, what that will do."""
        query = request.query_params
        view, hold_id = View.of(query), request.path_params["hold_id"]
        tangle = await run_in_threadpool(self._tangle, hold_id)
        if "couple" not in query:
            return self._page("tangle.html.j2", view=view, tangle=tangle, others=OTHERS)
        couple, others = query["couple"], query.get("others", "")
        proposal = tangle.settle(couple, others)
        hidden = {"tangle": hold_id, "couple": couple, "others": others, "view": view.query()}
        return self._page(
            "preview.html.j2",
            view=view,
            proposal=proposal,
            over=await run_in_threadpool(over_limits, self.desk, proposal),
            back=f"tangle/{hold_id}?{view.query()}",
            hidden=list(hidden.items()),
        )

    def _tangle(self, hold_id: str) -> Tangle:
        tangle = tangle_of(self.desk.questions(), hold_id)
        if tangle is None:
            raise Changed(
                "these questions do not share a record any more", remedy="look at the list again"
            )
        return tangle

    @guarded
    async def answer(self, request: Request) -> Response:
        """Record an answer, and go on: to the next question, or back to the list."""
        form = await self._form(request)
        if isinstance(form, Response):
            return form
        view = View.of(dict(parse_qsl(_last(form, "view"))))
        follows = await run_in_threadpool(self._follows, form, view)
        act_id = await run_in_threadpool(self._record, form)
        place = f"question/{follows}" if follows else ""
        return self._go(f"{place}?{view.query(act=act_id)}#done")

    def _follows(self, form: Form, view: View) -> str | None:
        """The question after the one that is answered.

        It is for a person who goes from one to the next.
        """
        if not _last(form, "next"):
            return None
        return view.beside(self.desk.questions(), _last(form, "hold_id")).after

    def _record(self, form: Form) -> str:
        return answer(
            self.desk.ledger,
            _last(form, "hold_id"),
            _last(form, "choice"),
            by=self.desk.by,
            at=self.desk.now(),
            reason=_reason(form),
            shown=_last(form, "digest"),
        )

    @guarded
    async def answers(self, request: Request) -> Response:
        """Record the answers that a preview has shown, as one act."""
        form = await self._form(request)
        if isinstance(form, Response):
            return form
        view = View.of(dict(parse_qsl(_last(form, "view"))))
        act_id = await run_in_threadpool(self._record_all, form, view)
        return self._go(f"?{view.query(act=act_id, page=1)}#done")

    def _record_all(self, form: Form, view: View) -> str:
        if "tangle" in form:
            tangle = self._tangle(_last(form, "tangle"))
            proposal = tangle.settle(_last(form, "couple"), _last(form, "others"))
        else:
            group = self._group(view, _last(form, "group"))
            left = group.apart_from(form.get("without", ()))
            proposal = propose(left, _last(form, "choice"))
        shown = _last(form, "shown")
        return give(self.desk, proposal, reason=_reason(form), shown=shown).act_id or ""

    @guarded
    async def acts(self, request: Request) -> Response:
        """What was answered so far, newest first."""
        known = await run_in_threadpool(acts.acts, self.desk.ledger)
        return self._page("acts.html.j2", acts=known, view=View.of(request.query_params))

    @guarded
    async def record(self, request: Request) -> Response:
        """Why a record is as it is, or does not sync: by its key on either side, or its email."""
        entity = request.query_params.get("entity", OWNER.value)
        name = request.query_params.get("name", "").strip()[:_LONGEST_KEY]
        matches = await run_in_threadpool(records, self.desk, entity, name) if name else []
        questions = await run_in_threadpool(self.desk.questions) if matches else []
        return self._page(
            "record.html.j2",
            entity=entity,
            name=name,
            matches=matches,
            records_known=[each.value for each in RECORDS],
            open={each.hold_id for each in questions},
        )

    @guarded
    async def undo(self, request: Request) -> Response:
        """Take an act back."""
        form = await self._form(request)
        if isinstance(form, Response):
            return form
        back = await run_in_threadpool(self._take_back, _last(form, "act"))
        view = View.of(dict(parse_qsl(_last(form, "view"))))
        query = view.query(back=len(back.reopened), late=len(back.too_late))
        return self._go(f"?{query}#done")

    def _take_back(self, act_id: str) -> TakenBack:
        return acts.take_back(self.desk.ledger, act_id, by=self.desk.by, at=self.desk.now())

    async def _form(self, request: Request) -> Form | Response:
        """What a form of this page says, or the page that refuses it."""
        refusal = self.gate.refusal_of_form(request)
        if refusal is not None:
            return self.problem(*refusal, link=True)
        body = (await request.body()).decode("utf-8", "replace")
        form = parse_qs(body, keep_blank_values=True)
        if self.gate.knows(_last(form, "form_token")):
            return form
        return self.problem(
            403, "This form belongs to another session. Load the page again.", link=True
        )

    def _go(self, place: str) -> Response:
        where = f"/{self.gate.token}/{place}"
        return self._secure(RedirectResponse(where, status_code=303))

    @guarded
    async def nothing(self, _: Request) -> Response:
        """No page stands there."""
        return self.problem(404, "There is no such page.", link=True)

    def problem(self, status: int, says: str, *, link: bool = False) -> Response:
        """A page that says what is wrong.

        `link` leads back to the list, which only those inside may know.
        """
        return self._page("problem.html.j2", status=status, says=says, link=link)

    def _page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        base = f"/{self.gate.token}"
        shared = {
            "base": base,
            "pair": self.desk.ledger.pair,
            "by": self.desk.by,
            "form_token": self.gate.form_token,
            "links": self.desk.links,
            "asks_why": self.desk.sources is not None,
        }
        html = (
            _environment()
            .get_template(template)
            .render(css=_css(), status=status, **shared, **values)
        )
        return self._secure(HTMLResponse(html, status_code=status))

    def _secure(self, response: Response) -> Response:
        response.headers.update(_headers())
        return response


def _last(form: Form, name: str) -> str:
    return form.get(name, [""])[-1]


def _reason(form: Form) -> str:
    return " ".join(_last(form, "reason").split())[:2_000]


def _flash(act: Act | None, questions: Sequence[Question], request: Request) -> dict[str, Any]:
    """What the page before this one did.

    `act`, its one question `done`, or how many were taken back.
    """
    done = None
    if act is not None and act.answers == 1:
        done = next((each for each in questions if each.hold_id in act.hold_ids), None)
    flash: dict[str, Any] = {"act": act, "done": done}
    for name in ("back", "late"):
        text = request.query_params.get(name, "")
        flash[name] = int(text) if text.isdecimal() else None
    return flash


@cache
def _css() -> str:
    return (_ASSETS / "review.css").read_text(encoding="utf-8")


@cache
def _headers() -> dict[str, str]:
    """Nothing is loaded from anywhere, nothing frames the page, and nothing is kept.

    No other page learns the address.
    """
    style = base64.b64encode(hashlib.sha256(_css().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "content-security-policy": policy,
        "cache-control": "no-store",
        "cross-origin-opener-policy": "same-origin",
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }


@cache
def _environment() -> Environment:
    from markupsafe import Markup

    environment = templates(_ASSETS, escape=True)
    environment.filters["raw"] = Markup
    environment.filters["day"] = lambda moment: str(moment)[:16].replace("T", " ") + " UTC"
    environment.filters["capital"] = lambda text: text[:1].upper() + text[1:]
    environment.globals |= {
        "kinds": wording.KINDS,
        "entities": tuple(SPECS),
        "kind": wording.kind,
        "title": wording.title,
        "sentence": wording.sentence,
        "at_source": wording.AT_SOURCE,
        "asks": asking,
    }
    return environment
