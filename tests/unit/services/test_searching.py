"""What people type to find messages."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landed.domain.errors import InputInvalid
from landed.domain.receipts import Channel, Direction
from landed.domain.statuses import Status
from landed.services.reading import MessageQuestion
from landed.services.searching import TERMS, TEXT_CHARACTERS_MAX, narrowed
from landed.store.message_queries import Bound

NOTHING = MessageQuestion()


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        ("", {}),
        ("to:+14155550123", {"recipient": "+14155550123"}),
        ("from:ACME from:12345", {"senders": ["ACME", "12345"]}),
        ("status:failed,undelivered", {"statuses": [Status.FAILED, Status.UNDELIVERED]}),
        ("STATUS:Failed", {"statuses": [Status.FAILED]}),
        ("code:30 country:US", {"error_codes": ["30"], "countries": ["US"]}),
        ("error_code:30", {"error_codes": ["30"]}),
        ('tag:"black friday, early"', {"tags": ["black friday, early"]}),
        ("channel:mms direction:inbound", {"channels": [Channel.MMS], "direction": Direction.INBOUND}),
        ("network:310-260", {"networks": ["310-260"]}),
        ("segments:>1", {"units": [Bound(">", 1)]}),
        ("segments:3", {"units": [Bound("=", 3)]}),
        ("latency:>30s latency:<=1.5m", {"latency_ms": [Bound(">", 30_000), Bound("<=", 90_000)]}),
        ("latency:>250ms", {"latency_ms": [Bound(">", 250)]}),
        ("latency:>30", {"latency_ms": [Bound(">", 30_000)]}),
        ("is:contradictory is:missing", {"contradictory": True, "receipt_missing": True}),
        ("is:unconverted", {"converted": False}),
        ("5b40a428-bfc7-4daf-9d06-726c558bf3b8", {"text": "5b40a428-bfc7-4daf-9d06-726c558bf3b8"}),
        ('"+1 415 555 0123"', {"text": "+1 415 555 0123"}),
        ("status:sent 14155550123", {"statuses": [Status.SENT], "text": "14155550123"}),
    ],
)
def test_each_term_narrows_the_question(typed: str, fields: dict[str, Any]) -> None:
    assert narrowed(NOTHING, typed) == MessageQuestion(**fields)


def test_what_is_typed_goes_before_the_filters_of_the_page_and_bounds_add_up() -> None:
    page = MessageQuestion(countries=["US"], statuses=[Status.SENT], units=[Bound(">", 1)])
    found = narrowed(page, "status:failed segments:<4")
    assert found == MessageQuestion(countries=["US"], statuses=[Status.FAILED], units=[Bound(">", 1), Bound("<", 4)])


@pytest.mark.parametrize(
    ("typed", "way_out"),
    [
        ("colour:red", "to:"),
        ("status:gone", "undelivered"),
        ("latency:>soon", "latency:>30s"),
        ("segments:>1.5", "segments:>1"),
        ("segments:>1s", "segments:>1"),
        ("is:odd", "contradictory"),
        ("to:1,2", "one value"),
        ("direction:inbound,outbound", "one value"),
        ("country:", "missing"),
        ("x" * (TEXT_CHARACTERS_MAX + 1), "characters"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_way_out(typed: str, way_out: str) -> None:
    with pytest.raises(InputInvalid, match=way_out) as refused:
        narrowed(NOTHING, typed)
    assert refused.value.field == "q"


def test_every_term_that_is_named_is_understood() -> None:
    values = {
        "status": "sent",
        "channel": "sms",
        "direction": "inbound",
        "segments": "1",
        "latency": "1s",
        "is": "missing",
    }
    for term in TERMS:
        assert narrowed(NOTHING, f"{term}:{values.get(term, 'x')}") != NOTHING


@given(st.text(max_size=80))
@example('to:"')
@example("latency:>999999999d")
@example(":")
def test_anything_typed_is_a_question_or_refused(typed: str) -> None:
    with suppress(InputInvalid):
        narrowed(NOTHING, typed)
