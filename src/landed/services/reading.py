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
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.callbacks import headers_of
from landed.domain.errors import InputInvalid, NotFound
from landed.domain.numbers import normalise
from landed.domain.receipts import Channel, Direction
from landed.domain.statuses import Status
from landed.providers.base import Provider
from landed.services import cursors, shapes
from landed.store import callback_queries, message_queries
from landed.store.callback_queries import CallbackCursor, CallbackFilter, Found, Verdict
from landed.store.message_queries import MessageCursor, MessageFilter
from landed.store.reading import AccountName, account_names

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
#: In a filter: those where the value is not known.
NONE: Final = "none"
MASKED: Final = "********"

#: In the path of a URL, and in bodies that repeat one: JSON may write `\/`.
_ACCOUNT_KEY: Final = re.compile(r"(\\?/callbacks\\?/)[^/?#\"'\s\\&%]+")
_SECRET_HEADER: Final = re.compile(r"authorization|cookie|token|secret|password|api-?key", re.IGNORECASE)
_WRITING_OF_NUMBERS: Final = re.compile(r"[\s().-]")
_REFUSED_ID: Final = re.compile(r"refused-(\d{1,9})-(\d{1,4})-(\d{1,17})", re.ASCII)
_ACCEPTED_ID: Final = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageQuestion:
    """Which messages to list, as a person says it. Numbers may be written in any way; `none` stands for "not known"."""

    accounts: Sequence[str] = ()
    statuses: Sequence[Status] = ()
    channels: Sequence[Channel] = ()
    direction: Direction | None = None
    sender: str | None = None
    recipient: str | None = None
    countries: Sequence[str] = ()
    error_codes: Sequence[str] = ()
    tag: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackQuestion:
    accounts: Sequence[str] = ()
    verdict: Verdict | None = None
    since: datetime | None = None
    until: datetime | None = None


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
        wanted = MessageFilter(
            account_ids=account_ids(names, question.accounts, account_id),
            statuses=question.statuses,
            channels=question.channels,
            direction=question.direction,
            sender=number(question.sender),
            recipient=number(question.recipient),
            countries=[None if value == NONE else value.upper() for value in question.countries],
            error_codes=[None if value == NONE else value for value in question.error_codes],
            tag=question.tag,
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
        wanted = CallbackFilter(
            account_ids=account_ids(names, question.accounts, account_id), since=question.since, until=question.until
        )
        found = await callback_queries.page(self._engine, wanted, question.verdict, _callback_cursor(cursor), limit + 1)
        positions = await callback_queries.positions(self._engine)
        return shapes.CallbackList(
            data=[
                shapes.CallbackShape(**_callback(each, names, positions, self._masked(each, names, keys_shown)))
                for each in found[:limit]
            ],
            next_cursor=cursors.write(*found[limit - 1].cursor) if len(found) > limit else None,
        )

    async def callback(self, callback_id: str, *, account_id: int | None, keys_shown: bool) -> shapes.CallbackWhole:
        """One callback with headers and body.

        Raises:
            NotFound: there is none, it is not kept any more, or it is another account's.
        """
        found = await self._find(callback_id, None if account_id is None else [account_id])
        if found is None:
            raise NotFound("There is no callback with this id, or it is not kept any more.")
        names = await account_names(self._engine)
        positions = await callback_queries.positions(self._engine)
        masked = self._masked(found, names, keys_shown)
        body, body_base64 = _body(found.row.body)
        headers = headers_of(found.row.headers)
        return shapes.CallbackWhole(
            **_callback(found, names, positions, masked),
            headers={name: MASKED if _SECRET_HEADER.search(name) else value for name, value in headers.items()},
            body=None if body is None else masked(body),
            body_base64=body_base64,
            body_truncated=len(found.row.body) < found.row.body_bytes,
        )

    def _masked(self, found: Found, names: Mapping[int, AccountName], keys_shown: bool) -> Callable[[str], str]:
        """What takes the account's key out of a text; an own path of a provider that signs nothing is as secret."""
        if keys_shown:
            return str
        account = names.get(found.row.account_id)
        provider = self._providers.get(account.provider) if account else None
        path = urlsplit(found.row.url).path
        if provider is None or provider.is_signed or _ACCOUNT_KEY.search(path) or len(path) < 2:
            return partial(_ACCOUNT_KEY.sub, rf"\g<1>{MASKED}")
        return partial(re.compile(re.escape(path).replace("/", r"\\?/")).sub, f"/{MASKED}")

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


def _body(body: bytes) -> tuple[str | None, str | None]:
    """As text where it is text, else in base64."""
    try:
        text = body.decode()
        return (text, None) if "\0" not in text else (None, base64.b64encode(body).decode())
    except UnicodeDecodeError:
        return None, base64.b64encode(body).decode()
