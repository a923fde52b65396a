"""Callbacks as they arrive: the latest of them as a list, and what comes behind that list, in small batches.

List and stream take the same question and mean the same by it: what a callback is about, and the words it tells, are
read out of it. A refused one proved nothing, so nothing is read out of it.
"""

import base64
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.callbacks import CallbackKind, CallbackRequest, headers_of
from landed.domain.errors import NotFound
from landed.domain.receipts import AnyReceipt, Direction, Receipt, SessionReceipt
from landed.providers.base import Provider
from landed.services import cursors, streaming
from landed.services.reading import CallbackQuestion, Reader, ways_to_write
from landed.services.shapes import CallbackShape
from landed.services.streaming import CallbackStream, StreamedCallback, StreamQuestion, Told, Wanted
from landed.store import callback_stream
from landed.store.callback_queries import Verdict
from landed.store.callback_stream import Head
from landed.store.reading import account_names

#: Callbacks looked at for one page, where what is sought has to be read out of them.
LOOKED_AT_MAX: Final = 5_000
_CHUNK: Final = 500
#: Bodies held in memory at a time; one that is longer than this is not read for a list.
_BODIES_BYTES_MAX: Final = 4 * 1024 * 1024
#: Of a batch so many are shown; of the others it is told how many there were.
SHOWN_MAX: Final = 50
#: A batch is told when there is nothing more for now, after so long, or when so many are in it.
_BATCH_S: Final = 0.5
_BATCH_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveQuestion:
    """Which callbacks to show. An empty choice leaves nothing out."""

    accounts: Sequence[str] = ()
    verdict: Verdict | None = None
    since: datetime | None = None
    until: datetime | None = None
    reasons: Sequence[str] = ()  #: why they were refused or set aside
    kinds: Collection[CallbackKind] = ()  #: what they tell of
    words: Collection[str] = ()  #: words for a status, ours or the provider's, in lower case
    methods: Sequence[str] = ()
    verified_by: str | None = None  #: name of a header
    message: str | None = None  #: those that told of this message, by our id or the provider's
    text: str | None = None  #: contained in URL or body

    @property
    def is_read(self) -> bool:
        """Whether callbacks have to be read to know."""
        return bool(self.kinds or self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCallback:
    """A callback in a line. `number` is the other side's, whole."""

    id: str
    received_at: datetime
    account: str | None
    verdict: str
    outcome: str | None  #: None of one that came just now
    method: str
    verified_by: Sequence[str]
    reason: str | None
    detail: str | None
    body_bytes: int
    kind: str | None = None
    status: str | None = None
    provider_status: str | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePage:
    """A page may be short and still have a cursor: it goes on where the search stopped."""

    rows: Sequence[LiveCallback]
    next_cursor: str | None
    place: str | None  #: where the stream goes on behind this list; None: it is not the first page


@dataclass(slots=True, kw_only=True)
class Batch:
    """What came in a moment: the last of it to be shown, and how much there was."""

    place: str
    rows: list[LiveCallback] = field(default_factory=list)
    count: int = 0


class Live:
    def __init__(self, engine: AsyncEngine, providers: Mapping[str, Provider], stream: CallbackStream) -> None:
        self._engine = engine
        self._providers = providers
        self._stream = stream
        self._reader = Reader(engine, providers)

    async def accounts(self) -> list[str]:
        return sorted(account.name for account in (await account_names(self._engine)).values())

    async def page(self, question: LiveQuestion, *, cursor: str | None, limit: int, keys_shown: bool) -> LivePage:
        """The latest callbacks, or those behind the cursor.

        Raises:
            InputInvalid: there is no such account, or the cursor is not ours.
        """
        # Before the list, so that nothing falls between the two.
        place = await self._stream.start(None) if cursor is None and question.until is None else None
        chunk = _CHUNK if question.is_read else limit
        rows: list[LiveCallback] = []
        looked_at = 0
        while True:
            found = await self._reader.callbacks(
                _of_list(question), account_id=None, cursor=cursor, limit=chunk, keys_shown=keys_shown
            )
            read = await self._read(found.data)
            for number, callback in enumerate(found.data, start=1):
                receipts = read.get(callback.id, ())
                if _fits([streaming.fact(each) for each in receipts], question):
                    rows.append(_line(callback, receipts))
                if len(rows) == limit:
                    is_last = number == len(found.data)
                    return LivePage(
                        rows=rows, next_cursor=found.next_cursor if is_last else _behind(callback), place=place
                    )
            looked_at += len(found.data)
            cursor = found.next_cursor
            if cursor is None or looked_at >= LOOKED_AT_MAX or not question.is_read:
                return LivePage(rows=rows, next_cursor=cursor, place=place)

    async def batches(self, question: LiveQuestion, place: str, *, keys_shown: bool) -> AsyncIterator[Batch | None]:
        """All that comes behind a place, without end. None: there is nothing now.

        Raises:
            InputInvalid: the place is none of ours, or there is no such account.
            StoreUnavailable: the database is away.
        """
        wanted = StreamQuestion(
            accounts=question.accounts,
            kinds=question.kinds,
            statuses=question.words,
            wanted=Wanted(question.verdict.value) if question.verdict else Wanted.ALL,
        )
        sought = _Sought(question, await self._ids_of(question.message))
        kept: list[StreamedCallback] = []
        count, began = 0, time.monotonic()
        async for step in self._stream.steps(wanted, place, account_id=None, keys_shown=keys_shown):
            if step is not None:
                place = step.place
                if step.callback is not None and sought.has(step.callback):
                    kept.append(step.callback)
                    count += 1
                    del kept[:-SHOWN_MAX]
                if count < _BATCH_MAX and time.monotonic() - began < _BATCH_S:
                    continue
            if count:
                yield Batch(place=place, rows=[self._streamed(each) for each in kept], count=count)
            else:
                yield None if step is None else Batch(place=place)
            kept, count, began = [], 0, time.monotonic()

    async def _read(self, callbacks: Sequence[CallbackShape]) -> dict[str, Sequence[AnyReceipt]]:
        """What the accepted ones among them tell, by id."""
        heads = [
            Head((0, 0, int(each.id)), 0, each.received_at, each.body_bytes)
            for each in callbacks
            if each.verdict == "accepted" and each.body_bytes <= _BODIES_BYTES_MAX
        ]
        names = await account_names(self._engine)
        read: dict[str, Sequence[AnyReceipt]] = {}
        waiting = iter(heads)
        while batch := list(islice(waiting, max(1, _BODIES_BYTES_MAX // _largest(heads)))):
            for number, row in (await callback_stream.whole(self._engine, batch)).items():
                request = CallbackRequest(
                    method=row.method,
                    url=row.url,
                    headers=headers_of(row.headers),
                    body=row.body,
                    kind=row.kind,
                    our_id=row.our_id,
                )
                account = names.get(row.account_id)
                read[str(number)] = _receipts(self._providers.get(account.provider) if account else None, request)
        return read

    def _streamed(self, callback: StreamedCallback) -> LiveCallback:
        """Of those that are shown the number is read, too, which streams do not tell."""
        if callback.verdict != "accepted":
            return _line(callback, ())
        request = CallbackRequest(
            method=callback.method,
            url=callback.url,
            headers=dict(callback.header_lines),
            body=_body(callback),
            kind=callback.kind,
            our_id=callback.our_id,
        )
        return _line(callback, _receipts(self._providers.get(callback.provider or ""), request))

    async def _ids_of(self, message_id: str | None) -> frozenset[str] | None:
        """Every id under which a callback may tell of the message."""
        if message_id is None:
            return None
        try:
            message = await self._reader.message(message_id, account_id=None)
        except NotFound:
            return frozenset([message_id])
        parts = [part.provider_message_id for part in message.parts]
        return frozenset(filter(None, [message.id, message.provider_message_id, *parts]))


class _Sought:
    """What a stream leaves to whoever asks more of it."""

    def __init__(self, question: LiveQuestion, ids: frozenset[str] | None) -> None:
        self._question = question
        self._ids = ids
        self._ways = [way.encode() for way in ways_to_write(question.text)] if question.text else []
        self._verified_by = question.verified_by.lower() if question.verified_by else None

    def has(self, callback: StreamedCallback) -> bool:
        question = self._question
        return (
            (not question.methods or callback.method in question.methods)
            and (not question.reasons or callback.reason in question.reasons)
            and (self._verified_by is None or self._verified_by in callback.verified_by)
            and (question.since is None or callback.received_at >= question.since)
            and self._is_of_message(callback)
            and self._holds_text(callback)
        )

    def _is_of_message(self, callback: StreamedCallback) -> bool:
        ids = self._ids
        return ids is None or callback.our_id in ids or any(told.provider_id in ids for told in callback.told)

    def _holds_text(self, callback: StreamedCallback) -> bool:
        if not self._ways:
            return True
        content = callback.url.encode() + b"\n" + _body(callback)
        return any(way in content for way in self._ways)


def _receipts(provider: Provider | None, request: CallbackRequest) -> Sequence[AnyReceipt]:
    try:
        return provider.parse(request) if provider else ()
    except Exception:  # as the tracker takes it: a callback must not break what looks at it
        return ()


def _of_list(question: LiveQuestion) -> CallbackQuestion:
    return CallbackQuestion(
        accounts=question.accounts,
        # What is read out of callbacks is read out of accepted ones alone.
        verdict=question.verdict or (Verdict.ACCEPTED if question.is_read else None),
        since=question.since,
        until=question.until,
        reasons=question.reasons,
        methods=question.methods,
        verified_by=question.verified_by,
        message=question.message,
        text=question.text,
    )


def _fits(told: Sequence[Told], question: LiveQuestion) -> bool:
    if question.kinds and not any(each.kind in question.kinds for each in told):
        return False
    return not question.words or any(not each.words.isdisjoint(question.words) for each in told)


def _line(callback: CallbackShape, receipts: Sequence[AnyReceipt]) -> LiveCallback:
    told = streaming.fact(receipts[0]) if receipts else None
    return LiveCallback(
        id=callback.id,
        received_at=callback.received_at,
        account=callback.account,
        verdict=callback.verdict,
        outcome=callback.outcome,
        method=callback.method,
        verified_by=callback.verified_by,
        reason=callback.reason,
        detail=callback.detail,
        body_bytes=callback.body_bytes,
        kind=told.kind.value if told else None,
        status=told.status or told.attempt_status if told else None,
        provider_status=told.provider_status if told else None,
        number=_number(receipts[0]) if receipts else None,
    )


def _number(receipt: AnyReceipt) -> str | None:
    match receipt:
        case Receipt():
            return receipt.sender if receipt.direction is Direction.INBOUND else receipt.recipient
        case SessionReceipt():
            return receipt.recipient
    return None


def _body(callback: StreamedCallback) -> bytes:
    if callback.body is not None:
        return callback.body.encode()
    return base64.b64decode(callback.body_base64 or "")


def _largest(heads: Sequence[Head]) -> int:
    return max([head.body_bytes for head in heads] + [_BODIES_BYTES_MAX // _CHUNK])


def _behind(callback: CallbackShape) -> str:
    """The cursor of what comes after this one in the list, as the reader writes it."""
    if callback.verdict == "accepted":
        return cursors.write(callback.received_at, True, int(callback.id), 0)
    _, account_id, slot, _ = callback.id.split("-")
    return cursors.write(callback.received_at, False, int(account_id), int(slot))
