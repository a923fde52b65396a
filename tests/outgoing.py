"""Workers that send what is in the outbox, quicker than real ones, and which can be killed."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final

from landed.domain.outbox import Patience
from landed.services.outgoing import Dispatcher, Rates, Timing
from tests.acting import House
from tests.calling import PUBLIC_URL

PATIENCE: Final = Patience(
    backoff_first_s=0.02,
    backoff_most_s=0.1,
    rest_most_s=0.05,
    tried_s_max=60,
    looks_s=(0.1, 0.3, 0.8),
    look_again_s=0.05,
    cannot_look_s=0.2,
)
TIMING: Final = Timing(lease_s=0.8, call_s_max=5, mark_s_max=0.6, ahead_s=0.1, idle_s=0.05, stop_s_max=1)
UNLIMITED: Final = Rates(1000, 1000)
SETTLED_S_MAX: Final = 30.0

_names = count(1)


class Worker:
    """A running dispatcher."""

    def __init__(self, house: House, **changes: Any) -> None:
        self.dispatcher = Dispatcher(
            **{
                "name": f"worker-{next(_names)}",
                "pool": house.pool,
                "clients": house.clients,
                "public_url": PUBLIC_URL,
                "default_rates": UNLIMITED,
                "patience": PATIENCE,
                "timing": TIMING,
                "clock": house.clock,
                **changes,
            }
        )
        self.task = asyncio.create_task(self.dispatcher.run())

    async def kill(self) -> None:
        """At once, wherever it stands: nothing is written, and nothing is given up."""
        for task in (self.task, *self.dispatcher._calls):
            task.cancel()
        await asyncio.gather(self.task, *self.dispatcher._calls, return_exceptions=True)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.dispatcher.stop()


@asynccontextmanager
async def working(house: House, **changes: Any) -> AsyncIterator[Worker]:
    worker = Worker(house, **changes)
    try:
        yield worker
    finally:
        ended = worker.task.done() and not worker.task.cancelled()
        await worker.stop()
        if ended:
            worker.task.result()


async def until(condition: Callable[[], Awaitable[Any]], seconds_max: float = SETTLED_S_MAX) -> Any:
    """What the condition gives, once that is something."""
    deadline = time.monotonic() + seconds_max
    while not (found := await condition()):
        assert time.monotonic() < deadline, f"not within {seconds_max} s"
        await asyncio.sleep(0.02)
    return found


async def until_settled(house: House) -> None:
    """Until the outbox is empty."""

    async def is_empty() -> bool:
        return await house.rows("SELECT 1 FROM outbox LIMIT 1") == []

    try:
        await until(is_empty)
    except AssertionError:
        left = await house.rows("SELECT state, attempts, looks, claimed_by, problem, due_at - now() AS due FROM outbox")
        raise AssertionError(f"still in the outbox: {left[:5]}") from None


async def send(house: House, key: str = "sends", *, idempotency_key: str | None = None, **body: Any) -> Any:
    """Ask for messages to be sent; what is answered."""
    asked = {"account": "shop", "from": "+14155550100", "to": "+14155550123", "text": "hello"} | body
    asked = {name: value for name, value in asked.items() if value is not None}
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    response = await house.ask("POST", "/v1/messages", key, json=asked, headers=headers)
    assert response.status_code == 202, response.text
    return response.json()


async def statuses(house: House) -> dict[str, Any]:
    """How many messages stand where."""
    found = await house.rows("SELECT status FROM messages")
    return dict(Counter(row["status"] for row in found))
