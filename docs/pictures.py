"""Makes the pictures of the product: a plan in a terminal, a report, the questions; of the demo, or of as large a world as one wants to look at.

`python docs/pictures.py` makes those of the README, in docs/pictures. `--out FOLDER --contacts 1000 --questions 500` makes every
surface of a large world, in several sizes, for whoever changes how something looks. It needs a Chromium on the machine.
"""

from __future__ import annotations

import argparse
import base64
import html
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from flows.clock import now  # noqa: E402 - the product lies above this folder
from flows.config import load  # noqa: E402
from flows.demo import edit  # noqa: E402
from flows.review.desk import Desk  # noqa: E402
from flows.review.questions import Evidence  # noqa: E402
from flows.review.serving import listening, server_for  # noqa: E402
from flows.state.stores import runs_folder  # noqa: E402
from reconcile.ledger.ledger import Ledger  # noqa: E402
from tests.chromium import Browser, chromium  # noqa: E402
from tests.flows.acme import Acme  # noqa: E402
from tests.flows.review.conflicts import move_house  # noqa: E402
from tests.screens import watch  # noqa: E402

DESKTOP, PHONE = (1240, 860), (390, 844)
_TERMINAL = (
    "<body style='margin:0;background:#16181d'><pre style='margin:0;padding:22px 26px;color:#d8dbe2;"
    "font:14px/1.45 DejaVu Sans Mono,monospace;width:{columns}ch'>{text}</pre>"
)


@dataclass(frozen=True, slots=True)
class Camera:
    """A browser, and where its pictures go."""

    browser: Browser
    out: Path

    def take(
        self,
        name: str,
        url: str,
        size: tuple[int, int],
        *,
        whole: bool = False,
        dark: bool = False,
    ) -> None:
        """A picture of what is seen at an address; `whole` down to its end."""
        scheme = "dark" if dark else "light"
        self.browser.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        width, height = size
        self._size(width, height)
        self.browser.open(url)
        if whole:
            self._size(width, self.browser.js("document.documentElement.scrollHeight"))
        self.shoot(name)

    def paper(self, name: str, url: str) -> None:
        """What is printed of an address."""
        self.browser.open(url)
        self.browser.js("window.dispatchEvent(new Event('beforeprint'))")
        printed = self.browser.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        (self.out / f"{name}.pdf").write_bytes(base64.b64decode(printed["data"]))

    def terminal(self, name: str, *words: object, columns: int, lines: int | None = None) -> None:
        """A command as it stands in a terminal of some width; its first lines, or all."""
        seen = watch(*words, columns=columns)
        shown = seen.lines[:lines]
        page = self.out / f"{name}.html"
        page.write_text(
            _TERMINAL.format(columns=columns, text=html.escape("\n".join(shown))), encoding="utf-8"
        )
        self._size(columns * 9 + 60, min(len(shown), 400) * 21 + 50)
        self.browser.open(page.as_uri())
        self.shoot(name)
        page.unlink()

    def shoot(self, name: str) -> None:
        """As WebP, which is a third of a PNG."""
        picture = self.browser.call("Page.captureScreenshot", format="webp", quality=85)
        (self.out / f"{name}.webp").write_bytes(base64.b64decode(picture["data"]))

    def _size(self, width: int, height: int) -> None:
        self.browser.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )


@contextmanager
def reviewed(path: Path) -> Iterator[str]:
    """The page of questions, served."""
    pair = load(path)
    ledger = Ledger(pair.ledger_url.get_secret_value(), pair.name)
    desk = Desk(ledger, Evidence(runs_folder(pair)), "ann", now)
    with listening() as (sock, gate, url):
        server = server_for(desk, gate)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join(timeout=20)
            ledger.close()


def world(folder: Path, *, contacts: int, questions: int) -> Acme:
    """A pair after its first night and a day of edits, after which so many people are in question."""
    acme = Acme.made(folder, contacts=contacts)
    acme.run(allowed=frozenset({"creates", "first-creates", "updates"}), verify="none")
    edit(acme.folder, acme.pair)
    if questions:
        move_house(acme, questions)
    return acme


def page_of(acme: Acme) -> str:
    """The newest report's address."""
    pages = sorted((acme.folder / "state" / "runs").glob("*/report.html"))
    return pages[-1].as_uri()


_BOOK = (
    "<style>body {{ margin: 0; font: 13px/1.4 Calibri, Carlito, sans-serif }} table {{ border-collapse: collapse; table-layout: fixed }}"
    "td {{ border: 1px solid #d0d0d0; padding: 2px 6px; vertical-align: top; overflow: hidden; overflow-wrap: anywhere }}"
    "tr:first-child td {{ font-weight: bold; background: #eee }}</style><h3>{name}</h3><table>{columns}{rows}</table>"
)


def workbook(camera: Camera, path: Path) -> None:
    """The first rows of each sheet, with the widths that a spreadsheet program gives its columns: the cells, not such a program's own looks."""
    import openpyxl
    from openpyxl.utils import get_column_letter

    book = openpyxl.load_workbook(path)
    for sheet in book:
        if sheet.sheet_state != "visible":
            continue
        widths = [
            sheet.column_dimensions[get_column_letter(at + 1)].width
            for at in range(sheet.max_column)
        ]
        columns = "".join(f"<col style='width:{width * 7:.0f}px'>" for width in widths)
        rows = ""
        for row in sheet.iter_rows(max_row=40, values_only=True):
            cells = ("" if value is None else html.escape(str(value)) for value in row)
            rows += "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        page = camera.out / "sheet.html"
        page.write_text(
            _BOOK.format(name=sheet.title, columns=columns, rows=rows), encoding="utf-8"
        )
        width = max(800, round(sum(widths) * 7) + 40)
        camera.take(f"sheet-{sheet.title.lower().replace(' ', '-')}", page.as_uri(), (width, 900))
        page.unlink()


def readme(camera: Camera, acme: Acme) -> None:
    """The pictures that the README shows."""
    camera.terminal("plan", "plan", "--pair", acme.pair, columns=100, lines=34)
    acme.run()
    camera.take("report", page_of(acme), DESKTOP)
    with reviewed(acme.pair) as url:
        camera.take("review", f"{url}?kind=conflict", DESKTOP)


def everything(camera: Camera, acme: Acme) -> None:
    """Every surface, in several sizes, light and dark."""
    for columns in (80, 120):
        camera.terminal(f"plan-{columns}", "plan", "--pair", acme.pair, columns=columns)
    acme.run()
    page = page_of(acme)
    camera.take("report", page, DESKTOP)
    camera.take("report-whole", page, DESKTOP, whole=True)
    camera.take("report-dark", page, DESKTOP, dark=True)
    camera.take("report-phone", page, PHONE, whole=True)
    camera.take("report-200-percent", page, (DESKTOP[0] // 2, DESKTOP[1] // 2))
    camera.paper("report", page)
    with reviewed(acme.pair) as url:
        camera.take("review", url, DESKTOP)
        camera.take("review-dark", url, DESKTOP, dark=True)
        camera.take("review-phone", url, PHONE)
        camera.paper("review", url)
    for columns in (80, 120):
        for name in ("report", "history"):
            camera.terminal(f"{name}-{columns}", name, "--pair", acme.pair, columns=columns)
    workbook(camera, Path(page.removeprefix("file://")).with_suffix(".xlsx"))


def orchestrated(camera: Camera, server: str) -> None:
    """A Prefect server's list of runs, and its newest run with logs and artifacts."""
    import httpx

    newest = {"limit": 1, "sort": "START_TIME_DESC"}
    answer = httpx.post(f"{server}/api/flow_runs/filter", json=newest).raise_for_status()
    run = f"/runs/flow-run/{answer.json()[0]['id']}"
    camera.take("prefect", server, DESKTOP)
    pages = {"runs": "/runs", "logs": f"{run}?tab=Logs", "artifacts": f"{run}?tab=Artifacts"}
    for name, path in pages.items():
        # The server gives its first page alone an address; the others are made in the browser.
        camera.browser.js(
            f"history.pushState(null, '', {path!r}); dispatchEvent(new Event('popstate'))"
        )
        camera.browser.js("new Promise(done => setTimeout(done, 5000))")
        camera.shoot(f"prefect-{name}")


def main() -> None:
    """Make them."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--out", type=Path)
    words.add_argument("--contacts", type=int, default=60)
    words.add_argument("--questions", type=int, default=0)
    words.add_argument("--prefect", help="the address of a running server, to look at its pages")
    said = words.parse_args()
    out = said.out or ROOT / "docs" / "pictures"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        acme = world(Path(folder) / "demo", contacts=said.contacts, questions=said.questions)
        camera = Camera(browser, out)
        (everything if said.out else readme)(camera, acme)
        if said.prefect:
            orchestrated(camera, said.prefect)


if __name__ == "__main__":
    main()
