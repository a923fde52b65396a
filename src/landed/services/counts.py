"""What is told of any set of messages: counts, rates, time to deliver, cost; and how they changed.

Rates are over the messages sent by us that are final (delivered, read, failed, undelivered or expired):
`delivery_rate` is those delivered or read, `failure_rate` those failed or undelivered; expired ones are neither, since
nobody knows. `missing_rate` is those whose end the provider did not tell us by itself. `pending` is how many are not
final yet. `conversion_rate` is over those of which it was reported whether they converted.
"""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from pydantic import Field

from landed.domain import latency, money
from landed.domain.receipts import Direction
from landed.domain.statuses import FINAL, Status
from landed.services.shapes import Money, Shape
from landed.store.analytics import Sums

QUANTILES: Final = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}
DELIVERED: Final = (Status.DELIVERED, Status.READ)
FAILED: Final = (Status.FAILED, Status.UNDELIVERED)
#: A bar of the distribution is so many buckets of domain/latency.py: its end is 1.5 times its beginning.
_BUCKETS_PER_BAR: Final = 4


class Quantiles(Shape):
    """Seconds from submission to delivery, each at most 5 % off; null where nothing was delivered."""

    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class Bar(Shape):
    """How many were delivered in more than `from_s` and at most `to_s` seconds."""

    from_s: float
    to_s: float
    messages: int


class Counts(Shape):
    """What is told of any set of messages; under the name of each status, how many have it now."""

    messages: int
    parts: int
    units: int
    scheduled: int
    sending: int
    unknown_outcome: int
    queued: int
    sent: int
    expired: int
    failed: int
    undelivered: int
    delivered: int
    read: int
    received: int
    pending: int = Field(description="sent by us, and not final yet")
    delivery_rate: float | None = Field(description="delivered and read, over those sent by us that are final")
    failure_rate: float | None = Field(description="failed and undelivered, over the same; expired ones are neither")
    receipts_missing: int = Field(description="final, and the provider did not tell us: we asked, or gave up")
    missing_rate: float | None = Field(description="those, over those sent by us that are final")
    converted: int = Field(description="the person did what the message was for, as you reported")
    unconverted: int = Field(description="the person did not, as you reported")
    conversion_rate: float | None = Field(description="converted, over converted and unconverted")
    parts_per_message: float | None
    units_per_message: float | None = Field(description="units are what the provider charges for")
    latency_s: Quantiles
    cost: list[Money] = Field(description="one entry per currency")


class Change(Shape):
    """What it is now, less what it was in the period before."""

    absolute: float | None = Field(description="of rates: in percentage points; null where one of the two is not known")
    relative: float | None = Field(description="over what it was: 0.25 is a quarter more; null for rates and after 0")


class CostChange(Shape):
    currency: str | None
    absolute: str = Field(description="decimal text", examples=["-0.0550"])
    relative: float | None


class QuantileChanges(Shape):
    p50: Change
    p90: Change
    p95: Change
    p99: Change


class Changes(Shape):
    """Against the period of equal length before."""

    messages: Change
    parts: Change
    units: Change
    pending: Change
    delivery_rate: Change
    failure_rate: Change
    receipts_missing: Change
    missing_rate: Change
    converted: Change
    conversion_rate: Change
    parts_per_message: Change
    units_per_message: Change
    latency_s: QuantileChanges
    cost: list[CostChange]


# Where the numbers of a tally are: the sums, then the messages of each status, then those of them sent by us. Statuses
# that we do not know share a place: a newer worker may write them.
_STATUSES: Final = tuple(status.value for status in Status)
_AT: Final = {status: at for at, status in enumerate(_STATUSES, len(Sums._fields))}
_UNKNOWN: Final = len(Sums._fields) + len(_STATUSES)
_OUTBOUND: Final = len(_STATUSES) + 1
_LENGTH: Final = len(Sums._fields) + 2 * _OUTBOUND


def _sent(statuses: Iterable[Status]) -> Callable[[Sequence[int]], tuple[int, ...]]:
    """Takes from the numbers of a tally those of messages sent by us that have one of these statuses."""
    return operator.itemgetter(*(_AT[status] + _OUTBOUND for status in statuses))


_SENT: Final = operator.itemgetter(slice(_LENGTH - _OUTBOUND, _LENGTH))
_SENT_FINAL, _SENT_DELIVERED, _SENT_FAILED = _sent(FINAL), _sent(DELIVERED), _sent(FAILED)


class Tally:
    """The counts of one group, while its rows come in. Its numbers are one list, which is added to another at once."""

    __slots__ = ("cost_nanos", "histogram", "numbers")

    def __init__(self) -> None:
        self.numbers = [0] * _LENGTH
        self.cost_nanos: dict[str, int] = {}
        self.histogram = 0

    def add(self, direction: str, status: str, currency: str, sums: Sums) -> None:
        numbers = self.numbers
        numbers[: len(sums)] = map(operator.add, numbers, sums)
        at = _AT.get(status, _UNKNOWN)
        numbers[at] += sums.messages
        if direction == Direction.OUTBOUND:
            numbers[at + _OUTBOUND] += sums.messages
        if sums.cost_nanos:
            self.cost_nanos[currency] = self.cost_nanos.get(currency, 0) + sums.cost_nanos

    def merge(self, other: "Tally") -> None:
        self.numbers = list(map(operator.add, self.numbers, other.numbers))
        for currency, nanos in other.cost_nanos.items():
            self.cost_nanos[currency] = self.cost_nanos.get(currency, 0) + nanos
        self.histogram += other.histogram

    @property
    def messages(self) -> int:
        return self.numbers[0]

    @property
    def failed(self) -> int:
        return sum(_SENT_FAILED(self.numbers))

    def told(self) -> dict[str, Any]:
        """The fields of `Counts`."""
        messages, parts, units, _, missing, converted, unconverted = self.numbers[: len(Sums._fields)]
        final = sum(_SENT_FINAL(self.numbers))
        return {
            "messages": messages,
            "parts": parts,
            "units": units,
            **{status: self.numbers[at] for status, at in _AT.items()},
            "pending": sum(_SENT(self.numbers)) - final,
            "delivery_rate": rate(sum(_SENT_DELIVERED(self.numbers)), final),
            "failure_rate": rate(self.failed, final),
            "receipts_missing": missing,
            "missing_rate": rate(missing, final),
            "converted": converted,
            "unconverted": unconverted,
            "conversion_rate": rate(converted, converted + unconverted),
            "parts_per_message": rate(parts, messages),
            "units_per_message": rate(units, messages),
            "latency_s": quantiles(self.histogram),
            "cost": [Money.of(nanos, currency) for currency, nanos in sorted(self.cost_nanos.items())],
        }

    def counts(self) -> Counts:
        return Counts(**self.told())


def rate(some: int, of_all: int) -> float | None:
    return round(some / of_all, 6) if of_all else None


def quantiles(histogram: int) -> Quantiles:
    return Quantiles(**quantiles_s(histogram))


def quantiles_s(histogram: int) -> dict[str, float | None]:
    """Seconds, by the names of `QUANTILES`."""
    found = latency.quantiles_ms(histogram, tuple(QUANTILES.values()))
    return dict(zip(QUANTILES, map(_seconds, found), strict=True))


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds / 1000, 4)


def bars(histogram: int) -> list[Bar]:
    """The distribution, from the first bar that has messages to the last, with the empty ones between.

    Bars are the same whatever is in them, and their edges whole milliseconds, so that they can be laid side by side.
    """
    counted: Counter[int] = Counter()
    for index, messages in latency.counts(histogram).items():
        counted[-(-index // _BUCKETS_PER_BAR)] += messages
    if not counted:
        return []
    return [
        Bar(from_s=_edge_s(number - 1), to_s=_edge_s(number), messages=counted[number])
        for number in range(min(counted), max(counted) + 1)
    ]


def _edge_s(bar: int) -> float:
    """The longest time that is still in this bar."""
    return 0.0 if bar < 0 else int(latency.GAMMA ** (_BUCKETS_PER_BAR * bar)) / 1000


# --- changes -----------------------------------------------------------------------------------------------------

_RATES: Final = frozenset({"delivery_rate", "failure_rate", "missing_rate", "conversion_rate"})
_CHANGING: Final = tuple(name for name in Changes.model_fields if name not in ("latency_s", "cost"))


def changes(now: Counts, before: Counts) -> Changes:
    return Changes(
        **{
            name: (points if name in _RATES else change)(getattr(now, name), getattr(before, name))
            for name in _CHANGING
        },
        latency_s=QuantileChanges(
            **{name: change(getattr(now.latency_s, name), getattr(before.latency_s, name)) for name in QUANTILES}
        ),
        cost=_cost_changes(now.cost, before.cost),
    )


def change(now: float | None, before: float | None) -> Change:
    if now is None or before is None:
        return Change(absolute=None, relative=None)
    return Change(absolute=round(now - before, 6), relative=round((now - before) / before, 6) if before else None)


def points(now: float | None, before: float | None) -> Change:
    """Of a rate, in percentage points."""
    if now is None or before is None:
        return Change(absolute=None, relative=None)
    return Change(absolute=round(100 * (now - before), 4), relative=None)


def _cost_changes(now: list[Money], before: list[Money]) -> list[CostChange]:
    nanos_now, nanos_before = (
        {each.currency: money.nanos_of_sum(each.amount) for each in those} for those in (now, before)
    )
    found = []
    for currency in sorted({*nanos_now, *nanos_before}, key=str):
        is_now, was = nanos_now.get(currency, 0), nanos_before.get(currency, 0)
        relative = round((is_now - was) / was, 6) if was else None
        found.append(CostChange(currency=currency, absolute=money.text(is_now - was), relative=relative))
    return found
