"""The pair file of the soak, and what may be changed in it from one night to the next."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from tests.soak.values import COMPANY, CONTACT, DEAL, KIND, NOTE, TASK, Field

_TEXT = Template("""\
pair = "soak"
store = "state"
region = "US"
timezone = "UTC"

[app]
url = "file:app-url.txt"

[app.contact]
table = "people"
modified_at = "updated_at"
tags = { column = "tags", form = "json" }
$where

[app.task]
table = "todos"
parent = "person_id"
modified_at = "updated_at"

[app.note]
table = "remarks"
parent = "person_id"
modified_at = "updated_at"

[app.company]
table = "firms"
modified_at = "updated_at"

[app.opportunity]
table = "deals"
parent = "person_id"
modified_at = "updated_at"

[ghl]
url = "$url"
token = "file:token.txt"
location = "$location"
lag_seconds = 5
$budget
[contact]
match = ["email", "phone"]
delete = { ghl = "mirror", app = "mirror" }
[contact.fields]
$kind
$contact
tags = "tags"

[task]
match = [["title", "due_at"]]
delete = { ghl = "mirror", app = "mirror" }

[task.fields]
$task

[note]
match = ["body"]
delete = { ghl = "mirror", app = "mirror" }

[note.fields]
$note

[company]
match = ["name"]
delete = { ghl = "mirror", app = "mirror" }

[company.fields]
$company

[opportunity]
match = ["title"]
delete = { ghl = "mirror", app = "mirror" }

[opportunity.fields]
$deal

[limits]
max_first_creates = 2000
max_deletes = 25
max_delete_share = 0.2

[alerts]
failed_share = 1
count_deviation = 1

[apply]
recheck = "$recheck"
""")

RECHECK = "always"
"""The default of the product; a test switches it off."""


@dataclass
class Pair:
    """The file and its few choices."""

    folder: Path
    url: str
    app_url: str
    location: str
    token: str
    notes_budget: int | None = None
    constant: bool = False
    """Whether a constant tells people from suppliers, or a condition in SQL."""
    unmapped: set[str] = field(default_factory=set)
    asks: set[str] = field(default_factory=set)
    """Fields of which a conflict is asked about, whatever their rule was at first."""

    def write(self) -> Path:
        path = self.folder / "soak.toml"
        for name, secret in (("app-url.txt", self.app_url), ("token.txt", self.token)):
            (self.folder / name).touch(mode=0o600)
            (self.folder / name).write_text(secret, encoding="utf-8")
        text = _TEXT.substitute(
            url=self.url,
            location=self.location,
            budget="" if self.notes_budget is None else f"notes_budget = {self.notes_budget}",
            where="" if self.constant else "where = \"kind = 'person'\"",
            recheck=RECHECK,
            kind=KIND if self.constant else "",
            contact="\n".join(self._line(one) for one in CONTACT if one.name not in self.unmapped),
            task="\n".join(one.line for one in TASK),
            note="\n".join(one.line for one in NOTE),
            company="\n".join(one.line for one in COMPANY),
            deal="\n".join(one.line for one in DEAL),
        )
        path.write_text(text, encoding="utf-8")
        return path

    def _line(self, one: Field) -> str:
        return re.sub(r', conflict = "\w+"', "", one.line) if one.name in self.asks else one.line
