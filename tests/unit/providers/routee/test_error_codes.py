import pytest

from landed.domain.meanings import Fault
from landed.providers.routee import error_codes
from landed.providers.routee.provider import Routee

#: Reason, class and whether a retry helps, as the contract's table has them; "temporary" is True, "permanent" False.
CONTRACT = [
    ("Undelivered on Handset", "recipient", True),
    ("Unknown Number", "recipient", False),
    ("Roaming", "recipient", True),
    ("Call Barred", "recipient", None),
    ("Unknown Status", "unknown", None),
    ("Carrier Violation", "filtered", False),
    ("Expired", "expired", True),
    ("ExpiredTTL", "expired", True),
    ("DND Error Code", "policy", False),
]
#: The codes of its API.
CODES = [
    "400001009", "400005000", "400009002", "400009004", "400011001", "400011002", "400011003", "400011004",
    "400011005", "404001001", "404002001", "404005000", "404009001", "404010002", "404011006", "409009003",
]  # fmt: skip


@pytest.mark.parametrize(("reason", "fault", "retryable"), CONTRACT)
def test_a_documented_reason_has_its_class_in_any_case(reason: str, fault: str, retryable: bool | None) -> None:
    for spelled in (reason, reason.upper(), reason.lower()):
        meaning = error_codes.explain(spelled)
        assert (meaning.fault, meaning.retryable) == (fault, retryable)


def test_every_documented_code_is_explained_and_no_other_is_invented() -> None:
    assert sorted(code for code in error_codes.MEANINGS if code.isdecimal()) == CODES
    assert error_codes.explain("400001009").fault is Fault.ACCOUNT


def test_each_advice_is_a_sentence_and_each_title_is_short() -> None:
    meanings = error_codes.MEANINGS.values()

    assert all(meaning.advice[0].isupper() and meaning.advice.endswith(".") for meaning in meanings)
    assert all(len(meaning.title) <= 40 for meaning in meanings)


@pytest.mark.parametrize("code", ["Eaten by a dog", "999", "é", "", " "])
def test_an_unknown_one_is_named_and_nobody_is_blamed(code: str) -> None:
    meaning = error_codes.explain(code)

    assert code in meaning.title
    assert (meaning.fault, meaning.retryable) == (Fault.UNKNOWN, None)


def test_a_reason_in_words_is_no_code() -> None:
    assert [Routee().is_code(text) for text in ("400001009", "Unknown Number", "")] == [True, False, False]
