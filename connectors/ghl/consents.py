"""GHL's "do not disturb" by channel.

Where it lies in each version, and how one channel is written without losing others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconcile.errors import InvalidField
from reconcile.ports import FieldInfo, Json, Only, Path

OUTBOUND, INBOUND = "dndSettings", "inboundDndSettings"
_ALL = "all"


class _Channel(NamedTuple):
    """A channel's field, its key in 2021-07-28, its key in v3, and its name for people."""

    field: str
    old: str
    new: str
    label: str

    def key(self, version: str) -> str:
        """Its key in a version of the API."""
        if version == "v3":
            return self.new
        return self.old


_CHANNELS = (
    _Channel(
        field="dnd.sms",
        old="SMS",
        new="sms",
        label="SMS",
    ),
    _Channel(
        field="dnd.email",
        old="Email",
        new="email",
        label="Email",
    ),
    _Channel(
        field="dnd.call",
        old="Call",
        new="call",
        label="Calls",
    ),
    _Channel(
        field="dnd.whatsapp",
        old="WhatsApp",
        new="whatsApp",
        label="WhatsApp",
    ),
    _Channel(
        field="dnd.gmb",
        old="GMB",
        new="gmb",
        label="Google Business",
    ),
    _Channel(
        field="dnd.fb",
        old="FB",
        new="fb",
        label="Facebook",
    ),
)
_INBOUND_FIELD = "dnd.inbound"
_LASTING = "permanent"


def _paths(channel: _Channel) -> tuple[Path, ...]:
    """What says most comes first.

    A no for good, then one for all channels, then the channel's own word.
    """
    keys = (channel.old, channel.new)
    statuses: list[Path] = [(OUTBOUND, key, "status") for key in keys]
    for_good: list[Path] = [(*path, Only(_LASTING)) for path in statuses]
    to_all: Path = ("dnd", Only("true"))
    return (*for_good, to_all, *statuses)


def _info(label: str) -> FieldInfo:
    return FieldInfo(
        "choice",
        clearable=False,
        label=f"Do not disturb: {label}",
        choices=("active", "inactive"),
    )


PATHS: Mapping[str, tuple[Path, ...]] = {
    **{channel.field: _paths(channel) for channel in _CHANNELS},
    _INBOUND_FIELD: ((INBOUND, _ALL, "status"),),
}

INFO: Mapping[str, FieldInfo] = {
    **{channel.field: _info(channel.label) for channel in _CHANNELS},
    _INBOUND_FIELD: _info("inbound"),
}


def written(fields: Mapping[str, Json]) -> dict[str, Json]:
    """Those of the fields that are consents and say something."""
    return {name: said for name, said in fields.items() if name in INFO and said is not None}


def status(contact: Mapping[str, Any], name: str) -> str | None:
    """What a contact as GHL shows it says of one channel by itself; None where it says nothing."""
    if name == _INBOUND_FIELD:
        entry = _entries(contact, INBOUND).get(_ALL, {})
    else:
        channel = next(one for one in _CHANNELS if one.field == name)
        entries = _entries(contact, OUTBOUND)
        entry = entries.get(channel.old) or entries.get(channel.new) or {}
    if entry.get("status"):
        return str(entry["status"])
    return None


def members(
    fields: Mapping[str, Json], version: str, contact: Mapping[str, Any], *, whole: bool
) -> dict[str, Json]:
    """The members of a body that set these channels; `contact` is as GHL shows it now.

    An entry keeps its message and code. With `whole` every other channel's no goes along: whether
    GHL keeps what is not sent is unknown (docs/ghl.md#do-not-disturb). A yes does not: it might
    take the place of a no that came since it was read, and without a setting a channel is open all
    the same. Raises InvalidField where the person said no for good.
    """
    settings = _settings(contact, version)
    sent: dict[str, Json] = {}
    if whole:
        denied = {key: entry for key, entry in settings.items() if entry["status"] != "inactive"}
        sent.update(denied)
    body: dict[str, Json] = {}
    for channel in _CHANNELS:
        if channel.field in fields:
            key = channel.key(version)
            entry = settings.get(key, {})
            sent[key] = _entry(channel.field, entry, fields[channel.field])
            body[OUTBOUND] = sent
    if _INBOUND_FIELD in fields:
        entry = _entries(contact, INBOUND).get(_ALL, {})
        body[INBOUND] = {_ALL: _entry(_INBOUND_FIELD, entry, fields[_INBOUND_FIELD])}
    return body


def _settings(contact: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The channels' entries, by this version's keys.

    One that GHL gives without a status cannot be sent back.
    """
    entries = _entries(contact, OUTBOUND)
    settings = {}
    for channel in _CHANNELS:
        entry = entries.get(channel.old) or entries.get(channel.new)
        if entry and entry.get("status"):
            settings[channel.key(version)] = entry
    return settings


def _entries(contact: Mapping[str, Any], member: str) -> dict[str, dict[str, Any]]:
    entries = contact.get(member)
    if not isinstance(entries, dict):
        return {}
    return {key: entry for key, entry in entries.items() if isinstance(entry, dict)}


def _entry(name: str, entry: Mapping[str, Any], status: Json) -> dict[str, Any]:
    details = {member: entry[member] for member in ("message", "code") if entry.get(member)}
    lasting = entry.get("status") == _LASTING
    if lasting and status == "inactive":
        raise InvalidField(
            f"the person said no to {name} for good, and GHL says so",
            remedy="only the person can lift that, by writing START",
            code="PERMANENT",
        )
    if lasting:
        return {**details, "status": _LASTING}
    return {**details, "status": status}
