"""At the limit of waiting callbacks new ones are refused at once, and what waits takes no more memory than it may."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from random import Random

import httpx
import psycopg
import pytest

from tests.faults.house import STOP_S_MAX, House, house, until
from tests.faults.sending import AUTH_TOKEN, PATH, signed

WAITING_MAX = 20
#: Far below the 10 s after which all that waits is refused, since the commit takes too long.
AT_ONCE_S_MAX = 3.0
#: Three times as much is sent as may be added.
FLOOD_BYTES = 60_000_000
GROWTH_BYTES_MAX = 20_000_000

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


@contextmanager
def _stalled(landed: House) -> Iterator[None]:
    """The database answers everything but commits of callbacks."""
    with psycopg.connect(landed.database_url) as connection:
        connection.execute("LOCK TABLE callbacks IN SHARE MODE")
        yield
        connection.rollback()


@asynccontextmanager
async def _ready() -> AsyncIterator[tuple[House, httpx.AsyncClient]]:
    with house(LANDED_WAITING_CALLBACKS_MAX=str(WAITING_MAX)) as landed:
        landed.start()
        await landed.until_ready()
        landed.add_account(AUTH_TOKEN, PATH)
        limits = httpx.Limits(max_connections=WAITING_MAX + 30)
        async with httpx.AsyncClient(base_url=landed.url, timeout=30, limits=limits) as client:
            yield landed, client


async def _post(client: httpx.AsyncClient, random: Random, size: int = 0) -> tuple[httpx.Response, float]:
    """One callback with padding; the answer and how long it took."""
    body = f"MessageUUID={random.randrange(10**9)}&Status=sent&Padding={'x' * size}"
    began = time.monotonic()
    answer = await client.post(PATH, content=body, headers=signed(body, random))
    return answer, time.monotonic() - began


def _fill(client: httpx.AsyncClient, random: Random) -> list[asyncio.Task[tuple[httpx.Response, float]]]:
    return [asyncio.create_task(_post(client, random)) for _ in range(WAITING_MAX)]


async def _until_full(landed: House) -> None:
    full = f"landed_callbacks_waiting {float(WAITING_MAX)}"
    await until("as many waiting as may", lambda: full in landed.get("/metrics").text, STOP_S_MAX)


async def test_beyond_the_limit_callbacks_are_refused_at_once_and_those_that_wait_are_kept() -> None:
    random = Random(1)
    async with _ready() as (landed, client):
        with _stalled(landed):
            waiting = _fill(client, random)
            await _until_full(landed)
            refused = [await _post(client, random) for _ in range(50)]
        kept = await asyncio.gather(*waiting)

        assert {answer.status_code for answer, _ in refused} == {503}
        assert all(answer.headers["retry-after"].isdecimal() for answer, _ in refused)
        assert max(took_s for _, took_s in refused) < AT_ONCE_S_MAX
        assert {answer.status_code for answer, _ in kept} == {200}
        with psycopg.connect(landed.database_url) as connection:
            assert connection.execute("SELECT count(*) FROM callbacks").fetchall() == [(WAITING_MAX,)]


@pytest.mark.parametrize("size", [50_000, 200_000])
async def test_a_flood_does_not_fill_the_memory(size: int) -> None:
    random = Random(1)
    async with _ready() as (landed, client):
        web = landed.part("web")
        assert web is not None
        with _stalled(landed):
            waiting = _fill(client, random)
            await _until_full(landed)
            await asyncio.gather(*[_post(client, random, size) for _ in range(20)])
            before = web.memory_info().rss
            largest = 0
            for _ in range(FLOOD_BYTES // size // 20):
                answers = await asyncio.gather(*[_post(client, random, size) for _ in range(20)])
                assert {answer.status_code for answer, _ in answers} == {503}
                largest = max(largest, web.memory_info().rss)
        await asyncio.gather(*waiting)

        assert largest - before < GROWTH_BYTES_MAX
        assert web.is_running()
