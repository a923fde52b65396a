from datetime import UTC, datetime

import pytest

from landed.domain.meanings import Fault
from landed.domain.receipts import AttemptChannel, AttemptReport, SessionReceipt, SessionStatus
from landed.domain.statuses import Status
from landed.providers.plivo import error_codes, hangup_causes
from tests.unit.providers.plivo.requests import ATTEMPT_ID, LEFT_OUT, SESSION, SESSION_ID, form, only


def session(**fields: str) -> SessionReceipt:
    receipt = only(form({name: value for name, value in (SESSION | fields).items() if value != LEFT_OUT}))
    assert isinstance(receipt, SessionReceipt)
    return receipt


def attempt(**fields: str) -> AttemptReport:
    told = session(**fields).attempt
    assert told is not None
    return told


def test_a_callback_tells_of_a_session_and_its_attempt() -> None:
    assert session() == SessionReceipt(
        provider_session_id=SESSION_ID,
        provider_status="in-progress",
        status=SessionStatus.IN_PROGRESS,
        attempt=AttemptReport(
            provider_attempt_id=ATTEMPT_ID,
            provider_status="sent",
            status=Status.SENT,
            sequence=1,
            channel=AttemptChannel.SMS,
            requested_at=datetime(2026, 3, 2, 10, 0, 0, 363253, tzinfo=UTC),
        ),
        recipient="+14155550123",
    )


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("in-progress", SessionStatus.IN_PROGRESS),
        ("In-Progress", SessionStatus.IN_PROGRESS),
        ("in_progress", SessionStatus.IN_PROGRESS),
        ("verified", SessionStatus.VERIFIED),
        ("expired", SessionStatus.EXPIRED),
        ("Expired", SessionStatus.EXPIRED),
        ("deferred", None),
    ],
)
def test_the_session_has_its_status_and_the_word_as_it_came(word: str, status: SessionStatus | None) -> None:
    receipt = session(SessionStatus=word)

    assert (receipt.status, receipt.provider_status) == (status, word)


@pytest.mark.parametrize(
    ("channel", "word", "status"),
    [
        ("sms", "queued", Status.QUEUED),
        ("sms", "sent", Status.SENT),
        ("sms", "delivered", Status.DELIVERED),
        ("SMS", "Failed", Status.FAILED),
        ("sms", "undelivered", Status.UNDELIVERED),
        ("sms", "completed", None),
        ("sms", "no-answer", None),
        ("whatsapp", "read", Status.READ),
        ("voice", "ringing", Status.SENT),
        ("voice", "in-progress", Status.SENT),
        ("voice", "IN-PROGRESS", Status.SENT),
        ("voice", "completed", Status.DELIVERED),
        ("voice", "answer", Status.DELIVERED),
        ("voice", "no-answer", Status.UNDELIVERED),
        ("Voice", "No_Answer", Status.UNDELIVERED),
        ("voice", "busy", Status.UNDELIVERED),
        ("voice", "failed", Status.FAILED),
        ("voice", "queued", Status.QUEUED),
        ("voice", "cancel", None),
        ("voice", "timeout", None),
        (LEFT_OUT, "no-answer", Status.UNDELIVERED),
        (LEFT_OUT, "delivered", Status.DELIVERED),
        ("pigeon", "ringing", Status.SENT),
        ("pigeon", "eaten", None),
    ],
)
def test_an_attempt_is_read_by_its_channel(channel: str, word: str, status: Status | None) -> None:
    told = attempt(Channel=channel, ChannelStatus=word)

    assert (told.status, told.provider_status) == (status, word)


@pytest.mark.parametrize(
    ("channel", "code", "expected"),
    [("sms", "70", "70"), ("sms", "000", None), ("sms", "", None), ("voice", "3010", "3010"), ("voice", "", None)],
)
def test_error_codes_are_kept_as_text(channel: str, code: str, expected: str | None) -> None:
    assert attempt(Channel=channel, ChannelErrorCode=code).error_code == expected


@pytest.mark.parametrize(
    "text", ["2026-03-02T10:01:10.1002Z", "2026-03-02 10:01:10.100200", "2026-03-02T12:01:10.1002+02:00"]
)
def test_the_time_is_read_in_either_format(text: str) -> None:
    assert attempt(RequestTime=text).requested_at == datetime(2026, 3, 2, 10, 1, 10, 100200, tzinfo=UTC)


def test_what_tells_of_an_attempt_that_has_no_id_is_kept_with_the_session() -> None:
    receipt = session(AttemptUUID="", SessionStatus="verified")

    assert (receipt.status, receipt.attempt) == (SessionStatus.VERIFIED, None)
    assert dict(receipt.extra)["ChannelStatus"] == "sent"


def test_a_callback_about_an_attempt_alone_says_nothing_of_the_session() -> None:
    receipt = session(SessionStatus="")

    assert (receipt.status, receipt.provider_status) == (None, "")
    assert attempt(SessionStatus="").status is Status.SENT


def test_further_fields_are_kept() -> None:
    assert session(MessageUUID="m1", Status="sent", Locale="de").extra == (
        ("Locale", "de"),
        ("MessageUUID", "m1"),
        ("Status", "sent"),
    )


def test_hangup_causes_are_explained_and_take_no_code_of_messages() -> None:
    assert error_codes.explain("3010").title == "Line was busy"
    assert error_codes.explain("2030").fault is Fault.POLICY
    assert error_codes.explain("5555").fault is Fault.UNKNOWN
    assert not hangup_causes.MEANINGS.keys() & error_codes.MEANINGS.keys()
    assert all(len(code) == 4 and meaning.advice.endswith(".") for code, meaning in hangup_causes.MEANINGS.items())
