"""One request: replayed where that is safe, its failure named, nothing secret in what it says."""

from __future__ import annotations

import gzip
import json
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deadline import Transport
from connectors.ghl.faults import explain as explain_ghl
from connectors.http import Client, Explain, NoAuth, Options, Request
from connectors.statuses import explain_status
from connectors.throttle import LocalBudget, Throttle, Window
from reconcile.errors import (
    Blocked,
    ConnectorError,
    Duplicate,
    Exhausted,
    Expired,
    Forbidden,
    InvalidField,
    Malformed,
    NotFound,
    Transient,
    Uncertain,
)
from tests.connectors.ghl.fake_ghl import Clock, Script, answer
from tests.properties.profiles import profile

GET = Request("GET", "/x", endpoint="GET /x", replay=True)
POST = Request("POST", "/x", endpoint="POST /x", body={"name": "Ada"})
SECRET = "token-0001"


class Token:
    """Credentials that can be renewed a number of times."""

    def __init__(self, renewals: int = 0) -> None:
        self.renewals = renewals
        self.current = SECRET

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.current}"}

    def renew(self, refused: Any) -> bool:
        assert refused == self.headers()
        self.renewals -= 1
        self.current += "'"
        return self.renewals >= 0


def client(script: Script, **options: Any) -> tuple[Client, Clock]:
    """A client on scripted answers, with a clock that only sleeps move."""
    clock = Clock(0.0)
    auth = options.pop("auth", None)
    throttle = options.pop("throttle", None)
    made = Client(
        "http://side.invalid",
        auth=auth,
        throttle=throttle,
        options=Options(**options),
        transport=httpx.MockTransport(script),
        sleep=clock.sleep,
        jitter=lambda: 1.0,
    )
    return made, clock


def answers(method: str, *replies: httpx.Response | Exception) -> Script:
    """Answers of /x in turn; the last one is repeated."""
    return Script({(method, "/x"): list(replies)})


def lost(kind: type[httpx.TransportError] = httpx.ReadTimeout) -> httpx.TransportError:
    """A failure of the connection."""
    return kind("gone")


@pytest.mark.parametrize(
    "fault",
    [
        httpx.Response(500),
        httpx.Response(502),
        httpx.Response(503),
        httpx.Response(520),
        httpx.Response(408),
        lost(httpx.ReadTimeout),
        lost(httpx.ReadError),
        lost(httpx.WriteError),
        lost(httpx.RemoteProtocolError),
        lost(httpx.ConnectError),
        lost(httpx.ConnectTimeout),
        lost(httpx.PoolTimeout),
    ],
    ids=repr,
)
def test_a_safe_request_is_replayed(fault: httpx.Response | Exception) -> None:
    """What may be repeated is repeated after any passing failure, and the answer says how often it was sent."""
    script = answers("GET", fault, answer({"ok": True}))
    made, _ = client(script)
    assert made.send(GET).attempts == 2
    assert made.counts == {"GET /x": 2}


@pytest.mark.parametrize(
    "fault",
    [httpx.Response(502), httpx.Response(408), lost(), lost(httpx.RemoteProtocolError)],
    ids=repr,
)
def test_an_unsafe_request_is_never_repeated_blindly(fault: httpx.Response | Exception) -> None:
    """What may not be repeated is Uncertain after one sending."""
    script = answers("POST", fault)
    made, _ = client(script)
    with pytest.raises(Uncertain):
        made.send(POST)
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    "fault", [lost(httpx.ConnectError), lost(httpx.ConnectTimeout), httpx.Response(429)], ids=repr
)
def test_an_unsafe_request_that_was_not_carried_out_is_repeated(
    fault: httpx.Response | Exception,
) -> None:
    """Without a connection, and after 429, nothing was done: even a create is sent again."""
    script = answers("POST", fault, answer({"ok": True}))
    made, _ = client(script)
    assert made.send(POST).attempts == 2


def test_backoff_grows_and_ends() -> None:
    """The pauses double up to a limit, and after the last attempt the failure is raised."""
    script = answers("GET", httpx.Response(503))
    made, clock = client(script, attempts=5, backoff_seconds=1.0, backoff_limit=4.0)
    with pytest.raises(Transient):
        made.send(GET)
    assert len(script.asked) == 5
    assert clock.now == pytest.approx(1 + 2 + 4 + 4)


def test_backoff_is_jittered() -> None:
    """Half of each pause is random, so that many clients do not come back together."""
    script, clock = answers("GET", httpx.Response(503)), Clock(0.0)
    made = Client(
        "http://side.invalid",
        options=Options(attempts=2, backoff_seconds=1.0),
        transport=httpx.MockTransport(script),
        sleep=clock.sleep,
        jitter=lambda: 0.0,
    )
    with pytest.raises(Transient):
        made.send(GET)
    assert clock.now == pytest.approx(0.5)


def test_only_failures_before_sending_are_unsent() -> None:
    """UNSENT means that no attempt can have reached the side."""
    refused, _ = client(answers("GET", lost(httpx.ConnectError)), attempts=3)
    with pytest.raises(Transient) as never:
        refused.send(GET)
    assert never.value.code == "UNSENT"
    reached, _ = client(answers("GET", lost(), lost(httpx.ConnectError)), attempts=3)
    with pytest.raises(Transient) as once:
        reached.send(GET)
    assert once.value.code == "TRANSIENT"


def test_a_429_is_borne_a_few_times() -> None:
    """Refusals do not use up the attempts, and end in Exhausted."""
    script = answers("GET", httpx.Response(429))
    made, _ = client(script, refusals=3)
    with pytest.raises(Exhausted):
        made.send(GET)
    assert len(script.asked) == 4


def test_every_attempt_passes_the_throttle() -> None:
    """Replays are requests like any other: each takes its place in the window and gives it back."""
    clock = Clock(0.0)
    budget = LocalBudget(Window(limit=2))
    throttle = Throttle(budget, clock=clock, sleep=clock.sleep)
    script = answers("GET", httpx.Response(503), httpx.Response(503), answer({}))
    made, _ = client(script, throttle=throttle)
    made.send(GET)
    assert clock.now >= 10.0
    assert budget.change(lambda window: dict(window.flying)) == {}


def test_a_request_that_fails_gives_its_place_back() -> None:
    """A lost connection leaves no request in the air for ever."""
    budget = LocalBudget()
    clock = Clock(0.0)
    made, _ = client(
        answers("POST", lost()), throttle=Throttle(budget, clock=clock, sleep=clock.sleep)
    )
    with pytest.raises(Uncertain):
        made.send(POST)
    assert budget.change(lambda window: dict(window.flying)) == {}


def test_a_401_is_renewed_once() -> None:
    """Credentials that can be renewed get one second chance, also for a create: a 401 carried nothing out."""
    script = answers("POST", httpx.Response(401), answer({"ok": True}))
    made, _ = client(script, auth=Token(renewals=1))
    made.send(POST)
    assert [request.headers["authorization"] for request in script.asked] == [
        f"Bearer {SECRET}",
        f"Bearer {SECRET}'",
    ]


@pytest.mark.parametrize("renewals", [0, 5])
def test_a_401_that_stays_is_expired(renewals: int) -> None:
    """Where renewing does not help, the run stops with Expired after at most one more request."""
    script = answers("GET", answer({"message": "Invalid JWT"}, status=401))
    made, _ = client(script, auth=Token(renewals=renewals))
    with pytest.raises(Expired):
        made.send(GET)
    assert len(script.asked) == (2 if renewals else 1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidField),
        (401, Expired),
        (403, Forbidden),
        (404, NotFound),
        (409, Duplicate),
        (410, NotFound),
        (422, InvalidField),
        (429, Exhausted),
        (500, Transient),
    ],
)
def test_a_status_alone_has_a_name(status: int, kind: type[ConnectorError]) -> None:
    """A side without a dialect of its own gets the failure that its status tells."""
    reply = answer({}, status=status, **{"x-trace-id": "t-1"})
    made, _ = client(answers("GET", reply), attempts=1, refusals=0)
    with pytest.raises(kind) as caught:
        made.send(GET)
    assert (caught.value.status, caught.value.trace_id) == (status, "t-1")


def test_a_gateways_page_is_blocked() -> None:
    """A 403 that is not JSON comes from in front of the side."""
    made, _ = client(answers("GET", httpx.Response(403, text="<html>error code: 1010</html>")))
    with pytest.raises(Blocked):
        made.send(GET)


@pytest.mark.parametrize("body", ["", "<html>", '{"a": 1', "[1, 2]"])
def test_an_answer_of_another_form_is_malformed(body: str) -> None:
    """What is not the JSON object that was expected says so, without repeating it."""
    made, _ = client(answers("GET", httpx.Response(200, text=body)))
    with pytest.raises(Malformed) as caught:
        made.send(GET).json()
    assert "html" not in caught.value.what


_CUT = st.text(st.characters(codec="utf-8") | st.sampled_from('\ud83d\ude00\\ud"ﬁ'), max_size=12)


@given(text=_CUT, upper=st.booleans())
@profile(ci=(300, 1), soak=(20_000, 1))
def test_half_a_character_keeps_no_record_from_being_read(text: str, upper: bool) -> None:
    """A text cut inside an emoji, which JavaScript writes as an escape that no UTF-8 has, is read as a browser shows it."""
    body = json.dumps({"contacts": [{"name": text}, {"name": "Ada"}]})
    if upper:
        body = re.sub(
            r"\\\\|\\u[0-9a-f]{4}", lambda found: found[0][:2] + found[0][2:].upper(), body
        )
    made, _ = client(answers("GET", httpx.Response(200, text=body)))
    shown = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert made.send(GET).json() == {"contacts": [{"name": shown}, {"name": "Ada"}]}


def test_the_trace_id_is_found_in_header_or_body() -> None:
    """GHL puts its reference into the body, gateways into a header."""
    in_body, _ = client(answers("GET", answer({"traceId": "t-2"})))
    assert in_body.send(GET).trace_id == "t-2"
    in_header, _ = client(answers("GET", answer({"traceId": "t-2"}, **{"x-request-id": "r-1"})))
    assert in_header.send(GET).trace_id == "r-1"
    nowhere, _ = client(answers("GET", answer([])))
    assert nowhere.send(GET).trace_id is None


def test_what_is_sent() -> None:
    """An explicit User-Agent, JSON both ways, a body also on DELETE, parameters quoted."""
    script = Script({("DELETE", "/a b"): [answer({})]})
    made, _ = client(script, user_agent="me/1", headers={"Version": "v3"})
    made.send(
        Request("DELETE", "/a%20b", params={"number": "+1 415"}, body={"tags": ["x"]}, replay=True)
    )
    (request,) = script.asked
    assert request.headers["user-agent"] == "me/1"
    assert request.headers["version"] == "v3"
    assert request.headers["content-type"] == request.headers["accept"] == "application/json"
    assert request.content == b'{"tags":["x"]}'
    assert request.url.params["number"] == "+1 415"
    assert b"%2B1" in request.url.raw_path


def test_a_form_is_sent_as_a_form() -> None:
    """OAuth's endpoints take forms."""
    script = Script({("POST", "/token"): [answer({})]})
    made, _ = client(script)
    made.send(Request("POST", "/token", form={"a": "1 2"}))
    assert script.asked[0].content == b"a=1+2"
    assert script.asked[0].headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "fault", [httpx.Response(500), httpx.Response(401), lost(), lost(httpx.ConnectError)], ids=repr
)
def test_no_token_in_an_error_a_log_or_a_traceback(
    fault: httpx.Response | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails, the credentials stand in no message, chained exception, log record or repr."""
    made, _ = client(answers("GET", fault), auth=Token(), attempts=2)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConnectorError) as caught:
        made.send(GET)
    shown = "".join(traceback.format_exception(caught.value)) + repr(made) + caplog.text
    assert SECRET not in shown
    error: BaseException | None = caught.value
    while error is not None:
        assert not hasattr(error, "request")
        assert error.__cause__ is None or not isinstance(error.__cause__, httpx.HTTPError)
        error = error.__cause__


def test_every_answer_is_seen() -> None:
    """The callback gets each attempt with its answer and the seconds it took."""
    seen: list[tuple[str, int]] = []
    script = answers("GET", httpx.Response(503), answer({}))
    made = Client(
        "http://side.invalid",
        transport=httpx.MockTransport(script),
        sleep=lambda seconds: None,
        seen=lambda request, reply, seconds: seen.append((request.name, reply.status)),
    )
    made.send(GET)
    assert seen == [("GET /x", 503), ("GET /x", 200)]


def test_an_answer_shows_no_body_in_its_repr() -> None:
    """Bodies hold people's values: they stay out of reprs."""
    made, _ = client(answers("GET", answer({"email": "ada@example.com"})))
    assert "ada" not in repr(made.send(GET))


def test_no_credentials_are_no_header() -> None:
    """A side that asks for none gets none, and a 401 from it is final."""
    assert NoAuth().headers() == {}
    assert not NoAuth().renew({})
    assert explain_status(GET, client(answers("GET", answer({})))[0].send(GET)) is None


@pytest.mark.parametrize("explain", [explain_status, explain_ghl], ids=["status", "ghl"])
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_a_failure(status: int, explain: Explain) -> None:
    """None is followed: a read fails, and what must not be repeated is Uncertain, without the query of the address."""
    reply = httpx.Response(
        status, headers={"location": "https://me:pw@side.invalid/login?email=ada@example.com"}
    )
    script = Script({("GET", "/x"): [reply], ("POST", "/x"): [reply]})
    made = Client("http://side.invalid", explain=explain, transport=httpx.MockTransport(script))
    with pytest.raises(ConnectorError) as read:
        made.send(GET)
    with pytest.raises(Uncertain) as written:
        made.send(POST)
    assert (
        written.value.what
        == f"POST /x was answered {status}, a redirect to https://side.invalid/login"
    )
    assert (read.value.status, written.value.status, len(script.asked)) == (status, status, 2)
    assert not isinstance(read.value, Uncertain)


class _Drip(httpx.SyncByteStream):
    """A body that never ends; each part moves the clock."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self.tick = tick
        self.parts = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.parts += 1
            self.tick()
            yield b" "


@pytest.mark.parametrize("request_", [GET, POST], ids=["GET", "POST"])
def test_an_answer_that_unpacks_without_an_end_is_cut_off(request_: Request) -> None:
    """A small packed body that would fill the memory is a named fault after the bound; a write stays in doubt."""
    bomb = gzip.compress(b" " * 50_000_000)
    reply = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(bomb))
    script = answers(request_.method, reply)
    made, _ = client(script, body_bytes=1_000_000)
    with pytest.raises(ConnectorError) as caught:
        made.send(request_)
    assert (type(caught.value), "TOO_LARGE" in f"{caught.value.code} {caught.value.what}") == (
        (Malformed, True) if request_.replay else (Uncertain, True)
    )
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    ("request_", "kind"), [(GET, Transient), (POST, Uncertain)], ids=["GET", "POST"]
)
def test_an_answer_that_drips_is_not_waited_for(
    request_: Request, kind: type[ConnectorError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that comes a byte at a time, each within the time of a read, ends after the time of the whole."""
    now = [0.0]
    monkeypatch.setattr("connectors.http.time.monotonic", lambda: now[0])

    def tick() -> None:
        now[0] += 50.0

    drips = [_Drip(tick) for _ in range(2)]
    script = answers(request_.method, *(httpx.Response(200, stream=drip) for drip in drips))
    made, _ = client(script, attempts=2, total_seconds=300.0)
    with pytest.raises(kind):
        made.send(request_)
    assert drips[0].parts <= 8


class _Dripping(httpcore.MockStream):
    """A connection on which the head of an answer comes a byte at a time and never ends; each byte moves the clock."""

    def __init__(self, tick: Callable[[], None]) -> None:
        super().__init__([])
        self.tick = tick
        self.waited: list[float | None] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.tick()
        self.waited.append(timeout)
        return b"HTTP/1.1 200 OK\r\nX-Slow: " if len(self.waited) == 1 else b"x"


class _Side(httpcore.MockBackend):
    """What every connection of leads to that one stream."""

    def __init__(self, stream: _Dripping) -> None:
        super().__init__([])
        self.stream = stream

    def connect_tcp(self, *_: object, **__: object) -> httpcore.NetworkStream:
        return self.stream


@pytest.mark.parametrize(
    ("request_", "kind"), [(GET, Transient), (POST, Uncertain)], ids=["GET", "POST"]
)
def test_an_answer_whose_head_drips_is_not_waited_for(
    request_: Request, kind: type[ConnectorError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headers that come a byte at a time end after the time of the whole, and no byte is waited for longer than is left of it."""
    now = [0.0]
    monkeypatch.setattr("connectors.deadline.time.monotonic", lambda: now[0])

    def tick() -> None:
        now[0] += 50.0

    stream = _Dripping(tick)
    transport = Transport(httpx.Limits(max_connections=1), backend=_Side(stream))
    options = Options(attempts=1, read_seconds=60.0, total_seconds=300.0)
    made = Client("http://side.invalid", options=options, transport=transport, sleep=lambda _: None)
    with pytest.raises(kind):
        made.send(request_)
    made.close()
    assert stream.waited == [60.0, 60.0, 60.0, 60.0, 60.0, 50.0]
