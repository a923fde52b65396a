"""Ending what processes that are frozen (SIGSTOP, a paused machine) left under way in the database.

PostgreSQL's `idle_in_transaction_session_timeout` ends a transaction whose process sleeps between two statements. One
that sleeps amid a statement it does not see: while rows travel by COPY, or a long statement has arrived by half, the
session counts as active. Its locks would keep a tracker's successor waiting, and its transaction id, being the oldest
under way, would hide all newer callbacks from every tracker, until it wakes up.
"""

from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.store import connect, lanes

# Sessions of ours that write, and wait in the middle of a statement for more of it from their process.
_END: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity AS session
 WHERE datname = current_database() AND usename = current_user AND application_name LIKE 'landed%%'
   AND state = 'active' AND wait_event = 'ClientRead' AND backend_xid IS NOT NULL
   AND state_change < now() - interval '1 second' * CASE
           WHEN EXISTS (SELECT FROM pg_locks WHERE pg_locks.pid = session.pid AND relation = 'lanes'::regclass)
           THEN %(tracker_s)s ELSE %(other_s)s END
"""


async def end(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> int:
    """End the sessions of processes that are frozen amid a statement. How many there were.

    Raises:
        StoreUnavailable: the database is away.
    """
    async with connect.transaction(pool) as connection:
        cursor = await connection.execute(_END, {"tracker_s": lanes.FROZEN_S_MAX, "other_s": connect.FROZEN_S_MAX})
        return len(await cursor.fetchall())
