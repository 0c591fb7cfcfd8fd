"""The thin edge of HTTP connectors: one request, sent, replayed where safe, its failure named."""

from __future__ import annotations

import codecs
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

import httpx
import msgspec

from connectors import deadline
from connectors.ending import Ending
from connectors.halves import with_whole_characters
from connectors.statuses import explain_status, redirected
from connectors.throttle import Quota, Throttle, read_quota
from reconcile.errors import (
    ConnectorError,
    Duplicate,
    Exhausted,
    Expired,
    InvalidField,
    Malformed,
    Stopped,
    Transient,
    Uncertain,
)
from reconcile.ports import Json

log = logging.getLogger("connectors.http")

# httpx logs every URL with its query at INFO, and a duplicate search has an email address in it.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""Failures before the first byte of the request left: whatever it was, it was not carried out."""

Transport: TypeAlias = httpx.BaseTransport
"""What carries requests; tests swap it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    `endpoint` is its template, the name under which it is counted and logged ("PUT
    /contacts/{id}").

    `replay` says that sending it twice does no harm. `body` goes as JSON, `form` as a form; at most
    one of them is given.
    """

    method: str
    path: str
    endpoint: str = ""
    params: Mapping[str, str | int] = field(default_factory=dict)
    body: Json = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    replay: bool = False

    @property
    def name(self) -> str:
        """What it is counted and logged as; never with a query, which may hold an email address."""
        return self.endpoint or f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `headers` with lower-case names, `body` as sent.

    `attempts` counts this request's sendings.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    attempts: int = 1

    @property
    def trace_id(self) -> str | None:
        """The side's own reference for its support, from a header or from the body."""
        for name in ("x-trace-id", "x-request-id", "cf-ray"):
            header = self.headers.get(name)
            if header:
                return header
        match self.parsed():
            case {"traceId": str(trace)}:
                return trace
        return None

    @property
    def is_json(self) -> bool:
        """Whether the body is whole JSON, unlike a gateway's page or an answer that was cut off."""
        try:
            # As Raw its form is checked without building objects.
            msgspec.json.decode(self.body, type=msgspec.Raw)
        except (msgspec.DecodeError, RecursionError):
            return False
        return True

    def parsed(self) -> Any:
        """The body as JSON, or None where it is not JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError):
            return None

    def json(self, expected: type[dict[str, Any] | list[Any]] = dict) -> Any:
        """The body as a JSON object (or list). Raises Malformed where it is anything else."""
        value = self.parsed()
        if isinstance(value, expected):
            return value
        raise Malformed(
            (
                f"expected a JSON {expected.__name__}, found {len(self.body)} bytes of "
                f"{self.headers.get('content-type', '?')}"
            ),
            remedy="repeat the run; if it stays, show the trace id to the side's support",
            status=self.status,
        )


class Auth(Protocol):
    """Credentials of a side: headers for a request, and a second chance when they are refused."""

    def headers(self) -> Mapping[str, str]:
        """The headers that carry the credentials, renewed if these are about to expire."""
        ...

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Whether to repeat after a 401 on `refused`: other headers are to be had by now."""
        ...


class NoAuth:
    """A side that asks for no credentials."""

    def headers(self) -> Mapping[str, str]:
        """No header."""
        return {}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """There is nothing to renew."""
        return False


Explain: TypeAlias = Callable[[Request, Answer], ConnectorError | None]
"""Names the failure in an answer; None where the answer is what was asked for."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a Client sends: seconds, counts.

    `refusals` is how many 429 in a row one request bears before it gives up.

    `body_bytes` of an answer are taken, unpacked, and an exchange is over within `total_seconds`,
    however lively its head or its body drips.
    """

    user_agent: str = "ghl-reconcile/0.1"
    headers: Mapping[str, str] = field(default_factory=dict)
    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    connections: int = 16
    attempts: int = 5
    refusals: int = 8
    backoff_seconds: float = 0.5
    backoff_limit: float = 30.0
    body_bytes: int = 64 << 20
    total_seconds: float = 300.0


class Client:
    """A side's HTTP connections, held open; safe to use from many threads.

    `explain` names failures in the side's own terms. `seen` is called after every answer with the
    request, the answer and the seconds it took. Once `ending` says so, nothing more is sent, tried
    again or waited for. `transport` is swapped in tests. No header is ever logged or put into an
    error.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: Auth | None = None,
        throttle: Throttle | None = None,
        explain: Explain = explain_status,
        options: Options | None = None,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        seen: Callable[[Request, Answer, float], None] | None = None,
        ending: Ending | None = None,
    ) -> None:
        self._ending = ending or Ending()
        self._options = options or Options()
        self._auth = auth or NoAuth()
        self._throttle = throttle
        self._explain = explain
        self._sleep = sleep
        self._jitter = jitter
        self._seen = seen
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._http = _open(base_url, self._options, transport)

    def __repr__(self) -> str:
        return f"Client({str(self._http.base_url)!r})"

    @property
    def counts(self) -> Mapping[str, int]:
        """Requests sent so far, by endpoint, replays included."""
        with self._lock:
            return dict(self._counts)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, request: Request) -> Answer:
        """Send, and replay what is safe to replay.

        The answer that is returned is one that `explain` finds no fault with.

        Raises the ConnectorError of the last attempt; Uncertain where a request that must not be
        replayed may have been carried out.
        """
        failures = refusals = renewals = 0
        # Once a sending may have arrived, the end of the run raises its failure and not Stopped,
        # which says that nothing was sent.
        unsent = True
        failure: ConnectorError | None = None
        while True:
            try:
                self._go_on(None if unsent else failure)
                return self._once(request, 1 + failures + refusals + renewals, lost=not unsent)
            except _Unauthorized as refused:
                renewals += 1
                if renewals > 1 or not self._auth.renew(refused.credentials):
                    raise refused.error from None
            except Exhausted as error:
                self._go_on(None if unsent else failure)
                refusals += 1
                # The throttle waits by itself, with all who share the window; a day's or a
                # month's quota does not come back while a run waits.
                if error.code != "EXHAUSTED_BURST" or refusals > self._options.refusals:
                    raise
                if self._throttle is None:
                    self._back_off(refusals, error, at_least=error.until_seconds or 0.0)
            except (Transient, Malformed) as error:
                failures += 1
                unsent = unsent and error.code == "UNSENT"
                if error.code == "UNSENT" and not unsent:
                    # This one was not sent, but an earlier one may have arrived.
                    error.code = Transient.code
                twice = request.replay and error.code != "TOO_LARGE"
                hopeless = isinstance(error, Malformed) and not twice
                if failures >= self._options.attempts or hopeless:
                    raise
                log.warning("replay %s: %s", request.name, error.code, extra={"attempt": failures})
                failure = error
                self._back_off(failures, error)

    def _go_on(self, failure: ConnectorError | None) -> None:
        """Raise where the run has to end.

        It raises the failure of what was sent already, unless that is "never sent"; else Stopped.
        """
        if self._ending.over and failure is not None:
            raise failure
        self._ending.check()

    def _back_off(self, failures: int, error: ConnectorError, *, at_least: float = 0.0) -> None:
        """Wait before the next try.

        Raises the error that was met where the run has to end meanwhile.
        """
        doubled = self._options.backoff_seconds * 2 ** (failures - 1)
        ceiling = min(self._options.backoff_limit, doubled)
        seconds = ceiling * (0.5 + 0.5 * self._jitter())
        try:
            self._sleep(max(at_least, seconds))
        except Stopped:
            raise error from None

    def _once(self, request: Request, attempt: int, *, lost: bool) -> Answer:
        credentials = self._auth.headers()
        answer = self._exchange(request, credentials, attempt)
        error = self._explain(request, answer)
        if error is None or not request.replay:
            error = redirected(request, answer) or error
        if error is None:
            return answer
        if isinstance(error, Expired):
            raise _Unauthorized(error, credentials)
        if isinstance(error, Exhausted) and error.code == "EXHAUSTED":
            error.code = "EXHAUSTED_BURST"
        # After a lost sending, a duplicate that nobody names may be that sending's own work.
        nameless = isinstance(error, Duplicate) and error.key is None
        own = nameless and lost and request.method != "GET"
        unanswered = isinstance(error, Transient | Malformed) and not request.replay
        if own or unanswered:
            raise _uncertain(request, error) from None
        raise error

    def _exchange(self, request: Request, credentials: Mapping[str, str], attempt: int) -> Answer:
        ticket = self._throttle.enter() if self._throttle else ""
        quota = Quota()
        begun = time.monotonic()
        try:
            with self._lock:
                self._counts[request.name] += 1
            answer = _receive(self._http, request, credentials, attempt, self._bounded(request))
            quota = read_quota(answer.status, answer.headers)
        finally:  # a request that failed took its place in the side's window all the same
            if self._throttle:
                self._throttle.leave(ticket, quota)
        if self._seen:
            self._seen(request, answer, time.monotonic() - begun)
        return answer

    def _bounded(self, request: Request) -> Options:
        """The options for one request.

        What may be sent twice is not waited for beyond the end of the run.
        """
        most, left = self._options, max(1.0, self._ending.left)
        if not request.replay or left >= most.total_seconds:
            return most
        return replace(most, read_seconds=min(most.read_seconds, left), total_seconds=left)


class _Unauthorized(Exception):
    def __init__(self, error: Expired, credentials: Mapping[str, str]) -> None:
        super().__init__("unauthorized")
        self.error = error
        self.credentials = credentials


def _open(base_url: str, options: Options, transport: Transport | None) -> httpx.Client:
    many = options.connections
    limits = httpx.Limits(max_connections=many, max_keepalive_connections=many)
    return httpx.Client(
        base_url=base_url,
        transport=transport or deadline.Transport(limits),
        headers={"User-Agent": options.user_agent, "Accept": "application/json", **options.headers},
        timeout=httpx.Timeout(options.read_seconds, connect=options.connect_seconds),
        follow_redirects=False,
        trust_env=False,
    )


def _receive(
    http: httpx.Client,
    request: Request,
    credentials: Mapping[str, str],
    attempt: int,
    options: Options,
) -> Answer:
    try:
        with deadline.within(options.total_seconds) as until:
            response = http.send(_built(http, request, credentials, options), stream=True)
            try:
                body = _body(request, response, options, until=until)
            finally:
                response.close()
    except httpx.HTTPError as error:
        # `from None`: httpx keeps the request, and with it the credentials, on its exceptions.
        raise _unanswered(request, error) from None
    return Answer(
        response.status_code,
        {name.lower(): value for name, value in response.headers.items()},
        with_whole_characters(body.removeprefix(codecs.BOM_UTF8)),
        attempt,
    )


def _body(request: Request, response: httpx.Response, options: Options, *, until: float) -> bytes:
    """The body, unpacked as it comes: one may unpack to a gigabyte, and one may never end."""
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > options.body_bytes:
            large = Malformed(
                f"{request.name} was answered with more than {options.body_bytes:,} bytes",
                remedy="ask for smaller pages, or see who answers there",
                code="TOO_LARGE",
                status=response.status_code,
            )
            if request.replay:
                raise large
            raise _uncertain(request, large)
        if time.monotonic() > until:
            raise httpx.ReadTimeout("the answer as a whole took too long")
    return bytes(body)


def _built(
    http: httpx.Client, request: Request, credentials: Mapping[str, str], options: Options
) -> httpx.Request:
    """The request as httpx sends it.

    Raises InvalidField where it cannot be made, without what it would be made of.
    """
    headers = {**request.headers, **credentials}
    kind = ""
    try:
        content: bytes | None = None
        if request.body is not None:
            content = msgspec.json.encode(request.body)
            headers["Content-Type"] = "application/json"
        path: httpx.URL | str = request.path
        if request.params:  # httpx's own `params` would take the place of a query in the path
            path = httpx.URL(request.path).copy_merge_params(request.params)
        timeout = httpx.Timeout(options.read_seconds, connect=options.connect_seconds)
        return http.build_request(
            request.method,
            path,
            content=content,
            data=request.form,
            headers=headers,
            timeout=timeout,
        )
    except (ValueError, TypeError, RecursionError, httpx.InvalidURL) as error:
        kind = type(error).__name__
    # Not in the handler: a UnicodeEncodeError has the header, and so the token, on it.
    raise InvalidField(
        f"{request.name} could not be made: {kind}",
        remedy=(
            "look for characters that do not belong into the url, the headers, "
            "the token or the value"
        ),
        code="UNMADE",
    )


def _unanswered(request: Request, error: httpx.HTTPError) -> ConnectorError:
    kind = type(error).__name__
    if isinstance(error, UNSENT):
        return Transient(
            f"{request.name} could not be sent: {kind}",
            remedy="check the address and the network",
            code="UNSENT",
        )
    if request.replay:
        return Transient(
            f"{request.name} was not answered: {kind}",
            remedy="repeat the run when the side answers again",
        )
    return Uncertain(
        f"{request.name} was sent and not answered: {kind}",
        remedy="look for the record before repeating",
    )


def _uncertain(request: Request, error: ConnectorError) -> Uncertain:
    return Uncertain(
        f"{request.name} may have been carried out: answered {error.status} ({error.code})",
        remedy="look for the record before repeating",
        status=error.status,
        trace_id=error.trace_id,
    )
