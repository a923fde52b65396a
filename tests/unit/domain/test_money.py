"""Money is exact: whole billionths, from text and back, never through a float."""

import inspect
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain import money


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_what_is_written_reads_back_as_the_same_amount(nanos: int) -> None:
    assert money.nanos(money.text(nanos)) == nanos


@given(st.decimals(min_value=0, max_value=999_999, places=9))
def test_no_digit_of_nine_decimals_is_lost(amount: Decimal) -> None:
    assert money.nanos(str(amount)) == int(amount * money.NANOS)


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("0.00550", 5_500_000),
        ("0.0025", 2_500_000),
        ("0", 0),
        ("-1.5", -1_500_000_000),
        ("1E-3", 1_000_000),
        ("0.1", 100_000_000),
    ],
)
def test_a_price_is_read_as_billionths(text: str, nanos: int) -> None:
    assert money.nanos(text) == nanos


@pytest.mark.parametrize(
    "text", [None, "", "free", "NaN", "Infinity", "-Infinity", "1e400", "1e-400", "0,007", "1" * 5000, "1\0", "9" * 10]
)
def test_what_is_no_sensible_amount_is_none(text: str | None) -> None:
    assert money.nanos(text) is None


@pytest.mark.parametrize(
    ("nanos", "text"),
    [(7_000_000, "0.0070"), (0, "0.0000"), (1, "0.000000001"), (-7_000_000, "-0.0070"), (12_345_678_900, "12.3456789")],
)
def test_an_amount_is_written_with_four_decimals_or_as_many_as_count(nanos: int, text: str) -> None:
    assert money.text(nanos) == text


def test_no_float_comes_near_money() -> None:
    assert "float" not in inspect.getsource(money)
