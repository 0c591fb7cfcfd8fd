"""What is small on its way and large when it is opened takes no more memory than the bound that stops it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_MEASURED = """
import sys, zlib
from pathlib import Path

def most():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

folder = Path(sys.argv[1])
"""

_ANSWER = """
import httpx
from connectors.http import Client, Options, Request
from reconcile.errors import Malformed

class Sent(httpx.SyncByteStream):
    def __init__(self, body):
        self.body = body

    def __iter__(self):  # as much at a time as a connection gives
        yield from (self.body[at : at + 65536] for at in range(0, len(self.body), 65536))

def client(body, **headers):
    reply = lambda _: httpx.Response(200, headers=headers, stream=Sent(body))
    return Client("http://side.invalid", transport=httpx.MockTransport(reply), options=Options(attempts=1))
"""

_GZIP = (
    _ANSWER
    + """
packing = zlib.compressobj(wbits=31)
packed = b"".join([*(packing.compress(b" " * (4 << 20)) for _ in range(100)), packing.flush()])  # 400 MB in 400 KB
before = most()
try:
    client(packed, **{"content-encoding": "gzip"}).send(Request("GET", "/x", replay=True))
    raise SystemExit("it was taken")
except Malformed as error:
    assert error.code == "TOO_LARGE", error.code
print(most() - before)
"""
)

_DEEP = (
    _ANSWER
    + """
deep = b'{"contacts": ' + b"[" * (16 << 20)
before = most()
try:
    client(deep).send(Request("GET", "/x", replay=True)).json()
    raise SystemExit("it was taken")
except Malformed as error:
    assert error.code == "MALFORMED", error.code
print(most() - before)
"""
)

_WORKBOOK = """
from connectors.files import FilesConnector
from connectors.files.settings import FileSettings, FilesSettings
from reconcile.errors import ConnectorError
from reconcile.model import Entity
from reconcile.ports import Proof
from tests.connectors.broken_files import ROWS, bomb, workbook

def proof(content):
    (folder / "people.xlsx").write_bytes(content)
    one = FileSettings("people.xlsx", key="id", modified_at="changed")
    settings = FilesSettings("excel", {Entity.CONTACT: one}, folder, {Entity.CONTACT: ("name", "mail")})
    connector = FilesConnector(settings)
    try:
        return [part for part in connector.extract(Entity.CONTACT) if isinstance(part, Proof)][0]
    except ConnectorError as error:
        return Proof(complete=False, why_incomplete=str(error))

assert proof(workbook(ROWS)).complete
content = bomb(400_000_000)
before = most()
found = proof(content)
assert not found.complete and "unpacks" in found.why_incomplete, found
print(most() - before)
"""

_CASES = {"gzip": (_GZIP, 160_000), "deep": (_DEEP, 120_000), "workbook": (_WORKBOOK, 60_000)}


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(),
    reason="nothing tells here how much memory a process had",
)
@pytest.mark.parametrize("case", _CASES)
def test_a_bomb_takes_no_more_memory_than_its_bound(case: str, tmp_path: Path) -> None:
    """A packed answer of 400 MB, 16 million brackets and a workbook of 400 MB each end by name, in the kilobytes that are given here."""
    text, bound = _CASES[case]
    command = [sys.executable, "-c", _MEASURED + text, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)  # noqa: S603 - the texts above
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < bound, done.stdout
