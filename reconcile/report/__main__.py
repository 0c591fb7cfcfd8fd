"""Prints the report's JSON Schema: `python -m reconcile.report > docs/report.schema.json`."""

from __future__ import annotations

import json
import sys

from reconcile.report.schema import schema

sys.stdout.write(json.dumps(schema(), indent=1) + "\n")
