"""A stand-in for Plivo, and our client of it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from landed.providers.http import open_client
from landed.providers.plivo.client import PlivoClient
from tests.doubles.plivo import AUTH_ID, AUTH_TOKEN, PlivoDouble
from tests.unit.providers.plivo.asking import NOON


@pytest.fixture
async def double() -> AsyncIterator[PlivoDouble]:
    async with PlivoDouble(clock=lambda: NOON) as double:
        yield double


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client() as http:
        yield http


@pytest.fixture
def client(double: PlivoDouble, http: httpx.AsyncClient) -> PlivoClient:
    return PlivoClient(account_id=AUTH_ID, secret=AUTH_TOKEN, http=http, base_url=double.base_url)
