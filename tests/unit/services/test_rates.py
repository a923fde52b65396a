import math
import random
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landed.services import rates
from landed.services.rates import BURST_MAX, Bucket, Plan, Send

UNLIMITED: Final = Bucket(rate=math.inf)
#: What a sum of floats may be off by, seconds.
HAIR: Final = 1e-6

some_rates = st.sampled_from([0.2, 0.25, 1.0, 4.0, 5.0, 15.0, 25.0, 50.0, 100.0, 300.0])
delays = st.lists(st.floats(0, 3), min_size=1, max_size=60)


def run(
    account: Bucket,
    senders: Mapping[str, Bucket],
    queued: Mapping[str, int],
    *,
    late_s: tuple[float, float] = (0, 0),
    ahead_s: float = 0,
    until: float = math.inf,
    start: float = 1000.0,
) -> list[Send]:
    """A worker with a clock of its own: it sleeps until the plan's next time, and always somewhat too long."""
    chance = random.Random(7)
    left, now, sends = dict(queued), start, []
    while now < start + until:
        planned = rates.plan(account, senders, left, now, ahead_s=ahead_s)
        account, senders = planned.account, planned.senders
        for send in planned.sends:
            left[send.sender] -= 1
        # What is planned ahead goes at its time, or as soon as the worker is there.
        sends += [Send(at=max(send.at, now), sender=send.sender) for send in planned.sends]
        if planned.next_at is None:
            break
        now = max(now, planned.next_at - ahead_s) + chance.uniform(*late_s)
    assert all(count >= 0 for count in left.values())
    return sends


def most_in_any_window(times: list[float], window_s: float) -> int:
    most = first = 0
    for index, time in enumerate(times):
        while times[first] < time - window_s:
            first += 1
        most = max(most, index - first + 1)
    return most


def times_of(sends: list[Send], sender: str) -> list[float]:
    return [send.at for send in sends if send.sender == sender]


def shares(account: float, limits: Mapping[str, float]) -> dict[str, float]:
    """Max-min fairness by filling up: nobody gets more than the limit, and what is left is shared by the others."""
    result: dict[str, float] = {}
    rest = account
    for done, sender in enumerate(sorted(limits, key=limits.__getitem__)):
        result[sender] = min(limits[sender], rest / (len(limits) - done))
        rest -= result[sender]
    return result


@pytest.mark.parametrize("late_s", [(0, 0), (0, 0.02), (0, 0.1), (0.05, 0.15)], ids=str)
@pytest.mark.parametrize("ahead_s", [0, 0.5])
def test_ten_thousand_messages_keep_fifty_a_second_for_each_sender(late_s: tuple[float, float], ahead_s: float) -> None:
    senders = {name: Bucket(rate=50) for name in "abcd"}
    sends = run(UNLIMITED, senders, dict.fromkeys(senders, 2500), late_s=late_s, ahead_s=ahead_s)

    assert Counter(send.sender for send in sends) == dict.fromkeys(senders, 2500)
    for sender in senders:
        times = times_of(sends, sender)
        assert (len(times) - 1) / (times[-1] - times[0]) == pytest.approx(50, rel=0.05)
        for start in range(1000, 1040):
            in_ten_seconds = sum(start <= time < start + 10 for time in times)
            assert in_ten_seconds == pytest.approx(500, rel=0.05)


def test_an_accounts_rate_is_shared_evenly_message_by_message() -> None:
    senders = {name: Bucket(rate=50) for name in "abcd"}
    sends = run(Bucket(rate=100), senders, dict.fromkeys(senders, 2500), late_s=(0, 0.05))
    counts: Counter[str] = Counter()

    for send in sends[:9000]:
        counts[send.sender] += 1
        assert max(counts.values()) - min(counts[sender] for sender in senders) <= 1
    assert (len(sends) - 1) / (sends[-1].at - sends[0].at) == pytest.approx(100, rel=0.05)


def test_who_wants_little_gets_it_and_the_others_share_the_rest() -> None:
    senders = {"slow": Bucket(rate=2), "fast": Bucket(rate=50), "faster": Bucket(rate=200)}
    sends = run(Bucket(rate=30), senders, dict.fromkeys(senders, 9999), until=100, late_s=(0, 0.02))

    counts = Counter(send.sender for send in sends)
    assert counts["slow"] == pytest.approx(200, rel=0.05)
    assert counts["fast"] == pytest.approx(1400, rel=0.05)
    assert counts["faster"] == pytest.approx(1400, rel=0.05)


@given(some_rates, st.lists(some_rates, min_size=1, max_size=6))
@example(1.0, [0.2, 0.2, 0.2, 0.25])
def test_over_time_shares_are_max_min_fair(account: float, limits: list[float]) -> None:
    named = {f"sender {index}": limit for index, limit in enumerate(limits)}
    seconds = 2000 / account
    sends = run(
        Bucket(rate=account),
        {sender: Bucket(rate=limit) for sender, limit in named.items()},
        dict.fromkeys(named, 10**6),
        until=seconds,
    )

    counts = Counter(send.sender for send in sends)
    for sender, share in shares(account, named).items():
        assert counts[sender] == pytest.approx(share * seconds, rel=0.05, abs=BURST_MAX)


def test_a_sender_with_thousands_waiting_does_not_delay_one_with_a_single_message() -> None:
    account, senders = Bucket(rate=10), {"crowd": Bucket(rate=50), "code": Bucket(rate=50)}
    early = rates.plan(account, senders, {"crowd": 5000}, 0)
    now = early.next_at or 0
    then = rates.plan(early.account, early.senders, {"crowd": 5000, "code": 1}, now)

    assert then.sends[0] == Send(at=now, sender="code")


@given(some_rates, st.lists(some_rates, min_size=1, max_size=4), delays)
def test_whenever_the_worker_looks_no_rate_and_no_burst_is_exceeded(
    limit: float, limits: list[float], waits: list[float]
) -> None:
    account, now = Bucket(rate=limit), 0.0
    senders: Mapping[str, Bucket] = {str(index): Bucket(rate=each) for index, each in enumerate(limits)}
    sends: list[Send] = []
    for wait in waits:
        now += wait
        planned = rates.plan(account, senders, dict.fromkeys(senders, 500), now)
        account, senders = planned.account, planned.senders
        sends += planned.sends

    for rate, times in [
        (limit, [send.at for send in sends]),
        *((bucket.rate, times_of(sends, sender)) for sender, bucket in senders.items()),
    ]:
        for window_s in (0.0, 0.1, 1.0, 10.0):
            assert most_in_any_window(times, window_s) <= rate * window_s + BURST_MAX + HAIR


@pytest.mark.parametrize("account", [UNLIMITED, Bucket(rate=20)])
@pytest.mark.parametrize("rate", [0.2, 0.25, 1.0, 3.0])
def test_slow_rates_never_send_two_at_once(rate: float, account: Bucket) -> None:
    sends = run(account, {name: Bucket(rate=rate) for name in "ab"}, {"a": 200, "b": 200}, late_s=(0, 0.3))
    least = 1 / rate - rates.LATE_S_MAX - 2 / account.rate

    for sender in "ab":
        assert min(later - sooner for sooner, later in pairwise(times_of(sends, sender))) >= least - HAIR > 0


@pytest.mark.parametrize("rate", [0.2, 1.0, 5.0, 9.0, 25.0, 50.0])
def test_a_worker_that_always_comes_late_keeps_the_rate(rate: float) -> None:
    times = [send.at for send in run(UNLIMITED, {"a": Bucket(rate=rate)}, {"a": 1000}, late_s=(0.1, 0.17))]

    assert (len(times) - 1) / (times[-1] - times[0]) == pytest.approx(rate, rel=0.05)


@given(some_rates, st.lists(st.tuples(some_rates, st.integers(0, 40)), max_size=5), st.sampled_from([0, 0.5, 2.0]))
def test_nothing_goes_before_the_next_time_and_something_at_it(
    limit: float, waiting: list[tuple[float, int]], ahead_s: float
) -> None:
    senders = {str(index): Bucket(rate=rate) for index, (rate, _) in enumerate(waiting)}
    queued = {str(index): count for index, (_, count) in enumerate(waiting)}
    planned = rates.plan(Bucket(rate=limit), senders, queued, 5.0, ahead_s=ahead_s)
    counts = Counter(send.sender for send in planned.sends)
    left = {sender: count - counts[sender] for sender, count in queued.items()}

    assert all(count >= 0 for count in left.values())
    if planned.next_at is None:
        assert not any(left.values())
        return
    again = rates.plan(planned.account, planned.senders, left, planned.next_at)
    assert again.sends[0].at == planned.next_at > 5.0 + ahead_s
    assert rates.plan(planned.account, planned.senders, left, planned.next_at - HAIR).sends == ()


def test_planned_ahead_messages_are_evenly_spaced() -> None:
    planned = rates.plan(UNLIMITED, {"a": Bucket(rate=50)}, {"a": 5000}, 0, ahead_s=2)
    times = [send.at for send in planned.sends]

    assert times[:BURST_MAX] == [0] * BURST_MAX
    assert [later - sooner for sooner, later in pairwise(times[BURST_MAX:])] == pytest.approx(
        [1 / 50] * (len(times) - BURST_MAX - 1)
    )
    assert len(times) == pytest.approx(BURST_MAX + 2 * 50, abs=1)


def test_several_workers_that_share_the_buckets_have_one_rate_together() -> None:
    account, senders = Bucket(rate=80), {name: Bucket(rate=50) for name in "ab"}
    now, chance = 0.0, random.Random(7)
    kept: tuple[Bucket, Mapping[str, Bucket]] = (account, senders)
    sends: list[Send] = []
    while now < 60:  # whichever worker it is that looks now
        planned = rates.plan(*kept, {"a": 9999, "b": 9999}, now)
        kept = (planned.account, planned.senders)
        sends += planned.sends
        now += chance.uniform(0, 0.03)

    assert len(sends) / 60 == pytest.approx(80, rel=0.05)
    assert len(times_of(sends, "a")) == pytest.approx(len(times_of(sends, "b")), abs=1)


def test_a_paused_sender_waits_and_the_others_take_its_share() -> None:
    senders = {"told": Bucket(rate=50).pause(10.0), "other": Bucket(rate=50)}
    sends = run(Bucket(rate=40), senders, {"told": 1000, "other": 1000}, start=0, until=20)

    assert min(times_of(sends, "told")) == pytest.approx(10)
    assert sum(time < 10 for time in times_of(sends, "other")) == pytest.approx(400, abs=BURST_MAX)
    assert sum(time >= 10 for time in times_of(sends, "other")) == pytest.approx(200, abs=BURST_MAX)


def test_a_paused_account_sends_nothing_until_then() -> None:
    planned = rates.plan(Bucket(rate=40).pause(10.0), {"a": Bucket(rate=50)}, {"a": 5}, 0)

    assert (planned.sends, planned.next_at) == ((), 10.0)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    assert Bucket(rate=1).pause(10.0).pause(5.0).free_at() == 10.0


def test_after_a_rest_no_more_than_a_burst_goes_at_once() -> None:
    first = rates.plan(UNLIMITED, {"a": Bucket(rate=50)}, {"a": 100}, 0)
    rested = rates.plan(first.account, first.senders, {"a": 90}, 3600)

    assert [len(each.sends) for each in (first, rested)] == [BURST_MAX, BURST_MAX]


@pytest.mark.parametrize("queued", [{}, {"a": 0}])
def test_nothing_queued_plans_nothing(queued: dict[str, int]) -> None:
    senders = {"a": Bucket(rate=1)}

    assert rates.plan(UNLIMITED, senders, queued, 0) == Plan(sends=(), next_at=None, account=UNLIMITED, senders=senders)


def test_without_limits_a_plan_is_still_bounded() -> None:
    planned = rates.plan(UNLIMITED, {"a": UNLIMITED}, {"a": 5000}, 3.0)

    assert len(planned.sends) == rates.PLANNED_MAX
    assert planned.next_at == 3.0


@pytest.mark.parametrize("rate", [0, -1, math.nan])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="a rate is a number of messages per second above 0, not"):
        Bucket(rate=rate)
