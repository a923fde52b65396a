"""Verify sessions from the journal to rows and counters, and from there to the API and the command line."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
import typer
from typer.testing import CliRunner, Result

from landed.cli import verify
from landed.cli.report import report
from landed.domain.callbacks import Callback, CallbackRequest
from landed.domain.errors import NotFound
from landed.domain.receipts import SessionReceipt, SessionStatus, Source, Telling
from landed.journal.base import Accepted
from landed.providers import registry
from landed.services.keeping.base import Told
from landed.services.keeping.sessions import ROWS, keeper
from landed.services.tracking import Tracker
from landed.store.connect import transaction
from tests.end_to_end.test_reading_api import NOW, PUBLIC_URL, START, House
from tests.end_to_end.test_tracking import LANES, NOON, Desk, desk_on, on_account, raw_callback, track_together
from tests.serving import callback_files
from tests.session_recount import recount_sessions

SESSION_FIELDS = [
    "id", "account", "provider", "provider_session_id", "our_id", "to", "country", "network", "channel", "status",
    "provider_status", "final", "contradictory", "error_code", "error", "attempts", "cost", "started_at", "expires_at",
    "delivered_at", "verified_at", "final_at", "time_to_verify_s", "time_to_verify_clock", "receipts_count",
    "unknown_statuses", "created_at", "updated_at",
]  # fmt: skip


# --- tracking ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with desk_on(database) as desk:
        yield desk


def session_callback(account_id: int, number: int = 0, *, after_s: float = 0, **fields: str) -> Accepted:
    told = {"SessionUUID": "s1", "SessionStatus": "in-progress", "Recipient": "14155550123"}
    return raw_callback(account_id, urlencode(told | fields).encode(), number, after_s=after_s)


def traffic(seed: int, account_id: int) -> list[Accepted]:
    """Some hundred callbacks about forty sessions: tried on two channels, contradictory, strange, of broken clocks."""
    chance = random.Random(seed)
    callbacks: list[Accepted] = []
    for session in range(40):
        started = NOON + timedelta(seconds=chance.randrange(7200))
        recipient = chance.choice(["14155550123", "447700900123", "4915112345678", ""])
        for _ in range(chance.randint(1, 7)):
            attempt = chance.randint(1, 3)
            requested = started + timedelta(seconds=60 * attempt)
            fields = {
                "SessionUUID": f"s{session}",
                "SessionStatus": chance.choice(["in-progress"] * 4 + ["verified", "Expired", "failed", "mislaid"]),
                "Recipient": recipient,
                "AttemptUUID": f"a{session}-{attempt}",
                "AttemptSequence": chance.choice(["", str(attempt)]),
                "Channel": chance.choice(["sms", "sms", "voice", ""]),
                "ChannelStatus": chance.choice(["queued", "sent", "delivered", "undelivered", "no-answer", "lost"]),
                "ChannelErrorCode": chance.choice(["", "000", "70", "3010"]),
                "RequestTime": chance.choice(["", f"{requested:%Y-%m-%dT%H:%M:%S.%f}Z", "1970-01-01 00:00:00"]),
                "tenant": chance.choice(["", 'a"b\\c\t{d}\r\n', "é😀"]),
            }
            if chance.random() < 0.2:
                fields = {name: fields[name] for name in ("SessionUUID", "SessionStatus", "Recipient")}
            callbacks.append(session_callback(account_id, len(callbacks), after_s=chance.randint(0, 9000), **fields))
    return callbacks


def disturbed(seed: int, callbacks: Sequence[Accepted]) -> list[list[Accepted]]:
    """The same in another order, some of them again and later, in batches of any size."""
    chance = random.Random(seed)
    copies = [each._replace(received_at=each.received_at + timedelta(minutes=2)) for each in callbacks[::3]]
    mixed = [*callbacks, *copies]
    chance.shuffle(mixed)
    batches = []
    while mixed:
        size = chance.choice([1, 5, 40])
        batches.append(mixed[:size])
        mixed = mixed[size:]
    return batches


async def state(desk: Desk, account_id: int) -> dict[str, Any]:
    """All that is known of an account's sessions, but for what names the account or the moment of writing."""
    sessions = await desk.rows("SELECT * FROM sessions WHERE account_id = %s ORDER BY provider_session_id", account_id)
    for row in sessions:
        row["facts"] = {receipt: heard.received_at for receipt, heard in ROWS.facts(row["facts"]).items()}
        for name in ("id", "account_id", "created_at", "updated_at"):
            del row[name]
    counters = {}
    for resolution in ("hour", "day"):
        rows = await desk.rows(
            f"SELECT * FROM session_counters_{resolution} WHERE account_id = %s AND (started, attempts) <> (0, 0)"
            " ORDER BY bucket_at, country, mcc, mnc, channel",
            account_id,
        )
        counters[resolution] = [{name: row[name] for name in row if name != "account_id"} for row in rows]
    words = "SELECT provider_status, facts FROM unknown_statuses WHERE account_id = %s ORDER BY provider_status"
    return {"sessions": sessions, "words": await desk.rows(words, account_id), **counters}


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(2))
async def test_any_order_repetition_and_batching_over_any_number_of_trackers_ends_in_the_same_sessions(
    desk: Desk, seed: int
) -> None:
    straight = await desk.account()
    callbacks = traffic(seed, straight)
    await desk.track(*callbacks)
    expected = await state(desk, straight)
    assert len(expected["sessions"]) == 40
    assert {row["status"] for row in expected["sessions"]} >= {"in_progress", "verified", "expired", "failed"}

    for batch_max, trackers in ((5_000, 1), (7, 1), (40, 2), (3, 3)):
        crooked = await desk.account()
        await track_together(desk, disturbed(seed + batch_max, on_account(callbacks, crooked)), trackers, batch_max)

        assert await state(desk, crooked) == expected
    assert await recount_sessions(desk.connection) == []
    assert await desk.set_aside() == []


@pytest.mark.anyio
async def test_two_trackers_that_contradict_each_other_on_the_same_sessions_both_count(desk: Desk) -> None:
    account = await desk.account()
    numbers = ["14155550123", "447700900123", "4915112345678", "33612345678"]
    for word in ("verified", "expired", "in-progress", "cancelled"):  # one batch each, so one lane each
        await desk.append(
            *(
                session_callback(account, SessionStatus=word, SessionUUID=f"s{n}", Recipient=numbers[n % 4])
                for n in range(120)
            )
        )
    team = await desk.team(2, batch_max=30)
    assert await asyncio.gather(*(tracker.drain(range(LANES)) for tracker in team)) == [240, 240]

    rows = await desk.rows("SELECT status, contradictory, facts_count FROM sessions")
    assert {tuple(row.values()) for row in rows} == {("verified", True, 4)}
    assert await recount_sessions(desk.connection) == []


@pytest.mark.anyio
async def test_replaying_changes_nothing_that_was_counted(desk: Desk) -> None:
    account = await desk.account()
    callbacks = traffic(9, account)
    await desk.track(*callbacks)
    before = await state(desk, account)
    tracker = await desk.tracker("again")
    journal = [await desk.journal.read(lane, "", 10_000) for lane in range(LANES)]

    for batch in journal:
        await tracker.replay(batch.callbacks)

    assert await state(desk, account) == before


@pytest.mark.anyio
async def test_an_event_is_written_for_the_start_and_for_each_end(desk: Desk) -> None:
    account = await desk.account()
    for word in ("in-progress", "in-progress", "expired", "verified", "expired"):
        await desk.track(session_callback(account, SessionStatus=word))

    events = await desk.rows("SELECT type, subject_id FROM events ORDER BY id")
    assert [event["type"] for event in events] == ["session.started", "session.expired", "session.verified"]
    (session,) = await desk.rows("SELECT id FROM sessions")
    assert {event["subject_id"] for event in events} == {str(session["id"])}


@pytest.mark.anyio
async def test_words_without_a_mapping_are_counted_and_leave_the_status_alone(desk: Desk) -> None:
    account = await desk.account()
    for _ in range(2):
        await desk.track(
            session_callback(account, SessionStatus="expired"),
            session_callback(account, SessionStatus="mislaid"),
            session_callback(account, AttemptUUID="a1", Channel="sms", ChannelStatus="teleported"),
        )

    (session,) = await desk.rows("SELECT status, provider_status, unknown_statuses FROM sessions")
    assert session == {
        "status": "expired", "provider_status": "expired", "unknown_statuses": ["mislaid", "teleported"]
    }  # fmt: skip
    words = await desk.rows("SELECT provider_status, facts FROM unknown_statuses ORDER BY provider_status")
    assert [tuple(word.values()) for word in words] == [("mislaid", 1), ("teleported", 1)]


@pytest.mark.anyio
@pytest.mark.parametrize("sent_first", [True, False])
async def test_a_session_we_start_and_its_callbacks_meet_in_one_row(desk: Desk, sent_first: bool) -> None:
    account = await desk.account()
    sent = SessionReceipt(
        provider_session_id="s1", provider_status="in_progress", status=SessionStatus.IN_PROGRESS, source=Source.SEND,
        recipient="+4915112345678", our_id="ours", started_at=NOON,
    )  # fmt: skip

    async def send() -> None:
        async with transaction(desk.pools[0]) as connection:
            await keeper().keep(connection, [Told(account, Telling(sent, NOON, None))], NOW)

    await desk.tracker("opens a pool")
    if sent_first:
        await send()
    await desk.track(session_callback(account, after_s=20, SessionStatus="verified", Recipient=""))
    if not sent_first:
        await send()

    (session,) = await desk.rows("SELECT * FROM sessions")
    assert (session["our_id"], session["status"], session["country"]) == ("ours", "verified", "DE")
    assert (session["time_to_verify_ms"], session["time_to_verify_clock"]) == (20_000, "ours")
    assert await recount_sessions(desk.connection) == []


# --- the API -------------------------------------------------------------------------------------------------------


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    house = House(database_url)
    yield house
    house.close()


def told(
    session: str = "in-progress",
    attempt: str | None = None,
    number: int = 1,
    *,
    session_id: str = "s1",
    at: datetime = START,
    account_id: int = 1,
    our_id: str | None = None,
    sequence: int = 1,
    **fields: str,
) -> Callback:
    """A callback of Plivo about a session, received `number` seconds after `at`."""
    body = {"SessionUUID": session_id, "SessionStatus": session, "Recipient": "14155550123"}
    if attempt:
        body |= {
            "AttemptUUID": f"{session_id}-{sequence}", "AttemptSequence": str(sequence), "Channel": "sms",
            "ChannelStatus": attempt, "RequestTime": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z",
        }  # fmt: skip
    return Callback(
        id=number,
        account_id=account_id,
        received_at=at + timedelta(seconds=number),
        request=CallbackRequest(
            method="POST",
            url=f"{PUBLIC_URL}/callbacks/unguessable",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(body | fields).encode(),
            kind="verify" if our_id else None,
            our_id=our_id,
        ),
    )


def ids(house: House, key: str = "reads-all", **query: Any) -> list[str]:
    return [each["provider_session_id"] for each in house.data("/v1/verify/sessions", key, **query)["data"]]


def called(number: int, at: datetime) -> Callback:
    """A second attempt, by voice, that nobody answered."""
    return told(
        "in-progress", "no-answer", number, sequence=2, Channel="voice", ChannelErrorCode="3010",
        RequestTime=f"{at:%Y-%m-%d %H:%M:%S.%f}",
    )  # fmt: skip


def test_a_session_reads_with_its_attempts(house: House) -> None:
    house.track(
        told("in-progress", "undelivered", 4, ChannelErrorCode="70"),
        told("in-progress", "sent", 2),
        called(40, START + timedelta(seconds=30)),
        told("verified", None, 50),
    )

    (session,) = house.data("/v1/verify/sessions")["data"]

    assert list(session) == SESSION_FIELDS
    assert (session["account"], session["provider"]) == ("shop", "plivo")
    assert (session["to"], session["country"], session["channel"]) == ("+14155550123", "US", "sms")
    assert (session["status"], session["final"], session["contradictory"]) == ("verified", True, False)
    assert (session["error_code"], session["error"]["title"] != "") == ("3010", True)
    assert session["started_at"] == f"{START:%Y-%m-%dT%H:%M:%SZ}"
    assert (session["time_to_verify_s"], session["time_to_verify_clock"]) == (48.0, "ours")
    assert session["receipts_count"] == 4
    text, call = session["attempts"]
    assert (text["sequence"], text["channel"], text["status"], text["error_code"]) == (1, "sms", "undelivered", "70")
    assert text["error"]["fault"] == "recipient"
    assert (call["sequence"], call["channel"], call["status"], call["provider_status"]) == (
        2, "voice", "undelivered", "no-answer"
    )  # fmt: skip
    assert call["requested_at"] == f"{START + timedelta(seconds=30):%Y-%m-%dT%H:%M:%SZ}"


def test_one_session_has_its_receipts_with_how_often_they_were_told_and_a_timeline(house: House) -> None:
    sent = told("in-progress", "sent", 2)
    house.track(
        sent,
        *(Callback(id=n, account_id=1, received_at=START + timedelta(minutes=n), request=sent.request) for n in (7, 9)),
        told("in-progress", "delivered", 4),
        told("verified", "delivered", 20),
        told("in-progress", "teleported", 5),
    )

    session = house.data("/v1/verify/sessions/s1")

    assert [
        (receipt["status"], receipt["attempt"]["status"], receipt["received_count"], receipt["callback_ids"])
        for receipt in session["receipts"]
    ] == [
        ("in_progress", "sent", 3, ["2", "7", "9"]),
        ("in_progress", "delivered", 1, ["4"]),
        ("in_progress", None, 1, ["5"]),
        ("verified", "delivered", 1, ["20"]),
    ]
    assert {receipt["source"] for receipt in session["receipts"]} == {"callback"}
    assert session["receipts"][2]["attempt"]["provider_status"] == "teleported"
    assert [(step["attempt"], step["status"], step["clock"]) for step in session["timeline"]] == [
        (None, "in_progress", "provider"),
        (1, "queued", "provider"),
        (1, "sent", "ours"),
        (1, "delivered", "ours"),
        (1, None, "ours"),
        (None, "verified", "ours"),
    ]
    (listed,) = house.data("/v1/verify/sessions")["data"]
    assert {name: session[name] for name in listed} == listed


def test_a_session_is_found_by_our_id_the_providers_and_that_of_its_path(house: House) -> None:
    house.track(told(our_id="order-17"), told(session_id="s2"))
    (session,) = house.data("/v1/verify/sessions", q="s1")["data"]

    for name in (session["id"], "s1", "order-17"):
        assert house.data(f"/v1/verify/sessions/{name}")["provider_session_id"] == "s1"
        assert ids(house, q=name) == ["s1"]
    assert ids(house, q="(415) 555-0123") == []
    assert ids(house, q="+1 (415) 555-0123") == ["s2", "s1"] or ids(house, q="+1 (415) 555-0123") == ["s1", "s2"]
    assert house.get("/v1/verify/sessions/nothing").status_code == 404


def test_sessions_are_filtered_and_all_filters_have_to_hold(house: House) -> None:
    house.track(
        told("verified", "delivered", session_id="us", at=START),
        told(
            "expired", "undelivered", session_id="de", at=START + timedelta(minutes=1), Recipient="4915112345678",
            ChannelErrorCode="70",
        ),
        told("in-progress", "ringing", session_id="call", at=START + timedelta(minutes=2), Channel="voice"),
        told("in-progress", session_id="odd", at=START + timedelta(minutes=3), account_id=2, Recipient=""),
    )  # fmt: skip

    assert ids(house) == ["odd", "call", "de", "us"]
    assert ids(house, status=["verified", "expired"]) == ["de", "us"]
    assert ids(house, to="+49 151 12345678") == ["de"]
    assert ids(house, country=["us"]) == ["call", "us"]
    assert ids(house, country="none") == ["odd"]
    assert ids(house, channel=["voice", "none"]) == ["odd", "call"]
    assert ids(house, error_code="70") == ["de"]
    assert ids(house, error_code="none", country="US", channel="sms") == ["us"]
    assert ids(house, account="bank") == ["odd"]
    assert ids(house, since=(START + timedelta(minutes=2)).isoformat()) == ["odd", "call"]
    assert ids(house, until=(START + timedelta(minutes=1)).isoformat()) == ["us"]
    assert ids(house, status="failed") == []


def test_pages_follow_each_other_without_gap_whatever_comes_in_meanwhile(house: House) -> None:
    house.track(*(told(session_id=f"s{n}", at=START + timedelta(minutes=n // 2)) for n in range(7)))
    expected = ids(house)
    first = house.data("/v1/verify/sessions", limit=3)
    house.track(told(session_id="new", at=NOW))
    second = house.data("/v1/verify/sessions", limit=3, cursor=first["next_cursor"])
    third = house.data("/v1/verify/sessions", limit=3, cursor=second["next_cursor"])

    assert [each["provider_session_id"] for page in (first, second, third) for each in page["data"]] == expected
    assert third["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "delivered"}, "status"),
        ({"channel": "mms"}, "channel"),
        ({"account": "nobody"}, "account"),
        ({"since": "yesterday"}, "since"),
        ({"cursor": "abc"}, "cursor"),
        ({"limit": 0}, "limit"),
    ],
)
def test_what_no_filter_takes_is_named(house: House, query: dict[str, Any], field: str) -> None:
    answer = house.get("/v1/verify/sessions", **query)

    assert (answer.status_code, answer.json()["code"]) == (422, "input_invalid")
    assert field in answer.json()["field"]


def test_a_key_that_is_bound_to_an_account_sees_only_its_sessions(house: House) -> None:
    house.track(told(our_id="order-17"), told(session_id="s2", account_id=2))

    assert ids(house, "reads-shop") == ["s1"]
    assert ids(house, "reads-bank") == ["s2"]
    assert house.get("/v1/verify/sessions/s1", "reads-bank").status_code == 404
    assert house.get("/v1/verify/sessions/order-17", "reads-bank").status_code == 404
    assert house.get("/v1/verify/sessions", "reads-bank", account="shop").status_code == 422
    assert house.data("/v1/analytics/verify", "reads-bank", group_by="account")["data"][0]["account"] == "bank"


# --- the funnel ----------------------------------------------------------------------------------------------------


def fill(house: House) -> None:
    """In the US 1 of 3 is verified after 8 s; in Germany 1 of 1, of which no receipt tells that it arrived."""
    earlier, number = START - timedelta(days=1), "4915112345678"
    house.track(
        told("in-progress", "sent", 2, session_id="us1"),
        told("in-progress", "delivered", 4, session_id="us1"),
        told("verified", "delivered", 10, session_id="us1"),
        told("in-progress", "undelivered", 3, session_id="us2", ChannelErrorCode="70"),
        told("in-progress", "completed", 40, session_id="us2", sequence=2, Channel="voice"),
        told("expired", None, 300, session_id="us2"),
        told("in-progress", "queued", 2, session_id="us3"),
        told("in-progress", None, 2, session_id="de1", at=earlier, account_id=2, Recipient=number),
        told("verified", None, 6, session_id="de1", at=earlier, account_id=2, Recipient=number),
    )


def test_the_funnel_counts_how_far_sessions_came(house: House) -> None:
    fill(house)

    answer = house.data("/v1/analytics/verify", since="7d")

    (row,) = answer["data"]
    assert {name: row[name] for name in list(row)[:10]} == {
        "started": 4, "sent": 3, "delivered": 3, "verified": 2, "expired": 1, "ended": 0, "pending": 1, "attempts": 4,
        "attempts_sent": 3, "attempts_delivered": 2,
    }  # fmt: skip
    assert (row["conversion_rate"], row["sent_rate"], row["delivery_rate"]) == (0.5, 0.75, 1.0)
    assert (row["verification_rate"], row["expiry_rate"]) == (0.666667, 0.25)
    assert row["time_to_verify_s"]["p50"] == pytest.approx(4, rel=0.05)
    assert row["time_to_verify_s"]["p99"] == pytest.approx(4, rel=0.05)
    assert (answer["meta"]["bucket"], answer["meta"]["rounded"]) == ("none", True)


def test_the_funnel_is_grouped_and_filtered_by_what_counters_keep(house: House) -> None:
    fill(house)

    def rows(**query: Any) -> list[Any]:
        data: list[Any] = house.data("/v1/analytics/verify", since="7d", **query)["data"]
        return data

    assert [(row["country"], row["started"], row["verified"]) for row in rows(group_by="country")] == [
        ("US", 3, 1), ("DE", 1, 1)
    ]  # fmt: skip
    assert [(row["channel"], row["started"], row["attempts"]) for row in rows(group_by="channel")] == [
        ("sms", 3, 3), (None, 1, 0), ("voice", 0, 1)
    ]  # fmt: skip
    assert [(row["account"], row["network"]["mcc"]) for row in rows(group_by="account,network")] == [
        ("shop", None), ("bank", None)
    ]  # fmt: skip
    assert [row["started"] for row in rows(country="de")] == [1]
    assert [row["started"] for row in rows(country="none")] == [0]
    assert [row["started"] for row in rows(channel=["voice", "none"])] == [1]
    assert [row["started"] for row in rows(account="shop", network="none")] == [3]
    assert [row["started"] for row in rows(network="310")] == [0]
    days = [row["started"] for row in rows(bucket="day")]
    assert (len(days), [started for started in days if started]) == (8, [1, 3])
    (first, second) = [row for row in rows(bucket="hour", group_by="country") if row["started"]]
    assert (first["bucket_at"], first["country"]) == (f"{_hour(START) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}", "DE")
    assert (second["bucket_at"], second["country"]) == (f"{_hour(START):%Y-%m-%dT%H:%M:%SZ}", "US")


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def test_a_funnel_without_sessions_is_one_row_of_zeros(house: House) -> None:
    (row,) = house.data("/v1/analytics/verify")["data"]

    assert (row["started"], row["conversion_rate"], row["time_to_verify_s"]["p50"]) == (0, None, None)
    assert house.data("/v1/analytics/verify", group_by="country")["data"] == []


@pytest.mark.parametrize(
    "query", [{"group_by": "sender"}, {"bucket": "minute"}, {"since": "1h", "until": "2h"}, {"network": "x"}]
)
def test_what_the_funnel_cannot_tell_is_refused(house: House, query: dict[str, str]) -> None:
    assert house.get("/v1/analytics/verify", **query).status_code == 422


# --- what was captured ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", callback_files("plivo/callbacks/plivo_verify_*.json"), ids=lambda file: file.stem)
def test_a_captured_callback_ends_as_its_file_expects(house: House, file: Path) -> None:
    captured = json.loads(file.read_text())
    headers = {name.lower(): value for name, value in captured["headers"].items()}
    request = CallbackRequest(
        method=captured["method"], url=captured["url"], headers=headers, body=captured["body"].encode()
    )
    house.track(Callback(id=1, account_id=1, received_at=NOW, request=request))
    expect = captured["expect"]

    session = house.data(f"/v1/verify/sessions/{expect['session_id']}")

    (attempt,) = session["attempts"]
    assert (session["to"], session["status"]) == (expect["to"], expect["session_status"])
    assert (attempt["provider_attempt_id"], attempt["sequence"]) == (expect["attempt_id"], expect["attempt_sequence"])
    assert (attempt["channel"], attempt["provider_status"]) == (expect["channel"], expect["provider_status"])
    assert (attempt["status"], attempt["final"]) == (expect["status"], expect["terminal"])
    assert attempt["error_code"] == expect["error_code"]
    if "error_class" in expect:
        assert attempt["error"]["fault"] == expect["error_class"]


def test_all_captured_callbacks_of_one_session_make_one_session_of_two_attempts(house: House) -> None:
    for number, file in enumerate(callback_files("plivo/callbacks/plivo_verify_*.json")):
        captured = json.loads(file.read_text())
        headers = {name.lower(): value for name, value in captured["headers"].items()}
        request = CallbackRequest(method="POST", url=captured["url"], headers=headers, body=captured["body"].encode())
        house.track(Callback(id=number, account_id=1, received_at=NOW, request=request))

    (session,) = house.data("/v1/verify/sessions")["data"]
    assert session["status"] == "verified"
    assert [(each["status"], each["contradictory"]) for each in session["attempts"]] == [
        ("delivered", True), ("undelivered", False)
    ]  # fmt: skip


def test_a_captured_callback_of_routees_two_step_verification_is_a_session_without_attempts(house: House) -> None:
    (file,) = callback_files("routee/callbacks/routee_two_step_verified.json")
    captured = json.loads(file.read_text())
    headers = {name.lower(): value for name, value in captured["headers"].items()}
    request = CallbackRequest(method="POST", url=captured["url"], headers=headers, body=captured["body"].encode())
    routee = registry.load()["routee"]
    tracker = Tracker(name="routee", journal=house.journal, pool=house.pool, provider_of=lambda account_id: routee)
    house.run(tracker.replay([Callback(id=1, account_id=1, received_at=NOW, request=request)]))

    session = house.data("/v1/verify/sessions/7e9508cb-3286-dfae-4c0b-0f70d6bbcb67")

    assert (session["to"], session["country"]) == (captured["expect"]["to"], "GR")
    assert (session["status"], session["provider_status"], session["attempts"]) == ("verified", "Verified", [])
    assert session["started_at"] == session["verified_at"] == "2026-03-02T09:20:00Z"
    assert [(step["status"], step["clock"]) for step in session["timeline"]] == [("verified", "provider")]


# --- the command line ----------------------------------------------------------------------------------------------

app = typer.Typer()
app.add_typer(verify.app, name="verify")
app.command("report")(report)


@pytest.fixture
def filled(house: House, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("LANDED_DATABASE_URL", database_url)
    monkeypatch.setenv("LANDED_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    fill(house)
    return house


def landed(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_sessions_are_listed_for_people_and_for_programs(filled: House) -> None:
    listed = landed("verify", "list", "--limit", "2")
    assert len(listed.stdout.splitlines()) == 3
    assert "--cursor" in listed.stderr
    (_, expired) = landed("verify", "list", "--status", "expired").stdout.splitlines()
    assert "+14155550123" in expired
    page = json.loads(landed("verify", "list", "--country", "DE", "--json").stdout)
    assert page == filled.data("/v1/verify/sessions", country="DE")
    assert landed("verify", "list", "--to", "1").stderr == "No verify sessions.\n"


def test_one_session_shows_what_became_of_it_step_by_step(filled: House) -> None:
    shown = landed("verify", "show", "us1").stdout
    assert shown.startswith("VERIFIED")
    assert shown.index("● in_progress") < shown.index("attempt 1 sms sent") < shown.index("attempt 1 sms delivered")
    assert shown.index("attempt 1 sms delivered") < shown.index("● verified")
    assert "on our clock" in shown
    assert json.loads(landed("verify", "show", "us1", "--json").stdout) == filled.data("/v1/verify/sessions/us1")
    assert "error 70" in landed("verify", "show", "us2").stdout
    with pytest.raises(NotFound):
        landed("verify", "show", "nothing")


def test_the_report_shows_the_funnel(filled: House) -> None:
    page = landed("report", "--since", "7d").stdout
    assert "Verify sessions" in page
    assert "US United States" in page
    funnel = json.loads(landed("report", "--since", "7d", "--json").stdout)["verify"]
    assert (funnel["totals"]["started"], funnel["totals"]["verified"]) == (4, 2)
    assert [row["country"] for row in funnel["by_country"]] == ["US", "DE"]
    only = json.loads(landed("report", "--since", "7d", "--country", "DE", "--json").stdout)["verify"]
    assert only["totals"]["started"] == 1


def test_a_report_about_what_sessions_do_not_have_leaves_the_funnel_out(filled: House) -> None:
    assert json.loads(landed("report", "--tag", "sale", "--json").stdout)["verify"] is None
    assert "Verify sessions" not in landed("report", "--sender", "ACME", "--since", "7d").stdout


def test_counters_are_read_and_never_the_sessions(filled: House, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM sessions")

    (row,) = filled.data("/v1/analytics/verify", since="7d")["data"]
    assert row["started"] == 4
