"""Captured callbacks: what their files say, and where a provider reads them otherwise."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from landed.providers.plivo.provider import Plivo
from landed.providers.routee.provider import Routee
from landed.testing import captured
from tests.serving import callback_files

ROOT: Final = Path(__file__).parents[3]
GUIDE: Final = (ROOT / "docs/adding-a-provider.md").read_text(encoding="utf-8")
#: Words of our own files that are for people.
FOR_PEOPLE: Final = {
    "kind", "signature", "evidence", "must_be_rejected", "duplicate_of", "charged", "rate", "requester_ip",
}  # fmt: skip


def read(name: str) -> captured.Captured:
    return captured.read_file(next(file for file in callback_files("*/callbacks/*.json") if file.stem == name))


def test_a_file_is_a_request_byte_for_byte_and_what_to_expect() -> None:
    one = read("plivo_sms_delivered_post_with_query")

    assert (one.request.method, one.request.url) == ("POST", "https://hooks.example.com/plivo/status?tenant=42")
    assert one.request.body.startswith(b"Status=delivered&From=14155550100&")
    assert one.request.headers["x-plivo-signature-v3-nonce"].isdecimal()
    assert (one.expect["kind"], one.is_malformed, one.is_forged) == ("message_status", False, False)
    assert one.auth_token


@pytest.mark.parametrize(
    ("name", "word", "other"),
    [
        ("plivo_sms_undelivered_30", "status", "failed"),
        ("plivo_sms_undelivered_30", "error_code", "31"),
        ("plivo_sms_undelivered_30", "error_class", "carrier"),
        ("plivo_sms_undelivered_30", "amount", "1.5"),
        ("plivo_sms_undelivered_30", "terminal", False),
        ("plivo_sms_delivered_powerpack", "powerpack_uuid", "another"),
        ("plivo_sms_part_2_of_3_legacy", "part", 3),
        ("plivo_sms_delivered_get", "extra", {"tenant": "43"}),
        ("routee_sms_delivered", "occurred_at", "2026-03-02T09:15:05Z"),
        ("plivo_inbound_mms_media0", "media", []),
        ("plivo_inbound_sms_optout", "intent", "optin"),
        ("plivo_verify_voice_no_answer", "status", "delivered"),
        ("plivo_verify_voice_no_answer", "attempt_sequence", 3),
        ("plivo_10dlc_brand_rejected", "reason", "none"),
        ("plivo_10dlc_number_unlinking_failed", "event", "number_linking"),
        ("routee_sms_undelivered_unknown_number", "provider_reason", "Roaming"),
        ("routee_two_step_verified", "status", "expired"),
        ("routee_campaign_progress", "counts", {}),
        ("routee_campaign_progress", "total", 99),
    ],
)
def test_whatever_is_read_otherwise_than_expected_is_told(name: str, word: str, other: Any) -> None:
    one = read(name)
    provider = Plivo() if name.startswith("plivo") else Routee()
    assert captured.differences(provider, one) == {}

    assert word in captured.differences(provider, replace(one, expect={**one.expect, word: other}))


def test_a_part_that_nobody_numbers_is_the_first() -> None:
    one = read("plivo_sms_part_2_of_3_legacy")
    unnumbered = replace(one.request, body=one.request.body.replace(b"&PartInfo=2+of+3", b""))
    expect = {"kind": "message_status", "part_id": one.expect["part_id"], "part": 1, "parts": 1}

    assert captured.differences(Plivo(), replace(one, request=unnumbered, expect=expect)) == {}


def test_a_callback_taken_for_another_kind_is_told() -> None:
    one = read("plivo_sms_undelivered_30")

    assert captured.differences(Plivo(), replace(one, expect={"kind": "tendlc"})) == {
        "kind": ("RegistrationReceipt", ["Receipt"])
    }


def test_the_guide_lists_every_word_that_our_files_use() -> None:
    used = {
        word for file in callback_files("*/callbacks/*.json") for word in json.loads(file.read_text())["expect"]
    } - FOR_PEOPLE
    kinds = {json.loads(file.read_text())["expect"]["kind"] for file in callback_files("*/callbacks/*.json")}

    listed = set(re.findall(r"`(\w+)`", GUIDE))
    assert sorted((used | kinds) - listed) == []
