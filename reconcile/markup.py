"""HTML fragments as plain text, so that a difference in markup alone is no difference."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

# Only what an editor writes counts as markup: "<no answer>" is a person's own text.
_ELEMENTS = (
    "a abbr b big blockquote body br center code dd div dl dt em figure font footer h1 h2 h3 h4 h5 h6 head header hr html "
    "i img ins label li main mark ol p pre q s section small span strike strong style sub sup table tbody td tfoot th "
    "thead title tr tt u ul".replace(" ", "|")
)
_TAG = rf"</?(?:{_ELEMENTS})(?=[\s/>])[^<>]*>|<!--.*?-->"
_MARKUP = re.compile(rf"{_TAG}|&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+);", re.IGNORECASE | re.DOTALL)
_OTHER = re.compile(rf"<(?!/?(?:{_ELEMENTS})(?=[\s/>])[^<>]*>|!--.*?-->)", re.IGNORECASE | re.DOTALL)
_DEEPEST = 8  # escaped markup inside escaped markup; beyond that it is text that looks like it


def plain(text: str) -> str:
    """Strip an HTML fragment to its text; text without markup comes back as it is, so a second pass changes nothing."""
    for _ in range(_DEEPEST):
        if not _MARKUP.search(text):
            break
        shorter = _strip(text)
        if shorter == text:
            break
        text = shorter
    return text


def _strip(text: str) -> str:
    if "<" not in text:
        return html.unescape(text)
    reader = _Reader()
    reader.feed(_OTHER.sub("&lt;", text))
    reader.close()
    return "".join(reader.parts)


class _Reader(HTMLParser):
    """Collects text; blocks and breaks become line ends."""

    BLOCKS = frozenset(
        ["p", "div", "br", "li", "ul", "ol", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote"]
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in self.BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.BLOCKS - {"br"}:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)
