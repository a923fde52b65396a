"""What Plivo's API answers: content with the id of the request, errors, pages, and how it writes times."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlencode

from landed.simulator.carrier.scenario import Answer

PAGE_MAX: Final = 20
OFFSET_MAX: Final = 10_000_000
_OF_THE_CALL: Final = frozenset({"limit", "offset", "callback_url", "callback_method"})  #: the rest filters
#: Records are written in the zone of the account, which is not UTC: seen so in samples.
ZONE: Final = timezone(timedelta(hours=5, minutes=30))

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`how`: HANG or HANG_UP where it is not given at all."""

    status: int = 200
    content: Mapping[str, Any] = field(default_factory=dict)
    how: Answer | None = None


class Refused(Exception):
    """The request ends with this status and these words."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


def not_found(what: str = "") -> Refused:
    return Refused(404, f"{what} not found" if what else "not found")


def page(
    path: str, name: str, things: Sequence[_T], show: Callable[[_T], Mapping[str, Any]], query: Mapping[str, str]
) -> Reply:
    """One page of a list. `path`: of the list, from the root; `name`: what the records are called. The links to the
    other pages keep the filters.

    Raises:
        Refused: limit or offset cannot be.
    """
    limit = _whole(query, "limit", PAGE_MAX, 1, PAGE_MAX)
    offset = _whole(query, "offset", 0, 0, OFFSET_MAX)
    filters = urlencode({name: value for name, value in query.items() if name not in _OF_THE_CALL})
    address = f"{path}?{filters and filters + '&'}limit={limit}&offset="
    meta = {
        "limit": limit,
        "offset": offset,
        "next": f"{address}{offset + limit}" if offset + limit < len(things) else None,
        "previous": f"{address}{max(0, offset - limit)}" if offset else None,
        "total_count": len(things),
    }
    return Reply(content={"meta": meta, name: [show(thing) for thing in things[offset : offset + limit]]})


def _whole(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most):
        raise Refused(400, f"{name} should be a number from {least} to {most}")
    return int(text)


def of_record(at: datetime | None) -> str:
    """`2024-08-21 18:28:49.244057+05:30`; empty where it has not been."""
    return at.astimezone(ZONE).isoformat(sep=" ") if at else ""


def iso(at: datetime) -> str:
    """`2026-03-02T10:00:00.363253Z`."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Timed(Protocol):
    """`created_at` by the carrier's clock, which its records tell; `asked_at` by ours, which whoever asks looks at."""

    created_at: datetime
    asked_at: datetime


def within(
    name: str, query: Mapping[str, str], things: Collection[Timed], real_now: datetime
) -> Callable[[Timed], bool]:
    """Whether a thing passes the filters `name`, `name__gt`, `name__gte`, `name__lt` and `name__lte`, taken as UTC.

    They may be meant by either clock. By the carrier's alone where they are all still to come by ours, or one of them
    is the time of a record: so lists can be walked by the times in them.

    Raises:
        Refused: one of them is no time.
    """
    asked = [
        (test, _moment(name + suffix, query[name + suffix]))
        for suffix, test in _TESTS.items()
        if query.get(name + suffix)
    ]
    bounds = {other for _, other in asked}
    may_be_ours = any(other <= real_now for other in bounds) and not any(each.created_at in bounds for each in things)

    def is_then(at: datetime) -> bool:
        return all(test(at, other) for test, other in asked)

    return lambda thing: is_then(thing.created_at) or (may_be_ours and is_then(thing.asked_at))


_TESTS: Final[Mapping[str, Callable[[datetime, datetime], bool]]] = {
    "": lambda at, other: at == other,
    "__gt": lambda at, other: at > other,
    "__gte": lambda at, other: at >= other,
    "__lt": lambda at, other: at < other,
    "__lte": lambda at, other: at <= other,
}


def _moment(name: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(400, f"{name} should be written as YYYY-MM-DD HH:MM[:SS[.ffffff]]") from None
