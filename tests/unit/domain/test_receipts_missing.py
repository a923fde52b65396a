"""Whose end the provider did not tell: of messages that it was to tell of, and of no others."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Final

import pytest

from landed.domain.messages import fold
from landed.domain.receipts import Direction, Receipt, Source, Telling
from landed.domain.statuses import Status

NOW: Final = datetime(2026, 11, 21, tzinfo=UTC)
CALLED: Final = Receipt("m", "sent", Status.SENT)
CALLED_AT_END: Final = Receipt("m", "delivered", Status.DELIVERED)
WE_SENT: Final = Receipt("m", "queued", Status.QUEUED, Source.SEND)
LOST: Final = Receipt("", "", Status.UNKNOWN_OUTCOME, Source.OURS)
ASKED: Final = Receipt("m", "delivered", Status.DELIVERED, Source.LOOKUP)
ASKED_TOO_EARLY: Final = Receipt("m", "sent", Status.SENT, Source.LOOKUP)
GIVEN_UP: Final = Receipt("", "sent", Status.EXPIRED, Source.OURS)
CONVERTED: Final = Receipt("", "converted", Status.SCHEDULED, Source.OURS, converted=True)
CAME_IN: Final = Receipt("m", "received", Status.RECEIVED, Source.LOOKUP, direction=Direction.INBOUND)


@pytest.mark.parametrize(
    ("receipts", "is_missing"),
    [
        ((CALLED, CALLED_AT_END), False),
        ((CALLED, ASKED), True),
        ((WE_SENT, ASKED), True),
        ((LOST, ASKED), True),
        ((CALLED, GIVEN_UP), True),
        ((CALLED, ASKED_TOO_EARLY), False),
        ((CALLED, ASKED, CALLED_AT_END), False),
        ((CALLED, GIVEN_UP, CALLED_AT_END), False),
        ((ASKED,), False),
        ((ASKED_TOO_EARLY, GIVEN_UP), False),
        ((ASKED, CONVERTED), False),
        ((CAME_IN,), False),
    ],
)
def test_a_receipt_is_missing_only_where_the_provider_was_to_tell(
    receipts: tuple[Receipt, ...], is_missing: bool
) -> None:
    for order in permutations(receipts):
        assert fold({}, [Telling(receipt, NOW, None) for receipt in order]).receipt_missing is is_missing


def test_latency_is_not_taken_from_the_time_of_a_question() -> None:
    told = [Telling(CALLED, NOW, 1), Telling(ASKED, NOW + timedelta(hours=1), None)]
    assert fold({}, told).latency_ms is None

    prompt = [Telling(CALLED, NOW, 1), Telling(CALLED_AT_END, NOW + timedelta(seconds=2), 2)]
    assert fold({}, prompt).latency_ms == 2_000
