"""The journal in PostgreSQL: an append-only table, partitioned by day.

A sequence's order is not the order of commit: a reader that remembers the highest id skips what commits late with a
lower one. So rows carry their transaction's id, are ordered by it, and are read only below the oldest
transaction still running (`pg_snapshot_xmin`): nothing can come in behind that any more.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import AsyncConnection

from landed.domain.callbacks import Callback, CallbackRequest, HeaderLines
from landed.domain.errors import StoreUnavailable
from landed.journal.base import BEGINNING, READ_BYTES_MAX, Accepted, Backlog, Batch
from landed.store import arrays, partitions
from landed.store.arrays import Array
from landed.store.connect import OPTIONS, read_in_long_pieces, translated

_CHANNEL: Final = "landed_journal"
_EPOCH_LOCK: Final = 0x1A9DED03
#: Readers are woken at most this often by one writer: a NOTIFY takes a lock that all of the cluster shares.
_NOTIFY_EVERY_S: Final = 0.02
#: After it could not: as often as readers look by themselves.
_NOTIFY_AGAIN_S: Final = 1.0
_CLOSE_S_MAX: Final = 1.0
#: Counting a backlog stops here, so that asking stays cheap when it matters most.
BACKLOG_ROWS_MAX: Final = 100_000

# One statement and not COPY, which costs PostgreSQL as much, but two more round trips, each with a turn of the event
# loop behind all requests that came in meanwhile.
_APPEND: Final = """
INSERT INTO callbacks (lane, epoch, received_at, account_id, method, url, kind, our_id, headers, body, verified_by)
SELECT %b, %b, unnest(%b::timestamptz[]), unnest(%b::int[]), unnest(%b::text[]), unnest(%b::text[]), unnest(%b::text[]),
       unnest(%b::text[]), unnest(%b::bytea[]), unnest(%b::bytea[]), unnest(%b::text[])
"""
# A transaction of its own, which nobody needs on disk: without this it would wait for a second sync.
_NOTIFY: Final = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, '')"
_READ: Final = """
SELECT id, received_at, account_id, method, url, kind, our_id, headers, body, verified_by, epoch, xid::text AS reached
  FROM (SELECT *, sum(octet_length(url) + octet_length(headers) + octet_length(body)) OVER (
                     ORDER BY epoch, xid, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
          FROM callbacks
         WHERE lane = %(lane)s
           AND (epoch, xid, id) > (%(epoch)s::smallint, %(xid)s::xid8, %(id)s::bigint)
           AND (epoch, xid) < ((SELECT max(epoch) FROM journal_epochs), pg_snapshot_xmin(pg_current_snapshot()))
         ORDER BY callbacks.epoch, callbacks.xid, callbacks.id
         LIMIT %(limit)s) AS next
 WHERE coalesce(bytes_before, 0) < %(bytes)s
 ORDER BY next.epoch, next.xid, next.id
"""
_BACKLOG: Final = """
SELECT count(*), min(received_at) FROM (
    SELECT received_at FROM callbacks
     WHERE lane = %(lane)s AND (epoch, xid, id) > (%(epoch)s::smallint, %(xid)s::xid8, %(id)s::bigint)
     LIMIT %(limit)s) AS behind
"""
# Where a dump was restored into another cluster, transaction ids begin anew and would sort before all that is
# there. Evidence of that is a stored id that this cluster has not reached yet; then a new epoch begins.
_EPOCH: Final = """
WITH newest AS (
    SELECT coalesce(max(epoch), 0) AS epoch FROM journal_epochs
), reached AS (
    SELECT max(last.xid) AS xid
      FROM newest, generate_series(0, %(lanes)s - 1) AS lane,
           LATERAL (SELECT xid FROM callbacks
                     WHERE callbacks.lane = lane.lane AND callbacks.epoch = newest.epoch
                     ORDER BY xid DESC LIMIT 1) AS last
)
INSERT INTO journal_epochs (epoch)
SELECT epoch + 1 FROM newest, reached
 WHERE newest.epoch = 0 OR reached.xid >= pg_current_xact_id()
"""


class _Position(NamedTuple):
    epoch: int
    xid: int
    id: int

    @classmethod
    def read(cls, text: str) -> "_Position":
        return cls(0, 0, 0) if text == BEGINNING else cls(*(int(number) for number in text.split(":")))

    def __str__(self) -> str:
        return f"{self.epoch}:{self.xid}:{self.id}"

    def parameters(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "xid": str(self.xid), "id": self.id}


class PostgresJournal:
    """A connection each to write, to wake readers, to read and to be woken; each is made again when it broke."""

    def __init__(self, database_url: str, *, lanes: int) -> None:
        self.lanes = lanes
        self._database_url = database_url
        self._writer: AsyncConnection[Any] | None = None
        self._reader: AsyncConnection[Any] | None = None
        self._waker: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None
        self._to_tell = asyncio.Event()
        self._appended = asyncio.Event()
        self._epoch = 0
        self._next_lane = 0
        self._partitions_until = date.min
        self._reading = asyncio.Lock()

    async def open(self) -> None:
        with translated():
            if self._writer is None or self._writer.closed:
                writer = await self._connect()
                try:
                    await self._begin_epoch(writer)
                    await self._make_partitions(writer)
                    arrays.register(writer)
                except BaseException:
                    await writer.close()
                    raise
                self._writer = writer  # not before: without its epoch nothing must be appended

    async def close(self) -> None:
        tasks = [task for task in (self._waker, self._listener) if task is not None]
        # Of a database that does not answer the first makes the driver ask it to stop, the second lets go of that too.
        for _ in range(2):
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=_CLOSE_S_MAX)
        for connection in (self._writer, self._reader):
            if connection is not None:
                with contextlib.suppress(psycopg.Error):
                    await connection.close()
        self._waker = self._listener = self._writer = self._reader = None

    async def append(self, callbacks: Sequence[Accepted]) -> None:
        writer = self._writer
        if writer is None or writer.closed:
            raise StoreUnavailable("The journal is not open.")
        lane = self._next_lane
        self._next_lane = (lane + 1) % self.lanes
        try:
            with translated():
                if callbacks[-1].received_at.date() >= self._partitions_until:
                    await self._make_partitions(writer)
                await writer.execute(_APPEND, [lane, self._epoch, *_columns(callbacks)], prepare=True)
        except StoreUnavailable:
            with contextlib.suppress(psycopg.Error):
                await writer.close()
            raise
        self._to_tell.set()
        if self._waker is None or self._waker.done():
            self._waker = asyncio.create_task(self._wake_readers(), name="journal-waker")

    async def read(self, lane: int, after: str, limit: int) -> Batch:
        position = _Position.read(after)
        async with self._reading:
            with translated():
                reader = await self._read_connection()
                cursor = reader.cursor(binary=True)
                bounds = {"limit": limit, "bytes": READ_BYTES_MAX // self.lanes}
                await cursor.execute(_READ, {"lane": lane, **bounds, **position.parameters()})
                rows = await cursor.fetchall()
        if not rows:
            return Batch(callbacks=(), position=after)
        last = rows[-1]
        return Batch(
            callbacks=[_callback(row) for row in rows], position=str(_Position(last[10], int(last[11]), last[0]))
        )

    async def backlog(self, lane: int, after: str) -> Backlog:
        async with self._reading:
            with translated():
                reader = await self._read_connection()
                cursor = await reader.execute(
                    _BACKLOG, {"lane": lane, "limit": BACKLOG_ROWS_MAX, **_Position.read(after).parameters()}
                )
                row = await cursor.fetchone()
        assert row is not None  # noqa: S101  an aggregate always gives a row
        return Backlog(rows=row[0], oldest_received_at=row[1])

    async def wait(self, timeout_s: float) -> bool:
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen(), name="journal-listener")
        try:
            async with asyncio.timeout(timeout_s):
                await self._appended.wait()
        except TimeoutError:
            return False
        self._appended.clear()
        return True

    async def _connect(self) -> AsyncConnection[Any]:
        return await AsyncConnection.connect(
            self._database_url, autocommit=True, **OPTIONS, application_name="landed journal"
        )

    async def _read_connection(self) -> AsyncConnection[Any]:
        if self._reader is None or self._reader.closed:
            self._reader = await self._connect()
            await read_in_long_pieces(self._reader)
        return self._reader

    async def _begin_epoch(self, connection: AsyncConnection[Any]) -> None:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_EPOCH_LOCK])
            await connection.execute(_EPOCH, {"lanes": self.lanes})
            cursor = await connection.execute("SELECT max(epoch) FROM journal_epochs")
            row = await cursor.fetchone()
            assert row is not None  # noqa: S101  an aggregate always gives a row
            self._epoch = row[0]

    async def _make_partitions(self, connection: AsyncConnection[Any]) -> None:
        """Days ahead, so that midnight is nothing special and a writer that nobody restarts goes on."""
        today = datetime.now(UTC).date()
        await partitions.make(connection, today)
        self._partitions_until = partitions.day_after(today)

    async def _wake_readers(self) -> None:
        """Tell readers that something was appended; nobody's acknowledgement waits for that. While there is no
        connection they go by the clock alone."""
        while True:
            try:
                async with await self._connect() as connection:
                    while await self._to_tell.wait():
                        self._to_tell.clear()
                        await connection.execute(_NOTIFY, [_CHANNEL])
                        await asyncio.sleep(_NOTIFY_EVERY_S)
            except (psycopg.Error, OSError):
                self._to_tell.set()
                await asyncio.sleep(_NOTIFY_AGAIN_S)

    async def _listen(self) -> None:
        """Be woken. While the connection is broken they go by the clock alone."""
        try:
            async with await self._connect() as connection:
                await connection.execute(f"LISTEN {_CHANNEL}")
                self._appended.set()  # something may have come before we listened
                async for _ in connection.notifies():
                    self._appended.set()
        except psycopg.Error:
            return


def _columns(callbacks: Sequence[Accepted]) -> list[Array]:
    """As _APPEND takes them."""
    received_at, account_ids, methods, urls, kinds, our_ids, headers, bodies, verified_by = zip(*callbacks, strict=True)
    return [
        Array("timestamptz", received_at),
        Array("int4", account_ids),
        *(Array("text", texts) for texts in (methods, urls, kinds, our_ids)),
        *(Array("bytea", contents) for contents in (headers, bodies)),
        Array("text", verified_by),
    ]


def _callback(row: Sequence[Any]) -> Callback:
    number, received_at, account_id, method, url, kind, our_id, headers, body, verified_by, _, _ = row
    request = CallbackRequest(method=method, url=url, headers=HeaderLines(headers), body=body, kind=kind, our_id=our_id)
    return Callback(number, account_id, received_at, request, tuple(verified_by.split(",")) if verified_by else ())
