"""Ending what processes that are frozen (SIGSTOP, a paused machine) left under way in the database.

PostgreSQL's `idle_in_transaction_session_timeout` ends a transaction whose process sleeps between two statements. One
that sleeps amid a statement it does not see: while rows travel by COPY, a long statement has arrived by half, or a long
answer is taken in, the session counts as active. Its locks would keep a tracker's successor waiting, and its
transaction id, being the oldest under way, would hide all newer callbacks from every tracker, until it wakes up.
"""

from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.store import connect, lanes

# Sessions of ours that write, and wait in the middle of a statement for their process: for more of it, or until it has
# taken in the answer. Only trackers have no reason to be slow at that.
_END: Final = """
WITH waiting AS (
    SELECT pid, now() - state_change AS waited, wait_event,
           EXISTS (SELECT FROM pg_locks WHERE pg_locks.pid = session.pid AND relation = 'lanes'::regclass) AS is_tracker
      FROM pg_stat_activity AS session
     WHERE datname = current_database() AND usename = current_user AND application_name LIKE 'landed%%'
       AND state = 'active' AND wait_event IN ('ClientRead', 'ClientWrite') AND backend_xid IS NOT NULL
)
SELECT pg_terminate_backend(pid) FROM waiting
 WHERE (wait_event = 'ClientRead' OR is_tracker)
   AND waited > interval '1 second' * CASE
           WHEN wait_event = 'ClientRead' AND is_tracker THEN %(tracker_s)s ELSE %(other_s)s END
"""


async def end(pool: AsyncConnectionPool[AsyncConnection[Any]]) -> int:
    """End the sessions of processes that are frozen amid a statement. How many there were.

    Raises:
        StoreUnavailable: the database is away.
    """
    async with connect.transaction(pool) as connection:
        cursor = await connection.execute(_END, {"tracker_s": lanes.FROZEN_S_MAX, "other_s": connect.FROZEN_S_MAX})
        return len(await cursor.fetchall())
