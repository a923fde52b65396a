"""The shapes of verify sessions: one for the API, `--json` of the CLI, and whoever is told of an event."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from landed.domain.accounts import AccountName
from landed.domain.facts import Heard
from landed.domain.receipts import AttemptReport, SessionReceipt, SessionStatus, Source
from landed.domain.sessions import RANK, credible
from landed.domain.statuses import Status
from landed.providers.base import Provider
from landed.services.shapes import (
    OUR_CLOCK,
    PROVIDER_CLOCK,
    ErrorMeaning,
    Moment,
    Money,
    Network,
    Shape,
    error_meaning,
)
from landed.store.session_queries import Resent


class AttemptShape(Shape):
    """One try to reach the person."""

    provider_attempt_id: str
    sequence: int | None = Field(description="from 1, as the provider counts")
    channel: str | None = Field(examples=["sms", "voice", "whatsapp"])
    status: str = Field(description="as of messages")
    provider_status: str = Field(description="the provider's own word")
    final: bool
    contradictory: bool = Field(description="two outcomes that exclude each other were told of it")
    error_code: str | None
    error: ErrorMeaning | None
    requested_at: Moment | None = Field(description="on the provider's clock; the other times are on ours")
    sent_at: Moment | None
    delivered_at: Moment | None
    final_at: Moment | None


class SessionShape(Shape):
    """One verify session, and what became of it."""

    id: str
    account: str | None
    provider: str | None
    provider_session_id: str
    our_id: str | None = Field(description="the id we gave it, from the path of its callbacks")
    to: str | None
    country: str | None = Field(description="ISO 3166 alpha-2, of the recipient's number")
    network: Network
    channel: str | None = Field(description="of the first attempt")
    status: str = Field(examples=[status.value for status in SessionStatus])
    provider_status: str = Field(description="the provider's own word")
    final: bool = Field(description="nothing more is expected; a later true answer still corrects it")
    contradictory: bool = Field(description="two different final answers were given")
    error_code: str | None = Field(description="of the last attempt that has one")
    error: ErrorMeaning | None
    attempts: list[AttemptShape] = Field(description="in their order; empty where the provider tells none")
    cost: Money | None
    started_at: Moment
    expires_at: Moment | None
    delivered_at: Moment | None = Field(description="when we first heard that an attempt arrived")
    verified_at: Moment | None
    final_at: Moment | None
    time_to_verify_s: float | None = Field(description="start to verification, on the clock that is named")
    time_to_verify_clock: str | None = Field(examples=[PROVIDER_CLOCK, OUR_CLOCK])
    receipts_count: int
    unknown_statuses: list[str] = Field(description="words of the provider that have no mapping yet")
    created_at: Moment
    updated_at: Moment


class AttemptReportShape(Shape):
    """What a receipt says of an attempt."""

    provider_attempt_id: str
    sequence: int | None
    channel: str | None
    status: str | None = Field(description="null: a word of the provider that has no mapping")
    provider_status: str
    error_code: str | None
    requested_at: Moment | None


class SessionReceiptShape(Shape):
    """One fact, however often it was told."""

    source: str = Field(examples=[source.value for source in Source])
    status: str | None = Field(description="of the session; null: a word of the provider that has no mapping")
    provider_status: str
    attempt: AttemptReportShape | None
    occurred_at: Moment | None = Field(description="when the session came to this status, on the provider's clock")
    received_at: Moment = Field(description="when we first heard it, on ours")
    received_count: int = Field(description="how often it was told")
    callback_ids: list[str] = Field(description="the callbacks that told it, the first 32 of them")
    extra: dict[str, str] = Field(description="every other field, as it came")


class SessionStep(Shape):
    """One step of a session's way: of the session itself, or of an attempt."""

    at: Moment
    clock: str = Field(description="whose clock tells `at`", examples=[PROVIDER_CLOCK, OUR_CLOCK])
    provider_attempt_id: str | None = Field(description="the attempt it is about; null: the session itself")
    attempt: int | None = Field(description="the attempt's number, from 1")
    channel: str | None = Field(description="of the attempt")
    status: str | None
    provider_status: str | None = Field(description="null where only its time was told, with a later status")
    error_code: str | None
    source: str | None
    received_at: Moment | None
    callback_id: str | None


class SessionWhole(SessionShape):
    """One verify session with everything it is derived from."""

    resent_from: str | None = Field(description="our id of the session that this one sends again")
    resent_as: list[str] = Field(description="our ids of those that were started to send it again, earliest first")
    receipts: list[SessionReceiptShape]
    timeline: list[SessionStep]


class CodeChecked(Shape):
    """What came of a code, and where the session stands that it is for."""

    verified: bool
    tries_left: int | None = Field(description="before it has failed; null: verified, or not started here")
    session: SessionWhole


class SessionList(Shape):
    data: list[SessionShape]
    next_cursor: str | None


def session(row: Any, names: Mapping[int, AccountName], providers: Mapping[str, Provider]) -> SessionShape:
    """A row of `sessions` as a list shows it."""
    return SessionShape(**_session(row, names, providers))


def session_whole(
    row: Any,
    facts: Mapping[SessionReceipt, Heard],
    names: Mapping[int, AccountName],
    providers: Mapping[str, Provider],
    resent: Resent,
) -> SessionWhole:
    """A row of `sessions` with the facts in it."""
    heard = sorted(facts.items(), key=lambda fact: (fact[1], _rank(fact[0])))
    told = _session(row, names, providers)
    return SessionWhole(
        **told,
        resent_from=str(resent.before) if resent.before else None,
        resent_as=[str(our_id) for our_id in resent.after],
        receipts=[_receipt(receipt, hearing) for receipt, hearing in heard],
        timeline=_timeline(row, told["attempts"], heard),
    )


def _session(row: Any, names: Mapping[int, AccountName], providers: Mapping[str, Provider]) -> dict[str, Any]:
    account = names.get(row.account_id)
    return {
        "id": str(row.id),
        "account": account.name if account else None,
        "provider": account.provider if account else None,
        "provider_session_id": row.provider_session_id,
        "our_id": row.our_id,
        "to": row.recipient,
        "country": row.country,
        "network": Network.of(row.mcc, row.mnc),
        "channel": row.channel,
        "status": row.status,
        "provider_status": row.provider_status,
        "final": row.final,
        "contradictory": row.contradictory,
        "error_code": row.error_code,
        "error": error_meaning(row.error_code, account, providers),
        "attempts": [
            AttemptShape(**attempt, error=error_meaning(attempt["error_code"], account, providers))
            for attempt in row.attempts
        ],
        "cost": None if row.cost_nanos is None else Money.of(row.cost_nanos, row.currency),
        "started_at": row.started_at,
        "expires_at": row.expires_at,
        "delivered_at": row.delivered_at,
        "verified_at": row.verified_at,
        "final_at": row.final_at,
        "time_to_verify_s": None if row.time_to_verify_ms is None else row.time_to_verify_ms / 1000,
        "time_to_verify_clock": row.time_to_verify_clock,
        "receipts_count": row.facts_count,
        "unknown_statuses": row.unknown_statuses,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _receipt(receipt: SessionReceipt, heard: Heard) -> SessionReceiptShape:
    return SessionReceiptShape(
        source=receipt.source,
        status=receipt.status,
        provider_status=receipt.provider_status,
        attempt=AttemptReportShape(**receipt.attempt._asdict()) if receipt.attempt else None,
        occurred_at=receipt.updated_at,
        received_at=heard.received_at,
        received_count=max(1, len(heard.callback_ids)),
        callback_ids=[str(callback_id) for callback_id in heard.callback_ids],
        extra=dict(receipt.extra),
    )


def _rank(receipt: SessionReceipt) -> int:
    return -1 if receipt.status is None else RANK[receipt.status]


# --- timeline ----------------------------------------------------------------------------------------------------

_Fact = tuple[SessionReceipt, Heard]


def _timeline(row: Any, attempts: Sequence[AttemptShape], heard: Iterable[_Fact]) -> list[SessionStep]:
    """Each status of the session and of its attempts once, at the time it was first told of, and each attempt's
    request. A receipt that repeats what an earlier one said of the session or the attempt adds no step."""
    of_session: dict[tuple[Any, ...], list[_Fact]] = {}
    of_attempts: dict[tuple[Any, ...], tuple[AttemptReport, _Fact]] = {}
    for receipt, hearing in heard:  # earliest first
        of_session.setdefault((receipt.status, receipt.provider_status), []).append((receipt, hearing))
        if receipt.attempt is not None:
            report = receipt.attempt
            key = (report.provider_attempt_id, report.status, report.provider_status, report.error_code)
            of_attempts.setdefault(key, (report, (receipt, hearing)))
    by_id = {attempt.provider_attempt_id: attempt for attempt in attempts}
    steps = [_session_step(row, facts) for facts in of_session.values()]
    steps += [_attempt_step(by_id[report.provider_attempt_id], report, *told) for report, told in of_attempts.values()]
    queued = {report.provider_attempt_id for report, _ in of_attempts.values() if report.status is Status.QUEUED}
    steps += [
        _requested(attempt, attempt.requested_at)
        for attempt in attempts
        if attempt.requested_at and attempt.provider_attempt_id not in queued
    ]
    return sorted(steps, key=_place)


def _place(step: SessionStep) -> tuple[datetime, bool, int]:
    """In order of time. At one moment a session starts before, and ends after what its attempts do."""
    ends = step.provider_attempt_id is None and step.status != SessionStatus.IN_PROGRESS
    return step.at, ends, step.attempt or 0


def _session_step(row: Any, facts: Sequence[_Fact]) -> SessionStep:
    receipt, heard = facts[0]
    at = min(filter(None, (credible(told.updated_at, hearing) for told, hearing in facts)), default=None)
    if receipt.status is SessionStatus.IN_PROGRESS and row.started_at < heard.received_at:
        at = row.started_at
    return SessionStep(
        at=at or heard.received_at,
        clock=PROVIDER_CLOCK if at else OUR_CLOCK,
        provider_attempt_id=None,
        attempt=None,
        channel=None,
        status=receipt.status,
        provider_status=receipt.provider_status,
        error_code=None,
        **_how_we_know(receipt, heard),
    )


def _attempt_step(attempt: AttemptShape, report: AttemptReport, receipt: SessionReceipt, heard: Heard) -> SessionStep:
    requested_at = attempt.requested_at if report.status is Status.QUEUED else None
    return SessionStep(
        at=requested_at or heard.received_at,
        clock=PROVIDER_CLOCK if requested_at else OUR_CLOCK,
        provider_attempt_id=attempt.provider_attempt_id,
        attempt=attempt.sequence,
        channel=attempt.channel,
        status=report.status,
        provider_status=report.provider_status,
        error_code=report.error_code,
        **_how_we_know(receipt, heard),
    )


def _requested(attempt: AttemptShape, at: datetime) -> SessionStep:
    return SessionStep(
        at=at, clock=PROVIDER_CLOCK, provider_attempt_id=attempt.provider_attempt_id, attempt=attempt.sequence,
        channel=attempt.channel, status=Status.QUEUED, provider_status=None, error_code=None, source=None,
        received_at=None, callback_id=None,
    )  # fmt: skip


def _how_we_know(receipt: SessionReceipt, heard: Heard) -> dict[str, Any]:
    return {
        "source": receipt.source,
        "received_at": heard.received_at,
        "callback_id": str(heard.callback_ids[0]) if heard.callback_ids else None,
    }
