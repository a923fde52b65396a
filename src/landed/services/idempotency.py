"""Asking twice does nothing twice: a request with an Idempotency-Key is done once, and its answer is given again.

Two ways. What is done in one transaction takes the key and keeps the answer in it (`taken`, `kept`). What calls a
provider in between uses `once`: the key is taken before and released where nothing was done; whoever asks meanwhile is
told that it is in progress.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import orjson
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from landed.domain.errors import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    InputInvalid,
    OutcomeUnknown,
    StoreUnavailable,
)
from landed.store import idempotency
from landed.store.connect import transaction
from landed.store.idempotency import Claim

#: How long an answer is given again.
KEPT_FOR: Final = timedelta(hours=48)
#: A request that takes longer has died with its process.
IN_PROGRESS_MAX: Final = timedelta(minutes=5)
KEY_CHARACTERS_MAX: Final = 255
_KEY: Final = re.compile(rf"[\x21-\x7e]{{1,{KEY_CHARACTERS_MAX}}}")
_FORGET_EVERY_S: Final = 600.0
_FORGOTTEN_AT_ONCE: Final = 1000
_AWAY_S: Final = 5.0

_log = structlog.get_logger()
Pool = AsyncConnectionPool[AsyncConnection[Any]]


class Answer(NamedTuple):
    """What was answered; `body` is what the answer's JSON says."""

    status: int
    body: Any
    replayed: bool = False  #: it was given before


def claim(api_key_id: int, key: str | None, route: str, asked: Any) -> Claim | None:
    """What to take; None where no key was given.

    Args:
        route: method and path, so that a key is for one of them only.
        asked: the body as JSON values; how it was written does not matter.

    Raises:
        InputInvalid: the key cannot be one.
    """
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise InputInvalid(
            f"An Idempotency-Key has 1 to {KEY_CHARACTERS_MAX} printable ASCII characters, without spaces; a UUID is a"
            " good one.",
            field="Idempotency-Key",
        )
    try:
        content = orjson.dumps([route, asked], option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError as error:  # half of a surrogate pair, a number beyond 64 bits
        raise InputInvalid("The request holds a text or number that cannot be kept.") from error
    return Claim(api_key_id, key, hashlib.sha256(content).digest())


async def taken(connection: AsyncConnection[Any], claim: Claim | None, now: datetime) -> Answer | None:
    """Take the key inside the transaction: None where the request is to be done now, or the answer to give again.

    Raises:
        IdempotencyKeyReused: it was used for another request.
        IdempotencyInProgress: the first request with it has not ended.
    """
    if claim is None:
        return None
    known = await idempotency.take(connection, claim, now, now + IN_PROGRESS_MAX)
    if known is None:
        return None
    if known.digest != claim.digest:
        raise IdempotencyKeyReused(
            "This Idempotency-Key was used for another request; use a new key for each, and the same to repeat one."
        )
    if known.status is None or known.body is None:
        raise IdempotencyInProgress("The first request with this Idempotency-Key has not ended; ask again in a moment.")
    return Answer(known.status, orjson.loads(known.body), replayed=True)


async def kept(connection: AsyncConnection[Any], claim: Claim | None, answer: Answer) -> None:
    """Keep the answer inside the transaction that does what it tells of."""
    if claim is not None:
        await idempotency.keep(connection, claim, answer.status, orjson.dumps(answer.body).decode())


async def once(
    pool: Pool,
    claim: Claim | None,
    work: Callable[[], Awaitable[Answer]],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Answer:
    """Do the work, or give the answer that it had before.

    An error of the work releases the key: it may be asked again, and is then done again. Only OutcomeUnknown leaves it
    in progress for IN_PROGRESS_MAX, and so do cancelling and dying: what must not be done twice after that has to be
    found again by the work itself.

    Raises:
        IdempotencyKeyReused, IdempotencyInProgress: see `taken`.
        StoreUnavailable: nothing was done, or it was done and the answer could not be kept.
    """
    if claim is None:
        return await work()
    async with transaction(pool) as connection:
        before = await taken(connection, claim, clock())
    if before is not None:
        return before
    try:
        answer = await work()
    except OutcomeUnknown:
        raise
    except Exception:
        try:
            async with transaction(pool) as connection:
                await idempotency.release(connection, claim)
        except StoreUnavailable:
            _log.warning("idempotency_key_not_released")
        raise
    async with transaction(pool) as connection:
        await kept(connection, claim, answer)
    return answer


class Forgetting:
    """Removes keys whose time is over."""

    def __init__(self, pool: Pool, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._pool = pool
        self._clock = clock

    async def run(self) -> None:
        """Now and then, until cancelled. Several workers may do it at once."""
        while True:
            try:
                await self.forget()
                await asyncio.sleep(_FORGET_EVERY_S)
            except StoreUnavailable:
                await asyncio.sleep(_AWAY_S)

    async def forget(self) -> None:
        """A few at a time, so that nobody waits long.

        Raises:
            StoreUnavailable: the rest is left for later.
        """
        forgotten = _FORGOTTEN_AT_ONCE
        while forgotten == _FORGOTTEN_AT_ONCE:
            async with transaction(self._pool) as connection:
                forgotten = await idempotency.forget(connection, self._clock() - KEPT_FOR, _FORGOTTEN_AT_ONCE)
