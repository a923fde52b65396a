"""`landed accounts check`: whether credentials, callback URL and signatures would work, and what to do where not."""

import dataclasses
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from landed.cli import app
from landed.domain.accounts import Account, CallbackPath, PathRole, Token, TokenRole
from landed.services import checking
from tests.asking import NOW, PROVIDERS
from tests.doubles.api import in_thread
from tests.doubles.plivo import PlivoDouble
from tests.doubles.routee import RouteeDouble
from tests.serving import served

SHOP = Account(
    id=1, name="shop", provider="plivo", provider_account_id="MA", policy="v3-preferred",
    tokens=(Token(id=1, role=TokenRole.ACCOUNT, value="token"),),
    paths=(CallbackPath(id=1, role=PathRole.KEY, value="key"),), created_at=NOW,
)  # fmt: skip

Respond = Callable[[httpx.Request], httpx.Response]


def door(request: httpx.Request) -> httpx.Response:
    """As ours answers."""
    headers = {"content-type": "application/problem+json", "allow": "GET, POST"}
    if request.method == "HEAD":
        return httpx.Response(405, headers=headers)
    return httpx.Response(403, headers=headers, content=b'{"code": "signature_invalid"}')


async def checked(
    account: Account, *, respond: Respond = door, public_url: str = "https://sms.example.com"
) -> dict[str, tuple[str, str]]:
    """Status and text by name."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "api.plivo.com":
            is_known = request.headers["authorization"] == httpx.BasicAuth("MA", "token")._auth_header
            content = {"auth_id": "MA", "cash_credits": "12.5", "name": "Shop Ltd"} if is_known else {"error": "no"}
            return httpx.Response(200 if is_known else 401, json=content)
        return respond(request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        told = await checking.check(account, PROVIDERS, public_url=public_url, http=http, base_urls={})
    assert told.ok is all(each.status != "fail" for each in told.checks)
    assert "key" not in told.model_dump_json().replace("this account's key", "").replace("the account's key", "")
    return {each.name: (each.status, " ".join(filter(None, (each.detail, each.advice)))) for each in told.checks}


@pytest.mark.anyio
async def test_a_sound_account_passes_every_check() -> None:
    told = await checked(SHOP)

    assert {name: status for name, (status, _) in told.items()} == dict.fromkeys(
        ("account", "credentials", "balance", "public_url", "callback_url", "signatures"), "ok"
    )
    assert "12.5000 USD" in told["balance"][1]
    assert "x-plivo-signature-v3" in told["signatures"][1]


@pytest.mark.anyio
@pytest.mark.parametrize("policy", PROVIDERS["plivo"].policies)
async def test_signatures_are_tried_under_every_policy(policy: str) -> None:
    assert (await checked(dataclasses.replace(SHOP, policy=policy)))["signatures"][0] == "ok"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("change", "name", "status", "way_out"),
    [
        ({"tokens": (Token(id=1, role=TokenRole.ACCOUNT, value="wrong"),)}, "credentials", "fail", "add-token shop"),
        ({"tokens": ()}, "credentials", "warn", "add-token shop"),
        ({"tokens": ()}, "signatures", "fail", "add-token shop"),
        ({"disabled_at": NOW}, "account", "fail", "accounts enable shop"),
        ({"disabled_at": NOW}, "signatures", "fail", ""),
        ({"allowed_addresses": ("203.0.113.0/24",)}, "callers", "ok", "203.0.113.0/24 only"),
    ],
)
async def test_what_is_wrong_with_an_account_is_said_with_the_way_out(
    change: dict[str, Any], name: str, status: str, way_out: str
) -> None:
    found, text = (await checked(dataclasses.replace(SHOP, **change)))[name]
    assert found == status
    assert way_out in text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("public_url", "status", "way_out"),
    [
        ("https://sms.example.com/hooks", "ok", "https://sms.example.com"),
        ("http://sms.example.com", "warn", "certificate"),
        ("http://localhost:8080", "warn", "this machine"),
        ("http://127.0.0.1:8080", "warn", "LANDED_PUBLIC_URL"),
        ("http://[::1]:8080", "warn", "this machine"),
        ("https://10.1.2.3", "warn", "private network"),
    ],
)
async def test_a_public_url_that_no_provider_reaches_is_warned_of(public_url: str, status: str, way_out: str) -> None:
    found, text = (await checked(SHOP, public_url=public_url))["public_url"]
    assert found == status
    assert way_out in text


def refused(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("All of it, with the URL: " + str(request.url))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("respond", "way_out"),
    [
        (refused, "cannot be reached from here: ConnectError"),
        (lambda request: httpx.Response(301, headers={"location": "https://elsewhere"}), "leads elsewhere"),
        (lambda request: httpx.Response(404), "passes /callbacks/ on"),
        (lambda request: httpx.Response(503), "/health/ready"),
        (lambda request: httpx.Response(200, html="<h1>Log in</h1>"), "Something else than Landed"),
        (lambda request: httpx.Response(403, json={"code": "signature_invalid"}), "Something else"),
        (
            lambda request: httpx.Response(
                403, headers={"content-type": "application/problem+json"}, content=b'{"code": "blocked"}'
            ),
            "Something else",
        ),
    ],
)
async def test_a_callback_url_that_does_not_lead_here_fails(respond: Respond, way_out: str) -> None:
    found, text = (await checked(SHOP, respond=respond))["callback_url"]
    assert found == "fail"
    assert way_out in text


@pytest.mark.anyio
async def test_what_signs_nothing_is_not_sent_what_would_be_kept() -> None:
    asked: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return door(request)

    told = await checked(dataclasses.replace(SHOP, provider="routee", tokens=(), policy="unsigned"), respond=respond)

    assert asked == ["HEAD"]
    assert told["callback_url"][0] == "ok"
    assert (told["signatures"][0], told["credentials"][0]) == ("warn", "warn")


# --- against the program itself ----------------------------------------------------------------------------------


@pytest.fixture
def variables(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    with in_thread(PlivoDouble()) as plivo, in_thread(RouteeDouble()) as routee:
        for name in [name for name in os.environ if name.startswith("LANDED_")]:
            monkeypatch.delenv(name)
        given = {
            "LANDED_DATABASE_URL": database,
            "LANDED_DATA_DIR": str(tmp_path),
            "LANDED_PROVIDER_URLS": f"plivo={plivo.base_url},routee={routee.base_url}",
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        added = ["accounts", "add", "plivo", "shop", "--auth-id", plivo.auth_id, "--auth-token-file", "-"]
        assert CliRunner().invoke(app, added, input=plivo.auth_token).exit_code == 0
        added = ["accounts", "add", "routee", "r", "--application-id", routee.application_id]
        added += ["--application-secret-file", "-"]
        assert CliRunner().invoke(app, added, input=routee.secret).exit_code == 0
        yield given


def test_the_command_and_the_api_find_a_running_landed(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("LANDED_PUBLIC_URL", url)
    with served(public_url=url, **{**variables, "LANDED_PORT": str(port)}) as server:
        for name in ("shop", "r"):
            result = CliRunner().invoke(app, ["accounts", "check", name, "--json"])
            told = json.loads(result.stdout)
            assert result.exit_code == 0, told
            found = {each["name"]: each["status"] for each in told["checks"]}
            assert (found["callback_url"], found["credentials"], found["balance"]) == ("ok", "ok", "ok")
            assert found["public_url"] == "warn"
        with server.client() as client:
            assert client.get("/v1/accounts/shop/check").json()["ok"] is True
            assert client.get("/v1/accounts/nobody/check").status_code == 404
            assert client.get("/v1/callbacks", params={"verdict": "accepted"}).json()["data"] == []


def test_the_command_exits_with_1_where_something_fails(variables: dict[str, str]) -> None:
    result = CliRunner().invoke(app, ["accounts", "check", "shop"])

    assert result.exit_code == 1
    lines = {line.split()[1]: line.split()[0] for line in result.stdout.splitlines()[1:]}
    assert (lines["credentials"], lines["callback_url"], lines["signatures"]) == ("ok", "fail", "ok")
