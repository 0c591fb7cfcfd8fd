"""The ledger's tables, in one place.

The code that reads them and the migrations that make them both take them from here.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

_NAME = String(200)
_KEY = String(400)
_MOMENT = String(32)  # ISO 8601 in UTC: sorts as text, and reads the same in every database

pair = Table(
    "pair",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("app_identity", Text),
    Column("ghl_identity", Text),
    Column("mapping_digest", _NAME),
    Column("digest_kind", _NAME),
    Column("codecs", _NAME),
    Column("known", String(64)),
    comment=(
        "One row a pair: the generation counts settlements; "
        "identities tell a changed database from a wiped one; "
        "`known` is the salt of what its contacts are known by, where all of that is kept."
    ),
)

link = Table(
    "link",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("entity", String(20), primary_key=True),
    Column("link_id", String(40), primary_key=True),
    Column("app_key", _KEY, nullable=False),
    Column("ghl_key", _KEY, nullable=False),
    Column("parent", String(40)),
    Column("how", _NAME, nullable=False),
    Column("since_run", _NAME, nullable=False),
    Column("app_digest", BigInteger),
    Column("ghl_digest", BigInteger),
    Column("app_cells", Text, nullable=False),
    Column("ghl_cells", Text, nullable=False),
    Column("app_modified", _MOMENT),
    Column("ghl_modified", _MOMENT),
    Column("app_written", _MOMENT),
    Column("ghl_written", _MOMENT),
    Column("app_edited", _MOMENT),
    Column("ghl_edited", _MOMENT),
    Column("app_absent", Integer, nullable=False, default=0),
    Column("ghl_absent", Integer, nullable=False, default=0),
    Column("codecs", _NAME),
    Index("link_by_app_key", "pair", "entity", "app_key", unique=True),
    Index("link_by_ghl_key", "pair", "entity", "ghl_key", unique=True),
    Index("link_by_parent", "pair", "parent"),
    comment="The crosswalk and the baseline: what each side last showed of each linked record.",
)

run = Table(
    "run",
    metadata,
    Column("run_id", _NAME, primary_key=True),
    Column("pair", _NAME, nullable=False),
    Column("job", _NAME, nullable=False),
    Column("started_at", _MOMENT, nullable=False),
    Column("ended_at", _MOMENT),
    Column("state", _NAME, nullable=False),
    Column("generation", Integer),
    Column("plan_digest", _NAME),
    Column("summary", Text, nullable=False, default="{}"),
    Index("run_by_pair", "pair", "started_at"),
    comment="Every run. States: running, planned, applying, settled, refused, failed.",
)

journal = Table(
    "journal",
    metadata,
    Column("run_id", _NAME, primary_key=True),
    Column("op_id", String(40), primary_key=True),
    Column("operation", Text, nullable=False),
    Column("begun_at", _MOMENT, nullable=False),
    Column("status", String(20)),
    Column("outcome", Text),
    Column("ended_at", _MOMENT),
    Column("link_id", String(40)),
    Index("journal_open", "run_id", "status"),
    Index("journal_by_link", "link_id"),
    comment="Intent before the request, result after: a row without a status is in doubt.",
)

hold = Table(
    "hold",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("hold_id", String(40), primary_key=True),
    Column("body", Text, nullable=False),
    Column("values_digest", _NAME, nullable=False),
    Column("first_run", _NAME, nullable=False),
    Column("first_seen", _MOMENT, nullable=False),
    Column("last_run", _NAME, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("decision", _NAME),
    Column("decided_by", _NAME),
    Column("decided_at", _MOMENT),
    Column("reason", Text),
    comment=(
        "Questions for a person and their answers; an answer holds while the values it was "
        "given for are the same."
    ),
)

act = Table(
    "act",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("act_id", String(40), primary_key=True),
    Column("at", _MOMENT, nullable=False),
    Column("by", _NAME, nullable=False),
    Column("reason", Text, nullable=False),
    Column("answers", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("undone_at", _MOMENT),
    Column("undone_by", _NAME),
    Index("act_by_pair", "pair", "at"),
    comment=(
        "Answers that a person gave together, with what stood there before: "
        "what can be taken back as one."
    ),
)

difference = Table(
    "difference",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("entity", String(20), primary_key=True),
    Column("link_id", String(40), primary_key=True),
    Column("field", _NAME, primary_key=True),
    Column("item", _KEY, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("side", String(10), nullable=False),
    Column("sent", Text),
    Column("stored", Text),
    Column("code", _NAME, nullable=False),
    Column("because", Text, nullable=False),
    Column("other_key", _KEY),
    Column("field_digest", _NAME, nullable=False),
    Column("run_id", _NAME, nullable=False),
    Column("at", _MOMENT, nullable=False),
    comment=(
        "Why the two sides of a linked value are known to differ, "
        "while both stay as they were then."
    ),
)

known = Table(
    "known",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("side", String(10), primary_key=True),
    Column("key", _KEY, primary_key=True),
    Column("worth", String(16), primary_key=True),
    Index("known_by_worth", "pair", "worth"),
    sqlite_with_rowid=False,  # a fifth less to keep
    comment=(
        "What each contact of either side was last known by under the match rules, as salted "
        "digests: whom a new one may equal is found without reading everybody."
    ),
)

sweep = Table(
    "sweep",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("contact_key", _KEY, primary_key=True),
    Column("checked_at", _MOMENT),
    Column("hinted_at", _MOMENT),
    comment=(
        "When each GHL contact's notes were last read, and when something hinted that they changed."
    ),
)

agenda = Table(
    "appointments",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("contact_key", _KEY, primary_key=True),
    Column("tried_at", _MOMENT, nullable=False),
    Column("seen_at", _MOMENT),
    Column("failure", Text),
    Column("listed", Text, nullable=False, default="[]"),
    comment="Each GHL contact's appointments as last read, and the last attempt to read them.",
)

watermark = Table(
    "watermark",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("side", String(10), primary_key=True),
    Column("at", _MOMENT, nullable=False),
    comment=(
        "Up to when each side was looked at for changes: "
        "where the next delta begins, less an overlap."
    ),
)

delivery = Table(
    "delivery",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("webhook_id", _NAME, primary_key=True),
    Column("at", _MOMENT, nullable=False),
    comment=(
        "Webhooks that were taken, by GHL's id of the delivery: one that comes again is refused."
    ),
)

grave = Table(
    "grave",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("entity", String(20), primary_key=True),
    Column("side", String(10), primary_key=True),
    Column("key", _KEY, primary_key=True),
    Column("at", _MOMENT, nullable=False),
    Column("other_key", _KEY),
    comment=(
        "Records whose link was forgotten, when, and with which other: "
        "an index that lags, or a restored backup, may still show them, as if they were new."
    ),
)

tombstone = Table(
    "tombstone",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("entity", String(20), nullable=False),
    Column("salt", String(64), nullable=False),
    Column("at", _MOMENT, nullable=False),
    comment=(
        "By what an erased person would be known again: salted digests of keys and identities. "
        "Such a record is not brought over unasked."
    ),
)

erasure = Table(
    "erasure",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("erasure_id", _NAME, primary_key=True),
    Column("at", _MOMENT, nullable=False),
    Column("by", _NAME, nullable=False),
    Column("ended_at", _MOMENT),
    Column("body", Text, nullable=False),
    comment=(
        "Persons that were erased, without a value of theirs: when, by whom, and what was changed; "
        "until it ended, of which runs the imprints have to be taken again."
    ),
)

backup = Table(
    "backup",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("file", _KEY, primary_key=True),
    Column("at", _MOMENT, nullable=False),
    comment="Copies of this ledger that were made for a pair: an erasure goes through them, too.",
)

pair_file = Table(
    "pair_file",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("body", Text, nullable=False),
    Column("at", _MOMENT, nullable=False),
    comment=(
        "Pair files of a fleet, as TOML, for workers without a disk of their own; "
        "secrets stay references."
    ),
)

ends = Table(
    "ends",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("entity", String(20), primary_key=True),
    Column("digest", _NAME, nullable=False),
    Column("app", Text, nullable=False),
    Column("ghl", Text, nullable=False),
    Column("at", _MOMENT, nullable=False),
    Index("ends_held_once", "entity", "digest", unique=True),
    comment=(
        "Which place of the app and which location each pair has written to: "
        "no other pair may join the same two."
    ),
)

imprint = Table(
    "imprint",
    metadata,
    Column("run_id", _NAME, primary_key=True),
    Column("pair", _NAME, nullable=False),
    Column("body", Text, nullable=False),
    comment=(
        "What each file of a run was when the run left it, as JSON of name and SHA-256: "
        "one that differs is not believed."
    ),
)

lease = Table(
    "lease",
    metadata,
    Column("pair", _NAME, primary_key=True),
    Column("holder", _NAME, nullable=False),
    Column("expires_at", _MOMENT, nullable=False),
    comment="Who runs a pair; a lease that has expired may be taken over.",
)
