"""Replaying several callbacks at once: to Landed, or to a URL, and what came of each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from landed.domain.errors import InputInvalid, LandedError
from landed.services import resending
from landed.services.inspecting import Inspector
from landed.services.replaying import Replayer, resend

#: At once: whoever waits for it waits at a page.
SEVERAL_MAX: Final = 50
_AT_ONCE: Final = 3
#: Shorter than providers wait, for the same reason.
_TIMEOUT_S: Final = 10.0
_SHOWN_BYTES_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of one. `outcome` is a word of `ReplayedShape`, or sent, not_sent or failed.

    `status`, `elapsed_ms` and `answer`, the first bytes of it, are those of a URL that it was sent to.
    """

    callback_id: str
    outcome: str
    reason: str | None = None
    detail: str | None = None
    status: int | None = None
    elapsed_ms: float | None = None
    answer: str | None = None


class SeveralReplayer:
    def __init__(self, inspector: Inspector, replayer: Replayer) -> None:
        self._inspector = inspector
        self._replayer = replayer

    async def replay(self, ids: Sequence[str]) -> list[Replayed]:
        """Track accepted ones again; refused ones have to prove themselves anew.

        Raises:
            InputInvalid: there are none of them, or too many.
        """
        return await self._each(_several(ids), self._replay)

    async def send(self, ids: Sequence[str], url: str, *, anywhere: bool = False) -> list[Replayed]:
        """Send them to a URL, as they came.

        Args:
            anywhere: whether another machine is meant; else the URL has to lead to this one.

        Raises:
            InputInvalid: there are none of them, or too many; or they may not be sent there.
        """
        wanted = _several(ids)
        url = resending.target(url, anywhere=anywhere)
        async with resending.opened_client() as http:

            async def send(callback_id: str) -> Replayed:
                found = await self._inspector.reader.found(callback_id, account_id=None)
                _, answer = await resend(http, found, callback_id, url, timeout_s=_TIMEOUT_S)
                return Replayed(
                    callback_id=callback_id,
                    outcome="sent" if answer.status is not None else "not_sent",
                    detail=answer.problem,
                    status=answer.status,
                    elapsed_ms=answer.elapsed_ms,
                    answer=answer.body[:_SHOWN_BYTES_MAX].decode("utf-8", "replace"),
                )

            return await self._each(wanted, send)

    async def _replay(self, callback_id: str) -> Replayed:
        found = await self._inspector.reader.found(callback_id, account_id=None)
        told = await self._replayer.replay(found, callback_id)
        return Replayed(callback_id=callback_id, outcome=told.outcome, reason=told.reason, detail=told.detail)

    async def _each(self, ids: Sequence[str], do: Callable[[str], Awaitable[Replayed]]) -> list[Replayed]:
        """A few at a time; one that fails says so, and does not keep the others from it."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(callback_id: str) -> Replayed:
            async with turns:
                try:
                    return await do(callback_id)
                except LandedError as error:
                    return Replayed(callback_id=callback_id, outcome="failed", reason=error.code, detail=str(error))

        return list(await asyncio.gather(*map(one, ids)))


def _several(ids: Sequence[str]) -> Sequence[str]:
    wanted = list(dict.fromkeys(ids))
    if not 0 < len(wanted) <= SEVERAL_MAX:
        raise InputInvalid(f"Choose between one callback and {SEVERAL_MAX} of them.", field="id")
    return wanted
