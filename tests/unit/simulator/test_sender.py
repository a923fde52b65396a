"""The stand-in for the provider's sending side: this machine only, and patient as a provider is."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice

import httpx
import pytest

from landed.domain.errors import InputInvalid
from landed.simulator.items import REFUSED, Account, Item, Kind
from landed.simulator.ledger import Ledger
from landed.simulator.sender import RETRIES_S, Sender
from landed.simulator.traffic import stream

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACCOUNT = Account(callback_url="https://hooks.example.com/callbacks/k1", auth_token="one", main_auth_token="two")


class Run:
    """One run of a sender against answers that a function makes up, with a clock that sleeping moves."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []
        self.now = START
        self._answer = answer

    def __call__(self, items: Iterable[Item], until: datetime | None = None) -> Sender:
        return asyncio.run(self._run(items, until))

    async def _run(self, items: Iterable[Item], until: datetime | None) -> Sender:
        sender = Sender(
            "http://127.0.0.1:8080",
            ledger=Ledger(),
            transport=httpx.MockTransport(self._handle),
            clock=lambda: self.now,
            sleep=self._sleep,
        )
        await sender.run(items, until=until)
        return sender

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answer(request)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


def items(count: int) -> list[Item]:
    return list(islice(stream(ACCOUNT, seed=3, messages_per_s=20, clock=lambda: START), count))


def genuine(count: int = 1) -> list[Item]:
    return [item for item in items(200) if item.truth.kind is Kind.GENUINE][:count]


@pytest.mark.parametrize(
    "base_url", ["http://hooks.example.com", "https://127.0.0.1", "http://10.0.0.1:8080", "http://", "x"]
)
def test_sends_to_this_machine_only(base_url: str) -> None:
    with pytest.raises(InputInvalid, match="this machine only"):
        Sender(base_url, ledger=Ledger())


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080/"])
def test_takes_every_name_of_this_machine(base_url: str) -> None:
    assert Sender(base_url, ledger=Ledger())


def test_sends_byte_for_byte_when_due() -> None:
    run = Run(lambda _: httpx.Response(200))
    (item,) = genuine()

    run([item])

    (request,) = run.requests
    assert (request.method, request.url.path, request.content) == (item.method, "/callbacks/k1", item.body)
    assert all(request.headers[name] == value for name, value in item.headers.items())
    assert run.now == item.due_at


def test_acknowledged_callbacks_are_in_the_ledger() -> None:
    sender = Run(lambda _: httpx.Response(200))(genuine(20))

    assert sender.ledger.summary().callbacks == 20
    assert sender.answers == {200: 20}


def test_503_is_tried_again_after_the_pause_that_was_asked_for() -> None:
    answers = iter([httpx.Response(503, headers={"Retry-After": "1"}), httpx.Response(200)])
    run = Run(lambda _: next(answers))

    sender = run(genuine())

    assert run.slept[-1] == 1.0
    assert sender.answers == {503: 1, 200: 1}
    assert sender.ledger.summary().callbacks == 1


def test_long_pauses_are_cut_short() -> None:
    answers = iter([httpx.Response(503, headers={"Retry-After": "60"}), httpx.Response(200)])
    run = Run(lambda _: next(answers))

    run(genuine())

    assert run.slept[-1] == RETRIES_S[0]


def test_gives_up_after_the_last_retry_and_claims_nothing() -> None:
    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there", request=request)

    sender = Run(unreachable)(genuine())

    assert sender.answers == {0: 1 + len(RETRIES_S)}
    assert sender.given_up == 1
    assert sender.ledger.summary().callbacks == 0


def test_genuine_callback_refused_is_counted_and_claims_nothing() -> None:
    sender = Run(lambda _: httpx.Response(403))(genuine())

    assert (sender.refused, sender.ledger.summary().callbacks) == (1, 0)


def test_forgery_that_gets_in_is_noticed() -> None:
    forged = [item for item in items(2000) if item.truth.kind in REFUSED]

    sender = Run(lambda _: httpx.Response(200))(forged)

    assert sender.let_in == len(forged) > 0


def test_reused_nonce_is_expected_to_get_in() -> None:
    reused = [item for item in items(3000) if item.truth.kind is Kind.NONCE_REUSED]

    sender = Run(lambda _: httpx.Response(200))(reused)

    assert sender.let_in == 0
    assert sender.ledger.summary().forged[Kind.NONCE_REUSED] == len(reused) > 0


def test_stops_at_the_first_item_that_is_due_at_the_end() -> None:
    stop = START + timedelta(seconds=5)

    sender = Run(lambda _: httpx.Response(200))(items(1000), until=stop)

    assert sum(sender.answers.values()) == sum(item.due_at < stop for item in items(1000))
