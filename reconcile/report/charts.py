"""Draws the report's charts as inline SVG that takes its colours from the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDE = 1000  # units of a bar; the page stretches it
_LEAST = 6  # units: a part that exists is seen


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a bar: what it is, how much, and the CSS class that colours it."""

    label: str
    value: int
    style: str


def stacked(parts: Sequence[Part], *, title: str) -> str:
    """One horizontal bar divided among parts; what is there at all is at least a sliver."""
    shown = [part for part in parts if part.value > 0]
    whole = sum(part.value for part in shown)
    if not whole:
        return ""
    spare = _WIDE - _LEAST * len(shown)
    at, pieces = 0.0, []
    for part in shown:
        width = _LEAST + spare * part.value / whole
        tip = escape(f"{part.label}: {part.value:,}")
        # A gap of two units between parts, however thin they are.
        drawn = max(width - 2, 3)
        pieces.append(
            f'<rect class="{part.style}" x="{at:.1f}" y="0" width="{drawn:.1f}" '
            f'height="10"><title>{tip}</title></rect>'
        )
        at += width
    return _svg(f"0 0 {_WIDE} 10", "bar", title, pieces)


def columns(runs: Sequence[tuple[str, Sequence[Part]]], *, title: str) -> str:
    """One column a run, divided among parts; the last run stands out."""
    tallest = max((sum(part.value for part in parts) for _, parts in runs), default=0)
    if not runs or not tallest:
        return ""
    step = min(28.0, 320 / len(runs))
    width = step * 0.72
    pieces = ['<line class="axis" x1="0" y1="80.5" x2="320" y2="80.5"></line>']
    for number, (name, parts) in enumerate(runs):
        x = 320 - step * (len(runs) - number) + (step - width) / 2
        figures = ", ".join(f"{part.label} {part.value:,}" for part in parts)
        opacity = "" if number == len(runs) - 1 else ' opacity=".45"'
        tip = escape(f"{name}: {figures}")
        column = _column(parts, x=x, width=width, tallest=tallest)
        pieces.append(f"<g{opacity}><title>{tip}</title>{column}</g>")
    return _svg("0 0 320 82", "columns", title, pieces)


def _column(parts: Sequence[Part], *, x: float, width: float, tallest: int) -> str:
    """The parts of one run, from the axis up, over a ghost of the full height."""
    y = 80.0
    at = f'x="{x:.1f}"'
    wide = f'width="{width:.1f}"'
    drawn = [f'<rect class="ghost" {at} y="0" {wide} height="80"></rect>']
    for part in parts:
        if not part.value:
            continue
        height = max(1.5, 78 * part.value / tallest)
        y -= height
        drawn.append(
            f'<rect class="{part.style}" {at} y="{y:.1f}" {wide} height="{height:.1f}"></rect>'
        )
    return "".join(drawn)


def against(used: int, expected: int, *, title: str) -> str:
    """What was used as a bar, with a mark at what was expected."""
    whole = max(used, expected, 1) * 1.08
    filled = _WIDE * used / whole
    mark = max(0.0, _WIDE * expected / whole - 2)
    pieces = [
        f'<rect class="ghost" x="0" y="2" width="{_WIDE}" height="10"></rect>',
        f'<rect class="tone-done" x="0" y="2" width="{filled:.1f}" height="10"></rect>',
        f'<rect class="mark" x="{mark:.1f}" y="0" width="4" height="14"></rect>',
    ]
    return _svg(f"0 0 {_WIDE} 14", "bar tall", title, pieces)


def _svg(box: str, style: str, title: str, pieces: Sequence[str]) -> str:
    head = (
        f'<svg class="{style}" viewBox="{box}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(title)}">'
    )
    return head + "".join(pieces) + "</svg>"
