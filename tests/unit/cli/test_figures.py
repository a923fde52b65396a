"""Figures for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.cli.figures import bar, clean, percent, seconds


@pytest.mark.parametrize(
    ("share", "told"),
    [(None, "-"), (0, "0.0 %"), (0.0001, "<0.1 %"), (0.5, "50.0 %"), (0.99999, "99.9 %"), (1, "100.0 %")],
)
def test_nearly_all_or_nothing_never_reads_as_that(share: float | None, told: str) -> None:
    assert percent(share) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "-"),
        (0.0123, "12 ms"),
        (2.44, "2.4 s"),
        (42.4, "42 s"),
        (59.9, "60 s"),
        (200, "3 m 20 s"),
        (7500, "2 h 5 m"),
        (3600, "1 h"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations_take_two_units_at_most(value: float | None, told: str) -> None:
    assert seconds(value) == told


@given(st.floats(0, 1), st.integers(1, 40))
def test_a_bar_fills_its_width_and_anything_shows(share: float, width: int) -> None:
    drawn = bar(share, width)
    assert len(drawn) == width
    assert bool(drawn.strip()) == (share > 0)


def test_what_could_steer_a_terminal_is_taken_out() -> None:
    assert clean("a\x1b[2Jb\x07\u202e") == "a�[2Jb��"
