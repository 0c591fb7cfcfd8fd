"""Reads the documentation as its tests need it: pages, links, headings and the commands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
BESIDE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<body>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL
)
_REMARK = re.compile(r"<!-- (?P<text>[^>]*?) -->\s*\Z")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_EXIT = re.compile(r"exit (\d)")


@dataclass(frozen=True, slots=True)
class Block:
    """The commands of one fenced `sh` block, with the exit code that the page promises; `skipped` says why they do not run."""

    page: Path
    line: int
    commands: str
    exit_code: int = 0
    skipped: str = ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def name_of(page: Path) -> str:
    """A page's path as people say it."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """The `sh` blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        if found["kind"] == "sh":
            remark = _REMARK.search(text[: found.start()])
            said = remark["text"] if remark else ""
            code = _EXIT.fullmatch(said)
            yield Block(
                page,
                text[: found.start()].count("\n") + 1,
                "\n".join(
                    line.removeprefix(found["indent"]) for line in found["body"].splitlines()
                ),
                int(code[1]) if code else 0,
                said.removeprefix("not run: ") if said.startswith("not run: ") else "",
            )


def starts_from_nothing(page: Path) -> bool:
    """Whether a page's commands begin in an empty folder, rather than in one that holds the demo."""
    return "<!-- starts from nothing -->" in page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """A page without its fenced blocks and code spans."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page.read_text(encoding="utf-8")))


def links(page: Path) -> Iterator[str]:
    """The targets of a page's links, those into the web left out."""
    for found in _LINK.finditer(prose(page)):
        if not re.match(r"[a-z]+:", found["target"]):
            yield found["target"]


def anchors(page: Path) -> set[str]:
    """What a link to a part of a page may name: its headings, in the form that MkDocs gives them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return {_slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def _slug(heading: str) -> str:
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())
