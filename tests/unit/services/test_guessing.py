"""Whoever sees numbers masked finds none out by looking for one after another."""

import pytest

from landed.services.guessing import NUMBERS_MAX, WITHIN_S, Guesses, SearchThrottled

ANNA, BERT = 1, 2


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guesses(clock: Clock) -> Guesses:
    return Guesses(clock)


def number(n: int) -> str:
    return f"+1415555{n:04}"


def exhaust(guesses: Guesses, user_id: int = ANNA) -> None:
    for n in range(NUMBERS_MAX):
        guesses.see(user_id, number(n))


def test_one_number_too_many_within_the_hour_has_to_wait(guesses: Guesses, clock: Clock) -> None:
    exhaust(guesses)
    clock.now += 600

    with pytest.raises(SearchThrottled, match=r"60 different ones an hour\. Go on in 50 min") as refused:
        guesses.see(ANNA, number(9999))

    assert refused.value.retry_after_s == WITHIN_S - 600
    assert "9999" not in str(refused.value)


def test_what_was_looked_for_already_is_free(guesses: Guesses) -> None:
    exhaust(guesses)

    guesses.see(ANNA, f"to:{number(0)}")
    guesses.see(ANNA, "1 (415) 555-0001")


def test_each_has_numbers_of_his_own(guesses: Guesses) -> None:
    exhaust(guesses)

    guesses.see(BERT, number(9999))


def test_after_an_hour_one_may_look_again(guesses: Guesses, clock: Clock) -> None:
    exhaust(guesses)
    clock.now += WITHIN_S

    exhaust(guesses)


def test_several_at_once_wait_until_as_many_are_forgotten(guesses: Guesses, clock: Clock) -> None:
    for n in range(NUMBERS_MAX):
        guesses.see(ANNA, number(n))
        clock.now += 1

    with pytest.raises(SearchThrottled) as refused:
        guesses.see(ANNA, f"from:{','.join(map(number, range(9000, 9003)))}")

    assert refused.value.retry_after_s == WITHIN_S - NUMBERS_MAX + 2
    clock.now += refused.value.retry_after_s
    guesses.see(ANNA, f"from:{','.join(map(number, range(9000, 9003)))}")


def test_more_than_the_limit_at_once_is_refused(guesses: Guesses) -> None:
    with pytest.raises(SearchThrottled) as refused:
        guesses.see(ANNA, f"from:{','.join(map(number, range(NUMBERS_MAX + 1)))}")

    assert refused.value.retry_after_s == WITHIN_S


@pytest.mark.parametrize(
    "text",
    [
        "+14155559999",
        "14155559999",
        "1 (415) 555-9999",
        "to:+14155559999",
        "recipient:14155559999",
        'from:"+1 415 555 9999"',
        "from:LANDED,+14155559999",
        "status:failed +14155559999 country:US",
        '14 "15" "55" "59" 999',
        "1415 country:US 555 is:missing 9999",
        "whatsapp:+14155559999",
        "+6839999",
    ],
)
def test_a_number_counts_however_it_is_written(guesses: Guesses, text: str) -> None:
    exhaust(guesses)

    with pytest.raises(SearchThrottled):
        guesses.see(ANNA, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "status:failed,undelivered latency:>12.5s latency:<=25s",
        "code:30 country:US network:310-260",
        "from:LANDED to:72345",
        "0b8f1234-5678-4321-8765-432112345678",
        "+1415•••••99",
    ],
)
def test_what_is_no_number_is_free(guesses: Guesses, text: str) -> None:
    exhaust(guesses)

    guesses.see(ANNA, text)
