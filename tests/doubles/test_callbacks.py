"""What the stand-ins call back is what their providers would: it is proven and understood."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from landed.domain.callbacks import CallbackRequest
from landed.domain.receipts import AnyReceipt, Receipt, Registration, RegistrationReceipt, SessionReceipt, SessionStatus
from landed.domain.statuses import Status
from landed.providers.base import Credentials
from landed.providers.plivo.provider import Plivo
from landed.providers.routee.provider import Routee
from tests.calling import Call
from tests.doubles.api import HANG_AFTER, Arrived, Double, Reply
from tests.doubles.plivo import AUTH_TOKEN, PlivoDouble, VerifySession
from tests.doubles.plivo import SentMessage as PlivoMessage
from tests.doubles.routee import RouteeDouble, TwoStep
from tests.doubles.routee import SentMessage as RouteeMessage

pytestmark = pytest.mark.anyio

NOON: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RECIPIENT: Final = "+12025551111"


class Receiver(Double):
    """Stands for Landed: answers all with 200."""

    def act(self, arrived: Arrived) -> Reply:
        return Reply(status=200)


def understood(call: Call) -> AnyReceipt:
    """The one fact in a call that Plivo has signed."""
    headers = {name.lower(): value for name, value in call.headers.items()}
    request = CallbackRequest(method=call.method, url=call.url, headers=headers, body=call.body)
    assert Plivo().verify(request, Credentials(auth_tokens=(AUTH_TOKEN,), policy=Plivo.policies[0]))
    (receipt,) = Plivo().parse(request)
    return receipt


def plivo(url: str = "https://hooks.example.com/callbacks/k", **changes: Any) -> PlivoDouble:
    double = PlivoDouble(clock=lambda: NOON)
    body = {"src": "+12025550000", "url": url, **changes}
    double.messages["m-1"] = PlivoMessage(uuid="m-1", body=body, to=RECIPIENT, at=NOON)
    session_body = {"recipient": RECIPIENT, "url": url}
    double.sessions["s-1"] = VerifySession(uuid="s-1", body=session_body, code="1", at=NOON)
    return double


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_plivos_status_of_a_message(method: str) -> None:
    double = plivo(method=method)

    receipt = understood(double.status_call("m-1", "undelivered", error_code="30"))

    assert isinstance(receipt, Receipt)
    assert (receipt.provider_message_id, receipt.status, receipt.error_code) == ("m-1", Status.UNDELIVERED, "30")
    assert (receipt.recipient, receipt.sequence, receipt.final_at) == (RECIPIENT, 1, NOON)
    assert double.record(double.messages["m-1"])["message_state"] == "undelivered"


def test_plivos_status_of_a_session() -> None:
    double = plivo()
    double.sessions["s-1"].status = "verified"

    receipt = understood(double.session_call("s-1"))

    assert isinstance(receipt, SessionReceipt)
    assert (receipt.status, receipt.recipient) == (SessionStatus.VERIFIED, RECIPIENT)


async def test_plivos_callbacks_reach_who_listens() -> None:
    async with Receiver() as receiver:
        double = plivo(url="https://hooks.example.com/callbacks/k?a=b")
        double.callbacks_to = receiver.base_url
        double.brands["B1"] = {"url": "https://hooks.example.com/brands"}
        double.campaigns["C1"] = {"url": "https://hooks.example.com/campaigns", "brand_id": "B1"}
        double.numbers["C1"] = {"12025550000": "PROCESSING"}

        answers = [
            await double.post_status("m-1", "delivered"),
            await double.post_session("s-1"),
            await double.post_brand("B1", "registered"),
            await double.post_campaign("C1", "rejected"),
            await double.post_number({"url": "https://hooks.example.com/numbers"}, "C1", "12025550000", "success"),
        ]

        assert answers == [200] * 5
        assert [urlsplit(arrived.target).path for arrived in receiver.arrived] == [
            "/callbacks/k",
            "/callbacks/k",
            "/brands",
            "/campaigns",
            "/numbers",
        ]
        said = understood(
            Call(
                url="https://hooks.example.com/numbers",
                headers=receiver.arrived[-1].headers,
                body=receiver.arrived[-1].body,
            )
        )
        assert isinstance(said, RegistrationReceipt)
        assert (said.registration, said.number) == (Registration.NUMBER_LINK, "+12025550000")


async def test_a_callback_can_beat_the_answer() -> None:
    async with Receiver() as receiver, PlivoDouble() as double:
        order: list[str] = []

        async def call_back(arrived: Arrived, reply: Reply) -> None:
            await double.post_status(reply.content["message_uuid"][0], "delivered")
            order.append("callback")

        double.before_answer = call_back
        body = {"src": "1", "dst": RECIPIENT, "text": "a", "url": f"{receiver.base_url}/callbacks/k"}

        await send(double, body)
        order.append("answer")

        assert order == ["callback", "answer"]
        assert len(receiver.arrived) == 1


async def send(double: PlivoDouble, body: dict[str, Any]) -> None:
    async with httpx.AsyncClient(auth=(double.auth_id, double.auth_token), trust_env=False) as http:
        sent = await http.post(f"{double.base_url}/v1/Account/{double.auth_id}/Message/", json=body)
        assert sent.status_code == 202


def test_routees_status_of_a_part() -> None:
    double = RouteeDouble(clock=lambda: NOON)
    body = {"to": RECIPIENT, "from": "Landed", "body": "a", "callback": {"url": "https://hooks.example.com/r"}}
    double.messages["m-1"] = RouteeMessage(
        message_id="m-1", body=body, at=NOON, statuses=["Queued", "Queued"], part_ids=["p-1", "p-2"]
    )

    call = double.status_call("m-1", "Undelivered", part=2, reason="Unknown Number")
    (receipt,) = Routee().parse(CallbackRequest(method="POST", url=call.url, body=call.body))

    assert isinstance(receipt, Receipt)
    assert receipt.part is not None
    assert (receipt.part.number, receipt.status, receipt.error_code) == (2, Status.UNDELIVERED, "Unknown Number")
    assert double.records(double.messages["m-1"])[1]["status"]["status"] == "Undelivered"


async def test_routees_sessions_reach_who_listens() -> None:
    async with Receiver() as receiver:
        double = RouteeDouble(clock=lambda: NOON)
        double.sessions["t-1"] = TwoStep(tracking_id="t-1", body={"recipient": RECIPIENT}, code="1", at=NOON)

        assert await double.post_session("t-1", f"{receiver.base_url}/r") == 200

        (receipt,) = Routee().parse(CallbackRequest(method="POST", url="", body=receiver.arrived[0].body))
        assert isinstance(receipt, SessionReceipt)
        assert (receipt.provider_session_id, receipt.status) == ("t-1", SessionStatus.IN_PROGRESS)


async def test_a_hanging_answer_ends_with_the_stand_in() -> None:
    async with PlivoDouble() as double:
        double.fail(HANG_AFTER)
        acted = asyncio.Event()

        async def tell(*_: object) -> None:
            acted.set()

        double.before_answer = tell
        sending = asyncio.create_task(send(double, {"src": "1", "dst": "2", "text": "a"}))
        await acted.wait()

    (outcome,) = await asyncio.gather(sending, return_exceptions=True)
    assert isinstance(outcome, Exception)
