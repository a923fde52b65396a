"""Every captured callback, posted byte for byte to a running server, ends as its file expects."""

import http.client
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.serving import Served, callback_files, eventually, served

FILES = callback_files("plivo/callbacks/plivo_[sm]ms_*.json")


@pytest.fixture(scope="module")
def server(server_url: str, data_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    token = tmp_path_factory.mktemp("tokens") / "token"
    token.write_text(_read(FILES[0])["secrets"]["auth_token"])
    own_data = tmp_path_factory.mktemp("data")
    database = _database(server_url)
    with served(LANDED_DATABASE_URL=next(database), LANDED_DATA_DIR=str(own_data)) as running:
        running.landed(
            *("accounts", "add", "plivo", "main", "--auth-id", "MAXXXXXXXXXXXXXXXXXX"),
            *("--auth-token-file", str(token), "--path", "/plivo/status"),
        )
        yield running
    next(database, None)


def _database(server_url: str) -> Iterator[str]:
    from tests.conftest import fresh_database

    yield from fresh_database(server_url)


@pytest.fixture(scope="module")
def api(server: Served) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_captured_callback_ends_as_its_file_expects(file: Path, server: Served, api: httpx.Client) -> None:
    captured = _read(file)
    expect = captured["expect"]

    answer = _post(server, captured)

    if "must_be_rejected" in expect:
        assert answer == 403
        assert api.get(f"/v1/messages/{expect['provider_message_id']}").status_code == 404
        return
    assert answer == 200
    message = eventually(lambda: _message(api, expect["provider_message_id"]))
    _assert_as_expected(message, expect)


def test_a_repeat_with_a_fresh_nonce_is_one_fact(server: Served, api: httpx.Client) -> None:
    first, again = (
        next(_read(file) for file in FILES if file.stem == name)
        for name in ("plivo_sms_delivered_captured", "plivo_sms_delivered_duplicate_retry")
    )

    assert [_post(server, first), _post(server, again)] == [200, 200]

    provider_id = first["expect"]["provider_message_id"]
    message = eventually(
        lambda: (found := _message(api, provider_id)) and found["receipts"][0]["received_count"] >= 2 and found
    )
    assert message["receipts_count"] == 1


def _read(file: Path) -> dict[str, Any]:
    captured: dict[str, Any] = json.loads(file.read_text())
    return captured


def _post(server: Served, captured: dict[str, Any]) -> int:
    url, own = urlsplit(captured["url"]), urlsplit(server.base_url)
    connection = http.client.HTTPConnection(own.hostname or "", own.port)
    target = f"{url.path}?{url.query}" if url.query else url.path
    connection.request(captured["method"], target, captured["body"].encode() or None, captured["headers"])
    status = connection.getresponse().status
    connection.close()
    return status


def _message(api: httpx.Client, provider_id: str) -> dict[str, Any] | None:
    answer = api.get(f"/v1/messages/{provider_id}")
    return answer.json() if answer.status_code == 200 else None


def _assert_as_expected(message: dict[str, Any], expect: dict[str, Any]) -> None:
    same = {
        "provider_message_id": "provider_message_id",
        "provider_status": "provider_status",
        "status": "status",
        "terminal": "final",
        "direction": "direction",
        "from": "from",
        "to": "to",
        "error_code": "error_code",
        "message_type": "channel",
        "units": "units",
    }
    for theirs, ours in same.items():
        if theirs in expect:
            assert message[ours] == expect[theirs], theirs
    for key in ("mcc", "mnc"):
        if key in expect:
            assert message["network"][key] == expect[key]
    if "amount" in expect:
        assert Decimal(message["cost"]["amount"]) == Decimal(expect["amount"])
        assert message["cost"]["currency"] == expect["currency"]
    if "error_class" in expect:
        assert message["error"]["fault"] == expect["error_class"]
    if "retryable" in expect:
        assert message["error"]["retryable"] is expect["retryable"]
    receipt = message["receipts"][-1]
    if "sequence" in expect:
        assert receipt["sequence"] == expect["sequence"]
    if "extra" in expect:
        assert expect["extra"].items() <= receipt["extra"].items()
    if "powerpack_uuid" in expect:
        assert receipt["extra"]["PowerpackUUID"] == expect["powerpack_uuid"]
    if "part_id" in expect:
        assert message["parts"] == [
            {
                "provider_message_id": expect["part_id"],
                "number": expect["part"],
                "of": expect["parts"],
                "status": expect["part_status"],
            }
        ]
