"""sandbox: the command that serves GHL's look-alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.commands.options import Port, ends_when_told


def sandbox(
    *,
    config: Annotated[
        Path | None, Parameter(help="a TOML file with limits, quirks and faults")
    ] = None,
    store: Annotated[
        Path | None, Parameter(help="a file to keep its state in; default: memory alone")
    ] = None,
    host: str = "127.0.0.1",
    port: Port = 8765,
) -> int:
    """Serve a GHL look-alike on this machine until interrupted.

    Its address is the first line printed.
    """
    from connectors.ghl.sandbox import Settings, run

    ends_when_told()
    run(Settings.load(config) if config else Settings(), store, host, port)
    return 0
