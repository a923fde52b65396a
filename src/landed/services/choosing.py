"""Which account is meant to do something, and what calls its provider."""

from collections.abc import Callable
from typing import Final, TypeGuard, TypeVar

from landed.domain.accounts import Account, PathRole
from landed.domain.errors import InputInvalid
from landed.services.calling import Called, Clients

A = TypeVar("A")
#: Whether a client keeps a protocol of providers/clients.py.
Ability = Callable[[object], TypeGuard[A]]
_NAME_CHARACTERS_SHOWN: Final = 60


async def choose(
    clients: Clients, name: str | None, account_id: int | None, ability: Ability[A], what: str
) -> tuple[Account, A]:
    """The account that is named, that the key is bound to, or else the only one that can do it.

    Args:
        account_id: what the key is bound to; None: nothing.
        ability: of the client that is wanted.
        what: completes "The account 'shop' cannot …".

    Raises:
        InputInvalid: there is no such account in use, it cannot do this, or there are several; says the way out.
        StoreUnavailable: accounts cannot be read now.
    """
    accounts = {
        each.account.name: each
        for number, each in (await clients.every()).items()
        if account_id is None or number == account_id
    }
    if name is None and account_id is None:
        able = [each for each in accounts.values() if ability(each.client)]
        if len(able) > 1:
            names = ", ".join(sorted(each.account.name for each in able))
            raise InputInvalid(f"Say which account it is for, of: {names}.", field="account")
        if not able:
            raise InputInvalid(
                f"There is no account that can {what}; `landed accounts add` makes one, with its secret.",
                field="account",
            )
        return able[0].account, _able(able[0], ability, what)
    found = next(iter(accounts.values()), None) if name is None else accounts.get(name)
    if found is None:
        told = "" if name is None else f" {name[:_NAME_CHARACTERS_SHOWN]!r}"
        raise InputInvalid(f"There is no account{told} in use that this key may use.", field="account")
    return found.account, _able(found, ability, what)


async def client_of(clients: Clients, account_id: int, ability: Ability[A], what: str) -> tuple[Account, A]:
    """The same for an account that is known already."""
    found = await clients.of(account_id)
    if found is None:
        raise InputInvalid("Its account is disabled; `landed accounts enable` takes it into use again.")
    return found.account, _able(found, ability, what)


def callback_url(public_url: str, account: Account, kind: str, our_id: str) -> str:
    """Where the provider is to tell what becomes of a thing of ours: at the newest key that stays live."""
    lasting = [path.value for path in account.paths if path.role is PathRole.KEY and path.expires_at is None]
    return f"{public_url}/callbacks/{lasting[-1]}/{kind}/{our_id}"


def _able(called: Called, ability: Ability[A], what: str) -> A:
    name, client = called.account.name, called.client
    if client is None:
        raise InputInvalid(
            f"The account {name!r} has no secret to call its provider with; `landed accounts add-token {name}` takes"
            " one.",
            field="account",
        )
    if not ability(client):
        raise InputInvalid(
            f"The account {name!r} cannot {what}: {called.account.provider} does not offer it.", field="account"
        )
    return client
