"""Moments as people write them."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain.errors import InputInvalid
from landed.services.moments import moment

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("24h", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        ("now", NOW),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T09:30:00Z", datetime(2026, 11, 1, 9, 30, tzinfo=UTC)),
        ("2026-11-01T09:30:00+02:00", datetime(2026, 11, 1, 7, 30, tzinfo=UTC)),
        ("2026-11-01T09:30:00 02:00", datetime(2026, 11, 1, 7, 30, tzinfo=UTC)),
        ("2026-11-01 09:30", datetime(2026, 11, 1, 9, 30, tzinfo=UTC)),
    ],
)
def test_dates_times_and_ways_back_are_understood(text: str, meant: datetime) -> None:
    assert moment(text, NOW, field="since") == meant


@pytest.mark.parametrize("text", ["", "yesterday", "999999w", "2026-13-01", "0001-01-01T00:00:00+14:00", "٣d"])
def test_what_is_no_moment_names_the_field_and_the_way_out(text: str) -> None:
    with pytest.raises(InputInvalid, match="2026-11-01") as caught:
        moment(text, NOW, field="since")
    assert caught.value.field == "since"


@given(st.text())
def test_any_text_is_a_moment_or_invalid(text: str) -> None:
    with contextlib.suppress(InputInvalid):
        assert moment(text, NOW, field="since").utcoffset() == timedelta(0)
