"""Plivo's own SDK for Python verifies people through the stand-in, as the document 001 shows."""

import plivo
import pytest
from plivo.exceptions import GeoPermissionError, PlivoRestError, ResourceNotFoundError, ValidationError

from landed.testing.carrier import LandedCarrier
from tests.end_to_end.sdk.listening import Listener
from tests.serving import eventually

APP = "ee4b7a2e-46aa-4ed1-9a8a-2a1a06c2f3b6"
TO = "+15005550000"


def start(
    client: plivo.RestClient, listener: Listener, to: str = TO, channel: str = "sms", method: str = "POST"
) -> str:
    response = client.verify_session.create(
        app_uuid=APP, recipient=to, url=f"{listener.base_url}/verify_status/", channel=channel, method=method
    )
    assert response.message == "Session initiated"
    uuid: str = response.session_uuid
    return uuid


def test_001_a_code_is_sent_typed_and_found_right(
    client: plivo.RestClient, listener: Listener, landed_carrier: LandedCarrier
) -> None:
    uuid = start(client, listener)
    listener.hears("/verify_status/", ["queued", "sent", "delivered"], "ChannelStatus")
    code = landed_carrier.latest_otp(TO)
    with pytest.raises(ValidationError, match="incorrect"):
        client.verify_session.validate(uuid, "000000")
    assert client.verify_session.validate(uuid, code).message == "session validated successfully."
    told = listener.hears("/verify_status/", ["verified"], "SessionStatus")

    assert {fields["SessionUUID"] for fields in told} == {uuid}
    assert (told[0]["Channel"], told[0]["AttemptSequence"], told[0]["Recipient"]) == ("sms", "1", "15005550000")
    assert listener.doubted == []
    session = client.verify_session.get(uuid)
    assert (session.status, session.count, session.app_uuid) == ("verified", 1, APP)
    assert session.attempt_details[0].status == "delivered"
    assert float(session.charges.total_charge) > 0
    with pytest.raises(ValidationError, match="verified"):
        client.verify_session.validate(uuid, code)


def test_asking_again_is_another_attempt_of_the_session_with_the_same_code(
    client: plivo.RestClient, listener: Listener, landed_carrier: LandedCarrier
) -> None:
    uuid = start(client, listener, method="GET")
    code = landed_carrier.latest_otp(TO)
    assert start(client, listener, channel="voice", method="GET") == uuid
    told = listener.hears("/verify_status/", ["ringing", "in-progress", "completed"], "ChannelStatus")

    assert {fields["AttemptSequence"] for fields in told} == {"1", "2"}
    assert {heard.method for heard in listener.heard} == {"GET"}
    assert listener.doubted == []
    session = client.verify_session.get(uuid)
    assert [attempt.channel for attempt in session.attempt_details] == ["sms", "voice"]
    assert client.verify_session.validate(uuid, code).message == "session validated successfully."
    assert start(client, listener) != uuid


def test_a_session_expires_and_takes_ten_tries(
    client: plivo.RestClient, listener: Listener, landed_carrier: LandedCarrier
) -> None:
    landed_carrier.begin(speed=0)
    uuid = start(client, listener)
    code = landed_carrier.latest_otp(TO)
    for _ in range(10):
        with pytest.raises(ValidationError, match="incorrect"):
            client.verify_session.validate(uuid, "0000")
    with pytest.raises(ValidationError, match="maximum"):
        client.verify_session.validate(uuid, code)
    landed_carrier.advance(601)
    listener.hears("/verify_status/", ["expired"], "SessionStatus")
    assert client.verify_session.get(uuid).status == "expired"
    with pytest.raises(ValidationError, match="expired"):
        client.verify_session.validate(uuid, code)


def test_sessions_are_listed_by_filters_and_twenty_times_a_minute(
    client: plivo.RestClient, listener: Listener, landed_carrier: LandedCarrier
) -> None:
    landed_carrier.begin(speed=1)
    uuids = [start(client, listener, f"+1500555003{last}") for last in ("0", "1")]
    assert [each.session_uuid for each in client.verify_session.list()] == uuids[::-1]
    assert [each.session_uuid for each in client.verify_session.list(recipient="15005550030")] == uuids[:1]
    assert len(client.verify_session.list(status="verified")) == 0
    assert len(client.verify_session.list(country="US", app_uuid=APP, limit=1, offset=1)) == 1
    for _ in range(16):
        client.verify_session.list()
    with pytest.raises(PlivoRestError, match="429"):
        client.verify_session.list()


def test_what_is_wrong_with_a_session_is_said(client: plivo.RestClient, listener: Listener) -> None:
    with pytest.raises(ValidationError, match="recipient"):
        start(client, listener, "nobody")
    with pytest.raises(ValidationError, match="code_length"):
        client.verify_session.create(recipient=TO, code_length=9)
    with pytest.raises(GeoPermissionError):
        start(client, listener, "+15005559403")
    with pytest.raises(ResourceNotFoundError):
        client.verify_session.get("no-such-session")
    uuid = start(client, listener, "+15005550030")
    listener.hears("/verify_status/", ["undelivered"], "ChannelStatus")
    (failed,) = [each for each in listener.fields_of("/verify_status/") if each["ChannelStatus"] == "undelivered"]
    assert (failed["ChannelErrorCode"], failed["SessionUUID"]) == ("30", uuid)
    eventually(lambda: client.verify_session.get(uuid).attempt_details[0].status == "undelivered")
