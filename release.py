"""Makes what is released of a version: sdist, wheel, SBOM, notes, checksums and their signature (./dev release)."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OUT = ROOT / "dist"
TOOLS = ROOT / ".venv" / "release"
"""Where twine is: apart from the rest, as it brings a keyring that the product would use."""

SUMS = "SHA256SUMS"


class NotReadyError(Exception):
    """What keeps the version from being released, and what to do."""


def version() -> str:
    """The version, from the one place where it is written."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def notes(changelog: str, name: str, *, draft: bool) -> str:
    """The changelog's section of a version, without its heading.

    Raises NotReadyError where there is none, where it has no day, or where changes stand above it
    under Unreleased; a draft takes those along.
    """
    heads = list(re.finditer(r"^## \[(.+?)\](?: - (.+))?$", changelog, re.MULTILINE))
    ends = [*(head.start() for head in heads), len(changelog)][1:]
    sections = {
        head[1]: (head[2], changelog[head.end() : end].strip())
        for head, end in zip(heads, ends, strict=False)
    }
    if name not in sections:
        raise NotReadyError(f"CHANGELOG.md has no section [{name}]: write one")
    day, text = sections[name]
    _, unreleased = sections.get("Unreleased", ("", ""))
    if draft:
        return f"{unreleased}\n\n{text}".strip() + "\n"
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", day or ""):
        raise NotReadyError(
            f"CHANGELOG.md says of [{name}] {day!r}, and no day: write - YYYY-MM-DD"
        )
    if unreleased:
        raise NotReadyError(f"CHANGELOG.md has changes under [Unreleased]: move them to [{name}]")
    return text + "\n"


def sums(files: list[Path]) -> str:
    """A line for each file, as `sha256sum --check` reads it."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    return "".join(lines)


def sign(path: Path) -> Path:
    """The signature beside a file, by GnuPG with the key of whoever releases.

    `GHL_RECONCILE_SIGNING_KEY` names another key than its default. Raises NotReadyError.
    """
    program = shutil.which("gpg")
    if program is None:
        raise NotReadyError("not signed: gpg is not installed")
    key = os.environ.get("GHL_RECONCILE_SIGNING_KEY")
    chosen = ["--local-user", key] if key else []
    out = path.with_name(f"{path.name}.asc")
    command = [
        program,
        "--batch",
        "--yes",
        "--armor",
        "--detach-sign",
        *chosen,
        "-o",
        str(out),
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - by its full path
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise NotReadyError(
            f"not signed: gpg says {said[-1] if said else done.returncode}; make a key, or name one "
            "in GHL_RECONCILE_SIGNING_KEY"
        )
    return out


def build() -> list[Path]:
    """The sdist and the wheel, the same bytes from the same commit."""
    at = _run("git", "log", "-1", "--format=%ct").strip()
    shutil.rmtree(OUT, ignore_errors=True)
    _run(sys.executable, "-m", "hatchling", "build", "-d", str(OUT), SOURCE_DATE_EPOCH=at)
    return sorted(OUT.iterdir())


def check(built: list[Path]) -> None:
    """Have twine look at what was built. Raises NotReadyError with what it found."""
    uv = str(Path(sys.executable).with_name("uv"))
    lock = ROOT / "requirements-release.txt"
    words = ("pip", "install", "--quiet", "--target", str(TOOLS), "--no-deps", "--require-hashes")
    _run(uv, *words, "--python", sys.executable, "-r", str(lock))
    program = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built)]
    _run(*program, PYTHONPATH=str(TOOLS))


def _run(*command: str, **environment: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own tools
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        raise NotReadyError(f"{Path(command[0]).name} {' '.join(command[1:3])} failed:\n{said}")
    return done.stdout


def main() -> None:
    """Make all of it; what is missing is said, and the exit code is 1."""
    parser = argparse.ArgumentParser(prog="./dev release", description=__doc__)
    parser.add_argument(
        "--draft",
        action="store_true",
        help="also of a tree with changes, of a version without a day, and unsigned",
    )
    draft = parser.parse_args().draft
    try:
        if not draft and _run("git", "status", "--porcelain"):
            raise NotReadyError("the tree has changes: commit them, or try with --draft")  # noqa: TRY301 - all end alike
        told = notes((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version(), draft=draft)
        built = build()
        check(built)
        (OUT / "NOTES.md").write_text(told, encoding="utf-8")
        (OUT / "sbom.cdx.json").write_text(_run("./dev", "sbom"), encoding="utf-8")
        (OUT / SUMS).write_text(sums(sorted(OUT.iterdir())), encoding="utf-8")
        if not draft:
            sign(OUT / SUMS)
    except NotReadyError as missing:
        sys.exit(f"{version()} is not released: {missing}")
    for path in sorted(OUT.iterdir()):
        print(f"{path.stat().st_size:>12,}  {path.relative_to(ROOT)}")
    if draft:
        print("A draft: not signed. Nothing was sent anywhere.")
    else:
        print("Nothing was sent anywhere: look at it, then upload with twine.")


if __name__ == "__main__":
    main()
