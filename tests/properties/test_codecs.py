"""Codecs are total and idempotent, come back from their own writing, and their SQL says what their Python says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.model import Cell, Side
from reconcile.ports import Json
from reconcile.stage.quoting import literal
from reconcile.values.codecs import CODECS, Codec, Email, Phone, codec_named, raw_text
from tests.properties.profiles import profile

TRY = profile(ci=(150, 1), soak=(5_000, 1))
CHOICES = {"open": "false", "waiting": "false", "done": "true"}
NASTY = [
    "",
    " ",
    "\t",
    "\u00a0x\u00a0",
    "\u200b",
    "\u0000",
    "null",
    "None",
    "[]",
    "{}",
    "[1,2]",
    '["a",null,"A"]',
    "[broken",
    "e\u0301",
    "\u00e9",
    "ﬁ",
    "İ",
    "ß",
    "\U0001f600",
    "a\r\nb",
    "<p>a &amp;lt; b</p>",
    "&amp;amp;",
    "<br>",
    "<script>x</script>",
    "a < b > c",
    "0",
    "-0",
    "00",
    "1e3",
    "1.50",
    ".5",
    "1_000",
    "1234567890123456789012345678901.50",
    "١٢",
    "NaN",
    "inf",
    "9" * 60,
    "+18885551212",
    "(888) 555-1212",
    "1-800-FLOWERS",
    "+44 (0)20 7946 0958",
    "+4402079460958",
    "00442079460958",
    "+49 30 123456 ext. 5",
    "+390236618300",
    "+541123456789",
    "112",
    "2024-02-29",
    "2023-02-29",
    "02/29/2024",
    "29.02.2024",
    "12.31.2024",
    "20240229",
    "20240229235959",
    "31122024",
    "1709164800",
    "-86400000",
    "86400000",
    "45000",
    "1709164800000",
    "-62135596800001",
    "0000-00-00",
    "2024-02-29T23:59:60Z",
    "2024-02-29T10:00:00.000Z",
    "2024-02-29T10:00:00+05:30",
    "2024-02-29 10:00",
    "9999-12-31T23:59:59-12:00",
    "Ann@X.COM",
    " ann@x.com ",
    "ann@x",
    "a@b@c.com",
    "ann+tag@sub.x.co.uk",
    "yes",
    "TRUE",
    "off",
    "waiting",
    "done",
    "true",
    "x" * 5_000,
]
compact = partial(json.dumps, separators=(",", ":"))
"""As DuckDB keeps a list that it read."""

TEXTS = st.one_of(
    st.sampled_from(NASTY),
    st.text(max_size=30),
    st.text(alphabet="+0123456789()- .", max_size=18),
    st.dates().map(str),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.integers(-(10**14), 10**14).map(str),
    st.lists(st.text(max_size=8), max_size=4).map(json.dumps),
    st.lists(st.text(alphabet="abAB019 ,;[]'\"\\", max_size=6), max_size=5).map(compact),
    st.emails(),
)
NAMED = st.sampled_from(CODECS)


def _codec(name: str) -> Codec:
    return codec_named(name, region="US", timezone="Europe/Berlin", choices=CHOICES)


@given(name=NAMED, text=TEXTS, side=st.sampled_from(list(Side)))
@TRY
def test_decoding_is_total_and_idempotent(name: str, text: str, side: Side) -> None:
    """Any text has a canonical form, which reads as itself: in GHL, or where it has a fault, where it stood; blank is None."""
    codec = _codec(name)
    cell = codec.decode([text], side)
    assert cell != ""
    assert codec.decode([cell], Side.GHL if codec.fault(cell) is None else side) == cell
    assert codec.decode([None], side) is None
    codec.fault(cell)


@pytest.mark.parametrize(
    ("text", "app", "ghl"),
    [
        ("19900501", "1990-05-01", "1990-05-01"),
        ("20260131235959", "2026-01-31", "2026-01-31"),
        ("31122024", None, None),
        ("20240230", None, None),
        ("1798761600", "2027-01-01", "1970-01-21"),
        ("1798761600000", "2027-01-01", "2027-01-01"),
        ("31536000000", "1971-01-01", "1971-01-01"),
        ("-63158400000", "1968-01-01", "1968-01-01"),
        ("0", None, "1970-01-01"),
        ("86400000", None, "1970-01-02"),
        ("-86400000", None, "1969-12-31"),
        ("345600000", "1980-12-14", "1970-01-05"),
        ("1990", None, None),
        ("45000", None, None),
        ("04.05.1990", "1990-05-04", "1990-05-04"),
        ("12.31.1990", None, None),
        ("04/05/1990", "1990-04-05", "1990-04-05"),
        ("1990.05.04", "1990-05-04", "1990-05-04"),
    ],
)
def test_digits_and_dots_mean_one_date_or_none(text: str, app: str | None, ghl: str | None) -> None:
    """Digits are read as the date that they spell or count; what may be anything has a fault, and stays as it is."""
    codec = codec_named("date")
    for side, wanted in ((Side.APP, app), (Side.GHL, ghl)):
        cell = codec.decode([text], side)
        assert (cell if codec.fault(cell) is None else None) == wanted
        assert wanted is not None or cell == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1798761600", "2027-01-01T00:00:00Z"),
        ("-345600000", "1959-01-19T00:00:00Z"),
        ("1798761600000", "2027-01-01T00:00:00Z"),
        ("20260131090000", "2026-01-31T08:00:00Z"),
        ("20260131", "2026-01-30T23:00:00Z"),
        ("20260131246000", None),
        ("31122024", None),
        ("45000", None),
    ],
)
def test_digits_mean_one_moment_or_none(text: str, wanted: str | None) -> None:
    """Digits are a moment in the zone of times without one, or seconds or milliseconds since 1970; few digits are a fault."""
    codec = _codec("instant")
    for side in Side:
        cell = codec.decode([text], side)
        assert (cell if codec.fault(cell) is None else None) == wanted


@pytest.mark.parametrize(
    "text", ["12345678901234567890123456789.5", "0." + "1234567890" * 4, "9" * 40 + "." + "9" * 40]
)
def test_a_number_keeps_every_digit(text: str) -> None:
    """However long a number is, no digit of it is rounded."""
    codec = codec_named("decimal")
    assert codec.decode([text], Side.APP) == text.rstrip("0")
    assert codec.encode(text, Side.GHL, 1) == (text,)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1.234,50", "1234.5"),
        ("1 234,5", "1234.5"),
        ("-0,5", "-0.5"),
        ("1.234", "1234"),
        ("12", "12"),
        ("1.50", None),
        ("1,234.5", None),
        ("12.34,5", None),
    ],
)
def test_a_decimal_comma_is_read_where_it_is_one(text: str, wanted: str | None) -> None:
    """Points between groups of three are thousands; a point that is none is a fault, never a guess; GHL's numbers have points."""
    codec = codec_named("decimal_comma")
    cell = codec.decode([text], Side.APP)
    assert (cell if codec.fault(cell) is None else None) == wanted
    assert codec.decode(["1234.5"], Side.GHL) == "1234.5"
    assert codec.encode("1234.5", Side.APP, 1) == ("1234,5",)
    assert codec.encode("1234.5", Side.GHL, 1) == (1234.5,)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@given(seconds=st.integers(0, 4_000_000_000))
@TRY
def test_a_date_and_a_time_apart_are_one_moment(zone: str, seconds: int) -> None:
    """Written into two fields in the zone of the app, a moment reads back as it was, but for the hour that clocks repeat."""
    codec = codec_named("instant", timezone=zone)
    moment = datetime.fromtimestamp(seconds, UTC)
    cell = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    local = moment.astimezone(ZoneInfo(zone))
    day, time = codec.encode(cell, Side.APP, 2)
    assert (day, str(time)[:5]) == (local.date().isoformat(), local.strftime("%H:%M"))
    back = codec.decode([str(day), str(time)], Side.APP)
    assert back == cell or local.fold
    assert codec.decode([str(day), None], Side.APP) is not None
    assert codec.encode(None, Side.APP, 2) == (None, None)


def test_zeros_that_a_spreadsheet_took_are_put_back() -> None:
    """A short code of digits gets its zeros on either side, another code stays as it is."""
    codec = codec_named("digits", digits=5)
    assert [codec.decode([text], Side.APP) for text in ("1067", "01067", "12207-1234", "SW1A")] == [
        "01067",
        "01067",
        "12207-1234",
        "SW1A",
    ]


@given(name=NAMED, text=TEXTS, side=st.sampled_from(list(Side)))
@TRY
def test_what_is_written_reads_back_as_it_was(name: str, text: str, side: Side) -> None:
    """decode(encode(cell)) is the cell, on both sides, for whatever cell a side may show."""
    codec = _codec(name)
    cell = codec.decode([text], side)
    for target in Side if codec.fault(cell) is None else ():
        native = codec.encode(cell, target, 1)
        assert codec.decode([raw_text(value) for value in native], target) == cell


@given(first=st.text(alphabet="abc éÅ-", max_size=8), last=st.text(alphabet="abc éÅ-", max_size=8))
@TRY
def test_a_name_over_two_fields_keeps_its_words(first: str, last: str) -> None:
    """A name that is split in first and last name is joined to the same name again."""
    codec = codec_named("name")
    cell = codec.decode([first, last], Side.APP)
    assert (
        codec.decode([raw_text(part) for part in codec.encode(cell, Side.GHL, 2)], Side.GHL) == cell
    )


@pytest.fixture(scope="module")
def sql() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@given(name=NAMED, texts=st.lists(TEXTS, min_size=1, max_size=40))
@profile(ci=(60, 1), soak=(2_000, 1))
def test_the_fast_path_says_what_python_says(
    sql: duckdb.DuckDBPyConnection, name: str, texts: list[str]
) -> None:
    """Where a codec's SQL takes a value, it gives the Python codec's cell, and Python finds no fault with it."""
    codec = _codec(name)
    fast = codec.fast("raw")
    if fast is None:
        return
    condition, value = fast
    usable = [text for text in texts if "\x00" not in text]
    listed = ", ".join(f"({literal(text)}::VARCHAR)" for text in [*usable, "x"])
    rows = sql.execute(
        f"SELECT raw, {value} FROM (VALUES {listed}) t(raw) WHERE {condition}"
    ).fetchall()
    for raw, cell in rows:
        for side in Side:
            assert codec.decode([raw], side) == cell, (name, raw)
        assert codec.fault(cell) is None


@given(
    name=st.sampled_from(["email", "phone", "text", "name"]),
    texts=st.lists(TEXTS, min_size=2, max_size=30),
)
@profile(ci=(60, 1), soak=(2_000, 1))
def test_equal_values_have_equal_blurs(
    sql: duckdb.DuckDBPyConnection, name: str, texts: list[str]
) -> None:
    """Two values with one canonical form have one blur, or a blur that is NULL: narrowing down never loses a match."""
    codec = _codec(name)
    usable = [text for text in texts if "\x00" not in text]
    listed = ", ".join(f"({literal(text)}::VARCHAR)" for text in [*usable, "x", " x "])
    blurs: dict[str, set[str]] = {}
    for raw, blur in sql.execute(
        f"SELECT raw, {codec.blur('raw')} FROM (VALUES {listed}) t(raw)"
    ).fetchall():
        cell = codec.decode([raw], Side.APP)
        if cell is not None and blur is not None and codec.fault(cell) is None:
            blurs.setdefault(cell, set()).add(blur)
    assert {cell: found for cell, found in blurs.items() if len(found) > 1} == {}


def test_equal_phones_of_every_notation_have_equal_blurs(sql: duckdb.DuckDBPyConnection) -> None:
    """The notations of one number narrow down to one blur."""
    codec = Phone(region="US")
    notations = [
        "+18885551212",
        "(888) 555-1212",
        "888.555.1212",
        "1 888 555 1212",
        "tel:+1-888-555-1212",
    ]
    assert {codec.decode([text], Side.APP) for text in notations} == {"+18885551212"}
    listed = ", ".join(f"({literal(text)})" for text in notations)
    found = sql.execute(
        f"SELECT DISTINCT {codec.blur('raw')} FROM (VALUES {listed}) t(raw)"
    ).fetchall()
    assert {blur for (blur,) in found} <= {"551212", None}


VALUES: st.SearchStrategy[Json] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.floats(-1e6, 1e6).map(lambda x: round(x, 4)),
        st.text(max_size=12),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def _read(sql: duckdb.DuckDBPyConnection, path: str) -> list[Cell]:
    rows = sql.execute(
        f"SELECT v FROM read_json({literal(path)}, format='newline_delimited', columns={{v: 'VARCHAR'}})"
    )
    return [raw for (raw,) in rows.fetchall()]


@given(values=st.lists(VALUES, min_size=1, max_size=20))
@profile(ci=(60, 1), soak=(2_000, 1))
def test_a_single_read_gives_the_text_of_a_bulk_read(
    sql: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory, values: list[Json]
) -> None:
    """raw_text is what DuckDB reads from the same JSON: equal once decoded, whatever codec reads it."""
    path = tmp_path_factory.mktemp("raw") / "rows.ndjson"
    usable = [value for value in values if "\\u0000" not in json.dumps(value)]
    path.write_text(
        "".join(json.dumps({"v": value}, ensure_ascii=False) + "\n" for value in [*usable, "end"]),
        encoding="utf-8",
    )
    for value, read in zip([*usable, "end"], _read(sql, str(path)), strict=True):
        for name in ("text", "decimal", "bool", "tags", "html"):
            assert _codec(name).decode([read], Side.GHL) == _codec(name).decode(
                [raw_text(value)], Side.GHL
            ), (
                name,
                value,
            )


@pytest.mark.parametrize(
    ("texts", "cell"),
    [
        (["łukasz.okafor@example.com", " Łukasz.Okafor@Example.com "], "łukasz.okafor@example.com"),
        (
            ["émile@exämple.fr", "émile@xn--exmple-cua.fr", "E\u0301mile@EXÄMPLE.FR"],
            "émile@exämple.fr",
        ),
        (["用户@例子.广告"], "用户@例子.广告"),
        (["first..last@example.co.jp"], "first..last@example.co.jp"),
    ],
)
def test_an_address_that_somebody_may_have_is_read(texts: list[str], cell: str) -> None:
    """Letters beyond ASCII, a domain in Punycode, and dots that only some systems take: an address is what can be one."""
    codec = Email()
    assert {codec.decode([text], side) for text in texts for side in Side} == {cell}
    assert codec.fault(cell) is None


@given(local=st.text(max_size=6), label=st.text(max_size=12))
@TRY
def test_punycode_reads_as_itself_once_it_was_read(local: str, label: str) -> None:
    """Whatever stands behind xn-- in an address has one canonical form, which reads as itself."""
    codec = Email()
    for text in (f"{local}@xn--{label}.com", f"a@xn--xn--{label}-.com", f"a@b.xn--{label}"):
        cell = codec.decode([text], Side.APP)
        assert codec.decode([cell], Side.APP) == cell
