"""The audit log: what API keys and commands change, and who may read it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import Served, eventually, served

TO = "+14155550123"


@pytest.fixture
def server(database: str, tmp_path: Path) -> Iterator[Served]:
    with served(LANDED_DATABASE_URL=database, LANDED_DATA_DIR=str(tmp_path), LANDED_TRUSTED_PROXIES="127.0.0.1") as it:
        yield it


def run(server: Served, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "landed", *arguments]
    return subprocess.run(command, env=server.environment, capture_output=True, text=True, timeout=60)


def deeds(server: Served, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.landed("audit", *options)["data"]
    return found


def test_what_keys_and_commands_change_is_written_down_without_numbers_and_texts(
    server: Served, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("correct horse battery staple\n")
    (tmp_path / "token").write_text("a-token-of-the-account")
    token = ("--auth-token-file", str(tmp_path / "token"))
    server.landed("accounts", "add", "plivo", "shop", "--auth-id", "MAXXXXXXXXXXXXXXXXXX", *token)
    server.landed("users", "add", "anna", "--role", "admin", "--password-file", str(tmp_path / "password"))
    server.landed("opt-outs", "add", "shop", "+14155550100", TO)
    assert run(server, "users", "role", "anna", "viewer").returncode == 2
    server.landed("users", "list")
    key = server.landed("keys", "create", "sender", "--scope", "send")["key"]

    with httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {key}"}) as api:
        forwarded = {"X-Forwarded-For": "203.0.113.9"}
        body = {"account": "shop", "from": "+14155550100", "to": TO, "text": "a secret"}
        api.post("/v1/messages", json=body, headers=forwarded)
        api.delete(f"/v1/opt-outs/{TO}", headers=forwarded)
        api.get("/v1/messages")
        assert api.get("/v1/audit").status_code == 403
        api.post("/v1/messages", json=body, headers={"Authorization": "Bearer landed_" + "x" * 43})
    eventually(lambda: len(deeds(server, "--actor", "key:sender")) == 2)

    found = deeds(server)
    by_commands = [(each["action"], each["target"]) for each in found if each["actor"].startswith("cli:")]
    assert by_commands == [
        ("cli.keys.create", "sender"),
        ("cli.opt-outs.add", "shop"),
        ("cli.users.add", "anna admin"),
        ("cli.accounts.add.plivo", "shop"),
    ]
    by_key = [each for each in found if each["actor"] == "key:sender"]
    assert {(each["action"], each["target"], each["address"]) for each in by_key} == {
        ("api.post", "/v1/messages 422", "203.0.113.9"),  # that person opted out
        ("api.delete", "/v1/opt-outs/{opt_out_id} 403", "203.0.113.9"),
    }
    assert TO not in str(found)
    assert "secret" not in str(found)
    assert [each["target"] for each in deeds(server, "--action", "cli.users.add")] == ["anna admin"]
    assert {each["actor"] for each in deeds(server, "--actor", "key:")} == {"key:sender"}
    assert deeds(server, "--actor", "nobody", "--since", "1h") == []

    with server.client() as admin:
        first = admin.get("/v1/audit", params={"limit": 2}).json()
        assert first["next_cursor"]
        assert len(first["data"]) == 2
        second = admin.get("/v1/audit", params={"limit": 2, "cursor": first["next_cursor"]}).json()
        assert second["data"][0] not in first["data"]
        bound = server.landed("keys", "create", "bound", "--scope", "admin", "--account", "shop")["key"]
        assert admin.get("/v1/audit", headers={"Authorization": f"Bearer {bound}"}).status_code == 403


def test_a_first_start_prints_a_link_and_the_pages_are_served(database: str, tmp_path: Path) -> None:
    with (
        served(
            LANDED_DATABASE_URL=database, LANDED_DATA_DIR=str(tmp_path), public_url="http://127.0.0.1:8080"
        ) as server,
        httpx.Client(base_url=server.base_url) as nobody,
    ):
        for path, status in (("/", 303), ("/sign-in", 200), ("/health/live", 200), ("/nowhere", 404)):
            assert nobody.get(path).status_code == status
        for path in ("/v1/messages", "/v1/nowhere", "/callbacks/nowhere"):
            assert nobody.get(path).headers["content-type"] == "application/problem+json"
        assert nobody.get("/", headers={"Host": "evil.test"}).status_code == 421
        assert nobody.get("/health/live", headers={"Host": "10.0.0.1.nip.io"}).status_code == 200

        server.landed("users", "add", "anna", "--role", "operator", "--no-password")
        link = server.landed("users", "link", "anna")["url"].removeprefix("http://127.0.0.1:8080")
        assert nobody.get(link).headers["location"] == "/"
        assert "Overview" in nobody.get("/").text
        assert nobody.get("/settings").status_code == 200
        shown = nobody.get("/settings/health.json").json()
        assert shown["lag_rows"] == 0
        assert shown["database_bytes"] > 0
