"""Every event there is: complete, in the provider's own words, proven by Plivo's own SDK, and understood by us."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from plivo import utils as plivo_v2
from plivo.utils import signature_v3 as plivo_v3

from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import CallbackNotUnderstood, InputInvalid
from landed.domain.receipts import AnyReceipt, Direction, Intent, Receipt, RegistrationReceipt, SessionReceipt
from landed.providers.base import Credentials
from landed.providers.plivo import callbacks as plivo_callbacks
from landed.providers.plivo.provider import Plivo
from landed.providers.routee import callbacks as routee_callbacks
from landed.simulator import triggering
from landed.simulator.callbacks import events
from landed.simulator.callbacks.event import Described, Event
from landed.simulator.callbacks.signing import BOTH, Family, Request, Tokens
from landed.simulator.triggering import Changes, Signing
from tests.serving import callback_files

AT: Final = datetime(2026, 3, 2, 9, 15, 1, 4512, tzinfo=UTC)
TOKENS: Final = Tokens(account="account-token", main="main-token")
URL: Final = "http://localhost:3000/hook?tenant=42"
PLIVO: Final = [name for name in events.EVENTS if name.startswith("plivo.")]
ROUTEE: Final = [name for name in events.EVENTS if name.startswith("routee.")]
DESCRIBED: Final = Described(
    id="83876bdb-2033-4876-bfaf-0ff8693705af",
    second_id="1886a7ba-736b-1be2-2639-61d1b51cecef",
    call_id="df0c92b9-250a-82a2-a361-bca2104c968a",
    at=AT,
    sender="+14155550100",
    recipient="+14155550123",
)


def made(name: str, **how: Any) -> Request:
    event = events.EVENTS[name]
    return triggering.request(event, event.content(DESCRIBED), URL, Signing(tokens=TOKENS, **how))


def received(sent: Request) -> CallbackRequest:
    headers = {name.lower(): value for name, value in sent.headers.items()}
    return CallbackRequest(method=sent.method, url=sent.url, headers=headers, body=sent.body)


def ways(name: str) -> list[str]:
    return ["POST"] if events.EVENTS[name].is_json else ["POST", "GET"]


@pytest.mark.parametrize("families", [{Family.V2}, {Family.V3}, BOTH], ids=["v2", "v3", "both"])
@pytest.mark.parametrize(("name", "method"), [(name, method) for name in PLIVO for method in ways(name)])
def test_plivos_own_functions_prove_each_event(name: str, method: str, families: set[Family]) -> None:
    sent = made(name, method=method, families=families)

    headers = sent.headers
    assert ("X-Plivo-Signature-V2" in headers, "X-Plivo-Signature-V3" in headers) == (
        Family.V2 in families,
        Family.V3 in families,
    )
    for role, token in (("", "account-token"), ("Ma-", "main-token")):
        if Family.V2 in families:
            nonce, signature = headers["X-Plivo-Signature-V2-Nonce"], headers[f"X-Plivo-Signature-{role}V2"]
            assert plivo_v2.validate_signature(sent.url, nonce, signature, token)
        if Family.V3 in families:
            nonce, signature = headers["X-Plivo-Signature-V3-Nonce"], headers[f"X-Plivo-Signature-{role}V3"]
            assert plivo_v3.validate_v3_signature(method, sent.url, nonce, token, signature, params(sent))


def params(sent: Request) -> Mapping[str, Any]:
    """The body's, as a web framework hands them to the SDK."""
    if sent.headers.get("Content-Type") == "application/json":
        content: dict[str, Any] = json.loads(sent.body)
        return content
    return dict(parse_qsl(sent.body.decode(), keep_blank_values=True))


@pytest.mark.parametrize(("name", "method"), [(name, method) for name in PLIVO for method in ways(name)])
def test_landed_takes_and_understands_each_event_of_plivo(name: str, method: str) -> None:
    request = received(made(name, method=method))

    assert len(Plivo().verify(request, Credentials(auth_tokens=("account-token",), policy=Plivo.policies[0]))) == 2
    if name == "plivo.fraud-alert":
        with pytest.raises(CallbackNotUnderstood, match="sms_threshold_breach"):
            plivo_callbacks.parse(request)
        return
    (receipt,) = plivo_callbacks.parse(request)
    assert status_of(receipt) is not None
    assert receipt.extra == () or dict(receipt.extra).keys() <= KNOWN_EXTRAS


#: Fields of the contract that have no place in a receipt.
KNOWN_EXTRAS: Final = {
    "tenant", "ConversationID", "ConversationOrigin", "ConversationExpirationTimestamp", "MediaCount", "Event",
}  # fmt: skip


def status_of(receipt: AnyReceipt) -> object:
    if isinstance(receipt, SessionReceipt):
        assert receipt.attempt is None or receipt.attempt.status is not None
        return receipt.status
    return receipt.status if isinstance(receipt, Receipt | RegistrationReceipt) else receipt.provider_status


@pytest.mark.parametrize("name", ROUTEE)
def test_landed_understands_each_event_of_routee(name: str) -> None:
    request = received(made(name))

    (receipt,) = routee_callbacks.parse(request)

    assert status_of(receipt)
    assert not any(header.startswith("x-plivo") for header in request.headers)
    assert set(dict(receipt.extra)) <= {
        "smsId", "country", "applicationName", "latency", "campaignTrackingId", "campaignName", "applicationId",
        "callbackInfo.strategy", "detailedStatus", "reason", "label",
    }  # fmt: skip


def captured_fields(name: str) -> list[str]:
    """The names of the fields of a captured callback, in their order."""
    (file,) = callback_files(f"*/callbacks/{name}.json")
    body = json.loads(file.read_text())["body"]
    return list(json.loads(body)) if body.startswith("{") else [name for name, _ in parse_qsl(body, True)]


@pytest.mark.parametrize(
    ("name", "captured"),
    [
        ("plivo.message.sent", "plivo_sms_sent_full"),
        ("plivo.message.undelivered", "plivo_sms_undelivered_30"),
        ("plivo.message.failed", "plivo_sms_failed_420"),
        ("plivo.message.read", "plivo_whatsapp_read"),
        ("plivo.inbound.optout", "plivo_inbound_sms_optout"),
        ("plivo.verify.sent", "plivo_verify_sms_sent"),
        ("plivo.verify.no-answer", "plivo_verify_voice_no_answer"),
        ("plivo.brand.rejected", "plivo_10dlc_brand_rejected"),
        ("plivo.campaign.registered", "plivo_10dlc_campaign_registered"),
        ("plivo.number-link.success", "plivo_10dlc_number_linking_success"),
        ("routee.message.delivered", "routee_sms_delivered"),
        ("routee.campaign", "routee_campaign_progress"),
        ("routee.inbound", "routee_inbound_sms"),
        ("routee.two-step.verified", "routee_two_step_verified"),
    ],
)
def test_an_event_has_the_fields_of_a_captured_callback_and_no_others(name: str, captured: str) -> None:
    fields = list(events.EVENTS[name].content(DESCRIBED))

    assert sorted(fields) == sorted(captured_fields(captured))
    if name.startswith("plivo.message"):
        assert fields == captured_fields(captured), "and in the same order"


def parsed(name: str, **changes: Any) -> Receipt:
    event = events.EVENTS[name]
    described = Described(**{"id": "m-1", "second_id": "m-2", "at": AT, **changes})
    sent = triggering.request(event, event.content(described), URL, Signing(tokens=None))
    (receipt,) = (plivo_callbacks if event.provider == "plivo" else routee_callbacks).parse(received(sent))
    assert isinstance(receipt, Receipt)
    return receipt


def test_a_long_text_is_billed_in_units() -> None:
    assert parsed("plivo.message.delivered", text="x" * 161).units == 2
    assert parsed("plivo.inbound.sms", text="☂" * 71).units == 2


def test_what_was_never_handed_over_costs_nothing() -> None:
    assert parsed("plivo.message.failed").cost_nanos == 0
    assert parsed("plivo.message.undelivered").cost_nanos == 5_500_000


def test_a_number_brings_the_network_of_its_country_or_none() -> None:
    assert parsed("plivo.message.sent", recipient="+447700900123").mcc == "234"
    assert parsed("plivo.message.sent", recipient="+37099912345").mcc is None


def test_inbound_words_ask_for_what_they_say() -> None:
    receipt = parsed("plivo.inbound.optout", sender="+14155550199")

    assert receipt.content is not None
    assert (receipt.content.intent, receipt.content.text) == (Intent.OPT_OUT, "STOP")
    assert (receipt.direction, receipt.sender) == (Direction.INBOUND, "+14155550199")


# --- names ---------------------------------------------------------------------------------------------------------


def test_every_event_has_a_sentence_and_a_name_of_its_own() -> None:
    assert all(event.sentence.endswith(".") for event in events.EVENTS.values())
    assert all(word in events.EVENTS for family, words in events.LIFECYCLES.items() for word in life(family, words))


def life(family: str, words: tuple[str, ...]) -> list[str]:
    return [f"{family}.{word}" for word in words]


def test_a_life_is_told_in_order() -> None:
    assert names(events.named("plivo.message.lifecycle")) == life("plivo.message", ("queued", "sent", "delivered"))
    assert names(events.named("plivo.message", ["sent", "queued"])) == life("plivo.message", ("sent", "queued"))


def names(found: list[Event]) -> list[str]:
    return [event.name for event in found]


@pytest.mark.parametrize(
    ("name", "sequence", "said"),
    [
        ("plivo.message.deliverd", [], "did you mean plivo.message.delivered"),
        ("nothing", [], "--list"),
        ("plivo.message", [], "add one of queued, sent, delivered"),
        ("plivo.message", ["sent", "gone"], "no 'gone'; it has queued"),
        ("plivo.message.sent", ["sent"], "is one event"),
    ],
)
def test_a_name_that_is_none_is_answered_with_those_there_are(name: str, sequence: list[str], said: str) -> None:
    with pytest.raises(InputInvalid, match=said):
        events.named(name, sequence)


# --- changes -------------------------------------------------------------------------------------------------------


def changed(name: str, *to_set: tuple[str, str], without: tuple[str, ...] = ()) -> Mapping[str, Any]:
    event = events.EVENTS[name]
    return triggering.altered(event, event.content(DESCRIBED), Changes(to_set=to_set, to_leave_out=without))


def test_any_field_can_be_set_emptied_added_and_left_out() -> None:
    fields = changed("plivo.message.sent", ("ErrorCode", "30"), ("MCC", ""), ("New", "a=b"), without=("Units",))

    assert (fields["ErrorCode"], fields["MCC"], fields["New"], "Units" in fields) == ("30", "", "a=b", False)


def test_fields_of_json_are_named_with_dots_and_keep_their_type() -> None:
    fields = changed(
        "routee.message.sent",
        ("status.reason.detailedStatus", "Roaming"),
        ("price", "0.5"),
        ("part", "many"),
        ("label", "12"),
        ("new.deep", "x"),
        without=("status.updatedDate", "groups"),
    )

    assert fields["status"] == {"name": "Sent", "reason": {"detailedStatus": "Roaming", "description": ""}}
    assert (fields["price"], fields["part"], fields["label"], fields["new"]) == (0.5, "many", "12", {"deep": "x"})
    assert "groups" not in fields


@pytest.mark.parametrize(("name", "field"), [("plivo.message.sent", "Unit"), ("routee.message.sent", "status.nam")])
def test_leaving_out_a_field_that_is_not_there_is_a_mistake(name: str, field: str) -> None:
    with pytest.raises(InputInvalid, match=f"no field '{field}'"):
        changed(name, without=(field,))


@pytest.mark.parametrize("name", ["plivo.fraud-alert", "routee.inbound"])
def test_json_goes_out_by_post_alone(name: str) -> None:
    with pytest.raises(InputInvalid, match="POST alone"):
        made(name, method="GET")


def test_wrong_tokens_sign_in_the_right_form_and_match_nothing() -> None:
    event = events.EVENTS["plivo.message.sent"]
    how = Signing(tokens=triggering.wrong_tokens())
    sent = triggering.request(event, event.content(DESCRIBED), URL, how)

    headers = sent.headers
    assert headers.keys() == made("plivo.message.sent").headers.keys()
    assert not plivo_v2.validate_signature(
        sent.url, headers["X-Plivo-Signature-V2-Nonce"], headers["X-Plivo-Signature-V2"], "account-token"
    )


def test_as_text_a_request_is_what_goes_over_the_wire() -> None:
    text = triggering.written_as_http(made("plivo.brand.created"))

    head, _, body = text.partition("\n\n")
    assert head.startswith("POST /hook?tenant=42 HTTP/1.1\nHost: localhost:3000\n")
    assert f"Content-Length: {len(body)}" in head
    assert urlsplit(made("plivo.brand.created", method="GET").url).query.startswith("tenant=42&Event=brand")
