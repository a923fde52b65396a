import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain import networks
from landed.domain.countries import country_of_mcc

ROWS = [row.partition(": ")[0].split() for row in networks.NETWORKS.strip().splitlines()]


@pytest.mark.parametrize(
    ("mcc", "mnc", "name"),
    [
        ("310", "260", "T-Mobile"),
        ("311", "480", "Verizon"),
        ("302", "720", "Rogers"),
        ("262", "01", "Telekom"),
        ("404", "10", "Airtel"),
        ("405", "857", "Jio"),
        ("724", "05", "Claro"),
        ("234", "15", "Vodafone"),
    ],
)
def test_big_networks_have_their_name(mcc: str, mnc: str, name: str) -> None:
    assert networks.network_name(mcc, mnc) == name


@pytest.mark.parametrize("mnc", ["15", "015"])
def test_padding_does_not_matter(mnc: str) -> None:
    assert networks.network_name("234", mnc) == "Vodafone"


def test_cutting_off_a_digit_does() -> None:
    assert networks.network_name("310", "260") == "T-Mobile"
    assert networks.network_name("310", "26") is None


def test_zero_is_a_network_code_too() -> None:
    assert networks.network_name("460", "00") == "China Mobile"


@pytest.mark.parametrize(
    ("mcc", "mnc"),
    [("310", "999"), ("000", "01"), ("310", ""), ("", "260"), (None, "260"), ("310", None), ("310", "26O")],
)
def test_unknown_networks_have_no_name(mcc: str | None, mnc: str | None) -> None:
    assert networks.network_name(mcc, mnc) is None


@given(st.none() | st.text(), st.none() | st.text() | st.text("0123456789-_ ²"))
def test_anything_is_answered(mcc: str | None, mnc: str | None) -> None:
    assert networks.network_name(mcc, mnc) is None or mnc is not None


def test_the_table_covers_the_worlds_big_destinations() -> None:
    assert len(networks._NAMES) >= 500
    assert len({iso2 for iso2, _ in ROWS}) >= 80


@pytest.mark.parametrize(("iso2", "mcc"), ROWS, ids="-".join)
def test_the_country_beside_a_code_is_its_country(iso2: str, mcc: str) -> None:
    assert country_of_mcc(mcc) == iso2


def test_two_names_for_one_code_are_refused() -> None:
    with pytest.raises(ValueError, match="202 1 is both Cosmote and Nova"):
        networks._read("GR 202: 1,2 Cosmote; 1 Nova")
