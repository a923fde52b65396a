"""Plays the provider: sends callbacks when they are due, to this machine only, and tries again when told to."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import httpx

from landed.domain.errors import InputInvalid
from landed.simulator.items import FORGED, REFUSED, Item
from landed.simulator.ledger import Ledger

#: Plivo tries again after 60, 120 and 240 seconds, and then no more. Here a minute is a second.
RETRIES_S: Final = (1.0, 2.0, 4.0)
_ANSWER_S_MAX: Final = 15.0


class Sender:
    """Sends a stream and keeps count.

    `answers` counts every answer by HTTP status, 0 standing for none at all; `given_up` counts callbacks that were
    never taken, `refused` genuine ones that got a 4xx, and `let_in` forged ones that got a 2xx where they must not.
    What was acknowledged is in the ledger.
    """

    def __init__(
        self,
        base_url: str,
        *,
        ledger: Ledger,
        connections_max: int = 32,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if not _is_this_machine(base_url):
            raise InputInvalid(f"Simulated traffic goes to this machine only, not to {base_url}.", field="base_url")
        self.ledger = ledger
        self.answers: Counter[int] = Counter()
        self.given_up = self.refused = self.let_in = 0
        self._stopped = False
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._sleep = sleep
        self._free = asyncio.Semaphore(connections_max)
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=_ANSWER_S_MAX,
            trust_env=False,  # no proxy stands between us and ourselves
            limits=httpx.Limits(max_connections=connections_max, max_keepalive_connections=connections_max),
        )

    async def run(self, items: Iterable[Item], *, until: datetime | None = None) -> None:
        """Send each item when it is due, up to the first that is due at `until`; ends when all are answered."""
        async with self._client, asyncio.TaskGroup() as sending:
            for item in items:
                if self._stopped or (until is not None and item.due_at >= until):
                    break
                early_s = (item.due_at - self._clock()).total_seconds()
                if early_s > 0:
                    await self._sleep(early_s)
                await self._free.acquire()  # at the limit the stream waits
                sending.create_task(self._send(item))

    def stop(self) -> None:
        """Begin no more; `run` ends when what is under way is answered."""
        self._stopped = True

    async def _send(self, item: Item) -> None:
        for pause_s in (*RETRIES_S, None):
            status, retry_after_s = await self._request(item)
            self.answers[status] += 1
            if status and status < 500:
                self._record(item, status)
                return
            if pause_s is None:
                break
            await self._sleep(pause_s if retry_after_s is None else min(pause_s, retry_after_s))
            await self._free.acquire()
        self.given_up += 1

    async def _request(self, item: Item) -> tuple[int, float | None]:
        """The status, and how long we are asked to wait. The place among the connections is free afterwards."""
        try:
            url = httpx.URL(self._base_url + _path(item.url))
            answer = await self._client.request(item.method, url, headers=dict(item.headers), content=item.body)
        except httpx.TransportError:
            return 0, None
        finally:
            self._free.release()
        asked = answer.headers.get("retry-after", "")
        return answer.status_code, float(asked) if asked.isdecimal() else None

    def _record(self, item: Item, status: int) -> None:
        kind = item.truth.kind
        if kind in FORGED:
            self.ledger.tell(item.truth)
            self.let_in += kind in REFUSED and status < 300
        elif status < 300:
            self.ledger.tell(item.truth)
        else:
            self.refused += 1


def _path(url: str) -> str:
    """Path and query of the public URL, as written."""
    return "/" + url.partition("://")[2].partition("/")[2]


def _is_this_machine(base_url: str) -> bool:
    parts = urlsplit(base_url)
    if parts.scheme != "http" or not parts.hostname:
        return False
    try:
        return parts.hostname == "localhost" or ip_address(parts.hostname).is_loopback
    except ValueError:
        return False
