"""The pages on security and operation say what a test proves: each block names one, and each test that a page names exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, name_of

PROVEN = [DOCS / "tasks" / "security.md", DOCS / "operations.md"]

EXEMPT = {
    "`/etc/systemd/system/ghl-reconcile@.service`": "says where the unit below it lies",
    "`/etc/systemd/system/ghl-reconcile@.timer`": "says where the unit below it lies",
    "See `SECURITY.md`": "leads to another page",
    "This cannot be seen:": "each item below it names its own",
}
"""How blocks begin that name no test, each with the reason."""

_NAMED = re.compile(r"\btests/[\w/]+\.py(?:::\w+)*")
_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_LIST = re.compile(r"^(?:[-*]|\d+\.) ")


def blocks(text: str) -> Iterator[str]:
    """The paragraphs, list items and table rows of a page: no headings, heads of tables, fenced blocks or comments."""
    text = re.sub(r"<!--.*?-->", "", _FENCE.sub("", text), flags=re.DOTALL)
    for part in re.split(r"\n[ \t]*\n", text):
        lines = part.strip("\n").splitlines()
        if len(lines) > 1 and re.fullmatch(r"[|:\- ]+", lines[1]):
            yield from lines[2:]
            continue
        block = ""
        for line in lines:
            if line.startswith("#"):
                continue
            if _LIST.match(line) and block:
                yield block
                block = ""
            block = f"{block} {line.strip()}".strip()
        if block:
            yield block


def unproven(text: str) -> list[str]:
    """The blocks of a page that name no test, as far as they are not exempt."""
    return [
        block
        for block in blocks(text)
        if not _NAMED.search(block) and not block.startswith(tuple(EXEMPT))
    ]


def missing(text: str) -> list[str]:
    """The tests that a page names and that do not exist."""
    return [named for named in _NAMED.findall(text) if not _exists(named)]


def _exists(named: str) -> bool:
    file, *names = named.split("::")
    return (ROOT / file).is_file() and (not names or "::".join(names) in _tests(ROOT / file))


@cache
def _tests(file: Path) -> frozenset[str]:
    """The functions and classes of a file, methods after their class, and what is given a name at its top."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            found |= {f"{node.name}::{method.name}" for method in methods}
        if isinstance(node, ast.Assign):
            found |= {each.id for each in node.targets if isinstance(each, ast.Name)}
    return frozenset(found)


@pytest.mark.parametrize("page", PROVEN, ids=name_of)
def test_every_block_names_what_proves_it(page: Path) -> None:
    """Each paragraph, list item and table row names at least one test, or is exempt for a reason that stands here."""
    assert unproven(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    """Each file of tests under docs/ is there, and defines the test that is named with it."""
    assert missing(page.read_text(encoding="utf-8")) == []


def test_every_exemption_is_needed() -> None:
    """An exemption that fits no block, or a block that names a test, is none."""
    there = [block for page in PROVEN for block in blocks(page.read_text(encoding="utf-8"))]
    bare = [block for block in there if not _NAMED.search(block)]
    used = {start for start in EXEMPT for block in bare if block.startswith(start)}
    assert used == EXEMPT.keys()


def test_the_check_can_fail() -> None:
    """A paragraph, an item and a row without a test are found, and so are a file and a test that are not there."""
    here = "tests/docs/test_proven.py"
    page = f"""\
# A page

All is well (`{here}`).
Nothing is lost.

Nobody is hurt.

- An item that is proven (`{here}::test_the_check_can_fail`).
- An item that
  is not.

| what | test |
|---|---|
| a row | `{here}` |
| a bare row | |

```sh
ghl-reconcile run
```
"""
    assert unproven(page) == ["Nobody is hurt.", "- An item that is not.", "| a bare row | |"]
    assert missing(page) == []
    gone = ["tests/docs/test_gone.py", f"{here}::test_gone", f"{here}::test_gone::test_more"]
    assert missing(" ".join(f"(`{each}`)" for each in gone)) == gone
