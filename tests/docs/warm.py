"""`ghl-reconcile` on the path of a page's commands: each call is forked from one process that has imported what a run needs.

`warm.py FOLDER` serves calls until it is ended; `FOLDER/ghl-reconcile` hands its words, its folder, its environment and its streams over.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path
from typing import NoReturn

IMPORTED = (
    "flows.cli",
    "flows.jobs.full",
    "flows.opening",
    "flows.wiring.wiring",
    "connectors.ghl.sandbox",
    "connectors.sql",
    "reconcile.report.page",
    "reconcile.report.sheet",
)
"""What a run needs."""
SOCKET = "calls"
PROGRAM = "ghl-reconcile"
_MOST = 1 << 20  # bytes of words and environment
_CALL = """\
#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as call:
    call.connect({path!r})
    said = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(call, [said], [0, 1, 2])
    code = call.recv(1)
sys.exit(code[0] if code else 70)
"""


def main() -> None:
    folder = Path(sys.argv[1])
    for name in IMPORTED:
        import_module(name)

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who answer
    with socket.socket(socket.AF_UNIX) as calls:
        calls.bind(str(folder / SOCKET))
        calls.listen()
        program = folder / PROGRAM
        made = program.with_suffix(".made")
        made.write_text(_CALL.format(python=sys.executable, path=str(folder / SOCKET)))
        made.chmod(0o755)
        made.replace(program)
        while True:
            call, _ = calls.accept()
            if os.fork() == 0:
                calls.close()
                _answer(call)
            call.close()


def _answer(call: socket.socket) -> NoReturn:
    """Carry one call out in a process of its own, and tell the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    said, streams, _, _ = socket.recv_fds(call, _MOST, 3)
    child = os.fork()
    if child == 0:
        call.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        _become(*json.loads(said))
    _, status = os.waitpid(child, 0)
    call.sendall(bytes([os.waitstatus_to_exitcode(status) & 255]))
    os._exit(0)


def _become(words: list[str], folder: str, environment: dict[str, str]) -> NoReturn:
    from flows.cli import main as carry_out

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = words
    carry_out()


if __name__ == "__main__":
    main()
