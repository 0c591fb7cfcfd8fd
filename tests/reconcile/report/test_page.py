"""The report's page: one file that asks for nothing, in which anybody finds any record, in a real browser."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from reconcile.report import write_document
from reconcile.report.markdown import markdown
from reconcile.report.packed import packed
from reconcile.report.page import page
from reconcile.report.verdict import verdict
from tests.builders_report import change_of, question_of, report_of
from tests.chromium import Browser, Chromium, needs_axe, violations
from tests.schemas import valid

NASTY = '</script><script>document.title="owned"</script><img src=x onerror=alert(1)>\u2028'


def test_the_builder_makes_valid_reports() -> None:
    """What these tests show has the published form."""
    valid(report_of(600))


def test_the_verdict_comes_first() -> None:
    """The page's title and first heading are the verdict."""
    html = page(report_of(holds=2))
    assert "<title>2 questions wait for a decision · acme</title>" in html
    assert html.index("2 questions wait for a decision</h1>") < html.index("<h2")


def test_nothing_is_fetched() -> None:
    """The page's own policy forbids every request, and no address stands in it that could be one."""
    html = page(report_of())
    assert "default-src &#39;none&#39;" in html
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in html


def test_a_report_without_anything_has_a_page() -> None:
    """A run that failed before its plan has its reason on the page."""
    bare = report_of(
        changes=0, holds=0, state="failed", stopped="GHL did not answer", entities={}, quality={}
    )
    bare |= {"passed": {"counts": [], "records": []}, "trends": [], "usage": {}}
    bare["statement"] |= {"entities": []}
    bare["verdict"] = {
        "code": "failed",
        "tone": "bad",
        "headline": "The run failed",
        "sentences": ["GHL did not answer"],
    }
    html = page(bare)
    assert "GHL did not answer" in html
    assert 'id="records"' not in html


def test_a_run_that_undoes_another_says_what_it_does_not() -> None:
    """What stays, by reason and with the records, and what nothing brings back stand on the page and in the Markdown; masked, nobody is named."""
    left = [
        {
            "entity": "contact",
            "side": "ghl",
            "key": f"g{at}",
            "because": "it changed since: email is “grace@navy.example” now",
        }
        for at in range(30)
    ]
    whole = report_of(3) | {
        "undo": {
            "of": "20260101-nightly",
            "left": left,
            "lost": ["note n1 comes back in GHL with a new key"],
        }
    }
    html, text = page(whole), markdown(whole)
    assert "What is not undone" in html
    assert "It changed since" in html
    assert "contact g19 in GHL" in html
    assert "and 10 more" in html
    for form in (html, text):
        assert "note n1 comes back in GHL with a new key" in form.replace("Note n1", "note n1")
        assert "grace@navy.example" in form
    assert "`g29` in GHL stays as it is" in text
    assert "grace@" not in page(whole, masked=True)
    assert "What is not undone" not in page(report_of(3))


def test_a_masked_page_names_nobody() -> None:
    """Names, addresses and values are masked; keys and reasons stay."""
    whole = report_of(holds=1)
    whole["changes"] = [change_of(1, label="Grace Hopper", detail="grace@navy.example was refused")]
    html = page(whole, masked=True)
    for personal in (
        "Hopper",
        "grace@",
        "person1@mail.example",
        "zoe@mail.example",
        "From the app",
        "Young",
    ):
        assert personal not in html
    assert "100001" in html
    assert "Personal values are masked" in html


def test_alerts_stand_beside_the_verdict() -> None:
    """What a run gave reason to tell is on the page, under the verdict."""
    alert = {"name": "DEVIATION", "severity": "warning", "what": "half the contacts are gone"}
    html = page(report_of() | {"alerts": [alert]})
    assert "half the contacts are gone" in html
    assert html.index("half the contacts") < html.index("<h2")


def test_a_refusal_is_a_table(tmp_path: Path) -> None:
    """Each limit has its row: what was found, what is allowed, what goes along, and the flag; the text of it is not repeated."""
    limit = {
        "name": "deletes",
        "what": "30 contacts would be deleted in GHL",
        "danger": "GHL restores contacts by hand only",
        "setting": "max_delete_share",
        "allowed": 0.02,
        "found": 30,
        "of": 1_000,
        "entity": "contact",
        "side": "ghl",
        "along": {"task": 49, "note": 33},
    }
    whole = report_of(3) | {"state": "refused", "applied": False, "limits": [limit]}
    whole["refusal"] = "30 contacts would be deleted in GHL: the whole text"
    whole["verdict"] = verdict(whole)
    html = page(whole)
    for cell in ("30 of 1,000", "2% = 20 (max_delete_share)", "49 tasks and 33 notes"):
        assert f">{cell}</td>" in html
    assert "<code>--allow deletes</code>" in html
    assert "the whole text" not in html
    assert "would be created" in html
    assert "Why it was refused" not in page(report_of(3))


def test_a_remedy_is_a_sentence_with_its_code_as_code() -> None:
    """What stands between backticks in a remedy is code on the page, and the sentence ends once."""
    whole = report_of(500)
    (group,) = whole["failures"]
    group |= {
        "remedy": "Say `ON DELETE <CASCADE>`, or keep it.",
        "meaning": "`deleted` is not declared.",
    }
    html = page(whole)
    assert "Say <code>ON DELETE &lt;CASCADE&gt;</code>, or keep it.</p>" in html
    assert "<code>deleted</code> is not declared. <code>" in html


def test_questions_leave_room_for_the_records() -> None:
    """Ten questions stand on the page; the rest is named by its number, with the way to it."""
    html = page(report_of(holds=500))
    assert html.count('<article class="card question"') == 10
    assert "490 more" in html
    assert 'data-filter="type=question">all 500 in the list of records</a>' in html


def test_differences_that_a_rule_leaves_are_listed() -> None:
    """Accepted differences stand on the page with both values and the reason, however many more there are."""
    whole = report_of(0, holds=0)
    accepted = {
        "entity": "contact",
        "label": "Ann Lee",
        "field": "company",
        "class": "by_rule",
        "app": "Lee & Sons",
        "ghl": "Lee Ltd",
        "because": "company: left as they are, decided by ada",
    }
    whole["values"]["listed"] = [accepted]
    whole["values"]["entities"][0]["classes"]["by_rule"] = 4
    html = page(whole)
    assert "Differences that a rule or a decision leaves: 4" in html
    assert "Lee &amp; Sons" in html
    assert "and 3 more" in html


def test_the_page_says_of_which_document_it_is(tmp_path: Path) -> None:
    """The digest on the page is the SHA-256 of the report.json beside it, so that a changed one is seen."""
    paths = write_document(report_of(3), tmp_path)
    digest = hashlib.sha256(paths["json"].read_bytes()).hexdigest()
    assert f'<code class="digest">{digest}</code>' in paths["html"].read_text(encoding="utf-8")


def test_findings_are_called_by_name() -> None:
    """What is wrong with records names the records; one without a name stands by its key, and masked nobody is named."""
    whole = report_of(3)
    twin = {
        "entity": "contact",
        "side": "app",
        "field": "email",
        "value": "z@x.com",
        "count": 2,
        "keys": ["71", "72"],
        "names": ["Zoe Young", "72"],
    }
    kinds = ("invalid", "missing", "orphans", "overdue_tasks", "match_rules", "agreement", "tags")
    whole["quality"] = dict.fromkeys((*kinds, "similar_tags"), ()) | {
        "twins": [twin],
        "suggested": None,
        "notes_oldest": None,
    }
    assert "Zoe Young, 72" in page(whole)
    masked = page(whole, masked=True)
    assert "Young, 72" not in masked
    assert "Z••• Y•••, 72" in masked


# in a browser -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(chromium: Chromium) -> Iterator[Browser]:
    with chromium.tab() as tab:
        yield tab


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of 50,000 changes, one of which is hostile."""
    whole = report_of(50_000, holds=3)
    whole["changes"][7] = change_of(7, label=NASTY, because=NASTY)
    whole["holds"][0] = question_of(0, label=NASTY)
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(whole), encoding="utf-8")
    return path


@pytest.fixture
def shown(browser: Browser, large: Path) -> Browser:
    """The large page, freshly opened at desktop size."""
    browser.seen.clear()
    browser.complaints.clear()
    size(browser, 1280, 900)
    browser.open(large.as_uri())
    return browser


def size(browser: Browser, width: int, height: int, *, zoom: int = 1) -> None:
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=zoom,
        mobile=width < 600,
    )


def until(browser: Browser, condition: str) -> None:
    """Until a JavaScript expression is true; the page's own clock says when it is too late."""
    browser.js(
        "new Promise((done, late) => { const end = performance.now() + 20000; const look = () => "
        f"({condition}) ? done(true) : performance.now() > end ? late(new Error('never true')) : setTimeout(look, 15); look(); }})"
    )


def fill(browser: Browser, name: str, value: str) -> None:
    browser.js(
        f"(() => {{ const f = document.getElementById('filters').elements['{name}']; f.value = {value!r}; "
        "f.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


FOUND = "document.getElementById('found').textContent"
FIRST = "document.querySelector('#table tbody button.open').textContent"


def test_it_opens_without_a_complaint_or_a_request(shown: Browser, large: Path) -> None:
    """No console error, no exception, and no request but for the file itself; hostile values are text."""
    until(shown, "document.querySelectorAll('#table tbody tr.row').length > 5")
    assert shown.complaints == []
    assert [url for url in shown.seen if not url.startswith("data:")] == [large.as_uri()]
    assert shown.js("document.title") != "owned"
    assert shown.js("document.querySelectorAll('img').length") == 0


def test_fifty_thousand_records_are_a_screenful_of_rows(shown: Browser, large: Path) -> None:
    """Only what is in view is in the page, and the file stays under 15 MB."""
    assert shown.js(FOUND) == "50,004 records"
    assert shown.js("document.querySelectorAll('#table tbody tr').length") < 60
    assert large.stat().st_size < 15_000_000


def test_search_finds_one_among_fifty_thousand(shown: Browser) -> None:
    """A name, an email or a key finds its record."""
    for sought, name in (
        ("person49996@mail", "49996"),
        ("g0000000000395942081", "49999"),
        ("fay 40", "Fay"),
    ):
        fill(shown, "q", sought)
        until(shown, f"{FOUND}.includes(' of ') && {FIRST}.includes('{name}')")


def test_filters_narrow_the_list(shown: Browser) -> None:
    """Entity and outcome together leave what is both."""
    fill(shown, "entity", "note")
    until(shown, f"{FOUND}.startsWith('10,000 of')")
    fill(shown, "status", "rejected")
    until(shown, f"{FOUND}.startsWith('100 of')")
    shown.js("document.querySelector('#filters button[type=reset]').click()")
    until(shown, f"{FOUND} === '50,004 records'")


def test_a_click_on_a_head_sorts(shown: Browser) -> None:
    """Once upwards, twice downwards, and the head says so to assistive technology."""
    head = "document.querySelector('th[data-sort=label]')"
    fill(shown, "entity", "task")
    until(shown, f"{FOUND}.includes(' of ')")
    shown.js(f"{head}.querySelector('button').click()")
    until(
        shown,
        f"{head}.getAttribute('aria-sort') === 'ascending' && {FIRST}.startsWith('Ann Abbott')",
    )
    shown.js(f"{head}.querySelector('button').click()")
    until(
        shown,
        f"{head}.getAttribute('aria-sort') === 'descending' && {FIRST}.startsWith('t1')",
    )


def test_the_end_of_the_list_is_reached_by_scrolling(shown: Browser) -> None:
    """The last of 50,004 records is there when the list is scrolled to its end."""
    shown.js(
        "(() => { const v = document.getElementById('viewport'); v.scrollTop = v.scrollHeight; })()"
    )
    until(shown, "document.querySelector('#table tbody tr.row[aria-rowindex=\"50005\"]') !== null")


def test_what_failed_comes_first_and_what_wrote_nothing_last() -> None:
    """The list opens with what went wrong; links, which change no record, stand behind the writes."""
    whole = report_of(0, holds=0)
    kinds = {"b": {"kind": "adopt", "fields": []}, "c": {}, "d": {"status": "rejected"}, "a": {}}
    whole["changes"] = [change_of(0, label=name, **more) for name, more in kinds.items()]
    data = packed(whole).data
    assert [row[7] for row in json.loads(data)["rows"][:4]] == ["d", "c", "a", "b"]


def test_a_record_opens_with_its_values(shown: Browser) -> None:
    """A click on a row shows each field before and after, the reason and both keys; the arrows go on to the next."""
    fill(shown, "status", "done")
    until(shown, f"{FOUND}.includes(' of ')")
    shown.js("document.querySelector('#table tbody tr.row').click()")
    text = "document.getElementById('detail').innerText"
    until(shown, "document.getElementById('detail').open")
    told = shown.js(text)
    for part in (
        "Company 0 Ltd",
        "Company 0 of the North Ltd",
        "changed in GHL, not in the app",
        "100000",
    ):
        assert part in told
    shown.js("document.getElementById('after').click()")
    assert "person1@mail.example" in shown.js(text)


def test_the_keyboard_is_enough(shown: Browser) -> None:
    """From the search field with the tab key to a row, with the arrows along the rows, Enter opens and Escape closes."""
    shown.js("document.getElementById('filters').elements.q.focus()")
    for _ in range(20):
        shown.press("Tab", code=9)
        if shown.js("document.activeElement.classList.contains('open')"):
            break
    assert shown.js("document.activeElement.dataset.place") == "0"
    shown.press("ArrowDown", code=40)
    shown.press("ArrowDown", code=40)
    assert shown.js("document.activeElement.dataset.place") == "2"
    shown.press("End", code=35)
    until(shown, "document.activeElement.dataset.place === '50003'")
    shown.press("Enter", code=13, text="\r")
    until(shown, "document.getElementById('detail').open")
    shown.press("Escape", code=27)
    until(shown, "!document.getElementById('detail').open")


def test_a_figure_leads_to_its_records(shown: Browser) -> None:
    """A click on a figure of records shows as many as it says."""
    figures = shown.js(
        "[...document.querySelectorAll('.tiles a[data-filter]')].map(a => [a.dataset.filter, a.querySelector('b').textContent])"
    )
    assert len(figures) == 4
    for chosen, figure in figures:
        shown.js(f"document.querySelector('.tiles a[data-filter=\"{chosen}\"]').click()")
        until(shown, f"{FOUND}.startsWith('{figure} of')")


def test_accents_are_folded(browser: Browser, tmp_path: Path) -> None:
    """Whoever types no accents finds the names that have them, and the other way round."""
    whole = report_of(0, holds=0)
    names = ("Zoë Łuczak", "Zoe Luczak", "Søren Strauß", "Bob")
    whole["changes"] = [change_of(number, label=name) for number, name in enumerate(names)]
    path = tmp_path / "report.html"
    path.write_text(page(whole), encoding="utf-8")
    browser.open(path.as_uri())
    for sought, count in (("zoe luczak", 2), ("zoë", 2), ("soren strauss", 1), ("ŁUCZAK", 2)):
        fill(browser, "q", sought)
        until(browser, f"{FOUND}.startsWith('{count} of')")


def test_what_is_chosen_stands_in_the_address(shown: Browser, large: Path) -> None:
    """A search and filters are in the address, and whoever opens that address sees the same list."""
    fill(shown, "entity", "note")
    fill(shown, "q", "person4")
    until(shown, "location.hash.includes('q=person4')")
    address, found = shown.js("location.href"), shown.js(FOUND)
    shown.open("about:blank")
    shown.open(address)
    until(shown, f"{FOUND} === {found!r}")
    assert shown.js("document.getElementById('filters').elements.entity.value") == "note"
    shown.js("document.querySelector('#filters button[type=reset]').click()")
    until(shown, "location.hash === '#records'")


def test_an_empty_result_says_so(shown: Browser) -> None:
    """Where nothing fits, the list says it and leads back to all records."""
    fill(shown, "q", "nobody at all")
    until(shown, f"{FOUND}.startsWith('0 of')")
    assert "No record fits" in shown.js("document.querySelector('#table tbody').textContent")
    shown.js("document.querySelector('#table .none button').click()")
    until(shown, f"{FOUND} === '50,004 records'")


def test_the_arrow_keys_go_on_in_an_open_record(shown: Browser) -> None:
    """In the dialog down and right show the next record, up and left the one before."""
    shown.js("document.querySelector('#table tbody tr.row').click()")
    title = "document.getElementById('detail-title').textContent"
    first = shown.js(title)
    for key, code, same in (("ArrowDown", 40, False), ("ArrowUp", 38, True)):
        shown.press(key, code=code)
        assert (shown.js(title) == first) is same
    shown.press("ArrowRight", code=39)
    assert shown.js(title) != first


def test_the_theme_follows_the_system_and_can_be_chosen(shown: Browser) -> None:
    """Dark where the system is dark, and light, dark or the system's at a click."""
    ground = "getComputedStyle(document.body).backgroundColor"
    shown.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}]
    )
    light = shown.js(ground)
    shown.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    dark = shown.js(ground)
    assert light != dark
    shown.js("document.getElementById('theme').click()")
    assert shown.js(ground) == light
    shown.js("document.getElementById('theme').click()")
    assert shown.js(ground) == dark
    shown.js("document.getElementById('theme').click()")
    shown.call("Emulation.setEmulatedMedia", features=[])


def test_a_phone_shows_it_without_scrolling_sideways(shown: Browser) -> None:
    """At 375 pixels nothing is wider than the screen."""
    size(shown, 375, 800)
    until(shown, "document.documentElement.scrollWidth <= 375")


def test_it_prints(shown: Browser) -> None:
    """On paper the first records stand in full, the rest is named by its number, and all of it takes a few pages."""
    shown.js("window.dispatchEvent(new Event('beforeprint'))")
    assert shown.js("document.querySelectorAll('#table tbody tr.row').length") == 40
    assert shown.js(FOUND) == "The first 40 of 50,004 records; all are in report.xlsx"
    longest = "Math.max(...[...document.querySelectorAll('td.c-fields')].map(each => each.textContent.length))"
    assert shown.js(longest) <= 161
    paper = b64decode(shown.call("Page.printToPDF", printBackground=True)["data"])
    assert 1 < len(re.findall(rb"/Type /Page\b", paper)) <= 6
    shown.js("window.dispatchEvent(new Event('afterprint'))")
    assert shown.js("document.querySelectorAll('#table tbody tr.row').length") < 60


def test_contrast_and_names(shown: Browser) -> None:
    """Every control has a name, every heading follows its parent, and landmarks are there once."""
    nameless = shown.js(
        "[...document.querySelectorAll('button, a, input:not([type=hidden]), select')].filter(e => e.offsetParent && "
        "!(e.textContent.trim() || e.getAttribute('aria-label') || e.closest('label')?.textContent.trim())).length"
    )
    assert nameless == 0
    levels = shown.js(
        "[...document.querySelectorAll('h1,h2,h3')].filter(e => !e.closest('dialog')).map(e => Number(e.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert shown.js(
        "['main', 'header', 'footer', 'nav'].map(t => document.querySelectorAll(t).length)"
    ) == [1, 1, 1, 1]


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(shown: Browser, scheme: str) -> None:
    """The accessibility rules of axe-core hold, in light and in dark, with a record open too, and at twice the size, where nothing is wider than the screen."""
    shown.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    assert violations(shown) == []
    shown.js("document.querySelector('#table tbody tr.row').click()")
    assert violations(shown) == []
    shown.js("document.querySelector('dialog').close()")
    size(shown, 620, 430, zoom=2)
    assert shown.js("document.documentElement.scrollWidth") <= 620
    assert violations(shown) == []
    size(shown, 1240, 860)
    shown.call("Emulation.setEmulatedMedia", features=[])
