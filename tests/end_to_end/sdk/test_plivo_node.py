"""Plivo's own SDK for Node calls the stand-in: one program of Node makes the calls and proves the callbacks it gets.

Applications are not among the calls: their address is written into that SDK, whatever it is told.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import landed
from landed.testing.carrier import LandedCarrier

ROOT = Path(landed.__file__).parents[2]
PROGRAM = ROOT / "tests" / "node" / "calls.js"
PACKAGES = ROOT / ".venv" / "node" / "node_modules"

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed: its SDK is not tried."),
    pytest.mark.skipif(
        not (PACKAGES / "plivo").is_dir(),
        reason="Plivo's SDK for Node is not in .venv/node: `make .venv/.node` puts it there where there is npm.",
    ),
]


def run(carrier: LandedCarrier) -> Any:
    environment = {
        "PATH": os.environ["PATH"],
        "NODE_PATH": str(PACKAGES),
        "NODE_NO_WARNINGS": "1",
        "BASE_URL": carrier.base_url,
        "AUTH_ID": carrier.plivo.auth_id,
        "AUTH_TOKEN": carrier.plivo.auth_token,
    }
    ran = subprocess.run(["node", str(PROGRAM)], env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_every_call_is_answered_and_every_callback_proven(landed_carrier: LandedCarrier) -> None:
    told = run(landed_carrier)
    calls, callbacks = told["calls"], told["callbacks"]

    assert len(callbacks) > 15
    assert all(len(each["verdicts"]) == 4 and all(each["verdicts"].values()) for each in callbacks)
    assert {each["method"] for each in callbacks if each["path"] == "/sms_status/"} == {"GET"}
    assert (calls["get"]["messageState"], calls["list"][0]["errorCode"]) == ("delivered", "30")
    assert len(calls["several"]["messageUuid"]) == 2
    assert calls["media"]["objects"][0]["mediaUrl"] == "https://media.example.com/a.png"
    assert {name: calls[name]["status"] for name in ("barred", "same", "unknown", "wrong code", "stranger")} == {
        "barred": 403, "same": 400, "unknown": 404, "wrong code": 400, "stranger": 401,
    }  # fmt: skip
    assert calls["validate"]["message"] == "session validated successfully."
    assert (calls["get session"]["status"], calls["list sessions"]["sessions"][0]["status"]) == ("verified", "verified")
    assert calls["get brand"]["brand"]["registrationStatus"] == "COMPLETED"
    assert calls["get campaign"]["campaign"]["registrationStatus"] == "ACTIVE"
    assert calls["get link"]["phoneNumbers"] == [{"number": "15005550000", "status": "COMPLETED"}]
    assert calls["give up"]["message"] == "Campaign Deactivated"
    assert float(calls["account"]["cashCredits"]) > 0
    assert calls["get subaccount"]["name"] == "shop"
