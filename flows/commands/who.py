"""Who calls a command: the account of this process, where nobody says otherwise."""

from __future__ import annotations

import getpass
import os


def account() -> str:
    """The account's name; its number where it has none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
