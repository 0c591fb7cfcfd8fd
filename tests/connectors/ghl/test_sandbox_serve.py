"""The sandbox under load of several clients at once, over real HTTP."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import httpx

from connectors.ghl.sandbox import Fault, Limit, RequestRecord, Sandbox, Settings, serve
from tests.connectors.ghl.rig import PLACE, PLENTY, TOKEN, V2

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Version": V2}


class _Watched(deque[RequestRecord]):
    """A log that says when a request was carried out."""

    def __init__(self, done: threading.Event) -> None:
        super().__init__()
        self._done = done

    def append(self, record: RequestRecord) -> None:
        super().append(record)
        self._done.set()


def made(**settings: object) -> Sandbox:
    """A sandbox with a location and a token."""
    sandbox = Sandbox(Settings(**settings))  # type: ignore[arg-type]
    sandbox.add_location(PLACE)
    sandbox.add_token(TOKEN, PLACE)
    return sandbox


def test_of_many_equal_creates_at_once_one_wins() -> None:
    """Eight threads create the same email: one 201, seven 400 that name it."""
    sandbox = made(pit=PLENTY)
    with serve(sandbox) as url, ThreadPoolExecutor(8) as pool:
        body = {"locationId": PLACE, "email": "a@example.com"}
        replies = list(
            pool.map(lambda _: httpx.post(f"{url}/contacts/", json=body, headers=HEADERS), range(8))
        )
    assert sorted(reply.status_code for reply in replies) == [201] + [400] * 7
    contact = sandbox.contacts(PLACE)[0]["id"]
    assert {reply.json()["meta"]["contactId"] for reply in replies if reply.status_code == 400} == {
        contact
    }


def test_of_many_requests_at_once_no_more_pass_than_the_limit() -> None:
    """Thirty requests from eight threads against a limit of twenty: twenty pass, ten answer 429."""
    sandbox = made(pit=Limit(max=20, window_seconds=600.0))
    with serve(sandbox) as url, ThreadPoolExecutor(8) as pool:
        statuses = list(
            pool.map(
                lambda _: httpx.get(f"{url}/locations/{PLACE}", headers=HEADERS).status_code,
                range(30),
            )
        )
    assert (statuses.count(200), statuses.count(429)) == (20, 10)
    assert sandbox.max_in_window(PLACE) == 30


def test_a_slow_write_is_done_though_the_client_went_away() -> None:
    """A client that gives up waiting has written all the same."""
    sandbox = made(pit=PLENTY)
    sandbox.arm(Fault("slow", method="POST", seconds=0.3))
    answered = threading.Event()
    sandbox.log = _Watched(answered)
    body = {"locationId": PLACE, "email": "a@example.com"}
    with serve(sandbox) as url:
        try:
            httpx.post(f"{url}/contacts/", json=body, headers=HEADERS, timeout=0.1)
            gave_up = False
        except httpx.ReadTimeout:
            gave_up = True
        assert gave_up
        assert answered.wait(timeout=10)
    assert [contact["email"] for contact in sandbox.contacts(PLACE)] == ["a@example.com"]


def test_two_sandboxes_run_side_by_side() -> None:
    """Each has its own port and its own records."""
    one, two = made(), made()
    with serve(one) as first, serve(two) as second:
        assert first != second
        httpx.post(
            f"{first}/contacts/", json={"locationId": PLACE, "firstName": "A"}, headers=HEADERS
        )
    assert (len(one.contacts(PLACE)), len(two.contacts(PLACE))) == (1, 0)
