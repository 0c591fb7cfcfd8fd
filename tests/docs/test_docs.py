"""The documentation tells what is so: generated pages are fresh, links lead somewhere, and all that is named exists."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.pages import BESIDE, DOCS, PAGES, ROOT, anchors, blocks, links, name_of

EVERYTHING = [*PAGES, *BESIDE]
DECISIONS = sorted((DOCS / "adr").glob("0*.md"))


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated pages as they would be now; made by a process of its own, as a person would."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, str(DOCS / "generate.py"), str(folder)], check=True, cwd=ROOT)  # noqa: S603 - our own script
    return folder


@pytest.mark.parametrize("name", GENERATOR.PAGES)
def test_a_generated_page_is_what_the_code_says(name: str, fresh: Path) -> None:
    """Each generated page equals what docs/generate.py makes now; to renew it, run that script."""
    assert (DOCS / name).read_text(encoding="utf-8") == (fresh / name).read_text(encoding="utf-8")


def test_every_error_code_is_explained() -> None:
    """Each code that stands in the code has its meaning and its remedy in codes.toml, and none stands there in vain."""
    said, there = GENERATOR.explained(), GENERATOR.codes()
    assert set(there) - set(said) == set(), "codes without an entry in codes.toml"
    assert set(said) - set(there) == set(), "entries in docs/codes.toml that no code uses"
    assert all(each.keys() - {"settles"} == {"means", "do"} for each in said.values())
    assert all(all(each.values()) for each in said.values())


def test_the_scan_finds_every_way_to_write_a_code() -> None:
    """Codes of classes, keywords, constants, choices, replies, pairs and messages are all found; other words are not."""
    source = """
_LATE = "TOO_LATE"
class Lost(Exception):
    code = "LOST"
def f(error):
    error.code = "REWRITTEN"
    raise Lost("x", code="GIVEN" if error else "OTHERWISE")
def g():
    return "PAIRED", f"{1}[MESSAGE] said"
x = reply(write, "REPLIED", "NOT A CODE")
y = Outcome(code=_LATE)
z = sql("SELECT", kind="INSERT")
"""
    import ast

    found = set(GENERATOR._codes_in(ast.parse(source)))
    assert found == {
        "LOST",
        "REWRITTEN",
        "GIVEN",
        "OTHERWISE",
        "PAIRED",
        "MESSAGE",
        "REPLIED",
        "TOO_LATE",
    }


@pytest.mark.parametrize("page", EVERYTHING, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link inside the documentation names a file that exists, and a heading that it has."""
    broken = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_every_page_stands_in_the_navigation_once() -> None:
    """mkdocs.yml lists each page under docs/ exactly once, and no other; the decisions stand in their own index."""
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    listed = re.findall(r": ([\w/-]+\.md)$", nav, re.MULTILINE)
    assert sorted(listed) == sorted(
        page.relative_to(DOCS).as_posix() for page in PAGES if page not in DECISIONS
    )


def test_decisions_have_numbers_of_their_own() -> None:
    """No two decision records share a number."""
    numbers = [page.name[:4] for page in DECISIONS]
    assert sorted(set(numbers)) == sorted(numbers)


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_a_decision_has_its_four_parts(page: Path) -> None:
    """Each decision record has its number and title, then context, decision, alternatives, consequences."""
    headings = re.findall(r"^(#+ .+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0].startswith(f"# {page.name[:4]} ")
    assert headings[1:] == ["## Context", "## Decision", "## Alternatives", "## Consequences"]


@pytest.mark.parametrize("page", EVERYTHING, ids=name_of)
def test_named_files_and_commands_exist(page: Path) -> None:
    """Files of this repository and commands of ghl-reconcile that a page names are there."""
    from flows.cli import COMMANDS

    text = page.read_text(encoding="utf-8")
    paths = re.findall(
        r"`((?:docs|flows|reconcile|connectors|tests|benchmarks)/[\w./-]+\.\w+)", text
    )
    assert [path for path in paths if not (ROOT / path).exists()] == []
    named = set(re.findall(r"ghl-reconcile ([a-z]+)\b", text)) - {"and"}
    assert named <= set(COMMANDS)


def test_the_invariants_name_tests_that_exist() -> None:
    """Each of the invariants names at least one test, and each named test is in its file."""
    text = (DOCS / "invariants.md").read_text(encoding="utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    numbers = [int(part.partition(".")[0]) for part in parts]
    assert numbers == sorted(set(numbers))
    assert set(numbers) >= set(range(1, 9))
    for part in parts:
        tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", part)
        assert tests, part.splitlines()[0]
        for path, name in tests:
            assert re.search(
                rf"^\s*(?:def|class) {name}\b|^{name} = ",
                (ROOT / path).read_text(encoding="utf-8"),
                re.MULTILINE,
            ), f"{path}::{name}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_block_runs_or_says_why_not(page: Path) -> None:
    """No `console` or `bash` block hides commands from the tests, and a block that is not run gives its reason."""
    text = page.read_text(encoding="utf-8")
    generated = "Generated by docs/generate.py" in text
    kinds = set(re.findall(r"^ *```(\w+)\n", text, re.MULTILINE))
    assert generated or not kinds & {"console", "bash", "shell", "zsh"}
    assert all(block.commands.strip() for block in blocks(page))
