"""/v1/callbacks/stream: callbacks as server-sent events, one after the other, from where the reader left off.

Each event's id is a place in the journal's order, good at every web process. A reader that is too slow, and every
reader now and then, is let go and comes back with `Last-Event-ID`. What is read of the journal waits for the reader:
nothing is kept for it in memory but the event that is being sent.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Depends, Header, Query, Response
from starlette.types import Receive, Scope, Send

from landed.domain.accounts import ApiKey
from landed.domain.accounts import Scope as KeyScope
from landed.domain.callbacks import CallbackKind
from landed.domain.errors import LandedError, Overloaded
from landed.services.streaming import CallbackStream, Step, StreamedCallback, StreamQuestion, Wanted
from landed.web.api.fields import Accounts, Many, Since, Text
from landed.web.api.keys import Permitted, includes

MEDIA_TYPE: Final = "text/event-stream"
#: Streams that one web process serves; more are asked to come back.
STREAMS_MAX: Final = 32
#: A stream says something at least so often, so that nobody in between thinks it is dead.
KEEP_ALIVE_S: Final = 15.0
#: Who takes longer to read what is sent is let go.
SEND_S_MAX: Final = 30.0
#: Then the key is looked at again: the reader comes back with it, or does not.
STREAM_S_MAX: Final = 15 * 60.0
#: What readers wait before they come back.
_RETRY: Final = b"retry: 2000\n\n"
_KEEP_ALIVE: Final = b": keep-alive\n\n"


def router(stream: CallbackStream, stopping: asyncio.Event, readers: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/callbacks", tags=["callbacks"])
    open_streams: set[object] = set()

    @routes.get(
        "/stream",
        summary="Callbacks as they come, as server-sent events",
        status_code=200,
        response_class=EventStream,
        responses={200: {"model": StreamedCallback, "content": {MEDIA_TYPE: {}}, "description": _DESCRIPTION}},
    )
    async def stream_callbacks(
        key: Annotated[ApiKey, Depends(readers)],
        since: Since,
        account: Accounts = [],
        kind: Annotated[list[CallbackKind], Many("what it is about")] = [],
        status: Annotated[list[Text], Many("a word of ours or the provider's for where the thing is")] = [],
        verdict: Annotated[Wanted, Query(description="refused ones come a moment later")] = Wanted.ACCEPTED,
        last_event_id: Annotated[
            Text | None, Header(description="the `id` of the last event that was read; none: begin at `since`, or now")
        ] = None,
    ) -> Response:
        _see_room(open_streams)
        question = StreamQuestion(
            accounts=account, kinds=kind, statuses=[word.lower() for word in status], wanted=verdict, since=since
        )
        place = last_event_id or await stream.start(since)
        steps = stream.steps(question, place, account_id=key.account_id, keys_shown=includes(key, KeyScope.ADMIN))
        first = await anext(steps)  # an error is an answer, not an event
        _see_room(open_streams)  # others may have come meanwhile
        return EventStream(_events(place, first, steps), stopping, open_streams)

    return routes


_DESCRIPTION: Final = (
    "Events named `callback`, each with a callback as JSON. An event without data only moves the place. Comments keep"
    " the connection alive."
)


def _see_room(streams: set[object]) -> None:
    if len(streams) >= STREAMS_MAX:
        raise Overloaded(f"There are {STREAMS_MAX} streams already. Come back later.")


async def _events(place: str, first: Step | None, rest: AsyncIterator[Step | None]) -> AsyncIterator[bytes]:
    """The stream as it is written: the place where it begins first."""
    yield _RETRY + f"id: {place}\n\n".encode()
    told_at = time.monotonic()
    step = first
    while True:
        if step is not None:
            yield _event(step)
            told_at = time.monotonic()
        elif time.monotonic() - told_at >= KEEP_ALIVE_S:
            yield _KEEP_ALIVE
            told_at = time.monotonic()
        step = await anext(rest)


def _event(step: Step) -> bytes:
    place = f"id: {step.place}\n".encode()
    if step.callback is None:
        return place + b"\n"
    return b"%bevent: callback\ndata: %b\n\n" % (place, orjson.dumps(step.callback.model_dump(mode="json")))


class EventStream(Response):
    """Sends events until the reader is gone or too slow, its time is over, or the process is to stop.

    It is `among` the open ones from when it is made on, so that many who come at once are counted, too.
    """

    media_type = MEDIA_TYPE

    def __init__(self, events: AsyncIterator[bytes], stopping: asyncio.Event, among: set[object]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._stopping = stopping
        self._among = among
        among.add(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._send_all(receive, send)
        finally:
            self._among.discard(self)

    async def _send_all(self, receive: Receive, send: Send) -> None:
        tasks = [
            asyncio.create_task(each)
            for each in (self._sending(send), _gone(receive), self._stopping.wait(), asyncio.sleep(STREAM_S_MAX))
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        sending, gone, *_ = tasks
        if gone.cancelled():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
        if not sending.cancelled():
            sending.result()

    async def _sending(self, send: Send) -> None:
        with contextlib.suppress(LandedError, TimeoutError):  # the reader comes back, and is told then
            async for chunk in self._events:
                async with asyncio.timeout(SEND_S_MAX):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
