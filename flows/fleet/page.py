"""The fleet's morning on one page that needs nothing from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Sequence
from urllib.parse import urlsplit

from flows.fleet.standing import Standing
from flows.outcome.fleet import WORDS

_HEADS = (
    "pair",
    "how it stands",
    "last runs",
    "questions",
    "the oldest",
    "written",
    "requests left",
    "what is wrong",
)

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">\
<meta name="viewport" content="width=device-width">
<title>Fleet: {summary}</title><style>
:root {{ color-scheme: light dark }}
body {{ font: 15px/1.5 system-ui, sans-serif }}
body {{ margin: 2rem auto; max-width: 80rem; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ padding: .3rem .6rem; border-bottom: 1px solid #8884 }}
th, td {{ text-align: left; vertical-align: top }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums }}
.code-2, .code-3 {{ background: #f443 }} .code-1 {{ background: #fc03 }}
.run {{ display: inline-block; width: 1.2em; text-align: center }}
.run {{ border-radius: 3px; margin-right: 1px }}
.run.code-0 {{ background: #4a83 }}
</style><h1>Fleet</h1><p>{summary}</p><p>As the ledgers and stores had it on {at}.</p>\
<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></html>
"""

_SIGNS = ("✓", "?", "!", "✗")


def summary(results: Sequence[Standing]) -> str:
    """The fleet in a sentence: how many pairs stand how, and what waits for a person."""
    counts = [(WORDS[code], sum(one.code == code for one in results)) for code in (3, 2, 1, 0)]
    said = ", ".join(f"{count:,} {word}" for word, count in counts if count)
    questions = sum(one.questions for one in results)
    return f"{len(results):,} pairs: {said or 'none'}; {questions:,} questions are open"


def page(results: Sequence[Standing], *, at: str) -> str:
    """The page, worst first."""
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    rows = "".join(map(_row, results))
    said = html.escape(summary(results))
    return _PAGE.format(
        summary=said, at=html.escape(at[:16].replace("T", " ")), heads=heads, rows=rows
    )


def _row(one: Standing) -> str:
    ages = ", ".join(f"{count:,} {words}" for words, count in (one.ages or {}).items())
    remaining = "" if one.remaining is None else f"{one.remaining:,}"
    cells = (
        f"<td>{_linked(one)}</td>",
        f"<td>{html.escape(one.word)}</td>",
        f"<td>{''.join(map(_run, one.trend))}</td>",
        f"<td>{html.escape(ages)}</td>",
        f'<td class="number">{f"{one.oldest_days} d" if one.questions else ""}</td>',
        f'<td class="number">{one.written:,}</td>',
        f'<td class="number">{remaining}</td>',
        f"<td>{'<br>'.join(map(html.escape, one.reasons))}</td>",
    )
    return f'<tr class="code-{one.code}">{"".join(cells)}</tr>'


def _linked(one: Standing) -> str:
    """The pair with a link to its last report; none by a scheme that could run something."""
    name = html.escape(one.pair)
    if urlsplit(one.report).scheme not in ("http", "https", "file"):
        return name
    return f'<a href="{html.escape(one.report)}">{name}</a>'


def _run(code: int) -> str:
    return f'<span class="run code-{code}" title="{WORDS[code]}">{_SIGNS[code]}</span>'
