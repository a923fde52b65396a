"""Sums over the counters of verify sessions, never over the sessions: what a question costs does not grow with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from landed.domain.counters import Resolution, minute_of
from landed.domain.funnel import Counts
from landed.domain.latency import unpack
from landed.domain.periods import Slot
from landed.store import reading
from landed.store.analytics import Slots, TooManyRows
from landed.store.schema import session_counters_day, session_counters_hour

_TABLES: Final = {Resolution.HOUR: session_counters_hour, Resolution.DAY: session_counters_day}
_SUMMED: Final = Counts._fields[:-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which counters to add up."""

    slots: Slots
    columns: Sequence[str]  #: to group by
    wanted: Mapping[str, Sequence[Any]]  #: columns (or "network") and their values; "" is "not known"


async def sums(engine: AsyncEngine, selection: Selection, limit: int) -> dict[tuple[Any, ...], list[int]]:
    """The sums by the names of `Counts`, by the columns and the place in time.

    Raises:
        TooManyRows: the database has more than `limit` of them, by resolution.
    """
    found: dict[tuple[Any, ...], list[int]] = {}
    if not selection.slots:  # all of it is before or after all time that is counted
        return found
    width = len(selection.columns) + 1
    rows = await reading.rows(engine, union_all(*_summed(selection)).limit(limit + 1))
    if len(rows) > limit:
        raise TooManyRows
    for row in rows:
        key, values = tuple(row[:width]), row[width:]
        before = found.get(key)
        found[key] = (
            list(values) if before is None else [one + other for one, other in zip(before, values, strict=True)]
        )
    # An attempt is counted under its own channel: there may be attempts where no session began.
    return {key: added for key, added in found.items() if any(added)}


async def histograms(engine: AsyncEngine, selection: Selection) -> dict[tuple[Any, ...], int]:
    """Time to verify, as domain/latency.py has it, by the columns and the place in time.

    They are added up here: PostgreSQL has no sum of histograms, and an integer's `+` is one.
    """
    found: dict[tuple[Any, ...], int] = {}
    if not selection.slots:
        return found
    rows: Sequence[Sequence[Any]] = await reading.rows(engine, union_all(*_histograms(selection)))
    for *key, sign, histogram in rows:
        found[tuple(key)] = found.get(tuple(key), 0) + sign * unpack(histogram)
    return found


def _summed(selection: Selection) -> Iterator[Select[Any]]:
    for resolution, slots in selection.slots.items():
        table, slot = _TABLES[resolution], _slots(slots)
        grouped = [*(table.c[name] for name in selection.columns), slot.c.place]
        added = (cast(func.sum(slot.c.sign * table.c[name]), BigInteger).label(name) for name in _SUMMED)
        yield select(*grouped, *added).where(*_within(table, slot, slots, selection)).group_by(*grouped)


def _histograms(selection: Selection) -> Iterator[Select[Any]]:
    for resolution, slots in selection.slots.items():
        table, slot = _TABLES[resolution], _slots(slots)
        columns = [*(table.c[name] for name in selection.columns), slot.c.place, slot.c.sign, table.c.histogram]
        yield select(*columns).where(*_within(table, slot, slots, selection), table.c.histogram != b"")


def _slots(slots: Sequence[Slot]) -> Any:
    """The slots as a table of the statement."""
    columns = zip(*((minute_of(slot.at), slot.place, slot.sign) for slot in slots), strict=True)
    values = (bindparam(None, list(column), ARRAY(Integer)) for column in columns)
    return func.unnest(*values).table_valued("minute", "place", "sign").render_derived()


def _within(table: Table, slot: Any, slots: Sequence[Slot], selection: Selection) -> Iterator[ColumnElement[bool]]:
    yield table.c.bucket_at == func.to_timestamp(60.0 * slot.c.minute)
    yield table.c.bucket_at.between(min(each.at for each in slots), max(each.at for each in slots))
    for name, values in selection.wanted.items():
        if name == "network":
            yield or_(*(_network(table, *value) for value in values))
        else:
            yield table.c[name].in_(values)


def _network(table: Table, mcc: str, mnc: str | None) -> ColumnElement[bool]:
    return table.c.mcc == mcc if mnc is None else and_(table.c.mcc == mcc, table.c.mnc == mnc)
