"""Sums and latency histograms over counters, never over messages: what a question costs does not grow with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, Table, and_, cast, func, null, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.counters import Resolution
from landed.domain.periods import Piece
from landed.store import reading
from landed.store.schema import (
    counters_day,
    counters_hour,
    counters_minute,
    dimensions,
    latencies_day,
    latencies_hour,
    latencies_minute,
)

_SUMS: Final = {Resolution.MINUTE: counters_minute, Resolution.HOUR: counters_hour, Resolution.DAY: counters_day}
_LATENCIES: Final = {
    Resolution.MINUTE: latencies_minute,
    Resolution.HOUR: latencies_hour,
    Resolution.DAY: latencies_day,
}
_SUMMED: Final = ("messages", "parts", "units", "cost_nanos")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which counters to add up."""

    pieces: Sequence[Piece]
    bucket: Resolution | None  #: keep buckets of this length apart; no piece is coarser
    columns: Sequence[str]  #: of `dimensions`, to group by
    wanted: Mapping[str, Sequence[Any]]  #: columns of `dimensions` (or "network") and their values; "" is "not known"
    tagged: bool  #: count each message under each of its tags, rather than once


async def sums(engine: AsyncEngine, selection: Selection, limit: int) -> Sequence[Row[Any]]:
    """Up to `limit` rows: the columns, `started_at` of the bucket, `messages`, `parts`, `units` and `cost_nanos`."""
    return await reading.rows(engine, _added_up(_SUMS, selection).limit(limit))


async def latencies(engine: AsyncEngine, selection: Selection) -> Sequence[Row[Any]]:
    """The histograms of time to deliver: the columns, `started_at`, `latency_bucket` and `messages`."""
    return await reading.rows(engine, _added_up(_LATENCIES, selection, "latency_bucket"))


def _added_up(tables: Mapping[Resolution, Table], selection: Selection, *by: str) -> Select[Any]:
    """Each piece is added up by dimension id first: many rows of integers become few before any text is looked at."""
    counted = union_all(
        *(_piece(tables[piece.resolution], piece, selection, by) for piece in selection.pieces)
    ).subquery()
    grouped = [
        *(dimensions.c[name] for name in selection.columns), counted.c.started_at, *(counted.c[name] for name in by)
    ]  # fmt: skip
    summed = [func.sum(counted.c[name]).label(name) for name in _SUMMED if name in counted.c]
    return (
        select(*grouped, *summed)
        .select_from(counted.join(dimensions, dimensions.c.id == counted.c.dimension_id))
        .where(*_picked(selection))
        .group_by(*grouped)
        .having(func.sum(counted.c.messages) != 0)
    )


def _piece(table: Table, piece: Piece, selection: Selection, by: Sequence[str]) -> Select[Any]:
    bucket = selection.bucket
    started_at: ColumnElement[Any] = cast(null(), table.c.bucket_at.type)
    if bucket is piece.resolution:
        started_at = table.c.bucket_at
    elif bucket is not None:
        started_at = func.date_trunc(bucket.value, table.c.bucket_at, "UTC")
    kept = [table.c.dimension_id, *(table.c[name] for name in by)]
    statement = (
        select(*kept, started_at.label("started_at"), *(func.sum(table.c[n]).label(n) for n in _SUMMED if n in table.c))
        .where(table.c.bucket_at >= piece.since, table.c.bucket_at < piece.until)
        .group_by(*kept)
    )
    if selection.wanted or selection.tagged:
        statement = statement.where(table.c.dimension_id.in_(select(dimensions.c.id).where(*_picked(selection))))
    # By its label: as an expression its parameters would count as others than those of the column.
    return statement if bucket is None else statement.group_by("started_at")


def _picked(selection: Selection) -> Iterator[ColumnElement[bool]]:
    yield dimensions.c.tag != "" if selection.tagged else dimensions.c.tag == ""
    for name, values in selection.wanted.items():
        if name == "network":
            yield or_(*(_network(value) for value in values))
        else:
            yield dimensions.c[name].in_(values)


def _network(mcc_mnc: tuple[str, str | None]) -> ColumnElement[bool]:
    mcc, mnc = mcc_mnc
    return dimensions.c.mcc == mcc if mnc is None else and_(dimensions.c.mcc == mcc, dimensions.c.mnc == mnc)
