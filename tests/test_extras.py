"""What is missing where an extra was not installed: each place says what to install, by the extra's name."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fsspec.registry import _registry as known
from pydantic import SecretStr

import ghl_reconcile
from connectors.files.storage import BrokenFileError, _remote
from connectors.sql.engine import open_engine
from connectors.sql.settings import SqlSettings
from flows.doctor.machine import ledger as look_at_ledger
from flows.outcome.tell import versions
from flows.state.stores import opened
from reconcile import errors
from reconcile.errors import ConfigError, StateError
from reconcile.ledger.ledger import Ledger

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No driver and no file system that an extra brings can be imported."""
    for module in ("psycopg", "pymysql", "s3fs"):
        for name in [name for name in sys.modules if name.partition(".")[0] == module]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, module, None)
    # What fsspec has once opened it knows without an import.
    for protocol in ("s3", "s3a"):
        monkeypatch.delitem(known, protocol, raising=False)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("url", "extra"),
    [("postgresql+psycopg://u@h/d", "postgres"), ("mysql+pymysql://u@h/d", "mysql")],
)
def test_a_database_without_its_driver_names_the_extra(url: str, extra: str) -> None:
    """For the app, the ledger and `doctor` alike."""
    install = rf'pip install "ghl-reconcile\[{extra}\]"'
    with pytest.raises(ConfigError, match=install):
        open_engine(SqlSettings(url=url, entities={}))
    with pytest.raises(StateError, match=install) as refused:
        Ledger(url, "p")
    assert refused.value.code == "LEDGER"
    pair = cast("Any", SimpleNamespace(ledger_url=SecretStr(url)))
    (finding,) = look_at_ledger(pair)
    assert f"ghl-reconcile[{extra}]" in finding.remedy


@pytest.mark.usefixtures("bare")
def test_a_store_or_files_in_a_bucket_name_the_extra() -> None:
    """A store that nothing installed can open is refused; of other systems the kind of URL is named."""
    with pytest.raises(StateError, match=r'pip install "ghl-reconcile\[s3\]"'):
        opened("s3://bucket/acme")
    with pytest.raises(BrokenFileError, match=r"ghl-reconcile\[s3\]"):
        _remote("s3://bucket/people.csv")
    with pytest.raises(StateError, match="fsspec has for nowhere://"):
        opened("nowhere://bucket/acme")


def test_each_extra_is_known_to_the_project() -> None:
    """What a message says to install is there."""
    assert set(errors.EXTRAS.values()) == set(PROJECT["optional-dependencies"])


def test_the_version_is_one() -> None:
    """The library, the report and the project say the same."""
    assert ghl_reconcile.__version__ == versions()["ghl-reconcile"] == PROJECT["version"]
