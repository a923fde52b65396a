"""When alerts begin and end: once per incident, never inside the band, whatever is seen twice or not at all."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from landed.domain.alerting import (
    GAP,
    QUIET,
    Kind,
    Observation,
    Rule,
    Standing,
    State,
    Terms,
    Transition,
    advance,
    repeat_is_due,
)

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
STEP = timedelta(seconds=15)
SHARE = Terms(0.2, 0.1, False, 50, timedelta(minutes=2), timedelta(minutes=5))
AT_ONCE = SHARE._replace(hold=timedelta(0), recovery_hold=timedelta(0))
CONVERSION = Terms(0.3, 0.4, True, 10, timedelta(0), timedelta(0))

steps = st.sampled_from([STEP, STEP, STEP, timedelta(minutes=1), timedelta(minutes=30)])
values = st.one_of(st.none(), st.sampled_from([0.0, 0.05, 0.1, 0.15, 0.19, 0.2, 0.5, 1.0]))
looks = st.lists(st.tuples(steps, values, st.sampled_from([0, 49, 50, 1000])), max_size=60)
terms = st.sampled_from([SHARE, AT_ONCE, SHARE._replace(recovery=0.2), CONVERSION])


def run(
    seen: list[tuple[timedelta, float | None, int]], terms: Terms = SHARE, standing: Standing | None = None
) -> tuple[Standing, list[Transition]]:
    """After these looks, each so long after the one before."""
    standing, told, at = standing or Standing(), [], START
    if standing.observed_at is not None:
        at = standing.observed_at
    for step, value, of in seen:
        at += step
        standing, transition = advance(standing, Observation(at, value, of), terms)
        if transition is not None:
            told.append(transition)
    return standing, told


def constantly(value: float | None, length: timedelta, of: int = 100) -> list[tuple[timedelta, float | None, int]]:
    return [(STEP, value, of)] * (length // STEP)


@given(looks, terms)
def test_beginning_and_end_take_turns(seen: list[tuple[timedelta, float | None, int]], terms: Terms) -> None:
    standing, told = run(seen, terms)

    assert [each is Transition.FIRED for each in told] == [index % 2 == 0 for index in range(len(told))]
    assert (standing.state in (State.FIRING, State.RECOVERING)) == (len(told) % 2 == 1)


@given(looks, terms)
def test_the_same_look_again_and_an_older_one_change_nothing(
    seen: list[tuple[timedelta, float | None, int]], terms: Terms
) -> None:
    standing, at = Standing(), START
    for step, value, of in seen:
        at += step
        observation = Observation(at, value, of)
        standing, _ = advance(standing, observation, terms)

        assert advance(standing, observation, terms) == (standing, None)
        assert advance(standing, Observation(at - STEP, 1.0, 1000), terms) == (standing, None)


@given(st.lists(st.sampled_from([0.1001, 0.12, 0.15, 0.1999]), max_size=100))
def test_nothing_is_told_inside_the_band(band: list[float]) -> None:
    inside: list[tuple[timedelta, float | None, int]] = [(STEP, value, 100) for value in band]
    firing, told = run(constantly(0.5, timedelta(minutes=3)))
    assert told == [Transition.FIRED]

    assert run(inside)[1] == []
    after, told = run(inside, standing=firing)
    assert (after.state, told) == (State.FIRING, [])


@given(st.lists(st.tuples(steps, values, st.integers(0, 49)), max_size=60))
def test_below_the_floor_nothing_fires(seen: list[tuple[timedelta, float | None, int]]) -> None:
    assert run(seen, AT_ONCE)[1] == []


@given(looks)
def test_it_fires_only_after_it_was_seen_to_be_bad_all_the_time(
    seen: list[tuple[timedelta, float | None, int]],
) -> None:
    standing, at = Standing(), START
    bad_since = last = None
    for step, value, of in seen:
        at += step
        is_bad = value is not None and value >= 0.2 and of >= 50
        if not is_bad or (last is not None and at - last > GAP):
            bad_since = None
        if is_bad and bad_since is None:
            bad_since = at
        last = at
        standing, transition = advance(standing, Observation(at, value, of), SHARE)
        if transition is Transition.FIRED:
            assert bad_since is not None
            assert at - bad_since >= SHARE.hold


def test_it_fires_after_its_hold_and_is_over_after_that_of_recovery() -> None:
    standing, told = run(constantly(0.5, timedelta(minutes=2)))
    assert (standing.state, told) == (State.PENDING, [])
    standing, told = run(constantly(0.5, timedelta(minutes=1)), standing=standing)
    assert (standing.state, told, standing.since) == (State.FIRING, [Transition.FIRED], START + STEP)
    standing, told = run(constantly(0.1, timedelta(minutes=5)), standing=standing)
    assert (standing.state, told) == (State.RECOVERING, [])
    standing, told = run(constantly(0.1, STEP), standing=standing)
    assert (standing.state, told) == (State.OK, [Transition.RECOVERED])


def test_a_relapse_amid_recovery_is_the_same_incident() -> None:
    firing, _ = run(constantly(0.5, timedelta(minutes=3)))

    standing, told = run(
        [*constantly(0.05, timedelta(minutes=3)), (STEP, 0.15, 100), *constantly(0.05, timedelta(minutes=4))],
        standing=firing,
    )

    assert (standing.state, told) == (State.RECOVERING, [])


def test_a_gap_proves_nothing_of_the_time_between() -> None:
    pending, _ = run(constantly(0.5, timedelta(minutes=1)))
    standing, told = run([(timedelta(hours=1), 0.5, 100)], standing=pending)
    assert (standing.state, told, standing.since) == (State.PENDING, [], standing.observed_at)

    firing, _ = run(constantly(0.5, timedelta(minutes=3)))
    recovering, _ = run(constantly(0.05, timedelta(minutes=4)), standing=firing)
    assert run([(timedelta(hours=1), 0.05, 100)], standing=recovering)[1] == []
    assert run([(timedelta(hours=1), 0.5, 100)], standing=firing)[1] == []


def test_an_alert_without_traffic_is_over_after_a_while_but_not_for_a_gap() -> None:
    firing, _ = run(constantly(0.5, timedelta(minutes=3)))

    assert run(constantly(0.0, QUIET, of=3), standing=firing)[1] == []
    assert run(constantly(0.0, QUIET + 2 * STEP, of=3), standing=firing)[1] == [Transition.QUIET]
    assert run([(2 * QUIET, None, 0)], standing=firing)[1] == []


def test_conversion_is_bad_below() -> None:
    assert run([(STEP, 0.3, 100)], CONVERSION)[1] == []
    assert run([(STEP, 0.29, 100), (STEP, 0.39, 100), (STEP, 0.4, 100)], CONVERSION)[1] == [
        Transition.FIRED,
        Transition.RECOVERED,
    ]


def test_it_is_repeated_only_where_asked_for_and_not_while_somebody_looks_after_it() -> None:
    once = Rule(name="x", kind=Kind.SPEND, threshold=1, recovery=1, window=STEP)
    often = Rule(name="x", kind=Kind.SPEND, threshold=1, recovery=1, window=STEP, repeat_after=timedelta(hours=1))

    def due(rule: Rule, *, after: timedelta, acknowledged: bool = False, muted: timedelta | None = None) -> bool:
        muted_until = START + muted if muted else None
        return repeat_is_due(rule, told_at=START, acknowledged=acknowledged, muted_until=muted_until, now=START + after)

    assert not due(once, after=timedelta(days=9))
    assert not due(often, after=timedelta(minutes=59))
    assert due(often, after=timedelta(hours=1))
    assert not due(often, after=timedelta(hours=1), acknowledged=True)
    assert not due(often, after=timedelta(hours=1), muted=timedelta(hours=2))
