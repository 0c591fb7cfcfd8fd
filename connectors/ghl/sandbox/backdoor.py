"""What other processes may see and do besides the API.

The log, the state, faults, and the consent page of OAuth.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connectors.ghl.sandbox.answers import OAuthRefusal
from connectors.ghl.sandbox.faults import Fault
from connectors.ghl.sandbox.nouns import Location, Row
from connectors.ghl.sandbox.oauth import choose_location
from connectors.ghl.sandbox.sandbox import Sandbox


def routes(sandbox: Sandbox) -> list[Route]:
    """The routes under /_sandbox, and /oauth/chooselocation.

    No token is asked for: the server is on loopback.
    """
    door = _Backdoor(sandbox)
    return [
        Route("/_sandbox/log", door.log),
        Route("/_sandbox/state", door.state),
        Route("/_sandbox/faults", door.faults, methods=["GET", "POST"]),
        Route("/oauth/chooselocation", door.consent),
        Route("/v2/oauth/chooselocation", door.consent),
    ]


class _Backdoor:
    """The endpoints, bound to one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._lock = sandbox.state.lock

    async def log(self, request: Request) -> Response:
        """The last `last` requests, all by default.

        It also gives the most requests per location in any window.
        """
        log = self._sandbox.log
        with self._lock:
            last = int(request.query_params.get("last", len(log)))
            records = [asdict(record) for record in list(log)[max(len(log) - last, 0) :]]
            most = {place: self._sandbox.max_in_window(place) for place in self._places()}
        return _json({"requests": records, "max_in_window": most})

    async def state(self, request: Request) -> Response:
        """The live records of each location, or of `locationId` alone."""
        only = request.query_params.get("locationId")
        return _json({place: self._view(place) for place in ([only] if only else self._places())})

    async def faults(self, request: Request) -> Response:
        """Arm the faults in the body, after clearing all with ?clear=true.

        Answers what is on with its counts.
        """
        try:
            wanted = [Fault.parse(row) for row in _rows(await request.body())]
        except (TypeError, ValueError) as error:
            return _json({"message": str(error)}, 422)
        with self._lock:
            if request.query_params.get("clear") == "true":
                self._sandbox.faults.clear()
            self._sandbox.arm(*wanted)
            return _json({"faults": self._sandbox.faults.report()})

    async def consent(self, request: Request) -> Response:
        """GHL's page for choosing a location, as if a person had chosen at once."""
        try:
            with self._lock:
                return RedirectResponse(
                    choose_location(self._sandbox.state, request.query_params), status_code=302
                )
        except OAuthRefusal as refusal:
            return _json(refusal.body, refusal.status)

    def _places(self) -> list[str]:
        return list(self._sandbox.state.store.table(Location))

    def _view(self, place: str) -> Row:
        return {
            "contacts": self._sandbox.contacts(place),
            "deleted": [one["id"] for one in self._sandbox.contacts(place, deleted=True)],
            "tasks": self._sandbox.tasks(place),
            "notes": self._sandbox.notes(place),
            "opportunities": self._sandbox.opportunities(place),
            "appointments": self._sandbox.appointments(place),
        }


def _rows(body: bytes) -> list[Any]:
    """Faults to arm: one, a list, or {"faults": [...]}.

    Raises ValueError or TypeError for anything else.
    """
    if not body:
        return []
    try:
        parsed = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise ValueError(f"expected JSON: {error}") from error
    if isinstance(parsed, dict):
        parsed = parsed.get("faults", [parsed])
    if not isinstance(parsed, list):
        raise TypeError("expected a fault, a list of faults, or an object with `faults`")
    return parsed


def _json(body: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
