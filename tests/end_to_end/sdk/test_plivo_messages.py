"""Plivo's own SDK for Python sends through the stand-in, reads what became of it, and proves what it is called with.

The documents that the project grew out of show: a message with the address of its status (000, 002), by POST and GET.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import plivo
import pytest
from plivo.exceptions import (
    AuthenticationError,
    GeoPermissionError,
    InvalidRequestError,
    PlivoRestError,
    PlivoServerError,
    ResourceNotFoundError,
    ValidationError,
)
from plivo.utils.interactive import Interactive
from plivo.utils.location import Location
from plivo.utils.template import Template

from landed.simulator.plivo.state import AccountOptions
from landed.testing.carrier import LandedCarrier
from tests.end_to_end.sdk.listening import Listener, listening
from tests.serving import eventually

FROM, TO = "+12025550000", "+15005550000"
SPAM = "15005550030"


def send(client: plivo.RestClient, listener: Listener, to: str = TO, path: str = "/sms_status/", **more: Any) -> str:
    told = {"src": FROM, "dst": to, "text": "Hello, this is a sample text", "url": listener.base_url + path, **more}
    response = client.messages.create(**{name: value for name, value in told.items() if value is not None})
    assert response.message == "message(s) queued"
    uuid: str = response.message_uuid[0]
    return uuid


def test_000_a_message_reports_every_status_to_its_address(client: plivo.RestClient, listener: Listener) -> None:
    uuid = send(client, listener)
    told = listener.hears("/sms_status/", ["queued", "sent", "delivered"])

    assert [fields["Sequence"] for fields in told] == ["1", "2", "3"]
    assert {fields["MessageUUID"] for fields in told} == {uuid}
    assert (told[2]["From"], told[2]["To"], told[2]["Units"], told[2]["TotalAmount"]) == (
        "12025550000", "15005550000", "1", told[2]["TotalRate"],
    )  # fmt: skip
    assert {heard.method for heard in listener.heard} == {"POST"}
    assert listener.doubted == []
    assert set(listener.heard[0].verdicts) == {"V2", "Ma-V2", "V3", "Ma-V3"}


def test_000_a_message_reports_by_get_behind_the_query_there_is(client: plivo.RestClient, listener: Listener) -> None:
    send(client, listener, path="/sms_status/?shop=7", method="GET")
    told = listener.hears("/sms_status/", ["delivered"])

    assert {heard.method for heard in listener.heard} == {"GET"}
    assert all(fields["shop"] == "7" for fields in told)
    assert listener.doubted == []


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_an_address_may_be_in_any_alphabet_and_is_signed_as_it_arrives(
    method: str, client: plivo.RestClient, listener: Listener
) -> None:
    """In its path, that is: Plivo's SDK cannot check an address with such letters in its query."""
    send(client, listener, path="/größe/?shop={7}", method=method)
    eventually(lambda: len(listener.heard) == 3)

    assert {heard.path.partition("?")[0] for heard in listener.heard} == {"/gr%C3%B6%C3%9Fe/"}
    assert listener.doubted == []


def test_a_record_says_what_the_callbacks_said(client: plivo.RestClient, listener: Listener) -> None:
    uuid = send(client, listener, SPAM)
    told = listener.hears("/sms_status/", ["undelivered"])
    record = client.messages.get(uuid)

    assert (record.message_state, record.error_code, record.message_direction, record.message_type) == (
        "undelivered", "30", "outbound", "sms",
    )  # fmt: skip
    assert told[-1]["ErrorCode"] == "30"
    assert (record.from_number, record.to_number, record.units) == ("12025550000", SPAM, 1)
    assert datetime.fromisoformat(record.message_time) > datetime.now(UTC) - timedelta(days=1)
    assert record.resource_uri.endswith(f"/Message/{uuid}/")


def test_several_destinations_are_several_messages(client: plivo.RestClient, listener: Listener) -> None:
    response = client.messages.create(
        src=FROM, dst=f"{TO}<{SPAM}<nobody", text="Hi", url=f"{listener.base_url}/sms_status/"
    )
    assert (len(response.message_uuid), response.invalid_number) == (2, ["nobody"])
    listener.hears("/sms_status/", ["delivered", "undelivered"])
    by_id = {fields["MessageUUID"]: fields["To"] for fields in listener.fields_of("/sms_status/")}
    assert [by_id[uuid] for uuid in response.message_uuid] == [TO.removeprefix("+"), SPAM]


def test_messages_are_listed_by_filters_and_page_by_page(client: plivo.RestClient, listener: Listener) -> None:
    numbers = "<".join(f"1202555{number:04}" for number in range(100, 145))
    client.messages.create(src="13105550100", dst=numbers, text="Hi")
    send(client, listener)
    listener.hears("/sms_status/", ["delivered"])
    now = datetime.now(UTC)

    walked = [record.message_uuid for record in client.messages]
    assert (len(walked), len(set(walked))) == (46, 46)
    first = client.messages.list(limit=20, from_number="13105550100")
    assert (len(first), first.meta.total_count, first.meta.previous) == (20, 45, None)
    assert "offset=20" in first.meta.next
    assert len(client.messages.list(limit=20, offset=40, from_number="13105550100")) == 5
    assert [each.to_number for each in client.messages.list(to_number="15005550000")] == ["15005550000"]
    states = client.messages.list(message_state="delivered", to_number="15005550000", message_direction="outbound")
    assert len(states) == 1
    assert len(client.messages.list(message_time__gt=now + timedelta(days=1))) == 0
    assert len(client.messages.list(message_time__lte=now + timedelta(days=400), message_type="sms")) == 20
    assert len(client.messages.list(message_type="mms", error_code="30")) == 0
    with pytest.raises(ValidationError):
        client.messages.list(limit=21)


def test_mms_has_media_and_goes_where_there_is_mms(client: plivo.RestClient, listener: Listener) -> None:
    picture = "https://media.example.com/picture.png"
    uuid = send(client, listener, type_="mms", media_urls=[picture])
    media = client.messages.get(uuid).listMedia()

    assert [each.media_url for each in media.objects] == [picture]
    assert listener.hears("/sms_status/", ["delivered"])[-1]["Type"] == "mms"
    with pytest.raises(ValidationError, match="MMS is not supported"):
        send(client, listener, "+4915228817386", type_="mms", media_urls=[picture])


def test_whatsapp_has_a_conversation_and_is_read(client: plivo.RestClient, listener: Listener) -> None:
    template = Template(
        name="order", language="en", components=[{"type": "body", "parameters": [{"type": "text", "text": "7"}]}]
    )
    for number in range(8):
        send(client, listener, f"+1415555010{number}", type_="whatsapp", text=None, template=template)
    told = listener.hears("/sms_status/", ["delivered", "read"])

    assert {fields["ConversationOrigin"] for fields in told} == {"utility"}
    assert all(fields["ConversationID"] and fields["ConversationExpirationTimestamp"].isdigit() for fields in told)
    record = client.messages.list(message_type="whatsapp", conversation_origin="utility", limit=1).objects[0]
    assert record.conversation_id
    location = Location(latitude="37.4", longitude="-122.1", name="Office", address="1 Main St")
    assert send(client, listener, type_="whatsapp", text=None, location=location)
    asked = Interactive(type="button", body={"text": "Sure?"}, action={"buttons": [{"id": "1", "title": "Yes"}]})
    assert send(client, listener, type_="whatsapp", text=None, interactive=asked)


def test_a_powerpack_chooses_the_number(client: plivo.RestClient, listener: Listener) -> None:
    uuid = send(client, listener, src=None, powerpack_uuid="5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46")
    listener.hears("/sms_status/", ["delivered"])
    own = {number.number for number in client.numbers.list()}
    record = client.messages.get(uuid)
    assert record.from_number in own
    assert record.powerpack_id == "5ec4c8c9-cd74-42b5-9e41-0d7670d6bb46"
    assert len(client.messages.list(powerpack_id=record.powerpack_id)) == 1


def test_who_is_not_to_be_logged_is_masked(client: plivo.RestClient, listener: Listener) -> None:
    uuid = send(
        client, listener, log="false", trackable=True, message_expiry=60, dlt_entity_id="1", dlt_template_id="2"
    )
    record = client.messages.get(uuid)
    assert (record.to_number, record.log, record.dlt_entity_id) == ("150XXXXX000", "false", "1")


def test_a_long_text_is_counted_in_segments_and_one_too_long_refused(
    client: plivo.RestClient, listener: Listener
) -> None:
    assert client.messages.get(send(client, listener, text="x" * 161)).units == 2
    assert client.messages.get(send(client, listener, text="ы" * 71)).units == 2
    assert client.messages.get(send(client, listener, text="x" * 160)).units == 1
    for text in ("x" * 1601, "ы" * 738):
        with pytest.raises(ValidationError, match="long"):
            send(client, listener, text=text)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dst": "nobody"}, "dst"),
        ({"text": None}, "text"),
        ({"url": "ftp://example.com/"}, None),
        ({"method": "PUT"}, "method"),
        ({"message_expiry": 10_800}, "message_expiry"),
        ({"log": "sometimes"}, "log"),
        ({"src": "much too long for a name"}, "src"),
        ({"type_": "mms", "media_urls": ["https://example.com/a.png"] * 11}, "media_urls"),
        ({"type_": "mms", "media_urls": ["picture.png"]}, "media_urls"),
        ({"media_urls": ["https://example.com/a.png"]}, "media_urls"),
        ({"dlt_template_category": "friendly"}, "dlt_template_category"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_with_the_name_of_it(
    change: dict[str, Any], said: str | None, client: plivo.RestClient, listener: Listener
) -> None:
    with pytest.raises(ValidationError, match=said):
        send(client, listener, **({"to": change.pop("dst")} if "dst" in change else {}), **change)


@pytest.mark.parametrize(
    ("to", "error"),
    [
        ("+15005559400", ValidationError),
        ("+15005559403", GeoPermissionError),
        ("+15005559429", PlivoRestError),
        ("+15005559500", PlivoServerError),
    ],
)
def test_magic_numbers_are_refused_as_they_want(
    to: str, error: type[Exception], client: plivo.RestClient, listener: Listener
) -> None:
    with pytest.raises(error):
        send(client, listener, to)
    assert len(client.messages.list()) == 0


def test_nobody_gets_in_with_another_token_and_nothing_is_found_that_is_not_there(
    client: plivo.RestClient, landed_carrier: LandedCarrier
) -> None:
    client.account.get()
    stranger = plivo.RestClient(landed_carrier.plivo.auth_id, "another token")
    with pytest.raises(AuthenticationError):
        stranger.account.get()
    with pytest.raises(ResourceNotFoundError):
        client.messages.get("no-such-message")
    with pytest.raises(InvalidRequestError):
        client.request("DELETE", ("Message", "no-such-message"))


def test_too_many_requests_in_5_seconds_are_refused(client: plivo.RestClient, landed_carrier: LandedCarrier) -> None:
    """300 are, as long as nothing else is set."""
    assert AccountOptions().requests_max == 300
    landed_carrier.begin(speed=1)
    auth_id = landed_carrier.plivo.auth_id
    httpx.patch(f"{landed_carrier.base_url}/_sim/accounts/plivo/{auth_id}", json={"requests_max": 20})
    taken = 0
    with pytest.raises(PlivoRestError, match="429"):  # noqa: PT012  it tells when it comes
        while taken < 30:
            client.account.get()
            taken += 1
    assert 18 <= taken <= 20, "the fixture has asked, too"


def test_a_callback_is_made_again_until_it_is_answered_with_200(
    client: plivo.RestClient, listener: Listener, landed_carrier: LandedCarrier
) -> None:
    landed_carrier.begin(speed=0)
    listener.statuses = [500]
    send(client, listener)
    landed_carrier.advance(30)
    assert listener.words("/sms_status/") == ["queued", "sent", "delivered"]
    listener.statuses = [404, 204]
    landed_carrier.advance(31)
    assert listener.words("/sms_status/")[3:] == ["queued"]
    landed_carrier.advance(120)
    assert listener.words("/sms_status/")[3:] == ["queued", "queued"]
    landed_carrier.advance(239)
    assert len(listener.heard) == 5
    landed_carrier.advance(2)

    assert listener.words("/sms_status/")[3:] == ["queued", "queued", "queued"]
    assert listener.doubted == []
    (queued,) = landed_carrier.callbacks(name="plivo.message.queued")
    assert ([attempt["status"] for attempt in queued["attempts"]], queued["state"]) == ([500, 404, 204, 200], "taken")


def test_an_answer_can_be_asked_to_come_later(client: plivo.RestClient, listener: Listener) -> None:
    response = client.request(
        "POST",
        ("Message",),
        {"src": FROM, "dst": TO, "text": "Hi", "callback_url": f"{listener.base_url}/answer/"},
    )
    assert response.message == "async api spawned"
    eventually(lambda: listener.heard)
    assert b'"message(s) queued"' in listener.heard[0].body
    assert response.api_id.encode() in listener.heard[0].body


def test_people_write_to_the_application_of_a_number(
    client: plivo.RestClient, listener: Listener, landed_carrier: LandedCarrier
) -> None:
    made = client.applications.create(app_name="inbox", message_url=f"{listener.base_url}/inbox/")
    number = client.numbers.list(limit=1).objects[0].number
    client.numbers.update(number, app_id=made.app_id, alias="ours")
    uuid = landed_carrier.receive(sender="+12025550123", to=f"+{number}", text="HELP", provider="plivo")
    picture = landed_carrier.receive(
        sender="+12025550123", to=f"+{number}", text="Look", provider="plivo", type="mms", media=["image/png"]
    )

    eventually(lambda: len(listener.heard) == 2)
    sms, mms = sorted(listener.fields_of("/inbox/"), key=lambda fields: fields["Type"], reverse=True)
    assert (sms["MessageUUID"], sms["Text"], sms["MessageIntent"], sms["To"]) == (uuid, "HELP", "help", number)
    assert (mms["MessageUUID"], mms["Body"], mms["MediaCount"]) == (picture, "Look", "1")
    assert listener.doubted == []
    fetched = client.session.get(mms["Media0"])
    assert (fetched.headers["Content-Type"], fetched.content[:4]) == ("image/png", b"\x89PNG")
    assert client.messages.get(picture).listMedia().objects[0].media_url == mms["Media0"]
    eventually(lambda: client.messages.get(uuid).message_state == "delivered")
    assert client.messages.get(uuid).message_direction == "inbound"


@pytest.mark.landed_carrier(scenario={"replies": {"PING": "pong", "ENOUGH": "Stop"}})
def test_people_answer_and_who_says_stop_is_sent_nothing_more(client: plivo.RestClient, listener: Listener) -> None:
    client.applications.create(app_name="inbox", message_url=f"{listener.base_url}/inbox/", default_number_app=True)
    send(client, listener, text="ping")
    assert listener.hears("/inbox/", ["pong"], "Text")[0]["From"] == "15005550000"
    send(client, listener, text="enough")
    assert listener.hears("/inbox/", ["Stop"], "Text")[-1]["MessageIntent"] == "optout"
    send(client, listener, path="/again/")
    assert listener.hears("/again/", ["failed"])[-1]["ErrorCode"] == "200"
    assert listener.doubted == []


def test_a_sub_account_signs_with_its_own_token_and_its_main_accounts(
    client: plivo.RestClient, landed_carrier: LandedCarrier
) -> None:
    made = client.subaccounts.create(name="shop", enabled=True)
    with listening(made.auth_token, landed_carrier.plivo.auth_token) as listener:
        sub = plivo.RestClient(made.auth_id, made.auth_token)
        uuid = send(sub, listener)
        listener.hears("/sms_status/", ["delivered"])
        assert listener.doubted == []
    assert [each.message_uuid for each in client.messages.list(subaccount=made.auth_id)] == [uuid]
    assert [each.auth_id for each in client.subaccounts.list()] == [made.auth_id]
    client.subaccounts.update(made.auth_id, name="shop 2", enabled=False)
    assert client.subaccounts.get(made.auth_id).name == "shop 2"
    with pytest.raises(AuthenticationError):
        sub.account.get()
    client.subaccounts.delete(made.auth_id)
    with pytest.raises(ResourceNotFoundError):
        client.subaccounts.get(made.auth_id)


def test_sending_costs_until_there_is_no_credit(client: plivo.RestClient, listener: Listener) -> None:
    before = float(client.account.get().cash_credits)
    send(client, listener)
    listener.hears("/sms_status/", ["delivered"])
    assert float(client.account.get().cash_credits) < before
    client.account.update(name="Acme", city="Springfield")
    assert client.account.get().city == "Springfield"


def test_applications_and_numbers_are_kept(client: plivo.RestClient) -> None:
    made = client.applications.create(app_name="one", answer_url="https://example.com/answer/")
    client.applications.update(made.app_id, message_url="https://example.com/inbox/", message_method="GET")
    one = client.applications.get(made.app_id)
    assert (one.app_name, one.message_url, one.message_method) == ("one", "https://example.com/inbox/", "GET")
    assert [each.app_id for each in client.applications.list()] == [made.app_id]
    client.applications.delete(made.app_id)
    with pytest.raises(ResourceNotFoundError):
        client.applications.get(made.app_id)

    found = client.numbers.search("US", limit=5).objects[0].number
    client.numbers.buy(found)
    assert client.numbers.get(found).sms_enabled
    assert found in [each.number for each in client.numbers.list(number_startswith=found[:4])]
