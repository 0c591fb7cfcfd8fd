"""Makes the page of the library from its docstrings, signatures and frames."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_HEAD = """\
# The library

`import ghl_reconcile` does from Python what the commands do: it loads a pair, plans, applies and audits it, and gives what came of it as pandas frames. It calls the
same jobs, so leases, limits, reports and the ledger are the same. [A notebook](../tasks/library.ipynb) goes through a night with it.

```python
import ghl_reconcile

pair = ghl_reconcile.load("demo/acme.toml")
planned = pair.plan()
planned.entries.groupby(["entity", "kind", "side"]).size()
```

The names on this page follow [semantic versioning](https://semver.org/): from 1.0 on, within a major version none is taken away, no column changes its dtype or its meaning,
and new arguments have defaults; before 1.0 that holds within a minor version. Names, arguments and columns may be added at any time. What lies in `flows`, `connectors` and
`reconcile` is no part of that. All of it is typed (`py.typed`), and nothing of it is asynchronous.
"""

_ERRORS = """\
## Errors

All are of one tree and have a stable `code` ([Error codes](../errors.md)), `what` went wrong, and a `remedy`. Their texts hold no value of a person.

"""

_DTYPES = {
    "string": "text; `<NA>`: none, or blank",
    "Int64": "a count",
    "boolean": "true or false",
    "Float64": "a number",
    "datetime64[ms, UTC]": "a moment in UTC, to the millisecond",
    "object": "a list of texts",
}

_FRAMES = """\
## Columns

A frame without rows has the same columns and dtypes. Text is `string`, a count `Int64`, yes or no `boolean`: all of them know missing values (`<NA>`).
"""


def page(note: str) -> str:
    """The whole page."""
    import ghl_reconcile
    from ghl_reconcile import Pair, Result, frames

    parts = [note, _HEAD, "\n## load\n\n", _signed(ghl_reconcile.load, "ghl_reconcile.load")]
    for kind in (Pair, Result):
        parts.append(f"\n## {kind.__name__}\n\n{_told(kind)}\n")
        parts += [f"\n### {kind.__name__}.{name}\n\n{text}" for name, text in _members(kind)]
    parts += ["\n", _FRAMES]
    tables = {
        "Result.entries": frames.ENTRIES,
        "Result.changes": frames.CHANGES,
        "Result.statement": frames.STATEMENT,
        "Result.agreement": frames.AGREEMENT,
        "Result.values": frames.VALUES,
        "Result.questions": frames.QUESTIONS,
        "Pair.runs": frames.RUNS,
    }
    parts += [f"\n### Columns of {name}\n\n{_columns(columns)}" for name, columns in tables.items()]
    names = [name for name in ghl_reconcile.__all__ if _is_error(getattr(ghl_reconcile, name))]
    rows = [f"| `{name}` | {_first(getattr(ghl_reconcile, name))} |\n" for name in names]
    return "".join([*parts, "\n", _ERRORS, "| error | it means |\n|---|---|\n", *rows])


def _is_error(member: Any) -> bool:
    return inspect.isclass(member) and issubclass(member, Exception)


def _members(kind: type) -> Iterator[tuple[str, str]]:
    for name, member in vars(kind).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            returned = member.fget.__annotations__["return"]  # type: ignore[union-attr]
            yield name, f"`{returned}`\n\n{_told(member)}\n"
        elif inspect.isfunction(member):
            yield name, _signed(member, f"Pair.{name}")


def _signed(function: Callable[..., Any], name: str) -> str:
    """The signature, as somebody calls it, and the docstring."""
    signature = inspect.signature(function)
    given = [each for each in signature.parameters.values() if each.name != "self"]
    words = [_argument(each) for each in given]
    keyword = [at for at, each in enumerate(given) if each.kind is each.KEYWORD_ONLY]
    if keyword:
        words.insert(keyword[0], "*")
    called = f"{name}({', '.join(words)}) -> {signature.return_annotation}"
    return f"```text\n{called}\n```\n\n{_told(function)}\n"


def _argument(each: inspect.Parameter) -> str:
    default = "" if each.default is inspect.Parameter.empty else f" = {each.default!r}"
    return f"{each.name}: {each.annotation}{default}"


def _told(member: Any) -> str:
    """A docstring as Markdown: a paragraph a line."""
    paragraphs = (inspect.getdoc(member) or "").split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)


def _first(member: Any) -> str:
    return " ".join((inspect.getdoc(member) or "").split()).replace("|", "\\|")


def _columns(columns: Mapping[str, str]) -> str:
    rows = [f"| `{name}` | `{kind}` | {_DTYPES[kind]} |\n" for name, kind in columns.items()]
    return "".join(["| column | dtype | it holds |\n|---|---|---|\n", *rows])
