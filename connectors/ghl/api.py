"""The bridge from a name in the endpoint table to a request for one location."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.ghl.endpoints import Dialect
from connectors.ghl.pipelines import Pipelines, listed
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
        self._pipelines: Pipelines | None = None
        self._missing: set[str] = set()

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

    def pipelines(self, *, knowing: str = "") -> Pipelines:
        """The location's pipelines, asked for once.

        They are asked for once more where a stage or a pipeline `knowing` is not among them:
        somebody may have made it since.
        """
        known = self._pipelines
        if known is not None and (knowing in self._missing or known.knows(knowing)):
            return known
        answer = self.call("pipeline.list", params={"locationId": self.location})
        known = self._pipelines = listed(answer.json())
        if not known.knows(knowing):
            self._missing.add(knowing)
        return known
