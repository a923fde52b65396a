"""Relay callbacks to a program on this machine: one after the other, byte for byte, none left out.

While the program is down the next callback waits for it, and all others behind it. An answer of any kind ends a
callback's turn: Landed has it, and the provider was told so long ago.
"""

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, Protocol

import httpx

from landed.domain.callbacks import CallbackRequest
from landed.providers.base import Signs
from landed.services import resending
from landed.services.following import Source
from landed.services.reading import MASKED
from landed.services.resending import Answer, Outgoing
from landed.services.streaming import StreamedCallback

#: How long it waits for a program that is down, again and again.
PAUSES_S: Final = (0.5, 1.0, 2.0, 5.0)
#: How long a callback that is being answered holds up the end.
GRACE_S: Final = 5.0


class Hears(Protocol):
    """Who is told of what happens."""

    def going_out(self, callback: StreamedCallback, request: Outgoing) -> None: ...

    def unreached(self, answer: Answer) -> None:
        """The program is down: it is waited for. Told once."""
        ...

    def answered(self, callback: StreamedCallback, answer: Answer) -> None: ...

    def left_out(self, callback: StreamedCallback, reason: str) -> None: ...

    def taken(self, callback: StreamedCallback) -> None:
        """It came, and there is nowhere to send it to."""
        ...


class Relay:
    """Relays what a source gives.

    Args:
        url: of the program; None: callbacks are only told of.
        keep: remembers the place behind what was relayed.
        sign: gives a request signatures for the URL that it now goes to; None: those of the provider stay.
    """

    def __init__(
        self,
        source: Source,
        hears: Hears,
        *,
        http: httpx.AsyncClient,
        url: str | None,
        keep: Callable[[str], None],
        sign: "Sign | None" = None,
    ) -> None:
        self._source = source
        self._hears = hears
        self._http = http
        self._url = url
        self._keep = keep
        self._sign = sign
        self._stopping = asyncio.Event()
        self._sending = asyncio.Lock()
        self.relayed = 0

    async def run(self, place: str | None, ready: Callable[[], None]) -> None:
        """Relay what comes behind the place, until stopped. `ready` is called when the place is known."""
        steps = self._source.steps(place)
        if place is not None:
            ready()
        async for step in steps:
            if step is None:
                continue
            if place is None:
                place = step.place
                self._keep(place)
                ready()
            if step.callback is not None and not await self._relay(step.callback):
                return
            self._keep(step.place)
            if self._stopping.is_set():
                return

    async def stop(self) -> None:
        """Begin no more; returns when what is being sent is answered, or the grace is over."""
        self._stopping.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S), self._sending:
                pass

    async def _relay(self, callback: StreamedCallback) -> bool:
        """Whether its turn is over; else the end came before the program did."""
        if callback.body_truncated and self._url is not None:
            self._hears.left_out(callback, "only its first bytes are kept")
            return True
        if self._url is None:
            self._hears.taken(callback)
        else:
            request = outgoing(callback, self._url)
            if self._sign is not None:
                request = await self._sign(callback, request)
            self._hears.going_out(callback, request)
            answer = await self._answer(request)
            if answer is None:
                return False
            self._hears.answered(callback, answer)
        self.relayed += 1
        return True

    async def _answer(self, request: Outgoing) -> Answer | None:
        """What the program answers, however long it takes to come up; None: the end came first."""
        tries = 0
        while not self._stopping.is_set():
            async with self._sending:
                answer = await resending.send(self._http, request)
            if not answer.is_unreached:
                return answer
            if not tries:
                self._hears.unreached(answer)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAUSES_S[min(tries, len(PAUSES_S) - 1)]):
                    await self._stopping.wait()
            tries += 1
        return None


#: Signs a request anew.
Sign = Callable[[StreamedCallback, Outgoing], Awaitable[Outgoing]]


def outgoing(callback: StreamedCallback, url: str) -> Outgoing:
    """The callback as it goes to the URL: with its own method, headers, body and query."""
    body = base64.b64decode(callback.body_base64) if callback.body_base64 else (callback.body or "").encode()
    headers = [(name, value) for name, value in callback.header_lines if value != MASKED]
    request = CallbackRequest(method=callback.method, url=callback.url, body=body)
    return resending.outgoing(request, url, headers)


def resigned(request: Outgoing, provider: Signs, auth_token: str) -> Outgoing:
    """The request with signatures for the URL that it goes to, in the place of those it had."""
    headers = {name.lower(): value for name, value in request.headers}
    signed = provider.sign(
        CallbackRequest(method=request.method, url=request.url, headers=headers, body=request.body), auth_token
    )
    kept = [(name, value) for name, value in request.headers if name.lower() not in signed]
    return replace(request, headers=[*kept, *signed.items()])
