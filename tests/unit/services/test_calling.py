"""Clients of accounts: one each, kept as long as its secret is, made anew when that changes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
import pytest

from landed.domain.accounts import Account, Token, TokenRole
from landed.domain.errors import InputInvalid
from landed.providers.base import Provider
from landed.providers.clients import ListsMessages, SendsMessages
from landed.providers.plivo.provider import Plivo
from landed.services.calling import FRESH_S, Clients, secret_of

pytestmark = pytest.mark.anyio

NOW: Final = datetime(2026, 11, 21, tzinfo=UTC)
OLD: Final = Token(id=1, role=TokenRole.ACCOUNT, value="old")
NEW: Final = Token(id=2, role=TokenRole.ACCOUNT, value="new")
SHOP: Final = Account(
    id=7, name="shop", provider="plivo", provider_account_id="MA", policy="v3-preferred", tokens=(OLD,), paths=(),
    created_at=NOW,
)  # fmt: skip
PROVIDERS: Final[Mapping[str, Provider]] = {"plivo": Plivo()}


class Desk:
    def __init__(self, *accounts: Account) -> None:
        self.accounts = [*accounts]
        self.loaded = 0
        self.now = 0.0
        self.clients = Clients(self._load, PROVIDERS, httpx.AsyncClient(), clock=lambda: self.now)

    async def _load(self) -> list[Account]:
        self.loaded += 1
        return list(self.accounts)

    async def client(self) -> object | None:
        found = await self.clients.of(SHOP.id)
        return found.client if found else None


async def test_an_account_has_one_client_that_is_kept() -> None:
    desk = Desk(SHOP)
    client = await desk.client()
    desk.now += FRESH_S

    assert isinstance(client, SendsMessages)
    assert isinstance(client, ListsMessages)
    assert await desk.client() is client


async def test_accounts_are_read_now_and_then_and_not_for_each_call() -> None:
    desk = Desk(SHOP)
    for _ in range(3):
        await desk.client()
    assert desk.loaded == 1
    desk.now += FRESH_S
    await desk.client()
    assert desk.loaded == 2


async def test_a_new_secret_makes_a_new_client() -> None:
    desk = Desk(SHOP)
    client = await desk.client()
    desk.accounts = [replace(SHOP, tokens=(OLD, NEW))]
    assert await desk.client() is client, "not before they are read again"
    desk.now += FRESH_S

    assert await desk.client() is not client


async def test_an_account_that_is_gone_has_none() -> None:
    desk = Desk(SHOP)
    await desk.client()
    desk.accounts = []
    desk.now += FRESH_S

    assert await desk.client() is None


@pytest.mark.parametrize(
    "account",
    [
        replace(SHOP, tokens=()),
        replace(SHOP, provider="acme"),
        replace(SHOP, tokens=(replace(OLD, role=TokenRole.MAIN),)),
    ],
)
async def test_what_cannot_call_has_no_client(account: Account) -> None:
    assert await Desk(account).client() is None


async def test_accounts_are_found_by_name() -> None:
    desk = Desk(SHOP)
    assert (await desk.clients.named("shop")).account is SHOP
    with pytest.raises(InputInvalid, match="'other'"):
        await desk.clients.named("other")


def test_a_token_that_ends_is_not_called_with() -> None:
    ending = replace(NEW, expires_at=NOW + timedelta(days=1))
    assert secret_of(replace(SHOP, tokens=(OLD, NEW))) == "new"
    assert secret_of(replace(SHOP, tokens=(OLD, ending))) == "old"
    assert secret_of(replace(SHOP, tokens=(ending,))) is None
