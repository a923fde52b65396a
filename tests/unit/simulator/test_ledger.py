"""The ledger against a reckoning that is as dumb as can be."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from landed.domain.receipts import Channel
from landed.simulator.items import FORGED, Kind, Truth
from landed.simulator.ledger import RANK, Ledger

WORDS = (*RANK, "buffered")


@st.composite
def truths(draw: st.DrawFn) -> list[Truth]:
    """Of a few messages, some in parts; a status says the same thing each time that it is told."""
    told = []
    for message in range(draw(st.integers(1, 4))):
        parts = draw(st.sampled_from([(None,), (1, 2), (1, 2, 3)]))
        for part in parts:
            words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5, unique=True))
            for sequence, word in enumerate(words, start=1):
                kinds = draw(st.lists(st.sampled_from([*Kind]), min_size=1, max_size=3))
                told += [
                    Truth(
                        kind=kind,
                        message_id=f"message-{message}",
                        status=word,
                        sequence=sequence,
                        country="US",
                        mcc="310",
                        mnc="260",
                        channel=Channel.SMS,
                        sender="ACME",
                        error_code="30" if word in ("failed", "undelivered") else None,
                        units=1,
                        cost_nanos=0 if word == "failed" else 5_500_000,
                        part=part,
                    )
                    for kind in kinds
                ]
    return told


def _furthest(told: list[Truth]) -> Truth:
    """The one that counts of a part: walked through one by one."""
    best = told[0]
    for each in told[1:]:
        mine, theirs = RANK.get(each.status, -1), RANK.get(best.status, -1)
        if mine > theirs or (mine == theirs and each.sequence > best.sequence):
            best = each
    return best


def _reckoned(told: list[Truth]) -> dict[str, Any]:
    """Each message by hand: its parts one by one, then what they are together."""
    genuine = [each for each in told if each.kind not in FORGED]
    ends: dict[str, Any] = {}
    for message in {each.message_id for each in genuine}:
        of_message = [each for each in genuine if each.message_id == message]
        parts = [
            _furthest([each for each in of_message if each.part == part]) for part in {each.part for each in of_message}
        ]
        words = [part.status if part.status in RANK else "queued" for part in parts]
        if "undelivered" in words:
            status = "undelivered"
        elif "failed" in words:
            status = "failed"
        else:
            status = min(words, key=RANK.__getitem__)
        ends[message] = status, sum(part.units for part in parts), sum(part.cost_nanos for part in parts)
    return ends


@given(truths(), st.randoms(use_true_random=False))
def test_it_counts_as_a_brute_force_reckoning_does_in_any_order(told: list[Truth], random: Any) -> None:
    ledger = Ledger()
    for each in random.sample(told, len(told)):
        ledger.tell(each)
    ends, summary = _reckoned(told), ledger.summary()

    known = {name: end.status for name in ledger.message_ids() if (end := ledger.end(name)) is not None}
    assert known == {name: status for name, (status, _, _) in ends.items()}
    assert summary.messages == len(ends)
    assert summary.by_status == Counter(status for status, _, _ in ends.values())
    assert (summary.units, summary.cost_nanos) == tuple(sum(end[place] for end in ends.values()) for place in (1, 2))
    assert summary.callbacks == sum(each.kind is Kind.GENUINE for each in told)
    assert summary.duplicates == sum(each.kind is Kind.DUPLICATE for each in told)
    assert summary.forged == {kind: sum(each.kind is kind for each in told) for kind in sorted(FORGED)}


@given(truths())
def test_of_one_message_it_says_what_it_says_of_all(told: list[Truth]) -> None:
    ledger = Ledger()
    for each in told:
        ledger.tell(each)

    ends = [ledger.end(message_id) for message_id in ledger.message_ids()]
    summary = ledger.summary()
    assert Counter(end.status for end in ends if end) == summary.by_status
    assert sum(end.units for end in ends if end) == summary.units
    assert sum(end.cost_nanos for end in ends if end) == summary.cost_nanos


def test_what_was_not_told_has_no_end() -> None:
    assert Ledger().end("nobody") is None
