"""The pair file: what it means, and what is said where it is wrong."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from connectors.files.settings import FileSettings
from connectors.ghl import GhlSettings
from connectors.rest.settings import AuthSettings, EndpointSettings, PagerSettings, RestSettings
from connectors.sql.settings import SqlSettings, TableSettings
from flows.config import Pair, load, require_live, schema
from flows.config.derive import settings_of
from flows.config.form import CodecName
from flows.config.lines import key_lines, line_of
from flows.config.schema import schema_text
from flows.config.sides import GhlForm, SqlForm, TableForm
from reconcile.errors import ConfigError, Refused
from reconcile.model import Entity, Side
from reconcile.values.codecs import (
    CODECS,
    Bool,
    Choice,
    Consent,
    Date,
    Email,
    Instant,
    Labels,
    Name,
    Phone,
    RichText,
    Text,
)
from reconcile.values.mapping import Field, Filter
from reconcile.values.policy import TAGS, Flow, OnConflict, OnCreate, OnDelete, Rule
from tests.flows.broken import BROKEN, GOOD, Broken, edited

SECRET = "pit-0123456789-secret"
ENVIRON = {"GHL_TOKEN": SECRET, "EMPTY": " ", "DB": "postgresql://me:hunter2@db.example/app"}


def _load(tmp_path: Path, text: str = GOOD, **environ: str) -> Pair:
    file = tmp_path / "acme.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ=ENVIRON | environ)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_broken_pair_file(broken: Broken, tmp_path: Path) -> None:
    """A broken pair file is told all that is wrong with it at once: the file, the line, what it is and what to do."""
    text = edited(*broken.edits)
    with pytest.raises(ConfigError) as raised:
        _load(tmp_path, text)
    problems = list(raised.value.problems)
    for expected in broken.expected:
        line = text[: text.index(expected.line)].count("\n") + 1
        hit = [p for p in problems if p.where == f"acme.toml:{line}" and expected.what in p.what]
        assert len(hit) == 1, f"{expected} at line {line} not among:\n{raised.value}"
        assert expected.remedy in hit[0].remedy
        problems.remove(hit[0])
    assert not problems, f"more than was wrong:\n{raised.value}"
    assert SECRET not in str(raised.value)


def test_short_form_takes_the_codec_of_the_ghl_field(tmp_path: Path) -> None:
    """A line `column = "ghlField"` gets the codec that fits the GHL field, and the pair's region and time zone."""
    mapping = _load(tmp_path).mapping
    contact = {field.name: field.codec for field in mapping[Entity.CONTACT].fields}
    assert contact["first_name"] == Name()
    assert contact["zip"] == Text()
    assert contact["email"] == Email()
    assert contact["phone"] == Phone(region="US")
    assert contact["born"] == Date()
    assert contact["tags"] == Labels()
    assert contact["vip"] == Bool()
    task = {field.name: field.codec for field in mapping[Entity.TASK].fields}
    assert task["due"] == Instant()
    assert task["status"] == Choice(table={"open": "false", "waiting": "false", "done": "true"})
    assert mapping[Entity.NOTE].field("text").codec == RichText()


def test_long_form_says_everything_else(tmp_path: Path) -> None:
    """Rules, constants, fallbacks and filters arrive in the mapping in canonical form."""
    contact = _load(tmp_path).mapping[Entity.CONTACT]
    assert contact.field("email").rule.conflict is OnConflict.NEWEST
    assert contact.field("tags").rule == TAGS
    assert contact.field("vip").fallback == "false"
    source = contact.field("source")
    assert (source.app, source.ghl, source.constant, source.rule.flow) == (
        (),
        ("source",),
        "acme",
        Flow.TO_GHL,
    )
    assert contact.exclude == (Filter("email", (None,)),)
    assert contact.match == (("email",), ("phone",), ("last_name", "zip"))
    assert contact.create is OnCreate.BOTH
    assert contact.delete == {Side.APP: OnDelete.HOLD, Side.GHL: OnDelete.HOLD}


def test_a_consent_restricts_unless_the_pair_file_lets_a_yes_travel(tmp_path: Path) -> None:
    """A channel flows both ways and a no wins; `true_says` and `choices` say which word is the no, `opt_in` lets a yes travel."""

    def made(line: str) -> Field:
        pair = _load(tmp_path, edited(('born = "dateOfBirth"', f"mail = {line}")))
        return pair.mapping[Entity.CONTACT].field("mail")

    plain = made('{ ghl = "dnd.email", true_says = "denied" }')
    assert plain.rule == Rule(conflict=OnConflict.RESTRICT)
    assert plain.codec == Consent(table={"true": "denied", "false": "allowed"})
    worded = made('{ ghl = "dnd.email", choices = { on = "allowed", off = "denied" } }')
    assert worded.codec.encode("denied", Side.APP, 1) == ("off",)
    assert worded.codec.encode("denied", Side.GHL, 1) == ("active",)
    unasked = made(
        '{ ghl = "dnd.email", choices = { on = "allowed", off = "denied", new = "" } }'
    ).codec
    assert unasked.fault(unasked.decode(["new"], Side.APP)) is None
    assert unasked.decode(["new"], Side.APP) is None
    assert unasked.encode(None, Side.APP, 1) == ("new",)
    assert worded.codec.encode(None, Side.APP, 1) == (None,)
    travels = made('{ ghl = "dnd.email", true_says = "allowed", opt_in = "travels" }')
    assert travels.rule == Rule(conflict=OnConflict.RESTRICT, opt_in=True)


def test_secondary_addresses_count_when_matching(tmp_path: Path) -> None:
    """GHL's additional emails and phones are read beside the mapped ones without being asked for."""
    contact = _load(tmp_path).mapping[Entity.CONTACT]
    assert contact.field("email").also == {Side.GHL: ("additionalEmails",)}
    assert contact.field("phone").also == {Side.GHL: ("additionalPhones",)}


def test_match_rules_have_defaults(tmp_path: Path) -> None:
    """Without rules contacts are matched by email, then phone, tasks by title and due date, notes by their text."""
    mapping = _load(
        tmp_path, edited(('match = ["email", "phone", ["last_name", "zip"]]\n', ""))
    ).mapping
    assert mapping[Entity.CONTACT].match == (("email",), ("phone",))
    assert mapping[Entity.TASK].match == (("title", "due"),)
    assert mapping[Entity.NOTE].match == (("text",),)


def test_tags_have_one_name_whatever_the_column_is_called(tmp_path: Path) -> None:
    """A line that maps GHL's tags is the field `tags` on both sides; match rules may use the name in the file."""
    text = edited(
        ('column = "tags"', 'column = "labels"'),
        ('tags = "tags"\nsource', 'labels = "tags"\nsource'),
    )
    field = _load(tmp_path, text).mapping[Entity.CONTACT].field("tags")
    assert (field.app, field.ghl) == (("tags",), ("tags",))


def test_name_over_two_fields(tmp_path: Path) -> None:
    """One column may be joined from GHL's first and last name."""
    text = edited(
        (
            'first_name = "firstName"\nlast_name = "lastName"',
            'full_name = ["firstName", "lastName"]',
        ),
        (', ["last_name", "zip"]', ""),
    )
    field = _load(tmp_path, text).mapping[Entity.CONTACT].field("full_name")
    assert (field.app, field.ghl, field.codec) == (
        ("full_name",),
        ("firstName", "lastName"),
        Name(),
    )


def test_paths_are_relative_to_the_pair_file(tmp_path: Path) -> None:
    """The store, the ledger and SQLite files lie beside the pair file wherever the command is started."""
    pair = _load(tmp_path)
    assert pair.store == str(tmp_path / "state")
    assert pair.ledger_url.get_secret_value() == f"sqlite:///{tmp_path}/state/ledger.db"
    assert pair.app.url.get_secret_value() == f"sqlite:///{tmp_path}/app.db"  # type: ignore[union-attr]


def test_ledger_on_a_server(tmp_path: Path) -> None:
    """A ledger's URL needs no driver's name: the one that comes with the product is taken."""
    pair = _load(
        tmp_path, 'ledger = "env:LEDGER"\n' + GOOD, LEDGER="postgresql://me:x@db.example/ledger"
    )
    assert pair.ledger_url.get_secret_value() == "postgresql+psycopg://me:x@db.example/ledger"


def test_secrets_never_show(tmp_path: Path) -> None:
    """Neither a token nor a database password is in the repr of a pair."""
    pair = _load(tmp_path, edited(("sqlite:///app.db", "env:DB")))
    assert pair.ghl.token is not None
    assert pair.ghl.token.get_secret_value() == SECRET
    assert SECRET not in repr(pair)
    assert "hunter2" not in repr(pair)


def test_no_text_but_a_secret_comes_from_the_environment(tmp_path: Path) -> None:
    """The location and the host are printed, sent and kept: no variable is looked up for them, be it set or not."""
    text = edited(
        ("ve9EPM428h8vShlRW1KT", "env:LOCATION"),
        ("https://services.leadconnectorhq.com", "env:HOST"),
    )
    with pytest.raises(ConfigError) as raised:
        _load(tmp_path, text, LOCATION="loc9")
    said = [problem.what.partition(",")[0] for problem in raised.value.problems]
    assert sorted(said) == ["[ghl] location is env:LOCATION", "[ghl] url is env:HOST"]


def test_secret_from_a_file(tmp_path: Path) -> None:
    """`file:PATH` takes the text of a file beside the pair file."""
    (tmp_path / "token").write_text("pit-from-file\n")
    (tmp_path / "token").chmod(0o600)
    pair = _load(tmp_path, edited(("env:GHL_TOKEN", "file:token")))
    assert pair.ghl.token is not None
    assert pair.ghl.token.get_secret_value() == "pit-from-file"


@pytest.mark.parametrize(
    "edit",
    [
        ('"firstName"', '"name"'),
        ('conflict = "newest"', 'conflict = "app"'),
        ('table = "people"', 'table = "persons"'),
        ('region = "US"', 'region = "GB"'),
        ("ve9EPM428h8vShlRW1KT", "other"),
        ("sqlite:///app.db", "sqlite:///other.db"),
        ("waiting = false", "waiting = true"),
        ("fallback = false", "required = true"),
        ('is = [""]', 'is = ["a@b.example"]'),
        ('constant = "acme"', 'constant = "ACME"'),
        ('match = ["email", "phone", ', 'match = ["phone", "email", '),
    ],
    ids=str,
)
def test_digest_changes_with_what_changes_a_plan(edit: tuple[str, str], tmp_path: Path) -> None:
    """Whatever may change a plan changes the configuration's digest."""
    assert _load(tmp_path, edited(edit)).config_digest != _load(tmp_path).config_digest


@pytest.mark.parametrize(
    "edit",
    [
        ('pair = "acme"', '# a comment\npair = "acme"'),
        ("[ghl]\n", "[ghl]\nlive = true\n"),
        ("[contact]\n", '[verify]\nmode = "full"\n[contact]\n'),
        ('text = "body"', 'text = { ghl = "body" }'),
    ],
    ids=str,
)
def test_digest_stays_with_what_does_not(edit: tuple[str, str], tmp_path: Path) -> None:
    """What cannot change a plan leaves the configuration's digest alone."""
    assert _load(tmp_path, edited(edit)).config_digest == _load(tmp_path).config_digest


def test_digest_does_not_depend_on_secrets(tmp_path: Path) -> None:
    """A rotated token or password leaves the configuration's digest alone."""
    text = edited(("sqlite:///app.db", "env:DB"))
    before = _load(tmp_path, text)
    after = _load(
        tmp_path, text, GHL_TOKEN="pit-other", DB="postgresql://you:rotated@db.example/app"
    )
    assert before.config_digest == after.config_digest


def test_writes_need_live(tmp_path: Path) -> None:
    """A host that is not this machine is written to only where the pair file says live = true."""
    with pytest.raises(Refused, match="does not allow writes to services"):
        require_live(_load(tmp_path))
    require_live(_load(tmp_path, edited(("[ghl]\n", "[ghl]\nlive = true\n"))))
    require_live(
        _load(tmp_path, edited(("https://services.leadconnectorhq.com", "http://127.0.0.1:8080")))
    )
    require_live(
        _load(tmp_path, edited(("https://services.leadconnectorhq.com", "sandbox:ghl.db")))
    )


def test_sandbox_needs_no_token(tmp_path: Path) -> None:
    """A sandbox pair works without credentials, from a file beside the pair file."""
    text = edited(
        ("https://services.leadconnectorhq.com", "sandbox:ghl.db"),
        ('token = "env:GHL_TOKEN"\n', ""),
    )
    assert _load(tmp_path, text).ghl.url == f"sandbox:{tmp_path}/ghl.db"


def test_phones_take_the_country_of_the_location(tmp_path: Path) -> None:
    """Where the pair file names no country, the location's holds; where it names one, that stays."""
    pair = _load(tmp_path, edited(('region = "US"\n', "")))
    assert pair.mapping[Entity.CONTACT].field("phone").codec == Phone(region=None)
    assert pair.located("GB")[Entity.CONTACT].field("phone").codec == Phone(region="GB")
    assert _load(tmp_path).located("GB")[Entity.CONTACT].field("phone").codec == Phone(region="US")


REST = """\
pair = "acme"
[app]
connector = "rest"
url = "https://api.example"
requests = 5
auth = { kind = "client_credentials", client_id = "acme", client_secret = "env:APP_SECRET", token_url = "/token" }
pager = { kind = "cursor", param = "after", next = "next" }
[app.contact]
path = "/people"
items = "data"
modified_at = "meta.changed"
missing = ["gone"]
pager = { kind = "none" }
[ghl]
url = "sandbox:ghl.db"
location = "loc1"
[contact.fields]
"name.first" = "firstName"
email = { ghl = "email", conflict = "newest" }
"""


def test_json_api(tmp_path: Path) -> None:
    """A JSON API is declared with the very fields of its connector's settings; its secrets are references too."""
    pair = _load(tmp_path, REST, APP_SECRET="hush")
    assert "hush" not in repr(pair)
    assert pair.mapping[Entity.CONTACT].native(Side.APP) == ("name.first", "email")
    endpoint = settings_of(pair.app.contact, EndpointSettings)  # type: ignore[arg-type, union-attr]
    assert endpoint == EndpointSettings(
        "/people",
        items="data",
        modified_at="meta.changed",
        missing=("gone",),
        pager=PagerSettings("none"),
    )
    told = settings_of(pair.app, RestSettings, entities={Entity.CONTACT: endpoint})  # type: ignore[arg-type]
    assert told.requests == 5
    assert told.concurrency == RestSettings("", {}).concurrency
    assert told.pager == PagerSettings("cursor", param="after", next="next")
    assert told.auth == AuthSettings(
        "client_credentials", client_id="acme", client_secret="hush", token_url="/token"
    )


def test_json_api_with_mistakes(tmp_path: Path) -> None:
    """Mistakes in a JSON API's part are found like all others."""
    text = (
        REST.replace('param = "after"', 'parm = "after"')
        .replace('"none"', '"nothing"')
        .replace("requests = 5", 'requests = "5"')
    )
    with pytest.raises(ConfigError) as raised:
        _load(tmp_path, text)
    assert [problem.where for problem in raised.value.problems] == [
        "acme.toml:5",
        "acme.toml:6",
        "acme.toml:7",
        "acme.toml:13",
    ]
    assert 'Did you mean "param"?' in str(raised.value)
    assert "APP_SECRET is not set" in str(raised.value)


FILES = """\
pair = "acme"
[app]
connector = "csv"
backups = 5
[app.contact]
path = "people.csv"
key = "nr"
delimiter = ";"
[ghl]
url = "sandbox:ghl.db"
location = "loc1"
[contact.fields]
email = "email"
"""


@pytest.mark.parametrize(
    ("before", "after", "side", "entity"),
    [
        ('email = "email"', 'email = { ghl = "email", conflict = "newest" }', "the app", "contact"),
        (
            "[contact.fields]",
            '[note.fields]\nsaid = { ghl = "body", conflict = "newest" }\n[contact.fields]',
            "GHL",
            "note",
        ),
    ],
)
def test_d5_newest_is_refused_where_a_side_does_not_say_when_it_changed(
    tmp_path: Path, before: str, after: str, side: str, entity: str
) -> None:
    """A pair file that would have to guess which of two edits came last is refused when it is read, on either side."""
    with pytest.raises(ConfigError, match=f'"newest" needs to know when {side} changed a {entity}'):
        _load(tmp_path, FILES.replace(before, after))


def test_files(tmp_path: Path) -> None:
    """Files are declared with the very fields of their connector's settings; a time of change is asked for like anywhere."""
    pair = _load(tmp_path, FILES)
    assert settings_of(pair.app.contact, FileSettings) == FileSettings(
        "people.csv", key="nr", delimiter=";"
    )  # type: ignore[arg-type, union-attr]
    with pytest.raises(ConfigError, match='"newest" needs to know when the app changed'):
        _load(
            tmp_path,
            FILES.replace('email = "email"', 'email = { ghl = "email", conflict = "newest" }'),
        )
    with pytest.raises(ConfigError, match='Did you mean "delimiter"'):
        _load(tmp_path, FILES.replace("delimiter =", "delimitr ="))


def test_missing_file(tmp_path: Path) -> None:
    """A pair file that is not there is named, with the command that makes one."""
    with pytest.raises(ConfigError, match="cannot be read") as raised:
        load(tmp_path / "nowhere.toml", environ={})
    assert "init" in raised.value.problems[0].remedy


def test_other_encodings(tmp_path: Path) -> None:
    """A byte that is not UTF-8 is found by its line; a byte order mark is no harm."""
    file = tmp_path / "acme.toml"
    file.write_bytes(b'pair = "x"\nstore = "caf\xe9"\n')
    with pytest.raises(ConfigError) as raised:
        load(file, environ={})
    assert raised.value.problems[0].where == "acme.toml:2"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load(file, environ=ENVIRON).name == "acme"


def test_every_codec_can_be_named() -> None:
    """The pair file knows exactly the codecs there are."""
    assert CodecName.__args__ == CODECS  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("form", "declared", "left"),
    [
        (SqlForm, SqlSettings, {"entities", "fields", "timezone"}),
        (TableForm, TableSettings, {"joins"}),  # each is a part of its own: `join.NAME`
        (
            GhlForm,
            GhlSettings,
            {
                "fields",
                "company_names",
                "task_sweeps",
                "business_batch",
                "user_agent",
                "connect_seconds",
                "read_seconds",
            },
        ),
    ],
)
def test_every_setting_of_a_connector_can_be_written(
    form: type[BaseModel], declared: type, left: set[str]
) -> None:
    """What a connector can be told stands in the pair file under the same name, but for what the pair itself knows."""
    assert {field.name for field in fields(declared)} - left <= set(form.model_fields)


def test_published_schema_is_current() -> None:
    """docs/pair.schema.json is what the form gives; `python -m flows.config` writes it anew."""
    published = Path(__file__).parents[2] / "docs" / "pair.schema.json"
    assert published.read_text(encoding="utf-8") == schema_text()


def test_brackets_without_end_are_no_defect(tmp_path: Path) -> None:
    """More brackets in brackets than Python's reader of TOML can follow."""
    path = tmp_path / "deep.toml"
    path.write_text(f"{GOOD}\nx = {'[' * 3000}{']' * 3000}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="too often"):
        load(path)


def test_schema_takes_the_good_file_and_refuses_a_broken_one() -> None:
    """An editor that knows the schema marks what `load` would refuse by its form, and nothing in a good file."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema())
    assert list(validator.iter_errors(tomllib.loads(GOOD))) == []
    broken = tomllib.loads(
        edited(('store = "state"', "stor = 1"), ('codec = "bool"', 'codec = "boolean"'))
    )
    assert {tuple(error.path) for error in validator.iter_errors(broken)} == {
        (),
        ("contact", "fields", "vip"),
    }
    assert json.loads(json.dumps(schema())) == schema()


TRICKY = '''\
a = 1 # first
b.c = "x # [not a table]"
"d e" = """
[not.a.table]
x = 1
"""
[t]
list = [
  1,
  { k = "v", "q}" = [2, 3] }, # a comment ]
  [4],
]
[[rows]]
n = 1
[rows.sub]
m = 2
[[rows]]
n = 3
[u.v]
'''


def test_lines_of_keys() -> None:
    """Every key is found on its line, whatever strings, comments, arrays and inline tables stand around it."""
    lines = key_lines(TRICKY)
    found = {path: lines[path] for path in lines}
    assert found == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 2,
        ("d e",): 3,
        ("t",): 7,
        ("t", "list"): 8,
        ("t", "list", 0): 9,
        ("t", "list", 1): 10,
        ("t", "list", 1, "k"): 10,
        ("t", "list", 1, "q}"): 10,
        ("t", "list", 1, "q}", 0): 10,
        ("t", "list", 1, "q}", 1): 10,
        ("t", "list", 2): 11,
        ("t", "list", 2, 0): 11,
        ("rows",): 13,
        ("rows", 0): 13,
        ("rows", 0, "n"): 14,
        ("rows", 0, "sub"): 15,
        ("rows", 0, "sub", "m"): 16,
        ("rows", 1): 17,
        ("rows", 1, "n"): 18,
        ("u",): 19,
        ("u", "v"): 19,
    }


@pytest.mark.parametrize("text", [GOOD, REST, TRICKY], ids=["good", "rest", "tricky"])
def test_every_key_of_a_document_has_a_line(text: str) -> None:
    """What `tomllib` reads and what the scanner finds are the same keys."""

    def paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
        items = (
            value.items()
            if isinstance(value, dict)
            else enumerate(value)
            if isinstance(value, list)
            else ()
        )
        for key, item in items:
            yield (*path, key)
            yield from paths(item, (*path, key))

    assert set(paths(tomllib.loads(text))) == set(key_lines(text))


def test_line_of_what_is_missing() -> None:
    """What stands nowhere gets the line of what stands nearest around it."""
    lines = key_lines(TRICKY)
    assert line_of(lines, ("t", "gone", "deeper")) == 7
    assert line_of(lines, ("gone",)) == 1


JUNK = (
    "5",
    "-1",
    "1.5",
    "true",
    '""',
    '"x"',
    "[]",
    '[""]',
    "[[]]",
    "{}",
    "2026-01-01",
    "nan",
    "{ a = 1 }",
    '[{ field = "email" }]',
    "'''\n'''",
    "",
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_file_makes_it_stumble(data: st.DataObject, tmp_path: Path) -> None:
    """Whatever values stand in a pair file, it is either accepted or told its problems with their lines; never a traceback."""
    lines = data.draw(st.sampled_from([GOOD, REST])).splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        key, equals, _value = lines[at].partition(" = ")
        junk = data.draw(st.sampled_from(JUNK))
        lines[at] = data.draw(
            st.sampled_from([f"{key}{equals}{junk}", "", f"{lines[at]} {junk}", f"x{lines[at]}"])
        )
    text = "\n".join(lines)
    try:
        _load(tmp_path, text, APP_SECRET="hush")
    except ConfigError as error:
        for problem in error.problems:
            file, _, line = problem.where.partition(":")
            assert file == "acme.toml"
            assert 1 <= int(line) <= len(text.splitlines()) + 1  # a value may have lines of its own
            assert problem.what
            assert problem.remedy


def test_a_setting_has_one_default() -> None:
    """What a pair file leaves unsaid is, of GHL's settings, what the connector takes for itself."""
    own = {one.name: one.default for one in fields(GhlSettings)}
    said = {name: one.default for name, one in GhlForm.model_fields.items() if name in own}
    said["business_ids"] = tuple(said["business_ids"])
    assert said == {name: own[name] for name in said} | {"location": said["location"]}
    assert len(said) > 10
