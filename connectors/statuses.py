"""What the status of an answer alone tells, for sides without a dialect of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from reconcile.errors import (
    Blocked,
    ConnectorError,
    Duplicate,
    Exhausted,
    Expired,
    Forbidden,
    InvalidField,
    NotFound,
    Transient,
    Uncertain,
)

if TYPE_CHECKING:
    from connectors.http import Answer, Request

_KINDS: Mapping[int, type[ConnectorError]] = {
    401: Expired,
    403: Forbidden,
    404: NotFound,
    408: Transient,
    409: Duplicate,
    410: NotFound,
    429: Exhausted,
}
"""What the statuses below 500 that say more than "not so" mean."""


def explain_status(request: Request, answer: Answer) -> ConnectorError | None:
    """The failure that a status alone tells, for sides without a dialect of their own."""
    status = answer.status
    if status < 400:
        return redirected(request, answer)
    if status >= 500:
        kind: type[ConnectorError] = Transient
    elif _is_of_a_gateway(answer):
        kind = Blocked
    else:
        kind = _KINDS.get(status, InvalidField)
    return kind(f"{request.name} was answered {status}", status=status, trace_id=answer.trace_id)


def _is_of_a_gateway(answer: Answer) -> bool:
    """Whether it is a gateway's own page, or its text: the side was not asked.

    A 404 without a body is what many APIs say of a record that is gone.
    """
    refused = answer.status == 403 or (answer.status == 404 and answer.body.strip() != b"")
    return refused and not answer.is_json


def redirected(request: Request, answer: Answer) -> ConnectorError | None:
    """The failure in an answer that only sends elsewhere (300 to 399): no redirect is followed.

    It is Uncertain for what must not be repeated: some APIs carry a create out and then lead to
    what it made.
    """
    if not 300 <= answer.status < 400:
        return None
    what = f"{request.name} was answered {answer.status}"
    place = _shown(answer.headers.get("location", ""))
    if place:
        what += f", a redirect to {place}"
    kind = ConnectorError if request.replay else Uncertain
    return kind(
        what,
        remedy=(
            "write the url and the path as the API wants them; "
            "a redirect to a login says that the credentials are refused"
        ),
        status=answer.status,
        trace_id=answer.trace_id,
    )


def _shown(address: str) -> str:
    """An address without user, password and query, which may hold a key or an email address."""
    return re.sub(r"//[^/@]*@", "//", re.split("[?#]", address)[0])[:200]
