"""The command line: each command is imported when it is used, so that `--help` answers at once."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import NoReturn

from cyclopts import App

app = App(
    name="ghl-reconcile",
    help="Keep an application and a GoHighLevel location in agreement: three-way, planned, throttled, explained.",
    version_flags=["--version"],
)

COMMANDS = {
    "demo": ("flows.commands.demo:demo", "Run the whole job on an example: a small database, and GHL's look-alike."),
    "init": ("flows.commands.setup:init", "Connect both sides, propose the field mapping, write a pair file."),
    "doctor": ("flows.commands.setup:doctor", "Check credentials, scopes, tables, fields, quotas; change nothing."),
    "plan": ("flows.commands.running:plan", "Read both sides, compare, write the plan file; write to neither side."),
    "apply": ("flows.commands.running:apply", "Carry out an approved plan, by its digest."),
    "run": ("flows.commands.running:run", "Plan and apply unattended, inside the limits: the nightly job."),
    "audit": ("flows.commands.running:audit", "Report on both sides' data; write to neither."),
    "review": ("flows.commands.looking:review", "List what is held for a person, and decide it."),
    "history": ("flows.commands.looking:history", "List past runs."),
    "report": ("flows.commands.looking:report", "Show a run's report again."),
    "explain": ("flows.commands.looking:explain", "Say why a record or a value is what it is."),
    "sandbox": ("flows.commands.serving:sandbox", "Serve a GHL look-alike on this machine."),
}

for _name, (_path, _help) in COMMANDS.items():
    app.command(_path, name=_name, help=_help)


def main() -> NoReturn:
    """Run a command and end with its exit code: 0 agree, 1 holds remain, 2 some failed, 3 refused or fatal."""
    from reconcile.errors import ReconcileError

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    atexit.register(_leave)
    try:
        code = app(result_action="return_value")
        _end(code if isinstance(code, int) else 0)
    except ReconcileError as error:
        print(error, file=sys.stderr)
        _end(3)
    except KeyboardInterrupt:
        print("interrupted; the next run takes up what is left", file=sys.stderr)
        _end(3)


_EXIT = [0]


def _end(code: int) -> NoReturn:
    _EXIT[0] = code
    sys.exit(code)


def _leave() -> None:
    # Registered first, so it runs last: all other clean-up is done. Taking the interpreter apart under Prefect makes
    # DuckDB's binding print a page about leaked instances.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_EXIT[0])


if __name__ == "__main__":
    main()
