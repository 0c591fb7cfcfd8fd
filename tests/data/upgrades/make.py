"""Makes what earlier versions left, by their own code (python tests/data/upgrades/make.py).

For each version of the ledger, the last tree that had it runs two nights of a small world. Once a version is released, its file
stays as it is; a migration adds one, of the tree before it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]

TREES = {
    "0001": "0c09442",
    "0002": "00adc81",
    "0004": "a45b155",
    "0005": "527d0fb",
    "0006": "74993df",
    "0007": "7cf0300",
    "0008": "6fb2b8a",
    "0009": "bc9b988",
    "0010": "f3e73ac",
    "0011": "be1416e",
    "0012": "dbe4579",
    "0013": "6911ddc",
}
"""The last tree with each version of the ledger's tables; 0003 and 0004 came together."""

WHOLE = ("0002", "0007", "0012")
"""Of these the archive is kept, too: what it holds changed in between."""

_PLAIN = ("plan.jsonl",)
_LEFT_OUT = (".html", ".xlsx", ".md", ".duckdb")


def make(version: str, commit: str) -> Path:
    """The file of one version."""
    with tempfile.TemporaryDirectory() as work:
        tree, left = Path(work, "tree"), Path(work, "left")
        _git("worktree", "add", "--detach", str(tree), commit)
        try:
            environment = os.environ | {"PYTHONPATH": str(tree)}
            command = [sys.executable, str(HERE / "made_then.py"), str(left)]
            subprocess.run(command, env=environment, cwd=tree, check=True)  # noqa: S603 - our own
        finally:
            _git("worktree", "remove", "--force", str(tree))
        out = HERE / f"{version}.zip"
        with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as kept:
            for path in sorted(left.rglob("*")):
                if path.is_file() and _stays(version, path):
                    told = zipfile.ZipInfo(path.relative_to(left).as_posix(), (2026, 1, 1, 0, 0, 0))
                    kept.writestr(told, path.read_bytes(), zipfile.ZIP_LZMA)
    return out


def _git(*words: str) -> None:
    git = shutil.which("git") or "git"
    subprocess.run([git, *words], cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - our own history


def _stays(version: str, path: Path) -> bool:
    if "runs" not in path.parts or path.name in _PLAIN:
        return True
    return version in WHOLE and path.suffix not in _LEFT_OUT


if __name__ == "__main__":
    for name, at in TREES.items():
        if not sys.argv[1:] or name in sys.argv[1:]:
            made = make(name, at)
            sys.stdout.write(f"{made.name}: {made.stat().st_size:,} bytes\n")
