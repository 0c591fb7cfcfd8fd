"""A real browser answers a question on the review page, and the next run does what was answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.clock import now
from flows.config import Pair, load
from flows.jobs.full import FULL
from flows.opening import open_run
from flows.outcome.tell import Told
from flows.review.desk import Desk
from flows.review.questions import Evidence, Question, questions
from flows.review.serving import listening, server_for
from flows.run import Options
from flows.runner import carry_out
from flows.state.stores import runs_folder
from reconcile.ledger.ledger import Ledger
from tests.chromium import Browser, needs_axe, violations
from tests.flows.acme import Acme


def _run(pair: Pair) -> Told:
    with open_run(pair, Options(verify="none")) as run:
        return carry_out(run, FULL)


@contextmanager
def _served(desk: Desk) -> Iterator[str]:
    with listening() as (sock, gate, url):
        server = server_for(desk, gate)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join(timeout=20)


def _tab_to(browser: Browser, what: str) -> None:
    """Press Tab until the element that has the focus fits a CSS selector."""
    for _ in range(200):
        browser.press("Tab", code=9)
        if browser.js(f"document.activeElement.matches({what!r})"):
            return
    raise AssertionError(f"the keyboard does not reach {what}")


def _city(pair: Pair, key: str) -> str:
    engine = sa.create_engine(pair.app.url.get_secret_value())  # type: ignore[union-attr]
    with engine.connect() as connection:
        found = connection.execute(
            sa.text("SELECT city FROM people WHERE id = :key"), {"key": int(key)}
        ).scalar_one()
    engine.dispose()
    return str(found)


def _answer_by_keyboard(browser: Browser, url: str, question: Question) -> None:
    """From the list to a given answer, with the keyboard alone."""
    browser.open(f"{url}?kind=conflict")
    assert browser.js("document.querySelector('h1').textContent").strip().endswith("for an answer")
    _tab_to(browser, f"#reason-{question.hold_id}")
    browser.type("she moved")
    _tab_to(browser, f"#hold-{question.hold_id} button[value=ghl]")
    browser.press("Enter", code=13, text="\r")
    browser.loaded()
    assert question.label in browser.js("document.querySelector('[role=status]').textContent")


def test_a_conflict_decided_in_the_browser_is_applied_by_the_next_run(
    tmp_path: Path, browser: Browser
) -> None:
    """With the keyboard alone a person takes GHL's city; the next run writes it to the app, closes the hold and says why."""
    pair = load(Acme.settled(tmp_path / "demo").pair)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    desk = Desk(ledger, Evidence(runs_folder(pair)), "ann", now)
    question = next(
        each for each in desk.questions() if each.kind == "conflict" and each.field == "city"
    )
    assert question.app_key is not None
    assert _city(pair, question.app_key) == question.values["app"] != question.values["ghl"]
    with _served(desk) as url:
        _answer_by_keyboard(browser, url, question)
        origin = url.split("/")[2]
        assert all(
            each.split("/")[2] == origin for each in browser.seen if not each.startswith("data:")
        )
    assert browser.complaints == []
    _run(pair)
    assert _city(pair, question.app_key) == question.values["ghl"]
    assert question.hold_id not in {
        each.hold_id for each in questions(ledger, desk.evidence, now=now())
    }
    kept = next(each for each in ledger.decisions() if each.hold_id == question.hold_id)
    assert (kept.by, kept.reason) == ("ann", "she moved")
    ledger.close()


def test_the_page_fits_a_phone_and_both_colour_schemes(tmp_path: Path, browser: Browser) -> None:
    """At 360 px nothing but a table's own frame scrolls sideways; light and dark have their own paper and ink."""
    pair = load(Acme.settled(tmp_path / "demo").pair)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    with _served(Desk(ledger, Evidence(runs_folder(pair)), "ann", now)) as url:
        browser.call(
            "Emulation.setDeviceMetricsOverride",
            width=360,
            height=740,
            deviceScaleFactor=1,
            mobile=False,
        )
        papers = set()
        for scheme in ("light", "dark"):
            browser.call(
                "Emulation.setEmulatedMedia",
                features=[{"name": "prefers-color-scheme", "value": scheme}],
            )
            browser.open(url)
            assert browser.js("document.documentElement.scrollWidth") <= 360
            papers.add(browser.js("getComputedStyle(document.body).backgroundColor"))
            assert browser.js(_WORST_CONTRAST) >= 4.5
        assert len(papers) == 2
    assert browser.complaints == []
    ledger.close()


_WORST_CONTRAST = """(() => {
  const light = text => { const [r, g, b] = text.match(/[0-9.]+/g).map(Number).map(v => { v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const paper = node => { for (; node; node = node.parentElement) { const c = getComputedStyle(node).backgroundColor;
    if (!c.startsWith("rgba(0, 0, 0, 0")) return c; } return "rgb(255, 255, 255)"; };
  return Math.min(...[...document.querySelectorAll("body *")].filter(n => n.textContent.trim() && n.offsetParent).map(n => {
    const pair = [light(getComputedStyle(n).color), light(paper(n))].sort((a, b) => b - a);
    return (pair[0] + 0.05) / (pair[1] + 0.05); }));
})()"""


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(tmp_path: Path, browser: Browser, scheme: str) -> None:
    """The accessibility rules of axe-core hold on the list, on one question of each kind, after an answer and after a mistake."""
    pair = load(Acme.settled(tmp_path / "demo").pair)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    desk = Desk(ledger, Evidence(runs_folder(pair)), "ann", now)
    asked = {each.kind: each for each in desk.questions()}
    assert len(asked) > 2
    with _served(desk) as url:
        browser.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        browser.open(url)
        assert violations(browser) == []
        for each in asked.values():
            browser.open(f"{url.rstrip('/')}/question/{each.hold_id}")
            assert violations(browser) == [], each.kind
        _answer_by_keyboard(browser, url, asked["conflict"])
        assert violations(browser) == []
        browser.open(f"{url.rstrip('/')}/question/none")
        assert violations(browser) == []
    ledger.close()


def test_the_keyboard_reaches_every_control(tmp_path: Path, browser: Browser) -> None:
    """Tab comes to each link, button and field of the list once, in the order of the page, and the focus can be seen."""
    pair = load(Acme.settled(tmp_path / "demo").pair)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    with _served(Desk(ledger, Evidence(runs_folder(pair)), "ann", now)) as url:
        browser.open(url)
        browser.js(
            "window.all = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex=\"0\"]')]"
            ".filter(e => e.checkVisibility() && !e.disabled); 0"
        )
        count = browser.js("all.length")
        assert count > 20
        reached = []
        for _ in range(count):
            browser.press("Tab", code=9)
            reached.append(browser.js("all.indexOf(document.activeElement)"))
            assert browser.js(
                "(s => s.outlineStyle !== 'none' || s.boxShadow !== 'none')(getComputedStyle(document.activeElement))"
            )
        assert reached == list(range(count))
    ledger.close()
