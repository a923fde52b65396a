"""The local carrier in the loop of a test, and somebody whom it calls back."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from landed.simulator import server, simulation
from landed.simulator.carrier.carrier import Carrier
from landed.simulator.carrier.scenario import EVERYDAY, Scenario
from landed.simulator.plivo.stand_in import PlivoStandIn
from landed.simulator.routee.stand_in import RouteeStandIn
from landed.simulator.simulation import Simulation
from tests.doubles.api import Arrived, Double, Reply


class Receiver(Double):
    """Takes callbacks, and answers with 200 when there is no other answer left to give."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: deque[int] = deque()

    def act(self, arrived: Arrived) -> Reply:
        return Reply(status=self.answers.popleft() if self.answers else 200)

    @property
    def told(self) -> list[Any]:
        """What JSON callbacks said, in order."""
        return [each.json() for each in self.acted]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    simulation: Simulation
    base_url: str
    receiver: Receiver

    @property
    def carrier(self) -> Carrier:
        return self.simulation.carrier

    @property
    def plivo(self) -> PlivoStandIn:
        stand_in = self.simulation.stand_ins["plivo"]
        assert isinstance(stand_in, PlivoStandIn)
        return stand_in

    @property
    def routee(self) -> RouteeStandIn:
        stand_in = self.simulation.stand_ins["routee"]
        assert isinstance(stand_in, RouteeStandIn)
        return stand_in

    async def pass_time(self, **length: float) -> None:
        """Let simulated time jump ahead, and wait for all callbacks that fall due."""
        await self.carrier.advance(timedelta(**length))


@asynccontextmanager
async def opened_world(
    *, scenario: Scenario = EVERYDAY, seed: int = 7, speed: float = 0, accounts: simulation.Accounts | None = None
) -> AsyncIterator[World]:
    """At speed 0 time stands, and passes as the test says."""
    world = simulation.create(scenario=scenario, seed=seed, speed=speed, accounts=accounts)
    async with Receiver() as receiver, server.serving(world, listener=server.listen()) as serving:
        yield World(simulation=world, base_url=serving.base_url, receiver=receiver)


@asynccontextmanager
async def routee_client(
    world: World, *, application: str = "shop", secret: str = "s3cret", **form: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A plain client with a token of Routee's stand-in."""
    async with httpx.AsyncClient(base_url=world.base_url, timeout=10) as client:
        asked = {"grant_type": "client_credentials", **form}
        given = await client.post("/oauth/token", auth=(application, secret), data=asked)
        assert given.status_code == 200, given.text
        client.headers["Authorization"] = f"Bearer {given.json()['access_token']}"
        yield client
