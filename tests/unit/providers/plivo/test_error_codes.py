import pytest

from landed.domain.meanings import Fault
from landed.providers.plivo import error_codes

#: Code, class and retry as the contract's table has them; "later", "after top-up" and "yes" are True, "maybe" is None.
CONTRACT = [
    ("10", "content", False),
    ("20", "carrier", True),
    ("30", "filtered", False),
    ("40", "sender", False),
    ("50", "recipient", False),
    ("60", "routing", False),
    ("70", "recipient", False),
    ("80", "recipient", True),
    ("90", "routing", True),
    ("100", "carrier", False),
    ("110", "content", False),
    ("120", "content", False),
    ("130", "content", False),
    ("140", "content", False),
    ("200", "opt_out", False),
    ("201", "sender", False),
    ("300", "platform", True),
    ("380", "policy", False),
    ("420", "expired", True),
    ("450", "policy", False),
    ("451", "policy", True),
    ("900", "account", True),
    ("910", "account", False),
    ("1000", "unknown", None),
]


@pytest.mark.parametrize(("code", "fault", "retryable"), CONTRACT)
def test_a_documented_code_has_its_class_and_whether_a_retry_helps(
    code: str, fault: str, retryable: bool | None
) -> None:
    meaning = error_codes.explain(code)

    assert (meaning.fault, meaning.retryable) == (fault, retryable)


def test_the_table_has_the_documented_codes_and_no_others() -> None:
    assert list(error_codes.MEANINGS) == [code for code, _, _ in CONTRACT]


def test_each_advice_is_a_sentence_and_each_title_is_short_and_its_own() -> None:
    meanings = error_codes.MEANINGS.values()

    assert all(meaning.advice[0].isupper() and meaning.advice.endswith(".") for meaning in meanings)
    assert all(len(meaning.title) <= 40 for meaning in meanings)
    assert len({meaning.title for meaning in meanings}) == len(meanings)


@pytest.mark.parametrize("code", ["9999", "0010", "E-7", "é", "", " "])
def test_an_unknown_code_is_named_and_nobody_is_blamed(code: str) -> None:
    meaning = error_codes.explain(code)

    assert meaning.title == f"Plivo error {code}"
    assert (meaning.fault, meaning.retryable) == (Fault.UNKNOWN, None)


@pytest.mark.parametrize("code", [None, "", "0", "000"])
def test_no_error_is_none(code: str | None) -> None:
    assert error_codes.normalise(code) is None


@pytest.mark.parametrize("code", ["30", "030", "9999", "00", "weird"])
def test_other_codes_stay_the_text_they_came_as(code: str) -> None:
    assert error_codes.normalise(code) == code
