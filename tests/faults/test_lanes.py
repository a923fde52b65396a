"""A lane that changes hands is tracked at once, however much comes in on the others."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from landed.domain.callbacks import Callback, CallbackRequest
from landed.domain.errors import StoreUnavailable
from landed.journal.base import Accepted, Backlog, Batch
from landed.providers import registry
from landed.services.tracking import LEASE_S, Tracker
from landed.store import connect, lanes, partitions
from tests.faults.house import until

QUIET, BUSY = 0, 1
#: It is looked for a free lane four times in a lease.
TAKEN_OVER_S_MAX = LEASE_S / 4 + 10.0

_ACCOUNT = "INSERT INTO accounts (name, provider, provider_account_id, policy) VALUES ('a', 'plivo', 'MA1', 'any')"

pytestmark = pytest.mark.anyio


class NeverDry:
    """A journal whose busy lane always has one more, while the quiet one holds a single callback."""

    lanes = 2

    def __init__(self) -> None:
        self.read_from: set[int] = set()

    async def read(self, lane: int, after: str, limit: int) -> Batch:
        self.read_from.add(lane)
        if lane == QUIET and after:
            return Batch(callbacks=(), position=after)
        number = int(after or 0) + 1
        request = CallbackRequest(
            method="POST", url="https://faults.example.com/plivo", body=b"MessageUUID=m1&Status=sent"
        )
        callback = Callback(id=number * 2 + lane, account_id=1, received_at=datetime.now(UTC), request=request)
        return Batch(callbacks=[callback], position=str(number))

    async def wait(self, timeout_s: float) -> bool:
        await asyncio.sleep(timeout_s)
        return False

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def append(self, callbacks: Sequence[Accepted]) -> None: ...

    async def backlog(self, lane: int, after: str) -> Backlog:
        return Backlog(rows=0, oldest_received_at=None)


async def test_a_lane_that_becomes_free_is_tracked_though_the_others_never_run_dry(database_url: str) -> None:
    plivo = registry.load()["plivo"]
    async with connect.pool(database_url, connections_max=4) as pool:
        async with pool.connection() as connection:
            await connection.execute(_ACCOUNT)
            await partitions.make(connection, datetime.now(UTC).date())
        await lanes.make(pool, NeverDry.lanes)
        journal = NeverDry()
        tracker = Tracker(name="tracker", journal=journal, pool=pool, provider_of=lambda _: plivo)
        # Two share two lanes: the one that had both keeps the first.
        for name in ("other", "tracker", "other"):
            held = await lanes.lease(pool, name, lease_s=60)
        assert held == [QUIET]
        tracking = asyncio.create_task(tracker.run())
        try:
            await until("the busy lane is tracked", lambda: journal.read_from == {BUSY}, TAKEN_OVER_S_MAX)
            await lanes.release(pool, "other")
            await until("both are tracked", lambda: journal.read_from == {QUIET, BUSY}, TAKEN_OVER_S_MAX)
        finally:
            tracking.cancel()
            await asyncio.wait([tracking])


async def test_a_tracker_that_is_frozen_amid_its_transaction_holds_nobody_up(database_url: str) -> None:
    async with connect.pool(database_url, connections_max=4) as pool:
        await lanes.make(pool, 1)
        await lanes.lease(pool, "frozen", LEASE_S)

        async def sleep_amid_a_transaction() -> None:
            async with connect.transaction(pool) as asleep:
                await lanes.lock(asleep, [0], "frozen")
                async with asyncio.timeout(TAKEN_OVER_S_MAX), connect.transaction(pool) as successor:
                    await successor.execute("UPDATE lanes SET leased_by = 'successor'")
                await asleep.execute("SELECT 1")

        with pytest.raises(StoreUnavailable):
            await sleep_amid_a_transaction()

        assert [lane.leased_by for lane in await lanes.all_lanes(pool)] == ["successor"]


async def test_no_transaction_of_ours_may_sleep_for_ever(database_url: str) -> None:
    async with connect.pool(database_url, connections_max=1) as pool, connect.transaction(pool) as connection:
        cursor = await connection.execute("SHOW idle_in_transaction_session_timeout")
        assert await cursor.fetchone() == (f"{connect.FROZEN_S_MAX}s",)
