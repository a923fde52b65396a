"""10DLC: the names of the fields are guesses, so many shapes are read, and none is lost."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import CallbackMalformed, CallbackNotUnderstood
from landed.domain.receipts import Registration, RegistrationReceipt
from landed.domain.receipts import RegistrationStatus as Status
from landed.providers.plivo import tendlc
from landed.providers.plivo.callbacks import parse
from tests.unit.providers.plivo.requests import BRAND, CAMPAIGN, LINK, URL, form, json_body

PATHS = {
    "brands": Registration.BRAND,
    "campaigns": Registration.CAMPAIGN,
    "number-links": Registration.NUMBER_LINK,
    "number-unlinks": Registration.NUMBER_UNLINK,
}


def read(request: CallbackRequest) -> list[RegistrationReceipt]:
    receipts = parse(request)
    assert all(isinstance(receipt, RegistrationReceipt) for receipt in receipts)
    return [receipt for receipt in receipts if isinstance(receipt, RegistrationReceipt)]


def one(request: CallbackRequest) -> RegistrationReceipt:
    (receipt,) = read(request)
    return receipt


#: Plivo's own table of events, and its words of REST.
WORDS = [
    ("brand", "created", Status.PENDING),
    ("brand", "rejected", Status.REJECTED),
    ("brand", "registered", Status.REGISTERED),
    ("brand", "PROCESSING", Status.PENDING),
    ("brand", "FAILED", Status.REJECTED),
    ("brand", "COMPLETED", Status.REGISTERED),
    ("campaign", "created", Status.PENDING),
    ("campaign", "Rejected", Status.REJECTED),
    ("campaign", "registered", Status.REGISTERED),
    ("campaign", "ACTIVE", Status.REGISTERED),
    ("number_linking", "created", Status.PENDING),
    ("number_linking", "failed", Status.FAILED),
    ("number_linking", "success", Status.LINKED),
    ("number_linking", "PROCESSING", Status.PENDING),
    ("number_linking", "COMPLETED", Status.LINKED),
    ("number_unlinking", "created", Status.PENDING),
    ("number_unlinking", "failed", Status.FAILED),
    ("number_unlinking", "SUCCESS", Status.UNLINKED),
    ("number_unlinking", "COMPLETED", Status.UNLINKED),
    ("brand", "delivered", None),
    ("brand", "success", None),
    ("campaign", "suspended", None),
    ("number_linking", "registered", None),
    ("number_unlinking", "linked", None),
]


@pytest.mark.parametrize(("event", "word", "status"), WORDS)
def test_every_word_has_its_status_or_none(event: str, word: str, status: Status | None) -> None:
    receipt = one(form(LINK | {"BrandID": "B1", "Event": event, "Status": word}))

    assert (receipt.status, receipt.provider_status) == (status, word)


@pytest.mark.parametrize("name", ["Event", "event", "Endpoint", "ENDPOINT", "Type", "type", "Kind", "event_type"])
@pytest.mark.parametrize(
    ("word", "registration"),
    [
        ("brand", Registration.BRAND),
        ("BRAND", Registration.BRAND),
        ("campaign", Registration.CAMPAIGN),
        ("number_linking", Registration.NUMBER_LINK),
        ("number-linking", Registration.NUMBER_LINK),
        ("NumberLinking", Registration.NUMBER_LINK),
        ("number_link", Registration.NUMBER_LINK),
        ("number_unlinking", Registration.NUMBER_UNLINK),
        ("NUMBER_UNLINKING", Registration.NUMBER_UNLINK),
        ("number unlinking", Registration.NUMBER_UNLINK),
        ("number-unlinks", Registration.NUMBER_UNLINK),
    ],
)
def test_the_kind_is_found_under_any_of_its_names(name: str, word: str, registration: Registration) -> None:
    fields = {"BrandID": "B1", "CampaignID": "C1", "Number": "14155550100", name: word}

    receipt = one(form(fields))

    assert receipt.registration is registration
    assert name not in dict(receipt.extra)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BrandID", "B1"),
        ("brand_id", "B1"),
        ("BrandId", "B1"),
        ("brandId", "B1"),
        ("BRAND_ID", "B1"),
        ("brand-id", "B1"),
    ],
)
def test_ids_are_found_in_any_spelling(name: str, value: str) -> None:
    receipt = one(form({"Status": "created", name: value}))

    assert (receipt.registration, receipt.provider_brand_id, receipt.extra) == (Registration.BRAND, "B1", ())


@pytest.mark.parametrize("name", ["Status", "status", "RegistrationStatus", "registration_status", "brand_status"])
def test_the_status_is_found_under_any_of_its_names(name: str) -> None:
    assert one(form({"brand_id": "B1", name: "COMPLETED"})).status is Status.REGISTERED


@pytest.mark.parametrize(
    ("fields", "registration"),
    [
        ({"brand_id": "B1"}, Registration.BRAND),
        ({"brand_id": "B1", "number": "14155550100"}, Registration.BRAND),
        ({"brand_id": "B1", "campaign_id": "C1"}, Registration.CAMPAIGN),
        ({"campaign_id": "C1"}, Registration.CAMPAIGN),
        ({"campaign_id": "C1", "phone_number": "14155550100"}, Registration.NUMBER_LINK),
        ({"tendlc_campaign_id": "C1", "numbers": "14155550100"}, Registration.NUMBER_LINK),
    ],
)
def test_without_a_word_and_a_path_the_ids_tell_the_kind(fields: dict[str, str], registration: Registration) -> None:
    assert one(form(fields | {"Status": "created"})).registration is registration


@pytest.mark.parametrize("path", PATHS)
def test_without_a_word_the_path_tells_the_kind(path: str) -> None:
    receipt = one(form({"campaign_id": "C1", "number": "14155550100", "brand_id": "B1"}, kind=path))

    assert (receipt.registration, receipt.our_id) == (PATHS[path], "ours-1")


def test_a_word_goes_before_the_path_and_our_id_of_another_thing_is_left_out() -> None:
    receipt = one(form(CAMPAIGN, kind="brands"))

    assert (receipt.registration, receipt.our_id) == (Registration.CAMPAIGN, None)


def test_linking_and_unlinking_are_about_the_same_number_so_our_id_stays() -> None:
    receipt = one(form(LINK, kind="number-unlinks"))

    assert (receipt.registration, receipt.our_id) == (Registration.NUMBER_LINK, "ours-1")


def test_the_kind_may_stand_in_the_query_of_our_own_url() -> None:
    fields = {"campaign_id": "C1", "number": "14155550100", "status": "success"}

    receipt = one(form(fields, query="kind=number_unlinking"))

    assert (receipt.registration, receipt.status) == (Registration.NUMBER_UNLINK, Status.UNLINKED)


def test_a_word_in_the_body_goes_before_one_in_the_query() -> None:
    assert one(form(LINK, query="kind=number_unlinking")).registration is Registration.NUMBER_LINK


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "content", [{"what": "ever"}, {"Status": "weird"}, {"a": {"b": [1, {"c": None}]}}, {"api_id": "1", "message": "ok"}]
)
def test_with_our_id_any_shape_is_a_fact_about_our_thing(path: str, content: dict[str, Any]) -> None:
    receipt = one(json_body(content, kind=path))

    assert (receipt.registration, receipt.our_id, receipt.status) == (PATHS[path], "ours-1", None)
    assert receipt.provider_status == content.get("Status", "")
    assert len(receipt.extra) == len(content) - ("Status" in content) - ("message" in content)


def test_nothing_at_all_is_not_a_fact() -> None:
    with pytest.raises(CallbackNotUnderstood):
        parse(form({}, kind="brands"))


@pytest.mark.parametrize(
    ("fields", "reason", "code"),
    [
        ({"Reason": "EIN does not match"}, "EIN does not match", None),
        ({"error_reason": "EIN", "error_description": "does not match"}, "EIN", None),
        ({"error_description": "does not match", "error_code": "502"}, "does not match", "502"),
        ({"Message": "Refused", "ErrorCode": "30"}, "Refused", "30"),
        ({"ErrorCode": "000"}, None, None),
        ({"declined_reasons": '["EIN", "name"]'}, "EIN; name", None),
        ({}, None, None),
    ],
)
def test_why_it_was_rejected(fields: dict[str, str], reason: str | None, code: str | None) -> None:
    receipt = one(form(BRAND | {"Status": "rejected"} | fields))

    assert (receipt.reason, receipt.error_code) == (reason, code)


def test_small_talk_of_a_success_is_no_reason_and_is_kept() -> None:
    receipt = one(form(BRAND | {"Message": "Request was received"}))

    assert (receipt.reason, receipt.extra) == (None, (("Message", "Request was received"),))


@pytest.mark.parametrize(
    "text",
    ["2026-03-02T09:15:01Z", "2026-03-02 09:15:01", "2026-03-02 14:45:01+05:30", "1772442901", "1772442901000"],
)
def test_the_time_of_the_event_is_read_in_several_formats(text: str) -> None:
    receipt = one(form(BRAND | {"Timestamp": text}))

    assert receipt.occurred_at == datetime(2026, 3, 2, 9, 15, 1, tzinfo=UTC)
    assert receipt.extra == ()


@pytest.mark.parametrize("text", ["yesterday", "9", "2026-03-02", "99999999999999999999", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_is_none_is_kept_as_it_came(text: str) -> None:
    receipt = one(form(BRAND | {"Timestamp": text}))

    assert (receipt.occurred_at, receipt.extra) == (None, (("Timestamp", text),))


NUMBERS = ["+14155550100", "+14155550101"]


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(form(LINK | {"Number": "14155550100,14155550101"}), id="commas"),
        pytest.param(form(LINK | {"Number": "+14155550100, +14155550101"}), id="commas and spaces"),
        pytest.param(form(LINK | {"Number": "14155550100<14155550101"}), id="as in a message's dst"),
        pytest.param(form(LINK | {"Number": '["14155550100", "14155550101"]'}), id="a list in a form"),
        pytest.param(
            form(LINK | {"Number": "", "Numbers[0]": "14155550100", "Numbers[1]": "14155550101"}), id="counted"
        ),
        pytest.param(json_body(LINK | {"Number": [14155550100, "14155550101"]}), id="a list in JSON"),
        pytest.param(
            json_body({"event": "number_linking", "status": "success", "data": {**LINK, "Number": NUMBERS}}),
            id="one level down",
        ),
        pytest.param(
            CallbackRequest(
                method="POST",
                url=URL,
                body=b"Event=number_linking&Status=success&CampaignID=CY5NVUA&Number=14155550100&Number=14155550101",
            ),
            id="repeated",
        ),
        pytest.param(
            CallbackRequest(
                method="GET",
                url=URL + "?Event=number_linking&Status=success&CampaignID=CY5NVUA&numbers[]=14155550101"
                "&numbers[]=14155550100",
            ),
            id="repeated in a query",
        ),
    ],
)
def test_each_of_several_numbers_has_its_receipt(request_: CallbackRequest) -> None:
    receipts = read(request_)

    assert sorted(receipt.number or "" for receipt in receipts) == NUMBERS
    assert {(receipt.status, receipt.provider_campaign_id) for receipt in receipts} == {(Status.LINKED, "CY5NVUA")}


def test_numbers_may_have_statuses_of_their_own() -> None:
    numbers = [
        {"number": "14155550100", "status": "COMPLETED"},
        {"number": "14155550101", "status": "FAILED", "error_reason": "not ours", "error_code": 12},
        {"number": "14155550100", "status": "FAILED"},
    ]

    receipts = read(json_body({"campaign_id": "C1", "phone_numbers": numbers}))

    assert [(each.number, each.status, each.reason, each.error_code) for each in receipts] == [
        ("+14155550100", Status.LINKED, None, None),
        ("+14155550101", Status.FAILED, "not ours", "12"),
    ]


def test_what_is_no_number_is_kept_and_names_none() -> None:
    receipt = one(form(LINK | {"Number": "several"}, kind="number-links"))

    assert (receipt.number, receipt.our_id) == (None, "ours-1")
    assert receipt.extra == (("Number", "several"),)


@pytest.mark.parametrize(
    "content",
    [
        {"event": "brand", "data": {"brand_id": "B1", "status": "rejected", "reason": "EIN"}},
        {"brand": {"id": "B1", "status": "rejected", "reason": "EIN"}},
        {"event": {"type": "brand", "status": "rejected"}, "brand": {"brand_id": "B1"}, "error": {"reason": "EIN"}},
        {"type": "brand_rejected", "brand_id": "B1", "reason": "EIN"},
        {"type": "brand.rejected", "brand_id": "B1", "reason": "EIN"},
        {"event": "brand", "status": "rejected", "brand_id": "B1", "error": {"code": 0, "description": "EIN"}},
    ],
)
def test_objects_are_read_one_level_down(content: dict[str, Any]) -> None:
    receipt = one(json_body(content))

    assert (receipt.registration, receipt.provider_brand_id) == (Registration.BRAND, "B1")
    assert (receipt.status, receipt.reason, receipt.error_code) == (Status.REJECTED, "EIN", None)


def test_members_of_a_form_are_read_as_those_of_an_object() -> None:
    receipt = one(form({"event": "brand", "data[brand_id]": "B1", "data[status]": "registered"}))

    assert (receipt.provider_brand_id, receipt.status, receipt.extra) == ("B1", Status.REGISTERED, ())


def test_an_object_is_kept_whole() -> None:
    receipt = one(json_body({"event": "brand", "data": {"brand_id": "B1", "score": 75}}))

    assert receipt.extra == (("data", '{"brand_id": "B1", "score": 75}'),)


def test_the_status_of_something_inside_does_not_go_before_its_own() -> None:
    receipt = one(json_body({"event": "brand", "brand_id": "B1", "status": "weird", "vetting": {"status": "ACTIVE"}}))

    assert (receipt.status, receipt.provider_status) == (None, "weird")


def test_the_raw_words_of_a_repeat_are_the_same_fact() -> None:
    assert read(form(LINK)) == read(form(dict(reversed(LINK.items()))))


def test_every_registration_knows_what_pending_and_refused_are() -> None:
    for words in tendlc.STATUSES.values():
        assert {words[word] for word in ("created", "processing")} == {Status.PENDING}
        assert words["failed"] in (Status.REJECTED, Status.FAILED)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["brand", "created", "B1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["Event", "Status", "brand_id", "CampaignID", "numbers", "reason", "data", "error", "time", "x", "numbers[0]"]
)


@given(content=st.dictionaries(NAMES, JSON, min_size=1), path=st.sampled_from([None, *PATHS]))
def test_any_shape_is_read_or_set_aside(content: dict[str, Any], path: str | None) -> None:
    try:
        receipts = read(json_body(content, kind=path))
    except (CallbackNotUnderstood, CallbackMalformed):
        return
    assert receipts
    for receipt in receipts:
        hash(receipt)
        assert receipt.our_id or receipt.provider_brand_id or receipt.provider_campaign_id or receipt.number
