"""What Plivo knows: messages one by one and in lists, conversions, the account."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from landed.domain.errors import ProviderFailed, RequestRefused
from landed.domain.receipts import Channel, Direction, Receipt, Source
from landed.domain.statuses import Status
from landed.providers.plivo import answers
from landed.providers.plivo.client import PlivoClient
from tests.doubles.api import Fault, Kind
from tests.doubles.plivo import AUTH_ID, PlivoDouble
from tests.unit.providers.plivo.asking import NOON, RECIPIENT, SENDER, outbound

pytestmark = pytest.mark.anyio


async def test_a_message_is_looked_up(client: PlivoClient, double: PlivoDouble) -> None:
    uuid = (await client.send(outbound())).provider_message_id
    double.status_call(uuid, "sent")
    double.status_call(uuid, "undelivered", error_code="30")

    (receipt,) = await client.look_up(uuid)

    assert double.arrived[-1].target == f"/v1/Account/{AUTH_ID}/Message/{uuid}/"
    assert receipt == Receipt(
        provider_message_id=uuid,
        provider_status="undelivered",
        status=Status.UNDELIVERED,
        source=Source.LOOKUP,
        channel=Channel.SMS,
        sender=SENDER,
        recipient=RECIPIENT,
        mcc="310",
        mnc="260",
        error_code="30",
        units=1,
        cost_nanos=5_500_000,
        currency="USD",
        submitted_at=NOON,
        sent_at=NOON,
        final_at=NOON,
        extra=(("destination_country_iso2", "US"), ("is_domestic", "false")),
    )


async def test_the_same_state_is_the_same_fact(client: PlivoClient, double: PlivoDouble) -> None:
    uuid = (await client.send(outbound())).provider_message_id

    assert await client.look_up(uuid) == await client.look_up(uuid)


async def test_a_message_that_is_not_known_has_no_facts(client: PlivoClient) -> None:
    assert await client.look_up("83876bdb-2033-4876-bfaf-0ff8693705af") == ()


RECORD: Final[dict[str, Any]] = {
    "message_uuid": "5b40a428-bfc7-4daf-9d06-726c558bf3b8",
    "message_state": "delivered",
    "message_direction": "outbound",
    "message_type": "sms",
    "from_number": "911231231230",
    "to_number": "911231231231",
    "message_time": "2017-05-22 21:36:14+05:30",
    "message_sent_time": "2024-08-21 18:28:49.244057+05:30",
    "message_updated_time": "2024-08-21 18:28:51.94772+05:30",
    "units": 1,
    "total_amount": "0.00250",
    "error_code": None,
}


def record(**changes: Any) -> Receipt:
    receipt = answers.message(RECORD | changes)
    assert receipt is not None
    return receipt


def test_times_with_an_offset_are_utc() -> None:
    assert record().submitted_at == datetime(2017, 5, 22, 16, 6, 14, tzinfo=UTC)
    assert record().sent_at == datetime(2024, 8, 21, 12, 58, 49, 244057, tzinfo=UTC)
    assert record().final_at == datetime(2024, 8, 21, 12, 58, 51, 947720, tzinfo=UTC)


def test_an_update_is_no_end_before_the_message_has_ended() -> None:
    assert record(message_state="sent").final_at is None


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("queued", Status.QUEUED),
        ("sent", Status.SENT),
        ("failed", Status.FAILED),
        ("rejected", Status.FAILED),
        ("undelivered", Status.UNDELIVERED),
        ("Delivered", Status.DELIVERED),
        ("read", Status.READ),
        ("deleted", None),
    ],
)
def test_every_state_has_its_status(word: str, status: Status | None) -> None:
    assert (record(message_state=word).status, record(message_state=word).provider_status) == (status, word)


@pytest.mark.parametrize("word", ["received", "delivered", "undelivered"])
def test_an_inbound_message_is_received_whatever_became_of_telling_us(word: str) -> None:
    receipt = record(message_direction="inbound", message_state=word)

    assert (receipt.direction, receipt.status, receipt.final_at) == (Direction.INBOUND, Status.RECEIVED, None)


@pytest.mark.parametrize(("code", "kept"), [("000", None), (None, None), ("", None), ("0", None), ("420", "420")])
def test_no_error_is_no_code(code: str | None, kept: str | None) -> None:
    assert record(error_code=code).error_code == kept


def test_a_number_that_plivo_masked_is_none() -> None:
    assert record(to_number="141XXXXX528").recipient is None


@pytest.mark.parametrize("changes", [{"message_uuid": None}, {"message_uuid": "a" * 256}, {"message_state": ""}])
def test_a_record_that_names_nothing_is_no_fact(changes: dict[str, Any]) -> None:
    assert answers.message(RECORD | changes) is None


@pytest.mark.parametrize(
    "content", [{}, {"message_uuid": 5}, {"message_uuid": [None, {}]}, {"message_uuid": ""}, {"message_uuid": []}]
)
def test_what_is_no_id_is_none(content: dict[str, Any]) -> None:
    assert answers.ids(content, "message_uuid") == []


async def test_what_was_sent_is_listed_page_by_page(client: PlivoClient, double: PlivoDouble) -> None:
    sent = {(await client.send(outbound())).provider_message_id for _ in range(45)}

    listed: list[Receipt] = []
    offset: int | None = 0
    while offset is not None:
        page, offset = await client.sent_between(NOON, NOON + timedelta(seconds=1), offset=offset)
        listed += page

    assert {receipt.provider_message_id for receipt in listed} == sent
    assert len(listed) == 45
    assert {receipt.source for receipt in listed} == {Source.LOOKUP}


async def test_a_list_is_of_its_time_and_recipient(client: PlivoClient, double: PlivoDouble) -> None:
    await client.send(outbound(recipient="+12025552222"))
    await client.send(outbound())

    page, following = await client.sent_between(
        NOON - timedelta(hours=1), NOON + timedelta(microseconds=1), offset=0, recipient=RECIPIENT
    )
    earlier, _ = await client.sent_between(NOON - timedelta(hours=1), NOON, offset=0)

    assert [receipt.recipient for receipt in page] == [RECIPIENT]
    assert (following, list(earlier)) == (None, [])
    assert double.arrived[2].query == {
        "message_time__gte": "2026-03-02 11:00:00.000000",
        "message_time__lt": "2026-03-02 12:00:00.000001",
        "to_number": RECIPIENT[1:],
        "limit": "20",
        "offset": "0",
    }


async def test_a_page_that_was_not_asked_for_is_not_taken(client: PlivoClient, double: PlivoDouble) -> None:
    body = b'{"meta": {"limit": 20, "offset": 0, "next": "/?cursor=x"}, "objects": []}'
    double.fail(Fault(Kind.ERROR, acts=False, status=200, body=body))

    with pytest.raises(ProviderFailed):
        await client.sent_between(NOON, NOON, offset=20)


@pytest.mark.parametrize(
    ("following", "offset"),
    [
        ("/v1/Account/MA/Message/?limit=20&offset=40", 40),
        ("/v1/Account/MA/Message/?limit=20&cursor=abc", 23),
        ("/v1/Account/MA/Message/?limit=20&offset=0", 21),
        (None, None),
    ],
)
def test_the_next_page_is_further_on(following: str | None, offset: int | None) -> None:
    assert answers.next_offset({"meta": {"next": following}}, 20, 3) == offset


# --- conversions and the account ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("converted", "word"), [(True, "CONVERTED"), (False, "NOT_CONVERTED")])
async def test_a_conversion_is_told_at_its_own_path(
    client: PlivoClient, double: PlivoDouble, *, converted: bool, word: str
) -> None:
    uuid = (await client.send(outbound(trackable=True))).provider_message_id

    await client.report_conversion(uuid, converted=converted, at=datetime(2023, 2, 9, 9, 0, 43, 511_000, tzinfo=UTC))

    assert double.arrived[-1].target == f"/v1/account/{AUTH_ID}/message/{uuid}/conversion/"
    assert double.conversions == [(uuid, {"status": word, "timestamp": "2023-02-09T09:00:43.511Z"})]


async def test_the_account_is_checked(client: PlivoClient) -> None:
    account = await client.check_account()

    assert (account.provider_account_id, account.name) == (AUTH_ID, "Sherlock Holmes")
    assert (account.balance_nanos, account.currency) == (23_798_220_000, "USD")


async def test_wrong_credentials_are_refused_with_advice(double: PlivoDouble, http: httpx.AsyncClient) -> None:
    client = PlivoClient(account_id=AUTH_ID, secret="wrong", http=http, base_url=double.base_url)

    with pytest.raises(RequestRefused, match="auth ID and auth token") as refused:
        await client.check_account()

    assert refused.value.http_status == 401
