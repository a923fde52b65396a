"""API keys: made and shown once, known again by a hash, revoked."""

from datetime import datetime

from landed.domain.accounts import ApiKey, Scope
from landed.services.accounts import valid_name
from landed.store import accounts, api_keys
from landed.store.accounts import Pool
from landed.store.sealing import Sealer


async def create(
    pool: Pool, sealer: Sealer, *, name: str, scope: Scope, account: str | None, now: datetime
) -> tuple[ApiKey, str]:
    """A new key, and its text, which nobody can show again.

    Args:
        account: the name of the only account it may see; None: all.
    """
    valid_name(name, "API key")
    account_id = None if account is None else (await accounts.find(pool, sealer, account, now)).id
    return await api_keys.create(pool, name=name, scope=scope, account_id=account_id)
