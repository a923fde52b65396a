"""What a message adds to the counters that every question about many messages is answered from."""

from collections.abc import Mapping, Sequence
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
    receipt_missing: bool = False
    converted: bool | None = None


#: Minutes in a bucket. All divide each other and start with 1970-01-01T00:00Z.
MINUTES: Final = {Resolution.MINUTE: 1, Resolution.HOUR: 60, Resolution.DAY: 24 * 60}


def dimensions(account_id: int, message: Message, tags: Sequence[str] = ()) -> tuple[Dimensions, ...]:
    """Where a message is counted: once in each grain, and once for each of its tags."""
    direction, channel, status = message.direction, message.channel, message.status
    ours = message.sender if direction is Direction.OUTBOUND else message.recipient
    country, currency = message.country or "", message.currency or ""
    mcc, mnc, error_code = message.mcc or "", message.mnc or "", message.error_code or ""
    full = Dimensions(
        account_id, direction, channel, country, mcc, mnc, ours or "", status, error_code, currency, "", Grain.FULL
    )
    coarse = Dimensions(account_id, direction, channel, country, "", "", "", status, "", currency, "", Grain.COUNTRY)
    return (full, coarse, *(full._replace(tag=tag) for tag in tags)) if tags else (full, coarse)


def contribution(message: Message, dimension_ids: tuple[int, ...]) -> Contribution:
    """What a message counts for."""
    return Contribution(
        minute_of(message.submitted_at),
        dimension_ids,
        message.parts_of,
        message.units or 0,
        message.cost_nanos or 0,
        None if message.latency_ms is None else latency.bucket(message.latency_ms),
        message.receipt_missing,
        message.converted,
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
        #: (minute, dimension id) -> messages without a receipt, converted, not converted: of few messages
        self._outcomes: dict[tuple[int, int], list[int]] = {}

    def move(self, old: Contribution | None, new: Contribution | None) -> None:
        """Take what the message counted for so far out, and put in what it counts for now (None: it is no more)."""
        if old == new:
            return
        if old is not None:
            self._add(-1, old)
        if new is not None:
            self._add(1, new)

    def _add(self, sign: int, counted: Contribution) -> None:
        minute, dimension_ids, parts, units, cost_nanos, latency_bucket, receipt_missing, converted = counted
        if receipt_missing or converted is not None:
            for dimension_id in dimension_ids:
                outcomes = self._outcomes.setdefault((minute, dimension_id), [0, 0, 0])
                outcomes[0] += sign * receipt_missing
                outcomes[1] += sign * (converted is True)
                outcomes[2] += sign * (converted is False)
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
        return sorted(
            (start, dimension_id, messages, parts, units, cost_nanos)
            for (start, dimension_id), (messages, parts, units, cost_nanos) in _totals(self._sums, resolution).items()
            if (messages or parts or units or cost_nanos) and start in minutes
        )

    def outcomes(self, resolution: Resolution, minutes: range) -> list[tuple[int, int, int, int, int]]:
        """The same for: bucket start, dimension id, messages without a receipt, converted, not converted."""
        return sorted(
            (start, dimension_id, missing, converted, unconverted)
            for (start, dimension_id), (missing, converted, unconverted) in _totals(self._outcomes, resolution).items()
            if (missing or converted or unconverted) and start in minutes
        )

    def latencies(self, resolution: Resolution, minutes: range) -> list[tuple[int, int, int]]:
        """Changed histograms: bucket start, dimension id, and what is added to the histogram (or taken out)."""
        length = MINUTES[resolution]
        totals: dict[tuple[int, int], int] = {}
        for (minute, dimension_id), change in self._latencies.items():
            key = (minute - minute % length, dimension_id)
            totals[key] = totals.get(key, 0) + change
        return sorted((*key, change) for key, change in totals.items() if change and key[0] in minutes)


def _totals(
    changes: Mapping[tuple[int, int], Sequence[int]], resolution: Resolution
) -> dict[tuple[int, int], list[int]]:
    length = MINUTES[resolution]
    totals: dict[tuple[int, int], list[int]] = {}
    for (minute, dimension_id), sums in changes.items():
        key = (minute - minute % length, dimension_id)
        total = totals.get(key)
        if total is None:
            totals[key] = list(sums)
        else:
            for index, change in enumerate(sums):
                total[index] += change
    return totals
