"""Sending as an operator does, with the real program and a stand-in for the provider."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.api import in_thread
from tests.doubles.plivo import PlivoDouble
from tests.serving import Served, eventually, served

FROM, ANN = "+14155550100", "+14155550123"


@pytest.fixture
def plivo() -> Iterator[PlivoDouble]:
    with in_thread(PlivoDouble()) as double:
        yield double


@pytest.fixture
def server(database: str, tmp_path: Path, plivo: PlivoDouble) -> Iterator[Served]:
    urls = f"plivo={plivo.base_url}"
    variables = {"LANDED_DATABASE_URL": database, "LANDED_DATA_DIR": str(tmp_path), "LANDED_PROVIDER_URLS": urls}
    with served(**variables) as running:
        (tmp_path / "token").write_text(plivo.auth_token)
        token = ("--auth-token-file", str(tmp_path / "token"))
        running.landed("accounts", "add", "plivo", "shop", "--auth-id", plivo.auth_id, *token)
        yield running


def run(server: Served, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "landed", *arguments]
    return subprocess.run(command, env=server.environment, capture_output=True, text=True, timeout=60, input=text)


def whole(server: Served, message_id: str) -> Any:
    return server.landed("messages", "show", message_id)


def test_a_message_is_sent_followed_and_counted(server: Served, plivo: PlivoDouble) -> None:
    said = run(server, "messages", "send", "--from", FROM, "--to", "(415) 555-0123", "--region", "us", "--text", "-",
               "--tag", "spring", "--json", text="It’s ready. " + "x" * 100)  # fmt: skip
    assert said.returncode == 0, said.stderr
    (message,) = json.loads(said.stdout)["data"]
    eventually(lambda: whole(server, message["id"])["status"] == "queued")
    (sent,) = plivo.messages
    plivo.callbacks_to = server.base_url
    assert plivo.call(plivo.post_status(sent, "delivered")) == 200
    eventually(lambda: whole(server, message["id"])["status"] == "delivered")

    shown = whole(server, message["id"])
    assert (shown["to"], shown["tags"], shown["provider_message_id"]) == (ANN, ["spring"], sent)
    assert (shown["units"], shown["segments_estimated"]) == (1, 2)
    assert "1, where 2 were expected" in run(server, "messages", "show", message["id"]).stdout
    with server.client() as api:
        eventually(lambda: 'outcome="sent"' in api.get("/metrics").text)
        metrics = api.get("/metrics").text
        health = api.get("/health/ready").json()["checks"]
    assert 'landed_sends_total{account="shop",outcome="sent"} 1.0' in metrics
    assert "landed_outbox_waiting 0.0" in metrics
    assert health["outbox_waiting"] == 0


def test_asking_again_with_a_key_sends_nothing_again(server: Served, plivo: PlivoDouble) -> None:
    command = ("messages", "send", "--from", FROM, "--to", ANN, "--text", "hello", "--idempotency-key", "k1", "--json")

    first, again = run(server, *command), run(server, *command)

    assert json.loads(first.stdout) == json.loads(again.stdout)
    assert "nothing was sent again" in again.stderr
    eventually(lambda: plivo.messages)
    assert len(plivo.messages) == 1


def test_a_template_for_later_is_cancelled_once(server: Served, tmp_path: Path) -> None:
    (tmp_path / "template.json").write_text('{"name": "ready", "language": "en"}')
    said = server.landed(
        "messages", "send", "--from", FROM, "--to", ANN, "--channel", "whatsapp",
        "--template", str(tmp_path / "template.json"), "--at", "+1h", "--expires", "5m",
    )  # fmt: skip
    message_id = said["data"][0]["id"]

    waiting = run(server, "messages", "show", message_id)
    cancelled = server.landed("messages", "cancel", message_id)
    again = run(server, "messages", "cancel", message_id)

    assert "waiting, due" in waiting.stdout
    assert (cancelled["status"], cancelled["error_code"]) == ("failed", "cancelled")
    assert (again.returncode, "cannot be cancelled" in again.stderr) == (1, True)


def test_what_cannot_be_sent_is_a_sentence(server: Served, tmp_path: Path) -> None:
    nobody = run(server, "messages", "send", "--from", FROM, "--to", "5", "--text", "hello")
    no_text = run(server, "messages", "send", "--from", FROM, "--to", ANN)
    no_file = run(server, "messages", "send", "--from", FROM, "--to", ANN, "--template", str(tmp_path / "none"))

    assert (nobody.returncode, "too few digits" in nobody.stderr) == (1, True)
    assert (no_text.returncode, "nothing to send" in no_text.stderr) == (2, True)
    assert (no_file.returncode, "cannot be read" in no_file.stderr) == (2, True)


def test_rates_are_said_shown_and_taken_back(server: Served) -> None:
    default = server.landed("accounts", "rate", "shop")
    server.landed("accounts", "rate", "shop", "--per-second", "50")
    said = server.landed("accounts", "rate", "shop", "--from", FROM, "--per-second", "0.25")
    back = server.landed("accounts", "rate", "shop", "--default")
    refused = run(server, "accounts", "rate", "shop", "--per-second", "0")

    assert default == [{"sender": None, "per_second": 5.0, "is_default": True}]
    assert said == [
        {"sender": None, "per_second": 50.0, "is_default": False},
        {"sender": FROM, "per_second": 0.25, "is_default": False},
    ]
    assert back[0] == {"sender": None, "per_second": 5.0, "is_default": True}
    assert (refused.returncode, "above 0" in refused.stderr) == (2, True)
