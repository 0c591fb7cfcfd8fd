"""What is served is served to this machine: another machine reaches it only where a person names a host."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.ghl.login import Callback
from tests.flows.acme import Acme

ROOT = Path(__file__).parents[2]
SERVED = {
    "sandbox": ("sandbox", "--port", "0"),
    "review": ("review", "--web", "--pair", "{pair}"),
    "webhooks": ("webhooks", "--pair", "{pair}", "--port", "{free}"),
}


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Acme:
    """A world after its first night, with questions that are open."""
    return Acme.settled(tmp_path_factory.mktemp("loopback") / "acme")


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=10):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("command", SERVED)
def test_commands_that_serve_listen_on_loopback_alone(acme: Acme, command: str) -> None:
    """Another address of this machine, which a server for everybody would answer at, is not answered."""
    words = [word.format(pair=acme.pair, free=_free()) for word in SERVED[command]]
    started = [sys.executable, "-m", "flows.cli", *words]
    with subprocess.Popen(started, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        assert process.stdout is not None
        said = re.match(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert said is not None
        port = int(said[1])
        while not _answers("127.0.0.1", port):
            assert process.poll() is None
        assert not _answers("127.0.0.2", port)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_the_callback_of_a_login_listens_on_loopback_alone() -> None:
    """The answer of GHL's consent page comes through this machine's own browser."""
    callback = Callback()
    port = int(callback.url.rpartition(":")[2].partition("/")[0])
    answers = [_answers(host, port) for host in ("127.0.0.1", "127.0.0.2")]
    callback.close()
    assert answers == [True, False]
