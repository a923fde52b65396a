"""Follow the stream of callbacks of another Landed over its API, across broken connections and restarts.

It begins behind the last event it has read, again and again until whoever reads has enough: what was missed meanwhile
comes first, and in order.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import httpx
import orjson
from pydantic import ValidationError

from landed.domain.errors import InputInvalid, NotAllowed, StoreUnavailable
from landed.services.streaming import CallbackStream, Step, StreamedCallback, StreamQuestion

#: A stream that says nothing for so long is dead: it would keep itself alive every 15 s.
SILENT_S_MAX: Final = 45.0
CONNECT_S_MAX: Final = 10.0
PAUSES_S: Final = (1.0, 2.0, 5.0, 10.0)
#: Longer than any event: a callback has 256 KiB at most, and JSON may write each byte as six.
LINE_BYTES_MAX: Final = 4 * 1024 * 1024
#: Statuses that say that there is no such stream. Others pass.
_FINAL: Final = {400, 401, 403, 404, 405, 406, 410, 422, 501}

#: Told once when a stream breaks, and once when it is there again (None).
Trouble = Callable[[str | None], None]


class Source(Protocol):
    """Where callbacks come from."""

    def steps(self, place: str | None) -> AsyncIterator[Step | None]:
        """All that comes behind a place; None: from now on, or since when its question says, and then the first step
        tells the place. A step of None says that there is nothing now.

        Raises:
            InputInvalid: it asks for what there is not.
            NotAllowed: the key may not read it.
        """
        ...


class Local(NamedTuple):
    """A stream of the database at hand."""

    stream: CallbackStream
    question: StreamQuestion
    trouble: Trouble

    async def steps(self, place: str | None) -> AsyncIterator[Step | None]:
        tries, is_troubled = 0, False
        while True:
            try:
                if place is None:
                    place = await self.stream.start(self.question.since)
                    yield Step(place, None)
                async for step in self.stream.steps(self.question, place, account_id=None, keys_shown=True):
                    tries = 0
                    if is_troubled:
                        is_troubled = False
                        self.trouble(None)
                    if step is not None:
                        place = step.place
                    yield step
            except StoreUnavailable as error:
                if tries and not is_troubled:
                    is_troubled = True
                    self.trouble(str(error))
            await asyncio.sleep(_pause_s(tries))
            tries += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A stream over HTTP. The server lets it go now and then, and it comes back.

    Attributes:
        server: the address of a Landed, such as https://landed.example.com.
        parameters: of the request, as the API takes them.
    """

    http: httpx.AsyncClient
    server: str
    key: str
    parameters: Sequence[tuple[str, str]]
    trouble: Trouble

    def __repr__(self) -> str:  # no key in it
        return f"Remote(server={self.server!r})"

    async def steps(self, place: str | None) -> AsyncIterator[Step | None]:
        tries, is_troubled = 0, False
        while True:
            try:
                async for step in self._connected(place):
                    tries = 0
                    if is_troubled:
                        is_troubled = False
                        self.trouble(None)
                    if step is not None:
                        place = step.place
                    yield step
            except (httpx.HTTPError, _NotNow) as error:
                if tries and not is_troubled:  # one break is mended before anybody need know
                    is_troubled = True
                    self.trouble(_why(error, self.server))
            await asyncio.sleep(_pause_s(tries))
            tries += 1

    async def _connected(self, place: str | None) -> AsyncIterator[Step | None]:
        """One connection's steps; ends with it."""
        headers = {"Authorization": f"Bearer {self.key}", "Accept": "text/event-stream"}
        if place is not None:
            headers["Last-Event-ID"] = place
        timeout = httpx.Timeout(SILENT_S_MAX, connect=CONNECT_S_MAX)
        url = f"{self.server}/v1/callbacks/stream"
        async with self.http.stream(
            "GET", url, params=list(self.parameters), headers=headers, timeout=timeout
        ) as response:
            if response.status_code != 200:
                await response.aread()
                _refuse(response)
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise _no_stream(response)
            async for event in events(response.aiter_bytes()):
                yield _step(event)


class Event(NamedTuple):
    """A server-sent event. `name` is blank where it has none, and a comment is an event without anything."""

    id: str | None
    name: str
    data: bytes


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """The events of a stream, with one for each comment.

    Raises:
        _NotNow: a line is longer than any of ours.
    """
    event_id: str | None = None
    name, data = "", bytearray()
    async for line in _lines(chunks):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if event_id is not None or data:
                yield Event(event_id, name, bytes(data))
            event_id, name, data = None, "", bytearray()
        elif not field:
            yield Event(None, "", b"")
        elif field == b"id":
            event_id = value.decode("utf-8", "replace")
        elif field == b"event":
            name = value.decode("utf-8", "replace")
        elif field == b"data":
            data += (b"\n" if data else b"") + value


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Ended by a line feed alone: texts may hold any other character that ends lines elsewhere."""
    rest = bytearray()
    async for chunk in chunks:
        rest += chunk
        *lines, left = rest.split(b"\n")
        rest = bytearray(left)
        for line in lines:
            yield bytes(line).removesuffix(b"\r")
        if len(rest) > LINE_BYTES_MAX:
            raise _NotNow("it sends what is no stream of callbacks")


class _NotNow(Exception):
    """The stream cannot be had at the moment; says why."""


def _step(event: Event) -> Step | None:
    if event.id is None:
        return None
    if event.name != "callback" or not event.data:
        return Step(event.id, None)
    try:
        return Step(event.id, StreamedCallback.model_validate_json(event.data))
    except ValidationError as error:
        raise InputInvalid(
            "The server's callbacks have another form: it is another version than this command; update one of the two."
        ) from error


def _refuse(response: httpx.Response) -> None:
    """Raise what the answer means."""
    problem: Mapping[str, object] = {}
    try:
        content = orjson.loads(response.content)
        problem = content if isinstance(content, dict) else {}
    except orjson.JSONDecodeError:
        pass
    detail = "".join(filter(str.isprintable, str(problem.get("detail") or "")[:500]))
    if response.status_code in (401, 403) and detail:
        raise NotAllowed(detail)
    if response.status_code == 422 and detail:
        raise InputInvalid(detail)
    if response.status_code in _FINAL or 300 <= response.status_code < 400:
        raise _no_stream(response)
    raise _NotNow(detail or f"it answers {response.status_code}")


def _no_stream(response: httpx.Response) -> InputInvalid:
    return InputInvalid(
        f"{response.request.url.host} answers {response.status_code}: there is no stream of callbacks. Give the address"
        " of a Landed, of this version or a later one."
    )


def _why(error: Exception, server: str) -> str:
    if isinstance(error, _NotNow):
        return f"{server} cannot stream now: {error}."
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return f"{server} cannot be reached."
    return f"The connection to {server} broke."


def _pause_s(tries: int) -> float:
    return PAUSES_S[min(tries, len(PAUSES_S) - 1)]
