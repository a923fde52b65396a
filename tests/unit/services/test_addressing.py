import re
from typing import Final

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain import numbers
from landed.domain.errors import InputInvalid
from landed.services import addressing

E164: Final = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
SHORT_CODE: Final = re.compile(r"\d{3,8}", re.ASCII)

MOBILE_EXAMPLES: Final = {
    region: example
    for region in phonenumbers.SUPPORTED_REGIONS
    if (example := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE))
}

regions = st.sampled_from([None, "US", "DE", "GB", "IT", "SG", "AR", "RU", "JP", "BR", "IN", "FO"])
almost_numbers = st.one_of(
    st.text(max_size=40),
    st.text("+0123456789 -().", max_size=24),
    st.text("+＋01٢３5x#;,/ABCo\u202a\u00a0\n", max_size=24),
    st.from_regex(r"(\+|00|tel:\+|whatsapp:\+)?[1-9][0-9]{5,16}((;ext=| x)[0-9]{1,4})?", fullmatch=True),
    st.from_regex(r"\+?1?[- ]?8(00|88)[- ]?[A-Z0-9]{5,9}", fullmatch=True),
)


def refusal_of(written: str, *, region: str | None = None) -> str:
    with pytest.raises(InputInvalid) as refused:
        addressing.recipient(written, region=region)
    assert refused.value.field == "to"
    return str(refused.value)


@pytest.mark.parametrize(
    ("written", "region"),
    [
        ("+14155550123", None),
        ("14155550123", None),
        ("0014155550123", None),
        ("+0014155550123", None),
        ("+1 (415) 555-0123", None),
        ("+1.415.555.0123", None),
        ("(+1) 415 555 0123", None),
        ("+1\u00a0415\u202f555–0123", None),
        ("  +14155550123\n", None),
        ("\u202a+1 415 555 0123\u202c", None),
        ("tel:+1-415-555-0123", None),
        ("TEL:+1-415-555-0123;phone-context=example.com", None),
        ("tel:415-555-0123;phone-context=+1", None),
        ("sms:+14155550123", None),
        ("whatsapp:+14155550123", None),
        ("＋１４１５５５５０１２３", None),
        ("+١٤١٥٥٥٥٠١٢٣", None),
        ("+१४१५५५५०१२३", None),
        ("+1 415 ٥٥٥ ０１２３", "DE"),
        ("4155550123", "US"),
        ("(415) 555-0123", "US"),
        ("415.555.0123", "us"),
        ("1 415 555 0123", "US"),
        ("011 1 415 555 0123", "US"),
        ("001 415 555 0123", "US"),
        ("4155550123", "CA"),
        ("٤١٥ ٥٥٥ ٠١٢٣", "US"),
        ("0014155550123", "DE"),
        ("+14155550123", "DE"),
    ],
)
def test_one_number_has_one_spelling_however_it_is_typed(written: str, region: str | None) -> None:
    assert addressing.recipient(written, region=region) == "+14155550123"


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("0171 1234567", "DE", "+491711234567"),
        ("0171/1234567", "DE", "+491711234567"),
        ("0049 171 1234567", "DE", "+491711234567"),
        ("+49 (0)171 1234567", None, "+491711234567"),
        ("07400 123456", "GB", "+447400123456"),
        ("011 44 7400 123456", "US", "+447400123456"),
        ("0011 44 7400 123456", "AU", "+447400123456"),
        ("010 44 7400 123456", "JP", "+447400123456"),
        ("+44 (0)20 7946 0958", None, "+442079460958"),
        ("8 (912) 345-67-89", "RU", "+79123456789"),
        ("06 1234 5678", "IT", "+390612345678"),
        ("+39 06 1234 5678", None, "+390612345678"),
        ("011 15 2345-6789", "AR", "+5491123456789"),
        ("9123 4567", "SG", "+6591234567"),
        ("98765 43210", "IN", "+919876543210"),
        ("+800 1234 5678", None, "+80012345678"),
        ("+683 4002", None, "+6834002"),
        ("+290 4234", None, "+2904234"),
    ],
)
def test_each_country_writes_numbers_its_own_way(written: str, region: str | None, number: str) -> None:
    assert addressing.recipient(written, region=region) == number


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("4915112345678", "DE", "+4915112345678"),  # valid as a landline in Emden too, but written without its zero
        ("3906123456", "IT", "+393906123456"),  # a landline in Rome, or a mobile number
        ("5511987654321", "BR", "+5511987654321"),
        ("55991234567", "BR", "+5555991234567"),
        ("919876543210", "IN", "+919876543210"),
        ("9198765432", "IN", "+919198765432"),
    ],
)
def test_of_two_readings_that_are_valid_the_likelier_is_taken(written: str, region: str, number: str) -> None:
    assert addressing.recipient(written, region=region) == number


@pytest.mark.parametrize(
    "number", ["+15555550123", "+15550100123", "+14155550199", "+447700900123", "+491234567890123"]
)
def test_a_number_that_can_be_is_taken_whether_or_not_the_plan_has_it(number: str) -> None:
    assert addressing.recipient(number) == number


@pytest.mark.parametrize(
    ("written", "region"),
    [
        ("1-800-FLOWERS", "US"),
        ("1-800-FLOWERS", "CA"),
        ("1-800-FLOWERS", None),
        ("800 flowers", "US"),
        ("+1-800-FLOWERS", "DE"),
        ("1-800-FLOW-377", "US"),
    ],
)
def test_words_in_toll_free_numbers_are_read_as_on_a_keypad(written: str, region: str | None) -> None:
    assert addressing.recipient(written, region=region) == "+18003569377"


@pytest.mark.parametrize(
    ("written", "region", "said"),
    [
        ("", None, "no number is given; write it with a plus and the country's code, as in +14155550123"),
        (" \u200b\n", None, "no number is given; write it with a plus and the country's code, as in +14155550123"),
        ("+", None, "'+' has no digits; write it with"),
        ("hello", None, "'hello' is no phone number; write it with"),
        ("me@example.com", None, "'me@example.com' is no phone number; write it with"),
        ("+1415555O123", None, "'+1415•••O•23' has 'O' where a digit belongs; write digits"),
        (
            "+1 415 555 0123 home",
            None,
            "has 'h' where a digit belongs; write digits. Words are read as on a keypad only",
        ),
        ("1-800-FLOWERS", "DE", "'1-800-FLOWERS' has 'F' where a digit belongs; write digits. Words are"),
        ("800-FLOWERS", None, "'800-FLOWERS' has 'F' where a digit belongs; write digits. Words are"),
        ("1-800-FLOWERSHOP", "US", "'1-800-FLOWERSHOP' has 'F' where a digit belongs"),
        ("1-415-FLOWERS", "US", "'1-415-FLOWERS' has 'F' where a digit belongs"),
        ("+1*4155550123", None, "'+1*415•••••23' has '*', which a phone number can't have; write it with"),
        ("+1415555\x000123", None, "has U+0000, which a phone number can't have"),
        ("+1415555\ud83d0123", None, "has U+D83D, which a phone number can't have"),
        ("415²5550123", "US", "has '²', which a phone number can't have"),
        ("+14155550123 ext. 5", None, "has an extension, which a message can't reach; leave it off"),
        ("+14155550123 x5", None, "has an extension"),
        ("+14155550123 extension 1234", None, "has an extension"),
        ("+14155550123#5", None, "has an extension"),
        ("+14155550123,,5#", None, "has an extension"),
        ("tel:+14155550123;ext=5", None, "has an extension"),
        ("+14155550123, +14155550124", None, "looks like more than one number; give each as an item of its own"),
        ("14155550123<14155550124", None, "looks like more than one number"),
        ("415 555 0123 or 415 555 0124", "US", "looks like more than one number"),
        ("+14155550123\n+14155550124", None, "looks like more than one number"),
        ("+1 415 555 0123 / +1 415 555 0124", None, "looks like more than one number"),
        (
            "0171 1234567",
            None,
            "'0171 •••••67' starts with 0, as national numbers do, and no default region is set; write",
        ),
        ("+0171 1234567", None, "starts with 0, as no country's code does; write it with"),
        ("+999123456789", None, "'+9991••••••89' starts with no country's code; write it with"),
        ("+1415555012", None, "'+1415••••12' has too few digits for a number of +1; write it with"),
        ("+141555501234", None, "'+1415••••••34' has too many digits for a number of +1; write it with"),
        ("+4912345678901234", None, "'+4912••••••••••34' has too many digits for a number of +49; write it with"),
        ("5550123", "US", "'55•••23' lacks its area code, and short codes can send, but not be sent to; write it with"),
        ("12345", "US", "'12345' has too few digits for a number, and short codes can send, but not be sent to; write"),
        ("12345", None, "'12345' has too few digits for a number, and short codes can send, but not be sent to; write"),
        ("911", "US", "'911' has too few digits for a number"),
        (
            "14155550123",
            "DE",
            "'1415•••••23' is no number of DE; if it starts with another country's code, write a plus",
        ),
        ("4915112345678", "US", "is no number of US; if it starts with another country's code, write a plus before it"),
        ("1" * 101, None, "has 101 characters, more than a phone number can have; write it with"),
    ],
)
def test_what_cannot_be_a_number_is_refused_with_the_way_out(written: str, region: str | None, said: str) -> None:
    assert said in refusal_of(written, region=region)


@pytest.mark.parametrize(
    "written",
    ["+1415555012", "+1 415 555 012", "5550123", "0171 1234567", "+14155550123 ext 5", "٠١٧١١٢٣٤٥٦٧", "+14155550123a"],
)
def test_a_refusal_never_shows_the_whole_number(written: str) -> None:
    said = refusal_of(written).split(";")[0]
    digits = sum(char.isdecimal() for char in written)

    assert sum(char.isdecimal() for char in said.rsplit("'", 1)[0]) <= min(6, digits - 3)


@pytest.mark.parametrize("region", ["XX", "USA", "1", "001", "Deutschland"])
def test_a_region_that_is_none_is_refused_by_its_name(region: str) -> None:
    with pytest.raises(InputInvalid, match=f"'{region}' is not the ISO 3166 code of a country with numbers") as refused:
        addressing.recipient("4155550123", region=region)

    assert refused.value.field == "region"


def test_the_refusal_names_the_field_of_the_caller() -> None:
    with pytest.raises(InputInvalid) as refused:
        addressing.recipient("x", field="to[3]")

    assert refused.value.field == "to[3]"


@pytest.mark.parametrize("region", sorted(MOBILE_EXAMPLES))
def test_every_regions_own_way_to_write_a_mobile_number_is_understood(region: str) -> None:
    example = MOBILE_EXAMPLES[region]
    number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    forms = phonenumbers.PhoneNumberFormat

    for form in (forms.NATIONAL, forms.INTERNATIONAL, forms.RFC3966):
        assert addressing.recipient(phonenumbers.format_number(example, form), region=region) == number
    assert addressing.recipient(number.removeprefix("+")) == number


@pytest.mark.parametrize(
    ("written", "region", "kept"),
    [
        ("123", None, "123"),
        ("12345", None, "12345"),
        ("12345", "US", "12345"),
        ("262-626", "US", "262626"),
        (" 262 626 ", None, "262626"),
        ("１２３４５", None, "12345"),
        ("tel:12345", None, "12345"),
        ("12345678", None, "12345678"),
        ("12345678", "SG", "12345678"),
        ("212345", "FO", "212345"),
    ],
)
def test_short_codes_are_senders_as_they_are(written: str, region: str | None, kept: str) -> None:
    assert addressing.sender(written, region=region) == kept


@pytest.mark.parametrize(
    "name", ["Landed", "ACME 24", "A", "24h", "MyBank2025", "Müller", "Canal+", "H&M", "elevenchars"]
)
def test_names_are_senders_as_they_are(name: str) -> None:
    assert addressing.sender(f" {name} ") == addressing.sender(name, region="DE") == name


def test_a_name_in_pieces_is_composed() -> None:
    assert addressing.sender("Mu\u0308ller") == "Müller"


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("+1 415 555 0123", None, "+14155550123"),
        ("14155550123", None, "+14155550123"),
        ("(415) 555-0123", "US", "+14155550123"),
        ("9123 4567", "SG", "+6591234567"),
        ("whatsapp:+14155550123", None, "+14155550123"),
        ("1-800-FLOWERS", None, "+18003569377"),
    ],
)
def test_a_number_is_a_sender_like_a_recipient(written: str, region: str | None, number: str) -> None:
    assert addressing.sender(written, region=region) == number


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "no number is given; name a number, a short code, or a name with a letter in it"),
        ("12", "'12' has too few digits for a number; name a number, a short code, or a name with a letter in it"),
        ("!!!", "'!!!' has '!', which a phone number can't have; name a number, a short code, or a name"),
        ("Landed Messages", "'Landed Messages' has 15 characters, and a sender's name has at most 11; shorten it"),
        ("twelve chars", "'twelve chars' has 12 characters, and a sender's name has at most 11; shorten it"),
        ("Кот", "'Кот' has 'К', which a sender's name can't have; write letters and digits"),
        ("A€", "'A€' has '€', which a sender's name can't have; write letters and digits"),
        ("a\nb", "has U+000A, which a sender's name can't have; write letters and digits"),
        ("+1415O", "has 'O' where a digit belongs; write digits"),
        ("+1 415 555 0123 office", "has 'o' where a digit belongs; write digits"),
    ],
)
def test_what_cannot_be_a_sender_is_refused_with_the_way_out(written: str, said: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        addressing.sender(written)

    assert said in str(refused.value)
    assert refused.value.field == "from"


@given(almost_numbers, regions)
def test_a_recipient_is_e164_or_refused(written: str, region: str | None) -> None:
    try:
        number = addressing.recipient(written, region=region)
    except InputInvalid as refused:
        str(refused).encode()
    else:
        assert E164.fullmatch(number)
        assert addressing.recipient(number, region=region) == number
        assert numbers.normalise(number) == number


@given(almost_numbers, regions)
def test_a_sender_is_e164_a_short_code_a_name_or_refused(written: str, region: str | None) -> None:
    try:
        sender = addressing.sender(written, region=region)
    except InputInvalid as refused:
        str(refused).encode()
    else:
        is_name = len(sender) <= 11 and any(char.isalpha() for char in sender) and sender.isprintable()
        assert E164.fullmatch(sender) or SHORT_CODE.fullmatch(sender) or is_name
        assert addressing.sender(sender, region=region) == sender


@given(st.from_regex(r"\+[1-9][0-9]{5,16}", fullmatch=True))
def test_what_has_a_possible_length_is_never_refused(number: str) -> None:
    try:
        taken: str | None = addressing.recipient(number)
    except InputInvalid:
        taken = None
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        assert taken is None
        return
    possible = phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)

    if e164 == number:  # without a trunk zero that is not dialled from abroad
        assert (taken == number) == (possible and E164.fullmatch(number) is not None)


@pytest.mark.parametrize(
    ("written", "number"), [("+49 (0)0171 1234567", "+491711234567"), ("+31 00 612345678", "+31612345678")]
)
def test_a_trunk_prefix_typed_twice_is_dropped_twice(written: str, number: str) -> None:
    assert addressing.recipient(written) == number
