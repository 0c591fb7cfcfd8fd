"""What a command prints for another program."""

from __future__ import annotations

import json
import sys


def print_json(document: object) -> None:
    """Print the one document that `--json` asks for."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=1, default=str)
    print()
