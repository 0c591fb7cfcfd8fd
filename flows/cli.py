"""The command line: each command is imported when it is used, so that `--help` answers at once."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import Annotated, Literal, NoReturn

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter


def _version() -> str:
    from importlib.metadata import version

    return version("ghl-reconcile")


app = App(
    name="ghl-reconcile",
    help=(
        "Keep an application and a GoHighLevel location in agreement: "
        "three-way, planned, throttled, explained."
    ),
    version=_version,
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
    # A list that was not given is empty: a flag that makes it so says nothing.
    default_parameter=Parameter(negative_iterable=()),
)

PRIVATE = 0o077
"""What is written is for the user who runs the job alone.

Ledger, plans, reports, spools and temporary files hold people's values.
"""

COMMANDS = {
    "demo": (
        "flows.commands.demo:demo",
        "Run the whole job on an example: a small database, and GHL's look-alike.",
    ),
    "init": (
        "flows.commands.setup:init",
        "Connect both sides, propose the field mapping, write a pair file.",
    ),
    "doctor": (
        "flows.commands.setup:doctor",
        "Check credentials, scopes, tables, fields, quotas; change nothing.",
    ),
    "rehearse": (
        "flows.commands.rehearsing:rehearse",
        "Play nights of a pair on copies of both sides, and check each; write to neither side.",
    ),
    "plan": (
        "flows.commands.running:plan",
        "Read both sides, compare, write the plan file; write to neither side.",
    ),
    "apply": ("flows.commands.running:apply", "Carry out an approved plan, by its digest."),
    "run": (
        "flows.commands.running:run",
        "Plan and apply unattended, inside the limits: the nightly job.",
    ),
    "migrate": (
        "flows.commands.moving:migrate",
        "Load one side into the other, once; over days, if the quota takes days.",
    ),
    "delta": (
        "flows.commands.moving:delta",
        "Carry over only what changed since the last look, or what is named.",
    ),
    "fleet": (
        "flows.commands.fleet:fleet",
        "Run many pairs, make them from one template and a table, say how they stand.",
    ),
    "audit": ("flows.commands.running:audit", "Report on both sides' data; write to neither."),
    "review": (
        "flows.commands.reviewing:review",
        "List what is held for a person, decide it, take it back.",
    ),
    "undo": (
        "flows.commands.mending:undo",
        "Take a run back: shows the plan; apply it by its digest, or with --yes.",
    ),
    "prune": (
        "flows.commands.mending:prune",
        "Remove the files of old runs, by the pair file's [keep].",
    ),
    "erase": (
        "flows.commands.erasing:erase",
        "Erase one person from all that is kept of a pair, with a certificate.",
    ),
    "notify": (
        "flows.commands.operating:notify",
        "Send a test notice to each receiver of a pair's alerts.",
    ),
    "history": ("flows.commands.looking:history", "List past runs."),
    "report": ("flows.commands.looking:report", "Show a run's report again."),
    "export": (
        "flows.commands.exporting:export",
        "Write what the runs left as tables, for SQL and pandas.",
    ),
    "explain": ("flows.commands.looking:explain", "Say why a record or a value is what it is."),
    "auth": (
        "flows.commands.access:auth",
        "Get, show and remove the tokens of a pair that says oauth.",
    ),
    "webhooks": (
        "flows.commands.operating:webhooks",
        "Take GHL's webhooks, and note what to look at next.",
    ),
    "deploy": ("flows.commands.operating:deploy", "Prefect deployments and schedules for pairs."),
    "ledger": ("flows.commands.operating:ledger", "Back up and migrate the ledger."),
    "sandbox": ("flows.commands.serving:sandbox", "Serve a GHL look-alike on this machine."),
    "completion": (
        "flows.cli:completion",
        "Print what a shell needs to complete commands and options.",
    ),
}

for _name, (_path, _help) in COMMANDS.items():
    app.command(_path, name=_name, help=_help)


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="the shell to complete in")], /
) -> int:
    """Print a script that lets a shell complete commands, options and files.

    bash: `eval "$(ghl-reconcile completion bash)"` in ~/.bashrc. zsh: save it as _ghl-reconcile in
    a folder of $fpath. fish: save it as ~/.config/fish/completions/ghl-reconcile.fish.
    """
    print(app.generate_completion(shell=shell))
    return 0


def main() -> NoReturn:
    """Run a command and end with its exit code.

    0: both sides agree. 1: holds remain. 2: some failed. 3: refused or fatal.
    """
    os.umask(PRIVATE)
    _make_sure_of_streams()
    from flows.logs import log_to_stderr
    from flows.progress import CURRENT

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    atexit.register(_leave)
    log_to_stderr(os.environ.get("GHL_RECONCILE_LOG", "WARNING"))
    CURRENT.wanted = True
    _end(call())


_AGAIN = "run it again: it takes up what is left"


def call(tokens: Sequence[str] | None = None) -> int:
    """Carry out a command line (that of this process, or `tokens`).

    Returns the exit code, having said what went wrong.
    """
    try:
        code = app(tokens, result_action="return_value", exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _ended(tokens, _wrong(error))
    except SystemExit as end:  # a signal, or a server that could not start
        if end.code in (0, None):
            return 0
        return _ended(tokens, "")
    except KeyboardInterrupt:
        return _ended(tokens, f"[INTERRUPTED] interrupted → {_AGAIN}")
    # Python's own exit code for it, 1, says that both sides are read and holds remain.
    except Exception as error:  # noqa: BLE001
        from flows.errors import message_of

        return _ended(tokens, message_of(error), error)
    return code if isinstance(code, int) else 0


def _ended(tokens: Sequence[str] | None, words: str, error: BaseException | None = None) -> int:
    """Say on standard error why a command came to nothing.

    With --json it is also the one document on standard output.
    """
    from flows.commands.refusal import document, tell
    from reconcile.errors import Refused

    if isinstance(error, Refused) and error.limits:
        tell(error)
    elif words:
        print(words, file=sys.stderr)
    if "--json" in (sys.argv[1:] if tokens is None else tokens):
        from flows.commands.show import write_json

        write_json(document(words, error))
    return 3


def _wrong(error: CycloptsError) -> str:
    """What is wrong with a command line, and what to write instead."""
    command = " ".join(["ghl-reconcile", *(error.command_chain or ())])
    more = f"{command} --help"
    argument = error.argument
    if argument is None or not isinstance(error, MissingArgumentError):
        what = str(error).rstrip(".")
        return f"[USAGE] {what} → see {more}"
    name = argument.name
    what = f"{name} is missing"
    if argument.parameter.help:
        help_text = argument.parameter.help.partition(";")[0]
        what += f": {help_text}"
    example = name
    if name == "--pair":
        example = "--pair acme.toml"
    elif name.startswith("-"):
        example = f"{name} …"
    return f"[USAGE] {what} → write {command} {example}, or see {more}"


def _make_sure_of_streams() -> None:
    """Standard output and error that are always there and take every character.

    They show control characters instead of obeying them.

    Whoever reads them may leave (`| head -1`): the work goes on, and ends with its own exit code.
    """
    from flows.terminal import Shown, heard

    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # It stays open for as long as the process lives.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, TextIOWrapper):
            setattr(sys, name, heard(stream))
        setattr(sys, name, Shown(getattr(sys, name)))


_EXIT = [3]


LINGER_SECONDS = 30.0
"""How long a library may take to say goodbye, such as Prefect to a server that is gone.

All work is done and closed by then.
"""


def _end(code: int) -> NoReturn:
    _EXIT[0] = code
    last = threading.Timer(LINGER_SECONDS, _leave)
    last.daemon = True
    last.start()
    sys.exit(code)


def _leave() -> None:
    # Registered first, so it runs last: all other clean-up is done. Taking the interpreter apart
    # under Prefect makes DuckDB's binding print a page about leaked instances.
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(_EXIT[0])


if __name__ == "__main__":
    main()
