"""Writes docs/pair.schema.json anew, after a change of the form or of a connector's settings.

It is run as `python -m flows.config`.
"""

from pathlib import Path

from flows.config.schema import schema_text

Path("docs/pair.schema.json").write_text(schema_text(), encoding="utf-8")
