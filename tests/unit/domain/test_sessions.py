"""What became of a verify session follows from the set of facts alone, and from nothing else."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from landed.domain import funnel, latency
from landed.domain.counters import Resolution
from landed.domain.facts import Heard
from landed.domain.messages import FACTS_MAX
from landed.domain.receipts import AttemptChannel, AttemptReport, SessionReceipt, SessionStatus, Source, Telling
from landed.domain.sessions import FINAL, RANK, Session, events, fold, unknown_word
from landed.domain.statuses import Status

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
IN_PROGRESS, FAILED, CANCELLED, EXPIRED, VERIFIED = SessionStatus


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def receipt(status: SessionStatus | None = IN_PROGRESS, **fields: Any) -> SessionReceipt:
    word = str(status) if status else "pondering"
    return SessionReceipt(**{"provider_session_id": "s1", "provider_status": word, "status": status, **fields})


def report(status: Status | None, number: int = 1, **fields: Any) -> AttemptReport:
    told = {"provider_attempt_id": f"a{number}", "provider_status": str(status), "status": status, "sequence": number}
    return AttemptReport(**{**told, "channel": AttemptChannel.SMS, **fields})


def tried(
    status: Status | None, number: int = 1, session: SessionStatus = IN_PROGRESS, **fields: Any
) -> SessionReceipt:
    return receipt(session, recipient="+14155550123", attempt=report(status, number, **fields))


def told(*receipts: SessionReceipt, start: datetime = START) -> list[Telling[SessionReceipt]]:
    """Each a second after the one before, by callbacks 1, 2, 3, …"""
    return [Telling(each, start + timedelta(seconds=number), number + 1) for number, each in enumerate(receipts)]


def folded(*receipts: SessionReceipt) -> Session:
    return fold({}, told(*receipts))


# --- any facts whatever --------------------------------------------------------------------------------------------

MOMENTS = st.none() | st.integers(-400_000, 400_000).map(after)
REPORTS = st.builds(
    AttemptReport,
    provider_attempt_id=st.sampled_from(["a1", "a2", "a3"]),
    provider_status=st.sampled_from(["queued", "sent", "no-answer", ""]),
    status=st.none() | st.sampled_from(Status),
    sequence=st.none() | st.integers(1, 3),
    channel=st.none() | st.sampled_from(AttemptChannel),
    error_code=st.sampled_from([None, "70", "3010"]),
    requested_at=MOMENTS,
)
RECEIPTS = st.builds(
    SessionReceipt,
    provider_session_id=st.just("s1"),
    provider_status=st.sampled_from(["in-progress", "verified", "pondering", ""]),
    status=st.none() | st.sampled_from(SessionStatus),
    source=st.sampled_from(Source),
    attempt=st.none() | REPORTS,
    recipient=st.sampled_from([None, "+447700900123", "+14155550123"]),
    mcc=st.sampled_from([None, "310", "234"]),
    mnc=st.sampled_from([None, "260", "015"]),
    started_at=MOMENTS,
    updated_at=MOMENTS,
    expires_at=MOMENTS,
    cost_nanos=st.none() | st.integers(0, 10**8),
    currency=st.sampled_from([None, "USD", "EUR"]),
    our_id=st.sampled_from([None, "ours", "mine"]),
    extra=st.sampled_from([(), (("tenant", "42"),)]),
)
TELLINGS = st.builds(
    Telling,
    receipt=RECEIPTS,
    received_at=st.integers(0, 5).map(after),
    callback_id=st.none() | st.integers(1, 50),
)


_STORED: TypeAdapter[list[tuple[SessionReceipt, Heard]]] = TypeAdapter(list[tuple[SessionReceipt, Heard]])


def stored(session: Session) -> dict[SessionReceipt, Heard]:
    """Its facts, written to a row and read again."""
    return dict(_STORED.validate_json(_STORED.dump_json(list(session.facts.items()))))


def told_in_batches(tellings: Sequence[Telling[SessionReceipt]], sizes: Sequence[int]) -> list[Session]:
    """Fold as many at once as `sizes` says, then the rest, on top of what was stored. Every state it went through."""
    states: list[Session] = []
    start = 0
    for size in (*sizes, len(tellings)):
        batch = tellings[start : start + size]
        start += size
        if batch:
            states.append(fold(stored(states[-1]) if states else {}, batch))
    return states


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_permutation_repetition_and_batching_of_the_facts_gives_the_same_session(data: st.DataObject) -> None:
    tellings = data.draw(st.lists(TELLINGS, min_size=1, max_size=8))
    repeats = data.draw(st.lists(st.sampled_from(tellings), max_size=4))
    shuffled = data.draw(st.permutations([*tellings, *repeats]))
    sizes = data.draw(st.lists(st.integers(1, 4), max_size=6))

    assert told_in_batches(shuffled, sizes)[-1] == fold({}, tellings)


@given(st.lists(TELLINGS, min_size=1, max_size=8))
@settings(deadline=None)
def test_hearing_everything_again_changes_nothing(tellings: list[Telling[SessionReceipt]]) -> None:
    once = fold({}, tellings)

    assert fold(stored(once), tellings) == once
    assert fold(stored(once), []) == once


@given(st.lists(TELLINGS, min_size=1, max_size=8), st.lists(TELLINGS, max_size=4))
@settings(max_examples=100, deadline=None)
def test_a_session_never_climbs_down_and_once_final_stays_so(
    first: list[Telling[SessionReceipt]], later: list[Telling[SessionReceipt]]
) -> None:
    before = fold({}, first)

    session = fold(before.facts, later)

    assert RANK[session.status] >= RANK[before.status]
    assert session.final >= before.final


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_counters_moved_batch_by_batch_are_those_of_the_sessions_as_they_stand(data: st.DataObject) -> None:
    sessions = data.draw(st.lists(st.lists(TELLINGS, min_size=1, max_size=6), min_size=1, max_size=4))
    moved: dict[Resolution, Counter[tuple[Any, ...]]] = {resolution: Counter() for resolution in Resolution}
    should = funnel.Deltas()
    for account_id, tellings in enumerate(sessions):
        states = told_in_batches(tellings, data.draw(st.lists(st.integers(1, 3), max_size=4)))
        for before, session in zip([None, *states], states, strict=False):
            deltas = funnel.Deltas()
            deltas.move(account_id, before, session)
            for resolution in Resolution:
                for cell, counts in deltas.rows(resolution).items():
                    for name, count in counts._asdict().items():
                        moved[resolution][cell, name] += count
        should.move(account_id, None, states[-1])

    for resolution in Resolution:
        counted = {
            (cell, name): count
            for cell, counts in should.rows(resolution).items()
            for name, count in counts._asdict().items()
        }
        assert {key: count for key, count in moved[resolution].items() if count} == {
            key: count for key, count in counted.items() if count
        }


@given(st.lists(TELLINGS, min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_the_stages_of_the_funnel_are_monotone_and_the_endings_exclude_each_other(
    tellings: list[Telling[SessionReceipt]],
) -> None:
    for counts in funnel.contribution(fold({}, tellings)).values():
        assert counts.started >= counts.sent >= counts.delivered >= counts.verified
        assert counts.attempts >= counts.attempts_sent >= counts.attempts_delivered
        assert counts.started >= counts.verified + counts.expired + counts.ended


# --- status --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations((IN_PROGRESS, EXPIRED, VERIFIED))))
def test_a_session_that_expired_and_was_verified_is_verified_and_contradictory(order: Sequence[SessionStatus]) -> None:
    session = folded(*map(receipt, order))

    assert (session.status, session.provider_status, session.final) == (VERIFIED, "verified", True)
    assert session.contradictory


def test_late_news_of_progress_does_not_undo_the_end() -> None:
    session = folded(receipt(VERIFIED), tried(Status.SENT))

    assert (session.status, session.final, session.contradictory) == (VERIFIED, True, False)


def test_our_own_conclusion_contradicts_nothing() -> None:
    session = folded(receipt(EXPIRED, source=Source.OURS), receipt(VERIFIED))

    assert (session.status, session.contradictory) == (VERIFIED, False)


@pytest.mark.parametrize("status", sorted(FINAL))
def test_one_final_answer_told_by_several_does_not_contradict_itself(status: SessionStatus) -> None:
    assert not folded(receipt(status), receipt(status, source=Source.LOOKUP)).contradictory


def test_words_without_a_mapping_leave_the_status_alone_and_are_recorded() -> None:
    session = folded(
        receipt(None),
        receipt(EXPIRED, attempt=report(None, provider_status="teleported")),
        receipt(EXPIRED, attempt=report(Status.SENT)),
    )

    assert (session.status, session.provider_status) == (EXPIRED, "expired")
    assert session.unknown_statuses == ("pondering", "teleported")
    assert [attempt.status for attempt in session.attempts] == [Status.SENT]
    assert folded(receipt(None)).status is IN_PROGRESS


def test_the_unknown_word_of_a_receipt_is_that_for_the_session_else_that_for_the_attempt() -> None:
    strange = report(None, provider_status="teleported")

    assert unknown_word(receipt(None, attempt=strange)) == "pondering"
    assert unknown_word(receipt(attempt=strange)) == "teleported"
    assert unknown_word(receipt(None, provider_status="", attempt=strange)) == "teleported"
    assert unknown_word(tried(Status.SENT)) is None


# --- attempts ------------------------------------------------------------------------------------------------------


def test_an_attempt_that_several_receipts_tell_of_is_one_and_only_climbs() -> None:
    session = folded(
        tried(Status.QUEUED),
        tried(Status.DELIVERED),
        tried(Status.SENT),
        tried(Status.DELIVERED, session=VERIFIED),
    )

    (attempt,) = session.attempts
    assert (attempt.status, attempt.final, attempt.contradictory) == (Status.DELIVERED, True, False)
    assert (attempt.sent_at, attempt.delivered_at, attempt.final_at) == (after(1), after(1), after(1))


def test_the_error_of_an_attempt_is_not_lost_where_another_receipt_of_the_status_tells_none() -> None:
    told_why, told_nothing = (
        tried(Status.UNDELIVERED, error_code="70"),
        tried(Status.UNDELIVERED, provider_status="lost"),
    )

    assert folded(told_why, told_nothing).error_code == folded(told_nothing, told_why).error_code == "70"


def test_attempts_come_in_the_order_of_the_provider_whatever_the_order_of_the_callbacks() -> None:
    call = tried(Status.UNDELIVERED, 2, channel=AttemptChannel.VOICE, error_code="3010", requested_at=after(70))
    text = tried(Status.UNDELIVERED, 1, error_code="70", requested_at=after(1))
    unnumbered = tried(Status.SENT, 3, sequence=None, requested_at=after(-5))

    session = folded(unnumbered, call, text)

    assert [attempt.provider_attempt_id for attempt in session.attempts] == ["a1", "a2", "a3"]
    assert session.channel is AttemptChannel.SMS
    assert session.error_code == "3010"
    assert [attempt.requested_at for attempt in session.attempts] == [after(1), after(70), after(-5)]


def test_an_attempt_with_two_outcomes_is_contradictory_and_the_session_is_not() -> None:
    session = folded(tried(Status.UNDELIVERED), tried(Status.DELIVERED))

    assert [attempt.contradictory for attempt in session.attempts] == [True]
    assert not session.contradictory


def test_an_attempt_that_was_told_to_have_been_sent_was_sent_though_it_failed() -> None:
    session = folded(tried(Status.SENT), tried(Status.FAILED), tried(Status.FAILED, 2))

    assert [attempt.sent_at for attempt in session.attempts] == [after(0), None]


# --- times ---------------------------------------------------------------------------------------------------------


def test_a_session_starts_with_its_earliest_attempt_on_the_providers_clock() -> None:
    session = folded(tried(Status.SENT, 2, requested_at=after(70)), tried(Status.DELIVERED, 1, requested_at=after(-9)))

    assert session.started_at == after(-9)


def test_without_a_providers_time_a_session_starts_when_we_first_hear_of_it() -> None:
    assert folded(tried(Status.SENT), tried(Status.DELIVERED)).started_at == START


def test_a_provider_that_tells_only_the_end_tells_that_it_began_no_later() -> None:
    session = folded(receipt(VERIFIED, updated_at=after(-3)))

    assert (session.started_at, session.verified_at) == (after(-3), after(-3))
    assert session.time_to_verify_ms is None


def test_time_to_verify_is_on_the_providers_clock_where_it_told_both_ends() -> None:
    session = folded(receipt(updated_at=after(-30)), receipt(VERIFIED, updated_at=after(-9.5)))

    assert (session.started_at, session.verified_at, session.final_at) == (after(-30), after(-9.5), after(-9.5))
    assert (session.time_to_verify_ms, session.time_to_verify_clock) == (20_500, "provider")


def test_time_to_verify_is_on_our_clock_where_the_provider_did_not_tell_when() -> None:
    session = folded(tried(Status.SENT, requested_at=after(-100)), tried(Status.DELIVERED, session=VERIFIED))

    assert session.verified_at == after(1)
    assert (session.time_to_verify_ms, session.time_to_verify_clock) == (1_000, "ours")


@pytest.mark.parametrize("source", [Source.LOOKUP, Source.OURS])
def test_when_we_asked_is_not_when_it_was_verified(source: Source) -> None:
    session = folded(tried(Status.SENT), receipt(VERIFIED, source=source))

    assert session.verified_at == after(1)
    assert (session.time_to_verify_ms, session.time_to_verify_clock) == (None, None)


def test_a_verification_heard_before_all_else_has_no_time_to_verify() -> None:
    session = folded(receipt(VERIFIED), tried(Status.SENT))

    assert (session.time_to_verify_ms, session.time_to_verify_clock) == (None, None)


@pytest.mark.parametrize("broken", [after(25 * 3600), datetime(1970, 1, 1, tzinfo=UTC)])
def test_a_broken_clock_is_not_used(broken: datetime) -> None:
    session = folded(
        tried(Status.SENT, requested_at=broken),
        receipt(VERIFIED, started_at=broken, updated_at=broken, expires_at=broken),
    )

    assert (session.started_at, session.verified_at, session.expires_at) == (START, after(1), None)
    assert (session.attempts[0].requested_at, session.time_to_verify_clock) == (None, "ours")


# --- the rest ------------------------------------------------------------------------------------------------------


def test_what_we_started_and_what_the_callbacks_told_meet_in_one_session() -> None:
    started = receipt(source=Source.SEND, our_id="ours", recipient="+4915123456789", started_at=after(-1))
    heard = tried(Status.SENT)._replace(our_id="another", recipient=None)

    session = folded(heard, started)

    assert (session.our_id, session.recipient, session.country) == ("ours", "+4915123456789", "DE")


def test_of_more_facts_than_are_kept_the_weightiest_stay_in_any_order() -> None:
    many = [tried(Status.SENT, number) for number in range(FACTS_MAX + 20)]
    tellings = told(receipt(VERIFIED), *many)

    session = fold({}, tellings)

    assert len(session.facts) == FACTS_MAX
    assert session.status is VERIFIED
    assert told_in_batches(tellings[::-1], [7] * 20)[-1] == session


def test_a_time_in_another_zone_is_the_same_fact() -> None:
    elsewhere = START.astimezone(timezone(timedelta(hours=5)))

    session = folded(receipt(updated_at=START), receipt(updated_at=elsewhere))

    assert len(session.facts) == 1


# --- what others are told --------------------------------------------------------------------------------------------


def types(before: Session | None, session: Session) -> list[str]:
    return [event.type for event in events(1, "id", before, session)]


def test_a_session_is_told_to_be_started_once_and_then_each_end_it_comes_to() -> None:
    started = folded(tried(Status.SENT))
    delivered = fold(started.facts, told(tried(Status.DELIVERED)))
    expired = fold(delivered.facts, told(receipt(EXPIRED)))
    verified = fold(expired.facts, told(receipt(VERIFIED)))

    assert types(None, started) == ["session.started"]
    assert types(started, delivered) == []
    assert types(delivered, expired) == ["session.expired"]
    assert types(expired, verified) == ["session.verified"]
    assert types(verified, fold(verified.facts, told(receipt(FAILED)))) == []
    assert types(None, verified) == ["session.started", "session.verified"]


# --- the funnel ------------------------------------------------------------------------------------------------------


def test_who_typed_the_code_got_it_whether_or_not_the_provider_told_so() -> None:
    (counts,) = funnel.contribution(folded(tried(Status.QUEUED), receipt(VERIFIED))).values()

    assert (counts.started, counts.sent, counts.delivered, counts.verified) == (1, 1, 1, 1)
    assert (counts.attempts, counts.attempts_sent, counts.attempts_delivered) == (1, 0, 0)


def test_a_session_is_counted_where_it_began_and_each_attempt_under_its_own_channel() -> None:
    session = folded(
        tried(Status.UNDELIVERED, 1), tried(Status.DELIVERED, 2, channel=AttemptChannel.VOICE), receipt(VERIFIED)
    )

    counts = funnel.contribution(session)

    assert {channel: each.started for channel, each in counts.items()} == {"sms": 1, "voice": 0}
    assert {channel: each.attempts_delivered for channel, each in counts.items()} == {"sms": 0, "voice": 1}
    assert counts["sms"].histogram == latency.one(latency.bucket(2_000))


@pytest.mark.parametrize(("status", "ending"), [(EXPIRED, "expired"), (FAILED, "ended"), (CANCELLED, "ended")])
def test_each_ending_is_counted_as_such(status: SessionStatus, ending: str) -> None:
    (counts,) = funnel.contribution(folded(receipt(status))).values()

    assert counts == funnel.Counts(started=1)._replace(**{ending: 1})


def test_a_session_that_turns_out_to_have_begun_earlier_moves_to_its_hour() -> None:
    first = folded(tried(Status.SENT))
    moved = fold(first.facts, told(tried(Status.DELIVERED, requested_at=after(-1))))
    deltas = funnel.Deltas()
    deltas.move(7, first, moved)

    rows = deltas.rows(Resolution.HOUR)

    assert {cell.bucket_at: counts.started for cell, counts in rows.items()} == {START: -1, after(-3600): 1}
    assert [counts.started for counts in deltas.rows(Resolution.DAY).values()] == [0]
