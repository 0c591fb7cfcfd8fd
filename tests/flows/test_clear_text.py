"""No secret travels over plain http to another machine, and none stands in a pair file, whichever side it belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.config import load
from reconcile.errors import ConfigError
from tests.flows.broken import GOOD

REST = 'connector = "rest"\nurl = "{url}"\n{auth}\n'
ENVIRON = {
    "GHL_TOKEN": "pit-1",
    "T": "token-1",
    "DB": "postgresql://me:hunter2@db.example/app",
    "U": "http://crm.example.com",
}
GHL = """\
[ghl]
url = "https://services.leadconnectorhq.com"
location = "ve9EPM428h8vShlRW1KT"
token = "env:GHL_TOKEN"
[contact.fields]
email = "email"
"""
TABLES = '[app.contact]\npath = "/people"\n'


def _said(folder: Path, text: str) -> str:
    file = folder / "acme.toml"
    file.write_text(text, encoding="utf-8")
    try:
        load(file, environ=ENVIRON)
    except ConfigError as error:
        return str(error)
    return ""


def _rest(url: str, auth: str) -> str:
    return f'pair = "acme"\n[app]\n{REST.format(url=url, auth=auth)}{TABLES}{GHL}'


BEARER = 'auth = { kind = "bearer", token = "env:T" }'
CLIENT = 'auth = { kind = "client_credentials", client_id = "me", client_secret = "env:T", token_url = "%s" }'


@pytest.mark.parametrize(
    ("url", "auth", "wrong"),
    [
        ("http://crm.example.com", BEARER, "url would send a secret unencrypted"),
        ("HTTP://crm.example.com", BEARER, "url would send a secret unencrypted"),
        ("env:U", BEARER, "url is env:U, which stands for a secret"),
        (
            "http://crm.example.com",
            'headers = { X-Key = "env:T" }',
            "url would send a secret unencrypted",
        ),
        (
            "https://crm.example.com",
            CLIENT % "http://crm.example.com/token",
            "token_url would send a secret unencrypted",
        ),
        ("https://crm.example.com", CLIENT % "https://crm.example.com/token", ""),
        ("https://crm.example.com", BEARER, ""),
        ("http://127.0.0.1:9", BEARER, ""),
        ("http://localhost:9", CLIENT % "http://localhost:9/token", ""),
        (
            "http://localhost:9",
            CLIENT % "http://other.example/token",
            "token_url would send a secret unencrypted",
        ),
        ("http://crm.example.com", "", ""),
        (
            "https://crm.example.com",
            'auth = { kind = "bearer", token = "abc" }',
            "token stands in the file itself",
        ),
        (
            "https://crm.example.com",
            'auth = { kind = "basic", user = "me", password = "abc" }',
            "password stands in the file",
        ),
        (
            "https://crm.example.com",
            'auth = { kind = "basic", user = "me", password = "env:T" }',
            "",
        ),
        (
            "https://crm.example.com",
            'headers = { Authorization = "Bearer abc" }',
            "stands in the file itself",
        ),
        ("https://crm.example.com", 'headers = { Accept-Language = "pt" }', ""),
        ("https://me:abc@crm.example.com", "", "has a password in the file itself"),
        ("https://crm.example.com?api_key=abc", "", "has a password in the file itself"),
        ("http://127.0.0.1:9", 'auth = { kind = "bearer", token = "abc" }', ""),
    ],
)
def test_a_json_api(tmp_path: Path, url: str, auth: str, wrong: str) -> None:
    """An API's address and token URL are https where a secret goes there, and its secrets are references."""
    said = _said(tmp_path, _rest(url, auth))
    assert wrong in said if wrong else not said
    assert "abc" not in said.replace("acme", "")
    assert "token-1" not in said


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("postgresql://me:hunter2@db.example/app", True),
        ("postgresql://db.example/app?user=me&password=hunter2", True),
        ("postgresql://me@db.example/app", False),
        ("postgresql://me:hunter2@127.0.0.1/app", False),
        ("env:DB", False),
        ("sqlite:///app.db", False),
    ],
)
@pytest.mark.parametrize("place", ["app", "ledger"])
def test_a_database_url(tmp_path: Path, place: str, url: str, wrong: bool) -> None:
    """A password of a database on another machine does not stand in the file."""
    text = GOOD.replace('url = "sqlite:///app.db"', f'url = "{url}"')
    said = _said(tmp_path, text if place == "app" else f'ledger = "{url}"\n{GOOD}')
    assert ("has a password in the file itself" in said) == wrong
    assert "hunter2" not in said


def test_a_store_with_a_password(tmp_path: Path) -> None:
    """Nor does one of the archive's store."""
    said = _said(
        tmp_path,
        GOOD.replace(
            'store = "state"', 'store = "s3://key:hunter2@bucket/runs"\nledger = "env:DB"'
        ),
    )
    assert "has a password in the file itself" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (("https://services", "http://services"), "url would send a secret unencrypted"),
        (('"env:GHL_TOKEN"', '"pit-hunter2"'), "token stands in the file itself"),
        (
            ('token = "env:GHL_TOKEN"', 'oauth = { client_id = "c", client_secret = "hunter2" }'),
            "client_secret stands in the file",
        ),
    ],
)
def test_ghl(tmp_path: Path, change: tuple[str, str], wrong: str) -> None:
    """The same check holds for GHL's address, token and app."""
    said = _said(tmp_path, GOOD.replace(*change))
    assert wrong in said
    assert "hunter2" not in said
