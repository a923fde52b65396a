"""How fast to send: messages per second for an account and for each of its senders, in fair turns.

A rate is a bucket that fills evenly and holds little (GCRA, the "leaky bucket as a meter" of ITU-T I.371): all it
remembers is one time. What an account may send goes round its senders, a message each, to those that have one waiting
and whose own rate lets them: so whoever wants less than an equal share gets all it wants, and the others share the
rest equally (max-min fairness).

Pure arithmetic on plain values. `now` may be any clock in seconds, as long as all who share the buckets use the same:
the worker's monotonic one, or the database's where several workers keep the buckets in its rows.
"""

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

#: Messages that may go at one moment after a rest, for an account as for a sender.
BURST_MAX: Final = 10
#: How long a worker may sleep too long without falling behind the rate: what was missed is made up for after it. Above
#: (BURST_MAX - 1) / LATE_S_MAX = 45 messages a second the burst is the tighter bound.
LATE_S_MAX: Final = 0.2
#: Sends in one plan: so many are claimed from the outbox at once.
PLANNED_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One rate and what it remembers. Fresh, it is full.

    Attributes:
        rate: messages per second; infinity for no limit.
        spent_until: the time up to which its messages are spent, were they sent evenly.
        paused_until: none goes before, for the provider said so.
        turn: of a sender: which of the account's messages was its last. Of the account: how many there were.

    Raises:
        ValueError: the rate is not above 0.
    """

    rate: float
    spent_until: float = -math.inf
    paused_until: float = -math.inf
    turn: int = 0

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise ValueError(f"a rate is a number of messages per second above 0, not {self.rate}")

    def free_at(self, round_s: float = 0) -> float:
        """From when on the next message may go.

        Args:
            round_s: of a sender, the time of a round of its account's senders: so much later than it is allowed to can
                a message go, because it is others' turn, and that is made up for like the worker's lateness.
        """
        early = min((BURST_MAX - 1) / self.rate, LATE_S_MAX + round_s)
        return max(self.spent_until - early, self.paused_until)

    def spend(self, at: float, turn: int) -> "Bucket":
        """The bucket after a message has gone at this time."""
        return replace(self, spent_until=max(self.spent_until, at) + 1 / self.rate, turn=turn)

    def pause(self, until: float) -> "Bucket":
        """The bucket after the provider said to wait (429 with Retry-After). A longer pause stays."""
        return replace(self, paused_until=max(self.paused_until, until))


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A message of this sender is to go at this time."""

    at: float
    sender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send, and the buckets after it: they have to be kept before the first message goes, or not at all.

    Attributes:
        sends: in the order of their times.
        next_at: when to plan again, if no message is added before; None when nothing is left waiting.
        senders: the buckets of all senders that were given.
    """

    sends: tuple[Send, ...]
    next_at: float | None
    account: Bucket
    senders: Mapping[str, Bucket]


def plan(
    account: Bucket, senders: Mapping[str, Bucket], queued: Mapping[str, int], now: float, *, ahead_s: float = 0
) -> Plan:
    """Which messages go now, and up to `ahead_s` from now, each at its time.

    Planning ahead spares looking into the outbox for every few messages, and keeps the distances even; what is planned
    is spent, also if the worker dies before it sends.

    Args:
        queued: messages that are due, for each sender that has any; each needs its bucket in `senders`.
    """
    after = dict(senders)
    left = {sender: count for sender, count in queued.items() if count > 0}
    round_s = len(left) / account.rate
    # Senders whose own rate lets them, those first whose last turn is longest ago; and the others by when it will.
    ready: list[tuple[int, str]] = []
    waiting = [(after[sender].free_at(round_s), sender) for sender in left]
    heapq.heapify(waiting)
    sends: list[Send] = []
    at = now
    while left and len(sends) < PLANNED_MAX:
        at = max(at, account.free_at())
        if not ready:
            at = max(at, waiting[0][0])
        if at > now + ahead_s:
            break
        while waiting and waiting[0][0] <= at:
            sender = heapq.heappop(waiting)[1]
            heapq.heappush(ready, (after[sender].turn, sender))
        sender = heapq.heappop(ready)[1]
        account = account.spend(at, account.turn + 1)
        after[sender] = after[sender].spend(at, account.turn)
        sends.append(Send(at=at, sender=sender))
        left[sender] -= 1
        if left[sender]:
            heapq.heappush(waiting, (after[sender].free_at(round_s), sender))
        else:
            del left[sender]
    next_at = None
    if left:
        # With fewer senders a round is shorter.
        first = min(after[sender].free_at(len(left) / account.rate) for sender in left)
        next_at = max(now, account.free_at(), first)
    return Plan(sends=tuple(sends), next_at=next_at, account=account, senders=after)
