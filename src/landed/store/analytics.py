"""Sums and latency histograms over counters, never over messages: what a question costs does not grow with them.

First the combinations that are asked about are looked up and numbered (`pick`); then counters are added up by these
numbers and by place in time, so that the database compares integers alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ARRAY, TIMESTAMP, BindParameter, ColumnElement, Integer, Row, and_, bindparam, or_, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.counters import MINUTES, Grain, Resolution, minute_of
from landed.domain.latency import unpack
from landed.domain.periods import Slot
from landed.store import reading
from landed.store.schema import dimensions

#: Slots by the resolution of the counters that they are.
Slots = Mapping[Resolution, Sequence[Slot]]

_RANGE: Final = """
  FROM {table}_{resolution} c
  JOIN unnest(:ids, :numbers) AS g (id, number) ON g.id = c.dimension_id
  JOIN (SELECT to_timestamp(60::float8 * minute) AS at, place, sign
          FROM unnest(:minutes_{resolution}, :places_{resolution}, :signs_{resolution})
            AS slot (minute, place, sign)) AS s ON s.at = c.bucket_at
 WHERE c.dimension_id = ANY (:ids)
   AND c.bucket_at >= to_timestamp(60::float8 * :first_{resolution})
   AND c.bucket_at <= to_timestamp(60::float8 * :last_{resolution})
"""
_LENGTH_BYTES: Final = 4
#: Few hours out of many days: each is looked up, rather than all between them read.
_SPARSE: Final = " AND c.bucket_at = ANY (:moments_{resolution})"
_SUMS: Final = """
SELECT g.number, s.place, sum(s.sign * messages)::bigint, sum(s.sign * parts)::bigint, sum(s.sign * units)::bigint,
       sum(s.sign * cost_nanos)::bigint, sum(s.sign * receipts_missing)::bigint, sum(s.sign * converted)::bigint,
       sum(s.sign * unconverted)::bigint
"""
#: All histograms of one number and place in one piece, each behind its length: that is five times fewer rows to read.
_HISTOGRAMS: Final = """
SELECT g.number, s.place, s.sign, string_agg(int4send(length(c.histogram)) || c.histogram, ''::bytea)
"""


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
        TooManyRows: the database has more than `limit` of them, by number, place and resolution.
    """
    if not numbers or not slots:
        return {}
    parts = [f"{_SUMS} {_from('counters', resolution, slots[resolution])} GROUP BY 1, 2" for resolution in slots]
    found: dict[tuple[int, int], Sums] = {}
    rows = await _rows(engine, parts, slots, numbers, None if limit is None else limit + 1)
    if limit is not None and len(rows) > limit:
        raise TooManyRows
    for number, place, *values in rows:
        before = found.get((number, place))
        found[number, place] = Sums(*values if before is None else map(sum, zip(before, values, strict=True)))
    return {key: added for key, added in found.items() if any(added)}


async def latencies(engine: AsyncEngine, slots: Slots, numbers: Mapping[int, int]) -> dict[tuple[int, int], int]:
    """The histograms of time to deliver, as domain/latency.py has them, by number and place in time.

    They are added up here: PostgreSQL has no sum of histograms, and an integer's `+` is one.
    """
    if not numbers or not slots:
        return {}
    parts = [
        f"{_HISTOGRAMS} {_from('latencies', resolution, slots[resolution])} GROUP BY 1, 2, 3" for resolution in slots
    ]
    found: dict[tuple[int, int], int] = {}
    for number, place, sign, packed in await _rows(engine, parts, slots, numbers, None):
        key = (number, place)
        found[key] = found.get(key, 0) + sign * _added_up(packed)
    return {key: histogram for key, histogram in found.items() if histogram}


def _added_up(packed: bytes) -> int:
    """Histograms, each behind its length, as one."""
    total = at = 0
    while at < len(packed):
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(packed[at:begin], "big")
        total += unpack(packed[begin:at])
    return total


def _from(table: str, resolution: Resolution, slots: Sequence[Slot]) -> str:
    return (_RANGE + (_SPARSE if _is_sparse(resolution, slots) else "")).format(
        table=table, resolution=resolution.value
    )


def _is_sparse(resolution: Resolution, slots: Sequence[Slot]) -> bool:
    minutes = {minute_of(slot.at) for slot in slots}
    return len(minutes) * MINUTES[resolution] < (max(minutes) - min(minutes)) / 2


async def _rows(
    engine: AsyncEngine, parts: Sequence[str], slots: Slots, numbers: Mapping[int, int], limit: int | None
) -> Sequence[Any]:
    values: dict[str, Any] = {"ids": list(numbers), "numbers": list(numbers.values())}
    for resolution, those in slots.items():
        minutes = [minute_of(slot.at) for slot in those]
        values |= {
            f"minutes_{resolution}": minutes,
            f"places_{resolution}": [slot.place for slot in those],
            f"signs_{resolution}": [slot.sign for slot in those],
            f"first_{resolution}": min(minutes),
            f"last_{resolution}": max(minutes),
        }
        if _is_sparse(resolution, those):
            values[f"moments_{resolution}"] = sorted({slot.at for slot in those})
    statement = text("\nUNION ALL\n".join(parts) + ("" if limit is None else f" LIMIT {limit:d}"))
    return await reading.rows(engine, statement.bindparams(*(_typed(name, value) for name, value in values.items())))


def _typed(name: str, value: Any) -> BindParameter[Any]:
    if not isinstance(value, list):
        return bindparam(name, value, Integer)
    return bindparam(name, value, ARRAY(TIMESTAMP(timezone=True) if name.startswith("moments") else Integer))


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
