"""The bridge from a name in the endpoint table to a request for one location."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.ghl.endpoints import Dialect
from connectors.http import Answer, Client, Request
from reconcile.ports import Json


class Api:
    """GHL's endpoints for one location under one version.

    As safe to share between threads as its Client.
    """

    def __init__(self, client: Client, *, location: str, dialect: Dialect) -> None:
        self.client = client
        self.location = location
        self.dialect = dialect

    def call(
        self,
        name: str,
        parts: Mapping[str, str] | None = None,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Json = None,
    ) -> Answer:
        """Send the named endpoint's request.

        Raises the ConnectorError that the answer stands for.
        """
        endpoint = self.dialect[name]
        return self.client.send(
            Request(
                endpoint.method,
                endpoint.fill({"location": self.location, **(parts or {})}),
                endpoint=endpoint.name,
                params=params or {},
                body=body,
                replay=endpoint.replay,
            )
        )
