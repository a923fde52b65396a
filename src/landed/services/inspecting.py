"""Inspecting: one callback with all that is known of it, and two beside each other.

Everything takes `account_id`, the account a key is bound to (None: all): what belongs to others is not there.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.callbacks import CallbackRequest, headers_of
from landed.domain.errors import CallbackMalformed, LandedError
from landed.domain.receipts import (
    AnyReceipt,
    BroadcastReceipt,
    Receipt,
    Registration,
    RegistrationStatus,
    SessionReceipt,
    SessionStatus,
)
from landed.domain.registrations import Thing
from landed.domain.statuses import Status
from landed.providers import forms
from landed.providers.base import Provider
from landed.services.broadcasts import BroadcastReader
from landed.services.inspecting_shapes import (
    ComparedRow,
    Comparison,
    FieldShape,
    InspectedCallback,
    ThingShape,
    ToldShape,
)
from landed.services.reading import MASKED, Reader, is_secret
from landed.services.registrations import RegistrationReader
from landed.services.resending import Headers, header_lines
from landed.services.sessions import SessionReader
from landed.services.shapes import CallbackShape, callback_ids
from landed.store import (
    broadcast_queries,
    callback_queries,
    message_queries,
    registration_queries,
    session_queries,
    set_aside,
)
from landed.store.callback_queries import CallbackFilter, Found, Verdict
from landed.store.reading import account_names

#: Of the callbacks that told of the same.
NEIGHBOURS_MAX: Final = 50
_THINGS: Final = {
    Registration.BRAND: (Thing.BRAND, "brands"),
    Registration.CAMPAIGN: (Thing.CAMPAIGN, "campaigns"),
    Registration.NUMBER_LINK: (Thing.NUMBER, "numbers"),
    Registration.NUMBER_UNLINK: (Thing.NUMBER, "numbers"),
}


class Inspector:
    def __init__(self, engine: AsyncEngine, providers: Mapping[str, Provider]) -> None:
        self.reader = Reader(engine, providers)
        self._engine = engine
        self._providers = providers

    async def inspect(self, callback_id: str, *, account_id: int | None, keys_shown: bool) -> InspectedCallback:
        """One callback whole.

        Raises:
            NotFound: there is none, it is not kept any more, or it is another account's.
        """
        found = await self.reader.found(callback_id, account_id=account_id)
        masked = await self.reader.mask(found, keys_shown=keys_shown)
        request = request_of(found)
        receipts, parse_problem = await self._receipts(found, request)
        told = [(receipt, await self._thing(receipt, found.row.account_id)) for receipt in receipts]
        fields, fields_problem = fields_of(request)
        shown = await self.reader.shown(found, keys_shown=keys_shown)
        return InspectedCallback(
            **dict(shown),
            request_line=masked(_request_line(request)),
            header_lines=[
                FieldShape(name=name, value=MASKED if is_secret(name) else masked(value), source="header")
                for name, value in header_lines(found.row.headers)
            ],
            fields=[_masked(field, masked) for field in fields],
            fields_problem=fields_problem,
            receipts=[_told(receipt, thing) for receipt, thing in told],
            parse_problem=parse_problem,
            nonce_first_used_by=await self._first_use(found, request),
            neighbours=await self._neighbours(
                callback_id, [thing for _, thing in told if thing], account_id, keys_shown
            ),
        )

    async def compare(self, a: str, b: str, *, account_id: int | None, keys_shown: bool) -> Comparison:
        """Two callbacks side by side.

        Raises:
            NotFound: one of them is not there.
        """
        both = [await self.inspect(each, account_id=account_id, keys_shown=keys_shown) for each in (a, b)]
        rows = compared(*both)
        one, other = (
            CallbackShape(**{name: getattr(each, name) for name in CallbackShape.model_fields}) for each in both
        )
        return Comparison(a=one, b=other, differences=sum(row.differs for row in rows), rows=rows)

    async def _receipts(self, found: Found, request: CallbackRequest) -> tuple[Sequence[AnyReceipt], str | None]:
        account = (await account_names(self._engine)).get(found.row.account_id)
        provider = self._providers.get(account.provider) if account else None
        if provider is None:
            return (), "The account it came for is gone, or its provider is not installed."
        try:
            return provider.parse(request), None
        except LandedError as error:
            return (), str(error)
        except Exception as error:  # as the tracker takes it: a callback must not break what looks at it
            return (), f"{type(error).__name__}: parsing it failed."

    async def _thing(self, receipt: AnyReceipt, account_id: int) -> ThingShape | None:
        among = [account_id]
        row: Any = None
        if isinstance(receipt, Receipt):
            kind, path = "message", "messages"
            for name in filter(None, (receipt.provider_message_id, receipt.our_id)):
                row = row or await message_queries.one(self._engine, name, among)
        elif isinstance(receipt, SessionReceipt):
            kind, path = "session", "verify/sessions"
            row = await session_queries.one(self._engine, receipt.provider_session_id, among)
        elif isinstance(receipt, BroadcastReceipt):
            kind, path = "broadcast", "broadcasts"
            row = await broadcast_queries.one(self._engine, receipt.provider_broadcast_id, among)
        else:
            thing, path = _THINGS[receipt.registration]
            kind, path = thing.value, f"10dlc/{path}"
            for name in filter(None, (_provider_id(receipt), receipt.our_id)):
                row = row or await registration_queries.one(self._engine, thing, name, receipt.number, among)
        if row is None:
            return None
        status = getattr(row, "status", None) or row.provider_status
        return ThingShape(kind=kind, id=str(row.id), status=status, href=f"/v1/{path}/{row.id}")

    async def _neighbours(
        self, callback_id: str, things: Sequence[ThingShape], account_id: int | None, keys_shown: bool
    ) -> list[CallbackShape]:
        ids: set[int] = set()
        for thing in things:
            ids.update(await self._callbacks_of(thing, account_id))
        ids.discard(int(callback_id) if callback_id.isdigit() else -1)
        if not ids:
            return []
        newest = sorted(ids)[-NEIGHBOURS_MAX:]
        return await self.reader.callbacks_by_id(newest, account_id=account_id, keys_shown=keys_shown)

    async def _callbacks_of(self, thing: ThingShape, account_id: int | None) -> Iterable[int]:
        whole: Any
        match thing.kind:
            case "message":
                row = await message_queries.one(self._engine, thing.id, None)
                return callback_ids(row) if row else ()
            case "session":
                whole = await SessionReader(self._engine, self._providers).session(thing.id, account_id=account_id)
            case "broadcast":
                whole = await BroadcastReader(self._engine).broadcast(thing.id, account_id=account_id)
            case Thing.BRAND.value:
                whole = await RegistrationReader(self._engine).brand(thing.id, account_id=account_id)
            case Thing.CAMPAIGN.value:
                whole = await RegistrationReader(self._engine).campaign(thing.id, account_id=account_id)
            case _:
                whole = await RegistrationReader(self._engine).number(thing.id, account_id=account_id)
        return [int(number) for receipt in whole.receipts for number in receipt.callback_ids]

    async def _first_use(self, found: Found, request: CallbackRequest) -> str | None:
        """The earliest callback of the account that has the same nonce, as far back as a search goes."""
        account = (await account_names(self._engine)).get(found.row.account_id)
        provider = self._providers.get(account.provider) if account else None
        nonce = provider.nonce(request.headers) if provider and found.row.reason == set_aside.NONCE_REUSED else None
        if not nonce:
            return None
        wanted = CallbackFilter(account_ids=[found.row.account_id], header_text=nonce)
        page = await callback_queries.page(self._engine, wanted, Verdict.ACCEPTED, found.cursor, 20)
        return str(page.found[-1].row.id) if page.found else None


def request_of(found: Found) -> CallbackRequest:
    """A kept callback as a request; of a refused one without kind and our id, which are not kept."""
    row = found.row
    return CallbackRequest(
        method=row.method,
        url=row.url,
        headers=headers_of(row.headers),
        body=row.body,
        kind=getattr(row, "kind", None),
        our_id=getattr(row, "our_id", None),
    )


def fields_of(request: CallbackRequest) -> tuple[list[FieldShape], str | None]:
    """All fields, decoded, repeated ones each; and why some cannot be read."""
    query = request.url.partition("#")[0].partition("?")[2]
    fields: list[FieldShape] = []
    problem = None
    try:
        fields += [FieldShape(name=name, value=value, source="query") for name, value in forms.pairs(query)]
        fields += [FieldShape(name=name, value=value, source="body") for name, value in _body_pairs(request)]
    except CallbackMalformed as error:
        problem = str(error)
    return fields, problem


def compared(a: InspectedCallback, b: InspectedCallback) -> list[ComparedRow]:
    """Everything of both, aligned by name; the n-th of a name beside the n-th. Differences first."""
    rows = [
        *_aligned("verdict", _verdict(a), _verdict(b)),
        *_aligned("request", _request(a), _request(b)),
        *_aligned(
            "field", [(each.name, each.value) for each in a.fields], [(each.name, each.value) for each in b.fields]
        ),
        *_aligned("header", _headers(a), _headers(b)),
    ]
    return sorted(rows, key=lambda row: not row.differs)


def _aligned(part: str, a: Headers, b: Headers) -> Iterator[ComparedRow]:
    def numbered(pairs: Headers) -> dict[tuple[str, int], str]:
        found: dict[tuple[str, int], str] = {}
        counts: dict[str, int] = {}
        for name, value in pairs:
            counts[name] = counts.get(name, 0) + 1
            found[name, counts[name]] = value
        return found

    one, other = numbered(a), numbered(b)
    for key in dict.fromkeys((*one, *other)):
        name, number = key
        left, right = one.get(key), other.get(key)
        shown = name if number == 1 else f"{name} ({number})"
        yield ComparedRow(part=part, name=shown, a=left, b=right, differs=left != right)


def _verdict(callback: InspectedCallback) -> Headers:
    return [
        ("verdict", callback.verdict),
        ("outcome", callback.outcome or ""),
        ("reason", callback.reason or ""),
        ("verified by", ", ".join(callback.verified_by)),
        ("account", callback.account or ""),
    ]


def _request(callback: InspectedCallback) -> Headers:
    parts = urlsplit(callback.url)
    return [
        ("method", callback.method),
        ("scheme", parts.scheme),
        ("host", parts.netloc),
        ("path", parts.path),
        ("query", parts.query),
        ("body bytes", str(callback.body_bytes)),
    ]


def _headers(callback: InspectedCallback) -> Headers:
    return [(each.name, each.value) for each in callback.header_lines]


def _request_line(request: CallbackRequest) -> str:
    parts = urlsplit(request.url)
    return f"{request.method} {parts.path or '/'}{'?' if parts.query else ''}{parts.query} HTTP/1.1"


def _body_pairs(request: CallbackRequest) -> Iterable[tuple[str, str]]:
    if not request.body:
        return ()
    content_type = request.headers.get("content-type", "").lower()
    if content_type.startswith("application/json") or (not content_type and request.body[:1] == b"{"):
        return list(_json_pairs(request.body))
    return forms.pairs(request.body)


def _json_pairs(body: bytes) -> Iterator[tuple[str, str]]:
    """Objects within objects by path: `a.b`; a list has a row for each of its items."""
    try:
        content = json.loads(body, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        raise CallbackMalformed("The body is not JSON.") from None
    waiting: list[tuple[str, Any]] = [("", content)]
    count = 0
    while waiting and count < forms.FIELDS_MAX:
        name, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting += [(f"{name}.{key}" if name else key, inner) for key, inner in reversed(value.items())]
        elif isinstance(value, list) and value:
            waiting += [(name, inner) for inner in reversed(value)]
        else:
            count += 1
            yield forms.whole(name), forms.whole(value) if isinstance(value, str) else json.dumps(value)


def _masked(field: FieldShape, masked: Callable[[str], str]) -> FieldShape:
    return FieldShape(name=field.name, value=masked(field.value), source=field.source)


def _told(receipt: AnyReceipt, thing: ThingShape | None) -> ToldShape:
    status: Status | SessionStatus | RegistrationStatus | None
    match receipt:
        case Receipt():
            kind, status = "message", receipt.status
        case SessionReceipt():
            kind, status = "session", receipt.status
        case BroadcastReceipt():
            kind, status = "broadcast", None
        case _:
            kind, status = _THINGS[receipt.registration][0].value, receipt.status
    return ToldShape(
        kind=kind,
        provider_id=_provider_id(receipt),
        our_id=receipt.our_id,
        provider_status=receipt.provider_status,
        status=status.value if status else None,
        thing=thing,
    )


def _provider_id(receipt: AnyReceipt) -> str | None:
    match receipt:
        case Receipt():
            return receipt.provider_message_id
        case SessionReceipt():
            return receipt.provider_session_id
        case BroadcastReceipt():
            return receipt.provider_broadcast_id
    match receipt.registration:
        case Registration.BRAND:
            return receipt.provider_brand_id
        case Registration.CAMPAIGN:
            return receipt.provider_campaign_id
    return receipt.number
