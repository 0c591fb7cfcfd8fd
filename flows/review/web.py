"""The review page: lists what is asked, shows both sides and the evidence, takes an answer with its reason; plain HTML, no script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

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
from flows.review.gate import Gate
from flows.review.questions import Question
from reconcile.errors import StateError

if TYPE_CHECKING:
    from jinja2 import Environment

_ASSETS = Path(__file__).with_name("assets")


def make_app(desk: Desk, gate: Gate) -> Starlette:
    """The ASGI application: GET /TOKEN/ (the list), GET /TOKEN/question/ID, POST /TOKEN/answer."""
    pages = Pages(desk, gate)
    return Starlette(
        routes=[
            Route("/{token}/", pages.listing),
            Route("/{token}/question/{hold_id}", pages.one),
            Route("/{token}/answer", pages.answer, methods=["POST"]),
            Route("/{rest:path}", pages.nothing),
        ]
    )


Endpoint = Callable[["Pages", Request], Awaitable[Response]]


def guarded(endpoint: Endpoint) -> Endpoint:
    """Ask the gate first; and answer what goes wrong with a page that says what to do."""

    async def checked(pages: Pages, request: Request) -> Response:
        refusal = pages.gate.refusal(request)
        if refusal is not None:
            return pages.problem(*refusal)
        try:
            return await endpoint(pages, request)
        except Changed as error:
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
        """What is asked, oldest first."""
        view = View.of(request.query_params)
        asked = await run_in_threadpool(self.desk.questions)
        done = next(
            (each for each in asked if each.hold_id == request.query_params.get("done")), None
        )
        return self._page("list.html.j2", view=view, list=view.list(asked), done=done)

    @guarded
    async def one(self, request: Request) -> Response:
        """One question with everything that is known of its record."""
        question = await run_in_threadpool(self.desk.question, request.path_params["hold_id"])
        if question is None:
            return self.problem(
                404, "This question is not open: it was settled, or never asked.", link=True
            )
        lines = await run_in_threadpool(self._history, question)
        return self._page(
            "one.html.j2", each=question, view=View.of(request.query_params), history=lines
        )

    def _history(self, question: Question) -> list[str]:
        key = question.app_key or question.ghl_key or ""
        told = explanation(self.desk.ledger, question.entity, key, None)
        lines: list[str] = told["lines"]
        return lines

    @guarded
    async def answer(self, request: Request) -> Response:
        """Record an answer, and go back to the list."""
        refusal = self.gate.refusal_of_form(request)
        if refusal is not None:
            return self.problem(*refusal, link=True)
        form = {
            name: values[-1]
            for name, values in parse_qs((await request.body()).decode("utf-8", "replace")).items()
        }
        if not self.gate.knows(form.get("form_token")):
            return self.problem(
                403, "This form belongs to another session. Load the page again.", link=True
            )
        await run_in_threadpool(self._record, form)
        view = View.of(
            {name: values[-1] for name, values in parse_qs(form.get("view", "")).items()}
        )
        query = view.query(done=form["hold_id"])
        return self._secure(RedirectResponse(f"/{self.gate.token}/?{query}#done", status_code=303))

    def _record(self, form: dict[str, str]) -> None:
        answer(
            self.desk.ledger,
            form.get("hold_id", ""),
            form.get("choice", ""),
            by=self.desk.by,
            at=self.desk.now(),
            reason=" ".join(form.get("reason", "").split())[:2_000],
            shown=form.get("digest", ""),
        )

    @guarded
    async def nothing(self, _: Request) -> Response:
        """No page stands there."""
        return self.problem(404, "There is no such page.", link=True)

    def problem(self, status: int, says: str, *, link: bool = False) -> Response:
        """A page that says what is wrong; `link` leads back to the list, which only those inside may know."""
        return self._page("problem.html.j2", status=status, says=says, link=link)

    def _page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        base = f"/{self.gate.token}"
        shared = {
            "base": base,
            "pair": self.desk.ledger.pair,
            "by": self.desk.by,
            "form_token": self.gate.form_token,
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


@cache
def _css() -> str:
    return (_ASSETS / "review.css").read_text(encoding="utf-8")


@cache
def _headers() -> dict[str, str]:
    """Nothing is loaded from anywhere, nothing frames the page, nothing is kept, and no other page learns the address."""
    style = base64.b64encode(hashlib.sha256(_css().encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style}'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
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
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["raw"] = Markup
    environment.filters["day"] = lambda moment: str(moment)[:16].replace("T", " ") + " UTC"
    environment.filters["capital"] = lambda text: text[:1].upper() + text[1:]
    environment.globals |= {
        "kinds": wording.KINDS,
        "kind": wording.kind,
        "title": wording.title,
        "sentence": wording.sentence,
    }
    return environment
