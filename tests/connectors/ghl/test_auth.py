"""Tokens are renewed once per expiry however many ask, stored before they are used, and never shown."""

from __future__ import annotations

import multiprocessing
import socket
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet, MultiFernet

from connectors.ghl import GhlConnector, GhlSettings, OAuth, PrivateToken
from connectors.ghl.auth import Tokens
from connectors.ghl.login import Callback, login
from connectors.ghl.oauth import Exchange, LocationExchange, OAuthApp, consent
from connectors.ghl.sandbox import COMPANY, Fault, Sandbox, Settings, serve
from connectors.ghl.tokens import KEY_VARIABLE, LEASE_SECONDS, SqlTokenStore, cipher_from
from connectors.throttle import LocalBudget, Window
from reconcile.errors import Expired, Forbidden, InvalidField, StateError, Transient
from reconcile.model import Entity, OpKind, Status
from reconcile.ports import Write
from tests.connectors.ghl.fake_ghl import Script, answer
from tests.connectors.ghl.hosted import LOCATION, VERSIONS, unlimited

CLIENT, SECRET = "app-1", "very-secret-0001"
KEY = Fernet.generate_key()


def app_at(url: str, **changes: Any) -> OAuthApp:
    """The marketplace app of the tests."""
    return OAuthApp(
        CLIENT,
        SECRET,
        url=url,
        authorize_url=f"{url}/v2/oauth/chooselocation",
        redirect_uri=changes.pop("redirect_uri", "http://127.0.0.1/callback"),
        **changes,
    )


@contextmanager
def engine_at(path: Path) -> Iterator[sa.Engine]:
    """The ledger's database."""
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
    try:
        yield engine
    finally:
        engine.dispose()


def store_on(engine: sa.Engine) -> SqlTokenStore:
    """A token store with the tests' key."""
    return SqlTokenStore(engine, LOCATION, cipher=MultiFernet([Fernet(KEY)]))


@contextmanager
def sandbox(**settings: Any) -> Iterator[tuple[Sandbox, str]]:
    """A served location with the app installed."""
    box = Sandbox(unlimited(**settings))
    box.add_location(LOCATION)
    box.add_client(CLIENT, SECRET)
    box.seed_contacts(LOCATION, [{"email": f"p{n}@example.com"} for n in range(20)])
    with serve(box) as url:
        yield box, url
    box.close()


def first_pair(app: OAuthApp) -> Tokens:
    """A pair by way of the consent page, as a browser would go."""
    asked = consent(app)
    reply = httpx.get(asked.url, follow_redirects=False)
    code = parse_qs(urlsplit(reply.headers["location"]).query)["code"][0]
    exchange = Exchange(app)
    try:
        return exchange.code(code, asked.verifier)
    finally:
        exchange.close()


def connect(url: str, auth: OAuth, **settings: Any) -> GhlConnector:
    """A connector with OAuth that does not wait."""
    return GhlConnector(
        GhlSettings(location=LOCATION, url=url, fields={Entity.CONTACT: ("email",)}, **settings),
        auth=auth,
        budget=LocalBudget(Window(limit=1_000_000)),
        sleep=lambda seconds: None,
    )


def refreshes(box: Sandbox) -> int:
    """How many requests reached the token endpoint."""
    return sum(record.path == "/oauth/token" for record in box.log)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_code_becomes_a_pair_and_the_pair_the_next(tmp_path: Path, version: Any) -> None:
    """The first pair reads the location, and so does the one it is exchanged for, in either version's spelling."""
    with sandbox() as (_, url), engine_at(tmp_path / "l.db") as engine:
        app, store = app_at(url, version=version), store_on(engine)
        pair = first_pair(app)
        assert (pair.location, pair.company) == (LOCATION, COMPANY)
        store.save(pair)
        exchange = Exchange(app)
        following = exchange(pair)
        assert following.access != pair.access
        assert following.refresh != pair.refresh
        connector = connect(url, OAuth(store, exchange), version=version)
        assert connector.describe().identity
        connector.close()
        exchange.close()


def expire(box: Sandbox, store: SqlTokenStore) -> None:
    """The access token stops being good on GHL's side before its time."""
    held = store.load()
    assert held is not None
    box.revoke_token(held.access)


def test_eight_threads_renew_once(tmp_path: Path) -> None:
    """A token revoked in mid-run is renewed by one request, whoever meets the 401 first, and no request is lost."""
    with sandbox() as (box, url), engine_at(tmp_path / "l.db") as engine:
        store = store_on(engine)
        store.save(first_pair(app_at(url)))
        exchange = Exchange(app_at(url))
        connector = connect(url, OAuth(store, exchange), concurrency=8)
        keys = tuple(row["id"] for row in box.contacts(LOCATION))
        before = refreshes(box)
        expire(box, store)
        found = in_threads(8, lambda n: connector.read(Entity.CONTACT, keys[n]))
        assert [record is not None for record in found] == [True] * 8
        assert refreshes(box) - before == 1
        connector.close()
        exchange.close()


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """The results of `count` threads that start together."""
    results: list[Any] = [None] * count
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def reader_process(url: str, ledger: str, key: bytes, keys: list[str], pipe: Any) -> None:
    """Eight threads of a process read contacts with the token that is in the ledger."""
    with engine_at(Path(ledger)) as engine:
        store = SqlTokenStore(engine, LOCATION, cipher=MultiFernet([Fernet(key)]))
        connector = connect(url, OAuth(store, Exchange(app_at(url))), concurrency=8)
        connector.read(Entity.CONTACT, keys[0])
        pipe.send("ready")
        pipe.recv()
        found = in_threads(8, lambda n: connector.read(Entity.CONTACT, keys[n]))
        pipe.send([record is not None for record in found])
        connector.close()


def test_two_processes_renew_once(tmp_path: Path) -> None:
    """Eight threads in each of two processes share one renewal through the ledger."""
    ledger = str(tmp_path / "l.db")
    spawn = multiprocessing.get_context("spawn")
    with sandbox() as (box, url), engine_at(Path(ledger)) as engine:
        store = store_on(engine)
        store.save(first_pair(app_at(url)))
        keys = [row["id"] for row in box.contacts(LOCATION)]
        pipes = []
        for _ in range(2):
            ours, theirs = spawn.Pipe()
            spawn.Process(
                target=reader_process, args=(url, ledger, KEY, keys, theirs), daemon=True
            ).start()
            pipes.append(ours)
        assert [pipe.recv() for pipe in pipes] == ["ready", "ready"]
        before = refreshes(box)
        expire(box, store)
        for pipe in pipes:
            pipe.send("go")
        assert [pipe.recv() for pipe in pipes] == [[True] * 8] * 2
        assert refreshes(box) - before <= 2
        for pipe in pipes:
            pipe.close()


def test_a_token_is_renewed_before_it_expires(tmp_path: Path) -> None:
    """Shortly before the end of its life the pair is exchanged without waiting for a 401."""
    with engine_at(tmp_path / "l.db") as engine:
        store = store_on(engine)
        store.save(Tokens("old", "r1", renew_at=1000.0))
        spent: list[Tokens | None] = []

        def exchange(tokens: Tokens | None) -> Tokens:
            spent.append(tokens)
            return Tokens("new", "r2", renew_at=5000.0)

        now = [999.0]
        auth = OAuth(store, exchange, clock=lambda: now[0])
        assert auth.headers() == {"Authorization": "Bearer old"}
        now[0] = 1000.0
        assert auth.headers() == {"Authorization": "Bearer new"}
        assert auth.headers() == {"Authorization": "Bearer new"}
        assert [held.refresh for held in spent if held] == ["r1"]


def test_the_new_pair_is_stored_before_it_is_used(tmp_path: Path) -> None:
    """Where the pair cannot be stored, it is not used: the old one would be lost."""

    class Failing(SqlTokenStore):
        def save(self, tokens: Tokens) -> None:
            raise OSError("disk full")

    with engine_at(tmp_path / "l.db") as engine:
        store = Failing(engine, LOCATION, cipher=MultiFernet([Fernet(KEY)]))
        auth = OAuth(store, lambda spent: Tokens("new", "r2", renew_at=9e9), clock=lambda: 0.0)
        with pytest.raises(OSError, match="disk full"):
            auth.headers()
        assert store.load() is None


def test_a_pair_renewed_by_another_process_is_taken(tmp_path: Path) -> None:
    """After a 401, the pair that another process has stored meanwhile is used, without a renewal of our own."""
    with engine_at(tmp_path / "l.db") as engine:
        store = store_on(engine)
        store.save(Tokens("old", "r1", renew_at=9e9))

        def never(spent: Tokens | None) -> Tokens:
            raise AssertionError("nothing to exchange")

        auth = OAuth(store, never, clock=lambda: 0.0)
        refused = auth.headers()
        store.save(Tokens("theirs", "r2", renew_at=9e9))
        assert auth.renew(refused)
        assert auth.headers() == {"Authorization": "Bearer theirs"}


def test_a_lost_answer_of_a_renewal_is_asked_for_again(tmp_path: Path) -> None:
    """Within the grace GHL gives the same new pair again, so a reset connection costs nothing."""
    with sandbox() as (box, url):
        app = app_at(url)
        pair = first_pair(app)
        box.arm(Fault(kind="reset_after", path="/oauth/token", nth=1))
        exchange = Exchange(app, sleep=lambda seconds: None)
        assert exchange(pair).access != pair.access
        exchange.close()


def test_all_tries_of_a_renewal_fall_within_the_grace() -> None:
    """Three answers lost at the longest, with the waits between them, take less than the 30 s after which the token is spent."""
    spent: list[float] = []

    def lost(request: httpx.Request) -> httpx.Response:
        limits = request.extensions["timeout"]
        spent.append(limits["connect"] + limits["read"])
        raise httpx.ReadTimeout("lost", request=request)

    exchange = Exchange(
        app_at("http://ghl.invalid"), sleep=spent.append, transport=httpx.MockTransport(lost)
    )
    with pytest.raises(Transient):
        exchange(Tokens(access="a", refresh="r", renew_at=0.0))
    assert len(spent) == 5  # three tries, two waits
    assert sum(spent[:-1]) - 11 < 30  # the last try has begun
    assert sum(spent) < LEASE_SECONDS


def test_a_spent_refresh_token_is_expired() -> None:
    """A pair that was voided longer ago than the grace cannot be renewed: a person must authorise again."""
    with sandbox(refresh_grace_seconds=0.0) as (_, url):
        app = app_at(url)
        pair = first_pair(app)
        exchange = Exchange(app)
        exchange(pair)
        threading.Event().wait(0.01)
        with pytest.raises(Expired, match="invalid_grant") as caught:
            exchange(pair)
        assert "auth login" in caught.value.remedy
        exchange.close()


def test_no_pair_at_all_is_expired(tmp_path: Path) -> None:
    """Without a login there is nothing to renew with."""
    with engine_at(tmp_path / "l.db") as engine, pytest.raises(Expired):
        OAuth(store_on(engine), Exchange(app_at("http://127.0.0.1:9"))).headers()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_agency_token_gives_a_location_token(tmp_path: Path, version: Any) -> None:
    """The agency's pair is exchanged for a location's token, which reads that location."""
    with sandbox() as (_, url), engine_at(tmp_path / "l.db") as engine:
        app = app_at(url, user_type="Company", version=version)
        agency_store = SqlTokenStore(engine, "agency", cipher=MultiFernet([Fernet(KEY)]))
        agency_store.save(first_pair(app))
        agency = OAuth(agency_store, Exchange(app))
        place = LocationExchange(app, agency=agency, company=COMPANY, location=LOCATION)
        connector = connect(url, OAuth(store_on(engine), place), version=version)
        pages = list(connector.extract(Entity.CONTACT))
        assert pages[0].rows == 20  # type: ignore[union-attr]
        connector.close()
        place.close()


def test_login_goes_through_the_browser(tmp_path: Path) -> None:
    """Consent page, callback with our state, exchange with PKCE, pair stored encrypted."""
    with sandbox() as (_, url), engine_at(tmp_path / "l.db") as engine:
        callback, store = Callback(), store_on(engine)
        app = app_at(url, redirect_uri=callback.url)
        exchange = Exchange(app)

        def browser(address: str) -> None:
            threading.Thread(
                target=lambda: urllib.request.urlopen(address).read(),  # noqa: S310
                daemon=True,
            ).start()

        tokens = login(
            app, store=store, open_browser=browser, exchange=exchange, callback=callback, seconds=10
        )
        exchange.close()
        assert store.load() == tokens
        raw = (tmp_path / "l.db").read_bytes()
        assert tokens.access.encode() not in raw
        assert str(tokens.refresh).encode() not in raw


def test_strangers_do_not_disturb_a_login(tmp_path: Path) -> None:
    """An icon, another state, letters beyond ASCII, a broken request and a connection that says nothing: the answer still counts."""
    with sandbox() as (_, url), engine_at(tmp_path / "l.db") as engine:
        callback, store = Callback(), store_on(engine)
        app = app_at(url, redirect_uri=callback.url)
        exchange = Exchange(app)
        place = urlsplit(callback.url)
        idle = [socket.create_connection((place.hostname, place.port)) for _ in range(20)]
        said: list[bytes] = []

        def browser(address: str) -> None:
            for line in (
                *(
                    b"GET /favicon.ico HTTP/1.1",
                    b"GET /callback?code=stolen&state=another HTTP/1.1",
                    b"GET /callback HTTP/1.1",
                ),
                *(
                    "GET /callback?state=é HTTP/1.1".encode(),
                    b"GET /callback?state=%C3%A9&code=1 HTTP/1.1",
                ),
                *(
                    b"GET //[ HTTP/1.1",
                    b"POST /callback HTTP/1.1",
                    b"\x16\x03\x01",
                    b"GET /callback?" + b"a=1&" * 200 + b" HTTP/1.1",
                ),
            ):
                with socket.create_connection((place.hostname, place.port)) as stranger:
                    stranger.sendall(line + b"\r\nHost: x\r\n\r\n")
                    said.append(stranger.recv(9_000)[:12])
            threading.Thread(
                target=lambda: urllib.request.urlopen(address).read(),  # noqa: S310
                daemon=True,
            ).start()

        tokens = login(
            app, store=store, open_browser=browser, exchange=exchange, callback=callback, seconds=30
        )
        exchange.close()
        for each in idle:
            each.close()
        assert store.load() == tokens
        assert not [answer for answer in said if b"200" in answer]


@pytest.mark.parametrize(
    "query", ["code=stolen&state=another", "code=stolen", "state={state}&error=denied"]
)
def test_an_answer_that_is_not_ours_is_refused(tmp_path: Path, query: str) -> None:
    """A callback with another state, or without a code, is no login."""
    with engine_at(tmp_path / "l.db") as engine:
        callback, store = Callback(), store_on(engine)
        app = app_at("http://127.0.0.1:9", redirect_uri=callback.url)

        def browser(address: str) -> None:
            state = parse_qs(urlsplit(address).query)["state"][0]
            target = f"{callback.url}?{query.format(state=state)}"
            threading.Thread(target=lambda: httpx.get(target), daemon=True).start()

        exchange = Exchange(app)
        with pytest.raises(Expired):
            login(
                app,
                store=store,
                open_browser=browser,
                exchange=exchange,
                callback=callback,
                seconds=2,
            )
        exchange.close()
        assert store.load() is None


def test_a_browser_that_never_answers_is_expired(tmp_path: Path) -> None:
    """Nobody consents in time: an error that says so, and nothing stored."""
    with engine_at(tmp_path / "l.db") as engine:
        callback = Callback()
        app = app_at("http://127.0.0.1:9", redirect_uri=callback.url)
        exchange = Exchange(app)
        with pytest.raises(Expired, match="no answer"):
            login(
                app,
                store=store_on(engine),
                open_browser=lambda address: None,
                exchange=exchange,
                callback=callback,
                seconds=0.01,
            )
        exchange.close()


def test_pkce_is_left_out_where_it_is_not_known() -> None:
    """An endpoint that refuses code_verifier is asked once more without it."""
    pair = {"access_token": "a", "refresh_token": "r", "expires_in": 86399}
    refusal = answer(
        {"statusCode": 422, "message": ["property code_verifier should not exist"]}, status=422
    )
    script = Script({("POST", "/oauth/token"): [refusal, answer(pair)]})
    exchange = Exchange(app_at("http://ghl.invalid"), transport=httpx.MockTransport(script))
    assert exchange.code("c", "verifier").access == "a"
    forms = [parse_qs(request.content.decode()) for request in script.asked]
    assert ["code_verifier" in form for form in forms] == [True, False]


@pytest.mark.parametrize(
    ("status", "error"), [(401, Expired), (403, Forbidden), (422, InvalidField)]
)
def test_an_oauth_error_never_repeats_what_it_was_told(status: int, error: type[Exception]) -> None:
    """Whatever the answer says, neither token nor secret is in the error, its cause or its context."""
    said = {
        "error": "invalid_grant",
        "error_description": f"refresh token rt-0001 of {SECRET} is invalid",
    }
    script = Script({("POST", "/oauth/token"): [answer(said, status=status)]})
    exchange = Exchange(app_at("http://ghl.invalid"), transport=httpx.MockTransport(script))
    with pytest.raises(error) as caught:
        exchange(Tokens("at-0001", "rt-0001", renew_at=0.0))
    shown = f"{caught.value} {caught.value.__cause__} {caught.value.__context__} {caught.value!r}"
    assert not any(secret in shown for secret in ("rt-0001", "at-0001", SECRET))


def test_nothing_that_holds_a_secret_shows_it(tmp_path: Path) -> None:
    """Repr and str of every noun with a secret leave it out."""
    with engine_at(tmp_path / "l.db") as engine:
        tokens = Tokens("at-0001", "rt-0001", renew_at=0.0)
        app = app_at("http://127.0.0.1:9")
        exchange = Exchange(app)
        store = store_on(engine)
        auth = OAuth(store, exchange)
        private = PrivateToken("pit-0001")
        connector = GhlConnector(GhlSettings(location=LOCATION), auth=private)
        shown = " ".join(
            map(repr, (tokens, app, exchange, auth, store, private, connector, consent(app)))
        )
        exchange.close()
        connector.close()
    assert not any(
        secret in shown for secret in ("at-0001", "rt-0001", SECRET, "pit-0001", KEY.decode())
    )


# Tokens at rest.


def test_a_key_comes_from_the_environment_first(tmp_path: Path) -> None:
    """Several keys, newest first, open what older ones closed; no key file is made."""
    old, new = Fernet.generate_key(), Fernet.generate_key()
    closed = MultiFernet([Fernet(old)]).encrypt(b"pair")
    cipher = cipher_from(
        {KEY_VARIABLE: f"{new.decode()},{old.decode()}"}, key_file=tmp_path / "key"
    )
    assert cipher.decrypt(closed) == b"pair"
    assert not (tmp_path / "key").exists()


_KEYRING = "def get_password(service, name):\n    return {key!r} if name == 'tokens' else None\n"


def test_a_key_in_the_keyring_is_taken_before_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the desktop's keyring has a key, that one is used, and no key file is made."""
    key = Fernet.generate_key().decode()
    package = tmp_path / "installed" / "keyring"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(_KEYRING.format(key=key))
    (package / "errors.py").write_text("class KeyringError(Exception):\n    pass\n")
    monkeypatch.syspath_prepend(package.parent)
    for name in ("keyring", "keyring.errors"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    closed = cipher_from({}, key_file=tmp_path / "key").encrypt(b"pair")
    for name in ("keyring", "keyring.errors"):
        del sys.modules[name]
    assert Fernet(key).decrypt(closed) == b"pair"
    assert not (tmp_path / "key").exists()


def test_a_key_file_is_made_once_with_mode_0600(tmp_path: Path) -> None:
    """Without a key anywhere one is made, readable by its owner alone, and used from then on."""
    path = tmp_path / "key"
    closed = cipher_from({}, key_file=path).encrypt(b"pair")
    assert path.stat().st_mode & 0o777 == 0o600
    assert cipher_from({}, key_file=path).decrypt(closed) == b"pair"


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The error says which file, its mode, and the remedy."""
    path = tmp_path / "key"
    cipher_from({}, key_file=path)
    path.chmod(0o644)
    with pytest.raises(StateError, match="0644"):
        cipher_from({}, key_file=path)


def test_a_malformed_key_is_refused(tmp_path: Path) -> None:
    """A key that is none is said to be none, without showing it."""
    with pytest.raises(StateError, match=KEY_VARIABLE) as caught:
        cipher_from({KEY_VARIABLE: "not-a-key"}, key_file=tmp_path / "key")
    assert "not-a-key" not in str(caught.value)


def test_another_key_does_not_open_the_store(tmp_path: Path) -> None:
    """A pair stored with another key is an error that names the remedy, not a missing pair."""
    with engine_at(tmp_path / "l.db") as engine:
        store_on(engine).save(Tokens("a", "r", renew_at=0.0))
        other = SqlTokenStore(engine, LOCATION, cipher=MultiFernet([Fernet(Fernet.generate_key())]))
        with pytest.raises(StateError, match="cannot be opened"):
            other.load()


def test_logout_forgets_the_pair(tmp_path: Path) -> None:
    """After forget there is no pair, and the location's row can be used again."""
    with engine_at(tmp_path / "l.db") as engine:
        store = store_on(engine)
        store.save(Tokens("a", "r", renew_at=0.0))
        store.forget()
        assert store.load() is None


def test_the_lock_of_a_dead_process_expires(tmp_path: Path) -> None:
    """A holder that never released is waited for no longer than its lease."""
    with engine_at(tmp_path / "l.db") as engine:
        now = [1000.0]

        def sleep(seconds: float) -> None:
            now[0] += 10

        store = SqlTokenStore(
            engine, LOCATION, cipher=MultiFernet([Fernet(KEY)]), clock=lambda: now[0], sleep=sleep
        )
        dead = store.lock()
        dead.__enter__()
        with store.lock():
            assert now[0] >= 1060.0
        dead.__exit__(None, None, None)


def test_settings_of_the_sandbox_are_the_documented_ones() -> None:
    """The grace that renewals rely on is GHL's documented thirty seconds."""
    assert Settings().refresh_grace_seconds == 30.0


def test_a_token_that_dies_in_mid_run_loses_nothing(tmp_path: Path) -> None:
    """A read of many pages goes on through a revoked token with one renewal, and so do writes."""
    with sandbox() as (box, url), engine_at(tmp_path / "l.db") as engine:
        store = store_on(engine)
        store.save(first_pair(app_at(url)))
        exchange = Exchange(app_at(url))
        connector = connect(url, OAuth(store, exchange), page_size=1)
        before = refreshes(box)
        pages = connector.extract(Entity.CONTACT)
        rows = sum(next(pages).rows for _ in range(5))  # type: ignore[union-attr]
        expire(box, store)
        *rest, proof = pages
        assert rows + sum(page.rows for page in rest) == 20  # type: ignore[union-attr]
        assert proof.complete  # type: ignore[union-attr]
        expire(box, store)
        writes = [
            Write(str(n), OpKind.CREATE, Entity.CONTACT, fields={"email": f"new{n}@example.com"})
            for n in range(16)
        ]
        assert {reply.status for reply in connector.write(writes)} == {Status.DONE}
        assert len(box.contacts(LOCATION)) == 36
        assert refreshes(box) - before == 2
        connector.close()
        exchange.close()


def test_short_lived_tokens_are_renewed_as_often_as_needed(tmp_path: Path) -> None:
    """With tokens of a hundred seconds, a run that outlives several never meets a refusal it cannot mend."""
    clock = [1_790_000_000.0]
    box = Sandbox(unlimited(access_token_seconds=100), clock=lambda: clock[0])
    box.add_location(LOCATION)
    box.add_client(CLIENT, SECRET)
    with serve(box) as url, engine_at(tmp_path / "l.db") as engine:
        store, app = store_on(engine), app_at(url)
        asked = consent(app)
        code = parse_qs(urlsplit(httpx.get(asked.url).headers["location"]).query)["code"][0]
        exchange = Exchange(app, clock=lambda: clock[0])
        store.save(exchange.code(code, asked.verifier))
        connector = connect(url, OAuth(store, exchange, clock=lambda: clock[0]))
        before = refreshes(box)
        for _ in range(10):
            connector.read(Entity.CONTACT, "AbsentAbsentAbsent00")
            clock[0] += 45.0
        assert refreshes(box) - before == 4
        assert not any(record.status == 401 for record in box.log)
        connector.close()
        exchange.close()
    box.close()
