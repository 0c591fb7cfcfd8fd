"""The bridge from a name in the endpoint table to a request for one location."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.ghl.endpoints import Dialect
from connectors.http import Answer, Client, Request
from reconcile.errors import InvalidField
from reconcile.ports import Json


class Api:
    """GHL's endpoints for one location under one version; as safe to share between threads as its Client."""

    def __init__(self, client: Client, *, location: str, dialect: Dialect) -> None:
        self.client = client
        self.location = location
        self.dialect = dialect

    def offers(self, name: str) -> bool:
        """Whether this API version has the endpoint."""
        return name in self.dialect.endpoints

    def call(
        self,
        name: str,
        parts: Mapping[str, str] | None = None,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Json = None,
    ) -> Answer:
        """Send the named endpoint's request. Raises the ConnectorError that the answer stands for."""
        if not self.offers(name):
            raise InvalidField(
                f"{name} does not exist under Version {self.dialect.version}",
                remedy="use the version setting that has it",
                code="ROUTE",
            )
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
