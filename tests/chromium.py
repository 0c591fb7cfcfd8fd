"""A real Chromium for tests, driven over its own protocol (CDP): whatever is on the machine, headless, with a profile of its own."""

from __future__ import annotations

import base64
import importlib.util
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
          "--disable-component-update", "--disable-sync", "--remote-debugging-port=0")  # fmt: skip


class Browser:
    """One tab. `seen` holds every request's URL, `complaints` every console error, exception and refused load."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._ids = socket, count(1)
        self.seen: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its result."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        return self._until(lambda message: message.get("id") == number)

    def _until(self, wanted: Any) -> dict[str, Any]:
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            self._note(message)
            if wanted(message):
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message.get("result", message.get("params", {}))
                return result

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.seen.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(params["exceptionDetails"]))
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.complaints.append(
                    f"{params['entry']['text']} {params['entry'].get('url', '')}"
                )
            case "Runtime.consoleAPICalled" if params["type"] == "error":
                self.complaints.append(str(params["args"]))

    def open(self, url: str) -> None:
        """Go there and wait until it is loaded."""
        self.call("Page.navigate", url=url)
        self._until(lambda message: message.get("method") == "Page.loadEventFired")

    def js(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, *, code: int, text: str = "") -> None:
        """Press and release a key."""
        common = {
            "key": key,
            "code": key,
            "windowsVirtualKeyCode": code,
            **({"text": text} if text else {}),
        }
        self.call("Input.dispatchKeyEvent", type="keyDown", **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Type into whatever has the focus."""
        self.call("Input.insertText", text=text)

    def loaded(self) -> None:
        """Wait for the page that a click or a key has asked for."""
        self._until(lambda message: message.get("method") == "Page.loadEventFired")

    def picture(self, path: Path) -> None:
        """A picture of what is seen."""
        path.write_bytes(
            base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        )


@dataclass(frozen=True, slots=True)
class Chromium:
    """A running one, by the port of its protocol."""

    port: int

    @contextmanager
    def tab(self) -> Iterator[Browser]:
        """A new tab, closed afterwards."""
        import httpx
        from websockets.sync.client import connect

        with httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/json", trust_env=False
        ) as protocol:
            opened = protocol.put("/new?about:blank").json()
            with connect(opened["webSocketDebuggerUrl"], max_size=None) as socket:
                yield Browser(socket)
            protocol.get(f"/close/{opened['id']}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A tab of a Chromium of its own."""
    with launched() as started, started.tab() as tab:
        yield tab


@contextmanager
def launched() -> Iterator[Chromium]:
    """A headless Chromium; the test is skipped where none is installed."""
    binary = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if binary is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [binary, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own flags
            try:
                yield Chromium(_port(process))
            finally:
                process.terminate()
                process.wait(timeout=20)


def _port(process: subprocess.Popen[str]) -> int:
    """The port of the protocol, which Chromium names on standard error."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("DevTools listening on "):
            return int(line.split(":")[2].split("/")[0])
    raise AssertionError("Chromium ended before it listened")


AXE = importlib.util.find_spec("axe_playwright_python")

needs_axe = pytest.mark.skipif(
    AXE is None,
    reason="axe-core is not installed (pip install axe-playwright-python brings its script)",
)


def violations(browser: Browser) -> list[dict[str, Any]]:
    """What axe-core finds wrong with the page as it is now: rule and elements."""
    assert AXE is not None
    (folder,) = AXE.submodule_search_locations or ()
    browser.js((Path(folder) / "axe.min.js").read_text(encoding="utf-8") + "; 0")
    found: list[dict[str, Any]] = browser.js(
        "axe.run().then(r => r.violations.map(v => ({id: v.id, nodes: v.nodes.map(n => n.html + ' ' + n.failureSummary)})))"
    )
    return found
