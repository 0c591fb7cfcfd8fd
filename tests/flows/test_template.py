"""One template and a table of locations make the pairs: checked as a whole, shown before it takes effect, and nothing a cell says is taken for more than its text."""

from __future__ import annotations

import sqlite3
import tomllib
from pathlib import Path

import pytest

from flows.config.lines import text_spans
from flows.fleet.changes import changes, take_effect
from flows.fleet.pairs import Made, make
from flows.fleet.table import Row, Table, of_csv, of_query
from flows.fleet.template import Template, fault, fill, read
from reconcile.errors import ConfigError
from tests.flows.calls import say

TEMPLATE = """\
pair = "{column:pair}"
store = "state/{column:pair}"
region = "{column:region}"
[app]
connector = "sql"
url = "env:DB_{column:database}"
[app.contact]
table = "people"      # of each database
modified_at = "updated_at"
[ghl]
url = "http://127.0.0.1:9"
location = "{column:location}"
token = "env:TOKEN_{column:database}"
page_size = "{number:page}"
live = "{boolean:live}"
[contact]
match = ["mail"]
[contact.fields]
name = "lastName"
mail = "email"
"""
HEAD = "pair,location,region,database,page,live\n"
ROWS = "berlin,loc-b,DE,BERLIN,100,true\nparis,loc-p,FR,PARIS,50,false\n"
ENVIRON = {
    f"{kind}_{place}": "sqlite:///app.db" if kind == "DB" else f"pit-{place}"
    for kind in ("DB", "TOKEN")
    for place in ("BERLIN", "PARIS")
}


def template_of(folder: Path, text: str = TEMPLATE) -> Template:
    file = folder / "template.toml"
    file.write_text(text, encoding="utf-8")
    return read(file)


def table_of(folder: Path, text: str) -> Table:
    file = folder / "locations.csv"
    file.write_text(text, encoding="utf-8")
    return of_csv(file)


def made_of(folder: Path, rows: str = ROWS, text: str = TEMPLATE) -> tuple[Made, ...]:
    return make(template_of(folder, text), table_of(folder, HEAD + rows), folder, environ=ENVIRON)


def said(folder: Path, rows: str = ROWS, text: str = TEMPLATE) -> list[str]:
    """Every problem that is told, with where it is."""
    with pytest.raises(ConfigError) as refused:
        made_of(folder, rows, text)
    return [f"{problem.where}: {problem.what}" for problem in refused.value.problems]


def test_each_row_is_a_pair(tmp_path: Path) -> None:
    """A pair has the template's text, its comments too, with its own row's cells: texts, numbers and booleans."""
    berlin, paris = made_of(tmp_path)
    assert (berlin.pair.name, berlin.pair.region, berlin.pair.ghl.page_size) == (
        "berlin",
        "DE",
        100,
    )
    assert (berlin.pair.ghl.live, paris.pair.ghl.live) == (True, False)
    assert 'url = "env:DB_PARIS"' in paris.text
    assert "# of each database" in paris.text
    assert paris.text.count("\n") == TEMPLATE.count("\n")


@pytest.mark.parametrize(
    "cell",
    [
        'a"b',
        "back\\slash",
        '"\n[ghl]\nlocation = "other"',
        "{column:pair}",
        "'''",
        '"""',
        "äöü€😀",
        "\x7f",
        "# no comment",
    ],
)
@pytest.mark.parametrize("literal", ['"{column:c}"', "'{column:c}'", '"""\none {column:c}\ntwo"""'])
def test_a_cell_is_its_text_and_nothing_more(tmp_path: Path, cell: str, literal: str) -> None:
    """Whatever a cell holds, TOML reads it as that value, and no line moves."""
    text = f"first = 1\nvalue = {literal}\nlast = 2\n"
    template = template_of(tmp_path, text)
    written = fill(template, {"c": cell})
    whole = tomllib.loads(text)["value"]
    assert tomllib.loads(written) == {
        "first": 1,
        "value": whole.replace("{column:c}", cell),
        "last": 2,
    }
    assert written.count("\n") == text.count("\n")


def test_where_texts_stand() -> None:
    """Texts in tables, lists, inline tables and arrays of tables are found with their quotes."""
    text = 'a = "x"\n[t]\nb = [1, "y", { c = \'z\' }]\n[[u]]\nd = "w" # "no"\n'
    found = {path: text[start:end] for path, (start, end) in text_spans(text).items()}
    assert found == {
        ("a",): '"x"',
        ("t", "b", 1): '"y"',
        ("t", "b", 2, "c"): "'z'",
        ("u", 0, "d"): '"w"',
    }


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('x = "{column}"', 'template.toml:1: x: "{column}" names no column'),
        ('x = "{ column:a }"', 'template.toml:1: x: "{ column:" names no column'),
        ('x = "{column:}"', "template.toml:1: x: a column without a name"),
        ('x = "page {number:a}"', "template.toml:1: x: a number or a boolean stands within a text"),
        ('"{column:a}" = "b"', 'template.toml:1: a column stands in the key "{column:a}"'),
    ],
)
def test_what_is_no_column_is_refused(tmp_path: Path, line: str, what: str) -> None:
    """What looks like a column and could not be filled in would stand in every pair: it is refused with its line."""
    with pytest.raises(ConfigError) as refused:
        template_of(tmp_path, line + "\n")
    (problem,) = refused.value.problems
    assert f"{problem.where}: {problem.what}".startswith(what)


def test_other_braces_stay(tmp_path: Path) -> None:
    """`{key}`, `{run}` and GHL's own `{{contact.name}}` are values."""
    text = 'a = "https://x/{key}"\nb = "{{contact.name}}"\nc = "{number}"\n'
    assert template_of(tmp_path, text).places == ()


@pytest.mark.parametrize(
    ("column", "cell", "why"),
    [
        ("number", "12", ""),
        ("number", "-1.5", ""),
        ("number", "007", '"007" is no number'),
        ("number", "1e3", '"1e3" is no number'),
        ("number", "1_000", '"1_000" is no number'),
        ("boolean", "true", ""),
        ("boolean", "yes", '"yes" is neither true nor false'),
        ("column", "anything", ""),
    ],
)
def test_numbers_and_booleans(tmp_path: Path, column: str, cell: str, why: str) -> None:
    """A cell is a number or a boolean where it is written as one, and is never guessed to be."""
    template = template_of(tmp_path, f'x = "{{{column}:c}}"\n')
    assert fault(template.places[0], {"c": cell}) == why


def test_every_problem_at_once(tmp_path: Path) -> None:
    """Each problem has the table's line and column with the template's line; what is wrong with the template is said once."""
    rows = (
        "berlin,loc-b,DE,BERLIN,100,true\n"
        "../etc,loc-x,FR,PARIS,50,false\n"
        "rome,loc-r,Italy,PARIS,fifty,false\n"
        "Berlin,loc-b,DE,BERLIN,100,true\n"
        "lyon,loc-l,FR,LYON,100,\n"
    )
    text = TEMPLATE.replace("[contact]\n", '[contact]\nabsent_runs = "two"\n')
    found = said(tmp_path, rows, text)
    assert found == [
        'template.toml:17: [contact] absent_runs is "two", expected a whole number',
        'locations.csv:3: column "pair" (template.toml:1): pair is "../etc", expected a name of '
        "letters, digits, dots, dashes and underscores",
        'locations.csv:4: column "page": "fifty" is no number, and template.toml:14 puts it into '
        "[ghl] page_size",
        'locations.csv:4: column "region" (template.toml:3): region is "Italy", expected a country '
        'in two capital letters, such as "US"',
        'locations.csv:6: column "live" is empty, and template.toml:15 puts it into [ghl] live',
        'locations.csv:6: column "database" (template.toml:6): [app] url: the environment variable '
        "DB_LYON is not set",
        'locations.csv:6: column "database" (template.toml:13): [ghl] token: the environment '
        "variable TOKEN_LYON is not set",
        'locations.csv:5: pair "Berlin" is that of locations.csv:2 already',
        'locations.csv:5: location "loc-b" is that of locations.csv:2 already',
        'locations.csv:5: store "state/Berlin" is that of locations.csv:2 already',
    ]


def test_what_pairs_may_not_share(tmp_path: Path) -> None:
    """A pair, a location or a store that stands twice is refused with both lines; one token or store for all, with the template's."""
    twice = "berlin,loc-b,DE,BERLIN,100,true\nBERLIN,loc-b,DE,BERLIN,100,true\n"
    assert said(tmp_path, twice) == [
        'locations.csv:3: pair "BERLIN" is that of locations.csv:2 already',
        'locations.csv:3: location "loc-b" is that of locations.csv:2 already',
        'locations.csv:3: store "state/BERLIN" is that of locations.csv:2 already',
    ]
    one = TEMPLATE.replace("env:TOKEN_{column:database}", "env:TOKEN_PARIS")
    one = one.replace("state/{column:pair}", "state")
    assert said(tmp_path, text=one) == [
        "template.toml:1: all pairs would keep their runs in one store",
        "template.toml:13: [ghl] token is the same for all: a private integration token is of one location",
    ]


def test_columns_that_are_missing(tmp_path: Path) -> None:
    """Each place that names a column which the table lacks is told before any row; so is a pair or location that is no column."""
    text = TEMPLATE.replace("{column:region}", "{column:land}").replace("{column:pair}", "acme")
    assert said(tmp_path, text=text) == [
        'template.toml:3: region names the column "land", which locations.csv does not have',
        "template.toml:1: pair is no column: every row would make the same pair",
    ]


def test_an_invisible_character_is_refused_where_it_is_used(tmp_path: Path) -> None:
    """A zero-width space in a cell that goes into a pair is told by its code; in another column it is nobody's concern."""
    assert said(tmp_path, "ber\u200blin,loc-b,DE,BERLIN,100,true\n") == [
        'locations.csv:2: column "pair" holds an invisible character (U+200B), and template.toml:1 puts it into pair',
        'locations.csv:2: column "pair" holds an invisible character (U+200B), and template.toml:2 puts it into store',
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "locations.csv: the table is empty"),
        ("a,a\n1,2\n", 'locations.csv:1: two columns are called "a"'),
        ("a,\n1,2\n", "locations.csv:1: column 2 has no name"),
        ("a,b\n1\n\n1,2,3\n", "locations.csv:2: 1 cells, where the table has 2 columns"),
        ('a,b\n"1,2\n', "locations.csv:2: this is no CSV"),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, text: str, what: str) -> None:
    """A CSV file that is torn, or whose columns cannot be told apart, is refused with the line."""
    with pytest.raises(ConfigError) as refused:
        table_of(tmp_path, text)
    problem = refused.value.problems[0]
    assert f"{problem.where}: {problem.what}".startswith(what)


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_a_spreadsheets_table(tmp_path: Path, sign: str) -> None:
    """What a spreadsheet saves is read: its byte order mark, its semicolons or tabs, blank lines, spaces around cells."""
    file = tmp_path / "locations.csv"
    text = f"\ufeffpair{sign}location\r\n berlin {sign} loc-b\r\n{sign}\r\n\r\nparis{sign}loc-p\r\n"
    file.write_text(text, encoding="utf-8", newline="")
    rows = (
        Row("locations.csv:2", {"pair": "berlin", "location": "loc-b"}),
        Row("locations.csv:5", {"pair": "paris", "location": "loc-p"}),
    )
    assert of_csv(file) == Table("locations.csv", ("pair", "location"), rows)


def test_a_table_from_a_database(tmp_path: Path) -> None:
    """A query gives the table, and what it would write is taken back; a refused one says no value of it."""
    file = tmp_path / "crm.db"
    with sqlite3.connect(file) as app:
        app.execute("CREATE TABLE place (pair TEXT, location TEXT, page INT)")
        app.execute("INSERT INTO place VALUES ('berlin', 'loc-b', 100), ('paris', NULL, 50)")
    app.close()
    url = f"sqlite:///{file}"
    table = of_query(url, "SELECT * FROM place ORDER BY pair")
    assert [(row.where, *row.cells.values()) for row in table.rows] == [
        ("query, row 1", "berlin", "loc-b", "100"),
        ("query, row 2", "paris", "", "50"),
    ]
    with pytest.raises(ConfigError, match="the query was refused"):
        of_query(url, "SELECT secret FROM nowhere")


# changes ---------------------------------------------------------------------------------------------------------------


def test_changes_are_told_and_take_effect(tmp_path: Path) -> None:
    """Pairs that come, go and change are told by key with old and new value; afterwards there is nothing left to change."""
    out = tmp_path / "pairs"
    template = template_of(tmp_path)
    made = made_of(tmp_path)
    first = changes(template, made, out)
    assert [(each.kind, each.pair) for each in first] == [("added", "berlin"), ("added", "paris")]
    take_effect(first, out)
    assert changes(template, made, out) == []
    assert {file.stat().st_mode & 0o777 for file in out.glob("*.toml")} == {0o600}

    rows = "paris,loc-p,FR,BERLIN,60,true\nlyon,loc-l,FR,PARIS,60,true\n"
    made = made_of(tmp_path, rows)
    second = {each.pair: each for each in changes(template, made, out)}
    assert {pair: each.kind for pair, each in second.items()} == {
        "berlin": "gone",
        "paris": "changed",
        "lyon": "added",
    }
    assert second["paris"].keys == (
        ("[app] url", "env:DB_PARIS", "env:DB_BERLIN"),
        ("[ghl] token", "env:TOKEN_PARIS", "env:TOKEN_BERLIN"),
        ("[ghl] page_size", "50", "60"),
        ("[ghl] live", "false", "true"),
    )
    take_effect(list(second.values()), out)
    assert sorted(file.name for file in out.iterdir()) == ["lyon.toml", "paris.toml"]


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """A secret that stands in a file is not shown; a URL is, without who opens it; a reference is shown by its name."""
    out = tmp_path / "pairs"
    text = TEMPLATE.replace("env:TOKEN_{column:database}", "pit-secret-{column:pair}")
    text = text.replace(
        "env:DB_{column:database}", "postgresql://me:hunter2@localhost/{column:pair}"
    )
    told = repr(
        [each.keys for each in changes(template_of(tmp_path), made_of(tmp_path, text=text), out)]
    )
    assert "secret" not in told
    assert "hunter2" not in told
    assert "postgresql://localhost/berlin" in told
    assert "(not shown)" in told


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    """A pair file that the template did not make is neither changed nor removed: a row that would take its place is refused."""
    out = tmp_path / "pairs"
    out.mkdir()
    mine = out / "rome.toml"
    mine.write_text('pair = "rome"\n')
    template, made = template_of(tmp_path), made_of(tmp_path)
    take_effect(changes(template, made, out), out)
    assert mine.read_text() == 'pair = "rome"\n'
    made = made_of(tmp_path, "Rome,loc-r,IT,PARIS,50,true\n")
    with pytest.raises(ConfigError) as refused:
        changes(template, made, out)
    assert "did not make" in refused.value.problems[0].what


def test_a_location_keeps_its_pair(tmp_path: Path) -> None:
    """A row whose pair is renamed would begin anew and take everybody for new: it is refused by the former name."""
    out = tmp_path / "pairs"
    template = template_of(tmp_path)
    take_effect(changes(template, made_of(tmp_path), out), out)
    with pytest.raises(ConfigError) as refused:
        changes(template, made_of(tmp_path, ROWS.replace("berlin", "berlin-mitte")), out)
    (problem,) = refused.value.problems
    assert problem.where == "locations.csv:2"
    assert 'location loc-b is pair "berlin"' in problem.what


def test_the_command_waits_to_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --yes and without a terminal `fleet make` shows what would change and changes nothing: exit code 1."""
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    template_of(tmp_path)
    table_of(tmp_path, HEAD + ROWS)
    out = tmp_path / "pairs"
    words = ("fleet", "make", tmp_path / "template.toml", "--table", tmp_path / "locations.csv")
    words = (*words, "--out", out, "--offline")
    done = say(*words)
    assert (done.code, out.exists()) == (1, False)
    assert "added: berlin" in done.out
    assert "2 pairs: 2 would change" in done.out
    assert say(*words, "--yes", "--json").document["in_effect"] is True
    assert say(*words).code == 0
    assert sorted(file.stem for file in out.glob("*.toml")) == ["berlin", "paris"]
    assert say("fleet", "make", tmp_path / "template.toml").code == 3
