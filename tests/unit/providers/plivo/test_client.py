"""Sending through Plivo's client to a stand-in for Plivo, over HTTP, and all that can go wrong."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landed.domain.errors import (
    OutcomeUnknown,
    ProviderFailed,
    ProviderThrottled,
    ProviderUnreachable,
    RequestRefused,
    SendFailed,
)
from landed.domain.receipts import (
    Channel,
    Receipt,
    Source,
)
from landed.domain.statuses import Status
from landed.providers.http import open_client
from landed.providers.plivo.client import PlivoClient
from tests.doubles.api import (
    CLOSED_LATER,
    EVERY,
    THROTTLED,
    Fault,
    Kind,
    impatient,
)
from tests.doubles.plivo import AUTH_ID, AUTH_TOKEN, PlivoDouble
from tests.unit.providers.plivo.asking import (
    CALLBACK_URL,
    NOON,
    OUR_ID,
    RECIPIENT,
    SENDER,
    TEXT,
    WITHOUT_ANSWER,
    outbound,
    session_request,
)

pytestmark = pytest.mark.anyio


# --- sending -------------------------------------------------------------------------------------------------------


async def test_a_message_is_handed_over_with_what_was_asked_for_and_nothing_else(
    client: PlivoClient, double: PlivoDouble
) -> None:
    await client.send(outbound(expires_after_s=600, trackable=True, callback_method="GET"))

    (arrived,) = double.arrived
    assert (arrived.method, arrived.target) == ("POST", f"/v1/Account/{AUTH_ID}/Message/")
    assert arrived.headers["content-type"] == "application/json"
    assert arrived.json() == {
        "src": SENDER,
        "dst": RECIPIENT,
        "text": TEXT,
        "type": "sms",
        "url": CALLBACK_URL,
        "method": "GET",
        "trackable": True,
        "message_expiry": 600,
    }


async def test_that_it_was_taken_is_a_fact(client: PlivoClient, double: PlivoDouble) -> None:
    receipt = await client.send(outbound())

    (message,) = double.messages.values()
    assert receipt._replace(extra=()) == Receipt(
        provider_message_id=message.uuid,
        provider_status="queued",
        status=Status.QUEUED,
        source=Source.SEND,
        channel=Channel.SMS,
        sender=SENDER,
        recipient=RECIPIENT,
        our_id=str(OUR_ID),
    )
    assert [name for name, _ in receipt.extra] == ["api_id"]


async def test_an_mms_carries_its_media(client: PlivoClient, double: PlivoDouble) -> None:
    await client.send(outbound(channel=Channel.MMS, text=None, media_urls=("https://example.com/a.png",)))

    body = double.arrived[0].json()
    assert (body["type"], body["media_urls"], "text" in body) == ("mms", ["https://example.com/a.png"], False)


async def test_a_whatsapp_message_carries_its_template(client: PlivoClient, double: PlivoDouble) -> None:
    template = {"name": "parcel", "language": "en", "components": [{"type": "body", "parameters": []}]}

    await client.send(outbound(channel=Channel.WHATSAPP, text=None, template=template))

    body = double.arrived[0].json()
    assert (body["type"], body["template"]) == ("whatsapp", template)


async def test_a_powerpack_is_named_in_its_own_field(client: PlivoClient, double: PlivoDouble) -> None:
    powerpack = "86bbb125-97bb-4d72-89fd-81d5c515b015"

    receipt = await client.send(outbound(sender=powerpack))

    body = double.arrived[0].json()
    assert (body["powerpack_uuid"], "src" in body, receipt.sender) == (powerpack, False, None)


@pytest.mark.parametrize("sender", ["12345", "Landed"])
async def test_short_codes_and_names_are_sent_as_they_are(
    client: PlivoClient, double: PlivoDouble, sender: str
) -> None:
    receipt = await client.send(outbound(sender=sender))

    assert double.arrived[0].json()["src"] == receipt.sender == sender


@pytest.mark.parametrize(("expires_after_s", "said"), [(5, 5), (10_799, 10_799), (10_800, None), (86_400, None)])
async def test_an_expiry_beyond_what_can_be_said_is_left_to_the_default(
    client: PlivoClient, double: PlivoDouble, expires_after_s: int, said: int | None
) -> None:
    await client.send(outbound(expires_after_s=expires_after_s))

    assert double.arrived[0].json().get("message_expiry") == said


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_after_s": 4},
        {"recipient": "12025551111<12025552222"},
        {"template": {"name": "parcel"}},
    ],
    ids=str,
)
async def test_what_cannot_be_said_is_refused_without_a_call(
    client: PlivoClient, double: PlivoDouble, changes: dict[str, Any]
) -> None:
    with pytest.raises(RequestRefused):
        await client.send(outbound(**changes))

    assert double.arrived == []


async def test_a_text_that_is_too_long_is_plivos_business(client: PlivoClient, double: PlivoDouble) -> None:
    await client.send(outbound(text="a" * 5000))

    assert double.arrived[0].json()["text"] == "a" * 5000


async def test_a_recipient_that_is_named_as_invalid_is_refused(client: PlivoClient, double: PlivoDouble) -> None:
    double.invalid_numbers = {RECIPIENT}

    with pytest.raises(RequestRefused) as refused:
        await client.send(outbound())

    assert (refused.value.provider_code, refused.value.http_status) == ("50", None)
    assert "5551111" not in str(refused.value)


async def test_a_country_that_is_not_enabled_has_the_code_of_that(client: PlivoClient, double: PlivoDouble) -> None:
    double.barred_prefixes = ("1",)

    with pytest.raises(RequestRefused, match="Geo Permissions") as refused:
        await client.send(outbound())

    assert (refused.value.provider_code, refused.value.http_status) == ("450", 403)


async def test_a_403_elsewhere_is_no_matter_of_countries(client: PlivoClient, double: PlivoDouble) -> None:
    double.fail(Fault(Kind.ERROR, acts=False, status=403))

    with pytest.raises(RequestRefused) as refused:
        await client.look_up("83876bdb-2033-4876-bfaf-0ff8693705af")

    assert refused.value.provider_code is None


async def test_missing_credit_has_the_code_of_that(client: PlivoClient, double: PlivoDouble) -> None:
    double.has_credit = False

    with pytest.raises(RequestRefused, match=r"Insufficient Credit.*Top up") as refused:
        await client.send(outbound())

    assert refused.value.provider_code == "900"


async def test_an_error_inside_a_good_status_is_a_no(client: PlivoClient, double: PlivoDouble) -> None:
    double.fail(Fault(Kind.ERROR, acts=False, status=202, body=b'{"api_id": "x", "error": "src is not yours"}'))

    with pytest.raises(RequestRefused, match="src is not yours"):
        await client.send(outbound())


# --- what went wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", WITHOUT_ANSWER.values(), ids=WITHOUT_ANSWER)
async def test_a_message_without_a_readable_answer_may_have_gone_out(
    client: PlivoClient, double: PlivoDouble, http: httpx.AsyncClient, fault: Fault
) -> None:
    impatient(http, fault)
    double.fail(fault)

    with pytest.raises(OutcomeUnknown):
        await client.send(outbound())

    assert len(double.messages) == fault.acts


@pytest.mark.parametrize(
    ("ask", "fault"),
    [
        pytest.param(ask, fault, id=f"{ask}: {name}")
        for ask in ("look_up", "list", "convert", "check", "account", "brand")
        for name, fault in WITHOUT_ANSWER.items()
        if (ask, name) != ("check", "other JSON")  # any good answer but one is a no to a code
    ],
)
async def test_asking_again_is_harmless_where_nothing_is_created(
    client: PlivoClient, double: PlivoDouble, http: httpx.AsyncClient, ask: str, fault: Fault
) -> None:
    asked: dict[str, Callable[[], Awaitable[Any]]] = {
        "look_up": lambda: client.look_up("83876bdb-2033-4876-bfaf-0ff8693705af"),
        "list": lambda: client.sent_between(NOON, NOON, offset=0),
        "convert": lambda: client.report_conversion("83876bdb-2033-4876-bfaf-0ff8693705af", converted=True, at=NOON),
        "check": lambda: client.check_code("83876bdb-2033-4876-bfaf-0ff8693705af", "123456"),
        "account": client.check_account,
        "brand": lambda: client.look_up_brand("BOZ5T2X"),
    }
    if fault.kind in (Kind.HALF, Kind.STALL, Kind.WRONG_JSON, Kind.WRONG_SHAPE, Kind.EMPTY):
        # Of what is there: half a 404 is a 404 all the same.
        uuid = (await client.send(outbound())).provider_message_id
        asked["look_up"] = lambda: client.look_up(uuid)
        asked["convert"] = lambda: client.report_conversion(uuid, converted=True, at=NOON)
        session = (await client.start_session(session_request())).provider_session_id
        asked["check"] = lambda: client.check_code(session, double.sessions[session].code)
        double.brands["BOZ5T2X"] = {"brand_id": "BOZ5T2X", "registration_status": "COMPLETED"}
    impatient(http, fault)
    double.fail(fault)

    with pytest.raises(ProviderFailed):
        await asked[ask]()


async def test_nothing_goes_out_where_nobody_listens(http: httpx.AsyncClient) -> None:
    async with PlivoDouble() as gone:
        client = PlivoClient(account_id=AUTH_ID, secret=AUTH_TOKEN, http=http, base_url=gone.base_url)

    with pytest.raises(ProviderUnreachable):
        await client.send(outbound())


@pytest.mark.parametrize("base_url", ["http://nowhere.invalid", "ftp://example.com", "http://[broken"])
async def test_nothing_goes_out_to_an_address_that_is_none(http: httpx.AsyncClient, base_url: str) -> None:
    client = PlivoClient(account_id=AUTH_ID, secret=AUTH_TOKEN, http=http, base_url=base_url)

    with pytest.raises(ProviderUnreachable):
        await client.send(outbound())


async def test_nothing_goes_out_while_all_connections_are_taken(double: PlivoDouble) -> None:
    timeout = httpx.Timeout(5, pool=0.1)
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1), timeout=timeout) as http:
        client = PlivoClient(account_id=AUTH_ID, secret=AUTH_TOKEN, http=http, base_url=double.base_url)
        held = asyncio.Event()
        let_go = asyncio.Event()

        async def hold(*_: object) -> None:
            held.set()
            await let_go.wait()

        double.before_answer = hold
        first = asyncio.create_task(client.send(outbound()))
        await held.wait()

        with pytest.raises(ProviderUnreachable, match="PoolTimeout"):
            await client.send(outbound())

        let_go.set()
        await first
    assert len(double.messages) == 1


async def test_a_server_that_sends_a_byte_now_and_then_is_not_waited_for(
    client: PlivoClient, http: httpx.AsyncClient
) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.02)

    http.timeout = httpx.Timeout(0.1)
    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    slow = PlivoClient(account_id=AUTH_ID, secret=AUTH_TOKEN, http=http, base_url=f"http://127.0.0.1:{port}")

    with pytest.raises(OutcomeUnknown):
        async with asyncio.timeout(5):
            await slow.send(outbound())
    server.close()


async def test_a_closed_connection_that_was_kept_is_not_used_again(client: PlivoClient, double: PlivoDouble) -> None:
    double.fail(CLOSED_LATER)

    await client.send(outbound())
    await asyncio.sleep(0)
    await client.send(outbound())

    assert len(double.messages) == 2


async def test_connections_are_used_again(client: PlivoClient, double: PlivoDouble) -> None:
    for _ in range(3):
        await client.send(outbound())

    assert double.connections == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RequestRefused),
        (401, RequestRefused),
        (402, RequestRefused),
        (403, RequestRefused),
        (404, RequestRefused),
        (405, RequestRefused),
        (409, RequestRefused),
        (422, RequestRefused),
        (408, ProviderFailed),
        (429, ProviderThrottled),
        (301, RequestRefused),
        (308, RequestRefused),
        (302, OutcomeUnknown),
        (303, OutcomeUnknown),
        (500, OutcomeUnknown),
        (502, OutcomeUnknown),
        (503, OutcomeUnknown),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": "no"}', b'["no"]', b'{"error": {"src": ["no"]}}'])
async def test_the_status_of_an_answer_decides_whatever_its_body(
    client: PlivoClient, double: PlivoDouble, status: int, error: type[SendFailed], body: bytes
) -> None:
    double.fail(Fault(Kind.ERROR, acts=False, status=status, body=body))

    with pytest.raises(error) as failed:
        await client.send(outbound())

    assert type(failed.value) is error
    assert failed.value.http_status == status


@pytest.mark.parametrize("status", [200, 201, 202, 206, 207])
async def test_any_good_status_is_one(client: PlivoClient, double: PlivoDouble, status: int) -> None:
    body = b'{"message_uuid": ["83876bdb-2033-4876-bfaf-0ff8693705af"], "api_id": "1"}'
    double.fail(Fault(Kind.ERROR, acts=False, status=status, body=body))

    assert (await client.send(outbound())).provider_message_id == "83876bdb-2033-4876-bfaf-0ff8693705af"


@pytest.mark.parametrize(
    ("told", "seconds"), [("2", 2.0), ("0.5", 0.5), ("999999", 3600.0), ("soon", None), ("-1", None), (None, None)]
)
async def test_how_long_to_wait_is_told_on(
    client: PlivoClient, double: PlivoDouble, told: str | None, seconds: float | None
) -> None:
    double.fail(THROTTLED._replace(retry_after=told))

    with pytest.raises(ProviderThrottled) as throttled:
        await client.send(outbound())

    assert throttled.value.retry_after_s == seconds


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([None, None, *EVERY]), min_size=1, max_size=6))
def test_what_is_said_of_a_message_is_true_whatever_goes_wrong(faults: list[Fault | None]) -> None:
    async def sent() -> list[tuple[type[Exception] | None, int]]:
        """Of each send the error, and how many messages it made."""
        outcomes: list[tuple[type[Exception] | None, int]] = []
        async with PlivoDouble() as double, open_client(read_s_max=0.1) as http:
            client = PlivoClient(account_id=AUTH_ID, secret=AUTH_TOKEN, http=http, base_url=double.base_url)
            double.fail(*faults)
            for _ in faults:
                before, error = len(double.messages), None
                try:
                    receipt = await client.send(outbound())
                except SendFailed as failed:
                    error = type(failed)
                else:
                    assert receipt.provider_message_id == list(double.messages)[-1]
                outcomes.append((error, len(double.messages) - before))
        return outcomes

    for fault, (error, made) in zip(faults, asyncio.run(sent()), strict=True):
        may_make: dict[type[Exception] | None, tuple[int, ...]] = {
            None: (1,),
            ProviderThrottled: (0,),
            OutcomeUnknown: (0, 1),
        }
        assert made in may_make[error]
        # A stale connection may make it unknown; but never does a fault pass for a success.
        assert error is not None or fault is None or fault is CLOSED_LATER


# --- what is never shown ------------------------------------------------------------------------------------------

SHY = (TEXT, TEXT[:20], SENDER, RECIPIENT, RECIPIENT[1:], AUTH_TOKEN, "Authorization", "Basic ", "k3yOfTheAccount")


@pytest.mark.parametrize(
    "fault",
    [
        *WITHOUT_ANSWER.values(),
        THROTTLED,
        Fault(Kind.ERROR, acts=False, status=400, body=f'{{"error": "{RECIPIENT} to {SENDER}: {TEXT}"}}'.encode()),
        Fault(Kind.ERROR, acts=False, status=400, body=f'{{"error": "{RECIPIENT[1:]}: {TEXT[3:30]}…"}}'.encode()),
        Fault(Kind.ERROR, acts=False, status=401, body=f'{{"error": "{AUTH_TOKEN} for {CALLBACK_URL}"}}'.encode()),
        Fault(Kind.ERROR, acts=False, status=202, body=f'{{"error": "1 202 555 1111 {TEXT.upper()}"}}'.encode()),
    ],
    ids=str,
)
async def test_no_secret_text_or_number_shows_in_errors_and_logs(
    client: PlivoClient, double: PlivoDouble, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    caplog.set_level(logging.DEBUG)
    impatient(http, fault)
    double.fail(fault, on="POST /Message/")
    double.fail(fault, on="GET /Message/")

    with pytest.raises(SendFailed) as sending:
        await client.send(outbound())
    with pytest.raises(SendFailed) as listing:
        await client.sent_between(NOON, NOON, offset=0, recipient=RECIPIENT)

    # Asked for a list, nobody knows the text and the callback URL, nor does Plivo tell them.
    for error, shy in ((sending.value, SHY), (listing.value, (RECIPIENT, RECIPIENT[1:], AUTH_TOKEN, "Basic "))):
        shown = "".join([*traceback.format_exception(error), repr(error), repr(client), caplog.text])
        assert not [each for each in shy if each.casefold() in shown.casefold()]
        assert error.__cause__ is None
        assert error.__context__ is None


def test_no_text_or_number_shows_in_the_repr_of_a_request() -> None:
    assert not [shy for shy in SHY if shy in f"{outbound()!r} {session_request()!r}"]
