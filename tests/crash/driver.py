"""A nightly run in a process of its own that kills itself with SIGKILL at one exact point: `driver.py PAIR POINT`.

A POINT is `commit:before:N` or `commit:after:N` (the N-th commit to the ledger or the app's database), `send:before:N`
or `send:after:N` (the N-th request that writes to GHL), or `none`. Without being killed it prints how many there were.
The hooks are here; the product knows nothing of them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.engine.default import DefaultDialect

from flows.config import load
from flows.jobs.full import FULL
from flows.opening import open_run
from flows.run import Options
from flows.runner import carry_out

_counted: Counter[str] = Counter()
_lock = threading.Lock()


def _passing(what: str, when: str, number: int, point: str) -> None:
    if f"{what}:{when}:{number}" == point:
        os.kill(os.getpid(), signal.SIGKILL)


def _number(what: str) -> int:
    with _lock:
        _counted[what] += 1
        return _counted[what]


def arm(point: str) -> None:
    """Have this process kill itself at that point."""
    commit, send = DefaultDialect.do_commit, httpx.HTTPTransport.handle_request

    def do_commit(self: Any, dbapi_connection: Any) -> None:
        number = _number("commit")
        _passing("commit", "before", number, point)
        commit(self, dbapi_connection)
        _passing("commit", "after", number, point)

    def handle_request(self: Any, request: httpx.Request) -> httpx.Response:
        if request.method == "GET" or request.url.path.endswith("/search"):
            return send(self, request)
        number = _number("send")
        _passing("send", "before", number, point)
        response = send(self, request)
        response.read()
        _passing("send", "after", number, point)
        return response

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
    httpx.HTTPTransport.handle_request = handle_request  # type: ignore[method-assign]


def main() -> None:
    pair, point = sys.argv[1:]
    arm(point)
    with open_run(
        load(Path(pair)), Options("nightly", frozenset({"another-app"}), verify="none")
    ) as run:
        carry_out(run, FULL)
    sys.stdout.write(json.dumps(_counted))


if __name__ == "__main__":
    main()
