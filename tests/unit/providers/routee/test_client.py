"""Routee's client against a stand-in for Routee, over HTTP."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from landed.domain.errors import (
    OutcomeUnknown,
    ProviderFailed,
    ProviderThrottled,
    ProviderUnreachable,
    RequestRefused,
    SendFailed,
)
from landed.domain.outbound import AccountCheck, Outbound, SessionRequest
from landed.domain.receipts import AttemptChannel, Channel, PartOf, Receipt, SessionStatus, Source
from landed.domain.statuses import Status
from landed.providers import clients, registry
from landed.providers.base import HasApi
from landed.providers.routee.client import RouteeClient
from tests.doubles.api import (
    EMPTY_ANSWER,
    ERROR_AFTER,
    ERROR_BEFORE,
    HALF_ANSWER,
    HANG_AFTER,
    HANG_BEFORE,
    HANG_UP_AFTER,
    HANG_UP_BEFORE,
    RESET_AFTER,
    RESET_BEFORE,
    STALLED_ANSWER,
    THROTTLED,
    WRONG_JSON,
    WRONG_SHAPE,
    Fault,
    Kind,
    impatient,
)
from tests.doubles.routee import APPLICATION_ID, APPLICATION_SECRET, RouteeDouble
from tests.unit.providers.routee.conftest import Clock

pytestmark = pytest.mark.anyio

OUR_ID: Final = UUID("0199a0de-6f3a-7c1e-9a52-5a6f0d1c2b3a")
SENDER, RECIPIENT = "Landed", "+306973359355"
TEXT = "Dear Ms Holm, your parcel waits at the harbour."
CALLBACK_URL = f"https://hooks.example.com/callbacks/k3yOfTheAccount/messages/{OUR_ID}"
NOON: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
UNKNOWN_ID = "2c1379bb-f296-43a4-bfb0-6c8b20a97425"

#: What may have gone out, and got no readable answer.
WITHOUT_ANSWER = {
    "hang before": HANG_BEFORE,
    "hang after": HANG_AFTER,
    "reset before": RESET_BEFORE,
    "reset after": RESET_AFTER,
    "hang up before": HANG_UP_BEFORE,
    "hang up after": HANG_UP_AFTER,
    "500 before": ERROR_BEFORE,
    "500 after": ERROR_AFTER,
    "half an answer": HALF_ANSWER,
    "stalled answer": STALLED_ANSWER,
    "no JSON": WRONG_JSON,
    "other JSON": WRONG_SHAPE,
    "empty": EMPTY_ANSWER,
}


def outbound(**changes: Any) -> Outbound:
    given: dict[str, Any] = {
        "id": OUR_ID,
        "channel": Channel.SMS,
        "sender": SENDER,
        "recipient": RECIPIENT,
        "text": TEXT,
        "callback_url": CALLBACK_URL,
    }
    return Outbound(**(given | changes))


def session_request(**changes: Any) -> SessionRequest:
    given: dict[str, Any] = {"id": OUR_ID, "recipient": RECIPIENT, "callback_url": CALLBACK_URL}
    return SessionRequest(**(given | changes))


def tokens_asked_for(double: RouteeDouble) -> int:
    return sum(arrived.path == "/oauth/token" for arrived in double.arrived)


# --- tokens -------------------------------------------------------------------------------------------------------


async def test_a_token_is_fetched_with_the_applications_credentials(client: RouteeClient, double: RouteeDouble) -> None:
    await client.send(outbound())

    asked, sent = double.arrived
    assert (asked.method, asked.path, asked.form) == ("POST", "/oauth/token", {"grant_type": "client_credentials"})
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert sent.headers["authorization"] == f"Bearer {double.tokens[0].value}"


async def test_a_token_is_used_until_shortly_before_it_ends(
    client: RouteeClient, double: RouteeDouble, clock: Clock
) -> None:
    for now in (1000.0, 4569.0, 4571.0):
        clock.now = now
        await client.send(outbound())

    assert tokens_asked_for(double) == 2


@pytest.mark.parametrize("expires_in", ["3600", None, "soon", 0, -5, 631_139_040])
async def test_whatever_is_told_of_its_lifetime_a_token_is_used_more_than_once(
    client: RouteeClient, double: RouteeDouble, expires_in: Any
) -> None:
    double.expires_in = expires_in

    await client.send(outbound())
    await client.send(outbound())

    assert tokens_asked_for(double) == 1


@pytest.mark.parametrize("refusal", [401, 403])
async def test_a_refused_token_is_replaced_and_the_request_repeated_once(
    client: RouteeClient, double: RouteeDouble, refusal: int
) -> None:
    await client.send(outbound())
    double.refusal = refusal
    double.revoke_tokens()

    await client.send(outbound())

    assert (len(double.messages), tokens_asked_for(double)) == (2, 2)


@pytest.mark.parametrize("refusal", [401, 403])
async def test_a_request_that_is_refused_again_is_refused(
    client: RouteeClient, double: RouteeDouble, refusal: int
) -> None:
    no = Fault(Kind.ERROR, acts=False, status=refusal, body=b'{"code": "404010002", "developerMessage": "no"}')
    double.fail(no, no, no, on="POST /sms")

    with pytest.raises(RequestRefused) as refused:
        await client.send(outbound())

    assert (refused.value.http_status, refused.value.provider_code) == (refusal, "404010002")
    assert [arrived.path for arrived in double.arrived] == ["/oauth/token", "/sms", "/oauth/token", "/sms"]


async def test_nothing_but_a_refused_token_is_repeated(client: RouteeClient, double: RouteeDouble) -> None:
    for fault in (ERROR_BEFORE, THROTTLED, Fault(Kind.ERROR, acts=False, status=400), RESET_BEFORE):
        double.fail(fault, on="POST /sms")
        with pytest.raises(SendFailed):
            await client.send(outbound())

    assert [arrived.path for arrived in double.arrived] == ["/oauth/token", *["/sms"] * 4]


async def test_all_who_need_a_token_share_the_request_for_it(client: RouteeClient, double: RouteeDouble) -> None:
    await asyncio.gather(*(client.send(outbound()) for _ in range(20)))
    double.revoke_tokens()
    await asyncio.gather(*(client.send(outbound()) for _ in range(20)))

    assert (len(double.messages), tokens_asked_for(double)) == (40, 2)


async def test_all_who_wait_for_a_token_hear_that_there_is_none(client: RouteeClient, double: RouteeDouble) -> None:
    double.fail(THROTTLED, on="/oauth/token")

    failed = await asyncio.gather(*(client.send(outbound()) for _ in range(5)), return_exceptions=True)

    assert [type(each) for each in failed] == [ProviderThrottled] * 5
    assert {each.retry_after_s for each in failed if isinstance(each, ProviderThrottled)} == {2.0}
    assert len({id(each) for each in failed}) == 5
    assert (tokens_asked_for(double), len(double.messages)) == (1, 0)
    await client.send(outbound())


async def test_who_goes_away_takes_the_token_from_nobody(client: RouteeClient, double: RouteeDouble) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def hold(*_: object) -> None:
        asked.set()
        await go_on.wait()

    double.before_answer = hold
    impatient = asyncio.create_task(client.send(outbound()))
    await asked.wait()
    patient = asyncio.create_task(client.send(outbound()))
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    go_on.set()

    await patient

    assert (len(double.messages), tokens_asked_for(double)) == (1, 1)


@pytest.mark.parametrize("fault", WITHOUT_ANSWER.values(), ids=WITHOUT_ANSWER)
async def test_without_a_token_nothing_was_done(
    client: RouteeClient, double: RouteeDouble, http: httpx.AsyncClient, fault: Fault
) -> None:
    impatient(http, fault)
    double.fail(fault, on="/oauth/token")

    with pytest.raises(ProviderFailed):
        await client.send(outbound())

    assert not double.messages


async def test_wrong_credentials_are_refused_with_advice(double: RouteeDouble, http: httpx.AsyncClient) -> None:
    client = RouteeClient(account_id=APPLICATION_ID, secret="wrong", http=http, base_url=double.base_url)

    with pytest.raises(RequestRefused, match="application's id and secret") as refused:
        await client.check_account()

    assert refused.value.http_status == 401


async def test_nothing_goes_out_where_nobody_listens(http: httpx.AsyncClient) -> None:
    async with RouteeDouble() as gone:
        client = RouteeClient(account_id=APPLICATION_ID, secret="s", http=http, base_url=gone.base_url)

    with pytest.raises(ProviderUnreachable):
        await client.send(outbound())


async def test_without_a_base_url_tokens_have_a_host_of_their_own() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"access_token": "t", "trackingId": UNKNOWN_ID})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        await RouteeClient(account_id="a", secret="s", http=http).send(outbound())

    assert asked == ["https://auth.routee.net/oauth/token", "https://connect.routee.net/sms"]


# --- messages -----------------------------------------------------------------------------------------------------


async def test_a_message_is_handed_over_with_our_id_as_its_label(client: RouteeClient, double: RouteeDouble) -> None:
    await client.send(outbound(expires_after_s=61))

    assert (double.arrived[-1].method, double.arrived[-1].target) == ("POST", "/sms")
    assert double.arrived[-1].json() == {
        "body": TEXT,
        "to": RECIPIENT,
        "from": SENDER,
        "label": str(OUR_ID),
        "callback": {"url": CALLBACK_URL, "strategy": "OnChange"},
        "ttl": 2,
    }


async def test_that_it_was_taken_is_a_fact(client: RouteeClient, double: RouteeDouble) -> None:
    receipt = await client.send(outbound(text="a" * 161))

    (message_id,) = double.messages
    assert receipt == Receipt(
        provider_message_id=message_id,
        provider_status="Queued",
        status=Status.QUEUED,
        source=Source.SEND,
        channel=Channel.SMS,
        sender=SENDER,
        recipient=RECIPIENT,
        units=2,
        submitted_at=NOON,
        our_id=str(OUR_ID),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"channel": Channel.MMS},
        {"channel": Channel.WHATSAPP},
        {"media_urls": ("https://example.com/a.png",)},
        {"template": {"name": "parcel"}},
        {"text": None},
    ],
    ids=str,
)
async def test_what_cannot_be_said_is_refused_without_a_call(
    client: RouteeClient, double: RouteeDouble, changes: dict[str, Any]
) -> None:
    with pytest.raises(RequestRefused):
        await client.send(outbound(**changes))

    assert double.arrived == []


async def test_a_no_has_routees_code_and_advice(client: RouteeClient, double: RouteeDouble) -> None:
    double.has_credit = False

    with pytest.raises(RequestRefused, match=r"Insufficient balance.*400001009.*Top up") as refused:
        await client.send(outbound())

    assert (refused.value.provider_code, refused.value.http_status) == ("400001009", 400)


async def test_a_code_may_be_a_number(client: RouteeClient, double: RouteeDouble) -> None:
    double.fail(Fault(Kind.ERROR, acts=False, status=400, body=b'{"code": 400005000}'), on="/sms")

    with pytest.raises(RequestRefused) as refused:
        await client.send(outbound())

    assert refused.value.provider_code == "400005000"


@pytest.mark.parametrize("fault", WITHOUT_ANSWER.values(), ids=WITHOUT_ANSWER)
async def test_a_message_without_a_readable_answer_may_have_gone_out(
    client: RouteeClient, double: RouteeDouble, http: httpx.AsyncClient, fault: Fault
) -> None:
    impatient(http, fault)
    double.fail(fault, on="POST /sms")

    with pytest.raises(OutcomeUnknown):
        await client.send(outbound())

    assert len(double.messages) == fault.acts


@pytest.mark.parametrize("fault", WITHOUT_ANSWER.values(), ids=WITHOUT_ANSWER)
@pytest.mark.parametrize("ask", ["look_up", "list", "session"])
async def test_asking_again_is_harmless_where_nothing_is_created(
    client: RouteeClient, double: RouteeDouble, http: httpx.AsyncClient, ask: str, fault: Fault
) -> None:
    message_id = (await client.send(outbound())).provider_message_id
    session_id = (await client.start_session(session_request())).provider_session_id
    asked: dict[str, Callable[[], Awaitable[Any]]] = {
        "look_up": lambda: client.look_up(message_id),
        "list": lambda: client.sent_between(NOON, NOON, offset=0),
        "session": lambda: client.look_up_session(session_id),
    }
    impatient(http, fault)
    double.fail(fault)

    with pytest.raises(ProviderFailed):
        await asked[ask]()


async def test_a_message_is_looked_up_part_by_part(client: RouteeClient, double: RouteeDouble) -> None:
    message_id = (await client.send(outbound(text="a" * 161))).provider_message_id
    double.status_call(message_id, "Delivered", part=1)
    double.status_call(message_id, "Sent", part=2)
    part_ids = double.messages[message_id].part_ids

    first, second = await client.look_up(message_id)

    assert double.arrived[-1].target == f"/sms/tracking/single/{message_id}"
    assert (first.part, second.part) == (PartOf(part_ids[0], 1, 2), PartOf(part_ids[1], 2, 2))
    assert (first.status, first.final_at, second.status, second.sent_at) == (Status.DELIVERED, NOON, Status.SENT, NOON)
    for receipt in (first, second):
        assert (receipt.provider_message_id, receipt.source, receipt.our_id) == (message_id, Source.LOOKUP, str(OUR_ID))
        assert (receipt.recipient, receipt.sender, receipt.cost_nanos) == (RECIPIENT, SENDER, 42_000_000)
        assert TEXT[:3] not in repr(receipt)


async def test_a_message_that_is_not_known_has_no_facts(client: RouteeClient) -> None:
    assert await client.look_up(UNKNOWN_ID) == ()


async def test_what_was_sent_is_found_by_recipient_and_known_by_our_id(
    client: RouteeClient, double: RouteeDouble
) -> None:
    await client.send(outbound(recipient="+306999999999"))
    await client.send(outbound())

    receipts, following = await client.sent_between(
        NOON - timedelta(hours=1), NOON + timedelta(hours=1), offset=0, recipient=RECIPIENT
    )

    assert [(receipt.recipient, receipt.our_id) for receipt in receipts] == [(RECIPIENT, str(OUR_ID))]
    assert following is None
    assert double.arrived[-1].query == {
        "dateStart": "2026-03-02T11:00:00.000Z",
        "dateEnd": "2026-03-02T13:00:00.000Z",
        "page": "0",
        "size": "100",
    }


async def test_a_list_goes_on_to_its_last_page(client: RouteeClient, double: RouteeDouble) -> None:
    await asyncio.gather(*(client.send(outbound()) for _ in range(201)))

    found: list[Receipt] = []
    offset: int | None = 0
    while offset is not None:
        page, offset = await client.sent_between(NOON, NOON, offset=offset)
        found += page

    assert {receipt.provider_message_id for receipt in found} == set(double.messages)
    assert len(found) == 201


@pytest.mark.parametrize("label", ["summer sale", "", None, 5, "x" * 36])
async def test_a_label_of_others_is_no_id_of_ours(client: RouteeClient, double: RouteeDouble, label: Any) -> None:
    message_id = (await client.send(outbound())).provider_message_id
    double.messages[message_id].body["label"] = label

    (receipt,) = await client.look_up(message_id)

    assert receipt.our_id is None


# --- 2-step -------------------------------------------------------------------------------------------------------


async def test_a_session_is_started(client: RouteeClient, double: RouteeDouble) -> None:
    receipt = await client.start_session(
        session_request(
            channel=AttemptChannel.VOICE, text="{code} is your code", sender=SENDER, lifetime_s=120, code_length=6
        )
    )

    assert double.arrived[-1].json() == {
        "method": "voice",
        "type": "code",
        "recipient": RECIPIENT,
        "template": "@@pin is your code",
        "originator": SENDER,
        "lifetimeInSeconds": 120,
        "digits": 6,
    }
    assert receipt.provider_session_id in double.sessions
    assert (receipt.status, receipt.source, receipt.our_id) == (SessionStatus.IN_PROGRESS, Source.SEND, str(OUR_ID))
    assert (receipt.recipient, receipt.started_at, receipt.expires_at) == (
        RECIPIENT,
        NOON,
        NOON + timedelta(seconds=120),
    )


async def test_without_a_text_the_brand_is_named_before_the_code(client: RouteeClient, double: RouteeDouble) -> None:
    await client.start_session(session_request(brand_name="Acme"))

    assert double.arrived[-1].json()["template"] == "Acme: @@pin"


@pytest.mark.parametrize("changes", [{"channel": AttemptChannel.WHATSAPP}, {"app": "a-1"}], ids=str)
async def test_of_a_session_what_cannot_be_said_is_refused(
    client: RouteeClient, double: RouteeDouble, changes: dict[str, Any]
) -> None:
    with pytest.raises(RequestRefused):
        await client.start_session(session_request(**changes))

    assert double.arrived == []


@pytest.mark.parametrize("fault", WITHOUT_ANSWER.values(), ids=WITHOUT_ANSWER)
async def test_a_session_without_a_readable_answer_may_have_been_started(
    client: RouteeClient, double: RouteeDouble, http: httpx.AsyncClient, fault: Fault
) -> None:
    impatient(http, fault)
    double.fail(fault, on="POST /2step")

    with pytest.raises(OutcomeUnknown):
        await client.start_session(session_request())

    assert len(double.sessions) == fault.acts


async def test_the_right_code_verifies(client: RouteeClient, double: RouteeDouble) -> None:
    session_id = (await client.start_session(session_request())).provider_session_id

    receipt = await client.check_code(session_id, double.sessions[session_id].code)

    assert double.arrived[-1].headers["content-type"] == "application/x-www-form-urlencoded"
    assert (receipt.status, receipt.provider_session_id) == (SessionStatus.VERIFIED, session_id)


async def test_a_wrong_code_leaves_the_session_where_it_is(client: RouteeClient) -> None:
    session_id = (await client.start_session(session_request())).provider_session_id

    assert (await client.check_code(session_id, "no code")).status is SessionStatus.IN_PROGRESS


@pytest.mark.parametrize(
    ("status", "code"), [("Expired", "400011003"), ("Failed", "400011004"), ("Verified", "400011002")]
)
async def test_a_session_that_has_ended_takes_no_code(
    client: RouteeClient, double: RouteeDouble, status: str, code: str
) -> None:
    session_id = (await client.start_session(session_request())).provider_session_id
    double.sessions[session_id].status = status

    with pytest.raises(RequestRefused) as refused:
        await client.check_code(session_id, double.sessions[session_id].code)

    assert refused.value.provider_code == code


@pytest.mark.parametrize("fault", WITHOUT_ANSWER.values(), ids=WITHOUT_ANSWER)
async def test_checking_a_code_again_is_harmless(
    client: RouteeClient, double: RouteeDouble, http: httpx.AsyncClient, fault: Fault
) -> None:
    session_id = (await client.start_session(session_request())).provider_session_id
    impatient(http, fault)
    double.fail(fault)

    with pytest.raises(ProviderFailed):
        await client.check_code(session_id, double.sessions[session_id].code)


async def test_an_answer_about_another_session_verifies_nobody(client: RouteeClient, double: RouteeDouble) -> None:
    session_id = (await client.start_session(session_request())).provider_session_id
    body = f'{{"trackingId": "{UNKNOWN_ID}", "status": "Verified"}}'.encode()
    double.fail(Fault(Kind.ERROR, acts=False, status=200, body=body))

    with pytest.raises(ProviderFailed):
        await client.check_code(session_id, "1234")


async def test_a_session_is_looked_up_and_cancelled(client: RouteeClient, double: RouteeDouble) -> None:
    session_id = (await client.start_session(session_request())).provider_session_id

    (before,) = await client.look_up_session(session_id)
    cancelled = await client.cancel_session(session_id)

    assert (before.status, before.source) == (SessionStatus.IN_PROGRESS, Source.LOOKUP)
    assert (cancelled.status, cancelled.source) == (SessionStatus.CANCELLED, Source.SEND)
    assert double.sessions[session_id].status == "Cancelled"
    assert await client.look_up_session(UNKNOWN_ID) == ()


# --- the account, and what is never shown ---------------------------------------------------------------------------


async def test_the_account_is_checked(client: RouteeClient) -> None:
    assert await client.check_account() == AccountCheck(
        provider_account_id=APPLICATION_ID, balance_nanos=20_500_000_000, currency="EUR"
    )


async def test_an_application_that_may_not_see_the_balance_is_fine_all_the_same(
    client: RouteeClient, double: RouteeDouble
) -> None:
    double.has_balance = False

    assert await client.check_account() == AccountCheck(provider_account_id=APPLICATION_ID)


SHY = (TEXT, TEXT[:20], RECIPIENT, RECIPIENT[1:], APPLICATION_SECRET, "Bearer ", "Basic ", "token-", "k3yOfTheAccount")


@pytest.mark.parametrize(
    "fault",
    [
        *WITHOUT_ANSWER.values(),
        THROTTLED,
        Fault(
            Kind.ERROR,
            acts=False,
            status=400,
            body=f'{{"message": "{TEXT}", "properties": {{"to": "{RECIPIENT}", "a": "{CALLBACK_URL}"}}}}'.encode(),
        ),
        Fault(Kind.ERROR, acts=False, status=400, body=f'{{"message": "{APPLICATION_SECRET}"}}'.encode()),
    ],
    ids=str,
)
@pytest.mark.parametrize("on", ["/sms", "/oauth/token"])
async def test_no_secret_text_or_number_shows_in_errors_and_logs(
    client: RouteeClient,
    double: RouteeDouble,
    http: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
    on: str,
    fault: Fault,
) -> None:
    caplog.set_level(logging.DEBUG)
    # At the tokens' address nobody knows the text and the number, nor does Routee tell them.
    shy = SHY if on == "/sms" else (APPLICATION_SECRET, "Bearer ", "Basic ", "token-")
    impatient(http, fault)
    double.fail(fault, on=on)

    with pytest.raises(SendFailed) as failed:
        await client.send(outbound())

    error = failed.value
    shown = "".join([*traceback.format_exception(error), repr(error), repr(client), caplog.text])
    assert not [each for each in shy if each.casefold() in shown.casefold()]
    assert error.__cause__ is None
    assert error.__context__ is None


async def test_a_token_that_routee_tells_back_does_not_show(client: RouteeClient, double: RouteeDouble) -> None:
    await client.send(outbound())
    token = double.tokens[0].value
    double.fail(Fault(Kind.ERROR, acts=False, status=400, body=f'{{"message": "not {token}"}}'.encode()))

    with pytest.raises(RequestRefused) as refused:
        await client.send(outbound())

    assert token not in str(refused.value)


def test_a_client_comes_from_the_registry_and_says_what_it_can() -> None:
    provider = registry.load()["routee"]
    assert isinstance(provider, HasApi)

    client = provider.client(account_id=APPLICATION_ID, secret=APPLICATION_SECRET, http=httpx.AsyncClient())

    assert isinstance(client, clients.SendsMessages)
    assert isinstance(client, clients.ListsMessages)
    assert isinstance(client, clients.Verifies)
    assert isinstance(client, clients.CancelsSessions)
    assert isinstance(client, clients.ChecksAccount)
    assert not isinstance(client, clients.Registers)
    assert not isinstance(client, clients.TakesConversions)
