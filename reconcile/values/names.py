"""Names that become paths.

They are those of pairs and runs, which a ledger may hold in any form that somebody wrote there.
"""

from __future__ import annotations

import re

from reconcile.errors import StateError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")


def is_name(text: str) -> bool:
    """Whether a text is a name.

    Letters, digits, dots, dashes and underscores, none of which leads to another folder.
    """
    return _NAME.fullmatch(text) is not None


def checked(text: str) -> str:
    """The text itself. Raises StateError where it is no name."""
    if not is_name(text):
        raise StateError(
            (
                f"{text[:60]!r} is no name of a pair or run: "
                "a file by that name could lie in any folder"
            ),
            remedy="look at who can write to the ledger; take the row out of it",
            code="NAME",
        )
    return text
