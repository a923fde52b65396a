import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from landed.domain import countries

#: Where we and `phonenumbers` part, by number: (its answer, ours).
DISAGREEMENTS = {
    # Guadeloupe, Saint Barthélemy and Saint Martin share +590; it names the first whose ranges fit, we the largest.
    "+590590271234": ("BL", "GP"),
    # Laayoune, Western Sahara: inside its looser pattern for Morocco, which it tries first.
    "+212528812345": ("MA", "EH"),
    # 07924 is Manx Telecom; the library's own table for IM has it, its leading digits for telling them apart do not.
    "+447924123456": ("GB", "IM"),
    # A seven-digit Canadian 310 number with +1 in front: nothing in it says Canada.
    "+13101234": ("CA", "US"),
}

EXAMPLES = sorted(
    {
        (phonenumbers.format_number(example, PhoneNumberFormat.E164), phonenumbers.region_code_for_number(example))
        for region in phonenumbers.SUPPORTED_REGIONS
        for kind in PhoneNumberType.values()
        if (example := phonenumbers.example_number_for_type(region, kind))
    }
)


def test_agrees_with_phonenumbers_on_every_kind_of_number_of_every_region() -> None:
    ours = {number: (theirs, countries.country_of(number)) for number, theirs in EXAMPLES}
    assert {number: pair for number, pair in ours.items() if pair[0] != pair[1]} == DISAGREEMENTS


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+14155550123", "US"),
        ("+14165550123", "CA"),
        ("+16005550123", "CA"),
        ("+18005550123", "US"),
        ("+17875550123", "PR"),
        ("+19395550123", "PR"),
        ("+18095550123", "DO"),
        ("+18495550123", "DO"),
        ("+16585550123", "JM"),
        ("+16715550123", "GU"),
        ("+16845550123", "AS"),
        ("+16705550123", "MP"),
        ("+13405550123", "VI"),
        ("+79161234567", "RU"),
        ("+77011234567", "KZ"),
        ("+76001234567", "KZ"),
        ("+390669812345", "VA"),
        ("+390612345678", "IT"),
        ("+447700900123", "GB"),
        ("+447781123456", "GG"),
        ("+447797123456", "JE"),
        ("+447624123456", "IM"),
        ("+4779123456", "SJ"),
        ("+61891641234", "CX"),
        ("+61891621234", "CC"),
        ("+212528912345", "EH"),
        ("+262692123456", "RE"),
        ("+262639123456", "YT"),
        ("+590690123456", "GP"),
        ("+59995181234", "CW"),
        ("+5997151234", "BQ"),
        ("+29022158", "SH"),
        ("+2908999", "TA"),
        ("+3581812345", "AX"),
        ("+919812345678", "IN"),
    ],
)
def test_leading_digits_tell_countries_of_one_calling_code_apart(number: str, country: str) -> None:
    assert countries.country_of(number) == country


@pytest.mark.parametrize("code", [800, 808, 870, 878, 881, 882, 883, 888, 979])
def test_codes_of_no_country_have_none(code: int) -> None:
    assert countries.country_of(f"+{code}12345678") is None


@pytest.mark.parametrize("sender", ["12345", "14155550123", "Landed", "", "+", "+0123456789"])
def test_what_is_not_e164_has_no_country(sender: str) -> None:
    assert countries.country_of(sender) is None


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    assert countries.country_of(f"+{text}") is None or text[:1].isdigit()


def test_every_country_a_number_can_have_has_a_name() -> None:
    found = {countries.country_of(number) for number, _ in EXAMPLES}
    assert {iso2 for iso2 in found if iso2 is None or countries.name_of(iso2) is None} == set()


def test_every_region_of_phonenumbers_has_a_name() -> None:
    assert {region for region in phonenumbers.SUPPORTED_REGIONS if countries.name_of(region) is None} == set()


def test_all_249_countries_of_iso_3166_have_a_name_and_so_do_three_reserved_codes() -> None:
    codes = {row.split()[0] for row in countries.COUNTRIES.strip().splitlines()}
    assert len(codes - {"XK", "AC", "TA"}) == 249


def test_no_row_is_written_twice() -> None:
    rows = [row.split(":") for row in countries.COUNTRIES.strip().splitlines()]
    heads = [head.split(maxsplit=2) for head, *_ in rows]
    mccs = [mcc for _, *rest in rows for mcc in " ".join(rest).split()]
    shares = [code + digits for code, *rest in map(str.split, countries.SHARED.values()) for digits in rest]
    for column in ([iso2 for iso2, *_ in heads], [code for _, code, _ in heads if code != "-"], mccs, shares):
        assert len(column) == len(set(column))


@pytest.mark.parametrize(
    ("mcc", "country"),
    [("310", "US"), ("316", "US"), ("302", "CA"), ("234", "GB"), ("404", "IN"), ("338", "JM"), ("221", "XK")],
)
def test_mobile_country_codes_have_their_country(mcc: str, country: str) -> None:
    assert countries.country_of_mcc(mcc) == country


@pytest.mark.parametrize("mcc", ["901", "001", "999", "", "31", "3100", "abc"])
def test_mobile_country_codes_of_no_country_have_none(mcc: str) -> None:
    assert countries.country_of_mcc(mcc) is None


@pytest.mark.parametrize(("iso2", "name"), [("US", "United States"), ("CI", "Côte d'Ivoire"), ("XK", "Kosovo")])
def test_names_are_the_short_ones(iso2: str, name: str) -> None:
    assert countries.name_of(iso2) == name


@pytest.mark.parametrize("iso2", ["ZZ", "us", ""])
def test_a_code_of_nobody_has_no_name(iso2: str) -> None:
    assert countries.name_of(iso2) is None
