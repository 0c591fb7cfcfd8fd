"""Options that commands share, apart from what the commands need to work.

Help is shown without importing that.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

PairFile = Annotated[Path, Parameter(name=["--pair", "-p"], help="the pair file")]
Json = Annotated[
    bool, Parameter(name="--json", negative="", help="print one JSON document and nothing else")
]
Full = Annotated[
    bool,
    Parameter(negative="", help="list every change and question, with each value whole"),
]
Allow = Annotated[
    list[str] | None, Parameter(name="--allow", help="a limit that this run may go over, by name")
]
Rebase = Annotated[
    bool,
    Parameter(
        negative="",
        help=(
            "believe the ledger though it is empty, or older than the store's newest "
            "run, and start from here"
        ),
    ),
]
By = Annotated[
    str | None, Parameter(help="who approves what this run is let do; default: your account")
]
Port = Annotated[int, Parameter(validator=Number(gte=0, lte=65_535))]
AtLeastOne = Parameter(validator=Number(gte=1))
Engine = Annotated[
    Literal["prefect", "local"],
    Parameter(name="--engine", help="through Prefect's flow, or plainly"),
]
Verify = Annotated[
    Literal["full", "written", "none"] | None,
    Parameter(help="how far to prove that the run converged"),
]


def ends_when_told() -> None:
    """For a server, to be told to end is no fault: SIGTERM ends it as Ctrl-C does."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
