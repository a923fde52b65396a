"""`/_sim` of a world with the smallest provider, asked without a network."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from landed.simulator import server
from landed.simulator.carrier.carrier import Carrier
from tests.unit.simulator.carrier.acme import Acme, Receiver, simulation


class Asked:
    """Time stands still until it is set ahead."""

    def __init__(self, http: httpx.AsyncClient, carrier: Carrier, acme: Acme) -> None:
        self.http = http
        self.carrier = carrier
        self.acme = acme

    async def get(self, path: str, **params: str) -> Any:
        answer = await self.http.get(f"/_sim{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, content: Mapping[str, Any] | None = None) -> Any:
        answer = await self.http.post(f"/_sim{path}", json=content)
        assert answer.is_success, answer.text
        return answer.json()

    async def pass_time(self, seconds: float = 3600) -> None:
        await self.post("/clock/advance", {"seconds": seconds})


@asynccontextmanager
async def asking(receiver: Receiver | None = None, **options: Any) -> AsyncIterator[Asked]:
    world, acme = simulation(receiver, **options)
    transport = httpx.ASGITransport(server.application(world), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9100") as http:
        yield Asked(http, world.carrier, acme)
    await world.caller.close()
