"""The report as one HTML file that needs no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping as Map
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconcile.entities import Shown
from reconcile.link.suggestions import RULE
from reconcile.report import sections
from reconcile.report.along import words
from reconcile.report.asking import KINDS
from reconcile.report.mask import masked as mask_document
from reconcile.report.packed import packed
from reconcile.templates import templates

if TYPE_CHECKING:
    from jinja2 import Environment

_ASSETS = Path(__file__).with_name("assets")
_SHOWN_HOLDS = 10
_ICON = {"good": "%2316794f", "ask": "%23b45309", "bad": "%23b42318", "plain": "%234b5563"}


def page(document: Map[str, Any], *, masked: bool = False, digest: str = "") -> str:
    """The HTML of `document`.

    `masked` takes personal values out first. `digest` is the SHA-256 of its report.json.
    """
    whole = mask_document(document) if masked else document
    css, js = (_asset(name) for name in ("page.css", "page.js"))
    environment = _environment()
    records = packed(whole)
    return environment.get_template("page.html.j2").render(
        d=whole,
        shown=list(Shown),
        masked=masked,
        digest=digest,
        css=css,
        js=js,
        data=records.data,
        policy=_policy(css, js),
        icon_colour=_ICON[whole["verdict"]["tone"]],
        total_rows=records.total,
        shown_rows=records.shown,
        shown_holds=_SHOWN_HOLDS,
        **sections.context(whole, records.total),
    )


def cutover_page(facts: Map[str, Any], *, complete: bool) -> str:
    """The HTML of a migration's cutover report: `facts` are those of cutover.json."""
    css = _asset("page.css")
    template = _environment().get_template("cutover.html.j2")
    return template.render(c=facts, complete=complete, css=css, policy=_policy(css, ""))


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _policy(css: str, js: str) -> str:
    """A content security policy: the page's own style and script run, and nothing is fetched."""
    hashed = {
        name: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for name, text in (("css", css), ("js", js))
    }
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{hashed['css']}'; "
        f"script-src 'sha256-{hashed['js']}'; base-uri 'none'; form-action 'none'"
    )


@cache
def _environment() -> Environment:
    environment = templates(_ASSETS, escape=True)
    environment.filters |= {
        "n": _number,
        "signed": _signed,
        "moment": moment,
        "local": _local,
        "duration": _duration,
        "words": lambda text: str(text).replace("_", " "),
        "side": lambda side: "GHL" if side == "ghl" else "the app",
        "asked": _asked,
        "along": words,
        "blank": lambda value: "blank" if value is None else value,
        "capital": lambda text: text[:1].upper() + text[1:],
    }
    macros = environment.get_template("question.html.j2").module
    environment.globals["question"] = macros.question  # type: ignore[attr-defined]
    return environment


def _asked(hold: Map[str, Any]) -> str:
    """What a question is about, in a few words; a likeness is no match."""
    suggested = str(hold["values"].get("rule", "")).startswith(RULE)
    return KINDS["suggested" if suggested else hold["kind"]].badge


def _number(value: float | None) -> str:
    return "not told" if value is None else f"{value:,}"


def _signed(value: int) -> str:
    if value:
        return f"{value:+,}".replace("-", "\N{MINUS SIGN}")
    return "0"


def moment(text: str | None) -> str:
    """An instant as people write it, in UTC."""
    if not text:
        return "not yet"
    try:
        at = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return text
    return f"{at:%a} {at.day} {at:%b %Y, %H:%M} UTC"


def _local(text: str | None) -> str:
    """A moment as the clock on its own wall showed it."""
    if not text:
        return "none"
    at = datetime.fromisoformat(text)
    return f"{at:%a} {at.day} {at:%b %Y, %H:%M}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:g} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
