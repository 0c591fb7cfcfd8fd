"""A good pair file, and many ways to break it, with all that must be said of each."""

from __future__ import annotations

from dataclasses import dataclass

GOOD = """\
pair = "acme"
store = "state"
region = "US"

[app]
connector = "sql"
url = "sqlite:///app.db"
[app.contact]
table = "people"
key = "id"
modified_at = "updated_at"
tags = { column = "tags", form = "json" }
[app.task]
table = "todos"
parent = "person_id"
[app.note]
table = "remarks"
parent = "person_id"

[ghl]
url = "https://services.leadconnectorhq.com"
location = "ve9EPM428h8vShlRW1KT"
token = "env:GHL_TOKEN"

[contact]
match = ["email", "phone", ["last_name", "zip"]]
exclude = [{ field = "email", is = [""] }]

[contact.fields]
first_name = "firstName"
last_name = "lastName"
zip = "postalCode"
email = { ghl = "email", conflict = "newest" }
phone = "phone"
born = "dateOfBirth"
tags = "tags"
source = { ghl = "source", constant = "acme" }
vip = { ghl = "contact.vip", codec = "bool", fallback = false }

[task.fields]
title = "title"
due = "dueDate"
status = { ghl = "completed", choices = { open = false, waiting = false, done = true } }

[note.fields]
text = "body"
"""


def edited(*edits: tuple[str, str]) -> str:
    """The good file with pieces of it replaced, each of which stands in it exactly once."""
    text = GOOD
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the good file"
        text = text.replace(old, new)
    return text


@dataclass(frozen=True)
class Expected:
    """One problem: a piece of the line that it must name, and words of the message and of the remedy."""

    line: str
    what: str
    remedy: str


@dataclass(frozen=True)
class Broken:
    """A good pair file with some edits, and all the problems that it must be told of, no more."""

    name: str
    edits: tuple[tuple[str, str], ...]
    expected: tuple[Expected, ...]


def _one(name: str, old: str, new: str, what: str, remedy: str, line: str | None = None) -> Broken:
    return Broken(
        name, ((old, new),), (Expected(line or new.strip("\n").splitlines()[-1], what, remedy),)
    )


BROKEN = [
    _one(
        "unknown key at the top",
        'store = "state"',
        'stor = "state"',
        'unknown key "stor"',
        'Did you mean "store"?',
    ),
    Broken(
        "unknown table",
        (("[note.fields]", "[notes.fields]"),),
        (
            Expected("[notes.fields]", 'unknown key "notes"', 'Did you mean "note"'),
            Expected("[app.note]", "there is no [note.fields]", "Add [note.fields]"),
        ),
    ),
    _one(
        "unknown key of the app",
        "[app]\n",
        "[app]\nuser = 1\n",
        'unknown key "user" in [app]',
        "Use one of: connector",
        "user = 1",
    ),
    _one(
        "unknown key of an app table",
        'key = "id"',
        'keys = "id"',
        'unknown key "keys" in [app.contact]',
        '"key"',
    ),
    _one(
        "unknown key of tags",
        'form = "json" }',
        'forms = "json" }',
        'unknown key "forms"',
        '"form"',
        "forms =",
    ),
    _one(
        "unknown key of GHL",
        'location = "',
        'locations = "x"\nlocation = "',
        'unknown key "locations"',
        '"location"',
        "locations",
    ),
    _one(
        "unknown key of a contact",
        "match = [",
        "matches = []\nmatch = [",
        'unknown key "matches"',
        '"match"',
        "matches",
    ),
    _one(
        "unknown key of a field",
        'codec = "bool"',
        'codex = "bool"',
        'unknown key "codex"',
        '"codec"',
        "codex",
    ),
    Broken(
        "unknown key of a filter",
        (("is = [", "are = ["),),
        (
            Expected("are =", 'unknown key "are"', "is, not"),
            Expected("exclude", 'exactly one of "is" and "not"', "Write {"),
        ),
    ),
    Broken(
        "unknown key in three places",
        (
            ("[task.fields]", "[tasks.fields]"),
            ("region =", "regoin ="),
            ("modified_at =", "modifed ="),
            (', conflict = "newest"', ""),
        ),
        (
            Expected("[tasks.fields]", 'unknown key "tasks"', '"task"'),
            Expected("regoin", 'unknown key "regoin"', '"region"'),
            Expected("modifed", 'unknown key "modifed"', '"modified_at"'),
            Expected("[app.task]", "there is no [task.fields]", "Add [task.fields]"),
        ),
    ),
    _one(
        "pair missing", 'pair = "acme"\n', "", '"pair" is missing', 'Add "pair"', 'store = "state"'
    ),
    _one(
        "pair with a space",
        'pair = "acme"',
        'pair = "ac me"',
        'pair is "ac me"',
        "a name of letters",
    ),
    _one(
        "pair a number",
        'pair = "acme"',
        "pair = 7",
        "the number 7, expected text",
        "Write text in quotes",
    ),
    _one(
        "table missing",
        'table = "people"\n',
        "",
        '"table" is missing in [app.contact]',
        'Add "table"',
        "[app.contact]",
    ),
    _one(
        "location missing",
        'location = "ve9EPM428h8vShlRW1KT"\n',
        "",
        '"location" is missing',
        "Add",
        "[ghl]",
    ),
    _one(
        "url missing",
        'url = "sqlite:///app.db"\n',
        "",
        '"url" is missing in [app]',
        "Add",
        "[app]\n",
    ),
    _one(
        "connector unknown",
        'connector = "sql"',
        'connector = "sqll"',
        '"sqll"',
        'Did you mean "sql"?',
    ),
    _one(
        "wrong type of live",
        "[ghl]\n",
        '[ghl]\nlive = "yes"\n',
        '"yes", expected true or false',
        "Write true or false",
        "live =",
    ),
    _one(
        "number out of range",
        "[ghl]\n",
        "[ghl]\npage_size = 900\n",
        "less than or equal to 500",
        "500",
        "page_size",
    ),
    _one(
        "create unknown",
        "match = [",
        'create = "ghll"\nmatch = [',
        "expected one of both, app, ghl, none",
        '"ghl"',
        "ghll",
    ),
    _one(
        "delete unknown",
        "match = [",
        'delete = { app = "hodl" }\nmatch = [',
        "expected one of hold",
        '"hold"',
        "hodl",
    ),
    _one(
        "GHL has no archive",
        "match = [",
        'delete = { ghl = "archive" }\nmatch = [',
        "GHL has no archive",
        "mirror",
        "archive",
    ),
    _one(
        "codec unknown",
        'codec = "bool"',
        'codec = "boolean"',
        '"boolean", expected one of text',
        'Did you mean "bool"',
        "boolean",
    ),
    _one(
        "flow unknown",
        'constant = "acme"',
        'constant = "acme", flow = "to-ghl"',
        '"to-ghl"',
        "app->ghl",
        "to-ghl",
    ),
    _one(
        "conflict unknown",
        'conflict = "newest"',
        'conflict = "newer"',
        '"newer"',
        '"newest"',
        "newer",
    ),
    Broken(
        "dotted name without quotes",
        (('zip = "postalCode"', 'zip.long = "postalCode"'),),
        (
            Expected("zip.long", 'unknown key "long"', 'needs quotes: "zip.long"'),
            Expected("zip.long", "there is no GHL field", "Add ghl"),
        ),
    ),
    _one(
        "GHL field unknown",
        '"firstName"',
        '"firstname"',
        'no field "firstname"',
        'Did you mean "firstName"',
    ),
    _one(
        "GHL field unknown in a table",
        'ghl = "completed"',
        'ghl = "complete"',
        'no field "complete"',
        '"completed"',
        "complete",
    ),
    _one(
        "variable not set",
        "env:GHL_TOKEN",
        "env:GHL_TOKN",
        "GHL_TOKN is not set",
        "export GHL_TOKN",
        "GHL_TOKN",
    ),
    _one(
        "variable empty",
        "env:GHL_TOKEN",
        "env:EMPTY",
        "EMPTY is empty",
        "export EMPTY",
        "env:EMPTY",
    ),
    _one(
        "secret file missing",
        "env:GHL_TOKEN",
        "file:no/such",
        "no/such cannot be read",
        "Put the secret there",
        "no/such",
    ),
    _one(
        "token in the file",
        '"env:GHL_TOKEN"',
        '"pit-plain-token"',
        "token stands in the file itself",
        "env:NAME",
        "token =",
    ),
    _one(
        "no credentials",
        'token = "env:GHL_TOKEN"\n',
        "",
        "neither a token nor oauth",
        "env:GHL_TOKEN",
        "[ghl]\n",
    ),
    _one(
        "url is no address",
        "https://services",
        "htps://services",
        "is not a web address",
        "https://",
        "htps",
    ),
    _one(
        "url that is cut off",
        "https://services.leadconnectorhq.com",
        "https://[::1",
        "is not a web address",
        "https://",
        "[::1",
    ),
    _one(
        "ledger with a word for its port",
        'store = "state"',
        'store = "state"\nledger = "postgresql://u@h:port/db"',
        "ledger is not a database URL",
        "a number for the port",
        "ledger =",
    ),
    _one(
        "store of nobody",
        '"state"',
        '"~nosuchuser/x"',
        "store names no file or folder",
        "Write a path",
        "store =",
    ),
    _one(
        "store without a name",
        '"state"',
        '""',
        "store names no file or folder",
        "Write a path",
        "store =",
    ),
    _one(
        "store with a NUL",
        '"state"',
        r'"a\u0000b"',
        "store names no file or folder",
        "Write a path",
        "store =",
    ),
    _one(
        "database of nobody",
        "sqlite:///app.db",
        "sqlite:///~nosuchuser/x.db",
        "url names no file or folder",
        "Write a path",
        "sqlite",
    ),
    _one(
        "token of nobody",
        "env:GHL_TOKEN",
        "file:~nosuchuser/t",
        "cannot be read",
        "Put the secret there",
        "token =",
    ),
    _one(
        "token unencrypted",
        "https://services",
        "http://services",
        "unencrypted",
        "https://",
        "http://services",
    ),
    _one(
        "not a database",
        "sqlite:///app.db",
        "app.db",
        "is not a database URL",
        "sqlite:///app.db",
        '"app.db"',
    ),
    _one(
        "newest without a time",
        'modified_at = "updated_at"\n',
        "",
        '"newest" needs to know',
        "modified_at",
        "conflict =",
    ),
    _one(
        "newest on notes",
        'text = "body"',
        'text = { ghl = "body", conflict = "newest" }',
        "when GHL changed a note",
        "hold, app or ghl",
    ),
    _one(
        "union of one value",
        'conflict = "newest"',
        'conflict = "union"',
        '"union" needs a set',
        "hold, app, ghl",
        "union",
    ),
    _one(
        "two write one GHL field",
        "vip = {",
        'nick = "firstName"\nvip = {',
        'both write "firstName" in GHL',
        "Keep one",
        "nick",
    ),
    _one(
        "two write one column",
        "vip = {",
        'home = { app = "phone", ghl = "address1" }\nvip = {',
        'both write "phone" in the app',
        "app->ghl",
        "home",
    ),
    _one(
        "match unmapped",
        '"email", "phone", [',
        '"mail", "phone", [',
        '"mail" is not a field',
        'Did you mean "email"',
        '"mail"',
    ),
    _one(
        "match by tags",
        '"email", "phone", [',
        '"tags", "phone", [',
        "tags do not tell",
        "another field",
        '"tags", "phone"',
    ),
    _one(
        "match by nothing", '"email", "phone", [', "[], [", "an empty rule", "Name a field", "[], ["
    ),
    _one(
        "no match at all",
        'match = ["email", "phone", ["last_name", "zip"]]',
        "match = []",
        "no match rule",
        "tell records apart",
    ),
    _one(
        "filter unmapped",
        'field = "email"',
        'field = "mail"',
        '"mail" is not a field',
        '"email"',
        '"mail"',
    ),
    _one(
        "filter without values",
        ', is = [""]',
        "",
        'exactly one of "is" and "not"',
        "Write {",
        "exclude",
    ),
    _one(
        "constant the wrong way",
        'constant = "acme"',
        'constant = "acme", flow = "ghl->app"',
        "cannot flow",
        'flow = "app->ghl"',
        "ghl->app",
    ),
    _one(
        "consent of no channel",
        'born = "dateOfBirth"',
        'no_mail = { ghl = "dnd", flow = "ghl->app" }',
        "often false where a person said no to a channel",
        'no_mail = { ghl = "dnd.sms", true_says = "denied" }',
        "dnd",
    ),
    _one(
        "consent without a direction",
        'born = "dateOfBirth"',
        'sms_opt_in = "dnd.sms"',
        "nothing says whether the app's true is a yes or a no",
        'true_says = "allowed"',
        "dnd.sms",
    ),
    _one(
        "consent by the newest",
        'born = "dateOfBirth"',
        'no_mail = { ghl = "dnd.email", true_says = "denied", conflict = "newest" }',
        "a yes of one side would lift a no of the other",
        "a no of either side wins",
        "dnd.email",
    ),
    _one(
        "consent as text",
        'born = "dateOfBirth"',
        'no_mail = { ghl = "dnd.email", codec = "bool" }',
        'the codec "bool" knows neither',
        'codec = "consent"',
        "codec",
    ),
    _one(
        "consent by strange words",
        'born = "dateOfBirth"',
        'mail = { ghl = "dnd.email", choices = { sure = "true" } }',
        'allowed or denied, never "true"',
        'Write "allowed" or "denied"',
        "choices",
    ),
    _one(
        "consent that a blank clears",
        'born = "dateOfBirth"',
        'mail = { ghl = "dnd.email", true_says = "allowed", blank = "clear" }',
        "a blank is no yes",
        "away",
        "blank",
    ),
    _one(
        "consent by two directions",
        'born = "dateOfBirth"',
        'mail = { ghl = "dnd.email", true_says = "allowed", choices = { sure = "allowed" } }',
        "the choices say it already",
        "away",
        "true_says",
    ),
    _one(
        "opting in to what is no consent",
        'born = "dateOfBirth"',
        'born = { ghl = "dateOfBirth", opt_in = "travels" }',
        "it is no consent",
        "away",
        "opt_in",
    ),
    _one(
        "restricting what is no consent",
        'born = "dateOfBirth"',
        'born = { ghl = "dateOfBirth", conflict = "restrict" }',
        "it is of consents alone",
        "hold, app, ghl or newest",
        'conflict = "restrict"',
    ),
    _one(
        "the codec of consents elsewhere",
        'born = "dateOfBirth"',
        'born = { ghl = "dateOfBirth", codec = "consent", true_says = "allowed" }',
        "the codec is of GHL's consents alone",
        "dnd.sms",
        "codec",
    ),
    _one(
        "create_only without a constant",
        'born = "dateOfBirth"',
        'born = { ghl = "dateOfBirth", create_only = true }',
        "it is of constants alone",
        "away",
        "create_only",
    ),
    _one(
        "drift of what is not compared",
        'constant = "acme"',
        'constant = "acme", create_only = true, drift = "leave"',
        "not looked at again",
        'Take "drift" away',
        "drift",
    ),
    _one(
        "constant on both sides",
        'constant = "acme"',
        'constant = "acme", app = "src"',
        "exactly one side",
        "not both",
        "src",
    ),
    _one(
        "constant of a wrong kind",
        'constant = "acme"',
        'constant = "x", codec = "date"',
        'the constant "x" is not a date',
        "date",
        '"x"',
    ),
    _one(
        "fallback of a wrong kind",
        "fallback = false",
        'fallback = "perhaps"',
        "neither yes nor no",
        "fits the codec",
        "perhaps",
    ),
    _one(
        "drift of a two-way field",
        "fallback = false",
        'drift = "leave"',
        "has no drift",
        "one-way",
        "drift",
    ),
    _one(
        "conflict of a one-way field",
        "fallback = false",
        'flow = "app->ghl", conflict = "app"',
        "has no conflicts",
        "away",
        'conflict = "app"',
    ),
    _one(
        "choice without choices",
        'codec = "bool", fallback = false',
        'codec = "choice"',
        "needs its choices",
        "choices =",
        "choice",
    ),
    _one(
        "choices of another codec",
        'codec = "bool"',
        'codec = "bool", choices = { a = "b" }',
        "mean nothing",
        'codec = "choice"',
        "choices = { a",
    ),
    _one(
        "split of a text",
        "fallback = false",
        'app = ["a", "b"]',
        "cannot be split",
        'codec = "name"',
        '"a", "b"',
    ),
    _one(
        "read-only GHL field",
        'born = "dateOfBirth"',
        'born = "dateAdded"',
        'does not let "dateAdded"',
        "ghl->app",
    ),
    _one("field without GHL", 'born = "dateOfBirth"', "born = {}", "no GHL field", "Add ghl"),
    _one(
        "tags by another name",
        'tags = "tags"\nsource',
        'tags = "website"\nsource',
        "is kept for GHL's tags",
        "another name",
        '"website"',
    ),
    _one(
        "tags nowhere",
        'tags = { column = "tags", form = "json" }\n',
        "",
        "does not say where",
        "join table",
        "[app.contact]",
    ),
    _one(
        "join table unnamed",
        '{ column = "tags", form = "json" }',
        '{ table = "labels" }',
        "columns are not named",
        "contact =",
        "labels",
    ),
    _one(
        "task without parent",
        'table = "todos"\nparent = "person_id"',
        'table = "todos"',
        'no "parent"',
        "Add parent",
        "[app.task]",
    ),
    _one(
        "task mapped, not declared",
        '[app.task]\ntable = "todos"\nparent = "person_id"\n',
        "",
        "no [app.task]",
        "Add [app.task]",
        "[task.fields]",
    ),
    _one(
        "task without title",
        'title = "title"\n',
        "",
        "nothing for title",
        "Map it",
        "[task.fields]",
    ),
    _one("region unknown", 'region = "US"', 'region = "XX"', '"XX" is not a country', "Use one of"),
    _one("region in words", 'region = "US"', 'region = "America"', "two capital letters", '"US"'),
    _one(
        "time zone unknown",
        'region = "US"',
        'region = "US"\ntimezone = "Mars/Base"',
        "not a time zone",
        "America/New_York",
    ),
    _one(
        "remote store, no ledger",
        'store = "state"',
        'store = "s3://bucket/acme"',
        "cannot hold the ledger",
        "LEDGER_URL",
    ),
    _one(
        "verify unknown",
        "[contact]\n",
        '[verify]\nmode = "wrote"\n[contact]\n',
        "expected one of full",
        '"written"',
        "wrote",
    ),
    _one(
        "limit unknown",
        "[contact]\n",
        "[limits]\nmax_delete = 3\n[contact]\n",
        'unknown key "max_delete" in [limits]',
        '"max_deletes"',
        "max_delete =",
    ),
    _one(
        "limit of a wrong type",
        "[contact]\n",
        '[limits]\nmax_deletes = "3"\n[contact]\n',
        '"3", expected a whole number',
        "Write a whole",
        "max_deletes",
    ),
    _one(
        "limit out of range",
        "[contact]\n",
        "[limits]\nmax_delete_share = 20\n[contact]\n",
        "less than or equal to 1",
        "less than",
        "max_delete_share",
    ),
    _one(
        "flapping at the first time",
        "[contact]\n",
        "[limits]\nflapping = 1\n[contact]\n",
        "the number 1, expected 0 (never asks) or at least 2",
        "at least 2",
        "flapping = 1",
    ),
    _one(
        "the app's own mark of a deleted record as a field that GHL may write",
        'modified_at = "updated_at"',
        'modified_at = "updated_at"\ndeleted = "zip"',
        '"zip" is the deleted of [app.contact], which is not written',
        'flow = "app->ghl"',
        'zip = "postalCode"',
    ),
    Broken(
        "the key as a field that GHL may write",
        (('source = { ghl = "source", constant = "acme" }', 'id = { ghl = "source" }'),),
        (
            Expected(
                "id = {",
                '"id" is the key of [app.contact], which is not written',
                'flow = "app->ghl"',
            ),
        ),
    ),
    _one(
        "a word for what is true or false",
        "done = true",
        'done = "banana"',
        "\"completed\" is true or false in GHL, never 'banana'",
        "Use true and false",
        "status =",
    ),
    _one(
        "a set for what holds one value",
        'zip = "postalCode"',
        'zip = { ghl = "postalCode", codec = "set" }',
        '"postalCode" holds one text in GHL, no set',
        "another codec",
    ),
    _one(
        "a rule over no values",
        'is = [""]',
        "not = []",
        "exclude: email has an empty list",
        "Name the values",
        "exclude =",
    ),
    _one(
        "not TOML", 'pair = "acme"', 'pair = "acme', "this is not TOML", "Check this line", "pair ="
    ),
    _one(
        "a key twice",
        'store = "state"',
        'store = "state"\nstore = "other"',
        "this is not TOML",
        "only once",
        '"other"',
    ),
    Broken(
        "many things at once",
        (
            ('pair = "acme"', "pair = 7"),
            ('table = "people"', 'tabel = "people"'),
            ("env:GHL_TOKEN", "env:NOT_THERE"),
            ('"email", "phone", [', '"mail", "phone", ['),
            ('"lastName"', '"lastname"'),
            ("fallback = false", 'fallback = "perhaps"'),
            ("[note.fields]\n", '[note.fields]\n"strange key" = { ghl = "body", codec = "htm" }\n'),
        ),
        (
            Expected("pair = 7", "expected text", "Write text"),
            Expected("[app.contact]", '"table" is missing', "Add"),
            Expected("tabel", 'unknown key "tabel"', '"table"'),
            Expected("NOT_THERE", "NOT_THERE is not set", "export"),
            Expected('"mail"', '"mail" is not a field', '"email"'),
            Expected("lastname", 'no field "lastname"', '"lastName"'),
            Expected("perhaps", "neither yes nor no", "fits"),
            Expected("strange key", '"htm", expected one of', '"html"'),
            Expected('text = "body"', 'both write "body" in GHL', "Keep one"),
        ),
    ),
]
