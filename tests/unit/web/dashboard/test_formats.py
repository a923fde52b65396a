"""Figures as people read them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from landed.services.shapes import Money
from landed.web.dashboard import formats

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0.0 %"),
        (1, "100.0 %"),
        (0.9999, "99.9 %"),
        (0.0001, "< 0.1 %"),
        (0.9312, "93.1 %"),
        (1.5, "150.0 %"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(value: float | None, text: str) -> None:
    assert formats.share(value).replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (0.42, "420 ms"),
        (4.24, "4.2 s"),
        (59.99, "60.0 s"),
        (90, "1 min 30 s"),
        (3600, "1 h"),
        (7300, "2 h 1 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations_have_the_units_people_use(value: float | None, text: str) -> None:
    assert formats.seconds(value).replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (9_999, "9,999"), (12_345, "12.3 k"), (1_234_567, "1.2 M"), (2e9, "2.0 B")]
)
def test_large_counts_are_short(value: float | None, text: str) -> None:
    assert formats.short(value).replace("\u202f", " ") == text


def test_money_shows_its_currency_and_as_many_digits_as_matter() -> None:
    assert formats.money(Money(amount="0.0055", currency="USD")).replace("\u202f", " ") == "0.0055 USD"
    assert formats.money([Money(amount="1234.5678", currency="EUR")]).replace("\u202f", " ") == "1,234.57 EUR"
    assert formats.money([]) == formats.money(None) == "–"


def test_of_sums_in_several_currencies_the_largest_that_has_a_name_is_the_main_one() -> None:
    amounts = [
        Money(amount="99.5", currency=None), Money(amount="2.5", currency="EUR"), Money(amount="10", currency="USD")
    ]  # fmt: skip
    assert formats.spend(amounts).replace("\u202f", " ") == "10.00 USD"
    assert formats.main_currency(amounts) == "USD"
    assert formats.main_currency(amounts[:1]) is formats.main_currency([]) is None
    assert formats.spend([]) == "–"


def test_countries_have_names_and_strange_codes_stay() -> None:
    assert [formats.country(code) for code in ("US", "AG", "ZZ", None, "none")] == [
        "United States", "Antigua and Barbuda", "ZZ", "unknown country", "unknown country",
    ]  # fmt: skip


def test_a_moment_is_local_and_exact_for_machines() -> None:
    shown = formats.moment(NOW, ZoneInfo("Europe/Berlin"))

    assert ">21 Nov 2026, 13:00:00</time>" in shown
    assert 'datetime="2026-11-21T12:00:00.123Z"' in shown


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ({"seconds": 2}, "just now"),
        ({"minutes": 5}, "5 min ago"),
        ({"hours": -3}, "3 h from now"),
        ({"days": 2}, "2 d ago"),
    ],
)
def test_how_long_ago_is_rough(before: dict[str, float], text: str) -> None:
    assert f">{text}<" in formats.ago(NOW - timedelta(**before), NOW, ZoneInfo("UTC")).replace("\u202f", " ")
