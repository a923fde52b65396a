"""Reading: messages and callbacks as people ask for them, page by page or whole.

Everything takes `account_id`, the account a key is bound to (None: all): what belongs to others is not there.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import quote, quote_plus, urlsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.accounts import AccountName
from landed.domain.callbacks import headers_of
from landed.domain.errors import InputInvalid, NotFound
from landed.domain.numbers import normalise
from landed.domain.receipts import Channel, Direction
from landed.domain.statuses import Status
from landed.providers.base import Provider
from landed.services import cursors, shapes
from landed.store import callback_queries, message_queries
from landed.store.callback_queries import CallbackCursor, CallbackFilter, Found, Verdict
from landed.store.message_queries import Bound, MessageCursor, MessageFilter
from landed.store.reading import account_names

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
#: In a filter: those where the value is not known.
NONE: Final = "none"
MASKED: Final = "********"

#: In the path of a URL, and in bodies that repeat one: JSON may write `\/`.
_ACCOUNT_KEY: Final = re.compile(r"(\\?/callbacks\\?/)[^/?#\"'\s\\&%]+")
_SECRET_HEADER: Final = re.compile(r"authorization|cookie|token|secret|password|api-?key", re.IGNORECASE)
_WRITING_OF_NUMBERS: Final = re.compile(r"[\s().-]")
_DIGITS_MIN: Final = 7
_NETWORK: Final = re.compile(r"(\d{3})(?:-?(\d{2,3})|-(none))?", re.ASCII)
_REFUSED_ID: Final = re.compile(r"refused-(\d{1,9})-(\d{1,4})-(\d{1,17})", re.ASCII)
_ACCEPTED_ID: Final = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageQuestion:
    """Which messages to list, as a person says it. Numbers may be written in any way; `none` stands for "not known"."""

    accounts: Sequence[str] = ()
    statuses: Sequence[Status] = ()
    channels: Sequence[Channel] = ()
    direction: Direction | None = None
    senders: Sequence[str] = ()
    ours: Sequence[str] = ()  #: our side: the number or name it was sent from, or came in to
    recipient: str | None = None
    countries: Sequence[str] = ()
    networks: Sequence[str] = ()  #: see `network_codes`
    error_codes: Sequence[str] = ()
    tags: Sequence[str] = ()
    providers: Sequence[str] = ()
    currencies: Sequence[str] = ()
    units: Sequence[Bound] = ()
    latency_ms: Sequence[Bound] = ()
    contradictory: bool | None = None
    receipt_missing: bool | None = None
    converted: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackQuestion:
    """Which callbacks to list, as a person says it."""

    accounts: Sequence[str] = ()
    verdict: Verdict | None = None
    since: datetime | None = None
    until: datetime | None = None
    reasons: Sequence[str] = ()  #: why they were refused or set aside
    kinds: Sequence[str] = ()  #: from the long form of the path
    methods: Sequence[str] = ()
    verified_by: str | None = None  #: name of a header
    statuses: Sequence[str] = ()  #: words of the provider's that a field carries
    message: str | None = None  #: those that told of this message, by our id or the provider's
    text: str | None = None  #: contained in URL or body; a number however it is written


class Reader:
    def __init__(self, engine: AsyncEngine, providers: Mapping[str, Provider]) -> None:
        self._engine = engine
        self._providers = providers

    async def messages(
        self, question: MessageQuestion, *, account_id: int | None, cursor: str | None, limit: int
    ) -> shapes.MessageList:
        """A page of messages, newest submission first.

        Raises:
            InputInvalid: there is no such account, or the cursor is not ours.
        """
        names = await account_names(self._engine)
        among = account_ids(names, question.accounts, account_id)
        wanted = MessageFilter(
            account_ids=_of_providers(names, among, question.providers),
            statuses=question.statuses,
            channels=question.channels,
            direction=question.direction,
            senders=[None if value == NONE else number(value) for value in question.senders],
            ours=[None if value == NONE else number(value) for value in question.ours],
            recipient=number(question.recipient),
            countries=[None if value == NONE else value.upper() for value in question.countries],
            networks=[(mcc or None, mnc) for mcc, mnc in map(network_codes, question.networks)],
            error_codes=[None if value == NONE else value for value in question.error_codes],
            tags=question.tags,
            currencies=[None if value == NONE else value.upper() for value in question.currencies],
            units=question.units,
            latency_ms=question.latency_ms,
            contradictory=question.contradictory,
            receipt_missing=question.receipt_missing,
            converted=question.converted,
            since=question.since,
            until=question.until,
            text=question.text,
            number=number(question.text),
        )
        rows = await message_queries.page(self._engine, wanted, _message_cursor(cursor), limit + 1)
        more = len(rows) > limit
        return shapes.MessageList(
            data=[shapes.message(row, names, self._providers) for row in rows[:limit]],
            next_cursor=cursors.write(rows[limit - 1].submitted_at, rows[limit - 1].id.hex) if more else None,
        )

    async def message(self, message_id: str, *, account_id: int | None) -> shapes.MessageWhole:
        """One message with its receipts and timeline, by our id or the provider's.

        Raises:
            NotFound: there is none, or none of this account.
        """
        row = await message_queries.one(self._engine, message_id, None if account_id is None else [account_id])
        if row is None:
            raise NotFound("There is no message with this id, ours or the provider's.")
        progress = None if row.final else await message_queries.progress(self._engine, row.id)
        return shapes.message_whole(row, await account_names(self._engine), self._providers, progress)

    async def callbacks(
        self, question: CallbackQuestion, *, account_id: int | None, cursor: str | None, limit: int, keys_shown: bool
    ) -> shapes.CallbackList:
        """A page of callbacks, accepted and refused ones together, the latest first.

        Raises:
            InputInvalid: there is no such account, or the cursor is not ours.
        """
        names = await account_names(self._engine)
        among = account_ids(names, question.accounts, account_id)
        wanted = CallbackFilter(
            account_ids=among,
            since=question.since,
            until=question.until,
            ids=None if question.message is None else await self._callbacks_of(question.message, among),
            reasons=question.reasons,
            kinds=question.kinds,
            methods=[method.upper() for method in question.methods],
            verified_by=question.verified_by.lower() if question.verified_by else None,
            values=[each for status in question.statuses for each in dict.fromkeys((status, quote_plus(status)))],
            texts=ways_to_write(question.text) if question.text else (),
            secrets_searched=keys_shown,
        )
        found, reached = await callback_queries.page(
            self._engine, wanted, question.verdict, _callback_cursor(cursor), limit + 1
        )
        positions = await callback_queries.positions(self._engine)
        last = found[limit - 1].cursor if len(found) > limit else reached
        return shapes.CallbackList(
            data=[
                shapes.CallbackShape(**_callback(each, names, positions, self._masked(each, names, keys_shown)))
                for each in found[:limit]
            ],
            next_cursor=cursors.write(*last) if last else None,
        )

    async def callbacks_by_id(
        self, ids: Sequence[int], *, account_id: int | None, keys_shown: bool
    ) -> list[shapes.CallbackShape]:
        """Those of these accepted callbacks that are still kept, the latest first."""
        names = await account_names(self._engine)
        wanted = CallbackFilter(account_ids=account_ids(names, (), account_id), ids=ids)
        page = await callback_queries.page(self._engine, wanted, Verdict.ACCEPTED, None, len(ids))
        positions = await callback_queries.positions(self._engine)
        return [
            shapes.CallbackShape(**_callback(each, names, positions, self._masked(each, names, keys_shown)))
            for each in page.found
        ]

    async def _callbacks_of(self, message_id: str, among: Sequence[int] | None) -> Sequence[int]:
        """Those that told a fact of the message; none where there is no such message."""
        row = await message_queries.one(self._engine, message_id, among)
        return [] if row is None else shapes.callback_ids(row)

    async def callback(self, callback_id: str, *, account_id: int | None, keys_shown: bool) -> shapes.CallbackWhole:
        """One callback with headers and body.

        Raises:
            NotFound: there is none, it is not kept any more, or it is another account's.
        """
        return await self.shown(await self.found(callback_id, account_id=account_id), keys_shown=keys_shown)

    async def found(self, callback_id: str, *, account_id: int | None) -> Found:
        """One callback as it is kept.

        Raises:
            NotFound: as `callback`.
        """
        found = await self._find(callback_id, None if account_id is None else [account_id])
        if found is None:
            raise NotFound("There is no callback with this id, or it is not kept any more.")
        return found

    async def shown(self, found: Found, *, keys_shown: bool) -> shapes.CallbackWhole:
        """It as the API shows it."""
        names = await account_names(self._engine)
        positions = await callback_queries.positions(self._engine)
        masked = self._masked(found, names, keys_shown)
        body, body_base64 = body_of(found.row.body)
        headers = headers_of(found.row.headers)
        return shapes.CallbackWhole(
            **_callback(found, names, positions, masked),
            headers={name: MASKED if is_secret(name) else value for name, value in headers.items()},
            body=None if body is None else masked(body),
            body_base64=body_base64,
            body_truncated=len(found.row.body) < found.row.body_bytes,
        )

    async def mask(self, found: Found, *, keys_shown: bool) -> Callable[[str], str]:
        """What takes the account's key out of any text about this callback, unless keys are shown."""
        return self._masked(found, await account_names(self._engine), keys_shown)

    def _masked(self, found: Found, names: Mapping[int, AccountName], keys_shown: bool) -> Callable[[str], str]:
        return masking(found, names, self._providers, keys_shown=keys_shown)

    async def _find(self, callback_id: str, among: Sequence[int] | None) -> Found | None:
        if _ACCEPTED_ID.fullmatch(callback_id):
            row = await callback_queries.accepted(self._engine, int(callback_id), among)
            return Found(CallbackCursor(row.received_at, True, row.id, 0), row) if row else None
        if told := _REFUSED_ID.fullmatch(callback_id):
            account_id, slot = int(told[1]), int(told[2])
            at = cursors.moment_of(int(told[3]))
            row = await callback_queries.refused(self._engine, account_id, slot, at, among)
            return Found(CallbackCursor(at, False, account_id, slot), row) if row else None
        return None


def is_secret(header: str) -> bool:
    """Whether the value of a header with this name is not to be shown."""
    return _SECRET_HEADER.search(header) is not None


def ways_to_write(text: str) -> Sequence[str]:
    """A text as it may stand in a URL or body; of a phone number the digits, which every way to write it has."""
    bare = _WRITING_OF_NUMBERS.sub("", text).removeprefix("+")
    if bare.isascii() and bare.isdigit() and len(bare) >= _DIGITS_MIN:
        return [bare]
    return list(dict.fromkeys((text, quote(text), quote_plus(text))))


def masking(
    found: Found, names: Mapping[int, AccountName], providers: Mapping[str, Provider], *, keys_shown: bool
) -> Callable[[str], str]:
    """What takes the account's key out of a text; an own path of a provider that signs nothing is as secret."""
    if keys_shown:
        return str
    account = names.get(found.row.account_id)
    provider = providers.get(account.provider) if account else None
    path = urlsplit(found.row.url).path
    if provider is None or provider.is_signed or _ACCOUNT_KEY.search(path) or len(path) < 2:
        return partial(_ACCOUNT_KEY.sub, rf"\g<1>{MASKED}")
    return partial(re.compile(re.escape(path).replace("/", r"\\?/")).sub, f"/{MASKED}")


def account_ids(
    names: Mapping[int, AccountName], wanted: Sequence[str], account_id: int | None
) -> Sequence[int] | None:
    """The accounts to look at; None: all.

    Raises:
        InputInvalid: no such account, as far as this key may know.
    """
    if not wanted:
        return None if account_id is None else [account_id]
    seen = {name.name: number for number, name in names.items() if account_id in (None, number)}
    for name in wanted:
        if name not in seen:
            raise InputInvalid(f"There is no account {name[:60]!r} that this key may see.", field="account")
    return [seen[name] for name in wanted]


def _of_providers(
    names: Mapping[int, AccountName], among: Sequence[int] | None, providers: Sequence[str]
) -> Sequence[int] | None:
    if not providers:
        return among
    ids = names if among is None else among
    return [each for each in ids if each in names and names[each].provider in providers]


def network_codes(value: str) -> tuple[str, str | None]:
    """`262-01` is a network, `262` all that have that MCC, `262-none` those of it with no known MNC: it is "" then."""
    if value == NONE:
        return "", None
    told = _NETWORK.fullmatch(value)
    if told is None:
        raise InputInvalid("Name a network by MCC and MNC, as in 262-01, or all of an MCC: 262.", field="network")
    return told[1], "" if told[3] else told[2]


def number(text: str | None) -> str | None:
    """A phone number as we keep it, however it was written; anything else as it is."""
    if text is None:
        return None
    bare = _WRITING_OF_NUMBERS.sub("", text)
    return normalise(bare) if bare.removeprefix("+").isdigit() else text


def _message_cursor(cursor: str | None) -> MessageCursor | None:
    if cursor is None:
        return None
    at, (hexadecimal,) = cursors.read(cursor, [str])
    try:
        return MessageCursor(at, UUID(hex=str(hexadecimal)))
    except ValueError as error:
        raise cursors.invalid() from error


def _callback_cursor(cursor: str | None) -> CallbackCursor | None:
    if cursor is None:
        return None
    at, (accepted, number_, slot) = cursors.read(cursor, [bool, int, int])
    return CallbackCursor(at, bool(accepted), int(number_), int(slot))


def _callback(
    found: Found,
    names: Mapping[int, AccountName],
    positions: Mapping[int, str],
    masked: Callable[[str], str],
) -> dict[str, Any]:
    row, (received_at, accepted, _, slot) = found.row, found.cursor
    account = names.get(row.account_id)
    common = {
        "account": account.name if account else None,
        "received_at": received_at,
        "method": row.method,
        "url": masked(row.url),
        "body_bytes": row.body_bytes,
        "reason": row.reason,
        "detail": row.detail,
    }
    if not accepted:
        number_ = f"refused-{row.account_id}-{slot}-{cursors.micros(received_at)}"
        return common | {
            "id": number_, "kind": None, "our_id": None, "verified_by": [], "verdict": "refused", "outcome": None
        }  # fmt: skip
    waiting = callback_queries.is_waiting(row, positions)
    return common | {
        "id": str(row.id),
        "kind": row.kind,
        "our_id": row.our_id,
        "verified_by": row.verified_by.split(",") if row.verified_by else [],
        "verdict": "accepted",
        "outcome": "set_aside" if row.reason else "waiting" if waiting else "tracked",
    }


def body_of(body: bytes) -> tuple[str | None, str | None]:
    """As text where it is text, else in base64."""
    try:
        text = body.decode()
        return (text, None) if "\0" not in text else (None, base64.b64encode(body).decode())
    except UnicodeDecodeError:
        return None, base64.b64encode(body).decode()
