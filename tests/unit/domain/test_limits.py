"""Limits as they are written, and shares that are too small."""

from datetime import timedelta

import pytest

from landed.domain.limits import Limit, Share, ShareLimit, read


def test_limits_are_written_as_count_and_time_by_commas() -> None:
    assert read("5/10m, 20/1d") == (
        Limit(5, timedelta(minutes=10), "5/10m"),
        Limit(20, timedelta(days=1), "20/1d"),
    )
    assert ",".join(map(str, read("1/30s,2/3h"))) == "1/30s,2/3h"
    assert read(" OFF ") == ()


@pytest.mark.parametrize("text", ["", "5", "5/m", "0/10m", "5/0m", "-1/1h", "5/10w", "5/10m,", "5/10m;6/1h", "1e3/1h"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  settings say what to give
        read(text)


@pytest.mark.parametrize(
    ("good", "of", "is_below"),
    [(0, 9, False), (0, 10, True), (1, 10, True), (2, 10, False), (199, 1000, True), (200, 1000, False)],
)
def test_a_share_is_too_small_once_there_are_enough_to_tell(good: int, of: int, is_below: bool) -> None:
    assert Share(good, of).is_below(ShareLimit(20, 10, timedelta(hours=6))) is is_below


def test_no_share_is_too_small_for_no_limit() -> None:
    assert not Share(0, 1000).is_below(ShareLimit(0, 10, timedelta(hours=6)))
