"""What every journal does. A new one subclasses JournalContract and gives its two fixtures."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from landed.domain.callbacks import Callback
from landed.domain.errors import StoreUnavailable
from landed.journal.base import BEGINNING, READ_BYTES_MAX, Accepted, Journal

#: How long a reader may sleep after something was appended.
WAKES_WITHIN_S = 5.0


def accepted(number: int, **fields: Any) -> Accepted:
    """The callback with that number: its body says which it is."""
    plain: dict[str, Any] = {
        "received_at": datetime.now(UTC),
        "account_id": 1,
        "method": "POST",
        "url": "https://hooks.example.com/callbacks/k",
        "kind": None,
        "our_id": None,
        "headers": b"content-type: application/x-www-form-urlencoded\n",
        "body": b"n=%d" % number,
        "verified_by": "x-plivo-signature-v2",
    }
    return Accepted(**{**plain, **fields})


async def read_all(journal: Journal, lane: int, after: str = BEGINNING, limit: int = 1000) -> list[Callback]:
    """Everything behind a position, page by page."""
    callbacks: list[Callback] = []
    while (batch := await journal.read(lane, after, limit)).callbacks:
        callbacks += batch.callbacks
        after = batch.position
    return callbacks


async def read_lanes(journal: Journal, limit: int = 1000) -> list[Callback]:
    return [callback for lane in range(journal.lanes) for callback in await read_all(journal, lane, limit=limit)]


def numbers(callbacks: Sequence[Callback]) -> list[int]:
    return [int(callback.request.body.removeprefix(b"n=")) for callback in callbacks]


class JournalContract:
    """Run against a real one. `lanes` is small, so that lanes fill evenly and several batches share one."""

    pytestmark: ClassVar = [pytest.mark.anyio]

    @pytest.fixture
    async def journal(self) -> Journal:
        """An open journal with nothing in it."""
        raise NotImplementedError

    @pytest.fixture
    async def another(self) -> Journal:
        """A second one on the same storage, as another process would have it."""
        raise NotImplementedError

    @pytest.mark.parametrize(
        "fields",
        [
            {"body": bytes(range(256)) * 4},
            {"body": b""},
            {"body": b"x" * 256 * 1024},
            {"url": "https://hooks.example.com/plivo/status?tenant=42&Text=%C3%A9+%F0%9F%98%80#x"},
            {"url": "https://hooks.example.com/\u00e9\U0001f600\\N\t"},
            {"method": "GET", "kind": "messages", "our_id": "0190f3a1"},
            {"verified_by": "x-plivo-signature-v2,x-plivo-signature-ma-v3"},
            {"verified_by": ""},
            {"account_id": 2**31 - 1},
        ],
        ids=lambda fields: ",".join(fields),
    )
    async def test_what_was_appended_is_read_back_byte_exact(self, journal: Journal, fields: dict[str, Any]) -> None:
        given = accepted(1, **fields)
        await journal.append([given])

        (callback,) = await read_lanes(journal)

        verified_by = given.verified_by.split(",") if given.verified_by else []
        assert (callback.account_id, callback.received_at) == (given.account_id, given.received_at)
        assert (callback.request.method, callback.request.url) == (given.method, given.url)
        assert (callback.request.kind, callback.request.our_id) == (given.kind, given.our_id)
        assert callback.request.body == given.body
        assert list(callback.verified_by) == verified_by

    async def test_headers_are_read_back_as_they_came_and_repeated_ones_joined(self, journal: Journal) -> None:
        await journal.append([accepted(1, headers=b"x-a: one: two\nx-b: \nx-a: \xe9\n")])

        (callback,) = await read_lanes(journal)

        assert dict(callback.request.headers) == {"x-a": "one: two,\xe9", "x-b": ""}

    async def test_every_callback_is_in_exactly_one_lane_once(self, journal: Journal, another: Journal) -> None:
        batches = [[accepted(number) for number in range(start, start + 7)] for start in range(0, 140, 7)]
        await asyncio.gather(append_all(journal, batches[::2]), append_all(another, batches[1::2]))

        assert sorted(numbers(await read_lanes(journal))) == list(range(140))
        assert numbers(await read_lanes(journal)) == numbers(await read_lanes(another))

    async def test_callbacks_of_one_append_keep_their_order(self, journal: Journal) -> None:
        await journal.append([accepted(number) for number in range(50)])

        assert numbers(await read_lanes(journal)) == list(range(50))

    async def test_ids_are_unlike_each_other(self, journal: Journal, another: Journal) -> None:
        await journal.append([accepted(number) for number in range(50)])
        await another.append([accepted(number) for number in range(50)])

        assert len({callback.id for callback in await read_lanes(journal)}) == 100

    @pytest.mark.parametrize("limit", [1, 3, 7])
    async def test_reading_a_lane_in_pages_equals_reading_it_at_once(self, journal: Journal, limit: int) -> None:
        await append_all(journal, [[accepted(number), accepted(number + 100)] for number in range(20)])

        for lane in range(journal.lanes):
            assert await read_all(journal, lane, limit=limit) == await read_all(journal, lane)

    async def test_a_read_never_gives_more_than_its_limit(self, journal: Journal) -> None:
        await append_all(journal, [[accepted(number) for number in range(10)]] * journal.lanes)

        assert len((await journal.read(0, BEGINNING, 4)).callbacks) == 4

    async def test_a_read_of_large_callbacks_ends_before_they_fill_the_memory(self, journal: Journal) -> None:
        large = b"x" * (READ_BYTES_MAX // journal.lanes * 2 // 3)
        await journal.append([accepted(1, body=body) for body in (large, large, b"small", large)])

        first = await journal.read(0, BEGINNING, 100)
        second = await journal.read(0, first.position, 100)

        assert [callback.request.body for callback in first.callbacks] == [large, large]
        assert [callback.request.body for callback in second.callbacks] == [b"small", large]

    async def test_long_urls_and_headers_count_too(self, journal: Journal) -> None:
        large = "x" * (READ_BYTES_MAX // journal.lanes)
        await journal.append([accepted(1, url=large), accepted(2, headers=f"x-a: {large}\n".encode()), accepted(3)])

        assert len((await journal.read(0, BEGINNING, 100)).callbacks) == 1
        assert numbers(await read_all(journal, 0)) == [1, 2, 3]

    async def test_a_callback_larger_than_a_read_may_be_is_read_all_the_same(self, journal: Journal) -> None:
        size = READ_BYTES_MAX // journal.lanes + 1
        await journal.append([accepted(1, body=b"x" * size), accepted(2)])

        assert [len(callback.request.body) for callback in await read_all(journal, 0)] == [size, 3]

    async def test_from_any_position_the_rest_is_read(self, journal: Journal) -> None:
        await append_all(journal, [[accepted(number)] for number in range(5 * journal.lanes)])
        everything = await read_all(journal, 0)

        position = BEGINNING
        for read_so_far in range(len(everything)):
            assert await read_all(journal, 0, position) == everything[read_so_far:]
            position = (await journal.read(0, position, 1)).position

    async def test_a_position_stays_where_it_is_while_more_is_appended(
        self, journal: Journal, another: Journal
    ) -> None:
        await append_all(journal, [[accepted(number)] for number in range(journal.lanes)])
        before = await journal.read(0, BEGINNING, 10)
        await append_all(another, [[accepted(number)] for number in range(100, 100 + journal.lanes)])

        assert await journal.read(0, BEGINNING, len(before.callbacks)) == before
        assert [number >= 100 for number in numbers(await read_all(journal, 0, before.position))] == [True]

    async def test_an_empty_read_gives_the_position_it_was_asked_for(self, journal: Journal) -> None:
        await journal.append([accepted(1)])
        end = (await journal.read(0, BEGINNING, 10)).position

        assert (await journal.read(0, end, 10)).position == end
        assert (await journal.read(1, BEGINNING, 10)).position == BEGINNING

    async def test_reading_takes_nothing_away(self, journal: Journal) -> None:
        await journal.append([accepted(number) for number in range(3)])

        assert await read_lanes(journal) == await read_lanes(journal)

    async def test_a_reader_is_woken_by_what_another_process_appends(self, journal: Journal, another: Journal) -> None:
        while await journal.wait(0.2):
            pass  # whatever was said before
        waiting = asyncio.create_task(journal.wait(WAKES_WITHIN_S))
        await another.append([accepted(1)])

        assert await waiting

    async def test_a_wait_for_nothing_ends_with_its_time(self, journal: Journal) -> None:
        while await journal.wait(0.2):
            pass

        assert not await journal.wait(0.01)

    async def test_the_backlog_counts_what_lies_behind_a_position(self, journal: Journal) -> None:
        oldest = datetime.now(UTC) - timedelta(minutes=5)
        await journal.append([accepted(1, received_at=oldest), accepted(2), accepted(3)])
        first = await journal.read(0, BEGINNING, 1)
        last = await journal.read(0, first.position, 10)

        backlog = await journal.backlog(0, BEGINNING)
        assert (backlog.rows, backlog.oldest_received_at) == (3, oldest)
        assert (await journal.backlog(0, first.position)).rows == 2
        assert await journal.backlog(0, last.position) == replace(backlog, rows=0, oldest_received_at=None)

    async def test_after_close_nothing_is_taken_until_it_is_opened_again(self, journal: Journal) -> None:
        await journal.append([accepted(1)])
        await journal.close()
        with pytest.raises(StoreUnavailable):
            await journal.append([accepted(2)])
        await journal.open()
        await journal.append([accepted(3)])

        assert sorted(numbers(await read_lanes(journal))) == [1, 3]

    async def test_opening_what_is_open_changes_nothing(self, journal: Journal) -> None:
        await journal.append([accepted(1)])
        await journal.open()
        await journal.append([accepted(2)])

        assert sorted(numbers(await read_lanes(journal))) == [1, 2]


async def append_all(journal: Journal, batches: Sequence[Sequence[Accepted]]) -> None:
    for batch in batches:
        await journal.append(batch)
