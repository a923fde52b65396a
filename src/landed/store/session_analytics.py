"""Sums over the counters of verify sessions, never over the sessions: what a question costs does not grow with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, Table, and_, cast, func, null, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.counters import Resolution
from landed.domain.funnel import Counts
from landed.domain.latency import unpack
from landed.domain.periods import Piece
from landed.store import reading
from landed.store.schema import session_counters_day, session_counters_hour

_TABLES: Final = {Resolution.HOUR: session_counters_hour, Resolution.DAY: session_counters_day}
_SUMMED: Final = Counts._fields[:-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which counters to add up."""

    pieces: Sequence[Piece]
    bucket: Resolution | None  #: keep buckets of this length apart; no piece is coarser
    columns: Sequence[str]  #: to group by
    wanted: Mapping[str, Sequence[Any]]  #: columns (or "network") and their values; "" is "not known"


async def sums(engine: AsyncEngine, selection: Selection, limit: int) -> Sequence[Row[Any]]:
    """Up to `limit` rows: the columns, `started_at` of the bucket, and the sums by the names of `Counts`."""
    counted = union_all(*(_piece(piece, selection, _SUMMED) for piece in selection.pieces)).subquery()
    grouped = [*(counted.c[name] for name in selection.columns), counted.c.bucket_at]
    summed = [func.sum(counted.c[name]).label(name) for name in _SUMMED]
    # An attempt is counted under its own channel: there may be attempts where no session began.
    seen = or_(func.sum(counted.c.started) != 0, func.sum(counted.c.attempts) != 0)
    return await reading.rows(engine, select(*grouped, *summed).group_by(*grouped).having(seen).limit(limit))


async def histograms(engine: AsyncEngine, selection: Selection) -> dict[tuple[Any, ...], int]:
    """Time to verify, as domain/latency.py has it, by the columns and the start of the bucket.

    They are added up here: PostgreSQL has no sum of histograms, and an integer's `+` is one.
    """
    pieces = (_piece(piece, selection, ("histogram",), filled=True) for piece in selection.pieces)
    added_up: dict[tuple[Any, ...], int] = {}
    rows: Sequence[Sequence[Any]] = await reading.rows(engine, union_all(*pieces))
    for *key, histogram in rows:
        added_up[tuple(key)] = added_up.get(tuple(key), 0) + unpack(histogram)
    return added_up


def _piece(piece: Piece, selection: Selection, names: Sequence[str], *, filled: bool = False) -> Select[Any]:
    table = _TABLES[piece.resolution]
    grouped = [table.c[name] for name in selection.columns]
    within = [table.c.bucket_at >= piece.since, table.c.bucket_at < piece.until, *_picked(table, selection)]
    if filled:
        within.append(table.c.histogram != b"")
    return select(*grouped, _bucket_at(table, piece, selection), *(table.c[name] for name in names)).where(*within)


def _bucket_at(table: Table, piece: Piece, selection: Selection) -> ColumnElement[Any]:
    at = table.c.bucket_at
    if selection.bucket is None:
        return cast(null(), at.type).label("bucket_at")
    return (at if selection.bucket is piece.resolution else func.date_trunc(selection.bucket.value, at, "UTC")).label(
        "bucket_at"
    )


def _picked(table: Table, selection: Selection) -> Iterator[ColumnElement[bool]]:
    for name, values in selection.wanted.items():
        if name == "network":
            yield or_(*(_network(table, *value) for value in values))
        else:
            yield table.c[name].in_(values)


def _network(table: Table, mcc: str, mnc: str | None) -> ColumnElement[bool]:
    return table.c.mcc == mcc if mnc is None else and_(table.c.mcc == mcc, table.c.mnc == mnc)
