"""The single questions of a probe about consent.

They ask what a contact says of one channel when another is written.
"""

from __future__ import annotations

from typing import Any

from connectors.ghl import consents, contacts
from flows.doctor.trial import Subject, Trial
from reconcile.ports import Json

_NO, _YES = "active", "inactive"
_LAG_SECONDS = 120.0
_LOOK_EVERY = 2.0


def trials() -> tuple[Trial, ...]:
    """The order matters: what one writes, the next one looks at."""
    fact = "do-not-disturb"
    return (
        Trial("Does an update keep the channels that it does not send?", _kept, fact),
        Trial("Does search carry the channels' settings, and the inbound one?", _carried, fact),
        Trial("Can `dnd` be true while a channel is open?", _both, fact),
    )


def _write(subject: Subject, fields: dict[str, Json]) -> None:
    version = subject.api.dialect.version
    contacts.update(
        subject.api, subject.contact, consents.members(fields, version, {}, whole=False)
    )


def _kept(subject: Subject) -> tuple[str, str]:
    _write(subject, {"dnd.sms": _NO, "dnd.email": _NO})
    if consents.status(subject.now(), "dnd.sms") != _NO:
        return "a channel's no was taken and not kept", "leave consents out of the pair file"
    _write(subject, {"dnd.email": _YES})
    if consents.status(subject.now(), "dnd.sms") == _NO:
        return "yes, each channel stands for itself", 'dnd_writes = "part"'
    return "no, what is not sent is lost", 'dnd_writes = "whole"'


def _carried(subject: Subject) -> tuple[str, str]:
    """Waits until search shows what was written, or until it is old enough to have shown it."""
    _write(subject, {"dnd.sms": _NO, "dnd.inbound": _NO})
    until = subject.time.clock() + _LAG_SECONDS
    row: dict[str, Any] = {}
    while subject.time.clock() < until and consents.status(row, "dnd.sms") != _NO:
        subject.time.sleep(_LOOK_EVERY)
        rows = contacts.find(subject.api, subject.trail.email)
        row = next((one for one in rows if one.get("id") == subject.contact), {})
    channels = "carries" if consents.status(row, "dnd.sms") == _NO else "does not carry"
    inbound = "carries" if consents.status(row, "dnd.inbound") == _NO else "does not carry"
    return (
        f"it {channels} the channels, and {inbound} the inbound setting",
        "leave dnd.inbound out of the pair file" if inbound != "carries" else "",
    )


def _both(subject: Subject) -> tuple[str, str]:
    _write(subject, {"dnd.sms": _YES})
    contacts.update(subject.api, subject.contact, {"dnd": True})
    now = subject.now()
    if now.get("dnd") and consents.status(now, "dnd.sms") != _NO:
        return "yes: `dnd` alone says no, and counts as a no for every channel", ""
    return "no, it closes the channels, too" if now.get("dnd") else "`dnd` alone is not kept", ""
