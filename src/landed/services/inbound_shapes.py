"""The shapes in which we show what people write to us."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from pydantic import Field

from landed.domain.accounts import AccountName
from landed.providers.base import Provider
from landed.services import shapes
from landed.services.shapes import ErrorMeaning, Moment, Money, ReceiptShape, Shape
from landed.store.messages import facts_from_json


class DownloadShape(Shape):
    """What became of downloading it, where that is switched on."""

    state: str = Field(examples=["waiting", "downloaded", "failed"])
    path: str | None = Field(description="where this API serves it, once it is downloaded")
    mime_type: str | None = Field(description="as it was served to us")
    size_bytes: int | None
    sha256: str | None = Field(description="of the content, in hexadecimal")
    attempts: int
    problem: str | None = Field(description="why the last attempt failed")
    downloaded_at: Moment | None


class MediaShape(Shape):
    """A picture, sound or file."""

    number: int = Field(description="from 1")
    url: str = Field(description="where the provider keeps it, for a while")
    mime_type: str | None = Field(description="as the provider told it")
    size_bytes: int | None = Field(description="as the provider told it")
    download: DownloadShape | None = Field(description="null where it is none that could be downloaded")


class InboundShape(Shape):
    """One message from a person to a number of ours."""

    id: str
    account: str | None
    provider: str | None
    provider_message_id: str
    direction: str = Field(examples=["inbound"])
    channel: str
    from_: str | None = Field(alias="from", description="the person")
    to: str | None = Field(description="our number")
    country: str | None = Field(description="ISO 3166 alpha-2, of the person's number")
    status: str = Field(examples=["received"])
    text: str | None
    media: list[MediaShape]
    intent: str | None = Field(
        description="what it asks of us: told by the provider, or recognised", examples=["opt_out", "opt_in", "help"]
    )
    content_type: str | None = Field(description="WhatsApp's word: text, media, button, …")
    error_code: str | None = Field(description="the provider's, such as why it could not fetch a file")
    error: ErrorMeaning | None
    units: int | None = Field(description="what the provider charges for")
    cost: Money | None
    received_at: Moment = Field(description="when the provider got it, where it tells that; else when we did")
    receipts_count: int
    created_at: Moment
    updated_at: Moment


class InboundWhole(InboundShape):
    """One inbound message with everything it is derived from."""

    callbacks: list[str] = Field(description="ids of the callbacks that told it")
    receipts: list[ReceiptShape]
    extra: dict[str, str] = Field(description="every other field, as it came")


class InboundList(Shape):
    data: list[InboundShape]
    next_cursor: str | None


#: What became of downloading: by message and address.
Downloads = Mapping[tuple[UUID, str], Any]


def downloads(rows: Sequence[Any]) -> Downloads:
    return {(row.message_id, row.url): row for row in rows}


def inbound(
    row: Any, downloaded: Downloads, names: Mapping[int, AccountName], providers: Mapping[str, Provider]
) -> InboundShape:
    """A row of `messages` as a list shows it."""
    return InboundShape(**_inbound(row, downloaded, names, providers))


def inbound_whole(
    row: Any, downloaded: Downloads, names: Mapping[int, AccountName], providers: Mapping[str, Provider]
) -> InboundWhole:
    """A row of `messages`, facts included."""
    receipts = shapes.message_whole(row, names, providers).receipts
    facts = facts_from_json(row.provider_message_id, orjson.loads(row.facts))
    heard = sorted({number for each in facts.values() for number in each.callback_ids})
    return InboundWhole(
        **_inbound(row, downloaded, names, providers),
        callbacks=[str(number) for number in heard],
        receipts=receipts,
        extra={name: text for receipt in receipts for name, text in receipt.extra.items()},
    )


def _inbound(
    row: Any, downloaded: Downloads, names: Mapping[int, AccountName], providers: Mapping[str, Provider]
) -> dict[str, Any]:
    account = names.get(row.account_id)
    content = row.content or {}
    return {
        "id": str(row.id),
        "account": account.name if account else None,
        "provider": account.provider if account else None,
        "provider_message_id": row.provider_message_id,
        "direction": row.direction,
        "channel": row.channel,
        "from_": row.sender,
        "to": row.recipient,
        "country": row.country,
        "status": row.status,
        "text": content.get("text"),
        "media": [
            _media(row.id, number, each, downloaded.get((row.id, each["url"])))
            for number, each in enumerate(content.get("media") or (), 1)
        ],
        "intent": content.get("intent"),
        "content_type": content.get("content_type"),
        "error_code": row.error_code,
        "error": shapes.error_meaning(row.error_code, account, providers),
        "units": row.units,
        "cost": None if row.cost_nanos is None else Money.of(row.cost_nanos, row.currency),
        "received_at": row.submitted_at,
        "receipts_count": row.facts_count,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _media(message_id: UUID, number: int, told: Mapping[str, Any], row: Any | None) -> MediaShape:
    return MediaShape(
        number=number,
        url=told["url"],
        mime_type=told["mime_type"],
        size_bytes=told["size_bytes"],
        download=None
        if row is None
        else DownloadShape(
            state=row.state,
            path=f"/v1/inbound/{message_id}/media/{number}" if row.sha256 else None,
            mime_type=row.mime_type,
            size_bytes=row.size_bytes,
            sha256=row.sha256,
            attempts=row.attempts,
            problem=row.problem,
            downloaded_at=row.downloaded_at,
        ),
    )
