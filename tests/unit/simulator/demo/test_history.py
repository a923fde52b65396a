"""The days before a demo: full of life, on their own times, and the same for the same seed."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from landed.domain.callbacks import CallbackRequest
from landed.providers.base import Credentials
from landed.providers.plivo.provider import Plivo
from landed.simulator.demo import history, rhythm
from landed.simulator.demo.company import SAYS_STOP
from landed.simulator.inbound import STOPS
from landed.simulator.items import Account, InboundTruth, Item, Kind, RegistrationTruth, SessionTruth, Truth

ACCOUNT = Account(
    callback_url="https://hooks.example.com/callbacks/k1", auth_token="sub-token", main_auth_token="main-token"
)
CREDENTIALS = Credentials(auth_tokens=(ACCOUNT.auth_token, ACCOUNT.main_auth_token), policy="v3-preferred")
UNTIL = datetime(2026, 3, 9, 12, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=7)


def told(seed: int = 1, about: int = 3000) -> list[Item]:
    return list(history.tell(ACCOUNT, seed=seed, messages_about=about, since=SINCE, until=UNTIL))


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return told()


def test_the_same_seed_is_the_same_past() -> None:
    assert told(seed=3, about=200) == told(seed=3, about=200)
    assert told(seed=3, about=200) != told(seed=4, about=200)


def test_there_are_about_as_many_messages_as_were_wanted(items: list[Item]) -> None:
    messages = {item.truth.message_id for item in items if isinstance(item.truth, Truth)}

    assert 2700 < len(messages) < 3300


def test_all_of_it_is_in_its_time_and_genuine(items: list[Item]) -> None:
    assert all(SINCE <= item.due_at < UNTIL for item in items)
    assert {item.truth.kind for item in items} == {Kind.GENUINE}
    assert {type(item.truth) for item in items} == {Truth, InboundTruth, SessionTruth, RegistrationTruth}


def test_it_is_signed_as_plivo_signs(items: list[Item]) -> None:
    for item in items[:300]:
        headers = {name.lower(): value for name, value in item.headers.items()}
        request = CallbackRequest(method=item.method, url=item.url, headers=headers, body=item.body)
        assert Plivo().verify(request, CREDENTIALS)


def test_days_are_busier_than_nights_and_than_the_weekend(items: list[Item]) -> None:
    queued = [item.due_at for item in items if isinstance(item.truth, Truth) and item.truth.status == "queued"]
    of_hours = Counter(at.hour for at in queued if at.weekday() < 5)
    of_days = Counter(at.date().weekday() for at in queued)

    assert sum(of_hours[hour] for hour in range(13, 19)) > 3 * sum(of_hours[hour] for hour in range(1, 7))
    assert of_days[5] + of_days[6] < 0.8 * (of_days[1] + of_days[2])


def test_now_and_then_a_network_is_out() -> None:
    items = told(about=20_000)
    ends = [
        item.truth
        for item in items
        if isinstance(item.truth, Truth) and item.truth.status in ("delivered", "undelivered")
    ]
    failed = Counter((each.mcc, each.mnc) for each in ends if each.error_code == "70")
    delivered = Counter((each.mcc, each.mnc) for each in ends if each.status == "delivered")

    assert max(failed[network] / (delivered[network] + failed[network]) for network in failed) > 0.015


def test_whoever_is_written_to_today_did_not_opt_out(items: list[Item]) -> None:
    said_stop = [item for item in items if isinstance(item.truth, InboundTruth) and item.truth.text in STOPS]

    for item in said_stop:
        (receipt,) = Plivo().parse(CallbackRequest(method=item.method, url=item.url, body=item.body, headers={
            "content-type": "application/x-www-form-urlencoded"}))  # fmt: skip
        assert str(getattr(receipt, "sender", "")).endswith(SAYS_STOP)


def test_the_live_rate_swings_around_what_was_asked_for() -> None:
    shares = [rhythm.live_share(second) for second in range(int(rhythm.SWING_S))]

    assert min(shares) == pytest.approx(0.5)
    assert max(shares) == pytest.approx(1.5)
    assert sum(shares) / len(shares) == pytest.approx(1.0)
