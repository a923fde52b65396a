"""What the registry refuses, told before it is asked."""

from typing import Any, Final

import pytest

from landed.domain.registration_rules import broken

GOOD: Final[dict[str, Any]] = {
    "description": "d" * 40,
    "samples": ["s" * 20, "s" * 1024],
    "message_flow": "They ask for it.",
    "help_message": "See our page.",
    "opt_out_message": "Bye.",
}


def test_what_keeps_the_rules_breaks_none() -> None:
    assert broken(**GOOD) == []


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"description": "d" * 39}, ["description"]),
        ({"description": " " * 20 + "d" * 39}, ["description"]),
        ({"description": "d" * 4097}, ["description"]),
        ({"samples": ["s" * 20]}, ["samples"]),
        ({"samples": ["s" * 19, "s" * 20, "s" * 1025]}, ["samples", "samples"]),
        ({"message_flow": None, "help_message": ""}, ["message_flow", "help_message"]),
        ({"opt_out_message": None}, ["opt_out_message"]),
    ],
    ids=str,
)
def test_each_rule_names_its_field(changed: dict[str, Any], fields: list[str]) -> None:
    assert [each.field for each in broken(**GOOD | changed)] == fields


def test_a_sample_is_named_by_its_place_and_not_shown() -> None:
    (found,) = broken(**GOOD | {"samples": ["s" * 20, "hey"]})

    assert found.how == "The 2. has 3 characters, and has to have 20 at least."
