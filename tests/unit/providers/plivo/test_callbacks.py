"""All kinds at one URL: each callback lands where its content says, and one that says nothing is set aside."""

import dataclasses
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain.callbacks import PATH_KINDS, CallbackRequest
from landed.domain.errors import CallbackMalformed, CallbackNotUnderstood
from landed.domain.receipts import (
    AnyReceipt,
    Channel,
    Direction,
    PartOf,
    Receipt,
    Registration,
    RegistrationReceipt,
    SessionReceipt,
)
from landed.domain.statuses import Status
from landed.providers.plivo import tendlc
from landed.providers.plivo.callbacks import parse
from tests.unit.providers.plivo.requests import (
    ALERT,
    BRAND,
    CAMPAIGN,
    FORM,
    INBOUND,
    LINK,
    MESSAGE_ID,
    SESSION,
    SESSION_ID,
    STATUS,
    form,
    get,
    json_body,
    only,
)

KINDS = {
    "status": STATUS,
    "inbound": INBOUND,
    "session": SESSION,
    "brand": BRAND,
    "campaign": CAMPAIGN,
    "number_link": LINK,
}
ANY_PATH = [None, *sorted(PATH_KINDS)]


def kind_of(receipt: AnyReceipt) -> str:
    match receipt:
        case Receipt(direction=Direction.INBOUND):
            return "inbound"
        case Receipt():
            return "status"
        case SessionReceipt():
            return "session"
        case RegistrationReceipt():
            return receipt.registration.value
        case _:
            return "broadcast"


def reason(request: CallbackRequest) -> str:
    with pytest.raises(CallbackNotUnderstood) as refusal:
        parse(request)
    return str(refusal.value)


@pytest.mark.parametrize("path", ANY_PATH)
@pytest.mark.parametrize("kind", KINDS)
def test_content_decides_whatever_the_path(kind: str, path: str | None) -> None:
    assert kind_of(only(form(KINDS[kind], kind=path))) == kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_get_says_what_a_post_says(kind: str) -> None:
    assert parse(get(KINDS[kind])) == parse(form(KINDS[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_json_says_what_a_form_says(kind: str) -> None:
    assert parse(json_body(KINDS[kind])) == parse(form(KINDS[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_names_in_another_case_say_the_same(kind: str) -> None:
    lower = {name.lower(): value for name, value in KINDS[kind].items()}

    assert kind_of(only(form(lower))) == kind


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("messages", "status"),
        ("verify", "session"),
        ("brands", "brand"),
        ("campaigns", "campaign"),
        ("number-links", "number_link"),
        ("number-unlinks", "number_link"),
    ],
)
def test_our_id_is_taken_from_a_path_of_the_same_kind(path: str, kind: str) -> None:
    assert only(form(KINDS[kind], kind=path)).our_id == "ours-1"


@pytest.mark.parametrize("kind", KINDS)
def test_our_id_is_not_taken_from_a_path_of_another_kind(kind: str) -> None:
    own = {"status": {"messages"}, "session": {"verify"}, "brand": {"brands"}, "campaign": {"campaigns"}}
    others = PATH_KINDS - own.get(kind, {"number-links", "number-unlinks"} if kind == "number_link" else set())

    receipts = [only(form(KINDS[kind], kind=path)) for path in sorted(others)]

    assert {receipt.our_id for receipt in receipts} == {None}


MIXTURES = [
    pytest.param(STATUS | {"Text": "Hello", "MessageIntent": "optout"}, "status", id="status with text"),
    pytest.param(STATUS | {"Media0": "https://x", "MediaCount": "1"}, "status", id="status with media"),
    pytest.param(STATUS | {"Status": "buffered", "Body": "Hello"}, "status", id="unknown status with body"),
    pytest.param(STATUS | {"Status": "DELIVERED"}, "status", id="status in capitals"),
    pytest.param(STATUS | {"SessionUUID": ""}, "status", id="status with an empty session"),
    pytest.param(STATUS | {"SessionUUID": SESSION_ID}, "status", id="status that names a session and tells none"),
    pytest.param(STATUS | {"CampaignID": "CY5NVUA", "Event": "campaign"}, "status", id="status with a campaign"),
    pytest.param(STATUS | {"tendlc_campaign_id": "CY5NVUA"}, "status", id="status with REST's campaign"),
    pytest.param(STATUS | {"alert_type": "sms"}, "status", id="status with an alert"),
    pytest.param(INBOUND | {"status": "read"}, "inbound", id="inbound with status in another case"),
    pytest.param(INBOUND | {"STATUS": "delivered"}, "inbound", id="inbound with status in capitals"),
    pytest.param(INBOUND | {"Status": ""}, "inbound", id="inbound with an empty status"),
    pytest.param(INBOUND | {"Status": "received"}, "inbound", id="inbound with its record's word"),
    pytest.param(INBOUND | {"Text": ""}, "inbound", id="inbound with an empty text"),
    pytest.param(INBOUND | {"ErrorCode": "10"}, "inbound", id="inbound whose media failed"),
    pytest.param(INBOUND | {"CampaignID": "CY5NVUA", "BrandID": "B"}, "inbound", id="inbound with a campaign"),
    pytest.param(INBOUND | {"SessionUUID": ""}, "inbound", id="inbound with an empty session"),
    pytest.param(INBOUND | {"Event": "brand"}, "inbound", id="inbound with an event"),
    pytest.param(SESSION | {"MessageUUID": MESSAGE_ID}, "session", id="session with a message"),
    pytest.param(SESSION | {"MessageUUID": MESSAGE_ID, "Status": "delivered"}, "session", id="session with a status"),
    pytest.param(SESSION | {"MessageUUID": MESSAGE_ID, "Text": "Hello"}, "session", id="session with a text"),
    pytest.param(SESSION | {"Status": "created", "BrandID": "B"}, "session", id="session with a brand"),
    pytest.param(SESSION | {"SessionStatus": ""}, "session", id="session that tells of its attempt alone"),
    pytest.param(BRAND | {"MessageUUID": "", "SessionUUID": ""}, "brand", id="brand with empty ids"),
    pytest.param(BRAND | {"Text": "Hello", "Body": "x", "Message": "y"}, "brand", id="brand with texts"),
    pytest.param(BRAND | {"Status": "delivered"}, "brand", id="brand with a message's word"),
    pytest.param(LINK | {"From": "1", "To": "2", "Type": "sms"}, "number_link", id="link with a message's fields"),
]


@pytest.mark.parametrize("path", ANY_PATH)
@pytest.mark.parametrize(("fields", "kind"), MIXTURES)
def test_mixtures_land_where_they_belong(fields: dict[str, str], kind: str, path: str | None) -> None:
    assert kind_of(only(form(fields, kind=path))) == kind


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({}, "MessageUUID is missing", id="empty"),
        pytest.param({"hello": ""}, "MessageUUID is missing", id="nothing known"),
        pytest.param({"Status": "delivered", "From": "14155550100"}, "MessageUUID is missing", id="status of nothing"),
        pytest.param({"Text": "Hello", "From": "14155550123"}, "MessageUUID is missing", id="text of nobody"),
        pytest.param({"MessageUUID": MESSAGE_ID}, "Status is missing", id="message alone"),
        pytest.param(STATUS | {"Status": ""}, "Status is empty", id="empty status"),
        pytest.param(STATUS | {"Status": "", "Text": "Hello"}, "Status is empty", id="empty status with text"),
        pytest.param(STATUS | {"Status": "received"}, "no text or media", id="received, and nothing is"),
        pytest.param({"MessageUUID": MESSAGE_ID, "CampaignID": "C"}, "Status is missing", id="message and campaign"),
        pytest.param({"SessionUUID": SESSION_ID}, "SessionStatus is missing", id="session alone"),
        pytest.param({"SessionUUID": SESSION_ID, "ChannelStatus": "sent"}, "SessionStatus is", id="unnamed attempt"),
        pytest.param({"SessionUUID": SESSION_ID, "BrandID": "B"}, "SessionStatus is missing", id="session and brand"),
        pytest.param(STATUS | {"MessageUUID": "x" * 256}, "256 characters", id="endless message id"),
        pytest.param(SESSION | {"SessionUUID": "x" * 256}, "256 characters", id="endless session id"),
        pytest.param(BRAND | {"BrandID": "x" * 256}, "256 characters", id="endless brand id"),
        pytest.param({"Event": "brand", "Status": "created"}, "about a brand, but neither", id="brand without id"),
        pytest.param({"Event": "number_linking", "CampaignID": "C"}, "about a number link", id="link without number"),
        pytest.param({"api_id": "1", "message": "async api spawned"}, "Plivo's answer", id="answer to a request"),
        pytest.param({"Number": "14155550100", "Status": "success"}, "MessageUUID is missing", id="number alone"),
        pytest.param(STATUS | {"MessageUUID": ""}, "MessageUUID is missing", id="empty message id"),
    ],
)
def test_what_says_nothing_is_set_aside_with_the_reason(fields: dict[str, str], words: str) -> None:
    told = reason(form(fields))

    assert words in told
    assert told.endswith(".")
    assert "Hello" not in told


@pytest.mark.parametrize("path", ANY_PATH)
def test_the_fraud_alert_is_recognised_by_name_and_set_aside(path: str | None) -> None:
    told = reason(json_body(ALERT, kind=path))

    assert "`sms_threshold_breach` for US" in told
    assert "Hourly" not in told


def test_a_word_of_inbound_records_at_a_path_of_ours_is_an_unknown_status_of_ours() -> None:
    receipt = only(form(STATUS | {"Status": "received"}, kind="messages"))

    assert isinstance(receipt, Receipt)
    assert (receipt.direction, receipt.status, receipt.provider_status) == (Direction.OUTBOUND, None, "received")


def test_of_two_spellings_the_one_that_plivo_writes_counts() -> None:
    receipt = only(form({"Messageuuid": "other", "MessageUUID": MESSAGE_ID, "status": "sent", "Status": ""}))

    assert isinstance(receipt, Receipt)
    assert (receipt.provider_message_id, receipt.status) == (MESSAGE_ID, Status.SENT)
    assert receipt.extra == (("Messageuuid", "other"),)


def test_a_query_of_our_own_is_kept_and_the_body_goes_before_it() -> None:
    receipt = only(form(STATUS, query="tenant=42&Status=failed"))

    assert isinstance(receipt, Receipt)
    assert (receipt.status, receipt.extra) == (Status.DELIVERED, (("tenant", "42"),))


@pytest.mark.parametrize("channel", ["sms", "mms", "whatsapp"])
@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("queued", Status.QUEUED),
        ("sent", Status.SENT),
        ("failed", Status.FAILED),
        ("rejected", Status.FAILED),
        ("undelivered", Status.UNDELIVERED),
        ("delivered", Status.DELIVERED),
        ("read", Status.READ),
        ("deleted", None),
    ],
)
def test_every_status_of_a_message_is_read_on_every_channel(word: str, status: Status | None, channel: str) -> None:
    receipt = only(form(STATUS | {"Status": word, "Type": channel, "ConversationID": "c1"}))

    assert isinstance(receipt, Receipt)
    assert (receipt.status, receipt.provider_status, receipt.channel) == (status, word, Channel(channel))
    assert receipt.extra == (("ConversationID", "c1"),)


@pytest.mark.parametrize("body", [b'{"MessageUUID": "a\\u0000b", "Status": "sent"}', b'{"Text": "\\ud800"}'])
def test_json_that_no_database_can_hold_is_malformed(body: bytes) -> None:
    with pytest.raises(CallbackMalformed):
        parse(CallbackRequest(method="POST", url="https://x/", headers={"content-type": "application/json"}, body=body))


REGISTRATIONS = {registration.value for registration in Registration}
NAMES = sorted({name for fields in KINDS.values() for name in fields} | {"Body", "Media0", "MediaCount", "Sequence"})
VALUES = st.sampled_from(["", "delivered", "received", "created", "brand", "14155550100", "x", '{"a": 1}', "[1]"])


@given(
    fields=st.dictionaries(st.sampled_from(NAMES).flatmap(lambda name: st.sampled_from([name, name.lower()])), VALUES),
    path=st.sampled_from(ANY_PATH),
)
def test_any_mixture_is_one_kind_or_set_aside(fields: dict[str, str], path: str | None) -> None:
    """And the kind follows from the ids that are there: nothing without a message's id becomes a message."""
    try:
        receipts = parse(form(fields, kind=path))
    except CallbackNotUnderstood:
        return
    ids = {name.lower() for name, value in fields.items() if value}
    needed = {"status": "messageuuid", "inbound": "messageuuid", "session": "sessionuuid"}
    for kind in {kind_of(receipt) for receipt in receipts}:
        assert needed.get(kind, "nothing") in ids | {"nothing"}
        assert kind not in REGISTRATIONS or not ids & {"messageuuid", "sessionuuid"}


@given(st.permutations(list(STATUS.items())))
def test_the_order_of_fields_does_not_matter(pairs: list[tuple[str, str]]) -> None:
    assert parse(form(dict(pairs))) == parse(form(STATUS))


def test_a_plain_message_status_is_read_without_looking_for_other_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tendlc, "is_registration")
    monkeypatch.setattr("landed.providers.plivo.callbacks._told_apart", None)

    assert kind_of(only(form(STATUS))) == "status"


def test_a_part_in_a_long_path_keeps_both_ids() -> None:
    fields = STATUS | {"MessageUUID": "part-2", "PartInfo": "2 of 3"}
    receipt = only(dataclasses.replace(form(fields), kind="messages", our_id="m1"))

    assert isinstance(receipt, Receipt)
    assert receipt.part is not None
    assert (receipt.provider_message_id, receipt.part.provider_message_id) == (MESSAGE_ID, "part-2")
    assert receipt.our_id == "m1"


@pytest.mark.parametrize(
    ("part_info", "number", "of"),
    [("", None, 1), ("1 of 1", None, 1), ("7", None, 1), ("3 of 2", None, 1), ("2 of 3", 2, 3)],
)
def test_a_part_is_known_by_its_own_id_whether_it_is_numbered_or_not(
    part_info: str, number: int | None, of: int
) -> None:
    receipt = only(form(STATUS | {"MessageUUID": "b", "PartInfo": part_info}))

    assert isinstance(receipt, Receipt)
    assert (receipt.provider_message_id, receipt.part) == (MESSAGE_ID, PartOf("b", number, of))


@pytest.mark.parametrize(("part_info", "part"), [("", None), ("1 of 1", None), ("1 of 2", PartOf(MESSAGE_ID, 1, 2))])
def test_the_same_id_twice_is_the_whole_message_or_perhaps_its_first_part(part_info: str, part: PartOf | None) -> None:
    receipt = only(form(STATUS | {"PartInfo": part_info}))

    assert isinstance(receipt, Receipt)
    assert (receipt.provider_message_id, receipt.part) == (MESSAGE_ID, part)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Type", "rcs"),
        ("Units", "one"),
        ("Units", "99999999"),
        ("TotalAmount", "USD 0.01"),
        ("MCC", "31x"),
        ("MNC", "2601"),
        ("Sequence", "first"),
        ("MessageTime", "yesterday"),
        ("QueuedTime", "12:00"),
        ("SentTime", "never"),
    ],
)
def test_a_field_that_cannot_be_read_is_kept_as_it_came(name: str, value: str) -> None:
    receipt = only(form(STATUS | {name: value}))

    assert isinstance(receipt, Receipt)
    assert (name, value) in receipt.extra
    assert receipt.extra == tuple(sorted(receipt.extra))


def test_a_form_sent_without_a_type_is_a_form() -> None:
    body = urlencode(STATUS).encode()

    assert parse(CallbackRequest(method="POST", url="https://x/", body=body)) == parse(form(STATUS))
    assert FORM
