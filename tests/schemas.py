"""Holds a report to the schema that is published for it."""

from __future__ import annotations

from typing import Any

from reconcile.report.schema import schema


def valid(document: Any) -> None:
    """Raise where a report, as it is read back from JSON, is not what its schema says."""
    import jsonschema  # takes two seconds: who asks for other tests need not wait for it

    jsonschema.validate(document, schema(), cls=jsonschema.Draft202012Validator)
