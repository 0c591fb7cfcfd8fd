"""What the job is built from: pinned by hash and by digest, listed for machines, and looked up where advisories can be reached."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import ghl_reconcile
import release

ROOT = Path(__file__).parents[1]
LOCKS = sorted(ROOT.glob("requirements*.txt"))
_PINNED = re.compile(r"^(?P<name>[\w.-]+)(?:\[[\w,]+\])?==(?P<version>[^ ;]+)", re.MULTILINE)


def _dev(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "dev"), *words]
    return subprocess.run(  # noqa: S603 - the tests' own command
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_everything_that_is_installed_is_pinned_by_hash() -> None:
    """Each requirement of each lock has one version and at least one SHA-256."""
    assert len(LOCKS) == 4
    for lock in LOCKS:
        text = re.sub(r"^\s*#.*\n", "", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for requirement in text.replace("\\\n", " ").splitlines():
            assert re.fullmatch(
                r"[\w.\[\],-]+==\S+( ; [^-]+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", requirement
            ), f"{lock.name}: {requirement[:80]}"


def _guarded(dockerfile: str) -> bool:
    """Whether each image is named by digest, or is a BASE without default that the build checks for one."""
    asked = (
        '\nARG BASE\nFROM ${BASE}\nARG BASE\nRUN case "$BASE" in *@sha256:*) ;; *) ' in dockerfile
    )
    images = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    pinned = [
        re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", image) or (image == "${BASE}" and asked)
        for image in images
    ]
    return bool(images) and all(pinned) and "\nARG BASE=" not in dockerfile


def test_locks_are_installed_by_their_hashes() -> None:
    """Wherever `./dev` and the image install from a lock, what has another hash, or none, is refused."""
    for name in ("dev", "Dockerfile"):
        text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
        installed = re.findall(r"pip install [^\n&]*", text)
        from_locks = [words for words in installed if " -r " in words]
        assert len(from_locks) == 2, name
        assert all(" --require-hashes " in words for words in from_locks), name


def test_the_image_is_built_from_a_digest() -> None:
    """The Dockerfile names no image by a tag alone: by digest, or by an argument that has no default and is refused without a digest."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert _guarded(dockerfile)
    assert not _guarded(dockerfile.replace("FROM ${BASE}", "FROM python:3.12-slim"))
    assert not _guarded(dockerfile.replace("ARG BASE\nFROM", "ARG BASE=python:3.12-slim\nFROM"))
    assert not _guarded(dockerfile.replace("RUN case", "# RUN case"))


@pytest.mark.parametrize(
    ("base", "code"), [("python:3.12-slim", 1), ("", 1), ("python:3.12-slim@sha256:00", 0)]
)
def test_a_base_without_a_digest_is_refused(base: str, code: int) -> None:
    """The check that stands in the Dockerfile refuses a base that is a tag alone, and says what is wanted."""
    (check,) = re.findall(
        r"^RUN (case .*)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    ended = subprocess.run(  # noqa: S603 - the Dockerfile's own command
        ["/bin/sh", "-c", check], env={"BASE": base}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == code
    assert ("by its digest" in ended.stderr) == bool(code)


def test_the_list_of_parts_names_everything() -> None:
    """`./dev sbom` prints a CycloneDX document with each package of the lock, its version and its hashes, and the job itself."""
    made = _dev("sbom")
    assert made.returncode == 0, made.stderr
    document = json.loads(made.stdout)
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "ghl-reconcile"
    listed = {(part["name"], part["version"]) for part in document["components"]}
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert listed == set(_PINNED.findall(lock))
    hashes = {
        each["content"]
        for part in document["components"]
        for reference in part["externalReferences"]
        for each in reference["hashes"]
    }
    assert hashes == set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock))


class _Advisories(BaseHTTPRequestHandler):
    """An index that knows of one package, as OSV answers."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found: dict[str, Any] = {}
        if asked["package"]["name"] == "leaky":
            affected = [{"package": asked["package"], "versions": [asked["version"]]}]
            found = {
                "vulns": [{"id": "PYSEC-2026-1", "summary": "It leaks.", "affected": affected}]
            }
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _index() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Advisories) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()


def _audited(folder: Path, index: str, *names: str) -> subprocess.CompletedProcess[str]:
    lock = folder / "lock.txt"
    lock.write_text("".join(f"{name}==1.0 --hash=sha256:{'0' * 64}\n" for name in names))
    return _dev("audit", str(lock), GHL_RECONCILE_ADVISORIES=index, no_proxy="127.0.0.1")


def test_an_audit_names_what_is_known(tmp_path: Path) -> None:
    """`./dev audit` ends with 1 and the advisory where the index knows of one, and with 0 where it knows of none."""
    with _index() as index:
        found, clean = (
            _audited(tmp_path, index, "leaky", "sound"),
            _audited(tmp_path, index, "sound"),
        )
    assert (found.returncode, clean.returncode) == (1, 0), found.stderr + clean.stderr
    assert "leaky 1.0" in re.sub(" +", " ", found.stdout)
    assert "PYSEC-2026-1" in found.stdout
    assert "sound" not in found.stdout
    assert "PYSEC" not in clean.stdout


def test_an_audit_that_could_not_ask_says_so(tmp_path: Path) -> None:
    """Where no index of advisories answers, `./dev audit` says that nothing was audited, and ends with 3."""
    with _index() as index:
        pass
    asked = _audited(tmp_path, index, "sound")
    assert asked.returncode == 3
    assert asked.stderr == f"no index of advisories answers at {index}: nothing was audited\n"
    assert asked.stdout == ""


CHANGES = "# Changelog\n\n## [Unreleased]\n{later}\n## [1.0.0]{day}\n\n- A thing.\n\n## [0.1.0] - 2026-01-01\n\n- Old.\n"


@pytest.mark.parametrize(
    ("text", "draft", "said"),
    [
        (CHANGES.format(later="", day=" - 2026-12-01"), False, "- A thing.\n"),
        (CHANGES.format(later="\n- More.\n", day=" - unreleased"), True, "- More.\n\n- A thing.\n"),
        (CHANGES.format(later="", day=" - unreleased"), False, "'unreleased', and no day"),
        (CHANGES.format(later="\n- More.\n", day=" - 2026-12-01"), False, "changes under"),
        ("# Changelog\n", True, "no section [1.0.0]"),
    ],
)
def test_release_notes_are_the_changelogs_section(text: str, draft: bool, said: str) -> None:
    """Without a day, or with changes that belong to no version, nothing is released."""
    try:
        told = release.notes(text, "1.0.0", draft=draft)
    except release.NotReadyError as missing:
        told = str(missing)
    assert told == said or (said in told and not said.endswith("\n"))


def test_checksums_are_those_that_sha256sum_checks(tmp_path: Path) -> None:
    """Each file with its SHA-256, by its name alone."""
    file = tmp_path / "a.whl"
    file.write_bytes(b"wheel")
    (line,) = release.sums([file]).splitlines()
    assert line == f"{hashlib.sha256(b'wheel').hexdigest()}  a.whl"


def test_what_cannot_be_signed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without GnuPG, or without a key, the release ends with what is missing."""
    file = tmp_path / release.SUMS
    file.write_text("sums")
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "no-keys"))
    if shutil.which("gpg"):
        (tmp_path / "no-keys").mkdir(mode=0o700)
        with pytest.raises(
            release.NotReadyError, match=r"not signed: gpg says .*GHL_RECONCILE_SIGNING_KEY"
        ):
            release.sign(file)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(release.NotReadyError, match="gpg is not installed"):
        release.sign(file)


def test_the_version_to_release_is_the_projects() -> None:
    """It stands in one place."""
    assert release.version() == ghl_reconcile.__version__
