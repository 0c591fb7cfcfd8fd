"""A command line carried out in the tests' own process, and what it said."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

from flows.cli import call


@dataclass(frozen=True, slots=True)
class Said:
    """The exit code, and what stood on standard output and standard error."""

    code: int
    out: str
    errors: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document it has to be."""
        return json.loads(self.out)


Say = Callable[..., Said]


def say(*words: object) -> Said:
    """Carry out `ghl-reconcile WORDS`."""
    out, errors = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        code = call([str(word) for word in words])
    return Said(code, out.getvalue(), errors.getvalue())
