"""Templates are compiled once, as Python compiles its modules.

They are the SQL models, the report and the pages of review.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

_COMPILED = Path(__file__).with_name("__pycache__")


@cache
def templates(folder: Path, *, escape: bool) -> Environment:
    """The templates of a folder.

    `escape` makes text harmless in HTML; SQL is made of what `quoting` writes.

    A name that a template asks for and its context lacks raises `jinja2.UndefinedError`: nothing is
    ever half filled in. The same folder gives the same object again: who adds filters adds them for
    all of its templates.
    """
    from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

    # A model takes 5 ms to compile, a page 100 ms, and a run needs a hundred of one and two of the
    # other.
    keeps = _COMPILED.is_dir() and os.access(_COMPILED, os.W_OK)
    return Environment(
        loader=FileSystemLoader(folder),
        bytecode_cache=FileSystemBytecodeCache(str(_COMPILED)) if keeps else None,
        auto_reload=False,  # a run goes on with the templates that it began with
        undefined=StrictUndefined,
        # It is off for SQL alone, of identifiers and literals that `quoting` writes.
        autoescape=escape,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
    )
