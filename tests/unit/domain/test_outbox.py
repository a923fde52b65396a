"""What may be done again, what has to be looked up first, and how it is found again."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from landed.domain import our_codes, outbox
from landed.domain.errors import (
    OutcomeUnknown,
    ProviderFailed,
    ProviderThrottled,
    ProviderUnreachable,
    RequestRefused,
    SendFailed,
)
from landed.domain.messages import fold
from landed.domain.outbox import Again, LookUp, Never, Patience
from landed.domain.receipts import Channel, Direction, Receipt, Source, Telling
from landed.domain.statuses import Status

OUR_ID, ANOTHER = UUID(int=1), UUID(int=2)
SENDER, RECIPIENT = "+14155550100", "+14155550123"
SINCE = datetime(2026, 11, 1, 12, tzinfo=UTC)
PATIENCE = Patience()


def verdict(error: SendFailed, attempts: int = 1, tried_s: float = 0, draw: float = 1) -> Again | Never | LookUp:
    return outbox.verdict(error, attempts=attempts, tried_s=tried_s, draw=draw, patience=PATIENCE)


@pytest.mark.parametrize(
    "error",
    [ProviderUnreachable("x"), ProviderFailed("x"), ProviderThrottled("x"), RequestRefused("x", http_status=401)],
    ids=lambda error: type(error).__name__,
)
def test_what_did_not_go_out_is_tried_again_later_and_later(error: SendFailed) -> None:
    waits = [verdict(error, attempts) for attempts in range(1, 20)]

    assert [wait.after_s for wait in waits if isinstance(wait, Again)][:5] == [1, 2, 4, 8, 16]
    assert all(isinstance(wait, Again) and wait.after_s <= PATIENCE.backoff_most_s for wait in waits)
    assert all(isinstance(wait, Again) and 0 < wait.rest_s <= PATIENCE.rest_most_s for wait in waits)


def test_chance_spreads_tries_over_half_of_their_distance() -> None:
    early, late = verdict(ProviderFailed("x"), 9, draw=0), verdict(ProviderFailed("x"), 9, draw=1)

    assert isinstance(early, Again)
    assert isinstance(late, Again)
    assert (early.after_s, late.after_s) == (128, 256)


def test_a_provider_that_says_how_long_to_wait_is_obeyed() -> None:
    told = verdict(ProviderThrottled("x", retry_after_s=120))

    assert told == Again(after_s=120, rest_s=120)


def test_a_refusal_ends_it_with_the_providers_code_or_ours() -> None:
    assert verdict(RequestRefused("x", provider_code="900")) == Never(error_code="900")
    assert verdict(RequestRefused("x", http_status=400)) == Never(error_code=our_codes.REFUSED)


def test_what_is_tried_for_too_long_is_given_up() -> None:
    assert verdict(ProviderFailed("x"), tried_s=PATIENCE.tried_s_max) == Never(error_code=our_codes.GIVEN_UP)


@pytest.mark.parametrize("tried_s", [0, 10**6])
def test_what_may_have_gone_out_is_looked_up_however_long_it_took(tried_s: float) -> None:
    assert isinstance(verdict(OutcomeUnknown("x"), tried_s=tried_s), LookUp)


def listed(message_id: str = "theirs", **known: Any) -> Receipt:
    values: dict[str, Any] = {
        "sender": SENDER,
        "recipient": RECIPIENT,
        "submitted_at": SINCE + timedelta(minutes=2),
    } | known
    return Receipt(message_id, "queued", Status.QUEUED, Source.LOOKUP, **values)


def found(*receipts: Receipt, sender: str = SENDER, others: frozenset[str] = frozenset()) -> list[str]:
    told = outbox.found(OUR_ID, sender, RECIPIENT, SINCE, receipts, others)
    return [receipt.provider_message_id for receipt in told]


def test_the_message_from_that_sender_to_that_recipient_is_it() -> None:
    assert found(listed()) == ["theirs"]


@pytest.mark.parametrize(
    "other",
    [
        listed(recipient="+14155550199"),
        listed(sender="+14155550199"),
        listed(direction=Direction.INBOUND),
        listed(submitted_at=SINCE - timedelta(seconds=1)),
        listed(our_id=str(ANOTHER)),
    ],
)
def test_what_differs_is_not_it(other: Receipt) -> None:
    assert found(other) == []


def test_another_message_of_ours_is_not_it() -> None:
    assert found(listed(), others=frozenset({"theirs"})) == []


@pytest.mark.parametrize("hidden", [{"sender": None}, {"recipient": None}, {"submitted_at": None}])
def test_what_the_provider_does_not_tell_does_not_speak_against_it(hidden: dict[str, Any]) -> None:
    assert found(listed(**hidden)) == ["theirs"]


def test_a_pool_sends_from_any_number() -> None:
    pool = "9d8b4b1e-6f3a-4c1e-9a52-5a6f0d1c2b3a"

    assert found(listed(sender="+14155550777"), sender=pool) == ["theirs"]


def test_a_sender_that_the_provider_replaced_does_not_hide_it() -> None:
    assert found(listed(sender="+14155550777", extra=(("replaced_sender", "14155550100"),))) == ["theirs"]


def test_what_names_us_goes_before_what_only_looks_like_it() -> None:
    assert found(listed("first"), listed("named", our_id=str(OUR_ID))) == ["named"]


def test_of_several_the_first_is_it_with_all_that_is_told_of_it() -> None:
    later = listed("later", submitted_at=SINCE + timedelta(minutes=3))

    assert found(later, listed("first"), listed("first", error_code="30")) == ["first", "first"]


def test_a_message_that_we_ended_ourselves_misses_no_receipt() -> None:
    accepted = outbox.accepted(OUR_ID, Channel.SMS, SENDER, RECIPIENT, 2)
    cancelled = outbox.told(OUR_ID, Status.FAILED, error_code=our_codes.CANCELLED)

    message = fold({}, [Telling(accepted, SINCE, None), Telling(cancelled, SINCE, None)])

    assert (message.status, message.error_code, message.final) == (Status.FAILED, our_codes.CANCELLED, True)
    assert (message.sender, message.recipient, message.receipt_missing) == (SENDER, RECIPIENT, False)


def test_the_providers_no_is_a_fact_from_its_answer() -> None:
    refused = outbox.refused(OUR_ID, "900", RequestRefused("No credit.", provider_code="900", http_status=402))

    assert (refused.source, refused.status, refused.error_code) == (Source.SEND, Status.FAILED, "900")
    assert dict(refused.extra) == {"detail": "No credit.", "http_status": "402"}
