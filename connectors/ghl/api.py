"""The bridge from a name in the endpoint table to a request for one location."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.ghl.calendars import names
from connectors.ghl.endpoints import Dialect
from connectors.ghl.moments import zone_told
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
        self._calendars: Mapping[str, str] | None = None
        self.timezone: str | None = None
        """The location's time zone, "" where it names none; None until it was asked for."""

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
        headers = {}
        if endpoint.version:  # some paths are of another version than the rest
            headers["Version"] = endpoint.version
        request = Request(
            endpoint.method,
            endpoint.fill({"location": self.location, **(parts or {})}),
            endpoint=endpoint.name,
            params=params or {},
            body=body,
            headers=headers,
            replay=endpoint.replay,
        )
        return self.client.send(request)

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
        if not known.knows(knowing):  # asked once: else each such record would ask anew
            self._missing.add(knowing)
        return known

    def calendars(self) -> Mapping[str, str]:
        """The names of the location's calendars by their ids, asked for once."""
        if self._calendars is None:
            answer = self.call("calendar.list", params={"locationId": self.location})
            self._calendars = names(answer.json())
        return self._calendars

    def zone(self) -> str:
        """The location's time zone, asked for once."""
        if self.timezone is None:
            self.timezone = zone_told(self.call("location.get").json().get("location"))
        return self.timezone
