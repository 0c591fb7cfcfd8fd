"""OAuth tokens at rest.

Encrypted in a database that threads and processes share, with the lock that renewing takes.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from connectors.ghl.auth import Tokens
from reconcile.errors import StateError, WrongLocation

KEY_VARIABLE = "GHL_RECONCILE_KEY"
KEYRING_SERVICE = "ghl-reconcile"

LEASE_SECONDS = 120.0
"""A renewal takes a second or two, with its repeats half a minute.

A holder that has been silent this long has died.
"""

TOKENS = sa.Table(
    "oauth_tokens",
    sa.MetaData(),
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=True),
    sa.Column("held_by", sa.String(32), nullable=True),
    sa.Column("held_until", sa.Float, nullable=False),
)


class SqlTokenStore:
    """One pair of tokens in `engine`, under `name`, encrypted with `cipher` (see `cipher_from`).

    Where `location` is given, the tokens of no other one are kept here or given out. `clock` gives
    epoch seconds: all processes that share the database must agree on it.
    """

    def __init__(
        self,
        engine: sa.Engine,
        name: str,
        *,
        cipher: MultiFernet,
        location: str | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine = engine
        self.name = name
        self._cipher = cipher
        self._location = location
        self._clock = clock
        self._sleep = sleep
        self._create()
        self._seed()

    def __repr__(self) -> str:
        return f"SqlTokenStore({self.name!r})"

    def _create(self) -> None:
        try:
            TOKENS.create(self._engine, checkfirst=True)
        except (sa.exc.ProgrammingError, sa.exc.IntegrityError, sa.exc.OperationalError):
            made_just_now = sa.inspect(self._engine).has_table(TOKENS.name)  # by another process
            if not made_just_now:
                raise

    def _seed(self) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(TOKENS.insert().values(name=self.name, held_until=0.0))
        except sa.exc.IntegrityError:
            return  # it is there already

    def load(self) -> Tokens | None:
        """The pair as last stored; None where there is none.

        Raises StateError where no known key opens it, WrongLocation where it was stored for another
        location.
        """
        with self._engine.connect() as connection:
            query = sa.select(TOKENS.c.body).where(TOKENS.c.name == self.name)
            body = connection.execute(query).scalar_one_or_none()
        if body is None:
            return None
        try:
            tokens = msgspec.json.decode(self._cipher.decrypt(body), type=Tokens)
        except InvalidToken:
            raise StateError(
                f"the stored token of {self.name} cannot be opened with this key",
                remedy=(
                    f"give the key it was stored with in {KEY_VARIABLE}, or run auth login again"
                ),
                code="TOKEN_KEY",
            ) from None
        self._check(tokens)
        return tokens

    def save(self, tokens: Tokens) -> None:
        """Store the pair; it is committed when this returns.

        Raises WrongLocation for the tokens of another location.
        """
        self._check(tokens)
        body = self._cipher.encrypt(msgspec.json.encode(tokens))
        with self._engine.begin() as connection:
            connection.execute(TOKENS.update().where(TOKENS.c.name == self.name).values(body=body))

    def _check(self, tokens: Tokens) -> None:
        if self._location is None or tokens.location in (None, self._location):
            return
        raise WrongLocation(
            f"the token is for location {tokens.location}, the pair file names {self._location}",
            remedy="log in again and choose that location, or change the pair file",
        )

    def forget(self) -> None:
        """Remove the pair (logout)."""
        with self._engine.begin() as connection:
            connection.execute(TOKENS.update().where(TOKENS.c.name == self.name).values(body=None))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Alone among all threads and processes.

        It is a lease, so that a process that died does not hold it for ever.
        """
        holder = uuid.uuid4().hex
        while not self._take(holder):
            self._sleep(0.05)
        try:
            yield
        finally:
            self._release(holder)

    def _take(self, holder: str) -> bool:
        now = self._clock()
        free = sa.and_(TOKENS.c.name == self.name, TOKENS.c.held_until <= now)
        take = TOKENS.update().where(free)
        with self._engine.begin() as connection:
            taken = connection.execute(take.values(held_by=holder, held_until=now + LEASE_SECONDS))
        return taken.rowcount == 1

    def _release(self, holder: str) -> None:
        mine = sa.and_(TOKENS.c.name == self.name, TOKENS.c.held_by == holder)
        with self._engine.begin() as connection:
            connection.execute(TOKENS.update().where(mine).values(held_by=None, held_until=0.0))


def stored_under(engine: sa.Engine, name: str) -> list[str]:
    """The names under which tokens are stored: `name` itself, and what begins with `name/`."""
    if not sa.inspect(engine).has_table(TOKENS.name):
        return []
    below = TOKENS.c.name.startswith(f"{name}/", autoescape=True)
    mine = sa.and_(TOKENS.c.body.is_not(None), sa.or_(TOKENS.c.name == name, below))
    with engine.connect() as connection:
        return list(connection.execute(sa.select(TOKENS.c.name).where(mine)).scalars())


def cipher_from(environment: Mapping[str, str], *, key_file: Path) -> MultiFernet:
    """The cipher for tokens.

    Its keys come from the environment (several, newest first, by comma), the keyring, or
    `key_file`.

    The key file is made, with mode 0600, where none of them has a key. Raises StateError for a
    malformed key, and for a key file that others can read.
    """
    stated = environment.get(KEY_VARIABLE) or _from_keyring()
    text = stated or _from_file(key_file)
    keys = [key.strip() for key in text.replace("\n", ",").split(",") if key.strip()]
    try:
        return MultiFernet([Fernet(key.encode()) for key in keys])
    except ValueError:
        where = KEY_VARIABLE if stated else str(key_file)
        raise StateError(
            f"{where} does not hold a Fernet key: 32 bytes in URL-safe base64 were expected",
            remedy=(
                'make one: python -c "from cryptography.fernet import Fernet; '
                'print(Fernet.generate_key().decode())"'
            ),
            code="TOKEN_KEY",
        ) from None


def _from_keyring() -> str:
    """The key in the desktop's keyring; "" where there is no keyring, as on most servers."""
    if importlib.util.find_spec("keyring") is None:
        return ""
    keyring, failures = (
        importlib.import_module("keyring"),
        importlib.import_module("keyring.errors"),
    )
    try:
        return str(keyring.get_password(KEYRING_SERVICE, "tokens") or "")
    except failures.KeyringError:
        return ""


def _from_file(path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _private(path)
    except OSError as error:
        raise StateError(
            f"the key of the tokens can neither be found nor made at {path} ({error.strerror})",
            remedy=f"put a key into the environment variable {KEY_VARIABLE}",
            code="TOKEN_KEY",
        ) from None
    with os.fdopen(handle, "wb") as file:
        file.write(Fernet.generate_key() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return path.read_text()


def _private(path: Path) -> str:
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise StateError(
            f"{path} has mode {mode:04o}: others can read the key",
            remedy=f"chmod 600 {path}, and consider the tokens it protected as known",
            code="TOKEN_KEY",
        )
    return path.read_text()
