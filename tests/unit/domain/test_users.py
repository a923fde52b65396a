"""Roles, names, passwords, and how long the next try waits."""

from datetime import timedelta

import pytest

from landed.domain.errors import InputInvalid
from landed.domain.users import Backoff, Role, valid_name, valid_password


def test_each_role_includes_the_one_before() -> None:
    assert [[one.includes(other) for other in Role] for one in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


@pytest.mark.parametrize("name", ["anna", "a", "anna@example.com", "anna.b-c_d+e", "0" * 63])
def test_names_people_have_pass(name: str) -> None:
    assert valid_name(f" {name.upper()} ") == name


@pytest.mark.parametrize(
    "name", ["", " ", ".anna", "an na", "änna", "anna\n.", "a" * 64, "<b>", "anna/../root", "\u202eanna"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputInvalid):
        valid_name(name)


@pytest.mark.parametrize(
    "password", ["correct horse", "пароль подлиннее", "a b c d e f g", "x" * 8 + "abcd", "annaanna" + "correct horse"]
)
def test_a_long_password_passes_whatever_it_is_made_of(password: str) -> None:
    assert valid_password(password, "anna") == password


@pytest.mark.parametrize(
    "password",
    ["", "short", "elevenchars", "aaaaaaaaaaaa", "abababababababab", "x" * 257, "annaanna2026", "ANNA-secret-1"],
)
def test_a_password_that_is_easy_to_guess_is_refused(password: str) -> None:
    with pytest.raises(InputInvalid):
        valid_password(password, "anna")


def test_the_first_tries_are_free_and_then_each_failure_doubles_the_delay() -> None:
    backoff = Backoff(free=3, delay_max=timedelta(seconds=10))

    assert [backoff.delay(failures).total_seconds() for failures in (0, 1, 3, 4, 5, 6, 7, 10_000)] == [
        0, 0, 0, 2, 4, 8, 10, 10,
    ]  # fmt: skip
