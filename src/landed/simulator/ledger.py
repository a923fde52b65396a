"""What was told and taken, kept by a second and much simpler reckoning than the tracker's, to hold it against."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from landed.simulator.items import FORGED, Kind, Truth

#: How far each word of the stream has got. Words that are not here change nothing.
RANK: Final = {"queued": 0, "sent": 1, "failed": 2, "undelivered": 3, "delivered": 4, "read": 5}
_UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The picture that `landed report` should show once all is tracked, and what came besides."""

    messages: int
    units: int
    cost_nanos: int
    by_status: Mapping[str, int]
    by_country: Mapping[str, int]
    by_error_code: Mapping[str, int]
    callbacks: int  #: genuine ones, repeats not counted
    duplicates: int
    unknown: int  #: genuine callbacks with a status that nobody explains, repeats not counted
    forged: Mapping[Kind, int]


class _Known(NamedTuple):
    """The furthest that is known of a message or one of its parts."""

    rank: int
    sequence: int
    status: str
    country: str
    error_code: str | None
    units: int
    cost_nanos: int


class Ledger:
    """Takes in what was acknowledged, in any order and however often. Grows by one small entry per message."""

    def __init__(self) -> None:
        self._known: dict[str, dict[int | None, _Known]] = {}
        self._kinds: Counter[Kind] = Counter()
        self._unknown = 0

    def tell(self, truth: Truth) -> None:
        """A callback was answered: with 2xx if it was genuine, with anything if it was forged."""
        self._kinds[truth.kind] += 1
        if truth.kind in FORGED:
            return
        rank = RANK.get(truth.status, _UNKNOWN)
        if rank == _UNKNOWN and truth.kind is Kind.GENUINE:
            self._unknown += 1
        known = _Known(
            rank,
            truth.sequence,
            truth.status if rank != _UNKNOWN else "queued",
            truth.country,
            truth.error_code,
            truth.units,
            truth.cost_nanos,
        )
        parts = self._known.setdefault(truth.message_id, {})
        parts[truth.part] = max(parts.get(truth.part, known), known, key=lambda entry: entry[:2])

    def summary(self) -> Summary:
        ends = [_end(parts.values()) for parts in self._known.values()]
        every = [known for parts in self._known.values() for known in parts.values()]
        return Summary(
            messages=len(ends),
            units=sum(known.units for known in every),
            cost_nanos=sum(known.cost_nanos for known in every),
            by_status=Counter(end.status for end in ends),
            by_country=Counter(end.country for end in ends),
            by_error_code=Counter(end.error_code for end in ends if end.error_code),
            callbacks=self._kinds[Kind.GENUINE],
            duplicates=self._kinds[Kind.DUPLICATE],
            unknown=self._unknown,
            forged={kind: self._kinds[kind] for kind in sorted(FORGED)},
        )


def _end(parts: Iterable[_Known]) -> _Known:
    """Where a message stands: lost with the first part that is, else as far as its slowest part."""
    known = list(parts)
    lost = [part for part in known if part.status in ("failed", "undelivered")]
    return max(lost, key=lambda part: part[:2]) if lost else min(known, key=lambda part: part[:2])
