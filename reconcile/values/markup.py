"""HTML fragments as plain text, so that a difference in markup alone is no difference."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

# Only what an editor writes counts as markup: "<no answer>" is a person's own text.
_ELEMENTS = (
    "a abbr b big blockquote body br center code dd div dl dt em figure font footer h1 h2 h3 h4 "
    "h5 h6 head header hr html i img ins label li main mark ol p pre q s section small span strike "
    "strong style sub sup table tbody td tfoot th thead title tr tt u ul"
).replace(" ", "|")
# Each part ends at the next "<" at the latest, and none is tried a second time: the time stays
# linear in the text.
_ATTRIBUTES = r"""(?>[^<>=]|=\s*(?:"[^"<]*"|'[^'<]*')?)*+"""
_TOKEN = re.compile(
    rf"<!--|<(?P<end>/?)(?P<name>{_ELEMENTS})(?=[\s/>]){_ATTRIBUTES}>", re.IGNORECASE
)
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z]{1,32});", re.IGNORECASE)
# More digits than any character has: a person's own text, and too long a number for whoever reads
# it as one.
_NO_REFERENCE = re.compile(r"&(?=#[0-9]{8}|#x[0-9a-f]{7})", re.IGNORECASE)
_BLOCKS = frozenset(
    [
        "p",
        "div",
        "br",
        "li",
        "ul",
        "ol",
        "tr",
        "table",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
    ]
)


def plain(text: str) -> str:
    """Strip one layer of HTML from a fragment: what was escaped markup is markup afterwards.

    Text without markup comes back as it is. No text raises anything, and the time is linear in its
    length.
    """
    parts = list(_between(text))
    if parts == [text] and not _REFERENCE.search(text):
        return text
    return "".join(html.unescape(_NO_REFERENCE.sub("&amp;", part)) for part in parts)


def _between(text: str) -> Iterator[str]:
    """The text between tags and comments, with a line end for each block and each break."""
    last = text.rfind("-->")
    start = at = 0
    while token := _TOKEN.search(text, at):
        at = token.end()
        name = (token["name"] or "").lower()
        if not name and at > last:
            continue  # no comment: it has no end
        if not name:
            at = text.index("-->", at) + len("-->")
        yield text[start : token.start()]
        start = at
        if name in _BLOCKS and not (name == "br" and token["end"]):
            yield "\n"
    yield text[start:]
