"""Routee as an operator meets it: an account added, callbacks posted to a running server, messages read, strangers out.

That every captured callback ends as its file expects is test_captured_callbacks.py's.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from tests.calling import PUBLIC_URL, Call, answer, send
from tests.databases import Databases
from tests.serving import Served, eventually, landed, served

OWN_PATH: Final = "/routee/3f9c2b7e1d/status"
STATUS: Final[dict[str, Any]] = {
    "smsId": "s-1", "part": 1, "parts": 1, "to": "+306973359355", "from": "amdTelecom", "country": "GR",
    "operator": "COSMOTE", "message": "Your pin is 1234", "price": 0.0421, "direction": "Outbound",
    "originatingService": "Sms",
}  # fmt: skip


@pytest.fixture(scope="module")
def server(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """It sits behind a proxy of this machine, which says who called."""
    data = tmp_path_factory.mktemp("data")
    variables = {"LANDED_DATA_DIR": str(data), "LANDED_TRUSTED_PROXIES": "127.0.0.0/8", "LANDED_LANES": "1"}
    with (
        databases.fresh() as database,
        served(public_url=PUBLIC_URL, LANDED_DATABASE_URL=database, **variables) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def api(server: Served) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def url(server: Served) -> str:
    return add(server, "routee")


@pytest.fixture
def basic_file(tmp_path: Path) -> str:
    (tmp_path / "basic").write_text("routee:a secret of ours\n")
    return str(tmp_path / "basic")


def add(server: Served, name: str, *options: str, provider: str = "routee") -> str:
    """The callback URL of a new account."""
    account_id = "--application-id" if provider == "routee" else "--auth-id"
    added = server.landed("accounts", "add", provider, name, account_id, "5756a411e4b06a33d50517c7", *options)
    return str(added["callback_url"])


def told(message_id: str, word: str, *, reason: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
    status = {"name": word, "reason": reason, "updatedDate": "2026-03-02T09:15:04Z"}
    return {**STATUS, "messageId": message_id, "status": status, **more}


def call(url: str, content: Mapping[str, Any] | bytes, **headers: str) -> Call:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call(url=url, headers={"Content-Type": "application/json;charset=UTF-8", **named}, body=body)


def message(api: httpx.Client, message_id: str) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        got = api.get(f"/v1/messages/{message_id}")
        return dict(got.json()) if got.status_code == 200 else None

    whole: dict[str, Any] = eventually(found)
    return whole


def refused(api: httpx.Client, account: str) -> list[dict[str, Any]]:
    return list(api.get("/v1/callbacks", params={"account": account, "verdict": "refused"}).json()["data"])


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


class TestMessages:
    def test_a_delivered_message_reads_with_what_routee_told(self, server: Served, url: str, api: httpx.Client) -> None:
        assert send(server, call(url, told("d-1", "Delivered"))) == 200

        whole = message(api, "d-1")

        assert (whole["status"], whole["provider_status"], whole["final"]) == ("delivered", "Delivered", True)
        assert (whole["account"], whole["provider"], whole["country"]) == ("routee", "routee", "GR")
        assert (whole["from"], whole["to"], whole["channel"]) == ("amdTelecom", "+306973359355", "sms")
        assert (whole["cost"], whole["units"]) == ({"amount": "0.0421", "currency": None}, 1)
        assert whole["final_at"] == "2026-03-02T09:15:04Z"
        (receipt,) = whole["receipts"]
        assert receipt["extra"] == {"country": "GR", "operator": "COSMOTE", "smsId": "s-1"}
        assert "1234" not in json.dumps(whole)

    def test_a_reason_in_words_is_no_code_and_is_found_counted_and_explained(
        self, server: Served, url: str, api: httpx.Client
    ) -> None:
        reason = {"detailedStatus": "Unknown Number", "description": "number does not exist"}
        assert send(server, call(url, told("u-1", "Undelivered", reason=reason))) == 200

        whole = message(api, "u-1")

        assert (whole["error_code"], whole["provider_reason"]) == (None, "Unknown Number")
        assert (whole["error"]["fault"], whole["error"]["retryable"]) == ("recipient", False)
        (receipt,), (step,) = whole["receipts"], whole["timeline"]
        assert (receipt["error_code"], receipt["provider_reason"]) == (None, "Unknown Number")
        assert (step["error_code"], step["provider_reason"]) == (None, "Unknown Number")
        assert receipt["extra"]["reason"] == "number does not exist"
        listed = api.get("/v1/messages", params={"error_code": "Unknown Number"}).json()["data"]
        assert [each["provider_message_id"] for each in listed] == ["u-1"]
        since = {"group_by": "error_code", "since": "2026-01-01"}
        rows = api.get("/v1/analytics/messages", params=since).json()["data"]
        assert "Unknown Number" in json.dumps(rows)
        shown = landed(server.environment, "messages", "show", "u-1")
        assert "Unknown Number" in shown
        assert "Take the number off your list." in shown

    def test_parts_meet_in_one_message_whose_price_is_theirs_together(
        self, server: Served, url: str, api: httpx.Client
    ) -> None:
        for number in (2, 3, 1):
            part = told("p-1", "Delivered", part=number, parts=3, smsId=f"s-{number}")
            assert send(server, call(url, part)) == 200

        whole = eventually(lambda: (found := message(api, "p-1"))["final"] and found)

        assert (whole["status"], whole["units"], whole["cost"]["amount"]) == ("delivered", 3, "0.1263")
        assert [(part["provider_message_id"], part["of"]) for part in whole["parts"]] == [
            ("s-1", 3),
            ("s-2", 3),
            ("s-3", 3),
        ]

    def test_what_is_no_json_is_refused_at_the_door_and_nothing_is_kept(
        self, server: Served, url: str, api: httpx.Client
    ) -> None:
        status, _, body = answer(server, call(url, b'{"messageId":"x","status":{"name":"Delivered"'))

        assert (status, json.loads(body)["code"]) == (400, "callback_malformed")
        assert api.get("/v1/messages/x").status_code == 404

    def test_what_names_nothing_is_kept_and_set_aside(self, server: Served, url: str, api: httpx.Client) -> None:
        assert send(server, call(url, {"applicationName": "nothing-else"})) == 200

        aside = {"account": "routee", "verdict": "set_aside"}
        (found,) = eventually(lambda: api.get("/v1/callbacks", params=aside).json()["data"])
        assert found["reason"] == "callback_not_understood"
        assert "messageId" in found["detail"]


class TestItsAddressIsTheSecret:
    def test_an_unknown_key_is_404(self, server: Served) -> None:
        assert send(server, call(f"{PUBLIC_URL}/callbacks/{'a' * 32}", told("n-1", "Delivered"))) == 404

    def test_the_operator_is_told_so(self, server: Served) -> None:
        from subprocess import run
        from sys import executable

        arguments = [executable, "-m", "landed", "accounts", "add", "routee", "hinted", "--application-id", "5756"]
        ran = run(arguments, env=server.environment, capture_output=True, text=True, timeout=60, check=True)

        assert "routee signs nothing" in ran.stderr

    def test_neither_a_key_nor_an_own_path_shows_to_who_may_only_read(self, server: Served, api: httpx.Client) -> None:
        url = add(server, "masked", "--path", OWN_PATH)
        key = urlsplit(url).path.removeprefix("/callbacks/")
        for address in (url, PUBLIC_URL + OWN_PATH):
            progress = {
                "trackingId": f"c-{len(address)}",
                "campaignStatus": "Running",
                "callbackInfo": {"url": address},
            }
            assert send(server, call(address, progress)) == 200
        reading = server.landed("keys", "create", "reads-masked", "--scope", "read", "--account", "masked")["key"]

        def seen(client: httpx.Client, key: str | None = None) -> str:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            listed = client.get("/v1/callbacks", params={"account": "masked"}, headers=headers).json()["data"]
            whole = [client.get(f"/v1/callbacks/{each['id']}", headers=headers).json() for each in listed]
            return json.dumps([listed, whole])

        eventually(lambda: seen(api).count(key) >= 2)
        assert OWN_PATH in seen(api)
        for secret in (key, OWN_PATH, "3f9c2b7e1d"):
            assert secret not in seen(api, reading)


class TestBasic:
    def test_without_the_right_credentials_nothing_gets_in(
        self, server: Served, api: httpx.Client, basic_file: str
    ) -> None:
        url = add(server, "basic", "--basic-file", basic_file)
        good = basic("routee:a secret of ours")

        answers = [
            answer(server, call(url, told("b-1", "Sent"), **headers))
            for headers in ({}, {"Authorization": basic("routee:wrong")}, {"Authorization": good})
        ]

        assert [status for status, _, _ in answers] == [403, 403, 200]
        assert json.loads(answers[0][2])["code"] == "caller_not_allowed"
        assert "HTTP Basic" in json.loads(answers[0][2])["detail"]
        assert message(api, "b-1")["receipts_count"] == 1
        found = eventually(lambda: len(kept := refused(api, "basic")) == 2 and kept)
        assert {each["reason"] for each in found} == {"basic_missing", "basic_mismatch"}
        (accepted,) = api.get("/v1/callbacks", params={"account": "basic", "verdict": "accepted"}).json()["data"]
        assert accepted["verified_by"] == ["authorization"]
        assert good not in api.get(f"/v1/callbacks/{accepted['id']}").text
        metrics = httpx.get(f"{server.base_url}/metrics").text
        assert 'landed_callbacks_refused_total{account="basic",reason="basic_missing"} 1.0' in metrics

    def test_credentials_are_rotated_without_a_gap_and_ended(
        self, server: Served, tmp_path: Path, basic_file: str
    ) -> None:
        url = add(server, "rotating")
        assert send(server, call(url, told("r-1", "Sent"))) == 200

        def takes(text: str | None) -> bool:
            headers = {"Authorization": basic(text)} if text else {}
            return send(server, call(url, told("r-1", "Sent"), **headers)) == 200

        old = server.landed("accounts", "add-token", "rotating", "--basic-file", basic_file)["tokens"][0]
        assert old["role"] == "basic"
        eventually(lambda: not takes(None))
        (tmp_path / "new").write_text("routee:another")
        new = server.landed("accounts", "add-token", "rotating", "--basic-file", str(tmp_path / "new"))["tokens"][0]
        eventually(lambda: takes("routee:another"))
        assert takes("routee:a secret of ours")
        server.landed("accounts", "expire-token", "rotating", str(old["id"]))
        eventually(lambda: not takes("routee:a secret of ours"))
        assert takes("routee:another")
        server.landed("accounts", "expire-token", "rotating", str(new["id"]))
        eventually(lambda: takes(None))

    def test_a_password_is_no_key_to_sign_with(self, server: Served, tmp_path: Path) -> None:
        from landed.providers.plivo.signatures import sign_v2

        (tmp_path / "token").write_text("the-auth-token")
        (tmp_path / "basic").write_text("plivo:word")
        options = ("--auth-token-file", str(tmp_path / "token"), "--basic-file", str(tmp_path / "basic"))
        url = add(server, "plivo-basic", *options, provider="plivo")

        def signed(token: str, **headers: str) -> int:
            names = {"X-Plivo-Signature-V2": sign_v2(url, "1", token), "X-Plivo-Signature-V2-Nonce": "1"}
            form = {"Content-Type": "application/x-www-form-urlencoded", **names, **headers}
            return send(server, Call(url=url, headers=form, body=b"MessageUUID=pb-1&Status=sent"))

        good = {"Authorization": basic("plivo:word")}
        assert [signed("the-auth-token", **good), signed("the-auth-token"), signed("plivo:word", **good)] == [
            200,
            403,
            403,
        ]


class TestAddresses:
    def test_only_listed_addresses_get_in_as_the_trusted_proxy_tells_them(
        self, server: Served, api: httpx.Client
    ) -> None:
        url = add(server, "listed", "--allow-address", "203.0.113.0/24", "--allow-address", "2001:db8::7")
        forwarded = {
            "203.0.113.7": 200,
            "198.51.100.9, 203.0.113.7, 127.0.0.1": 200,
            "2001:db8::7": 200,
            "198.51.100.9": 403,
            "203.0.113.7, 198.51.100.9": 403,
            "unknown": 403,
        }

        answers = {
            address: send(server, call(url, told("l-1", "Sent"), X_Forwarded_For=address)) for address in forwarded
        }

        assert answers == forwarded
        assert send(server, call(url, told("l-1", "Sent"))) == 403  # the proxy itself
        both = call(url, told("l-1", "Sent"), X_Forwarded_For="198.51.100.9", Forwarded="for=203.0.113.7")
        assert send(server, both) == 403
        found = eventually(lambda: len(kept := refused(api, "listed")) == 5 and kept)
        assert {each["reason"] for each in found} == {"address_not_allowed"}
        assert any("198.51.100.9" in each["detail"] for each in found)

    def test_the_list_changes_while_it_runs(self, server: Served, api: httpx.Client) -> None:
        url = add(server, "changing")

        def comes(address: str) -> int:
            return send(server, call(url, told("c-1", "Sent"), X_Forwarded_For=address))

        assert comes("198.51.100.9") == 200
        server.landed("accounts", "add-address", "changing", "203.0.113.7")
        eventually(lambda: comes("198.51.100.9") == 403)
        assert comes("203.0.113.7") == 200
        (account,) = (each for each in api.get("/v1/accounts").json()["data"] if each["name"] == "changing")
        assert account["allowed_addresses"] == ["203.0.113.7"]
        server.landed("accounts", "remove-address", "changing", "203.0.113.7")
        eventually(lambda: comes("198.51.100.9") == 200)

    def test_a_host_that_cannot_be_looked_up_costs_no_callback(self, server: Served) -> None:
        url = add(server, "named", "--allow-address", "nowhere.invalid", "--allow-address", "203.0.113.7")

        assert send(server, call(url, told("h-1", "Sent"), X_Forwarded_For="203.0.113.7")) == 200
        status, headers, body = answer(server, call(url, told("h-1", "Sent"), X_Forwarded_For="198.51.100.9"))

        assert (status, json.loads(body)["code"]) == (503, "addresses_unresolved")
        assert "nowhere.invalid" in json.loads(body)["detail"]
        assert headers["retry-after"] == "10"
