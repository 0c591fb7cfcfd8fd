"""Draws the idea of the product as a small SVG: both sides, what each last showed, and the way from a difference to a write or a question."""

from __future__ import annotations

from html import escape

_STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#1c1c1f}.note{font-size:12px;fill:#555}.box{fill:#fff;stroke:#8a8f98}"
    ".ask{stroke:#b45309}.line{stroke:#8a8f98;fill:none;marker-end:url(#tip)}.tip{fill:#8a8f98}"
    "@media(prefers-color-scheme:dark){text{fill:#eceae6}.note{fill:#b0aca4}.box{fill:#1f2126}}"
)

_BOXES = (
    (10, 20, 150, "Your application", "SQL, JSON API, files", ""),
    (10, 190, 150, "GoHighLevel", "one location", ""),
    (230, 105, 170, "Compare three ways", "each value, each record", ""),
    (230, 215, 170, "Ledger", "what each side showed", ""),
    (470, 20, 150, "Plan", "each value, and why", ""),
    (470, 190, 150, "Question", "both sides changed", " ask"),
    (690, 20, 150, "Write, read back", "inside limits and quota", ""),
    (690, 190, 150, "Report", "proof that both agree", ""),
)
"""Left, top, width, heading, note, and what else it is; all are 50 high."""

_LINES = (
    "M160 45 C200 45 195 118 228 122",
    "M160 215 C200 215 195 142 228 138",
    "M315 215 L315 157",
    "M400 122 C440 118 435 45 468 45",
    "M400 138 C440 142 435 215 468 215",
    "M545 190 L545 72",
    "M620 45 L688 45",
    "M765 70 L765 188",
)

_WORDS = (
    (553, 135, "a person answers"),
    (773, 135, "remembered"),
)

ABOUT = (
    "Your application and GoHighLevel are compared three ways with what the ledger says each last showed. A difference becomes a plan, "
    "or a question that a person answers. The plan is written inside the limits and read back, and the report proves that both sides agree."
)


def drawing() -> str:
    """The SVG."""
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 910 280" role="img" aria-labelledby="t">',
        f'<title id="t">{escape(ABOUT)}</title><style>{_STYLE}</style>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path class="tip" d="M0 0 8 4 0 8Z"/></marker></defs>',
    ]
    parts += [f'<path class="line" d="{line}"/>' for line in _LINES]
    for left, top, width, heading, note, more in _BOXES:
        middle = left + width // 2
        parts.append(
            f'<rect class="box{more}" x="{left}" y="{top}" width="{width}" height="50" rx="8"/>'
        )
        parts.append(
            f'<text x="{middle}" y="{top + 21}" text-anchor="middle">{escape(heading)}</text>'
        )
        parts.append(
            f'<text class="note" x="{middle}" y="{top + 39}" text-anchor="middle">{escape(note)}</text>'
        )
    parts += [
        f'<text class="note" x="{x}" y="{y}">{escape(words)}</text>' for x, y, words in _WORDS
    ]
    return "\n".join([*parts, "</svg>\n"])
