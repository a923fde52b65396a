"""Verify through Plivo's client."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from landed.domain.errors import OutcomeUnknown, RequestRefused
from landed.domain.receipts import AttemptChannel, SessionStatus, Source
from landed.domain.statuses import Status
from landed.providers.plivo.client import PlivoClient
from tests.doubles.api import Fault, Kind, Reply, impatient
from tests.doubles.plivo import PlivoDouble
from tests.unit.providers.plivo.asking import CALLBACK_URL, NOON, OUR_ID, RECIPIENT, WITHOUT_ANSWER, session_request

pytestmark = pytest.mark.anyio


async def test_a_session_is_started(client: PlivoClient, double: PlivoDouble) -> None:
    receipt = await client.start_session(
        session_request(channel=AttemptChannel.VOICE, locale="da", brand_name="Acme", code_length=5, app="a-1")
    )

    (session,) = double.sessions.values()
    assert session.body == {
        "recipient": RECIPIENT,
        "channel": "voice",
        "app_uuid": "a-1",
        "url": CALLBACK_URL,
        "method": "POST",
        "locale": "da",
        "brand_name": "Acme",
        "code_length": 5,
    }
    assert receipt.provider_session_id == session.uuid
    assert (receipt.status, receipt.source, receipt.our_id, receipt.recipient) == (
        SessionStatus.IN_PROGRESS,
        Source.SEND,
        str(OUR_ID),
        RECIPIENT,
    )


@pytest.mark.parametrize("changes", [{"text": "Your code: {code}"}, {"lifetime_s": 60}], ids=str)
async def test_of_a_session_what_cannot_be_said_is_refused(
    client: PlivoClient, double: PlivoDouble, changes: dict[str, Any]
) -> None:
    with pytest.raises(RequestRefused):
        await client.start_session(session_request(**changes))

    assert double.arrived == []


@pytest.mark.parametrize("fault", WITHOUT_ANSWER.values(), ids=WITHOUT_ANSWER)
async def test_a_session_without_a_readable_answer_may_have_been_started(
    client: PlivoClient, double: PlivoDouble, http: httpx.AsyncClient, fault: Fault
) -> None:
    impatient(http, fault)
    double.fail(fault)

    with pytest.raises(OutcomeUnknown):
        await client.start_session(session_request())

    assert len(double.sessions) == fault.acts


async def test_the_right_code_verifies(client: PlivoClient, double: PlivoDouble) -> None:
    session_id = (await client.start_session(session_request())).provider_session_id

    receipt = await client.check_code(session_id, double.sessions[session_id].code)

    assert (receipt.status, receipt.provider_session_id) == (SessionStatus.VERIFIED, session_id)


@pytest.mark.parametrize(
    "answer",
    [
        Reply(status=400, content={"error": "invalid otp"}),
        Reply(status=422, content={"error": "invalid otp"}),
        Reply(status=200, content={"message": "The passcode entered is incorrect."}),
        Reply(status=200, content={"message": "session could not be validated successfully."}),
        Reply(status=200, content={"all": "is well"}),
    ],
    ids=str,
)
async def test_a_wrong_code_leaves_the_session_where_it_is(
    client: PlivoClient, double: PlivoDouble, answer: Reply
) -> None:
    double.wrong_code = answer
    session_id = (await client.start_session(session_request())).provider_session_id

    receipt = await client.check_code(session_id, "no code")

    assert receipt.status is SessionStatus.IN_PROGRESS


@pytest.mark.parametrize("status", ["verified", "expired", "Expired"])
async def test_a_session_that_has_ended_takes_no_code(client: PlivoClient, double: PlivoDouble, status: str) -> None:
    session_id = (await client.start_session(session_request())).provider_session_id
    double.sessions[session_id].status = status

    with pytest.raises(RequestRefused):
        await client.check_code(session_id, double.sessions[session_id].code)


async def test_a_wrong_code_never_verifies_what_is_verified(client: PlivoClient, double: PlivoDouble) -> None:
    double.wrong_code = Reply(status=200, content={"message": "no"})
    session_id = (await client.start_session(session_request())).provider_session_id
    double.sessions[session_id].status = "verified"
    double.fail(Fault(Kind.ERROR, acts=False, status=200, body=b'{"message": "no"}'), on="POST")

    with pytest.raises(RequestRefused):
        await client.check_code(session_id, "000000")


async def test_a_code_never_shows(client: PlivoClient, double: PlivoDouble) -> None:
    double.fail(Fault(Kind.ERROR, acts=False, status=404, body=b'{"error": "4711 is not the code, 0815 is"}'))

    with pytest.raises(RequestRefused) as refused:
        await client.check_code("83876bdb-2033-4876-bfaf-0ff8693705af", "4711")

    assert "4711" not in str(refused.value)


async def test_there_is_no_code_for_no_session(client: PlivoClient) -> None:
    with pytest.raises(RequestRefused):
        await client.check_code("83876bdb-2033-4876-bfaf-0ff8693705af", "123456")


async def test_a_session_is_looked_up_with_its_attempts(client: PlivoClient, double: PlivoDouble) -> None:
    session_id = (await client.start_session(session_request())).provider_session_id
    double.session_call(session_id, channel_status="delivered")

    (receipt,) = await client.look_up_session(session_id)

    assert receipt.attempt is not None
    assert (receipt.status, receipt.source, receipt.started_at) == (SessionStatus.IN_PROGRESS, Source.LOOKUP, NOON)
    assert (receipt.cost_nanos, receipt.currency, receipt.recipient) == (6_500_000, "USD", RECIPIENT)
    assert (receipt.attempt.status, receipt.attempt.channel, receipt.attempt.requested_at) == (
        Status.DELIVERED,
        AttemptChannel.SMS,
        NOON,
    )
    assert await client.look_up_session("83876bdb-2033-4876-bfaf-0ff8693705af") == ()


async def test_sessions_are_listed(client: PlivoClient, double: PlivoDouble) -> None:
    started = {(await client.start_session(session_request())).provider_session_id for _ in range(21)}
    until = NOON + timedelta(seconds=1)

    first, following = await client.sessions_between(NOON, until, offset=0, recipient=RECIPIENT)
    second, end = await client.sessions_between(NOON, until, offset=following or 0, recipient=RECIPIENT)

    assert (following, end) == (20, None)
    assert {receipt.provider_session_id for receipt in (*first, *second)} == started
