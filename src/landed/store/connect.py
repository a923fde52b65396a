"""Connections to PostgreSQL for statements that are fixed. Composed queries have theirs in reading.py."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from landed.domain.errors import StoreUnavailable
from landed.store import arrays

#: Errors that mean the database is away, starting, stopping or out of connections: try again later.
UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,  # we slept amid a transaction, and others went on
    PoolTimeout,
    OSError,
)
#: A host that is gone does not say so: give up after these, in seconds and milliseconds.
OPTIONS: Final[dict[str, Any]] = {"connect_timeout": 5, "tcp_user_timeout": 10_000}
#: Classes of SQLSTATE that psycopg counts among those, but which time does not mend, or a mere repeat does:
#: transaction rollback (deadlock, serialization), and program limits (a value too long for an index).
_NOT_AWAY: Final = frozenset({"40", "54"})
#: No transaction waits for anybody but the database, so one that does nothing for this long belongs to a process that
#: is frozen (SIGSTOP, a paused machine): its locks must not keep the others waiting until it wakes up.
FROZEN_S_MAX: Final = 30
_PIECE_BYTES: Final = 2**18
_LIMIT: Final = f"SET idle_in_transaction_session_timeout = '{FROZEN_S_MAX}s'"


def pool(database_url: str, *, connections_max: int) -> AsyncConnectionPool[AsyncConnection[Any]]:
    """For statements that are fixed. Open it before use."""
    return _Pool(
        database_url,
        min_size=1,
        max_size=connections_max,
        open=False,
        timeout=5,
        reconnect_timeout=0,
        check=AsyncConnectionPool.check_connection,
        configure=_configure,
        kwargs={"autocommit": True, **OPTIONS, "application_name": "landed"},
    )


class _Pool(AsyncConnectionPool[AsyncConnection[Any]]):
    """Who is cancelled while they wait for a connection is: the pool waits with `wait_for`, which before Python 3.12
    loses a cancellation that meets its result, and a loop that was to end would go on for ever."""

    async def getconn(self, timeout: float | None = None) -> AsyncConnection[Any]:  # noqa: ASYNC109  the pool's own
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  who can wait is one
        cancelled = task.cancelling()
        connection = await super().getconn(timeout)
        if task.cancelling() > cancelled:
            await self.putconn(connection)
            raise asyncio.CancelledError
        return connection


async def _configure(connection: AsyncConnection[Any]) -> None:
    arrays.register(connection)
    await connection.execute(_LIMIT)


async def read_in_long_pieces(connection: AsyncConnection[Any]) -> None:
    """For whoever reads thousands of rows. libpq reads as much at once as its buffer takes, and only a long value makes
    that longer, for good: or else rows come 16 KB at a time, each with a turn of the event loop."""
    await connection.execute("SELECT repeat(' ', %s)", [_PIECE_BYTES])


@contextmanager
def translated() -> Iterator[None]:
    """Turn a driver's 'the database is away' into StoreUnavailable, and leave mistakes of ours as they are."""
    try:
        yield
    except UNAVAILABLE as error:
        if isinstance(error, psycopg.Error) and (error.sqlstate or "")[:2] in _NOT_AWAY:
            raise
        raise StoreUnavailable(f"The database is away: {type(error).__name__}.") from error


@asynccontextmanager
async def transaction(connections: AsyncConnectionPool[AsyncConnection[Any]]) -> AsyncIterator[AsyncConnection[Any]]:
    """One transaction on a connection of the pool.

    Raises:
        StoreUnavailable: the database is away; nothing was written.
    """
    with translated():
        async with connections.connection() as connection, connection.transaction():
            yield connection


@asynccontextmanager
async def aside(connections: AsyncConnectionPool[AsyncConnection[Any]]) -> AsyncIterator[AsyncConnection[Any]]:
    """A connection of its own, to where the pool's go: for who holds one of the pool's already, since two that wait for
    a second one would wait for each other.

    Raises:
        StoreUnavailable: the database is away.
    """
    given = connections.kwargs
    assert isinstance(given, dict)  # noqa: S101  see pool
    with translated():
        async with await AsyncConnection.connect(str(connections.conninfo), **given) as connection:
            yield connection
