"""Credentials for GHL.

A private integration token, or OAuth tokens renewed once per expiry however many ask.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, TypeGuard

from reconcile.errors import Malformed


class PrivateToken:
    """A private integration token (`pit-…`).

    Static, one location, no renewal (docs/ghl.md#authentication).
    """

    def __init__(self, token: str) -> None:
        self._token = token.strip()

    def __repr__(self) -> str:
        return "PrivateToken(…)"

    def headers(self) -> Mapping[str, str]:
        """The Authorization header."""
        return {"Authorization": f"Bearer {self._token}"}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """It cannot be renewed: a person makes a new one in GHL."""
        return False


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair as GHL gave it, to be exchanged from `renew_at` on (epoch seconds).

    Neither token ever shows in a repr.
    """

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    renew_at: float
    location: str | None = None
    company: str | None = None
    scopes: tuple[str, ...] = ()


class TokenStore(Protocol):
    """Where one location's pair lives between runs, shared by threads and processes."""

    def load(self) -> Tokens | None:
        """The pair as last stored, by whichever process."""
        ...

    def save(self, tokens: Tokens) -> None:
        """Store the pair durably, before anyone uses it."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Held by the one thread of the one process that renews."""
        ...


Renewal: TypeAlias = Callable[[Tokens | None], Tokens]
"""Exchanges a pair (None: there is none yet) for the next one at GHL.

Raises Expired where that cannot be.
"""


class OAuth:
    """Tokens from `store`, exchanged by `exchange`.

    They are exchanged shortly before they expire, or when GHL refuses them.

    Each exchange voids the pair it used (docs/ghl.md#authentication), so it happens under the
    store's lock, and the new pair is stored before it is used. Whoever waited for the lock takes
    the pair that is there by then.
    """

    def __init__(
        self, store: TokenStore, exchange: Renewal, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._exchange = exchange
        self._clock = clock
        self._mutex = threading.Lock()
        self._current: Tokens | None = None

    def __repr__(self) -> str:
        return "OAuth(…)"

    def headers(self) -> Mapping[str, str]:
        """The Authorization header with a token that is good for a while yet.

        Raises Expired where none can be had.
        """
        tokens = self._current
        if not self._usable(tokens, None):
            tokens = self._renewed(refused=None)
        return {"Authorization": f"Bearer {tokens.access}"}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """After a 401: another token than the refused one, from the store or from GHL."""
        self._renewed(refused=refused.get("Authorization", "").removeprefix("Bearer "))
        return True

    def _renewed(self, *, refused: str | None) -> Tokens:
        with self._mutex:
            if self._usable(self._current, refused):  # another thread renewed it meanwhile
                return self._current
            with self._store.lock():
                tokens = self._store.load()
                if not self._usable(tokens, refused):  # else another process did
                    tokens = self._exchanged(tokens)
            self._current = tokens
            return tokens

    def _usable(self, tokens: Tokens | None, refused: str | None) -> TypeGuard[Tokens]:
        if tokens is None or tokens.access == refused:
            return False
        return tokens.renew_at > self._clock()

    def _exchanged(self, spent: Tokens | None) -> Tokens:
        tokens = self._exchange(spent)
        if not tokens.access:
            raise Malformed("expected an access token in GHL's answer, found none")
        self._store.save(tokens)
        return tokens
