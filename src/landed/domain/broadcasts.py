"""What became of a broadcast, one sending to many: a pure function of the set of facts known about it.

A provider tells how many of its messages have each status, now and then, and in any order. Messages only climb, so the
report with the most messages at their end is the latest.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from landed.domain.facts import Heard, hear
from landed.domain.receipts import BroadcastReceipt, Telling
from landed.domain.statuses import FINAL, Status

#: Providers report every 20 % or so. Beyond this only the furthest reports are kept, which do not depend on the order.
FACTS_MAX: Final = 200

_FINAL_WORDS: Final = frozenset(status.value for status in FINAL)
_ON_ITS_WAY: Final = _FINAL_WORDS | {Status.SENT.value}
_KNOWN_WORDS: Final = frozenset(status.value for status in Status)

Facts = Mapping[BroadcastReceipt, Heard]


class Broadcast(NamedTuple):
    """One sending to many, as far as it is known."""

    provider_broadcast_id: str
    facts: Facts
    our_id: str | None
    name: str | None
    provider_status: str
    final: bool  #: nothing more is expected
    recipients: int | None
    counts: Mapping[str, int]  #: messages by status; a word of the provider that we do not know stands as it came
    first_heard_at: datetime
    last_heard_at: datetime  #: of something new


def fold(facts: Facts, told: Iterable[Telling[BroadcastReceipt]]) -> Broadcast:
    """The broadcast that is known after hearing `told` on top of `facts`; one of them must not be empty."""
    known = hear(facts, told)
    ordered = furthest_first(known)
    if len(ordered) > FACTS_MAX:
        ordered = ordered[:FACTS_MAX]
        known = {receipt: known[receipt] for receipt in ordered}
    latest = ordered[0]
    heard = [each.received_at for each in known.values()]
    return Broadcast(
        provider_broadcast_id=latest.provider_broadcast_id,
        facts=known,
        our_id=next((receipt.our_id for receipt in ordered if receipt.our_id), None),
        name=next((receipt.name for receipt in ordered if receipt.name), None),
        provider_status=latest.provider_status,
        final=latest.final,
        recipients=next((receipt.recipients for receipt in ordered if receipt.recipients is not None), None),
        counts=_summed(latest.counts or next((receipt.counts for receipt in ordered if receipt.counts), ())),
        first_heard_at=min(heard),
        last_heard_at=max(heard),
    )


def furthest_first(receipts: Iterable[BroadcastReceipt]) -> list[BroadcastReceipt]:
    """Final ones first, then by how many messages are at their end, on their way, known at all; ties by content, so
    that it is one order for all."""
    return sorted(receipts, key=lambda receipt: (_progress(receipt), repr(receipt)), reverse=True)


def unknown_words(receipt: BroadcastReceipt) -> list[str]:
    """Names of counts that are no status of ours: the provider's own, without a mapping."""
    return sorted({name for name, _ in receipt.counts} - _KNOWN_WORDS)


def _progress(receipt: BroadcastReceipt) -> tuple[bool, int, int, int]:
    ended = sum(count for name, count in receipt.counts if name in _FINAL_WORDS)
    on_its_way = sum(count for name, count in receipt.counts if name in _ON_ITS_WAY)
    return receipt.final, ended, on_its_way, sum(count for _, count in receipt.counts)


def _summed(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    summed: dict[str, int] = {}
    for name, count in sorted(counts):
        summed[name] = summed.get(name, 0) + count
    return summed
