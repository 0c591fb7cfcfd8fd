"""One window of requests for all that send to a location, kept in the ledger's database.

They may send at the same time or one after the other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from connectors.throttle import LocalBudget, Result, Window

log = logging.getLogger("connectors.shared")

BUDGETS = sa.Table(
    "budgets",
    sa.MetaData(),
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)


_MOMENTS: Mapping[str, sa.ColumnElement[float]] = {
    "postgresql": sa.literal_column("extract(epoch FROM clock_timestamp())"),
    "sqlite": sa.literal_column("(julianday('now') - 2440587.5) * 86400.0"),
}

_GRAIN = 2.0
"""Seconds by which clocks may differ, and for which a transaction may last.

Up to there, nobody need have set a clock.
"""


class SharedBudget:
    """A window shared by processes through a database: SQLite in WAL mode or PostgreSQL.

    `name` is the location's. What is stored is in the time of the database's own clock, the one
    that all processes have in common; a step is carried out in the time of `clock`, this process's
    own, which nobody sets. Where the database's clock was set, the window moves with it: nobody
    waits longer than the window is long. `moment` gives the SQL of that clock.
    """

    def __init__(
        self,
        engine: sa.Engine,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        moment: Callable[[], sa.ColumnElement[float]] | None = None,
    ) -> None:
        self._engine = engine
        self._name = name
        self._clock = clock
        self._moment = moment or (lambda: _MOMENTS[engine.dialect.name])
        self._known: tuple[float, float] | None = None
        self._create()
        self._seed()

    def _create(self) -> None:
        try:
            BUDGETS.create(self._engine, checkfirst=True)
        except (sa.exc.ProgrammingError, sa.exc.IntegrityError, sa.exc.OperationalError):
            made_just_now = sa.inspect(self._engine).has_table(BUDGETS.name)  # by another process
            if not made_just_now:
                raise

    def _seed(self) -> None:
        row = {"name": self._name, "revision": 0, "body": msgspec.json.encode(Window()).decode()}
        try:
            with self._engine.begin() as connection:
                connection.execute(BUDGETS.insert().values(row))
        except sa.exc.IntegrityError:
            return  # another process, or an earlier run, was here first

    def change(self, step: Callable[[Window], Result]) -> Result:
        """Run `step` on the stored window in one transaction.

        The first statement writes, so that SQLite and PostgreSQL alike take the row before anything
        is read from it.
        """
        mine = BUDGETS.c.name == self._name
        taken = BUDGETS.update().where(mine).values(revision=BUDGETS.c.revision + 1)
        with self._engine.begin() as connection:
            looked = (BUDGETS.c.body, self._moment().label("moment"))
            if connection.dialect.update_returning:
                row = connection.execute(taken.returning(*looked)).one()
            else:
                connection.execute(taken)
                row = connection.execute(sa.select(*looked).where(mine)).one()
            window = msgspec.json.decode(row.body, type=Window)
            moment, own = float(row.moment), self._clock()
            window.shift(own - moment + self._set(window, moment, own))
            result = step(window)
            window.shift(moment - own)
            window.at = moment
            stored = msgspec.json.encode(window).decode()
            connection.execute(BUDGETS.update().where(mine).values(body=stored))
        self._known = (moment, own)
        return result

    def _set(self, window: Window, moment: float, own: float) -> float:
        """By how many seconds the database's clock was set since the window last changed.

        It is 0.0 where that is not seen.

        Back is seen by whoever comes next. Forward is seen by a process that was there before,
        while nobody else was since.
        """
        back = moment - window.at
        if window.at and back < -_GRAIN:
            log.warning(
                "the clock of the ledger's server was set back", extra={"seconds": round(-back)}
            )
            return back
        if self._known is None or window.at > self._known[0] + _GRAIN:
            return 0.0
        forward = (moment - self._known[0]) - (own - self._known[1])
        if forward > _GRAIN:
            log.warning(
                "the clock of the ledger's server was set forward",
                extra={"seconds": round(forward)},
            )
            return forward
        return 0.0


_OF_THE_DAY = ("day_limit", "day_left", "day_resets_at", "day_told_at", "blocked_until")
"""What of a window outlasts the few seconds that it is long."""


class CarriedBudget(LocalBudget):
    """A window of one process at a time, which begins the day where the process before it ended.

    Else the first requests of each further run of a day would be taken from the reserve, before an
    answer says what is left. The stored window is read when this is made and written by `save`, so
    that no request waits for the database.
    """

    def __init__(
        self,
        engine: sa.Engine,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        moment: Callable[[], sa.ColumnElement[float]] | None = None,
    ) -> None:
        self._stored = SharedBudget(engine, name, clock=clock, moment=moment)
        super().__init__(Window(**self._stored.change(_day)))

    def save(self) -> None:
        """Leave to the next process what is known of the day.

        A ledger that takes it no more, as on a full disk, ends no run: the next one asks once more
        than it would need to.
        """
        known = self.change(_day)

        def leave(stored: Window) -> None:
            for member, value in known.items():
                setattr(stored, member, value)

        try:
            self._stored.change(leave)
        except sa.exc.SQLAlchemyError:
            log.warning("what is left of the day's quota could not be kept")


def _day(window: Window) -> dict[str, Any]:
    return {member: getattr(window, member) for member in _OF_THE_DAY}
