"""How fast may be sent: what was said of accounts and senders, and what holds where nothing was."""

from datetime import datetime
from typing import Final, NamedTuple

from landed.domain.accounts import Account
from landed.domain.errors import InputInvalid
from landed.domain.outbox import POOL
from landed.services import addressing
from landed.store import accounts, outbox
from landed.store.accounts import Pool
from landed.store.connect import transaction
from landed.store.sealing import Sealer

PER_SECOND_MAX: Final = 10_000.0


class SendRate(NamedTuple):
    """`sender` None: of all senders of the account together."""

    sender: str | None
    per_second: float
    is_default: bool


async def account(pool: Pool, sealer: Sealer, name: str, now: datetime) -> Account:
    """Raises NotFound: there is none of that name."""
    return await accounts.find(pool, sealer, name, now)


async def change(
    pool: Pool, account: Account, sender: str | None, per_second: float | None, region: str | None
) -> None:
    """Let an account, or one of its senders, send so many messages a second; None: what the setting says.

    Raises:
        InputInvalid: that is no rate, or no sender.
    """
    if per_second is not None and not 0 < per_second <= PER_SECOND_MAX:
        raise InputInvalid(
            f"A rate is a number of messages per second above 0, up to {PER_SECOND_MAX:g}, not {per_second:g}.",
            field="per_second",
        )
    whose = outbox.WHOLE
    if sender is not None:
        written = sender.strip().lower()
        whose = written if POOL.fullmatch(written) else addressing.sender(sender, region=region)
    await outbox.set_rate(pool, account.id, whose, per_second)


async def every(pool: Pool, account: Account, per_account: float, per_sender: float) -> list[SendRate]:
    """The account's rate, then those of the senders that ever sent or were given one.

    Args:
        per_account, per_sender: what the settings say.
    """
    async with transaction(pool) as connection:
        known = await outbox.rates(connection, account.id)
    whole = known.pop(outbox.WHOLE, None)
    first = SendRate(None, (whole and whole.rate) or per_account, not (whole and whole.rate))
    return [first, *(SendRate(name, row.rate or per_sender, not row.rate) for name, row in sorted(known.items()))]
