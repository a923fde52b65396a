import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain import numbers

almost_numbers = st.one_of(st.text(), st.text("+0123456789 •", max_size=20))


@pytest.mark.parametrize(
    "written",
    ["+14155550123", "14155550123", " 14155550123", "0014155550123", "+14155550123 ", "\t14155550123\n"],
)
def test_one_number_has_one_spelling(written: str) -> None:
    assert numbers.normalise(written) == "+14155550123"


@pytest.mark.parametrize("nothing", [None, "", " ", "\n"])
def test_nothing_is_none(nothing: str | None) -> None:
    assert numbers.normalise(nothing) is None


@pytest.mark.parametrize("short_code", ["1", "911", "12345", "262626", "1234567", "00123"])
def test_short_codes_stay(short_code: str) -> None:
    assert numbers.normalise(short_code) == short_code


@pytest.mark.parametrize("name", ["Landed", "ACME 24", "24-7", "1-800-FLOWERS", "MyBank2025", "Müller"])
def test_alphanumeric_senders_stay_with_their_case(name: str) -> None:
    assert numbers.normalise(f" {name} ") == name


@pytest.mark.parametrize(("digits", "number"), [("12345678", "+12345678"), ("1" * 15, "+" + "1" * 15)])
def test_eight_to_fifteen_digits_are_a_number(digits: str, number: str) -> None:
    assert numbers.normalise(digits) == number


@pytest.mark.parametrize("digits", ["1" * 16, "00" + "1" * 16, "001234567", "000123456789", "01712345678"])
def test_digits_that_cannot_be_e164_stay(digits: str) -> None:
    assert numbers.normalise(digits) == digits


def test_digits_of_other_scripts_are_not_guessed_at() -> None:
    assert numbers.normalise("١٤١٥٥٥٥٠١٢٣") == "١٤١٥٥٥٥٠١٢٣"


@given(almost_numbers)
def test_normalising_never_raises_and_twice_is_once(written: str) -> None:
    once = numbers.normalise(written)
    assert numbers.normalise(once) == once


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+14155550123", "+1415•••••23"),
        ("+4915112345678", "+4915•••••••78"),
        ("+12345678", "+12••••78"),
        ("+6834002", "+6••••02"),
        ("14155550123", "1415•••••23"),
        ("01712345678", "0171•••••78"),
        ("+1 (415) 555-0123", "+1 (415) •••-••23"),
        ("whatsapp:+14155550123", "whatsapp:+1415•••••23"),
    ],
)
def test_mask_leaves_the_country_and_the_last_two_digits(number: str, masked: str) -> None:
    assert numbers.mask(number) == masked


@pytest.mark.parametrize("sender", ["12345", "262626", "Landed", "ACME 24", "MyBank2025", ""])
def test_mask_leaves_short_codes_and_names(sender: str) -> None:
    assert numbers.mask(sender) == sender


@given(almost_numbers)
def test_masking_never_raises_and_twice_is_once(number: str) -> None:
    once = numbers.mask(number)
    assert numbers.mask(once) == once


@given(st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True))
def test_a_masked_number_hides_at_least_four_digits(number: str) -> None:
    masked = numbers.mask(number)
    assert masked.count(numbers.HIDDEN) >= numbers.HIDDEN_MIN
    assert len(masked) == len(number)
