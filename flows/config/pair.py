"""A pair as the rest of the product uses it, read from its file."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping as Map
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from flows.config.clear import BESIDE, REFERENCE, check_table, check_url, host_of, is_loopback
from flows.config.entities import mapping_of
from flows.config.fields import check_region, checked_timezone
from flows.config.form import AlertsForm, ApplyForm, KeepForm, PairForm, VerifyForm
from flows.config.lookups import with_lookups
from flows.config.natives import ASSIGNED
from flows.config.problems import Document, Problems, formed, near, parsed
from flows.config.references import Resolver, is_reference
from flows.config.sides import CONNECTORS, AppForm, GhlForm, OutsideForm
from reconcile.entities import RECORDS, SWEPT, Shown
from reconcile.errors import ConfigError, Problem, Refused
from reconcile.model import Side, fingerprint
from reconcile.values.codecs import Codec, Owner, Phone
from reconcile.values.mapping import Field, Mapping
from reconcile.values.references import CompanyName

SANDBOX = "sandbox:"
DEMO = "demo:"
"""What the URL of a JSON API begins with where it is the demo's own.

It is served in this process over the database file that is named.
"""
_REAL = re.compile(r"pit-[0-9a-f]{8}-[0-9a-f]{4}-|eyJ[\w-]+\.", re.IGNORECASE)
"""How a private integration token of GHL's begins, and a token of OAuth (a JWT)."""
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
"""The drivers that this product ships with, where a ledger's URL names none."""

_NOT_IN_DIGEST = {
    "ghl": {
        "token",
        "oauth",
        "live",
        "link",
        "concurrency",
        "attempts",
        "page_size",
        "task_page",
        "range_reads",
        "tags_move_date",
        "tag_batch",
        *(kind.budget for kind in (*SWEPT, *Shown)),
        "daily_reserve",
    },
    "app": {
        "url",
        "auth",
        "headers",
        "link",
        "batch",
        "backups",
        "lag_seconds",
        "lock_seconds",
        "concurrency",
        "requests",
        "seconds",
    },
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One application and one GHL location, as their file says it.

    Secrets are looked up and paths are made whole.

    `store` is an absolute folder or an fsspec URL. `app` and `ghl` are the two sides' tables.
    `config_digest` changes with whatever may change a plan, and never with a secret.
    """

    name: str
    path: Path
    store: str
    ledger_url: SecretStr
    mapping: Mapping
    app: AppForm
    ghl: GhlForm
    region: str | None
    timezone: str
    report_url: str | None = None
    metrics: Path | None = None
    limits: Map[str, Any] = field(default_factory=dict)
    sweep: int | None = None
    """After so many days a night reads all contacts of GHL; None: each night does."""
    verify: VerifyForm = field(default_factory=VerifyForm)
    apply: ApplyForm = field(default_factory=ApplyForm)
    alerts: AlertsForm = field(default_factory=AlertsForm)
    keep: KeepForm = field(default_factory=KeepForm)

    @property
    def is_sandbox(self) -> bool:
        """Whether the GHL side is the sandbox, served in this process from a file."""
        return self.ghl.url.startswith(SANDBOX)

    @property
    def may_write(self) -> bool:
        """Whether writes are allowed.

        To this machine always, to any other host only with `live = true`.
        """
        return self.ghl.live or self.is_sandbox or is_loopback(self.ghl.url)

    @property
    def config_digest(self) -> str:
        """A name for everything here that may change a plan."""
        said = {
            "mapping": self.mapping.digest,
            "region": self.region,
            "flapping": self.limits.get("flapping"),
            "app": _plain(self.app, _NOT_IN_DIGEST["app"]),
            "app_url": _without_password(getattr(self.app, "url", None)),
            "ghl": _plain(self.ghl, _NOT_IN_DIGEST["ghl"]),
        }
        return fingerprint(json.dumps(said, sort_keys=True, default=str))

    def located(
        self,
        region: str | None,
        owners: Map[str, str] | None = None,
        companies: Map[str, str] | None = None,
    ) -> Mapping:
        """The mapping with what the location tells.

        That is its region, for phones without one, its users, and its companies.
        """
        location = _Told(region, owners or {}, companies or {})
        entities = []
        for entity in self.mapping.entities:
            fields = (self._located(one, location) for one in entity.fields)
            entities.append(dataclasses.replace(entity, fields=tuple(fields)))
        return Mapping(tuple(entities))

    def _located(self, mapped: Field, location: _Told) -> Field:
        mapped = dataclasses.replace(mapped, codec=_located(mapped.codec, location))
        if not isinstance(mapped.codec, Owner):
            return mapped
        default = self.ghl.default_owner if ASSIGNED in mapped.ghl else None
        owner = mapped.codec.decode([mapped.fallback or default], Side.APP)
        # Whom the location does not have is nobody: GHL would refuse the whole record.
        known = mapped.codec.fault(owner) is None
        return dataclasses.replace(mapped, fallback=owner if known else None)


@dataclass(frozen=True, slots=True)
class _Told:
    """What the location tells: its country, the emails of its users, the names of its companies."""

    region: str | None
    owners: Map[str, str]
    companies: Map[str, str]


def _located(codec: Codec, location: _Told) -> Codec:
    match codec:
        case Phone(region=None):
            return dataclasses.replace(codec, region=location.region)
        case Owner():
            return dataclasses.replace(codec, users=location.owners)
        case CompanyName():
            return dataclasses.replace(codec, companies=location.companies)
    return codec


def require_live(pair: Pair) -> None:
    """Raise Refused unless writes to this pair's GHL host were asked for."""
    if not pair.may_write:
        raise Refused(
            f"{pair.path.name} does not allow writes to {urlsplit(pair.ghl.url).hostname}",
            remedy="Look at `plan` first; then write live = true under [ghl].",
            code="NOT_LIVE",
        )


def load(path: Path, *, environ: Map[str, str] = os.environ) -> Pair:
    """The pair that a file describes.

    Raises ConfigError with every problem there is, each with its line and a remedy.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        what = f"the pair file cannot be read ({type(error).__name__})"
        raise ConfigError(
            [Problem(str(path), what, "Name a file that exists; `ghl-reconcile init` writes one.")]
        ) from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError(
            [Problem(f"{path.name}:{line}", "this is not UTF-8 text", "Save the file as UTF-8.")]
        ) from None
    return read(text, path, environ=environ)


def read(text: str, path: Path, *, environ: Map[str, str]) -> Pair:
    """The pair that a text describes, as if it stood in `path`. Raises ConfigError like `load`."""
    document, problems = parsed(text, path.name)
    _check_connector(document, problems)
    form = formed(document, problems)
    if form is None:
        problems.stop_if_any()
        raise ConfigError(
            [
                Problem(
                    path.name,
                    "the file cannot be understood",
                    "Compare it with docs/pair.schema.json.",
                )
            ]
        )
    pair = _pair(form, path.absolute(), environ, problems)
    problems.stop_if_any()
    return pair


def _check_connector(document: Document, problems: Problems) -> None:
    """Note a connector that does not exist and take the nearest one.

    The rest of [app] can then be checked.
    """
    app = document.get("app")
    if not isinstance(app, dict):
        return
    word = app.get("connector", "sql")
    if not isinstance(word, str) or word in CONNECTORS:
        return
    from importlib.metadata import entry_points

    outside = [point.name for point in entry_points(group="ghl_reconcile.connectors")]
    if word in outside:
        return
    known = [*CONNECTORS, *outside]
    remedy = near(word, known)
    what = f'[app] connector is "{word}", which is not installed'
    problems.add(("app", "connector"), what, remedy)
    app["connector"] = next((name for name in known if f'"{name}"' in remedy), "memory")


def _pair(form: PairForm, path: Path, environ: Map[str, str], problems: Problems) -> Pair:
    folder = path.parent
    resolver = Resolver(environ, folder, problems)
    if form.region is not None:
        check_region(form.region, ("region",), problems)
    timezone = checked_timezone(form.timezone, ("timezone",), problems)
    form = form.model_copy(update={"timezone": timezone})
    form = with_lookups(form, problems)
    mapping = mapping_of(form, problems)
    check_url(form.store, ("store",), problems, remedy=BESIDE)
    store = form.store
    if "://" not in store:
        store = str(_whole(store, resolver, ("store",)))
    metrics = None
    if form.metrics is not None:
        metrics = _whole(form.metrics, resolver, ("metrics",))
    return Pair(
        name=form.pair,
        path=path,
        store=store,
        ledger_url=_ledger(form, store, resolver),
        mapping=mapping,
        app=_app(form.app, resolver),
        ghl=_ghl(form.ghl, resolver),
        region=form.region,
        timezone=timezone,
        report_url=form.report_url,
        metrics=metrics,
        limits=form.limits.model_dump(),
        sweep=_days(form.sweep),
        verify=form.verify,
        apply=form.apply,
        alerts=_alerts(form.alerts, resolver),
        keep=form.keep,
    )


def _days(sweep: Literal["nightly", "weekly"] | int) -> int | None:
    if sweep == "nightly":
        return None
    return 7 if sweep == "weekly" else sweep


def _ledger(form: PairForm, store: str, resolver: Resolver) -> SecretStr:
    if form.ledger is not None:
        secret = resolver.secret(form.ledger, ("ledger",))
        check_url(form.ledger.get_secret_value(), ("ledger",), resolver.problems)
        url = with_driver(_database(secret, resolver, ("ledger",)).get_secret_value())
        _check_database(url, resolver.problems)
        return SecretStr(url)
    if "://" in store:
        what = (
            f'the store "{form.store}" cannot hold the ledger: a database needs a disk or a server'
        )
        resolver.problems.add(("store",), what, 'Add ledger = "env:LEDGER_URL", a PostgreSQL URL.')
    return SecretStr(f"sqlite:///{Path(store) / 'ledger.db'}")


def _check_database(url: str, problems: Problems) -> None:
    import sqlalchemy as sa

    try:
        sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        if "://" in url:  # else it is said already
            remedy = (
                'Write "postgresql://user:password@host:5432/database", with a number for the port.'
            )
            problems.add(("ledger",), "ledger is not a database URL", remedy)


def with_driver(url: str) -> str:
    """A database URL with the driver that this product ships with, where it names none."""
    scheme, separator, rest = url.partition("://")
    return f"{_DRIVERS.get(scheme, scheme)}{separator}{rest}"


def _database(secret: SecretStr, resolver: Resolver, path: tuple[str, ...]) -> SecretStr:
    """A database URL that stands on its own: SQLite paths made whole, the rest as it is."""
    url = secret.get_secret_value()
    if url and "://" not in url:
        resolver.problems.add(
            path, f"{path[-1]} is not a database URL", 'Write one such as "sqlite:///app.db".'
        )
    if not url.startswith("sqlite") or "///" not in url:
        return secret
    scheme, _, file = url.partition("///")
    if not file or file.startswith((":memory:", "file:")):
        return secret
    return SecretStr(f"{scheme}///{_whole(file, resolver, path)}")


def _app(form: AppForm, resolver: Resolver) -> AppForm:
    if isinstance(form, OutsideForm):
        outside = form.model_copy(update={key: _loose(key, value, resolver) for key, value in form})
        check_table(form, outside, ("app",), resolver.problems, in_file=resolver.in_file)
        return outside
    app: AppForm = resolver.table(form, ("app",))
    check_table(form, app, ("app",), resolver.problems, in_file=resolver.in_file)
    url = getattr(app, "url", None)
    if isinstance(url, SecretStr):
        check_url(getattr(form, "url", url).get_secret_value(), ("app", "url"), resolver.problems)
        return app.model_copy(update={"url": _database(url, resolver, ("app", "url"))})
    if isinstance(url, str) and url.startswith(DEMO):
        file = _whole(url.removeprefix(DEMO), resolver, ("app", "url"))
        return app.model_copy(update={"url": f"{DEMO}{file}"})
    return app


def _loose(key: str, value: object, resolver: Resolver) -> object:
    """A setting of a connector from outside.

    Any may be a secret but what says where and what the records are.
    """
    if key in RECORDS:
        resolver.plain(value, ("app", key))
        return value
    return resolver.loose(value, ("app", key))


def _whole(file: str, resolver: Resolver, path: tuple[str, ...]) -> Path:
    """A file's absolute path, from the pair file's folder. What can be no path is noted."""
    with suppress(ValueError, RuntimeError):  # a NUL in the name, an unknown user's home
        if file.strip():
            return (resolver.folder / Path(file).expanduser()).resolve()
    resolver.problems.add(
        path, f"{path[-1]} names no file or folder", "Write a path from this file's folder."
    )
    return resolver.folder


def _alerts(form: AlertsForm, resolver: Resolver) -> AlertsForm:
    """The alerts with their receivers' URLs, each of which is a secret."""
    receivers = []
    for place, given in enumerate(form.notify):
        path = ("alerts", "notify", place)
        secret = resolver.secret(given, path)
        url = secret.get_secret_value()
        if path in resolver.in_file:
            what = f"[alerts] notify[{place}] stands in the file itself, where others can read it"
            resolver.problems.add(path, what, REFERENCE)
        elif url and "://" not in url:
            what = f"[alerts] notify[{place}] is not the URL of a notification service"
            remedy = 'Write one as Apprise has it, such as "slack://…" or "mailto://…".'
            resolver.problems.add(path, what, remedy)
        receivers.append(secret)
    return form.model_copy(update={"notify": receivers})


def _ghl(form: GhlForm, resolver: Resolver) -> GhlForm:
    ghl = resolver.table(form, ("ghl",))
    if ghl.url.startswith(SANDBOX):
        if ghl.token is not None and _REAL.match(ghl.token.get_secret_value()):
            what = "[ghl] token looks like one of GHL's, and a sandbox keeps its tokens in its file"
            resolver.problems.add(("ghl", "token"), what, "Leave it out: a sandbox needs none.")
        file = _whole(ghl.url.removeprefix(SANDBOX), resolver, ("ghl", "url"))
        return ghl.model_copy(update={"url": f"{SANDBOX}{file}"})
    if ghl.url and not is_reference(ghl.url):
        _check_host(ghl.url, resolver.problems)
    check_table(form, ghl, ("ghl",), resolver.problems, in_file=resolver.in_file)
    _check_credentials(ghl, resolver)
    return ghl


def _check_host(url: str, problems: Problems) -> None:
    scheme = url.partition("://")[0].lower()
    if scheme not in ("http", "https") or not host_of(url):
        problems.add(
            ("ghl", "url"),
            f'[ghl] url "{url}" is not a web address',
            'Write "https://…" or "sandbox:FILE".',
        )


def _check_credentials(form: GhlForm, resolver: Resolver) -> None:
    simple = 'token = "env:GHL_TOKEN" is the simple way.'
    if form.token is None and form.oauth is None:
        what = "[ghl] has neither a token nor oauth"
        resolver.problems.add(("ghl",), what, f"Add one; {simple}")
    elif form.token is not None and form.oauth is not None:
        what = "[ghl] has both a token and oauth"
        resolver.problems.add(("ghl",), what, f"Keep one; {simple}")


def _plain(form: BaseModel, without: set[str]) -> dict[str, Any]:
    return form.model_dump(mode="json", exclude=without)


def _without_password(url: object) -> str | None:
    if isinstance(url, SecretStr):
        url = url.get_secret_value()
    if not isinstance(url, str):
        return None
    parts = urlsplit(url)
    if parts.netloc:
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return url
