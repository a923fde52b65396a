"""The five documents that the project grew out of, walked through: what each shows, shown to hold here.

    000_463e6afd66b672b9   Plivo: analytics of SMS and MMS from webhooks
    001_91c54c5fb159b93d   Plivo: callbacks of the Verify API
    002_15d1739da49febd5   a guide: delivery reports in Node with Express
    003_4b13f865c501521e   Routee: SMS statuses from a webhook
    004_9738a4e1b3eded4c   Plivo: 10DLC callbacks

The facts and examples are put down here anew; nothing is read from the documents. Where one advises what Landed does
not do on purpose, the test says so (`…_though_…`).

What they show of asking is elsewhere: a Verify session (001), a brand and a campaign (004) in test_seed_requests.py.
Messages (000, 002) and the retry of a send (002) are in test_sending.py, conversions (000) in test_conversion.py.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from tests.calling import PUBLIC_URL, Call, answer, every, plivo_get, plivo_post, routee_post, send, whole
from tests.databases import Databases
from tests.serving import Served, eventually, served

TOKEN: Final = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"
PATHS: Final = ("/sms_status/", "/tendlc_status/", "/sms/delivery-report", "/verify_status/")
FROM: Final = "12025550000"
TO: Final = "12025551111"


@pytest.fixture(scope="module")
def server(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("data")
    with databases.fresh() as database, running(database, data) as one:
        yield one


def running(database: str, data: Path) -> Any:
    return served(LANDED_DATABASE_URL=database, LANDED_DATA_DIR=str(data), LANDED_AUTH_TOKEN=TOKEN)


def add_plivo(server: Served) -> str:
    """An account with the paths that the documents use; where Plivo calls it besides."""
    paths = [option for path in PATHS for option in ("--path", path)]
    added = server.landed("accounts", "add", "plivo", "plivo", "--auth-id", "MAXXXXXXXXXXXXXXXXXX", *paths)
    return str(added["callback_url"])


@pytest.fixture(scope="module")
def plivo(server: Served) -> str:
    return add_plivo(server)


@pytest.fixture(scope="module")
def routee(server: Served) -> str:
    added = server.landed("accounts", "add", "routee", "routee", "--application-id", "5756a411e4b06a33d50517c7")
    return str(added["callback_url"])


@pytest.fixture(scope="module")
def api(server: Served) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def shown(api: httpx.Client, path: str) -> dict[str, Any]:
    """A thing, once it is there."""
    thing: dict[str, Any] = eventually(lambda: whole(api, path))
    return thing


def status_fields(status: str, **more: str) -> dict[str, str]:
    return {"MessageUUID": str(uuid4()), "Status": status, "From": FROM, "To": TO, "Units": "1", **more}


# --- 000_463e6afd66b672b9: analytics from webhooks ------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_000_a_status_update_comes_in_the_body_of_a_post_or_the_query_of_a_get(
    method: str, plivo: str, server: Served, api: httpx.Client
) -> None:
    fields, url = status_fields("delivered"), f"{PUBLIC_URL}/sms_status/"
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    call = plivo_post(url, fields, TOKEN) if method == "POST" else plivo_get(url, query, TOKEN)

    assert send(server, call) == 200

    message = shown(api, f"/v1/messages/{fields['MessageUUID']}")
    assert (message["status"], message["from"], message["to"]) == ("delivered", f"+{FROM}", f"+{TO}")


def test_000_outgoing_and_incoming_messages_come_to_one_url(plivo: str, server: Served, api: httpx.Client) -> None:
    uuid = str(uuid4())
    incoming = {"MessageUUID": uuid, "From": TO, "To": FROM, "Type": "sms", "Text": "Hello, this is a sample text"}

    assert send(server, plivo_post(f"{PUBLIC_URL}/sms_status/", incoming, TOKEN)) == 200

    assert shown(api, f"/v1/inbound/{uuid}")["text"] == "Hello, this is a sample text"


def test_000_the_answer_is_200(plivo: str, server: Served) -> None:
    status, headers, body = answer(server, plivo_post(plivo, status_fields("sent"), TOKEN))

    assert (status, body, headers["content-length"]) == (200, b"", "0")


@pytest.mark.parametrize("header", ["X-Plivo-Signature-V2", "X-Plivo-Signature-Ma-V2"])
def test_000_either_of_the_two_signatures_proves_it_together_with_the_nonce(
    header: str, plivo: str, server: Served
) -> None:
    call = plivo_post(plivo, status_fields("sent"), TOKEN)
    kept = {name: value for name, value in call.headers.items() if name in (header, "Content-Type")}

    with_nonce = {**kept, "X-Plivo-Signature-V2-Nonce": call.headers["X-Plivo-Signature-V2-Nonce"]}
    assert send(server, Call(url=call.url, headers=with_nonce, body=call.body)) == 200
    assert send(server, Call(url=call.url, headers=kept, body=call.body)) == 403


def test_000_a_spoofed_callback_is_refused(plivo: str, server: Served, api: httpx.Client) -> None:
    fields = status_fields("delivered")

    assert send(server, plivo_post(plivo, fields, TOKEN, families="none")) == 403
    assert send(server, plivo_post(plivo, fields, "guessed")) == 403
    assert whole(api, f"/v1/messages/{fields['MessageUUID']}") is None


def test_000_what_was_stored_answers_questions_of_analytics(plivo: str, server: Served, api: httpx.Client) -> None:
    numbers = {"To": "442079460000", "MCC": "234", "MNC": "015", "TotalAmount": "0.0403"}
    for status, code in (("delivered", ""), ("delivered", ""), ("undelivered", "80"), ("sent", "")):
        fields = status_fields(status, ErrorCode=code, **numbers)
        assert send(server, plivo_post(plivo, fields, TOKEN)) == 200
    question = {"country": "GB", "since": "1h", "group_by": "country"}

    (row,) = eventually(
        lambda: (
            (rows := api.get("/v1/analytics/messages", params=question).json()["data"])
            and rows[0]["messages"] == 4
            and rows
        )
    )
    assert (row["delivered"], row["undelivered"]) == (2, 1)


# --- 001_91c54c5fb159b93d: Verify callbacks -------------------------------------------------------------------------


def session_fields(**fields: str) -> dict[str, str]:
    """All nine that the page lists."""
    return {
        "SessionUUID": str(uuid4()),
        "SessionStatus": "in-progress",
        "RequestTime": "2026-03-02T10:00:00.363253Z",
        "Recipient": TO,
        "ChannelErrorCode": "",
        "Channel": "sms",
        "AttemptUUID": str(uuid4()),
        "AttemptSequence": "1",
        "ChannelStatus": "sent",
        **fields,
    }


def send_session(server: Served, *steps: dict[str, str]) -> None:
    for fields in steps:
        assert send(server, plivo_post(f"{PUBLIC_URL}/verify_status/", fields, TOKEN)) == 200


@pytest.mark.parametrize(
    ("word", "status"), [("in-progress", "in_progress"), ("verified", "verified"), ("expired", "expired")]
)
def test_001_the_three_states_of_a_session(
    word: str, status: str, plivo: str, server: Served, api: httpx.Client
) -> None:
    fields = session_fields(SessionStatus=word)
    send_session(server, fields)

    session = shown(api, f"/v1/verify/sessions/{fields['SessionUUID']}")
    assert (session["status"], session["provider_status"], session["to"]) == (status, word, f"+{TO}")


@pytest.mark.parametrize(
    ("channel", "word", "status"),
    [
        ("sms", "sent", "sent"),
        ("sms", "delivered", "delivered"),
        ("sms", "failed", "failed"),
        ("sms", "undelivered", "undelivered"),
        ("voice", "in-progress", "sent"),
        ("voice", "completed", "delivered"),
        ("voice", "no-answer", "undelivered"),
    ],
)
def test_001_the_states_of_an_attempt_by_its_channel(
    channel: str, word: str, status: str, plivo: str, server: Served, api: httpx.Client
) -> None:
    code = "70" if channel == "sms" and status in ("failed", "undelivered") else ""
    fields = session_fields(Channel=channel, ChannelStatus=word, ChannelErrorCode=code, AttemptSequence="2")
    send_session(server, fields)

    (attempt,) = shown(api, f"/v1/verify/sessions/{fields['SessionUUID']}")["attempts"]
    assert attempt["provider_attempt_id"] == fields["AttemptUUID"]
    assert (attempt["channel"], attempt["sequence"]) == (channel, 2)
    assert (attempt["status"], attempt["provider_status"], attempt["error_code"]) == (status, word, code or None)
    assert attempt["requested_at"] == "2026-03-02T10:00:00.363253Z"


def test_001_what_was_not_answered_in_time_is_sent_three_times_more_and_is_one_fact(
    plivo: str, server: Served, api: httpx.Client
) -> None:
    fields = session_fields()
    send_session(server, fields, fields, fields, fields)  # first, after 60 s, after 120 s more, after 240 s more

    path = f"/v1/verify/sessions/{fields['SessionUUID']}"
    eventually(lambda: (session := whole(api, path)) and session["receipts"][0]["received_count"] == 4)
    session = shown(api, path)
    assert (session["receipts_count"], len(session["attempts"])) == (1, 1)


def test_001_a_spoofed_callback_is_refused(plivo: str, server: Served, api: httpx.Client) -> None:
    fields = session_fields(SessionStatus="verified")

    assert send(server, plivo_post(f"{PUBLIC_URL}/verify_status/", fields, "guessed")) == 403
    assert whole(api, f"/v1/verify/sessions/{fields['SessionUUID']}") is None


# --- 002_15d1739da49febd5: delivery reports in Node -----------------------------------------------------------------

REPORT_URL: Final = f"{PUBLIC_URL}/sms/delivery-report"


def guides_signature(url: str, nonce: str) -> str:
    """As the guide has it: HMAC-SHA256 of the whole URL and the nonce, with the auth token, in Base64."""
    return base64.b64encode(hmac.digest(TOKEN.encode(), (url + nonce).encode(), hashlib.sha256)).decode()


def _form(fields: dict[str, str]) -> bytes:
    return plivo_post(REPORT_URL, fields, TOKEN).body


def test_002_the_guides_signature_of_a_url_without_query_is_taken(
    plivo: str, server: Served, api: httpx.Client
) -> None:
    fields = status_fields("delivered")
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Plivo-Signature-V2": guides_signature(REPORT_URL, "12345678901234567890"),
        "X-Plivo-Signature-V2-Nonce": "12345678901234567890",
    }

    assert send(server, Call(url=REPORT_URL, headers=headers, body=_form(fields))) == 200

    assert shown(api, f"/v1/messages/{fields['MessageUUID']}")["status"] == "delivered"


def test_002_with_a_query_the_url_is_signed_without_it_though_the_guide_signs_it_whole(
    plivo: str, server: Served
) -> None:
    """Plivo's SDKs drop the query before they sign, and so does Plivo."""
    fields, url, nonce = status_fields("sent"), f"{REPORT_URL}?tenant=42", "22345678901234567890"
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-Plivo-Signature-V2-Nonce": nonce}
    whole_url, without_query = guides_signature(url, nonce), guides_signature(REPORT_URL, nonce)

    refused = Call(url=url, headers={**form, "X-Plivo-Signature-V2": whole_url}, body=_form(fields))
    taken = Call(url=url, headers={**form, "X-Plivo-Signature-V2": without_query}, body=_form(fields))

    assert (send(server, refused), send(server, taken)) == (403, 200)


@pytest.mark.parametrize(
    "signature", ["", "====", "not Base64 at all", "ÿ".encode().decode("latin-1"), "A" * 44, "A" * 5000], ids=len
)
def test_002_a_signature_of_another_length_or_kind_is_refused_and_breaks_nothing(
    signature: str, plivo: str, server: Served
) -> None:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Plivo-Signature-V2": signature,
        "X-Plivo-Signature-V2-Nonce": "1",
    }

    assert send(server, Call(url=REPORT_URL, headers=headers, body=_form(status_fields("sent")))) == 403


def test_002_the_url_is_the_configured_one_though_the_guide_builds_it_from_the_request(
    plivo: str, server: Served
) -> None:
    """Behind a tunnel or proxy Host and scheme are others, and whoever calls could choose them."""
    fields = status_fields("sent")
    genuine = plivo_post(REPORT_URL, fields, TOKEN)
    evil = plivo_post("https://evil.example.com/sms/delivery-report", fields, TOKEN)

    inside = Call(url=REPORT_URL, headers={**genuine.headers, "Host": "localhost:3000"}, body=genuine.body)
    forged = Call(url=REPORT_URL, headers={**evil.headers, "Host": "evil.example.com"}, body=evil.body)

    assert (send(server, inside), send(server, forged)) == (200, 403)


@pytest.mark.parametrize(
    ("status", "code"),
    [("queued", None), ("sent", None), ("delivered", None), ("failed", "420"), ("undelivered", "30")],
)
def test_002_every_status_it_names_with_its_error_code(
    status: str, code: str | None, plivo: str, server: Served, api: httpx.Client
) -> None:
    fields = status_fields(status, ErrorCode=code or "")

    assert send(server, plivo_post(REPORT_URL, fields, TOKEN)) == 200

    message = shown(api, f"/v1/messages/{fields['MessageUUID']}")
    assert (message["status"], message["error_code"]) == (status, code)
    assert (message["error"] is None) == (code is None)


def test_002_each_segment_counts_though_the_guide_is_content_with_the_first(
    plivo: str, server: Served, api: httpx.Client
) -> None:
    """With segments reported one by one, the last one lost means that the text did not arrive."""
    parent = str(uuid4())
    for number, status in ((1, "delivered"), (2, "delivered"), (3, "undelivered")):
        fields = status_fields(status, ParentMessageUUID=parent, PartInfo=f"{number} of 3")
        assert send(server, plivo_post(REPORT_URL, fields, TOKEN)) == 200

    eventually(lambda: (message := whole(api, f"/v1/messages/{parent}")) and len(message["parts"]) == 3)
    message = shown(api, f"/v1/messages/{parent}")
    assert message["status"] == "undelivered"
    assert [part["status"] for part in message["parts"]] == ["delivered", "delivered", "undelivered"]


def test_002_several_uuids_of_one_send_are_messages_of_their_own(plivo: str, server: Served, api: httpx.Client) -> None:
    """Without a parent nothing tells that they belong together."""
    first, second = status_fields("delivered"), status_fields("failed", ErrorCode="900")
    for fields in (first, second):
        assert send(server, plivo_post(REPORT_URL, fields, TOKEN)) == 200

    statuses = [shown(api, f"/v1/messages/{fields['MessageUUID']}")["status"] for fields in (first, second)]
    assert statuses == ["delivered", "failed"]


def test_002_reports_in_any_order_and_twice_end_the_same(plivo: str, server: Served, api: httpx.Client) -> None:
    """The guide writes whatever came last."""
    uuid = str(uuid4())
    for status in ("delivered", "sent", "queued", "delivered"):
        assert send(server, plivo_post(REPORT_URL, status_fields(status) | {"MessageUUID": uuid}, TOKEN)) == 200

    eventually(lambda: (message := whole(api, f"/v1/messages/{uuid}")) and message["receipts_count"] == 3)
    assert shown(api, f"/v1/messages/{uuid}")["status"] == "delivered"


def test_002_numbers_are_e164_whatever_their_writing_and_senders_of_letters_stay(
    plivo: str, server: Served, api: httpx.Client
) -> None:
    fields = status_fields("sent", From="MYBRAND", To="+14155551212")

    assert send(server, plivo_post(REPORT_URL, fields, TOKEN)) == 200

    message = shown(api, f"/v1/messages/{fields['MessageUUID']}")
    assert (message["from"], message["to"], message["country"]) == ("MYBRAND", "+14155551212", "US")


def test_002_health_and_figures_are_there_to_watch_it(server: Served) -> None:
    assert httpx.get(f"{server.base_url}/health/live").status_code == 200
    assert "landed_callbacks_refused_total" in httpx.get(f"{server.base_url}/metrics").text


def test_002_without_a_database_the_answer_is_503_though_the_guide_advises_2xx(
    databases: Databases, server_url: str, tmp_path: Path
) -> None:
    """A 2xx ends the provider's retries, and the report would be gone for good."""
    with databases.fresh() as database, running(database, tmp_path) as server:
        add_plivo(server)
        call = plivo_post(REPORT_URL, status_fields("delivered"), TOKEN)
        assert send(server, call) == 200

        drop(database, server_url)

        status, headers = first_refusal(server, call)
        assert status == 503
        assert int(headers["retry-after"]) > 0


def first_refusal(server: Served, call: Call) -> tuple[int, Mapping[str, str]]:
    """What the server answers once it has noticed."""
    status, headers, _ = eventually(lambda: (given := answer(server, call))[0] != 200 and given)
    return status, headers


def drop(database: str, server_url: str) -> None:
    """The database goes away, connections and all. An empty one takes its place, for the fixture to drop."""
    name = sql.Identifier(database.partition("?")[0].rpartition("/")[2])
    with psycopg.connect(server_url.replace("/landed?", "/postgres?"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))


# --- 003_4b13f865c501521e: Routee's SMS statuses --------------------------------------------------------------------


def routee_fields(**fields: Any) -> dict[str, Any]:
    """The page's template, filled in."""
    return {
        "messageId": str(uuid4()),
        "smsId": str(uuid4()),
        "campaignTrackingId": None,
        "part": 1,
        "parts": 1,
        "label": "otp",
        "to": "+306973359355",
        "from": "amdTelecom",
        "country": "GR",
        "operator": "COSMOTE",
        "groups": ["customers"],
        "campaignName": "",
        "status": {
            "name": "Delivered",
            "reason": {"detailedStatus": "Delivered", "description": ""},
            "updatedDate": "2026-03-02T09:15:04Z",
        },
        "message": "Your pin is 1234",
        "applicationName": "default",
        "latency": 3,
        "price": 0.0421,
        "direction": "Outbound",
        "originatingService": "Sms",
        **fields,
    }


#: The page prints its template with the type of each field in its place.
PLACEHOLDERS: Final[dict[str, Any]] = {
    **dict.fromkeys(
        ("messageId", "smsId", "campaignTrackingId", "label", "to", "from", "country", "operator", "campaignName",
         "message", "applicationName", "direction", "originatingService"),
        "string",
    ),
    **dict.fromkeys(("part", "parts", "latency", "price"), "number"),
    "groups": ["string"],
    "status": {
        "name": "string",
        "reason": {"detailedStatus": "string", "description": "string"},
        "updatedDate": "string",
    },
}  # fmt: skip


def test_003_the_template_with_its_placeholders_is_a_message_of_an_unknown_status(
    routee: str, server: Served, api: httpx.Client
) -> None:
    """Somebody will send it to try the URL. Nothing in it is a number or a time, and it breaks nothing."""
    assert send(server, routee_post(routee, PLACEHOLDERS)) == 200

    message = shown(api, "/v1/messages/string")
    assert (message["unknown_statuses"], message["final"], message["cost"]) == (["string"], False, None)
    assert message["receipts"][0]["extra"]["price"] == "number"


def test_003_the_template_filled_in_is_read_whole(routee: str, server: Served, api: httpx.Client) -> None:
    fields = routee_fields()

    assert send(server, routee_post(routee, fields)) == 200

    message = shown(api, f"/v1/messages/{fields['messageId']}")
    assert (message["status"], message["provider_status"], message["final"]) == ("delivered", "Delivered", True)
    assert (message["from"], message["to"], message["country"]) == ("amdTelecom", "+306973359355", "GR")
    assert (message["cost"]["amount"], message["final_at"]) == ("0.0421", "2026-03-02T09:15:04Z")
    extra = message["receipts"][0]["extra"]
    assert (extra["label"], extra["operator"], extra["latency"]) == ("otp", "COSMOTE", "3")
    assert (json.loads(extra["groups"]), extra["smsId"]) == (["customers"], fields["smsId"])


def test_003_numbers_may_come_as_text(routee: str, server: Served, api: httpx.Client) -> None:
    fields = routee_fields(part="2", parts="3", price="0.0421", latency="3")

    assert send(server, routee_post(routee, fields)) == 200

    message = shown(api, f"/v1/messages/{fields['messageId']}")
    assert [(part["number"], part["of"]) for part in message["parts"]] == [(2, 3)]
    assert message["cost"]["amount"] == "0.0421"


@pytest.mark.parametrize(
    ("word", "status", "final"),
    [
        ("Delivered", "delivered", True),
        ("Failed", "failed", True),
        ("Sent", "sent", False),
        ("Queued", "queued", False),
    ],
)
def test_003_what_the_pages_script_writes_to_a_file_is_answered_by_the_api(
    word: str, status: str, final: bool, routee: str, server: Served, api: httpx.Client
) -> None:
    """Delivered, failed, or whatever else; to whom, which message, and the cost."""
    fields = routee_fields(status={"name": word})

    assert send(server, routee_post(routee, fields)) == 200

    message = shown(api, f"/v1/messages/{fields['messageId']}")
    assert (message["status"], message["final"], message["to"]) == (status, final, "+306973359355")
    assert message["cost"]["amount"] == "0.0421"


def test_003_what_is_no_delivery_report_is_kept_and_set_aside(routee: str, server: Served, api: httpx.Client) -> None:
    """The page's script writes a line about it, and the request is gone."""
    assert send(server, routee_post(routee, {"hello": "world"})) == 200

    (callback,) = eventually(lambda: every(api, "/v1/callbacks", account="routee", verdict="set_aside"))
    assert callback["reason"] == "callback_not_understood"


# --- 004_9738a4e1b3eded4c: 10DLC callbacks --------------------------------------------------------------------------

#: The page's table: endpoint, status, what it becomes here, and what its explanation says to do next.
TABLE: Final = [
    ("brand", "created", "pending", "Wait"),
    ("brand", "rejected", "rejected", "Ask the provider for the reason"),
    ("brand", "registered", "registered", "Create a campaign"),
    ("campaign", "created", "pending", "Wait"),
    ("campaign", "rejected", "rejected", "Ask the provider for the reason"),
    ("campaign", "registered", "registered", "Link numbers"),
    ("number_linking", "created", "pending", "Wait"),
    ("number_linking", "failed", "failed", "link it again"),
    ("number_linking", "success", "linked", "Send from it"),
    ("number_unlinking", "created", "pending", "Wait"),
    ("number_unlinking", "failed", "failed", "unlink it again"),
    ("number_unlinking", "success", "unlinked", "Link it to any registered campaign"),
]
COLLECTIONS: Final = {
    "brand": "brands",
    "campaign": "campaigns",
    "number_linking": "numbers",
    "number_unlinking": "numbers",
}
#: What the long form of a callback's path calls them.
PATH_KINDS: Final = {
    "brand": "brands",
    "campaign": "campaigns",
    "number_linking": "number-links",
    "number_unlinking": "number-unlinks",
}
_numbers = iter(range(1000))


def registration(endpoint: str, status: str) -> tuple[str, dict[str, str]]:
    """What it is called in the API, and the fields. The page has the payloads as pictures: the names are a guess."""
    number = next(_numbers)
    brand, campaign, phone = f"B{number:06}", f"C{number:06}", f"1415556{number:04}"
    fields = {"Event": endpoint, "Status": status}
    match endpoint:
        case "brand":
            return brand, fields | {"BrandID": brand}
        case "campaign":
            return campaign, fields | {"BrandID": brand, "CampaignID": campaign}
        case _:
            return f"+{phone}", fields | {"CampaignID": campaign, "Number": phone}


@pytest.mark.parametrize(("endpoint", "word", "status", "next_step"), TABLE)
def test_004_every_row_of_the_table(
    endpoint: str, word: str, status: str, next_step: str, plivo: str, server: Served, api: httpx.Client
) -> None:
    name, fields = registration(endpoint, word)

    assert send(server, plivo_post(f"{PUBLIC_URL}/tendlc_status/", fields, TOKEN)) == 200

    thing = shown(api, f"/v1/10dlc/{COLLECTIONS[endpoint]}/{name}")
    assert (thing["status"], thing["provider_status"], thing["final"]) == (status, word, word != "created")
    assert next_step in thing["next_step"]


@pytest.mark.parametrize(("endpoint", "word", "status", "next_step"), TABLE)
def test_004_every_row_where_only_the_path_tells_what_it_is_about(
    endpoint: str, word: str, status: str, next_step: str, plivo: str, server: Served, api: httpx.Client
) -> None:
    """The page does not publish the names of the fields: the URL that a request is given says enough."""
    our_id = f"our-{next(_numbers)}"

    assert send(server, plivo_post(f"{plivo}/{PATH_KINDS[endpoint]}/{our_id}", {"status": word}, TOKEN)) == 200

    thing = shown(api, f"/v1/10dlc/{COLLECTIONS[endpoint]}/{our_id}")
    assert (thing["status"], thing["our_ids"]) == (status, [our_id])


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_004_it_comes_by_post_or_get(method: str, plivo: str, server: Served, api: httpx.Client) -> None:
    name, fields = registration("brand", "registered")
    url, query = f"{PUBLIC_URL}/tendlc_status/", "&".join(f"{name}={value}" for name, value in fields.items())

    assert send(server, plivo_post(url, fields, TOKEN) if method == "POST" else plivo_get(url, query, TOKEN)) == 200

    assert shown(api, f"/v1/10dlc/brands/{name}")["status"] == "registered"


def test_004_a_number_that_was_unlinked_can_be_linked_to_another_campaign(
    plivo: str, server: Served, api: httpx.Client
) -> None:
    name, fields = registration("number_linking", "success")
    url = f"{PUBLIC_URL}/tendlc_status/"
    history = [fields, fields | {"Event": "number_unlinking"}, fields | {"CampaignID": "COTHER1"}]
    for number, step in enumerate(history, 1):
        assert send(server, plivo_post(url, step, TOKEN)) == 200
        eventually(lambda: (thing := whole(api, f"/v1/10dlc/numbers/{name}")) and len(thing["history"]) == number)  # noqa: B023  asked in this round only

    thing = shown(api, f"/v1/10dlc/numbers/{name}")
    assert (thing["status"], thing["provider_campaign_id"]) == ("linked", "COTHER1")
    assert [step["status"] for step in thing["history"]] == ["linked", "unlinked", "linked"]


def test_004_what_was_not_answered_in_time_is_sent_three_times_more_and_happened_once(
    plivo: str, server: Served, api: httpx.Client
) -> None:
    name, fields = registration("campaign", "rejected")
    for _ in range(4):
        assert send(server, plivo_post(f"{PUBLIC_URL}/tendlc_status/", fields, TOKEN)) == 200

    path = f"/v1/10dlc/campaigns/{name}"
    eventually(lambda: (thing := whole(api, path)) and thing["receipts"][0]["received_count"] == 4)
    assert len(shown(api, path)["history"]) == 1


def test_004_a_spoofed_callback_is_refused(plivo: str, server: Served, api: httpx.Client) -> None:
    name, fields = registration("brand", "registered")

    assert send(server, plivo_post(f"{PUBLIC_URL}/tendlc_status/", fields, "guessed")) == 403
    assert whole(api, f"/v1/10dlc/brands/{name}") is None
