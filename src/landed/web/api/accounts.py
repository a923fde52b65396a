"""/v1/accounts: our credentials at providers, without the secrets."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends

from landed.domain.accounts import Account, ApiKey, Scope
from landed.services.accounts import path_url
from landed.services.shapes import AccountList, AccountShape
from landed.web.api.keys import Permitted, includes

#: Every account, disabled ones too, with its live paths; tokens are not looked at.
Accounts: TypeAlias = Callable[[], Awaitable[Sequence[Account]]]


def router(accounts: Accounts, public_url: str, readers: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/accounts", tags=["accounts"])

    @routes.get("", summary="List accounts, disabled ones too")
    async def list_accounts(key: Annotated[ApiKey, Depends(readers)]) -> AccountList:
        seen = [account for account in await accounts() if key.account_id in (None, account.id)]
        urls_shown = includes(key, Scope.ADMIN)
        return AccountList(data=[_shape(account, public_url, urls_shown) for account in seen], next_cursor=None)

    return routes


def _shape(account: Account, public_url: str, urls_shown: bool) -> AccountShape:
    urls = [path_url(public_url, path.role, path.value) for path in account.paths]
    return AccountShape(
        name=account.name,
        provider=account.provider,
        provider_account_id=account.provider_account_id,
        policy=account.policy,
        created_at=account.created_at,
        disabled_at=account.disabled_at,
        callback_urls=urls if urls_shown else None,
    )
