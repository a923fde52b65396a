"""Clients of the providers' APIs: one for each account that can be called, over connections that all share."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from landed.domain.accounts import Account, TokenRole
from landed.domain.errors import InputInvalid
from landed.providers.base import HasApi, Provider

if TYPE_CHECKING:
    import httpx

#: Accounts are read anew this often: an exchanged token is used after this time at the latest.
FRESH_S: Final = 5.0


class Called(NamedTuple):
    """An account, and what calls its provider. `client` keeps some of the protocols of providers/clients.py; None
    where the account has no secret, or its provider no API."""

    account: Account
    client: object | None


def secret_of(account: Account) -> str | None:
    """What the account proves itself with when it calls: the newest token of the role `account` that stays live."""
    lasting = [token.value for token in account.tokens if token.role is TokenRole.ACCOUNT and token.expires_at is None]
    return lasting[-1] if lasting else None


class Clients:
    """Keeps a client for each account, so that what one remembers (a token, a connection) is used again.

    Args:
        load: every account that is not disabled, with its live tokens and paths.
        http: see providers/http.py, open_client.
        base_urls: by name of the provider: of stand-ins for it.
        clock: seconds, as time.monotonic.
    """

    def __init__(
        self,
        load: Callable[[], Awaitable[Sequence[Account]]],
        providers: Mapping[str, Provider],
        http: "httpx.AsyncClient",
        base_urls: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._providers = providers
        self._http = http
        self._base_urls = base_urls or {}
        self._clock = clock
        self._loaded_at = float("-inf")
        self._called: dict[int, Called] = {}
        self._made: dict[int, tuple[tuple[str, str, str], object]] = {}
        self._loading = asyncio.Lock()

    async def every(self) -> Mapping[int, Called]:
        """All accounts that are not disabled, by id.

        Raises:
            StoreUnavailable: they cannot be read now.
        """
        async with self._loading:
            if self._clock() - self._loaded_at >= FRESH_S:
                accounts = await self._load()
                self._called = {account.id: Called(account, self._client(account)) for account in accounts}
                self._made = {account_id: made for account_id, made in self._made.items() if account_id in self._called}
                self._loaded_at = self._clock()
        return self._called

    async def of(self, account_id: int) -> Called | None:
        """The account and its client; None: it is disabled, or there is none."""
        return (await self.every()).get(account_id)

    async def named(self, name: str) -> Called:
        """The same by name.

        Raises:
            InputInvalid: it is disabled, or there is none.
        """
        for called in (await self.every()).values():
            if called.account.name == name:
                return called
        raise InputInvalid(f"There is no account {name[:60]!r} in use.", field="account")

    def _client(self, account: Account) -> object | None:
        provider, secret = self._providers.get(account.provider), secret_of(account)
        if not isinstance(provider, HasApi) or secret is None:
            return None
        wanted = (account.provider, account.provider_account_id, secret)
        made = self._made.get(account.id)
        if made is not None and made[0] == wanted:
            return made[1]
        client = provider.client(
            account_id=account.provider_account_id,
            secret=secret,
            http=self._http,
            base_url=self._base_urls.get(account.provider),
        )
        self._made[account.id] = (wanted, client)
        return client
