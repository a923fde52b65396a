"""The shapes in which we show things: one for the API, `--json` of the CLI, and whoever is told of an event."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from landed.domain import money, our_codes
from landed.domain.accounts import AccountName
from landed.domain.facts import Heard
from landed.domain.meanings import Meaning
from landed.domain.networks import network_name
from landed.domain.outbox import SEGMENTS
from landed.domain.receipts import Receipt, Source
from landed.domain.statuses import FINAL, RANK, Status
from landed.providers.base import Provider
from landed.store.messages import facts_from_json

#: RFC 3339, always written in UTC with a Z, whatever time zone the database speaks.
Moment = Annotated[datetime, AfterValidator(lambda at: at.astimezone(UTC))]

PROVIDER_CLOCK: Final = "provider"
OUR_CLOCK: Final = "ours"


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class Money(Shape):
    amount: str = Field(description="decimal text, four decimals at least", examples=["0.0055"])
    currency: str | None = Field(description="ISO 4217", examples=["USD"])

    @classmethod
    def of(cls, nanos: int, currency: str | None) -> "Money":
        return cls(amount=money.text(nanos), currency=currency or None)


class Network(Shape):
    """The mobile network, as far as the provider told: codes are text, since leading zeros matter."""

    mcc: str | None
    mnc: str | None
    name: str | None = Field(description="null where our table does not know the codes")

    @classmethod
    def of(cls, mcc: str | None, mnc: str | None) -> "Network":
        return cls(mcc=mcc or None, mnc=mnc or None, name=network_name(mcc, mnc))


class ErrorMeaning(Shape):
    """What an error code means and what to do about it."""

    title: str
    advice: str
    fault: str = Field(description="whose side it is on", examples=["recipient", "carrier", "content"])
    retryable: bool | None = Field(description="null where nobody knows")

    @classmethod
    def of(cls, meaning: Meaning) -> "ErrorMeaning":
        return cls(title=meaning.title, advice=meaning.advice, fault=meaning.fault, retryable=meaning.retryable)


class PartShape(Shape):
    provider_message_id: str | None
    number: int
    of: int
    status: str


class PartOfShape(Shape):
    provider_message_id: str | None
    number: int | None
    of: int


class MessageShape(Shape):
    """One text to or from one number, and what became of it."""

    id: str
    account: str | None
    provider: str | None
    provider_message_id: str | None = Field(description="null until the provider took what we send")
    direction: str
    channel: str
    from_: str | None = Field(alias="from")
    to: str | None
    country: str | None = Field(description="ISO 3166 alpha-2, of the other side's number")
    network: Network
    status: str
    provider_status: str = Field(description="the provider's own word")
    final: bool = Field(description="nothing more is expected; a later true answer still corrects it")
    contradictory: bool = Field(description="two final answers that exclude each other were given")
    error_code: str | None = Field(description="the provider's code, of those that have codes, or one of ours")
    provider_reason: str | None = Field(description="the provider's reason in words, of those that have no codes")
    error: ErrorMeaning | None
    parts: list[PartShape] = Field(description="at least one: an undivided message is 1 of 1")
    units: int | None = Field(description="what the provider charges for")
    cost: Money | None
    tags: list[str]
    queued_at: Moment | None
    sent_at: Moment | None
    delivered_at: Moment | None
    final_at: Moment | None
    latency_s: float | None = Field(description="submission to delivery, on the clock that latency_clock names")
    latency_clock: str | None = Field(examples=[PROVIDER_CLOCK, OUR_CLOCK])
    converted: bool | None = Field(description="the person did what it was for, as you reported; null: nobody said")
    receipt_missing: bool = Field(description="how it ended we know because we asked or gave up")
    receipts_count: int
    unknown_statuses: list[str] = Field(description="words of the provider that have no mapping yet")
    created_at: Moment
    updated_at: Moment


class ReceiptShape(Shape):
    """One fact, however often it was told."""

    source: str = Field(examples=[source.value for source in Source])
    status: str | None = Field(
        description="null: a word of the provider that has no mapping, or a conversion, which is no status"
    )
    provider_status: str
    occurred_at: Moment | None = Field(description="when the status was reached, on the provider's clock")
    received_at: Moment = Field(description="when we first heard it, on ours")
    received_count: int
    callback_id: str | None = Field(description="the first callback that told it")
    error_code: str | None
    provider_reason: str | None
    part: PartOfShape | None
    sequence: int | None = Field(description="the provider's own order")
    extra: dict[str, str] = Field(description="every other field, as it came")


class TimelineEntry(Shape):
    """One step of a message's way."""

    at: Moment
    clock: str = Field(description="whose clock tells `at`", examples=[PROVIDER_CLOCK, OUR_CLOCK])
    status: str | None
    provider_status: str | None = Field(description="null where only its time was told, with a later status")
    source: str | None
    part: int | None = Field(description="number of the part it is about")
    error_code: str | None
    provider_reason: str | None
    received_at: Moment | None
    callback_id: str | None


class OutboxShape(Shape):
    """How far the sending of a message is."""

    state: str = Field(examples=["waiting", "sending", "unknown"])
    due_at: Moment = Field(description="when it is to be sent at the earliest; of `unknown`: to be looked up")
    attempts: int
    problem: str | None = Field(description="why the last attempt did not send it")
    expires_at: Moment | None


class MessageWhole(MessageShape):
    """One message with everything it is derived from."""

    receipts: list[ReceiptShape]
    timeline: list[TimelineEntry]
    segments_estimated: int | None = Field(
        description="of what was sent through here: the parts we expected, where `units` are those that are charged"
    )
    outbox: OutboxShape | None = Field(description="null where it is not to be sent, or is sent")


def message(row: Any, names: Mapping[int, AccountName], providers: Mapping[str, Provider]) -> MessageShape:
    """A row of `messages` as a list shows it."""
    return MessageShape(**_message(row, names, providers))


def message_whole(
    row: Any, names: Mapping[int, AccountName], providers: Mapping[str, Provider], progress: Any = None
) -> MessageWhole:
    """A row of `messages`, facts included; and its row of the outbox, where it is in there."""
    lost = partial(_lost, account=names.get(row.account_id), providers=providers)
    facts = row.facts if isinstance(row.facts, list) else orjson.loads(row.facts)
    heard = sorted(facts_from_json(row.provider_message_id, facts).items(), key=lambda fact: (fact[1], _rank(fact[0])))
    return MessageWhole(
        **_message(row, names, providers),
        receipts=[_receipt(receipt, hearing, lost) for receipt, hearing in heard],
        timeline=_timeline(row, heard, lost),
        segments_estimated=_segments_estimated(receipt for receipt, _ in heard),
        outbox=OutboxShape(**progress._mapping) if progress else None,
    )


def callback_ids(row: Any) -> list[int]:
    """The callbacks that told of a message, of its row with facts; of a fact that was told often the first 32."""
    facts = row.facts if isinstance(row.facts, list) else orjson.loads(row.facts)
    heard = facts_from_json(row.provider_message_id, facts).values()
    return sorted({callback_id for each in heard for callback_id in each.callback_ids})


def _segments_estimated(receipts: Iterable[Receipt]) -> int | None:
    told = (
        value
        for receipt in receipts
        if receipt.source is Source.OURS
        for name, value in receipt.extra
        if name == SEGMENTS
    )
    return int(next(told, "0")) or None


def _message(row: Any, names: Mapping[int, AccountName], providers: Mapping[str, Provider]) -> dict[str, Any]:
    account = names.get(row.account_id)
    parts = row.parts or [{"provider_message_id": row.provider_message_id, "number": 1, "of": 1, "status": row.status}]
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
        "network": Network.of(row.mcc, row.mnc),
        "status": row.status,
        "provider_status": row.provider_status,
        "final": row.final,
        "contradictory": row.contradictory,
        **_lost(row.error_code, account, providers),
        "error": error_meaning(row.error_code, account, providers),
        "parts": [PartShape(**part) for part in parts],
        "units": row.units,
        "cost": None if row.cost_nanos is None else Money.of(row.cost_nanos, row.currency),
        "tags": row.tags,
        "queued_at": row.queued_at,
        "sent_at": row.sent_at,
        "delivered_at": row.delivered_at,
        "final_at": row.final_at,
        "latency_s": None if row.latency_ms is None else row.latency_ms / 1000,
        "latency_clock": row.latency_clock,
        "converted": row.converted,
        "receipt_missing": row.receipt_missing,
        "receipts_count": row.facts_count,
        "unknown_statuses": row.unknown_statuses,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


#: What a receipt carries as `error_code` -> the fields that show it.
_Lost = Callable[[str | None], dict[str, str | None]]


def _lost(
    error_code: str | None, account: AccountName | None, providers: Mapping[str, Provider]
) -> dict[str, str | None]:
    """As the code it is, or as the reason that a provider without codes gives."""
    provider = providers.get(account.provider) if account else None
    if error_code is None or provider is None or our_codes.explain(error_code) or provider.is_code(error_code):
        return {"error_code": error_code, "provider_reason": None}
    return {"error_code": None, "provider_reason": error_code}


def error_meaning(
    error_code: str | None, account: AccountName | None, providers: Mapping[str, Provider]
) -> ErrorMeaning | None:
    """What we mean by the code where it is ours, else what the account's provider does."""
    if error_code and (ours := our_codes.explain(error_code)):
        return ErrorMeaning.of(ours)
    provider = providers.get(account.provider) if account else None
    return ErrorMeaning.of(provider.explain(error_code)) if error_code and provider else None


def _receipt(receipt: Receipt, heard: Heard, lost: _Lost) -> ReceiptShape:
    part = receipt.part
    return ReceiptShape(
        source=receipt.source,
        status=_status(receipt),
        provider_status=receipt.provider_status,
        occurred_at=_occurred_at(receipt),
        received_at=heard.received_at,
        received_count=max(1, len(heard.callback_ids)),
        callback_id=str(heard.callback_ids[0]) if heard.callback_ids else None,
        **lost(receipt.error_code),
        part=PartOfShape(**part._asdict()) if part else None,
        sequence=receipt.sequence,
        extra=dict(receipt.extra),
    )


def _status(receipt: Receipt) -> Status | None:
    """None for a conversion, which lifts no status."""
    return None if receipt.converted is not None else receipt.status


def _occurred_at(receipt: Receipt) -> datetime | None:
    """The provider's time of the receipt's own status."""
    if receipt.status is Status.QUEUED:
        return receipt.queued_at or receipt.submitted_at
    if receipt.status is Status.SENT:
        return receipt.sent_at
    return receipt.final_at if receipt.status in FINAL else None


def _timeline(row: Any, heard: Sequence[tuple[Receipt, Heard]], lost: _Lost) -> list[TimelineEntry]:
    """Every receipt at the time it speaks of, and the steps of which only a later receipt told the time."""
    by_provider = {at for receipt, _ in heard for at in (receipt.submitted_at, receipt.queued_at, receipt.sent_at)}
    steps = ((Status.QUEUED, row.queued_at), (Status.SENT, row.sent_at))
    reached = {status: at for status, at in steps if at is not None and at in by_provider}
    entries = [_told(receipt, hearing, reached, lost) for receipt, hearing in heard]
    told = {receipt.status for receipt, _ in heard}
    entries += [_inferred(status, at) for status, at in reached.items() if status not in told]
    return sorted(entries, key=lambda entry: (entry.at, RANK[Status(entry.status)] if entry.status else -1))


def _told(receipt: Receipt, heard: Heard, reached: Mapping[Status, datetime], lost: _Lost) -> TimelineEntry:
    occurred_at = _occurred_at(receipt)
    if occurred_at is None and receipt.status is not None and receipt.part is None:
        occurred_at = reached.get(receipt.status)
    return TimelineEntry(
        at=occurred_at or heard.received_at,
        clock=PROVIDER_CLOCK if occurred_at else OUR_CLOCK,
        status=_status(receipt),
        provider_status=receipt.provider_status,
        source=receipt.source,
        part=receipt.part.number if receipt.part else None,
        **lost(receipt.error_code),
        received_at=heard.received_at,
        callback_id=str(heard.callback_ids[0]) if heard.callback_ids else None,
    )


def _inferred(status: Status, at: datetime) -> TimelineEntry:
    return TimelineEntry(
        at=at, clock=PROVIDER_CLOCK, status=status, provider_status=None, source=None, part=None, error_code=None,
        provider_reason=None, received_at=None, callback_id=None,
    )  # fmt: skip


def _rank(receipt: Receipt) -> int:
    return -1 if receipt.status is None else RANK[receipt.status]


# --- callbacks ---------------------------------------------------------------------------------------------------


class CallbackShape(Shape):
    """One HTTP request of a provider, and what we made of it."""

    id: str
    account: str | None
    received_at: Moment
    method: str
    url: str = Field(description="as the provider called it; the account's key in it is shown to admin keys only")
    kind: str | None = Field(description="from the long form of the path")
    our_id: str | None = Field(description="from the long form of the path")
    verified_by: list[str] = Field(description="headers whose signature holds")
    body_bytes: int
    verdict: str = Field(examples=["accepted", "refused"])
    outcome: str | None = Field(
        description="of an accepted one: in state, still to be tracked, or set aside",
        examples=["tracked", "waiting", "set_aside"],
    )
    reason: str | None = Field(description="why it was refused or set aside: a stable word")
    detail: str | None = Field(description="the same as a sentence")


class CallbackWhole(CallbackShape):
    headers: dict[str, str] = Field(description="secrets among them are masked")
    body: str | None = Field(description="null where it is not text: see body_base64")
    body_base64: str | None
    body_truncated: bool = Field(description="of a refused callback only the first bytes are kept")


# --- accounts ----------------------------------------------------------------------------------------------------


class AccountShape(Shape):
    """Our credentials at a provider, without the secrets."""

    name: str
    provider: str
    provider_account_id: str
    policy: str
    allowed_addresses: list[str] = Field(description="networks and host names that may call; none: anybody")
    created_at: Moment
    disabled_at: Moment | None
    callback_urls: list[str] | None = Field(description="where the provider is to call; for admin keys only")


# --- lists -------------------------------------------------------------------------------------------------------


class MessageList(Shape):
    data: list[MessageShape]
    next_cursor: str | None


class CallbackList(Shape):
    data: list[CallbackShape]
    next_cursor: str | None


class AccountList(Shape):
    data: list[AccountShape]
    next_cursor: str | None
