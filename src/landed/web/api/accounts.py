"""/v1/accounts: our credentials at providers, without the secrets."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends, Path

from landed.domain.accounts import Account, ApiKey, Scope
from landed.domain.errors import NotFound
from landed.services.accounts import path_url
from landed.services.checking import AccountCheckShape
from landed.services.shapes import AccountList, AccountShape
from landed.web.api.fields import Text
from landed.web.api.keys import Permitted, includes

#: Every account, disabled ones too, with its live paths; tokens are not looked at.
Accounts: TypeAlias = Callable[[], Awaitable[Sequence[Account]]]


#: Looks at everything there is to an account.
Check: TypeAlias = Callable[[Account], Awaitable[AccountCheckShape]]


def checking_router(accounts: Accounts, check: Check, admins: Permitted) -> APIRouter:
    """Its own, since it asks the provider."""
    routes = APIRouter(prefix="/v1/accounts", tags=["accounts"])

    @routes.get("/{name}/check", summary="See whether an account would work")
    async def check_account(
        key: Annotated[ApiKey, Depends(admins)], name: Annotated[Text, Path(description="the account's name")]
    ) -> AccountCheckShape:
        """Whether credentials, callback URL and signatures would work. The provider is asked, and our own public
        address."""
        for account in await accounts():
            if account.name == name and key.account_id in (None, account.id):
                return await check(account)
        raise NotFound("There is no account of this name, or none that this key may see.")

    return routes


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
        allowed_addresses=list(account.allowed_addresses),
        created_at=account.created_at,
        disabled_at=account.disabled_at,
        callback_urls=urls if urls_shown else None,
    )
