"""Columns that say whether a person may be written to, and by which channel.

Each is proposed one way, from the app: a column that was misread never answers a no of GHL's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from flows.init.evidence import is_moment, is_yes_or_no
from flows.init.found import Column
from flows.init.proposal import Line, Unplaced
from flows.init.words import words
from reconcile.entities import OWNER

_NO = re.compile(r"\b(opt(ed)? ?out|unsubscribed?|do not|dont|no (e ?)?(mail|sms|calls?))\b")
_YES = re.compile(r"\b(opt(ed)? ?in|subscribed|consent(ed)?|accepts? marketing)\b")
_OTHER = frozenset(
    [
        "by",
        "campaign",
        "confirm",
        "confirmation",
        "confirmed",
        "count",
        "double",
        "fail",
        "failed",
        "ip",
        "link",
        "method",
        "page",
        "reason",
        "registration",
        "sent",
        "source",
        "token",
        "url",
    ]
)
"""Words of a column that is about a consent, and is none."""

_CHANNELS = {
    "dnd.sms": frozenset({"sms", "text", "texts"}),
    "dnd.whatsapp": frozenset({"whatsapp"}),
    "dnd.call": frozenset({"call", "calls", "phone"}),
    "dnd.email": frozenset({"email", "emails", "mail", "mails", "mailing", "newsletter"}),
}
_USUAL = "dnd.email"
_SURE, _ASKED = 0.85, 0.5


def consents(columns: Iterable[Column]) -> dict[str, Line | Unplaced]:
    """What is said of each column that is a consent, by its name.

    A no is proposed; what may be a yes, or does not say its channel, is asked about: of one who
    never said yes it is not known that he said no.
    """
    proposed = {column.name: _consent(column) for column in columns}
    lines = [one for one in proposed.values() if isinstance(one, Line)]
    first: dict[tuple[str, ...], Line] = {}
    for line in sorted(lines, key=lambda one: -one.confidence):
        first.setdefault(line.ghl, line)
    said: dict[str, Line | Unplaced] = {}
    for name, one in proposed.items():
        if isinstance(one, Line) and first[one.ghl] is not one:
            why = f'"{first[one.ghl].column}" says it already'
            said[name] = Unplaced(f"{OWNER}.{name}", why, OWNER)
        elif one is not None:
            said[name] = one
    return said


def _consent(column: Column) -> Line | Unplaced | None:
    called = words(column.title)
    text = " ".join(called)
    denies = bool(_NO.search(text))
    if column.meaning or column.strange or not _OTHER.isdisjoint(called):
        return None
    if not denies and not _YES.search(text):
        return None
    channel = next((name for name, said in _CHANNELS.items() if not said.isdisjoint(called)), "")
    mailing = bool(channel) or "unsubscribe" in text
    says = "denied" if denies else "allowed"
    meant = "one may not write" if denies else "one may write"
    line = Line(
        OWNER,
        column.name,
        (channel or _USUAL,),
        _SURE if denies and mailing else _ASKED,
        f'by its name "{column.name}", true says that {meant}',
        column.distinct[:3],
        flow="app->ghl",
        true_says=says,
    )
    if is_moment(column):
        name = column.name.replace('"', '""')
        value = f'CASE WHEN "{name}" IS NOT NULL THEN true END'
        return replace(line, value=value, because=f"{line.because}, once it holds a time")
    if column.type == "bool" or is_yes_or_no(column):
        return line
    why = (
        "it looks like a consent, and not like a yes or a no: map it with "
        f'{{ ghl = "{line.ghl[0]}", choices = {{ its_word = "denied" }} }}'
    )
    return Unplaced(f"{OWNER}.{column.name}", why, OWNER)
