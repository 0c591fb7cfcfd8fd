"""A real browser answers many alike questions, takes them back and answers them again; with mouse, keyboard and axe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.clock import now
from flows.config import load
from flows.review.desk import Desk
from flows.review.questions import Evidence
from flows.review.tangles import tangles
from flows.review.together import groups
from flows.state.stores import runs_folder
from reconcile.ledger.ledger import Ledger
from tests.chromium import Browser, needs_axe, violations
from tests.flows.acme import Acme
from tests.flows.review.conflicts import APP, GHL, cities, move_house
from tests.flows.review.test_review_browser import _served, _tab_to
from tests.long_forms import SOAK, tried

PEOPLE, MOVED = (680, 500) if SOAK else (100, 60)
"""How many there are, and how many of them moved house: more than one run may change unasked."""
SIZES = [(1100, 1), (360, 1), (1100, 2)]
"""Widths in pixels, and how much larger everything is."""


@contextmanager
def desk_of(acme: Acme) -> Iterator[Desk]:
    pair = load(acme.pair)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    yield Desk(ledger, Evidence(runs_folder(pair)), "ann", now)
    ledger.close()


class Hand:
    """Clicks with the mouse, and counts."""

    def __init__(self, browser: Browser) -> None:
        self.browser, self.clicks = browser, 0

    def click(self, selector: str) -> None:
        """Press where an element is, and wait for the page that comes."""
        x, y = self.browser.js(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect();"
            f" return [r.x + r.width / 2, r.y + r.height / 2]; }})(document.querySelector({selector!r}))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.browser.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )
        self.browser.loaded()
        self.clicks += 1


def says(browser: Browser, selector: str = "[role=status]") -> str:
    text: str = browser.js(f"document.querySelector({selector!r}).textContent")
    return " ".join(text.split())


@pytest.mark.timeout(580)
def test_many_alike_questions_are_answered_taken_back_and_answered_again(
    tmp_path: Path, browser: Browser
) -> None:
    """It takes fewer than 15 clicks; what the next run carries out is the last answer, and nothing else is asked of them."""
    acme = Acme.settled(tmp_path / "acme", contacts=PEOPLE)
    keys = move_house(acme, MOVED)
    acme.run(verify="none")
    with desk_of(acme) as desk:
        (group,) = [each for each in groups(desk.questions()) if each.field == "city"]
        number = len(group.questions)
        assert number >= MOVED
        hand = Hand(browser)
        with _served(desk) as url:
            browser.open(url)
            hand.click(f"a[href*='together/{group.name}']")
            hand.click("button[value=ghl]")
            assert f"What these {number} answers will do" in says(browser, "h1")
            assert "(max_update_share)" in says(browser, ".over")
            assert "--allow updates" in says(browser, ".over")
            assert desk.ledger.decisions() == []
            hand.click("button.go")
            assert f"{number} questions answered in one act" in says(browser)
            assert {each.choice for each in desk.ledger.decisions()} == {"ghl"}
            hand.click("[role=status] button")
            assert f"Taken back. {number} questions are as before" in says(browser)
            assert desk.ledger.decisions() == []
            hand.click(f"a[href*='together/{group.name}']")
            hand.click("button[value=app]")
            hand.click("button.go")
        assert hand.clicks < 15
        assert browser.complaints == []
        # So many changes at once are over a limit, whoever wants them.
        acme.run(verify="none", allowed=frozenset({"updates"}))
        assert cities(acme, keys) == {(APP, APP)}
        assert [each for each in desk.questions() if each.field == "city"] == []


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Acme:
    """The demo with six alike conflicts more than its first night has."""
    made = Acme.settled(tmp_path_factory.mktemp("many") / "acme")
    move_house(made, 6)
    made.run(verify="none")
    return made


def _pages(desk: Desk) -> dict[str, str]:
    """An address of each page there is, apart from the list and a question."""
    asked = desk.questions()
    group = next(each for each in groups(asked) if each.field == "city")
    tangle = next(each for each in tangles(asked) if each.couples)
    one = tangle.questions[0].hold_id
    couple = tangle.couples[0].name.replace(" ", "+")
    return {
        "together": f"together/{group.name}",
        "preview": f"together/{group.name}?choice=app",
        "tangle": f"tangle/{one}",
        "settle": f"tangle/{one}?couple={couple}&others=create",
        "acts": "acts",
        "problem": "together/nothing",
    }


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(acme: Acme, browser: Browser, scheme: str) -> None:
    """The accessibility rules of axe-core hold on each page on which many are answered, also at 360 px and twice the size."""
    with desk_of(acme) as desk, _served(desk) as url:
        browser.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        for width, zoom in SIZES if scheme == "light" else tried(SIZES, [(360, 1)]):
            browser.call(
                "Emulation.setDeviceMetricsOverride",
                width=width // zoom,
                height=800 // zoom,
                deviceScaleFactor=zoom,
                mobile=False,
            )
            for name, path in _pages(desk).items():
                browser.open(url + path)
                assert browser.js("document.documentElement.scrollWidth") <= width // zoom, name
                assert violations(browser) == [], (name, width, zoom)
        _prints(browser, url)


def _prints(browser: Browser, url: str) -> None:
    """On paper stand the questions with their values and answers, dark on white; the ways to other pages are left out."""
    browser.call("Emulation.setEmulatedMedia", media="print")
    browser.open(url)
    seen = "[...document.querySelectorAll('{}')].filter(each => each.offsetParent).length"
    assert browser.js(seen.format(".filters, .top nav, .pages, .more")) == 0
    assert browser.js(seen.format("article.card table td")) > 20
    ground = "getComputedStyle(document.querySelector('article.card')).backgroundColor"
    assert browser.js(ground) == "rgb(255, 255, 255)"


def test_the_keyboard_alone_answers_many_and_takes_back(acme: Acme, browser: Browser) -> None:
    """Tab and Enter go from the list to the group, the preview, the answer, and back to open questions."""
    with desk_of(acme) as desk, _served(desk) as url:

        def enter(selector: str) -> None:
            _tab_to(browser, selector)
            browser.press("Enter", code=13, text="\r")
            browser.loaded()

        group = next(each for each in groups(desk.questions()) if each.field == "city")
        browser.open(url)
        enter(f"a[href*='together/{group.name}']")
        enter("button[value=ghl]")
        _tab_to(browser, "#reason")
        browser.type("all of them moved to Porto")
        enter("button.go")
        assert len(desk.ledger.decisions()) == len(group.questions)
        assert {each.reason for each in desk.ledger.decisions()} == {"all of them moved to Porto"}
        enter("[role=status] button")
        assert desk.ledger.decisions() == []
        assert browser.complaints == []


def test_keys_lead_from_question_to_question(acme: Acme, browser: Browser) -> None:
    """With Alt, N goes to the next question, P to the one before, and a digit gives that answer and goes on."""
    with desk_of(acme) as desk, _served(desk) as url:

        def alt(key: str) -> None:
            code = ord(key.upper())
            common = {"modifiers": 1, "key": key, "windowsVirtualKeyCode": code}
            # Chromium goes by what the key says without the modifiers.
            browser.call("Input.dispatchKeyEvent", type="keyDown", unmodifiedText=key, **common)
            browser.call("Input.dispatchKeyEvent", type="keyUp", **common)
            browser.loaded()

        group = next(each for each in groups(desk.questions()) if each.field == "city")
        ids = [each.hold_id for each in group.questions]
        browser.open(f"{url}question/{ids[0]}?field=city")
        alt("n")
        assert ids[1] in browser.js("location.pathname")
        alt("p")
        assert ids[0] in browser.js("location.pathname")
        alt("2")
        assert ids[1] in browser.js("location.pathname")
        assert "Noted for" in says(browser)
        (given,) = desk.ledger.decisions()
        assert (given.hold_id, given.choice) == (ids[0], "ghl")
        assert GHL in says(browser) or "Austin" in says(browser)
        browser.js("document.querySelector('[role=status] button').click(); 0")
        browser.loaded()
        assert desk.ledger.decisions() == []
