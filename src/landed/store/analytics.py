"""Sums and latency histograms over counters, never over messages: what a question costs does not grow with them.

First the combinations that are asked about are looked up and numbered (`pick`); then the database adds counters up by
these numbers and by stretches of time, and here each stretch is put where it belongs.
"""

import operator
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ARRAY,
    TIMESTAMP,
    BindParameter,
    ColumnElement,
    Dialect,
    Integer,
    Row,
    TypeDecorator,
    and_,
    bindparam,
    or_,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.types import TypeEngine

from landed.domain.counters import MINUTES, Grain, Resolution
from landed.domain.latency import unpack_all
from landed.domain.periods import Slot
from landed.store import reading
from landed.store.schema import dimensions

#: Slots by the resolution of the counters that they are.
Slots = Mapping[Resolution, Sequence[Slot]]

#: Number and stretch are looked up in sorted arrays. Tables of them to join would be taken for tiny ones, and gone
#: through for each row.
_PART: Final = """
SELECT '{resolution}', (:numbers)[width_bucket(c.dimension_id, :ids)] AS number,
       width_bucket(c.bucket_at, :starts_{resolution}) AS stretch, {added}
  FROM {table}_{resolution} c
 WHERE c.dimension_id = ANY (:ids) AND c.bucket_at >= :since_{resolution} AND c.bucket_at < :until_{resolution} {gaps}
 GROUP BY number, stretch
"""
#: Few hours out of many days: each is looked up, rather than all between them read.
_SPARSE: Final = "AND c.bucket_at = ANY (:moments_{resolution})"
_BROKEN: Final = "AND width_bucket(c.bucket_at, :starts_{resolution}) = ANY (:counted_{resolution})"
_SUMS: Final = """
       sum(messages)::bigint, sum(parts)::bigint, sum(units)::bigint, sum(cost_nanos)::bigint,
       sum(receipts_missing)::bigint, sum(converted)::bigint, sum(unconverted)::bigint
"""
#: All histograms of one number and stretch in one piece, each behind its length: that is far fewer rows to read.
_HISTOGRAMS: Final = "string_agg(int4send(length(c.histogram)) || c.histogram, ''::bytea)"
_MOMENT: Final = TIMESTAMP(timezone=True)
#: Places in time, each with the sign that what is counted has there.
_Places = tuple[tuple[int, int], ...]


class _Literal(TypeDecorator[Sequence[Any]]):
    """An array as PostgreSQL writes it. psycopg, which dumps any list, would go through it thrice."""

    impl = ARRAY
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__(item)
        self.item = item  # tells one from another where statements are cached

    def bind_processor(self, dialect: Dialect) -> Callable[[Sequence[Any] | None], str]:
        return lambda values: f"{{{','.join(map(str, values or ()))}}}"


_INTEGERS: Final = _Literal(Integer())
_MOMENTS: Final = _Literal(_MOMENT)


class TooManyRows(Exception):
    """The answer has more rows than the caller takes."""


class Sums(NamedTuple):
    """What is counted of messages."""

    messages: int
    parts: int
    units: int
    cost_nanos: int
    receipts_missing: int
    converted: int
    unconverted: int


_NONE: Final = Sums(0, 0, 0, 0, 0, 0, 0)


async def pick(
    engine: AsyncEngine, columns: Sequence[str], wanted: Mapping[str, Sequence[Any]], *, tagged: bool
) -> Sequence[Row[Any]]:
    """The combinations that are asked about: id, and these columns of `dimensions`.

    Args:
        wanted: columns of `dimensions` (or "network") and their values; "" is "not known".
        tagged: those that count a message under each of its tags, rather than once.
    """
    conditions = _picked(columns, wanted, tagged=tagged)
    return await reading.rows(
        engine, select(dimensions.c.id, *(dimensions.c[name] for name in columns)).where(*conditions)
    )


async def sums(
    engine: AsyncEngine, slots: Slots, numbers: Mapping[int, int], limit: int | None = None
) -> dict[tuple[int, int], Sums]:
    """What is counted under each number of a combination's id, by number and place in time. Empty ones are left out.

    Raises:
        TooManyRows: the database has more than `limit` of them, by number, stretch of time and resolution.
    """
    found: dict[tuple[int, int], Sequence[int]] = {}
    rows = await _rows(engine, "counters", _SUMS, slots, numbers, None if limit is None else limit + 1)
    if limit is not None and len(rows) > limit:
        raise TooManyRows
    for number, places, values in rows:
        for place, sign in places:
            before = found.get((number, place), _NONE)
            found[number, place] = list(map(operator.add if sign > 0 else operator.sub, before, values))
    return {key: Sums(*added) for key, added in found.items() if any(added)}


async def latencies(engine: AsyncEngine, slots: Slots, numbers: Mapping[int, int]) -> dict[tuple[int, int], int]:
    """The histograms of time to deliver, as domain/latency.py has them, by number and place in time.

    They are added up here: PostgreSQL has no sum of histograms, and an integer's `+` is one.
    """
    found: dict[tuple[int, int], int] = {}
    for number, places, (packed,) in await _rows(engine, "latencies", _HISTOGRAMS, slots, numbers, None):
        histogram = unpack_all(packed)
        for place, sign in places:
            found[number, place] = found.get((number, place), 0) + sign * histogram
    return {key: histogram for key, histogram in found.items() if histogram}


async def _rows(
    engine: AsyncEngine, table: str, added: str, slots: Slots, numbers: Mapping[int, int], limit: int | None
) -> list[tuple[int, _Places, Sequence[Any]]]:
    """What is added up: a number, where in time it belongs, and the sums. `limit` is for all resolutions together."""
    stretches = {resolution: _stretches(resolution, those) for resolution, those in slots.items() if those}
    if not numbers or not stretches:
        return []
    ids = sorted(numbers)
    bound: list[BindParameter[Any]] = [
        bindparam("ids", ids, _INTEGERS),
        bindparam("numbers", [numbers[each] for each in ids], _INTEGERS),
    ]
    parts = []
    for resolution, those in stretches.items():
        gaps, values = _times(resolution, those)
        bound += values
        parts.append(_PART.format(added=added, table=table, resolution=resolution.value, gaps=gaps))
    statement = text("UNION ALL".join(parts) + ("" if limit is None else f" LIMIT {limit:d}"))
    found: Sequence[Sequence[Any]] = await reading.rows(engine, statement.bindparams(*bound))
    return [(number, stretches[resolution][place - 1].places, values) for resolution, number, place, *values in found]


class _Stretch(NamedTuple):
    """Counters one after the other that are added up in the same places."""

    since: datetime
    until: datetime
    places: _Places  #: none: a gap


def _stretches(resolution: Resolution, slots: Sequence[Slot]) -> list[_Stretch]:
    """In order, without a hole: from the first slot to the last, with the gaps between them."""
    length = timedelta(minutes=MINUTES[resolution])
    places: defaultdict[datetime, list[tuple[int, int]]] = defaultdict(list)
    for slot in slots:
        places[slot.at].append((slot.place, slot.sign))
    found: list[_Stretch] = []
    for at in sorted(places):
        here = tuple(sorted(places[at]))
        if found and found[-1].until < at:
            found.append(_Stretch(found[-1].until, at, ()))
        if found and found[-1].places == here:
            found[-1] = found[-1]._replace(until=at + length)
        else:
            found.append(_Stretch(at, at + length, here))
    return found


def _times(resolution: Resolution, stretches: Sequence[_Stretch]) -> tuple[str, list[BindParameter[Any]]]:
    """A condition that leaves gaps out, and the values of the part of the statement that reads this resolution."""
    since, until = stretches[0].since, stretches[-1].until
    bound: list[BindParameter[Any]] = [
        bindparam(f"since_{resolution}", since, _MOMENT),
        bindparam(f"until_{resolution}", until, _MOMENT),
        bindparam(f"starts_{resolution}", [stretch.since for stretch in stretches], _MOMENTS),
    ]
    counted = [number for number, stretch in enumerate(stretches, 1) if stretch.places]
    if len(counted) == len(stretches):
        return "", bound
    length = timedelta(minutes=MINUTES[resolution])
    moments = [
        stretch.since + number * length
        for stretch in stretches
        if stretch.places
        for number in range((stretch.until - stretch.since) // length)
    ]
    if len(moments) * length < (until - since) / 2:
        bound.append(bindparam(f"moments_{resolution}", moments, _MOMENTS))
        return _SPARSE.format(resolution=resolution.value), bound
    bound.append(bindparam(f"counted_{resolution}", counted, _INTEGERS))
    return _BROKEN.format(resolution=resolution.value), bound


#: What the coarse grain still tells apart.
_COARSE: Final = frozenset({"account_id", "direction", "channel", "country", "status", "currency"})


def is_coarse(columns: Sequence[str], wanted: Mapping[str, Sequence[Any]], *, tagged: bool) -> bool:
    """Whether the rows that tell few dimensions apart answer the question."""
    return not tagged and _COARSE.issuperset({*columns, *wanted})


def _picked(
    columns: Sequence[str], wanted: Mapping[str, Sequence[Any]], *, tagged: bool
) -> Iterator[ColumnElement[bool]]:
    yield dimensions.c.tag != "" if tagged else dimensions.c.tag == ""
    grain = Grain.COUNTRY if is_coarse(columns, wanted, tagged=tagged) else Grain.FULL
    yield dimensions.c.grain == grain.value
    for name, values in wanted.items():
        if name == "network":
            yield or_(*(_network(value) for value in values))
        else:
            yield dimensions.c[name].in_(values)


def _network(mcc_mnc: tuple[str, str | None]) -> ColumnElement[bool]:
    mcc, mnc = mcc_mnc
    return dimensions.c.mcc == mcc if mnc is None else and_(dimensions.c.mcc == mcc, dimensions.c.mnc == mnc)
