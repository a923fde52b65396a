"""A provider of somebody else, tests/packages/acme-sms: installed beside Landed, and used as its own are."""

import hashlib
import hmac
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from landed.providers import registry
from tests.databases import Databases
from tests.serving import Served, eventually, landed, served

PACKAGE: Final = Path(__file__).parent.parent / "packages/acme-sms"
SECRET: Final = "acme-secret-0815"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package is in, as `pip install` puts it there: offline, and beside everything else."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    alone = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(folder)]
    subprocess.run([*pip, *alone, str(PACKAGE)], check=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def server(databases: Databases, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("data")
    with (
        databases.fresh() as database,
        served(LANDED_DATABASE_URL=database, LANDED_DATA_DIR=str(data), PYTHONPATH=str(installed)) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def callback_path(server: Served, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where Acme calls an account that was added by a command."""
    secret = tmp_path_factory.mktemp("secret") / "secret.txt"
    secret.write_text(SECRET)
    added = server.landed(
        *("accounts", "add", "acme", "shop", "--customer-number", "4711", "--secret-file", str(secret))
    )
    return str(added["callback_url"]).removeprefix("https://hooks.example.com")


@pytest.fixture(scope="module")
def api(server: Served) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def test_it_keeps_the_contract_that_ours_keep(installed: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(PACKAGE / "pyproject.toml"),
         "--rootdir", str(PACKAGE), "--confcutdir", str(PACKAGE), str(PACKAGE / "tests")],
        env={**os.environ, "PYTHONPATH": str(installed)}, cwd=installed, capture_output=True, text=True, timeout=240,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stdout[-3000:]


def test_landed_itself_does_not_know_it() -> None:
    assert "acme" not in registry.load()


def test_commands_offer_it_under_its_own_words(server: Served) -> None:
    shown = landed({**server.environment, "NO_COLOR": "1", "COLUMNS": "120"}, "accounts", "add", "acme", "--help")

    assert "--customer-number" in shown


def test_a_signed_callback_becomes_a_message(server: Served, callback_path: str, api: httpx.Client) -> None:
    fields = {"id": "acme-7", "step": "lost", "reason": "phone_off", "from": "ACME", "to": "+447700900123"}
    price = {"price": {"amount": "0.0061", "currency": "EUR"}, "at": "2026-03-02T09:15:04Z"}

    assert _post(server, callback_path, {**fields, **price}).status_code == 200

    message = eventually(lambda: _found(api, "acme-7"))
    assert (message["account"], message["provider"], message["country"]) == ("shop", "acme", "GB")
    assert (message["status"], message["provider_status"], message["final"]) == ("undelivered", "lost", True)
    assert message["error"] == {
        "title": "The phone is off",
        "advice": "Send it again later.",
        "fault": "recipient",
        "retryable": True,
    }
    assert message["cost"] == {"amount": "0.0061", "currency": "EUR"}


def test_a_forged_callback_is_refused(server: Served, callback_path: str, api: httpx.Client) -> None:
    refused = _post(server, callback_path, {"id": "acme-8", "step": "arrived"}, secret="guessed")

    assert (refused.status_code, refused.json()["code"]) == (403, "signature_invalid")
    assert _found(api, "acme-8") is None


def test_a_word_it_does_not_know_is_kept_as_unknown(server: Served, callback_path: str, api: httpx.Client) -> None:
    assert _post(server, callback_path, {"id": "acme-9", "step": "teleported"}).status_code == 200

    message = eventually(lambda: _found(api, "acme-9"))
    assert (message["status"], message["unknown_statuses"]) == ("queued", ["teleported"])


def test_what_it_cannot_understand_is_set_aside(server: Served, callback_path: str, api: httpx.Client) -> None:
    assert _post(server, callback_path, {"step": "arrived"}).status_code == 200

    def last_set_aside() -> Any:
        return api.get("/v1/callbacks", params={"verdict": "set_aside"}).json()["data"]

    (callback,) = eventually(last_set_aside)
    assert (callback["account"], callback["reason"]) == ("shop", "callback_not_understood")


def _post(server: Served, path: str, fields: dict[str, Any], secret: str = SECRET) -> httpx.Response:
    """As Acme's documentation says, not as our package does it."""
    body, at = json.dumps(fields), "1772442904"
    text = f"{at}\nhttps://hooks.example.com{path}\n{body}"
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    headers = {"Acme-Signature": f"at={at}, sha256={digest}", "Content-Type": "application/json"}
    return httpx.post(server.base_url + path, content=body, headers=headers)


def _found(api: httpx.Client, provider_message_id: str) -> dict[str, Any] | None:
    answer = api.get(f"/v1/messages/{provider_message_id}")
    return answer.json() if answer.status_code == 200 else None
