"""The files that a user of the demo reads and changes.

The pair file, where every choice says why, and the sandbox's settings.
"""

from __future__ import annotations

from string import Template
from typing import Literal

LOCATION = "AcmeDemoLocation0001"
PAIR_FILE = "acme.toml"
SANDBOX_FILE = "ghl-sandbox.db"
SETTINGS_FILE = "ghl-sandbox.toml"

AppKind = Literal["sql", "rest", "csv"]
"""What the demo's application may be: a database, a JSON API over one, or files."""

_SQL = """\
[app]
connector = "sql"
# Any SQLAlchemy URL. One with a password does not belong in this file: "env:ACME_DATABASE_URL"
# reads an environment variable, "file:secret.txt" a file beside this one.
url = "{url}"

[app.contact]
table = "people"
key = "id"
modified_at = "updated_at"
deleted = "deleted_at"                        # a soft-delete column: a time here means deleted
tags = {{ column = "tags", form = "json" }}     # or form = "delimited", or a join table

[app.task]
table = "todos"
parent = "person_id"                          # the column with the key of the person it belongs to
modified_at = "updated_at"

[app.note]
table = "remarks"
parent = "person_id"

[app.company]
table = "firms"
modified_at = "updated_at"

[app.opportunity]
table = "deals"
parent = "person_id"
modified_at = "updated_at"
"""

_REST = """\
[app]
connector = "rest"
# The address of any JSON API. This one is the demo's own: it is served over the database file while
# a command runs.
url = "{url}"
requests = 500                                # at most so many requests ...
seconds = 1                                   # ... in any so many seconds
pager = {{ kind = "offset", param = "offset", size = 100, total = "total" }}

[app.contact]
path = "people"
items = "items"                               # where a page holds its records
update = "PATCH"
modified_at = "updated_at"
since = "updated_since"                       # the parameter for what changed since
search = {{ email = "email" }}                  # the parameters that find records
deleted = "deleted_at"                        # a time here means deleted
tags = "tags"

[app.task]
path = "todos"
items = "items"
update = "PATCH"
parent = "person_id"                          # the member with the key of the person it belongs to
modified_at = "updated_at"

[app.note]
path = "remarks"
items = "items"
update = "PATCH"
parent = "person_id"

[app.company]
path = "firms"
items = "items"
update = "PATCH"
modified_at = "updated_at"

[app.opportunity]
path = "deals"
items = "items"
update = "PATCH"
parent = "person_id"
modified_at = "updated_at"
"""

_CSV = """\
[app]
connector = "csv"                             # or "jsonl", "parquet", "excel"

[app.contact]
# Beside this file; or a folder, a pattern, an fsspec URL.
path = "people.csv"
key = "id"
modified_at = "updated_at"
deleted = "deleted_at"                        # a column; a time here means deleted
tags = "tags"
tags_delimiter = ";"

[app.task]
path = "todos.csv"
parent = "person_id"                          # the column with the key of the person it belongs to
modified_at = "updated_at"

[app.note]
path = "remarks.csv"
parent = "person_id"

[app.company]
path = "firms.csv"
modified_at = "updated_at"

[app.opportunity]
path = "deals.csv"
parent = "person_id"
modified_at = "updated_at"
"""

_APPS: dict[AppKind, str] = {"sql": _SQL, "rest": _REST, "csv": _CSV}

_TEXT = Template("""\
# A pair: one application database and one GHL location that are kept in agreement.
#
# Change this file into your own: the tables under [app], the location under [ghl], then one line
# per field.
#   ghl-reconcile doctor --pair acme.toml     checks both sides, and changes nothing
#   ghl-reconcile plan   --pair acme.toml     shows what a run would do, and does not do it
#   ghl-reconcile run    --pair acme.toml     does it, inside the limits at the end of this file
# Every key there is: docs/pair.schema.json

pair = "acme"
# What runs remember: a folder beside this file, or an fsspec URL such as s3://bucket/acme.
store = "state"
region = "US"        # the country of telephone numbers that are written without one
timezone = "UTC"     # the zone of times that the application keeps without one

# ---------------------------------------------------------------- your application

$app
# ---------------------------------------------------------------- GHL

[ghl]
# A GHL look-alike, served from this file while a command runs; see $settings.
url = "sandbox:$sandbox"
location = "$location"
# The sandbox's search trails a write by 2 s; the real one by up to a minute.
lag_seconds = 5
appointments_budget = 50              # contacts whose appointments are read a night, for the report
# For the real GHL, write this instead of the first three lines above:
# location = "your location's id"
# token = "env:GHL_TOKEN"             # a private integration token
# live = true                         # without it, nothing is written to a host but this machine
# and another pair and store at the top: this store remembers the sandbox's contacts.

# ---------------------------------------------------------------- people and contacts

[contact]
# How records that are not linked yet find each other: by the first rule that fits exactly one on
# either side. If several could match, you are asked (`ghl-reconcile review`).
match = ["email", "phone", ["last_name", "postal_code"]]
create = "both"                       # whom only one side knows is created on the other
# Where a record was deleted on one side, what becomes of its counterpart: deleted in the app, it
# goes from GHL too; deleted in GHL, a person decides whether it goes from the app.
delete = { ghl = "mirror", app = "hold" }
# In how many complete runs in a row a record must be missing before it counts as deleted. The
# default is 2, because a single strange answer of either side must never delete anybody; here it
# is 1, for the demo has no second night.
absent_runs = 1

[contact.fields]                      # your column = GHL's field
first_name = "firstName"
last_name = "lastName"
email = "email"                       # compared without regard to case
phone = "phone"                       # compared as numbers: (512) 555-0142 is +15125550142
company = "companyName"
# A link, beside the text above: our key here, GHL's there.
firm_id = { ghl = "businessId", by = "key" }
street = "address1"
# Changed on both sides to different values: held. Or: conflict = "newest".
city = "city"
state = "state"
postal_code = "postalCode"
country = "country"
birth_date = "dateOfBirth"
source = { ghl = "source", flow = "app->ghl" }        # ours alone: an edit in GHL is put back
vip = { ghl = "contact.vip", codec = "bool", fallback = false }    # a custom field, by its key
# A consent: a no of either side wins, and is never lifted by itself.
no_sms = { ghl = "dnd.sms", true_says = "denied" }
# As a set: added here is added there, removed here is removed there.
tags = "tags"

# ---------------------------------------------------------------- firms and companies

[company]
# They come before the people: whoever works at a new one is linked to it the same night.
match = ["name"]

[company.fields]
name = { ghl = "name", required = true }
city = "city"

# ---------------------------------------------------------------- deals and opportunities

[opportunity]
match = ["title"]                     # among those of one contact

[opportunity.fields]
title = { ghl = "name", required = true }
# By name, as the stage; `doctor` says which GHL lacks.
pipeline = { ghl = "pipeline", required = true }
stage = "stage"
status = "status"
amount = "monetaryValue"

# ---------------------------------------------------------------- to-dos and tasks

[task]
match = [["title", "due_at"]]         # among the tasks of one contact
delete = { ghl = "hold", app = "mirror" }
absent_runs = 1                       # see [contact]

[task.fields]
title = { ghl = "title", required = true }
due_at = { ghl = "dueDate", required = true }         # GHL takes no task without one
details = "body"                      # GHL keeps HTML; a difference in markup alone is none
# Two of our words mean "not completed" in GHL. Reopened there, a task becomes "open" here, the
# first of them.
status = { ghl = "completed", choices = { open = false, waiting = false, done = true } }

# ---------------------------------------------------------------- remarks and notes

[note]
match = ["body"]
delete = { ghl = "hold", app = "hold" }

[note.fields]
body = { ghl = "body", required = true }

# ---------------------------------------------------------------- what one run may do unasked

[limits]
# Of one kind of record on one side; a run that wants more is refused as a whole.
max_deletes = 25
# Of one kind on one side; more on a first run is most likely a wrong match rule.
max_first_creates = $creates
""")


def pair_text(kind: AppKind, url: str, *, contacts: int) -> str:
    """The whole file.

    `url` is where the app is, relative to the file, or a reference to where that is kept.
    """
    creates = max(50, contacts // 2)
    names = {"sandbox": SANDBOX_FILE, "settings": SETTINGS_FILE, "location": LOCATION}
    return _TEXT.substitute(names, app=_APPS[kind].format(url=url), creates=creates)


_SETTINGS = Template("""\
# What the sandbox beside this file is like; read when it is opened.

lag_seconds = 2.0        # how long search trails a write
seed = $seed                 # the same seed gives the same ids

[pit]                    # what a private integration token may ask
max = 300                # requests in any ...
# ... seconds. GHL documents 100 in 10: write that to see the real pace (three nights take 2
# minutes).
window_seconds = 2.0
daily = 200000           # requests a day

# Faults can be switched on. This one cuts the connection after every 20th write: was it carried out
# or not?
# [[faults]]
# kind = "reset_after"
# method = "POST"
# every = 20
""")


def settings_text(seed: int) -> str:
    """The sandbox's settings file."""
    return _SETTINGS.substitute(seed=seed)
