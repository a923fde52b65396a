"""The shapes in which we show brands, campaigns and numbers, and the board of how many stand where."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from landed.domain.accounts import AccountName
from landed.domain.next_steps import is_overdue, next_step, usual_step
from landed.domain.occasions import Hearings, Occasion
from landed.domain.receipts import Registration, RegistrationReceipt, RegistrationStatus, Source
from landed.domain.registrations import STATUSES, Standing, Thing, stand, status_of
from landed.services.shapes import OUR_CLOCK, PROVIDER_CLOCK, Moment, Shape
from landed.store.registrations import PROVIDER_ID, facts


class RequestShape(Shape):
    """What was last asked for, and what came of it."""

    registration: str = Field(examples=[registration.value for registration in Registration])
    status: str = Field(examples=[status.value for status in RegistrationStatus])
    provider_status: str
    provider_campaign_id: str | None
    reason: str | None
    error_code: str | None
    at: Moment


class RegistrationShape(Shape):
    """What brands, campaigns and numbers have in common."""

    id: str
    account: str | None
    provider: str | None
    our_ids: list[str] = Field(description="our ids that callback paths named it by")
    status: str
    provider_status: str = Field(description="the provider's word that gave it this status")
    final: bool = Field(description="no request is pending")
    status_since: Moment = Field(description="on the provider's clock where it told the time, else when we heard of it")
    status_age_s: float
    reason: str | None = Field(description="what the last answer says")
    error_code: str | None = Field(description="of the last answer")
    next_step: str = Field(description="what to do now, as a sentence")
    overdue: bool = Field(description="pending for longer than is usual")
    unknown_statuses: list[str] = Field(description="words of the provider that have no mapping yet")
    created_at: Moment
    updated_at: Moment


class BrandShape(RegistrationShape):
    """A company that is registered to send."""

    provider_brand_id: str | None = Field(description="null while only our id is known")


class CampaignShape(RegistrationShape):
    """A purpose that a brand is registered to send for."""

    provider_campaign_id: str | None = Field(description="null while only our id is known")
    provider_brand_id: str | None


class NumberShape(RegistrationShape):
    """A number, and the campaign it is linked to."""

    number: str | None = Field(description="null while only our id is known")
    provider_campaign_id: str | None = Field(description="the campaign it is linked to, or was last to be linked to")
    free: bool = Field(description="linked to no campaign, and nothing is under way")
    request: RequestShape | None = Field(
        description="the last request to link or unlink it; null: nothing was told in words that we know"
    )


class HistoryEntry(Shape):
    """One thing that happened, however often it was told."""

    at: Moment
    clock: str = Field(description="whose clock tells `at`", examples=[PROVIDER_CLOCK, OUR_CLOCK])
    registration: str
    status: str | None = Field(description="null: a word of the provider that has no mapping")
    provider_status: str
    provider_brand_id: str | None
    provider_campaign_id: str | None
    reason: str | None
    error_code: str | None
    late: bool = Field(description="it came after what it led to, and changed nothing")
    source: str = Field(examples=[source.value for source in Source])
    received_at: Moment = Field(description="when we first heard of it")
    received_count: int
    callback_ids: list[str]


class RegistrationReceiptShape(Shape):
    """One fact, however often it was told."""

    source: str
    registration: str
    status: str | None
    provider_status: str
    occurred_at: Moment | None
    our_id: str | None
    reason: str | None
    error_code: str | None
    received_at: Moment
    received_count: int
    callback_ids: list[str] = Field(description="the callbacks that told it, in the order in which they came")
    extra: dict[str, str] = Field(description="every other field, as it came")


class BrandWhole(BrandShape):
    history: list[HistoryEntry]
    receipts: list[RegistrationReceiptShape]


class CampaignWhole(CampaignShape):
    history: list[HistoryEntry]
    receipts: list[RegistrationReceiptShape]


class NumberWhole(NumberShape):
    history: list[HistoryEntry]
    receipts: list[RegistrationReceiptShape]


class NumbersAsked(Shape):
    """Numbers that linking was asked for."""

    data: list[NumberWhole]


class BrandList(Shape):
    data: list[BrandShape]
    next_cursor: str | None


class CampaignList(Shape):
    data: list[CampaignShape]
    next_cursor: str | None


class NumberList(Shape):
    data: list[NumberShape]
    next_cursor: str | None


class BoardEntry(Shape):
    """A thing on the board."""

    id: str
    name: str = Field(description="the provider's id or the number; else our id")
    account: str | None
    status_since: Moment
    status_age_s: float
    reason: str | None
    next_step: str
    overdue: bool


class BoardRow(Shape):
    """All things of a kind that have one status."""

    status: str
    count: int
    next_step: str = Field(description="what to do about most of them")
    oldest: list[BoardEntry] = Field(description="those that have had it for longest")


class Board(Shape):
    """How many brands, campaigns and numbers stand where, what needs somebody first."""

    brands: list[BoardRow]
    campaigns: list[BoardRow]
    numbers: list[BoardRow]


def columns(thing: Thing, row: Any, names: Mapping[int, AccountName], now: datetime) -> dict[str, Any]:
    """The fields of a BrandShape, CampaignShape or NumberShape, of a row of its table."""
    account = names.get(row.account_id)
    own = {name: getattr(row, name) for name in _OWN[thing]}
    return {
        **own,
        "id": str(row.id),
        "account": account.name if account else None,
        "provider": account.provider if account else None,
        "our_ids": row.our_ids,
        "status": row.status,
        "provider_status": row.provider_status,
        "final": row.final,
        "status_since": row.status_since,
        "status_age_s": _age_s(row, now),
        "reason": row.reason,
        "error_code": row.error_code,
        "next_step": _next_step(thing, row, now),
        "overdue": not row.final and is_overdue(thing, _asked_at(row), now),
        "unknown_statuses": row.unknown_statuses,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def whole(thing: Thing, row: Any, names: Mapping[int, AccountName], now: datetime) -> dict[str, Any]:
    """The same and what it is derived from, of a row with its facts."""
    standing = stand(facts(row.facts))
    return {
        **columns(thing, row, names, now),
        "history": [_happened(occasion) for occasion in standing.occasions],
        "receipts": [_receipt(receipt, heard) for receipt, heard in _in_order(standing)],
    }


def board_rows(thing: Thing, rows: Sequence[Any], names: Mapping[int, AccountName], now: datetime) -> list[BoardRow]:
    """Of rows by status, each with how many `things` have it."""
    return [
        BoardRow(
            status=status,
            count=found[0].things,
            next_step=usual_step(thing, status),
            oldest=[_on_board(thing, row, names, now) for row in found],
        )
        for status in STATUSES[thing]
        if (found := [row for row in rows if row.status == status])
    ]


_OWN: Mapping[Thing, tuple[str, ...]] = {
    Thing.BRAND: ("provider_brand_id",),
    Thing.CAMPAIGN: ("provider_campaign_id", "provider_brand_id"),
    Thing.NUMBER: ("number", "provider_campaign_id", "free", "request"),
}


def _age_s(row: Any, now: datetime) -> float:
    since: datetime = row.status_since
    return max(0.0, round((now - since).total_seconds(), 3))


def _asked_at(row: Any) -> datetime:
    """Since when the last request has its status."""
    if row.status == RegistrationStatus.PENDING or row.request is None:
        since: datetime = row.status_since
        return since
    return datetime.fromisoformat(row.request["at"])


def _next_step(thing: Thing, row: Any, now: datetime) -> str:
    return next_step(
        thing,
        RegistrationStatus(row.status),
        registration=Registration(row.request["registration"]) if row.request else None,
        request_status=RegistrationStatus(row.request["status"]) if row.request else None,
        reason=row.reason,
        asked_at=_asked_at(row),
        now=now,
    )


def _on_board(thing: Thing, row: Any, names: Mapping[int, AccountName], now: datetime) -> BoardEntry:
    account = names.get(row.account_id)
    return BoardEntry(
        id=str(row.id),
        name=getattr(row, PROVIDER_ID[thing]) or ", ".join(row.our_ids) or str(row.id),
        account=account.name if account else None,
        status_since=row.status_since,
        status_age_s=_age_s(row, now),
        reason=row.reason,
        next_step=_next_step(thing, row, now),
        overdue=not row.final and is_overdue(thing, _asked_at(row), now),
    )


def _in_order(standing: Standing) -> list[tuple[RegistrationReceipt, Hearings]]:
    """Facts in the order in which they were first heard."""
    place = {occasion.receipt: number for number, occasion in reversed([*enumerate(standing.occasions)])}
    return sorted(standing.facts.items(), key=lambda fact: (fact[1][0].received_at, place[fact[0]]))


def _happened(occasion: Occasion) -> HistoryEntry:
    receipt = occasion.receipt
    return HistoryEntry(
        at=occasion.at,
        clock=PROVIDER_CLOCK if occasion.is_provider_time else OUR_CLOCK,
        registration=receipt.registration,
        status=status_of(receipt),
        provider_status=receipt.provider_status,
        provider_brand_id=receipt.provider_brand_id,
        provider_campaign_id=receipt.provider_campaign_id,
        reason=receipt.reason,
        error_code=receipt.error_code,
        late=occasion.is_late,
        source=receipt.source,
        received_at=occasion.heard[0].received_at,
        received_count=len(occasion.heard),
        callback_ids=_callback_ids(occasion.heard),
    )


def _receipt(receipt: RegistrationReceipt, heard: Hearings) -> RegistrationReceiptShape:
    return RegistrationReceiptShape(
        source=receipt.source,
        registration=receipt.registration,
        status=status_of(receipt),
        provider_status=receipt.provider_status,
        occurred_at=receipt.occurred_at,
        our_id=receipt.our_id,
        reason=receipt.reason,
        error_code=receipt.error_code,
        received_at=heard[0].received_at,
        received_count=len(heard),
        callback_ids=_callback_ids(heard),
        extra=dict(receipt.extra),
    )


def _callback_ids(heard: Hearings) -> list[str]:
    return [str(callback_id) for _, callback_id in heard if callback_id is not None]
