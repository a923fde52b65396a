"""What a message adds to the counters that every question about many messages is answered from."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from landed.domain import latency
from landed.domain.messages import Message
from landed.domain.receipts import Direction
from landed.domain.words import Word


class Resolution(Word):
    """How long a counter's bucket is. Coarse ones answer long questions cheaply."""

    MINUTE = "minute"  #: kept for the last days only
    HOUR = "hour"
    DAY = "day"  #: of UTC


class Grain(Word):
    """How many dimensions a row tells apart. Questions over long times with short buckets read the coarse one."""

    FULL = "full"
    COUNTRY = "country"  #: account, direction, channel, country, status and currency only


class Dimensions(NamedTuple):
    """What counters can be grouped and filtered by. Text is empty where a value is not known."""

    account_id: int
    direction: str
    channel: str
    country: str
    mcc: str
    mnc: str
    sender: str  #: our side: the number or name it was sent from, or came in to
    status: str
    error_code: str
    currency: str
    tag: str = ""  #: empty on the rows that count each message once
    grain: str = Grain.FULL


class Contribution(NamedTuple):
    """One message in the counters: which rows it is in, and what it adds to each."""

    minute: int  #: of submission, in minutes since 1970
    dimension_ids: tuple[int, ...]  #: one for each grain, and one for each tag
    parts: int
    units: int
    cost_nanos: int
    latency_bucket: int | None


#: Minutes in a bucket. All divide each other and start with 1970-01-01T00:00Z.
MINUTES: Final = {Resolution.MINUTE: 1, Resolution.HOUR: 60, Resolution.DAY: 24 * 60}


def dimensions(account_id: int, message: Message, tags: Iterable[str] = ()) -> tuple[Dimensions, ...]:
    """Where a message is counted: once in each grain, and once for each of its tags."""
    full = _full(account_id, message)
    coarse = full._replace(mcc="", mnc="", sender="", error_code="", grain=Grain.COUNTRY)
    return (full, coarse, *(full._replace(tag=tag) for tag in tags))


def _full(account_id: int, message: Message) -> Dimensions:
    ours = message.sender if message.direction is Direction.OUTBOUND else message.recipient
    return Dimensions(
        account_id,
        message.direction,
        message.channel,
        message.country or "",
        message.mcc or "",
        message.mnc or "",
        ours or "",
        message.status,
        message.error_code or "",
        message.currency or "",
    )


def contribution(message: Message, dimension_ids: tuple[int, ...]) -> Contribution:
    """What a message counts for."""
    return Contribution(
        minute_of(message.submitted_at),
        dimension_ids,
        message.parts_of,
        message.units or 0,
        message.cost_nanos or 0,
        None if message.latency_ms is None else latency.bucket(message.latency_ms),
    )


def minute_of(moment: datetime) -> int:
    """Minutes since 1970."""
    return int(moment.timestamp()) // 60


class Deltas:
    """What a batch changes in the counters, added up so that each row is touched once."""

    def __init__(self) -> None:
        #: (minute, dimension id) -> messages, parts, units, cost in billionths
        self._sums: dict[tuple[int, int], list[int]] = {}
        #: (minute, dimension id) -> how the histogram of time to deliver changes, see domain/latency.py
        self._latencies: dict[tuple[int, int], int] = {}

    def move(self, old: Contribution | None, new: Contribution) -> None:
        """Take what the message counted for so far out, and put in what it counts for now."""
        if old == new:
            return
        if old is not None:
            self._add(-1, old)
        self._add(1, new)

    def _add(self, sign: int, counted: Contribution) -> None:
        minute, dimension_ids, parts, units, cost_nanos, latency_bucket = counted
        for dimension_id in dimension_ids:
            sums = self._sums.get((minute, dimension_id))
            if sums is None:
                sums = self._sums[minute, dimension_id] = [0, 0, 0, 0]
            sums[0] += sign
            sums[1] += sign * parts
            sums[2] += sign * units
            sums[3] += sign * cost_nanos
            if latency_bucket is not None:
                cell = (minute, dimension_id)
                self._latencies[cell] = self._latencies.get(cell, 0) + sign * latency.one(latency_bucket)

    def sums(self, resolution: Resolution, minutes: range) -> list[tuple[int, int, int, int, int, int]]:
        """Changed rows whose bucket starts within `minutes`, in the order of their key:
        bucket start (minutes since 1970), dimension id, messages, parts, units, cost in billionths."""
        length = MINUTES[resolution]
        totals: dict[tuple[int, int], list[int]] = {}
        for (minute, dimension_id), sums in self._sums.items():
            key = (minute - minute % length, dimension_id)
            total = totals.get(key)
            if total is None:
                totals[key] = sums.copy()
            else:
                for index in range(4):
                    total[index] += sums[index]
        return sorted(
            (start, dimension_id, messages, parts, units, cost_nanos)
            for (start, dimension_id), (messages, parts, units, cost_nanos) in totals.items()
            if (messages or parts or units or cost_nanos) and start in minutes
        )

    def latencies(self, resolution: Resolution, minutes: range) -> list[tuple[int, int, int]]:
        """Changed histograms: bucket start, dimension id, and what is added to the histogram (or taken out)."""
        length = MINUTES[resolution]
        totals: dict[tuple[int, int], int] = {}
        for (minute, dimension_id), change in self._latencies.items():
            key = (minute - minute % length, dimension_id)
            totals[key] = totals.get(key, 0) + change
        return sorted((*key, change) for key, change in totals.items() if change and key[0] in minutes)
