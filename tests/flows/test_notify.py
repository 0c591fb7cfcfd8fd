"""Notices to people: what is new is told once, no value is in them, and a dead receiver changes nothing."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from flows.commands.operating import notify as try_them
from flows.config import load
from flows.config.form import AlertsForm
from flows.jobs.delta import Delta
from flows.jobs.full import PLAN
from flows.outcome.alerts import RECOVERED, Alert
from flows.outcome.notify import DIGESTED, Notice, digest, news, send, understood
from flows.outcome.tell import Told
from flows.run import Run
from flows.runner import carry_out
from reconcile.errors import ConfigError
from reconcile.ledger import runs
from reconcile.model import Entity
from tests.builders import World
from tests.flows.nights import night, opened

BROKEN = Alert("failed-share", "error", "3 of 10 writes failed (30%; the limit is 5%)")
WELL = Alert(RECOVERED, "info", "no alert any more; the run before had: failed-share")
NOTICE = Notice("acme: failed-share", ("3 of 10 writes failed",), "failure")


@contextmanager
def http_receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A web server of this machine that takes whatever is posted to it."""
    taken: list[dict[str, Any]] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(json.loads(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"json://127.0.0.1:{server.server_address[1]}/hook", taken
        server.shutdown()


@contextmanager
def mail_receiver() -> Iterator[tuple[str, list[str]]]:
    """A mail server of this machine that takes whatever is sent to it."""
    taken: list[str] = []

    class Taking(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                word = line[:4].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    taken.append(b"".join(lines).decode())
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Taking) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        yield f"mailto://127.0.0.1:{port}?from=job@example.com&to=ops@example.com", taken
        server.shutdown()


@contextmanager
def deaf_receiver() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"json://127.0.0.1:{server.getsockname()[1]}/"


def told_to(world: World, *urls: str, **more: Any) -> Told:
    """One night whose receivers are these."""
    secrets = [SecretStr(url) for url in urls]

    def with_receivers(run: Run) -> None:
        pair: Any = run.pair
        pair.alerts = AlertsForm(notify=secrets, **more)
        pair.report_url = "https://reports.example.com/{run}/report.html"

    return night(world, during=with_receivers)


def with_a_person() -> World:
    world = World(limits={"max_first_creates": 100})
    world.app.put(Entity.CONTACT, {"first_name": "Ann", "email": "ann@x.com"})
    return world


def test_a_trouble_is_told_once_and_its_end_once() -> None:
    """Three bad nights, then two good ones, are two notices."""
    bad = {"alerts": [BROKEN.name]}
    first = news("acme", [BROKEN], {"alerts": []})
    assert first
    assert (first.title, first.tone) == ("acme: 3 of 10 writes failed", "failure")
    assert news("acme", [BROKEN], bad) is None
    well = news("acme", [WELL], bad)
    assert well
    assert (well.title, well.tone) == ("acme: no alert any more", "success")
    assert news("acme", [], {"alerts": []}) is None


def test_a_digest_counts_the_questions_by_kind() -> None:
    """How many of each kind, the oldest first night, and nothing of a record."""
    opened = [
        ("conflict", "contact", "2026-01-02T00:00:00+00:00"),
        ("conflict", "contact", "2026-01-05T00:00:00+00:00"),
        ("delete", "task", "2026-01-04T00:00:00+00:00"),
    ]
    found = digest("acme", opened, "2026-01-09T00:00:00+00:00")
    assert found
    assert found.title == "acme: 3 questions wait"
    assert found.lines[:3] == (
        "2 of contact: conflict",
        "1 of task: delete",
        "The oldest is 7 days old.",
    )
    assert digest("acme", [], "2026-01-09T00:00:00+00:00") is None


def test_web_and_mail_receivers_get_it_and_a_dead_one_is_named() -> None:
    """A real web server and a real mail server take the notice; one that is gone and one that is deaf are told of."""
    with http_receiver() as (web, posts), mail_receiver() as (mail, mails), deaf_receiver() as deaf:
        dead = send([web, mail, "json://127.0.0.1:1/", deaf, "nonsense"], NOTICE, seconds=5)
    assert dead == (3, 4, 5)
    assert [(post["title"], post["type"]) for post in posts] == [("acme: failed-share", "failure")]
    assert "Subject: acme: failed-share" in mails[0]
    assert "3 of 10 writes failed" in mails[0]


def test_a_run_tells_what_changed_and_no_value(caplog: pytest.LogCaptureFixture) -> None:
    """Bad, bad, good: two notices of three runs. The contact's address is in neither, nor a receiver's in the log."""
    with http_receiver() as (web, posts), with_a_person() as world:
        world.set_vices(world.ghl.side, rejects=lambda write: "READ_ONLY")
        first, second = told_to(world, web, digest=False), told_to(world, web, digest=False)
        world.set_vices(world.ghl.side, rejects=lambda write: None)
        gone = "json://127.0.0.1:1/secret-path"
        third = told_to(world, web, gone, digest=False)
    assert [told.exit_code for told in (first, second, third)] == [2, 2, 0]
    assert [post["title"].partition(": ")[2] for post in posts] == [
        "1 of 1 writes failed",
        "no alert any more",
    ]
    link = f"https://reports.example.com/{first.document['run_id']}/report.html"
    assert link in posts[0]["message"]
    assert "ann@x.com" not in json.dumps(posts)
    assert "secret-path" not in caplog.text
    assert [
        record.__dict__["setting"] for record in caplog.records if "setting" in record.__dict__
    ] == ["notify[2]"]


def test_the_digest_comes_once_a_week() -> None:
    """Of nights with an open question the first one sends a digest, and the next after seven days."""
    with http_receiver() as (web, posts), with_a_person() as world:
        told_to(world, web)
        for side, name in ((world.app, "Anna"), (world.ghl, "Anne")):
            (key,) = side.rows(Entity.CONTACT)
            side.edit(Entity.CONTACT, key, {"first_name": name})
        asked = told_to(world, web)
        told_to(world, web)
        summaries = [row.summary for row in runs.runs(world.ledger)]
        assert asked.document["totals"]["questions"] == 1
        assert [DIGESTED in summary for summary in summaries] == [False, True, False]
        world.clock.advance(8 * 86_400)
        told_to(world, web)
    titles = [post["title"].partition(": ")[2] for post in posts]
    assert titles == ["1 question waits", "1 question waits"]


def test_a_delta_that_is_well_does_not_end_the_nights_trouble() -> None:
    """The delta after a bad night tells nothing; the good night after both tells that all is well."""
    with with_a_person() as world:
        night(world)
        world.set_vices(world.ghl.side, rejects=lambda write: "READ_ONLY")
        world.app.put(Entity.CONTACT, {"first_name": "Bob", "email": "bob@x.com"})
        bad = night(world)
        world.set_vices(world.ghl.side, rejects=lambda write: None)
        with opened(world, "delta") as run:
            part = carry_out(run, Delta())
        whole = night(world)
    names = [[each["name"] for each in told.document["alerts"]] for told in (bad, part, whole)]
    assert names == [["failed-share"], [], ["recovered"]]


def test_a_plan_in_between_neither_ends_a_trouble_nor_begins_it_anew() -> None:
    """Bad night, a plan that somebody made to look, bad night, plan, good night: one trouble, and one end of it."""
    with http_receiver() as (web, posts), with_a_person() as world:
        world.set_vices(world.ghl.side, rejects=lambda write: "READ_ONLY")
        told_to(world, web, digest=False)
        _looked_at(world)
        told_to(world, web, digest=False)
        world.set_vices(world.ghl.side, rejects=lambda write: None)
        _looked_at(world)
        told_to(world, web, digest=False)
    titles = [post["title"].partition(": ")[2] for post in posts]
    assert titles == ["1 of 1 writes failed", "no alert any more"]


def _looked_at(world: World) -> None:
    with opened(world, "plan") as run:
        carry_out(run, PLAN)


PAIR = """
pair = "acme"
[app]
url = "sqlite:///app.db"
[app.contact]
table = "people"
[ghl]
url = "sandbox:ghl.db"
location = "loc1"
[contact.fields]
email = "email"
[alerts]
notify = [{receiver}]
"""


@pytest.mark.parametrize(
    ("receiver", "environ", "problem"),
    [
        ('"slack://a/b/c"', {}, "stands in the file itself"),
        ('"env:CHAT"', {}, "CHAT is not set"),
        ('"env:CHAT"', {"CHAT": "ops@example.com"}, "is not the URL of a notification service"),
    ],
)
def test_a_receiver_that_is_no_secret_or_no_url_is_refused(
    tmp_path: Path, receiver: str, environ: dict[str, str], problem: str
) -> None:
    """A URL in the file itself, a variable that is not set, and a text that is no URL."""
    path = tmp_path / "pair.toml"
    path.write_text(PAIR.format(receiver=receiver))
    with pytest.raises(ConfigError) as refused:
        load(path, environ=environ)
    (found,) = refused.value.problems
    assert problem in found.what
    assert "slack://a/b/c" not in str(refused.value)
    assert "ops@example.com" not in str(refused.value)


def test_receivers_can_be_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`notify` sends a test notice, says which receiver took it, and ends with 2 where one did not."""
    path = tmp_path / "pair.toml"
    path.write_text(PAIR.format(receiver='"env:CHAT", "env:GONE"'))
    with http_receiver() as (web, posts):
        monkeypatch.setenv("CHAT", web)
        monkeypatch.setenv("GONE", "json://127.0.0.1:1/")
        assert try_them(pair=path) == 2
    said = capsys.readouterr().out
    assert "receiver 1 took it" in said
    assert "receiver 2 did not take it" in said
    assert [post["title"] for post in posts] == ["acme: a test notice"]


def test_a_url_of_no_service_is_not_understood() -> None:
    """`doctor` tells by this that a receiver would never be told anything."""
    assert understood("nonsense://x") is None
    assert understood("json://127.0.0.1/") is not None
