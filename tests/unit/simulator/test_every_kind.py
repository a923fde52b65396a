"""The simulated stream with everything in it: people who write back, verify sessions, and 10DLC."""

from collections import Counter
from datetime import timedelta
from itertools import islice
from random import Random

import pytest

from landed.domain import registrations, sessions
from landed.domain.countries import country_of
from landed.domain.receipts import (
    AnyReceipt,
    Channel,
    Direction,
    Intent,
    Receipt,
    Registration,
    RegistrationReceipt,
    RegistrationStatus,
    SessionReceipt,
    Telling,
)
from landed.domain.registration_names import learn
from landed.domain.statuses import Status
from landed.providers.plivo import tendlc
from landed.providers.plivo.provider import Plivo
from landed.simulator.inbound import COMEBACK_AFTER
from landed.simulator.items import FORGED, REFUSED, InboundTruth, Item, Kind, RegistrationTruth, SessionTruth, Truth
from landed.simulator.ledger import REGISTRATION_RANK, Ledger
from landed.simulator.registrations import Company
from landed.simulator.traffic import stream
from tests.unit.simulator.test_traffic import ACCOUNT, CREDENTIALS, START, of_kind, request_of, traffic


@pytest.fixture(scope="module")
def items() -> list[Item]:
    found = stream(ACCOUNT, seed=1, messages_per_s=20, clock=lambda: START, every_kind=True)
    return list(islice(found, 25_000))


def receipts_of(item: Item) -> list[AnyReceipt]:
    return Plivo().parse(request_of(item))


def genuine(items: list[Item], truth: type) -> list[Item]:
    return [item for item in of_kind(items, Kind.GENUINE, Kind.DUPLICATE) if isinstance(item.truth, truth)]


def test_the_message_statuses_are_those_of_a_stream_without_the_rest(items: list[Item]) -> None:
    statuses = [item for item in items if isinstance(item.truth, Truth)]

    assert statuses[:6000] == traffic()


def test_without_being_asked_for_there_is_nothing_else() -> None:
    assert {type(item.truth) for item in traffic(items=3000)} == {Truth}


def test_all_are_in_the_order_they_are_due(items: list[Item]) -> None:
    assert items == sorted(items, key=lambda item: item.due_at)


def test_genuine_callbacks_verify_and_forged_ones_are_refused(items: list[Item]) -> None:
    others = [item for item in items if not isinstance(item.truth, Truth)]

    for item in others:
        if item.truth.kind in REFUSED:
            with pytest.raises(Exception, match="Plivo"):
                Plivo().verify(request_of(item), CREDENTIALS)
        else:
            assert Plivo().verify(request_of(item), CREDENTIALS)
    assert {item.truth.kind for item in others} == set(Kind)


def test_a_reused_nonce_comes_with_another_content(items: list[Item]) -> None:
    bodies = {item.headers["X-Plivo-Signature-V2-Nonce"]: item.body for item in of_kind(items, Kind.GENUINE)}

    for item in of_kind(items, Kind.NONCE_REUSED):
        assert bodies[item.headers["X-Plivo-Signature-V2-Nonce"]] != item.body


def test_inbound_messages_say_what_their_truth_says(items: list[Item]) -> None:
    told = genuine(items, InboundTruth)
    for item in told:
        truth, (receipt,) = item.truth, receipts_of(item)
        assert isinstance(truth, InboundTruth)
        assert isinstance(receipt, Receipt)
        assert receipt.content is not None
        assert (receipt.direction, receipt.status) == (Direction.INBOUND, Status.RECEIVED)
        assert (receipt.provider_message_id, receipt.channel) == (truth.message_id, truth.channel)
        assert (receipt.content.text, receipt.units, receipt.cost_nanos) == (truth.text, truth.units, truth.cost_nanos)
        assert country_of(receipt.sender or "") == truth.country
        assert receipt.extra == () or set(dict(receipt.extra)) <= {"MediaCount"}

    contents = [receipt.content for item in told for receipt in receipts_of(item) if isinstance(receipt, Receipt)]
    assert {content.intent for content in contents if content} == {None, *Intent}
    assert any(content.media for content in contents if content)
    assert {item.truth.channel for item in told if isinstance(item.truth, InboundTruth)} == set(Channel)


def test_whoever_says_start_said_stop_some_time_before(items: list[Item]) -> None:
    stopped: dict[tuple[str | None, str | None], Item] = {}
    started = 0
    for item in of_kind(items, Kind.GENUINE):
        if isinstance(item.truth, InboundTruth):
            (receipt,) = receipts_of(item)
            assert isinstance(receipt, Receipt)
            line = receipt.sender, receipt.recipient
            if item.truth.text == "START":
                started += 1
                assert item.due_at - stopped[line].due_at > COMEBACK_AFTER - timedelta(seconds=5)
            elif item.truth.text in ("STOP", "Stop.", "unsubscribe"):
                stopped.setdefault(line, item)
    assert started


def test_session_callbacks_say_what_their_truth_says(items: list[Item]) -> None:
    for item in genuine(items, SessionTruth):
        truth, (receipt,) = item.truth, receipts_of(item)
        assert isinstance(truth, SessionTruth)
        assert isinstance(receipt, SessionReceipt)
        assert receipt.attempt is not None
        assert receipt.status is not None
        assert receipt.attempt.status is not None
        assert (receipt.provider_session_id, receipt.provider_status) == (truth.session_id, truth.status)
        assert (receipt.attempt.sequence, receipt.attempt.channel) == (truth.attempt, truth.channel)
        assert receipt.attempt.provider_status == truth.attempt_status
        assert country_of(receipt.recipient or "") == truth.country


def folded_sessions(items: list[Item]) -> list[sessions.Session]:
    told: dict[str, list[Telling[SessionReceipt]]] = {}
    for number, item in enumerate(items):
        for receipt in receipts_of(item):
            if isinstance(receipt, SessionReceipt):
                told.setdefault(receipt.provider_session_id, []).append(Telling(receipt, item.due_at, number))
    return [sessions.fold({}, tellings) for tellings in told.values()]


def test_the_funnel_looks_real(items: list[Item]) -> None:
    folded = [session for session in folded_sessions(genuine(items, SessionTruth)) if session.final]

    verified = sum(session.verified_at is not None for session in folded) / len(folded)
    called = sum(len(session.attempts) == 2 for session in folded) / len(folded)

    assert 0.6 < verified < 0.95
    assert 0.05 < called < 0.4
    assert {attempt.channel for session in folded for attempt in session.attempts} == {"sms", "voice"}
    assert not any(session.contradictory or session.unknown_statuses for session in folded)


def test_registration_callbacks_say_what_their_truth_says(items: list[Item]) -> None:
    for item in genuine(items, RegistrationTruth):
        truth, (receipt,) = item.truth, receipts_of(item)
        assert isinstance(truth, RegistrationTruth)
        assert isinstance(receipt, RegistrationReceipt)
        assert receipt.status is not None
        assert (receipt.registration, receipt.provider_status) == (truth.registration, truth.status)
        subject = {
            Registration.BRAND: receipt.provider_brand_id,
            Registration.CAMPAIGN: receipt.provider_campaign_id,
        }.get(receipt.registration, receipt.number)
        assert (subject or "").removeprefix("+") == truth.subject


def test_the_first_company_gets_all_it_asks_for(items: list[Item]) -> None:
    told = [item.truth for item in of_kind(items, Kind.GENUINE)]
    first = next(truth for truth in told if isinstance(truth, RegistrationTruth))

    assert first.registration is Registration.BRAND
    assert (
        RegistrationTruth(
            kind=Kind.GENUINE, registration=Registration.BRAND, subject=first.subject, status="registered"
        )
        in told
    )


def test_every_end_of_a_registration_turns_up() -> None:
    company = Company(Random(1))
    ledger = Ledger()
    for minute in range(120):
        for told in company.act(START + timedelta(minutes=minute)):
            ledger.tell(told.truth)

    assert set(ledger.summary().registrations) == {
        *("brand registered", "brand rejected", "campaign registered", "campaign rejected"),
        *("number linked", "number failed", "number unlinked"),
    }


def test_the_ledger_ranks_every_word_that_plivo_has_for_registrations() -> None:
    words = {"created", "registered", "rejected", "success", "failed"}

    for (registration, word), (_, place) in REGISTRATION_RANK.items():
        assert word in words
        status = tendlc.STATUSES[registration][word]
        assert place.split()[1] == status
    assert {place.split()[1] for _, place in REGISTRATION_RANK.values()} == set(RegistrationStatus)


def told_ledger(items: list[Item]) -> Ledger:
    ledger = Ledger()
    for item in items:
        ledger.tell(item.truth)
    return ledger


def test_the_ledger_agrees_with_the_folds(items: list[Item]) -> None:
    summary = told_ledger(items).summary()
    kept = of_kind(items, Kind.GENUINE, Kind.DUPLICATE)

    assert summary.sessions == Counter(session.status.value for session in folded_sessions(kept))
    assert summary.registrations == standings(kept)
    inbound = {item.truth.message_id for item in kept if isinstance(item.truth, InboundTruth)}
    assert summary.by_status["received"] == len(inbound)
    assert summary.messages == sum(summary.by_status.values())
    assert summary.callbacks + summary.duplicates + sum(summary.forged.values()) == len(items)


def standings(items: list[Item]) -> Counter[str]:
    told: dict[registrations.Thing, list[Telling[RegistrationReceipt]]] = {}
    for number, item in enumerate(items):
        for receipt in receipts_of(item):
            if isinstance(receipt, RegistrationReceipt):
                thing = registrations.thing_of(receipt.registration)
                told.setdefault(thing, []).append(Telling(receipt, item.due_at, number))
    return Counter(
        f"{thing} {registrations.stand(known.facts).status}"
        for thing, tellings in told.items()
        for known in learn({}, tellings).values()
    )


def test_the_ledger_does_not_care_for_order_or_repeats(items: list[Item]) -> None:
    assert told_ledger(items).summary() == told_ledger(items[::-1]).summary()


def test_forgeries_change_nothing(items: list[Item]) -> None:
    with_them, without = told_ledger(items).summary(), told_ledger([i for i in items if i.truth.kind not in FORGED])

    assert (with_them.by_status, with_them.sessions) == (without.summary().by_status, without.summary().sessions)
