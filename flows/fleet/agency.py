"""The marketplace app that a template names, and the ledger with its agencies' tokens."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from connectors.ghl.entities import GHL
from connectors.ghl.oauth import OAuthApp
from connectors.ghl.tokens import cipher_from
from flows.config.lines import key_lines
from flows.config.pair import with_driver
from flows.config.problems import Problems, name
from flows.config.references import Resolver
from flows.fleet.template import Template, read
from flows.wiring.credentials import SCOPES, Agencies, key_file_beside
from reconcile.entities import RECORDS
from reconcile.ledger.ledger import Ledger

PRIVATE = (
    "a private integration token is of one location: GHL lists an agency's locations "
    "to a marketplace app alone"
)


@dataclass(frozen=True, slots=True)
class AgencyApp:
    """The app as an agency has it; `company` where the file says which agency.

    `app_id` is what GHL's list of locations asks for. `key_folder` is where a key of tokens may lie
    from before.
    """

    app: OAuthApp
    app_id: str
    company: str | None
    ledger_url: str
    key_folder: Path

    @contextmanager
    def agencies(self) -> Iterator[Agencies]:
        """The agencies whose tokens the ledger keeps."""
        ledger = Ledger(self.ledger_url, "")
        try:
            cipher = cipher_from(os.environ, key_file=key_file_beside(self.key_folder))
            yield Agencies(ledger.engine, self.app.client_id, cipher)
        finally:
            ledger.close()

    def redirected(self, redirect: str) -> OAuthApp:
        """The app with the address that its answer comes to."""
        return replace(self.app, redirect_uri=redirect)


def agency_app(path: Path, *, environ: Mapping[str, str] = os.environ) -> AgencyApp:
    """What a template, or a pair file, says of the app and the ledger.

    Raises ConfigError where it names no app, or where a column stands in what is the same for all
    locations.
    """
    template = read(path)
    problems = Problems(path.name, key_lines(template.text))
    ghl = template.document.get("ghl")
    ghl = ghl if isinstance(ghl, dict) else {}
    oauth = ghl.get("oauth")
    if not isinstance(oauth, dict):
        problems.add(("ghl", "token"), f"[ghl] names no oauth app: {PRIVATE}", _EACH_ITS_OWN)
        problems.stop_if_any()
        oauth = {}
    said = _Said(template, Resolver(environ, path.absolute().parent, problems))
    client_id = said.secret(("ghl", "oauth", "client_id"))
    result = AgencyApp(
        app=OAuthApp(
            client_id=client_id,
            client_secret=said.secret(("ghl", "oauth", "client_secret")),
            scopes=_scopes(template),
            user_type="Company",
            **_where(said),
        ),
        app_id=said.text(("ghl", "oauth", "app_id")) or client_id.partition("-")[0],
        company=None if template.at("ghl", "oauth", "company") else oauth.get("company"),
        ledger_url=_ledger(said),
        key_folder=_store(said),
    )
    problems.stop_if_any()
    return result


def _store(said: _Said) -> Path:
    """The store's folder; the file's own where it is none, or one a location."""
    folder = said.resolver.folder
    store = said.template.document.get("store", "state")
    if said.template.at("store") or not isinstance(store, str) or "://" in store:
        return folder
    return folder / Path(store).expanduser()


def _ledger(said: _Said) -> str:
    """The ledger's URL.

    A file's path goes out from where the pairs lie, so a template says it whole.
    """
    url = with_driver(said.secret(("ledger",), ""))
    if not url:
        url = f"sqlite:///{_store(said) / 'ledger.db'}"
        relative = True
    else:
        file = url.partition("///")[2] if url.startswith("sqlite") else "/"
        relative = not Path(file).expanduser().is_absolute()
    if relative and said.template.places:
        what = "the ledger is a file beside the pairs, and an agency's tokens are to serve all"
        remedy = 'Write ledger = "env:LEDGER_URL", or a whole path: "sqlite:////srv/fleet.db".'
        said.resolver.problems.add(("ledger",), what, remedy)
    if not url.startswith("sqlite"):
        return url
    scheme, _, file = url.partition("///")
    return f"{scheme}///{said.resolver.folder / Path(file).expanduser()}"


_EACH_ITS_OWN = (
    "Write oauth = { client_id = …, client_secret = … }; or list the locations in the table by "
    'hand, each with a token of its own: token = "env:GHL_TOKEN_{column:pair}".'
)


def _where(said: _Said) -> dict[str, Any]:
    """The host and the version, where the file says them."""
    value = {"url": said.text(("ghl", "url")), "version": said.text(("ghl", "version"))}
    return {key: value for key, value in value.items() if value}


@dataclass(frozen=True, slots=True)
class _Said:
    """Looks up what the template says, which must be the same for every location."""

    template: Template
    resolver: Resolver

    def text(self, path: tuple[str, ...]) -> str:
        value: Any = self.template.document
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            return ""
        if self.template.at(*path) is not None:
            what = f"{name(path)} is a column, and all locations of the app share it"
            self.resolver.problems.add(path, what, "Write the value itself.")
            return ""
        return str(value)

    def secret(self, path: tuple[str, ...], default: str | None = None) -> str:
        text = self.text(path)
        if not text:
            if default is None and self.template.at(*path) is None:
                self.resolver.problems.add(path, f'"{path[-1]}" is missing', f"Add {path[-1]}.")
            return default or ""
        return self.resolver.secret(SecretStr(text), path).get_secret_value()


def _scopes(template: Template) -> tuple[str, ...]:
    """The least, what the mapped kinds need beyond it, and the agency's own."""
    kinds = [GHL[kind] for kind in RECORDS if kind.value in template.document]
    more = [scope for kind in kinds for scope in kind.scopes]
    return tuple(dict.fromkeys((*SCOPES, *more, "oauth.write", "oauth.readonly")))
