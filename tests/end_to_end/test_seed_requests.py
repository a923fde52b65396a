"""The requests that the seed documents show, made through our API and our command line, and what is seen of them.

    001_91c54c5fb159b93d   Plivo: a Verify session
    004_9738a4e1b3eded4c   Plivo: a brand, a campaign

The real program against a stand-in for Plivo, with callbacks over HTTP. Sending messages (000, 002) is in
test_sending.py.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.calling import send, whole
from tests.databases import Databases
from tests.doubles.api import in_thread
from tests.doubles.plivo import AUTH_ID, AUTH_TOKEN, PlivoDouble
from tests.serving import Served, eventually, landed, served
from tests.unit.services.test_declaring import FILE

RECIPIENT: Final = "+14155550123"
PROFILE: Final = "d61eaaaa-18b1-4473-8810-0b9d80573aa9"
#: As the document has it: it is shorter than the registry takes today, and says nothing of how people agree.
CAMPAIGN: Final[dict[str, Any]] = {
    "vertical": "INSURANCE",
    "use_case": "MIXED",
    "sub_use_cases": ["2FA", "ACCOUNT_NOTIFICATION", "CUSTOMER_CARE", "DELIVERY_NOTIFICATION", "FRAUD_ALERT"],
    "description": "OTP registration",
    "direct_lending": True,
    "affiliate_marketing": False,
    "embedded_link": False,
    "embedded_phone": False,
    "age_gated": False,
    "subscriber_opt_in": True,
    "subscriber_opt_out": True,
    "subscriber_help": True,
    "samples": ["Your OTP is 1234.", "Your order {ID} is out for delivery."],
    "unchecked": True,
}
#: What Plivo was asked for in the document, but for names and addresses.
AT_PLIVO: Final[dict[str, Any]] = {
    "vertical": "INSURANCE",
    "usecase": "MIXED",
    "sub_usecases": ["2FA", "ACCOUNT_NOTIFICATION", "CUSTOMER_CARE", "DELIVERY_NOTIFICATION", "FRAUD_ALERT"],
    "description": "OTP registration",
    "direct_lending": True,
    "affiliate_marketing": False,
    "embedded_link": False,
    "embedded_phone": False,
    "age_gated": False,
    "subscriber_optin": True,
    "subscriber_optout": True,
    "subscriber_help": True,
    "sample1": "Your OTP is 1234.",
    "sample2": "Your order {ID} is out for delivery.",
    "method": "POST",
}


@pytest.fixture(scope="module")
def plivo() -> Iterator[PlivoDouble]:
    with in_thread(PlivoDouble()) as double:
        double.profiles["d61eaaaa-18b1-4473-8810-0b9d80573aa9"] = {
            "profile_uuid": "d61eaaaa-18b1-4473-8810-0b9d80573aa9"
        }
        yield double


@pytest.fixture(scope="module")
def server(databases: Databases, plivo: PlivoDouble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with (
        databases.fresh() as database,
        served(
            LANDED_DATABASE_URL=database,
            LANDED_DATA_DIR=str(tmp_path_factory.mktemp("data")),
            LANDED_AUTH_TOKEN=AUTH_TOKEN,
            LANDED_PROVIDER_URLS=f"plivo={plivo.base_url}",
        ) as one,
    ):
        one.landed("accounts", "add", "plivo", "shop", "--auth-id", AUTH_ID)
        yield one


@pytest.fixture(scope="module")
def api(server: Served) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def posted(api: httpx.Client, path: str, **body: Any) -> Any:
    response = api.post(path, json=body)
    assert response.status_code in (201, 202), response.text
    return response.json()


def eventually_is(api: httpx.Client, path: str, status: str) -> dict[str, Any]:
    thing: dict[str, Any] = eventually(lambda: (shown := whole(api, path)) and shown["status"] == status and shown, 20)
    return thing


@pytest.mark.parametrize("way", ["api", "command line"])
def test_001_a_verify_session(way: str, server: Served, api: httpx.Client, plivo: PlivoDouble) -> None:
    app = "ee4b7a2e-46aa-4ed1-9a8a-2a1a06c2f3b6"
    if way == "api":
        session = posted(api, "/v1/verify/sessions", to=RECIPIENT, app=app, channel="sms")
    else:
        session = server.landed("verify", "start", RECIPIENT, "--app", app, "--channel", "sms")
    uuid = session["provider_session_id"]
    asked = plivo.sessions[uuid].body

    assert {name: asked[name] for name in ("app_uuid", "recipient", "channel", "method")} == {
        "app_uuid": app, "recipient": RECIPIENT, "channel": "sms", "method": "POST",
    }  # fmt: skip
    assert send(server, plivo.session_call(uuid, channel_status="delivered")) == 200
    path = f"/v1/verify/sessions/{session['id']}"
    eventually(lambda: (whole(api, path) or {})["attempts"])
    code = plivo.sessions[uuid].code
    if way == "api":
        wrong = api.post(f"{path}/check", json={"code": "000000x"}).json()
        right = api.post(f"{path}/check", json={"code": code}).json()
        assert (wrong["verified"], right["verified"]) == (False, True)
    else:
        checked = server.landed("verify", "check", session["id"], code)
        assert checked["verified"] is True
    shown = eventually_is(api, path, "verified")
    assert (shown["our_id"] in asked["url"], shown["attempts"][0]["status"]) == (True, "delivered")


def test_001_on_the_command_line_a_wrong_code_fails_and_a_code_is_sent_again(
    server: Served, plivo: PlivoDouble
) -> None:
    session = server.landed("verify", "start", "+14155550124")
    command = [sys.executable, "-m", "landed", "verify", "check", session["id"], "000000x"]
    ran = subprocess.run(command, env=server.environment, capture_output=True, text=True, timeout=60)
    again = server.landed("verify", "resend", session["id"])

    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", "The code is wrong. 4 tries are left.\n")
    assert again["resent_from"] == session["our_id"]
    assert plivo.sessions[again["provider_session_id"]].body["channel"] == "voice"
    assert "sent again as" in landed(server.environment, "verify", "show", session["id"])


@pytest.mark.parametrize("way", ["api", "command line"])
def test_004_a_brand_and_a_campaign(way: str, server: Served, api: httpx.Client, plivo: PlivoDouble) -> None:
    profile, alias = PROFILE, f"gov234t-{way[:3]}"
    if way == "api":
        brand = posted(
            api, "/v1/10dlc/brands", alias=alias, profile=profile, brand_type="STANDARD", secondary_vetting=True
        )
    else:
        brand = server.landed(
            "10dlc", "brands", "create", alias, "--profile", profile, "--type", "STANDARD", "--secondary-vetting"
        )
    brand_id = brand["provider_brand_id"]
    expected = {
        "brand_alias": alias, "profile_uuid": profile, "brand_type": "STANDARD", "secondary_vetting": True,
        "method": "POST",
    }  # fmt: skip
    assert {name: plivo.brands[brand_id][name] for name in expected} == expected
    for status in ("created", "registered"):
        assert send(server, plivo.brand_call(brand_id, status)) == 200
    eventually_is(api, f"/v1/10dlc/brands/{brand['our_ids'][0]}", "registered")

    if way == "api":
        campaign = posted(api, "/v1/10dlc/campaigns", brand=alias, **CAMPAIGN)
    else:
        words = {name.replace("_", "-"): value for name, value in CAMPAIGN.items() if isinstance(value, str)}
        flags = [
            f"--{'' if on else 'no-'}{name.replace('_', '-')}" for name, on in CAMPAIGN.items() if isinstance(on, bool)
        ]
        campaign = server.landed(
            "10dlc", "campaigns", "create", "--brand", alias, *flags,
            *(part for name, value in words.items() for part in (f"--{name}", value)),
            *(part for value in CAMPAIGN["sub_use_cases"] for part in ("--sub-use-case", value)),
            *(part for value in CAMPAIGN["samples"] for part in ("--sample", value)),
        )  # fmt: skip
    campaign_id = campaign["provider_campaign_id"]
    at_plivo = plivo.campaigns[campaign_id]
    assert {name: at_plivo[name] for name in AT_PLIVO} == AT_PLIVO
    assert at_plivo["brand_id"] == brand_id
    assert send(server, plivo.campaign_call(campaign_id, "rejected")) == 200
    assert eventually_is(api, f"/v1/10dlc/campaigns/{campaign_id}", "rejected")["provider_brand_id"] == brand_id


def test_004_numbers_are_linked_and_unlinked_on_the_command_line(
    server: Served, api: httpx.Client, plivo: PlivoDouble
) -> None:
    plivo.campaigns["CLINES"] = {"campaign_id": "CLINES", "brand_id": "B", "registration_status": "ACTIVE"}
    server.landed("10dlc", "numbers", "link", "CLINES", "+14155550150")
    (link,) = [each.json() for each in plivo.acted if each.path.endswith("/CLINES/Number/")]
    assert send(server, plivo.number_call(link, "CLINES", "14155550150", "success")) == 200
    eventually_is(api, "/v1/10dlc/numbers/+14155550150", "linked")

    server.landed("10dlc", "numbers", "unlink", "CLINES", "+14155550150")
    _, _, address = plivo.unlinked[-1]
    assert send(server, plivo.number_call(address, "CLINES", "14155550150", "success", unlinking=True)) == 200
    eventually_is(api, "/v1/10dlc/numbers/+14155550150", "unlinked")


def apply(server: Served, file: Path, *options: str, answer: str = "") -> tuple[int, str, str]:
    command = [sys.executable, "-m", "landed", "10dlc", "apply", str(file), *options]
    ran = subprocess.run(command, env=server.environment, capture_output=True, text=True, timeout=120, input=answer)
    return ran.returncode, ran.stdout, ran.stderr


def test_a_file_is_shown_agreed_to_and_applied(server: Served, plivo: PlivoDouble, tmp_path: Path) -> None:
    file = tmp_path / "registrations.yaml"
    file.write_text(FILE)
    profiles = len(plivo.profiles)

    code, shown, said = apply(server, file, "--dry-run")
    assert (code, said) == (0, "")
    assert [line.split()[:3] for line in shown.splitlines()[1:3]] == [
        ["create", "profile", "acme"], ["create", "brand", "acme-brand"],
    ]  # fmt: skip
    for answer in ("n\n", ""):
        code, _, said = apply(server, file, answer=answer)
        assert (code, len(plivo.profiles)) == (1, profiles)
    assert "--yes" in said
    code, _, said = apply(server, file, answer="y\n")
    assert (code, "4 not there yet: run it again later, or with --wait." in said) == (0, True)
    (brand_id,) = [key for key, brand in plivo.brands.items() if brand.get("brand_alias") == "acme-brand"]
    assert send(server, plivo.brand_call(brand_id, "registered")) == 200

    code, printed, said = apply(server, file, "--yes", "--json", "--wait", "--timeout", "1s")
    assert (code, "create campaign acme-codes" in said) == (1, True)
    steps = json.loads(printed)["steps"]
    assert [step["action"] for step in steps] == ["keep", "keep", "wait", "later", "later"]
    file.write_text(FILE.replace("brand_type", "brandtype"))
    code, _, said = apply(server, file)
    assert (code, "did you mean `brand_type`" in said) == (2, True)
