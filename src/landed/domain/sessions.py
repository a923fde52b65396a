"""What became of a verify session: a pure function of the set of facts known about it.

`fold` adds facts to a set and derives everything from the set, as domain/messages.py does: order, repeats and batches
cannot matter. The rules are told in docs/verify.md.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from landed.domain.countries import country_of, country_of_mcc
from landed.domain.events import Event
from landed.domain.facts import Heard, hear
from landed.domain.messages import CLOCK_AHEAD_MAX, FACTS_MAX
from landed.domain.receipts import AttemptChannel, AttemptReport, SessionReceipt, SessionStatus, Source, Telling
from landed.domain.statuses import FINAL as ATTEMPT_FINAL
from landed.domain.statuses import OUTCOME, Status
from landed.domain.statuses import RANK as ATTEMPT_RANK

RANK: Final = {status: rank for rank, status in enumerate(SessionStatus)}
#: No further news is needed after one of these, though a higher one still corrects it.
FINAL: Final = frozenset(SessionStatus) - {SessionStatus.IN_PROGRESS}

_DELIVERED: Final = frozenset({Status.DELIVERED, Status.READ})
#: What can only be said of an attempt that went out.
_SENT: Final = _DELIVERED | {Status.SENT, Status.UNDELIVERED}
#: Who tells a thing at the moment it happens; the answer to a look-up says when we asked.
_PROMPT: Final = frozenset({Source.CALLBACK, Source.SEND})
_CLOCK_MIN: Final = datetime(2000, 1, 1, tzinfo=UTC)

Facts = Mapping[SessionReceipt, Heard]


class Attempt(NamedTuple):
    """One try to reach the person. Providers tell when it was requested; the other times are of our clock."""

    provider_attempt_id: str
    sequence: int | None  #: from 1
    channel: AttemptChannel | None
    status: Status
    provider_status: str
    final: bool
    contradictory: bool  #: two outcomes that exclude each other were told of it
    error_code: str | None
    requested_at: datetime | None
    sent_at: datetime | None  #: when we first heard that it went out
    delivered_at: datetime | None
    final_at: datetime | None


class Session(NamedTuple):
    """One verify session, as far as it is known. Units of the fields are those of SessionReceipt."""

    provider_session_id: str
    facts: Facts
    our_id: str | None
    recipient: str | None
    country: str | None  #: ISO 3166 alpha-2 of the recipient's number
    mcc: str | None
    mnc: str | None
    channel: AttemptChannel | None  #: of the first attempt
    status: SessionStatus
    provider_status: str
    final: bool  #: nothing more is expected; a higher status still corrects it
    contradictory: bool  #: two different final answers were given
    error_code: str | None  #: of the last attempt that has one
    attempts: tuple[Attempt, ...]  #: in their order
    cost_nanos: int | None
    currency: str | None
    started_at: datetime  #: the provider's time, or else when we first heard of it
    expires_at: datetime | None
    delivered_at: datetime | None  #: when we first heard that an attempt arrived
    verified_at: datetime | None
    final_at: datetime | None
    time_to_verify_ms: int | None  #: start to verification, both on the clock that `time_to_verify_clock` names
    time_to_verify_clock: str | None  #: "provider" or "ours"
    unknown_statuses: tuple[str, ...]  #: words of the provider, for session or attempt, that have no mapping


def fold(facts: Facts, told: Iterable[Telling[SessionReceipt]]) -> Session:
    """The session that is known after hearing `told` on top of `facts`; one of them must not be empty."""
    known = hear(facts, told)
    ordered = sorted(known, key=_weight, reverse=True)
    if len(ordered) > FACTS_MAX:
        ordered = ordered[:FACTS_MAX]
        known = {receipt: known[receipt] for receipt in ordered}
    return _derive(known, ordered)


def events(account_id: int, subject_id: str, before: Session | None, after: Session) -> list[Event]:
    """What others are told: `session.started` when it is first heard of, and each final status it comes to."""
    told = []
    if before is None:
        told.append(Event("session.started", account_id, subject_id, after.started_at))
    if after.final and (before is None or before.status is not after.status):
        at = after.final_at or after.started_at
        told.append(Event(f"session.{after.status}", account_id, subject_id, at))
    return told


def unknown_word(receipt: SessionReceipt) -> str | None:
    """The word without a mapping in this receipt: that for the session, else that for the attempt."""
    return next(iter(_unknown_words(receipt)), None)


def _unknown_words(receipt: SessionReceipt) -> list[str]:
    """Where a receipt is about an attempt alone, its word for the session is empty."""
    words = [told.provider_status for told in (receipt, receipt.attempt) if told is not None and told.status is None]
    return [word for word in words if word]


def _weight(receipt: SessionReceipt) -> tuple[int, int, int, str]:
    """Heavier with the status of the session, then of the attempt, then with later attempts; ties by content, so that
    it is one order for all."""
    attempt = receipt.attempt
    rank = -1 if receipt.status is None else RANK[receipt.status]
    return rank, _attempt_rank(attempt), (attempt.sequence or 0) if attempt else 0, repr(_plain(receipt))


def _attempt_rank(attempt: AttemptReport | None) -> int:
    return -1 if attempt is None or attempt.status is None else ATTEMPT_RANK[attempt.status]


def _plain(value: Any) -> Any:
    """Written alike for equal values: the zone of a time has several names."""
    if isinstance(value, datetime):
        return value.timestamp()
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def _derive(facts: Facts, ordered: Sequence[SessionReceipt]) -> Session:
    winner = ordered[0]
    status = winner.status or SessionStatus.IN_PROGRESS
    attempts = _attempts(facts, ordered)
    recipient = next((receipt.recipient for receipt in ordered if receipt.recipient), None)
    # MCC and MNC belong together, as do amount and currency.
    network = next((receipt for receipt in ordered if receipt.mcc), winner)
    charged = next((receipt for receipt in ordered if receipt.cost_nanos is not None), None)
    # What we concluded ourselves contradicts nothing: an answer after it is a correction.
    finals = {receipt.status for receipt in ordered if receipt.source is not Source.OURS} & FINAL
    times = _times(facts, status)
    return Session(
        provider_session_id=winner.provider_session_id,
        facts=facts,
        our_id=_our_id(ordered),
        recipient=recipient,
        country=(country_of(recipient) if recipient else None)
        or (country_of_mcc(network.mcc) if network.mcc else None),
        mcc=network.mcc,
        mnc=network.mnc,
        channel=next((attempt.channel for attempt in attempts if attempt.channel), None),
        status=status,
        provider_status=next((receipt.provider_status for receipt in ordered if receipt.provider_status), ""),
        final=status in FINAL,
        contradictory=len(finals) > 1,
        error_code=next((attempt.error_code for attempt in reversed(attempts) if attempt.error_code), None),
        attempts=attempts,
        cost_nanos=charged.cost_nanos if charged else None,
        currency=charged.currency if charged else None,
        started_at=times.started_at,
        expires_at=times.expires_at,
        delivered_at=min((attempt.delivered_at for attempt in attempts if attempt.delivered_at), default=None),
        verified_at=times.reached_at if status is SessionStatus.VERIFIED else None,
        final_at=times.reached_at if status in FINAL else None,
        time_to_verify_ms=times.time_to_verify_ms,
        time_to_verify_clock=times.time_to_verify_clock,
        unknown_statuses=tuple(sorted({word for receipt in ordered for word in _unknown_words(receipt)})),
    )


def _our_id(receipts: Iterable[SessionReceipt]) -> str | None:
    """The one we sent it with, before what stands in a callback's path; the smallest of several."""
    named = [(receipt.source is not Source.SEND, receipt.our_id) for receipt in receipts if receipt.our_id]
    return min(named)[1] if named else None


# --- attempts ------------------------------------------------------------------------------------------------------


def _attempts(facts: Facts, ordered: Iterable[SessionReceipt]) -> tuple[Attempt, ...]:
    by_id: dict[str, list[tuple[AttemptReport, SessionReceipt]]] = {}
    for receipt in ordered:
        if receipt.attempt is not None:
            by_id.setdefault(receipt.attempt.provider_attempt_id, []).append((receipt.attempt, receipt))
    return tuple(sorted((_attempt(facts, told) for told in by_id.values()), key=_place))


def _place(attempt: Attempt) -> tuple[float, float, str]:
    """By the provider's numbers; those without one come last, by time."""
    sequence = float("inf") if attempt.sequence is None else attempt.sequence
    requested_at = float("inf") if attempt.requested_at is None else attempt.requested_at.timestamp()
    return sequence, requested_at, attempt.provider_attempt_id


def _attempt(facts: Facts, told: Iterable[tuple[AttemptReport, SessionReceipt]]) -> Attempt:
    heaviest_first = sorted(told, key=lambda pair: _attempt_rank(pair[0]), reverse=True)  # stable: ties as they came
    reports = [report for report, _ in heaviest_first]
    winner = reports[0]
    status = winner.status or Status.QUEUED
    heard = [(report.status, facts[receipt].received_at) for report, receipt in heaviest_first]
    requested = [credible(report.requested_at, facts[receipt]) for report, receipt in heaviest_first]

    def first_heard(statuses: Collection[Status | None]) -> datetime | None:
        return min((at for reported, at in heard if reported in statuses), default=None)

    return Attempt(
        provider_attempt_id=winner.provider_attempt_id,
        sequence=min((report.sequence for report in reports if report.sequence is not None), default=None),
        channel=next((report.channel for report in reports if report.channel), None),
        status=status,
        provider_status=winner.provider_status,
        final=status in ATTEMPT_FINAL,
        contradictory=len({OUTCOME[report.status] for report in reports if report.status in OUTCOME}) > 1,
        error_code=next(
            (each.error_code for each in reports if each.status is winner.status and each.error_code), None
        ),
        requested_at=min(filter(None, requested), default=None),
        sent_at=first_heard(_SENT),
        delivered_at=first_heard(_DELIVERED),
        final_at=first_heard({status}) if status in ATTEMPT_FINAL else None,
    )


# --- times ---------------------------------------------------------------------------------------------------------


class _Times(NamedTuple):
    started_at: datetime
    expires_at: datetime | None
    reached_at: datetime  #: when it came to the status it has
    time_to_verify_ms: int | None
    time_to_verify_clock: str | None


def _times(facts: Facts, status: SessionStatus) -> _Times:
    """When things happened: the provider's clock where it told, ours where it did not, never one minus the other."""
    started: list[datetime | None] = []
    told: list[datetime | None] = []
    reached: list[datetime | None] = []
    expires: list[datetime | None] = []
    for receipt, heard in facts.items():
        updated_at = credible(receipt.updated_at, heard)
        requested_at = receipt.attempt.requested_at if receipt.attempt else None
        started += [credible(receipt.started_at, heard), credible(requested_at, heard)]
        expires.append(credible(receipt.expires_at, heard))
        told.append(updated_at)
        if receipt.status is status:
            reached.append(updated_at)
        if receipt.status is SessionStatus.IN_PROGRESS:
            started.append(updated_at)
    first_started, first_reached = _earliest(started), _earliest(reached)
    heard_reached = min(
        (heard.received_at for receipt, heard in facts.items() if receipt.status is status), default=None
    )
    heard_first = min(heard.received_at for heard in facts.values())
    ms = clock = None
    if status is SessionStatus.VERIFIED:
        ms, clock = _time_to_verify(facts, first_started, first_reached)
    return _Times(
        # A provider that tells no start tells at least that it was not later than this.
        started_at=first_started or _earliest(told) or heard_first,
        expires_at=max(filter(None, expires), default=None),
        reached_at=first_reached or heard_reached or heard_first,
        time_to_verify_ms=ms,
        time_to_verify_clock=clock,
    )


def _time_to_verify(
    facts: Facts, started: datetime | None, verified: datetime | None
) -> tuple[int, str] | tuple[None, None]:
    """Milliseconds and whose clock: the provider's where it told both ends, else ours."""
    clock = "provider"
    if started is None or verified is None:
        clock = "ours"
        prompt = [(heard.received_at, receipt.status) for receipt, heard in facts.items() if receipt.source in _PROMPT]
        started = min((at for at, _ in prompt), default=None)
        verified = min((at for at, status in prompt if status is SessionStatus.VERIFIED), default=None)
        if started is None or verified is None or started == verified:
            return None, None
    return (None, None) if verified < started else ((verified - started) // timedelta(milliseconds=1), clock)


def credible(at: datetime | None, heard: Heard) -> datetime | None:
    """A time of the provider's, in a fact heard then; None where the provider's clock is broken."""
    return at if at is not None and _CLOCK_MIN <= at <= heard.received_at + CLOCK_AHEAD_MAX else None


def _earliest(times: Iterable[datetime | None]) -> datetime | None:
    return min(filter(None, times), default=None)
