"""What is read out of Routee's callbacks: the captured ones, and what nobody would send."""

import contextlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import CallbackMalformed, CallbackNotUnderstood, LandedError
from landed.domain.messages import Message, fold
from landed.domain.receipts import (
    BroadcastReceipt,
    Channel,
    Content,
    Direction,
    PartOf,
    Receipt,
    SessionReceipt,
    SessionStatus,
    Telling,
)
from landed.domain.statuses import Status
from landed.providers.routee import callbacks, error_codes

FILES: Final = sorted((Path(__file__).parents[3] / "providers/routee/callbacks").glob("*.json"))
AT: Final = datetime(2026, 3, 2, 9, 15, 4, tzinfo=UTC)
STATUS: Final[dict[str, Any]] = {
    "messageId": "fa281648",
    "smsId": "e6d20df9",
    "part": 1,
    "parts": 1,
    "to": "+306973359355",
    "from": "amdTelecom",
    "status": {
        "name": "Delivered",
        "reason": {"detailedStatus": "Delivered", "description": ""},
        "updatedDate": "2026-03-02T09:15:04Z",
    },
    "price": 0.0421,
    "direction": "Outbound",
    "originatingService": "Sms",
}


def request(body: Any, **more: Any) -> CallbackRequest:
    return CallbackRequest(
        method="POST",
        url="https://hooks.example.com/callbacks/k",
        headers={"content-type": "application/json;charset=UTF-8"},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        **more,
    )


def told(body: Any, **more: Any) -> Any:
    (receipt,) = callbacks.parse(request(body, **more))
    return receipt


def status(name: Any = "Delivered", detailed: Any = None, description: Any = None, **more: Any) -> Receipt:
    reason = {"detailedStatus": detailed, "description": description}
    receipt = told({**STATUS, "status": {"name": name, "reason": reason, "updatedDate": f"{AT:%FT%TZ}"}, **more})
    assert isinstance(receipt, Receipt)
    return receipt


def message(*receipts: Receipt) -> Message:
    return fold({}, [Telling(receipt, AT, number) for number, receipt in enumerate(receipts)])


def captured(name: str) -> Any:
    (file,) = (file for file in FILES if file.stem == name)
    return json.loads(file.read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_captured_callback_is_read_as_its_file_expects(file: Path) -> None:
    content = json.loads(file.read_text())
    expect = content["expect"]
    if expect["kind"] == "malformed":
        with pytest.raises(CallbackMalformed):
            told(content["body"].encode())
        return

    receipt = told(content["body"].encode())

    assert isinstance(
        receipt, {"campaign_status": BroadcastReceipt, "two_step": SessionReceipt}.get(expect["kind"], Receipt)
    )
    assert {word: value for word, value in _as_expected(receipt).items() if value != expect.get(word, value)} == {}


def _as_expected(receipt: Any) -> dict[str, Any]:
    if isinstance(receipt, BroadcastReceipt):
        return {
            "campaign_id": receipt.provider_broadcast_id,
            "provider_status": receipt.provider_status,
            "terminal": receipt.final,
            "counts": dict(receipt.counts),
            "total": receipt.recipients,
        }
    if isinstance(receipt, SessionReceipt):
        return {"provider_status": receipt.provider_status, "status": receipt.status, "to": receipt.recipient}
    extra, whole = dict(receipt.extra), message(receipt)
    part = receipt.part or PartOf(extra.get("smsId", ""), 1, 1)
    at = receipt.queued_at or receipt.sent_at or receipt.final_at
    return {
        "provider_message_id": receipt.provider_message_id,
        "part_id": part.provider_message_id,
        "part": part.number,
        "parts": part.of,
        "part_status": receipt.status,
        "provider_status": receipt.provider_status if receipt.direction is Direction.OUTBOUND else None,
        "status": whole.status,
        "terminal": whole.final,
        "direction": receipt.direction,
        "from": receipt.sender,
        "to": receipt.recipient,
        "provider_reason": receipt.error_code,
        "error_class": error_codes.explain(receipt.error_code).fault if receipt.error_code else None,
        "reason": extra.get("reason"),
        "campaign_id": extra.get("campaignTrackingId"),
        "amount": None if receipt.cost_nanos is None else f"{(Decimal(receipt.cost_nanos) / 10**9).normalize()}",
        "occurred_at": f"{at:%FT%TZ}" if at else None,
        "message_type": receipt.channel,
        "units": receipt.units,
        "text": receipt.content.text if receipt.content else None,
    }


class TestStatus:
    @pytest.mark.parametrize(
        ("word", "canonical"),
        [
            ("Queued", Status.QUEUED),
            ("Sent", Status.SENT),
            ("Delivered", Status.DELIVERED),
            ("Undelivered", Status.UNDELIVERED),
            ("Failed", Status.FAILED),
            ("Unsent", Status.FAILED),
            ("Network Error", Status.FAILED),
            ("DELIVERED", Status.DELIVERED),
            (" delivered ", Status.DELIVERED),
            ("network error", Status.FAILED),
        ],
    )
    def test_a_documented_word_has_its_status_in_any_case(self, word: str, canonical: Status) -> None:
        assert status(word).status is canonical

    @pytest.mark.parametrize("word", ["Lost in space", "Delivered?", "Rejected", "0", "ДОСТАВЛЕНО"])
    def test_an_unknown_word_is_kept_and_never_taken_for_success(self, word: str) -> None:
        receipt = status(word)

        assert (receipt.status, receipt.provider_status) == (None, word)
        assert message(receipt).status is Status.QUEUED
        assert dict(receipt.extra)["status.updatedDate"] == "2026-03-02T09:15:04Z"

    @pytest.mark.parametrize(
        ("word", "field"),
        [("Queued", "queued_at"), ("Sent", "sent_at"), ("Delivered", "final_at"), ("Unsent", "final_at")],
    )
    def test_its_date_is_the_time_of_that_status_alone(self, word: str, field: str) -> None:
        receipt = status(word)

        times = {name: getattr(receipt, name) for name in ("submitted_at", "queued_at", "sent_at", "final_at")}
        assert times == {"submitted_at": None, "queued_at": None, "sent_at": None, "final_at": None, field: AT}

    @pytest.mark.parametrize(
        "text", ["2026-03-02T09:15:04Z", "2026-03-02T09:15:04.000Z", "2026-03-02T11:15:04+02:00", "2026-03-02T09:15:04"]
    )
    def test_dates_come_with_and_without_milliseconds_and_offset(self, text: str) -> None:
        assert told({**STATUS, "status": {"name": "Delivered", "updatedDate": text}}).final_at == AT

    @pytest.mark.parametrize(
        "date",
        ["yesterday", "1772442904", "20260302", "", None, 5, ["2026-03-02"], {"a": 1}, "0001-01-01T00:00:00+23:59"],
    )
    def test_a_date_that_is_none_costs_nothing_but_itself(self, date: Any) -> None:
        receipt = told({**STATUS, "status": {"name": "Delivered", "updatedDate": date}})

        assert (receipt.status, receipt.final_at) == (Status.DELIVERED, None)

    def test_it_is_also_read_as_the_tracking_resource_tells_it(self) -> None:
        receipt = told({**STATUS, "status": {"status": "Sent", "date": "2026-03-02T09:15:04.000Z"}, "body": "A text"})

        assert (receipt.status, receipt.sent_at) == (Status.SENT, AT)
        assert "body" not in dict(receipt.extra)

    def test_only_id_and_word_are_needed(self) -> None:
        receipt = told({"messageId": "m", "status": {"name": "Sent"}})

        assert receipt == Receipt("m", "Sent", Status.SENT)

    def test_nulls_and_blanks_are_nothing(self) -> None:
        empty: dict[str, Any] = {
            "smsId": None,
            "part": None,
            "parts": None,
            "label": "",
            "groups": [],
            "price": None,
            "operator": None,
        }

        assert told({"messageId": "m", "status": {"name": "Sent", "reason": None}, **empty}).extra == ()

    def test_the_text_of_what_we_sent_is_left_to_the_raw_callback(self) -> None:
        receipt = told({**STATUS, "message": "Your pin is 1234"})

        assert "1234" not in repr(receipt)

    def test_every_other_field_is_kept_as_it_came(self) -> None:
        receipt = told({
            **STATUS, "country": "GR", "operator": "COSMOTE", "label": "otp", "latency": 3, "groups": ["a", "b"],
            "campaignTrackingId": "c-1", "campaignName": "Welcoming", "poolId": "p-1", "new": {"deep": [1.50, True]},
            "status": {"name": "Sent", "newer": "x", "reason": {"description": "d", "code": 7}},
        })  # fmt: skip

        assert dict(receipt.extra) == {
            "country": "GR", "operator": "COSMOTE", "label": "otp", "latency": "3", "groups": '["a", "b"]',
            "campaignTrackingId": "c-1", "campaignName": "Welcoming", "poolId": "p-1",
            "new": '{"deep": ["1.5", true]}', "status.newer": "x", "status.reason.code": "7", "reason": "d",
            "smsId": "e6d20df9",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("price", "nanos"),
        [
            (0.0421, 42_100_000),
            ("0.0421", 42_100_000),
            (0, 0),
            (1, 10**9),
            (1e-3, 1_000_000),
            ("number", None),
            (True, None),
            ([1], None),
            ("1e400", None),
        ],
    )
    def test_a_price_is_exact_and_has_no_currency(self, price: Any, nanos: int | None) -> None:
        receipt = told({**STATUS, "price": price})

        assert (receipt.cost_nanos, receipt.currency) == (nanos, None)

    def test_a_price_keeps_the_digits_that_a_float_loses(self) -> None:
        body = json.dumps(STATUS).replace("0.0421", "12345.678901234").encode()

        assert told(body).cost_nanos == 12_345_678_901_234

    def test_our_id_comes_from_a_path_for_messages_only(self) -> None:
        assert told(STATUS, kind="messages", our_id="o-1").our_id == "o-1"
        assert told(STATUS, kind="verify", our_id="o-1").our_id is None

    def test_a_status_of_an_inbound_message_never_touches_an_outbound_one(self) -> None:
        assert status("Delivered", direction="Inbound").direction is Direction.INBOUND


class TestReason:
    @pytest.mark.parametrize("word", ["Sent", "Delivered", "Undelivered", "Failed", "Queued", "undelivered"])
    def test_a_reason_that_repeats_the_status_is_none(self, word: str) -> None:
        receipt = status(word.capitalize(), detailed=word)

        assert receipt.error_code is None
        assert "detailedStatus" not in dict(receipt.extra)

    @pytest.mark.parametrize(
        ("detailed", "reason"),
        [
            ("Unknown Number", "Unknown Number"),
            ("UNKNOWN NUMBER", "Unknown Number"),
            ("ExpiredTTL", "Expired"),
            ("Eaten by a dog", "Eaten by a dog"),
        ],
    )
    def test_a_reason_of_its_own_is_told_in_one_spelling(self, detailed: str, reason: str) -> None:
        assert status("Undelivered", detailed=detailed).error_code == reason

    def test_a_status_that_contradicts_its_reason_keeps_both(self) -> None:
        receipt = status("Undelivered", detailed="Delivered")

        assert (receipt.status, receipt.error_code) == (Status.UNDELIVERED, None)
        assert dict(receipt.extra)["detailedStatus"] == "Delivered"

    def test_what_was_delivered_has_no_reason_to_be_lost(self) -> None:
        receipt = status("Delivered", detailed="Unknown Status")

        assert receipt.error_code is None
        assert dict(receipt.extra)["detailedStatus"] == "Unknown Status"

    @pytest.mark.parametrize("word", ["Unsent", "Network Error"])
    def test_two_statuses_are_a_reason_themselves(self, word: str) -> None:
        assert status(word, detailed=word).error_code == word
        assert status(word, detailed="Carrier Violation").error_code == "Carrier Violation"

    @pytest.mark.parametrize("reason", [None, "Unknown Number", ["Unknown Number"], 7, True, {}])
    def test_a_reason_of_another_shape_breaks_nothing(self, reason: Any) -> None:
        receipt = told({**STATUS, "status": {"name": "Undelivered", "reason": reason}})

        assert receipt.status is Status.UNDELIVERED

    def test_the_description_is_kept_as_the_reason(self) -> None:
        assert dict(status("Failed", "Failed", "could not be processed").extra)["reason"] == "could not be processed"


class TestParts:
    def part(self, number: Any, of: Any, name: str = "Delivered", **more: Any) -> Receipt:
        return status(name, **{"part": number, "parts": of, "smsId": f"s-{number}", **more})

    def test_a_message_of_one_part_is_told_as_a_whole(self) -> None:
        receipt = self.part(1, 1)

        assert (receipt.part, receipt.units) == (None, 1)
        assert dict(receipt.extra)["smsId"] == "s-1"

    def test_numbers_may_come_as_text(self) -> None:
        assert self.part("2", "3").part == PartOf("s-2", 2, 3)

    def test_the_message_is_delivered_with_its_last_part_and_its_price_is_theirs_together(self) -> None:
        parts = [self.part(number, 3) for number in (3, 1, 2)]

        assert [message(*parts[:count]).final for count in (1, 2, 3)] == [False, False, True]
        whole = message(*parts)
        assert (whole.status, whole.units, whole.cost_nanos) == (Status.DELIVERED, 3, 126_300_000)

    def test_a_lost_part_is_not_hidden_by_the_others(self) -> None:
        whole = message(self.part(1, 2), self.part(2, 2, "Undelivered", direction="Outbound"))

        assert (whole.status, whole.final) == (Status.UNDELIVERED, True)

    def test_one_part_of_many_never_ends_the_message_whatever_is_missing(self) -> None:
        odd: list[dict[str, Any]] = [
            {"part": 2, "parts": 3, "smsId": None},
            {"part": None, "parts": 3},
            {"part": 2, "parts": None},
            {"part": 0, "parts": 3},
            {"part": -1, "parts": "3"},
            {"part": 1.5, "parts": 2},
            {"part": 5, "parts": 3},
            {"part": [1], "parts": 2, "smsId": ["x"]},
        ]

        for fields in odd:
            receipt = told({**STATUS, **fields})
            assert receipt.part is not None
            assert not message(receipt).final, fields

    def test_parts_that_nobody_numbers_are_told_apart_by_their_ids(self) -> None:
        lost, arrived = self.part(None, None, "Undelivered", smsId="a"), self.part(None, None, smsId="b")
        whole = message(lost, arrived)

        assert (lost.part, lost.units) == (PartOf("a", None, 1), 1)
        assert (whole.status, whole.final, len(whole.parts), whole.units) == (Status.UNDELIVERED, True, 2, 2)

    def test_the_only_id_of_a_message_is_the_whole_of_it(self) -> None:
        queued, arrived = self.part(1, 1, "Queued", smsId="a"), self.part(None, None, smsId="a")
        whole = message(queued, arrived)

        assert (whole.status, whole.final, whole.parts, whole.units) == (Status.DELIVERED, True, (), 1)

    def test_a_part_without_an_id_is_the_one_with_its_number(self) -> None:
        queued = [self.part(number, 2, "Queued") for number in (1, 2)]
        arrived = [self.part(number, 2, smsId=None) for number in (1, 2)]
        whole = message(*queued, *arrived)

        assert (whole.status, whole.final, len(whole.parts), whole.units) == (Status.DELIVERED, True, 2, 2)

    def test_parts_without_an_id_are_told_apart_by_their_number(self) -> None:
        parts = [told({**STATUS, "smsId": None, "part": number, "parts": 2}) for number in (1, 2)]

        assert message(*parts).final


class TestInbound:
    def test_of_an_emoji_that_was_cut_in_two_a_replacement_is_left(self) -> None:
        receipt = told(b'{"messageId": "i", "direction": "Inbound", "message": "cut \\ud83d", "label": "\\ude00"}')

        assert receipt.content == Content("cut \N{REPLACEMENT CHARACTER}")
        assert receipt.extra == (("label", "\N{REPLACEMENT CHARACTER}"),)

    INBOUND: Final[dict[str, Any]] = {
        "messageId": "i-1",
        "from": "+306999999999",
        "to": "54444",
        "message": "STOP",
        "parts": 2,
        "originatingService": "Sms",
        "direction": "Inbound",
        "receivedDate": "2026-03-02T09:15:04Z",
    }

    def test_it_is_received_with_what_it_says(self) -> None:
        assert told(self.INBOUND) == Receipt(
            provider_message_id="i-1",
            provider_status="received",
            status=Status.RECEIVED,
            direction=Direction.INBOUND,
            channel=Channel.SMS,
            sender="+306999999999",
            recipient="54444",
            units=2,
            submitted_at=AT,
            final_at=AT,
            content=Content("STOP"),
        )

    def test_a_pool_tells_its_price(self) -> None:
        receipt = told({**self.INBOUND, "price": 0.01, "poolName": "p"})

        assert (receipt.cost_nanos, receipt.extra) == (10_000_000, (("poolName", "p"),))

    def test_it_may_lack_its_direction_but_not_date_too(self) -> None:
        assert told({**self.INBOUND, "direction": None}).direction is Direction.INBOUND
        with pytest.raises(CallbackNotUnderstood):
            told({**self.INBOUND, "direction": None, "receivedDate": None})

    def test_an_outbound_message_without_a_status_is_not_taken_for_inbound(self) -> None:
        with pytest.raises(CallbackNotUnderstood, match=r"status\.name is missing"):
            told({**self.INBOUND, "direction": "Outbound"})

    @pytest.mark.parametrize("text", ["", " ", "a\nb", "😀" * 70, None])
    def test_any_text_is_kept_as_it_is(self, text: str | None) -> None:
        assert told({**self.INBOUND, "message": text}).content == Content(text)


class TestTwoStep:
    SESSION: Final[dict[str, Any]] = {
        "applicationId": "5756",
        "trackingId": "t-1",
        "recipient": "306973359355",
        "status": "Pending",
        "updatedAt": "2026-03-02T09:15:04.000Z",
    }

    @pytest.mark.parametrize(
        ("word", "canonical"),
        [
            ("Pending", SessionStatus.IN_PROGRESS),
            ("Verified", SessionStatus.VERIFIED),
            ("Cancelled", SessionStatus.CANCELLED),
            ("Expired", SessionStatus.EXPIRED),
            ("Failed", SessionStatus.FAILED),
            ("VERIFIED", SessionStatus.VERIFIED),
            ("Delivered", None),
            ("verified!", None),
        ],
    )
    def test_a_documented_word_has_its_status_and_no_other_has(
        self, word: str, canonical: SessionStatus | None
    ) -> None:
        assert told({**self.SESSION, "status": word}) == SessionReceipt(
            provider_session_id="t-1",
            provider_status=word,
            status=canonical,
            recipient="+306973359355",
            updated_at=AT,
            extra=(("applicationId", "5756"),),
        )

    def test_our_id_comes_from_a_path_for_sessions_only(self) -> None:
        assert told(self.SESSION, kind="verify", our_id="o-1").our_id == "o-1"
        assert told(self.SESSION, kind="messages", our_id="o-1").our_id is None


class TestCampaign:
    def campaign(self, **more: Any) -> BroadcastReceipt:
        receipt = told(
            {"trackingId": "c-1", "name": "n", "totalRecipients": "100", "campaignStatus": "Running", **more}
        )
        assert isinstance(receipt, BroadcastReceipt)
        return receipt

    @pytest.mark.parametrize("word", ["Completed", "FINISHED", "Cancelled", "Canceled", "Failed"])
    def test_it_is_final_when_it_has_ended(self, word: str) -> None:
        assert self.campaign(campaignStatus=word).final

    @pytest.mark.parametrize("word", ["Queued", "Scheduled", "Running", "Almost Completed", None])
    def test_no_other_word_ends_it(self, word: str | None) -> None:
        receipt = self.campaign(campaignStatus=word, messageStatuses={"Delivered": 100})

        assert (receipt.final, receipt.provider_status) == (False, word or "")

    def test_counts_are_in_our_words_and_unknown_ones_in_theirs(self) -> None:
        counts = {"DELIVERED": 3, "Unsent": "1", "Failed": 2, "Lost in space": 4, "Sent": -1, "Queued": "many"}

        receipt = self.campaign(messageStatuses=counts)

        assert receipt.counts == (("Lost in space", 4), ("delivered", 3), ("failed", 3))
        assert dict(receipt.extra) == {"messageStatuses.Sent": "-1", "messageStatuses.Queued": "many"}

    @pytest.mark.parametrize("statuses", [None, [], {}, [{"name": "Sent", "count": 1}], "string", 5, True])
    def test_counts_of_another_shape_are_none(self, statuses: Any) -> None:
        assert self.campaign(messageStatuses=statuses).counts == ()

    def test_our_own_callback_url_is_left_to_the_raw_callback(self) -> None:
        receipt = self.campaign(callbackInfo={"url": "https://x.test/callbacks/secret-key", "strategy": "OnChange"})

        assert "secret-key" not in repr(receipt)
        assert receipt.extra == (("callbackInfo.strategy", "OnChange"),)


class TestStrange:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b'"x"',
            b"7",
            b"null",
            b"messageId=x&status=Delivered",
            b"\xff",
            b"[" * 100_000,
            b'{"a":' * 100_000,
        ],
    )
    def test_what_is_no_json_object_is_malformed(self, body: bytes) -> None:
        with pytest.raises(CallbackMalformed):
            told(body)

    def test_an_object_nested_without_end_is_refused_or_kept(self) -> None:
        for depth in range(100, 1_000, 50):
            nested = b'{"messageId": "m", "status": {"name": "Sent"}, "x": ' + b"[" * depth + b"]" * depth + b"}"
            with contextlib.suppress(CallbackMalformed):
                assert told(nested).status is Status.SENT

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"status": "Delivered"},
            {"status": {"name": "Delivered"}},
            {"messageId": "m"},
            {"messageId": "m", "status": {}},
            {"messageId": "m", "status": {"name": ""}},
            {"messageId": "m", "status": {"name": ["Delivered"]}},
            {"messageId": "m", "status": ["Delivered"]},
            {"messageId": "m", "status": True},
            {"messageId": "", "status": {"name": "Delivered"}},
            {"messageId": " ", "status": {"name": "Delivered"}},
            {"messageId": ["m"], "status": {"name": "Delivered"}},
            {"messageId": {"a": "m"}, "status": {"name": "Delivered"}},
            {"messageId": "m" * 256, "status": {"name": "Delivered"}},
            {"trackingId": "t"},
            {"trackingId": "t", "status": {"name": "Verified"}},
            {"MESSAGEUUID": "m", "Status": "delivered"},
        ],
        ids=str,
    )
    def test_what_names_nothing_or_says_nothing_is_not_understood(self, body: Any) -> None:
        with pytest.raises(CallbackNotUnderstood):
            told(body)

    def test_what_speaks_of_several_things_is_one_fact_about_the_message(self) -> None:
        mixed = {**TestTwoStep.SESSION, "campaignStatus": "Completed", "messageStatuses": {"Delivered": 9}, **STATUS}

        receipt = told(mixed)

        assert isinstance(receipt, Receipt)
        assert receipt.provider_message_id == STATUS["messageId"]

    def test_the_captured_ones_are_of_three_kinds(self) -> None:
        bodies = {file.stem: captured(file.stem)["body"] for file in FILES if "malformed" not in file.stem}

        kinds = {name: type(told(body.encode())).__name__ for name, body in bodies.items()}

        assert {name: kind for name, kind in kinds.items() if kind != "Receipt"} == {
            "routee_campaign_progress": "BroadcastReceipt",
            "routee_two_step_verified": "SessionReceipt",
        }

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["name", "status", "reason", "detailedStatus", "updatedDate"]), inner)
            ),
            max_leaves=6,
        ),
        st.sampled_from(
            [*STATUS, "messageStatuses", "campaignStatus", "trackingId", "totalRecipients", "receivedDate"]
        ),
    )
    def test_no_value_of_no_field_raises_anything_but_our_errors(self, value: Any, field: str) -> None:
        for base in (STATUS, TestInbound.INBOUND, TestTwoStep.SESSION):
            with contextlib.suppress(LandedError):
                assert hash(told({**base, field: value})) is not None
