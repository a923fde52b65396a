"""A stand-in for Routee, and our client of it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from landed.providers.http import open_client
from landed.providers.routee.client import RouteeClient
from tests.doubles.routee import APPLICATION_ID, APPLICATION_SECRET, RouteeDouble


class Clock:
    """Stands until it is put forward; seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def double() -> AsyncIterator[RouteeDouble]:
    async with RouteeDouble(clock=lambda: datetime(2026, 3, 2, 12, 0, tzinfo=UTC)) as double:
        yield double


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client() as http:
        yield http


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(double: RouteeDouble, http: httpx.AsyncClient, clock: Clock) -> RouteeClient:
    return RouteeClient(
        account_id=APPLICATION_ID, secret=APPLICATION_SECRET, http=http, base_url=double.base_url, clock=clock
    )
