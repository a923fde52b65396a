"""Pages of lists, and filters by time, which may be meant by either of two clocks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from landed.simulator.plivo.answers import Refused, page, within

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
#: Our time when the carrier's is an hour ahead, since it runs faster.
REAL_NOON = NOON - timedelta(hours=1)


@dataclass
class Thing:
    created_at: datetime
    asked_at: datetime


#: One each ten minutes of the carrier's, which are ten seconds of ours.
THINGS = [
    Thing(NOON + timedelta(minutes=10 * number), REAL_NOON + timedelta(seconds=10 * number)) for number in range(6)
]


def found(**query: object) -> list[int]:
    texts = {name: str(value) for name, value in query.items()}
    is_then = within("time", texts, THINGS, REAL_NOON + timedelta(minutes=1))
    return [number for number, thing in enumerate(THINGS) if is_then(thing)]


def test_without_a_filter_everything_passes() -> None:
    assert found() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("suffix", "numbers"), [
    ("", [2]), ("__gt", [3, 4, 5]), ("__gte", [2, 3, 4, 5]), ("__lt", [0, 1]), ("__lte", [0, 1, 2]),
])  # fmt: skip
def test_a_list_is_walked_by_the_times_of_its_records(suffix: str, numbers: list[int]) -> None:
    """Though by our clock all were made before that time."""
    assert found(**{f"time{suffix}": THINGS[2].created_at}) == numbers


@pytest.mark.parametrize(("query", "numbers"), [
    ({"time__gte": REAL_NOON + timedelta(seconds=15)}, [0, 1, 2, 3, 4, 5]),
    ({"time__gte": REAL_NOON + timedelta(seconds=15), "time__lte": REAL_NOON + timedelta(seconds=35)}, [2, 3]),
    ({"time__lte": REAL_NOON - timedelta(seconds=1)}, []),
])  # fmt: skip
def test_whoever_looks_at_our_clock_finds_what_was_made_by_it(query: Mapping[str, object], numbers: list[int]) -> None:
    assert found(**query) == numbers


def test_a_time_that_is_still_to_come_by_ours_is_meant_by_the_carriers() -> None:
    assert found(time__lte=NOON + timedelta(minutes=25)) == [0, 1, 2]


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "0001-01-01 00:00:00+23:00"])
def test_what_is_no_time_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(Refused, match=r"^time__lt should be written as"):
        found(time__lt=text)


def test_links_to_other_pages_keep_the_filters_and_nothing_else_of_the_call() -> None:
    asked = {"limit": "2", "offset": "2", "to": "+1555", "text": "a&b", "callback_url": "http://a.b/"}

    meta = page("/v1/List/", "objects", range(7), lambda number: {"number": number}, asked).content["meta"]

    for link, offset in ((meta["previous"], "0"), (meta["next"], "4")):
        assert urlsplit(link).path == "/v1/List/"
        assert parse_qs(urlsplit(link).query) == {
            "to": ["+1555"], "text": ["a&b"], "limit": ["2"], "offset": [offset],
        }  # fmt: skip


def test_links_of_a_list_without_filters_are_short() -> None:
    meta = page("/v1/List/", "objects", range(30), lambda number: {"number": number}, {}).content["meta"]

    assert (meta["previous"], meta["next"]) == (None, "/v1/List/?limit=20&offset=20")
