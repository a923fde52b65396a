"""Every captured callback, sent byte for byte to a running server, ends in the API as its file expects.

Once as it was captured, and where the provider offers GET, again as GET: with the same fields added to the URL's query,
other ids, and signed by the provider's own SDK.

Several files are about the same thing in different states. So each is sent in a *round* in which it is the only one
about its thing: a round has an account of its own for each provider, which has the paths of the files for that time.
"""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.calling import PUBLIC_URL, Call, plivo_get, send, whole
from tests.databases import Databases
from tests.serving import Served, callback_files, eventually, served

FILES: Final = callback_files("*/callbacks/*.json")
#: The SDK itself cannot sign a query that is not ASCII with V3; it raises UnicodeEncodeError.
NOT_ASCII: Final = "plivo_inbound_sms_unicode"


def read(file: Path) -> dict[str, Any]:
    captured: dict[str, Any] = json.loads(file.read_text())
    return captured


def is_good(captured: Mapping[str, Any]) -> bool:
    return "must_be_rejected" not in captured["expect"]


def thing_of(captured: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a captured callback is about, the same for all files about the same."""
    expect = captured["expect"]
    words = ("provider_message_id", "session_id", "number", "campaign_id", "brand_id")
    named = next((expect[word] for word in words if word in expect), captured["body"])
    return captured["provider"], expect["kind"].replace("two_step", "verify_session"), named


def rounds() -> dict[str, int]:
    """The round of each file: how many before it are about the same thing."""
    seen: dict[tuple[Any, ...], int] = {}
    by_name: dict[str, int] = {}
    for captured in map(read, FILES):
        number = seen.get(thing_of(captured), 0)
        by_name[captured["name"]] = number
        seen[thing_of(captured)] = number + 1
    return by_name


ROUNDS: Final = rounds()
IN_ROUNDS: Final = sorted(FILES, key=lambda file: (ROUNDS[file.stem], file.stem))
PATHS: Final = {
    provider: sorted({urlsplit(read(file)["url"]).path for file in FILES if read(file)["provider"] == provider})
    for provider in ("plivo", "routee")
}
TOKEN: Final = next(read(file)["secrets"]["auth_token"] for file in FILES if read(file)["provider"] == "plivo")
SIGNED_PATH: Final = PATHS["plivo"][0]


class House:
    """A running server whose accounts change with the round. `accounts` has their names by provider."""

    def __init__(self, server: Served, database: str, token_file: Path) -> None:
        self.server = server
        self.accounts: dict[str, str] = {}
        self._database = database
        self._token_file = token_file
        self._round: int | None = None

    def enter(self, number: int) -> None:
        """Have accounts that nothing was sent to but what belongs to this round."""
        if self._round == number:
            return
        if self._round is not None:
            # A path has one account at a time, and none of these accounts is for long.
            with psycopg.connect(self._database, autocommit=True) as connection:
                connection.execute("DELETE FROM account_paths WHERE role = 'own'")
                connection.execute("NOTIFY landed_accounts")
            eventually(lambda: self._answer() == 404)
        mark = secrets.token_hex(3)
        self._add("routee", f"routee-{mark}", "--application-id", "5756a411e4b06a33d50517c7")
        auth = ("--auth-id", "MAXXXXXXXXXXXXXXXXXX", "--auth-token-file", str(self._token_file))
        self._add("plivo", f"plivo-{mark}", *auth)
        eventually(lambda: self._answer() == 403)  # unsigned: it knows the account that was added last
        self._round = number

    def _add(self, provider: str, name: str, *options: str) -> None:
        paths = [option for path in PATHS[provider] for option in ("--path", path)]
        self.server.landed("accounts", "add", provider, name, *options, *paths)
        self.accounts[provider] = name

    def _answer(self) -> int:
        return send(self.server, Call(url=PUBLIC_URL + SIGNED_PATH, body=b"", headers={"Content-Length": "0"}))


@pytest.fixture(scope="module")
def house(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    token_file = tmp_path_factory.mktemp("tokens") / "token"
    token_file.write_text(TOKEN)
    data = tmp_path_factory.mktemp("data")
    with databases.fresh() as database, served(LANDED_DATABASE_URL=database, LANDED_DATA_DIR=str(data)) as server:
        yield House(server, database, token_file)


@pytest.fixture(scope="module")
def api(house: House) -> Iterator[httpx.Client]:
    with house.server.client() as client:
        yield client


def call_of(captured: Mapping[str, Any]) -> Call:
    return Call(
        method=captured["method"], url=captured["url"], headers=captured["headers"], body=captured["body"].encode()
    )


@pytest.mark.parametrize("file", [file for file in IN_ROUNDS if is_good(read(file))], ids=lambda file: file.stem)
def test_a_captured_callback_ends_as_its_file_expects(file: Path, house: House, api: httpx.Client) -> None:
    captured = read(file)
    house.enter(ROUNDS[file.stem])

    assert send(house.server, call_of(captured)) == 200

    check(house, api, captured)


@pytest.mark.parametrize("file", [file for file in FILES if not is_good(read(file))], ids=lambda file: file.stem)
def test_a_captured_forgery_is_refused_and_leaves_no_trace(file: Path, house: House, api: httpx.Client) -> None:
    captured = read(file)
    house.enter(ROUNDS[file.stem])

    answer = send(house.server, call_of(captured))

    assert answer == (400 if captured["expect"]["kind"] == "malformed" else 403)
    if "provider_message_id" in captured["expect"]:
        assert whole(api, f"/v1/messages/{captured['expect']['provider_message_id']}") is None


GETS: Final = [
    (file, families)
    for file in FILES
    for families in ("v2", "v3")
    if read(file)["provider"] == "plivo" and is_good(read(file)) and (file.stem, families) != (NOT_ASCII, "v3")
]


@pytest.mark.parametrize(("file", "families"), GETS, ids=lambda each: each.stem if isinstance(each, Path) else each)
def test_it_ends_the_same_as_a_get_that_plivos_sdk_signed(
    file: Path, families: str, house: House, api: httpx.Client
) -> None:
    captured = with_other_ids(read(file))
    house.enter(0)
    address, _, query = captured["url"].partition("?")
    call = plivo_get(address, "&".join(filter(None, [query, captured["body"]])), TOKEN, families=families)

    assert send(house.server, call) == 200

    check(house, api, captured)


@pytest.mark.parametrize("families", ["v2", "v3"])
def test_a_get_signed_with_another_token_is_refused(families: str, house: House, api: httpx.Client) -> None:
    house.enter(0)
    provider_id = str(uuid4())
    query = f"MessageUUID={provider_id}&Status=delivered"

    answer = send(house.server, plivo_get(PUBLIC_URL + SIGNED_PATH, query, "another-token", families=families))

    assert answer == 403
    assert whole(api, f"/v1/messages/{provider_id}") is None


def test_a_get_whose_query_was_altered_is_refused_where_v3_signs_it(house: House, api: httpx.Client) -> None:
    house.enter(0)
    provider_id = str(uuid4())
    genuine = plivo_get(PUBLIC_URL + SIGNED_PATH, f"MessageUUID={provider_id}&Status=undelivered", TOKEN, families="v3")
    altered = Call(method="GET", url=genuine.url.replace("undelivered", "delivered"), headers=genuine.headers)

    assert send(house.server, altered) == 403
    assert whole(api, f"/v1/messages/{provider_id}") is None


def test_a_repeat_with_a_fresh_nonce_is_one_fact(house: House, api: httpx.Client) -> None:
    first, again = (
        read(next(file for file in FILES if file.stem == name))
        for name in ("plivo_sms_delivered_captured", "plivo_sms_delivered_duplicate_retry")
    )
    house.enter(2)  # a round in which neither of them is

    assert [send(house.server, call_of(first)), send(house.server, call_of(again))] == [200, 200]

    path = f"/v1/messages/{first['expect']['provider_message_id']}"
    message = eventually(lambda: (found := whole(api, path)) and found["receipts"][0]["received_count"] == 2 and found)
    assert message["receipts_count"] == 1


# --- what a file expects, in the API's words ------------------------------------------------------------------------


def check(house: House, api: httpx.Client, captured: Mapping[str, Any]) -> None:
    """Wait until the API shows what a captured callback is about, of this round, and compare."""
    expect = captured["expect"]
    collection, name, compare = place_of(captured)
    question = {"q": name, "account": house.accounts[captured["provider"]]}
    (listed,) = eventually(lambda: api.get(collection, params=question).raise_for_status().json()["data"])
    thing = whole(api, f"{collection}/{listed['id']}")
    assert thing is not None
    compare(thing, expect)


Compare = Callable[[dict[str, Any], Mapping[str, Any]], None]


def place_of(captured: Mapping[str, Any]) -> tuple[str, str, Compare]:
    """Where the API has it: the collection, what to ask for, and how to compare it with what is expected."""
    expect = captured["expect"]
    match expect["kind"]:
        case "message_status":
            return "/v1/messages", expect["provider_message_id"], compare_message
        case "inbound_message":
            return "/v1/inbound", expect["provider_message_id"], compare_inbound
        case "verify_session":
            return "/v1/verify/sessions", expect["session_id"], compare_attempt
        case "two_step":
            return "/v1/verify/sessions", json.loads(captured["body"])["trackingId"], compare_two_step
        case "campaign_status":
            return "/v1/broadcasts", expect["campaign_id"], compare_broadcast
        case "tendlc":
            collection, word = REGISTRATIONS[expect["event"]]
            return f"/v1/10dlc/{collection}", expect[word], compare_registration
    raise AssertionError(f"a kind that nobody checks: {expect['kind']}")


REGISTRATIONS: Final = {
    "brand": ("brands", "brand_id"),
    "campaign": ("campaigns", "campaign_id"),
    "number_linking": ("numbers", "number"),
    "number_unlinking": ("numbers", "number"),
}


def assert_same(thing: Mapping[str, Any], expect: Mapping[str, Any], words: Mapping[str, str]) -> None:
    """`words`: what a file calls it -> what the API calls it."""
    wanted = {ours: expect[theirs] for theirs, ours in words.items() if theirs in expect}
    assert {ours: thing[ours] for ours in wanted} == wanted


def compare_message(message: dict[str, Any], expect: Mapping[str, Any]) -> None:
    same = {word: word for word in ("provider_message_id", "provider_status", "direction", "from", "to", "units")}
    assert_same(message, expect, same | {"error_code": "error_code", "message_type": "channel", "terminal": "final"})
    assert_same(message, expect, {"provider_reason": "provider_reason"})
    assert_same(message["network"], expect, {"mcc": "mcc", "mnc": "mnc"})
    if expect.get("parts", 1) == 1:
        assert message["status"] == expect["status"]
    else:
        part = {"provider_message_id": expect["part_id"], "number": expect["part"], "of": expect["parts"]}
        assert message["parts"] == [{**part, "status": expect["part_status"]}]
    if "amount" in expect:
        assert Decimal(message["cost"]["amount"]) == Decimal(expect["amount"])
        assert_same(message["cost"], expect, {"currency": "currency"})
    if "error_class" in expect:
        assert_same(message["error"], expect, {"error_class": "fault", "retryable": "retryable"})
    (receipt,) = message["receipts"]
    assert_same(receipt, expect, {"sequence": "sequence"})
    assert expect.get("extra", {}).items() <= receipt["extra"].items()
    told = {*receipt["extra"].values(), *(part["provider_message_id"] for part in message["parts"])}
    kept = ("powerpack_uuid", "conversation_id", "conversation_origin", "campaign_id", "reason", "part_id")
    assert {expect[word] for word in kept if word in expect} <= told
    if "occurred_at" in expect:
        assert message["final_at"] == expect["occurred_at"]


def compare_inbound(message: dict[str, Any], expect: Mapping[str, Any]) -> None:
    same = ("provider_message_id", "direction", "status", "from", "to", "units", "text", "content_type")
    assert_same(message, expect, {word: word for word in same} | {"message_type": "channel"})
    assert [media["url"] for media in message["media"]] == expect["media"]
    if "mime_type" in expect:
        assert [media["mime_type"] for media in message["media"]] == [expect["mime_type"]]
    assert (message["intent"] or "").replace("_", "") == expect.get("intent", "")
    if "occurred_at" in expect:
        assert message["received_at"] == expect["occurred_at"]


def compare_attempt(session: dict[str, Any], expect: Mapping[str, Any]) -> None:
    assert_same(session, expect, {"session_id": "provider_session_id", "session_status": "status", "to": "to"})
    (attempt,) = session["attempts"]
    same = {"attempt_id": "provider_attempt_id", "attempt_sequence": "sequence", "terminal": "final"}
    assert_same(attempt, expect, same | {word: word for word in ("channel", "provider_status", "status", "error_code")})
    if "error_class" in expect:
        assert_same(attempt["error"], expect, {"error_class": "fault"})


def compare_two_step(session: dict[str, Any], expect: Mapping[str, Any]) -> None:
    assert_same(session, expect, {"provider_status": "provider_status", "status": "status", "to": "to"})
    assert (session["final"], session["attempts"]) == (expect["terminal"], [])


def compare_broadcast(broadcast: dict[str, Any], expect: Mapping[str, Any]) -> None:
    same = {"campaign_id": "provider_broadcast_id", "provider_status": "provider_status", "terminal": "final"}
    assert_same(broadcast, expect, same | {"total": "recipients", "counts": "counts"})


def compare_registration(thing: dict[str, Any], expect: Mapping[str, Any]) -> None:
    same = {"provider_status": "provider_status", "status": "status", "terminal": "final", "reason": "reason"}
    ids = {"brand_id": "provider_brand_id", "campaign_id": "provider_campaign_id", "number": "number"}
    assert_same(thing, expect, same | ids)
    (happened,) = thing["history"]
    assert happened["registration"] == expect["event"].replace("linking", "link")


def with_other_ids(captured: dict[str, Any]) -> dict[str, Any]:
    """The same callback about another thing."""
    expect = captured["expect"]
    others = {
        expect[word]: str(uuid4())
        for word in ("provider_message_id", "session_id", "attempt_id", "part_id")
        if word in expect
    }
    others |= {expect[word]: secrets.token_hex(4).upper() for word in ("brand_id", "campaign_id") if word in expect}
    if "number" in expect:
        others[expect["number"].removeprefix("+")] = f"1415{secrets.randbelow(10**7):07d}"
    told = json.dumps({word: captured[word] for word in ("url", "body", "expect")}, ensure_ascii=False)
    for one, other in others.items():
        told = told.replace(one, other)
    changed: dict[str, Any] = captured | json.loads(told)
    return changed
