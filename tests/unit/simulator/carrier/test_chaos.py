"""Each kind of chaos does what it says, and nothing else."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from landed.domain.receipts import Channel
from landed.domain.statuses import Status
from landed.simulator.carrier import chaos
from landed.simulator.carrier.chaos import ALL, CALM, SHARES, SOME, Chaos, Flaw, Telling
from landed.simulator.carrier.fate import FINAL, Fate, fate
from landed.simulator.carrier.scenario import EVERYDAY, change

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
RECEIPTS = 400


def tellings(how: Chaos, seed: int = 7, began_at: datetime = NOON) -> list[list[Telling]]:
    """Of receipts that are there one a second."""
    world = chaos.World(seed, began_at)
    return [
        list(chaos.tell(how, Random(f"{seed}:{number}"), began_at + timedelta(seconds=number), world))
        for number in range(RECEIPTS)
    ]


def is_as_it_should_be(told: list[Telling], number: int) -> bool:
    return told == [Telling(NOON + timedelta(seconds=number), Flaw.NONE, 0, is_repeat=False)]


def flaws(every: Iterable[list[Telling]]) -> set[Flaw]:
    return {telling.flaw for told in every for telling in told}


def late_s(told: list[Telling], number: int) -> float:
    return (told[0].at - NOON).total_seconds() - number


def test_without_chaos_all_is_told_once_at_once_and_rightly() -> None:
    assert all(is_as_it_should_be(told, number) for number, told in enumerate(tellings(CALM)))


def test_duplicates_are_told_twice_the_second_time_no_earlier() -> None:
    every = tellings(Chaos(duplicates=1))

    assert {len(told) for told in every} == {2}
    assert all(first.at <= second.at <= first.at + timedelta(seconds=20) for first, second in every)
    assert [[telling.is_repeat for telling in told] for told in every] == [[False, True]] * RECEIPTS
    assert {second.nonce for _, second in every} == {0, 1}
    assert flaws(every) == {Flaw.NONE}


def test_lost_receipts_are_not_told() -> None:
    assert tellings(Chaos(lost=1)) == [[]] * RECEIPTS


def test_late_ones_come_about_as_late_as_is_said() -> None:
    waits = sorted(late_s(told, number) for number, told in enumerate(tellings(Chaos(late=1, late_s=7200))))

    assert waits[0] > 600
    assert 5000 < waits[RECEIPTS // 2] < 10_000


def test_reordering_holds_back_for_seconds() -> None:
    waits = [late_s(told, number) for number, told in enumerate(tellings(Chaos(reordering=1)))]

    assert min(waits) >= 1
    assert max(waits) <= 12


def test_bursts_come_at_the_end_of_a_window_and_all_of_it() -> None:
    every = tellings(Chaos(bursts=1))

    assert {told[0].at.second % 10 for told in every} == {0}
    assert all(0 < late_s(told, number) <= 10 for number, told in enumerate(every))


def test_a_window_bursts_as_a_whole_or_not_at_all() -> None:
    windows = [every[0] for every in tellings(Chaos(bursts=0.5))]
    whole = [
        {windows[place + number].at - NOON - timedelta(seconds=place + number) for number in range(10)}
        for place in range(0, RECEIPTS, 10)
    ]

    assert {len(waits) for waits in whole} == {1, 10}


def test_windows_of_bursts_are_counted_from_where_the_world_began() -> None:
    later = timedelta(days=3, seconds=7.5)
    begun_later = tellings(Chaos(bursts=0.5), began_at=NOON + later)

    moved = [[telling._replace(at=telling.at - later) for telling in told] for told in begun_later]
    assert moved == tellings(Chaos(bursts=0.5))


@pytest.mark.parametrize(("name", "flaw"), [
    ("wrong_signatures", Flaw.WRONG_SIGNATURE), ("missing_signatures", Flaw.MISSING_SIGNATURE), ("slow", Flaw.SLOW),
    ("half_closed", Flaw.HALF_CLOSED), ("hung_up", Flaw.HUNG_UP),
])  # fmt: skip
def test_a_flaw_is_in_how_it_is_called_and_changes_no_time(name: str, flaw: Flaw) -> None:
    every = tellings(Chaos(**{name: 1.0}))

    assert flaws(every) == {flaw}
    assert all(late_s(told, number) == 0 and len(told) == 1 for number, told in enumerate(every))


@pytest.mark.parametrize("name", [name for name in SHARES if name not in {"contradicting", "unknown_statuses"}])
def test_a_share_happens_about_so_often(name: str) -> None:
    every = tellings(Chaos(**{name: 0.25}))

    odd = sum(not is_as_it_should_be(told, number) for number, told in enumerate(every))
    assert 0.1 < odd / RECEIPTS < 0.45


def test_flaws_share_one_lot_so_that_all_of_them_fit() -> None:
    how = Chaos(wrong_signatures=0.2, missing_signatures=0.2, slow=0.2, half_closed=0.2, hung_up=0.2)

    assert flaws(tellings(how)) == {*Flaw} - {Flaw.NONE}


def test_flaws_that_come_to_more_than_1_happen_in_proportion() -> None:
    every = tellings(Chaos(wrong_signatures=1, slow=0.5, hung_up=0.5))
    counts = Counter(told[0].flaw for told in every)

    assert counts.keys() == {Flaw.WRONG_SIGNATURE, Flaw.SLOW, Flaw.HUNG_UP}
    assert 0.4 < counts[Flaw.WRONG_SIGNATURE] / RECEIPTS < 0.6
    assert 0.2 < counts[Flaw.HUNG_UP] / RECEIPTS < 0.3


def test_presets_go_from_nothing_to_everything() -> None:
    assert all(getattr(CALM, name) == 0 for name in SHARES)
    assert all(getattr(SOME, name) <= getattr(ALL, name) for name in SHARES)
    assert all(getattr(ALL, name) > 0 for name in SHARES)


# --- what chaos makes of a message's fate ---------------------------------------------------------------------------


def fates(how: dict[str, float]) -> list[Fate]:
    scenario = change(EVERYDAY, {"chaos": how})
    return [fate(scenario, Random(number), "12125550101", Channel.SMS) for number in range(RECEIPTS)]


def test_contradicting_adds_the_opposite_after_the_final_word() -> None:
    for plain, odd in zip(fates({}), fates({"contradicting": 1}), strict=True):
        words = [step.word for step in odd.steps if step.word in FINAL]
        if plain.final is None or plain.final.word == Status.FAILED:
            assert odd == plain
        else:
            assert words in (["delivered", "undelivered"], ["undelivered", "delivered"])
            assert [step for step in odd.steps if step in plain.steps] == list(plain.steps)


def test_an_unknown_status_is_told_besides() -> None:
    for plain, odd in zip(fates({}), fates({"unknown_statuses": 1}), strict=True):
        (strange,) = [step for step in odd.steps if step not in plain.steps]
        assert strange.word not in {*Status}
        assert tuple(step for step in odd.steps if step is not strange) == plain.steps


@pytest.mark.parametrize("name", [name for name in SHARES if name not in {"contradicting", "unknown_statuses"}])
def test_other_chaos_changes_nothing_about_what_happens(name: str) -> None:
    assert fates({name: 1}) == fates({})


def test_a_magic_number_has_its_way_whatever_the_lot() -> None:
    scenario = replace(EVERYDAY)
    ends = set()
    for number in range(100):
        made = fate(scenario, Random(number), "x", Channel.SMS, scenario.outcome("+15005550030"))
        ends.add((made.final.word, made.final.error_code) if made.final else None)

    assert ends == {("undelivered", "30")}
