"""Alerts, rules and targets by API and command line: who may see and change what, and what is never shown again."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from psycopg import AsyncConnection
from typer.testing import CliRunner

from landed.cli import app
from landed.domain.accounts import ApiKey, Scope
from landed.domain.alerting import TargetKind
from landed.store.sealing import Sealer
from landed.web.api.alerts import Alerting
from landed.web.api.application import create_api
from tests.alerting import ATT, MORNING, PROVIDERS, PUBLIC_URL, SECRET_KEY, House, opened_house

pytestmark = pytest.mark.anyio

OUTAGE = {ATT: (40, 30)}
BAD_TARGETS: Final[list[dict[str, Any]]] = [
    {"name": "x", "kind": "email"},
    {"name": "x", "kind": "email", "addresses": ["nobody"]},
    {"name": "x", "kind": "email", "addresses": ["a@x.test\r\nBcc: b@x.test"]},
    {"name": "x", "kind": "email", "addresses": ["a@x.test"], "url": "https://x.test"},
    {"name": "x", "kind": "slack"},
    {"name": "x", "kind": "slack", "url": "ftp://x.test/"},
    {"name": "x", "kind": "slack", "url": "file:///etc/passwd"},
    {"name": "x", "kind": "slack", "url": "https://user:s3cr3t@x.test/"},
    {"name": "x", "kind": "slack", "url": "http://169.254.169.254/latest"},
    {"name": "x", "kind": "slack", "url": "http://[::ffff:169.254.169.254]/latest"},
    {"name": "x", "kind": "slack", "url": "http://2852039166/latest"},
    {"name": "x", "kind": "slack", "url": "http://169.254.169.254./latest"},
    {"name": "x", "kind": "slack", "url": "http://2852039166./latest"},
    {"name": "x", "kind": "slack", "url": "http://1.2.3.999/s3cr3t"},
    {"name": "x", "kind": "slack", "url": "https://xn--a/s3cr3t"},
    {"name": "x", "kind": "slack", "url": "https://x.test/\r\nHost: y"},
    {"name": "x", "kind": "slack", "url": "https://x.test/", "secret": "whsec_s3cr3t"},
    {"name": "x", "kind": "webhook", "url": "https://x.test/", "secret": "s3cr3t"},
    {"name": "x", "kind": "pigeon"},
    {"name": "../x", "kind": "email", "addresses": ["a@x.test"]},
    {"name": "x", "kind": "email", "addresses": ["a@x.test"], "more": 1},
]
#: What is said of a rule, and which field is named.
BAD_RULES: Final[list[tuple[dict[str, Any], str]]] = [
    ({"name": ""}, "name"),
    ({"name": "Messages fail"}, "name"),
    ({"threshold": 0}, "threshold"),
    ({"threshold": 1.5}, "threshold"),
    ({"recovery": 0.5}, "recovery"),
    ({"window_s": 0}, "window_s"),
    ({"window_s": 61}, "window_s"),
    ({"window_s": 9_999_999_999_999}, "window_s"),
    ({"floor": -1}, "floor"),
    ({"hold_s": 1e9}, "hold_s"),
    ({"after_s": 60}, "after_s"),
    ({"currency": "USD"}, "currency"),
    ({"filters": {"country": ["Germany"]}}, "filters"),
    ({"filters": {"country": ["ßß"]}}, "filters"),
    ({"filters": {"channel": ["fax"]}}, "filters"),
    ({"filters": {"network": ["o2"]}}, "network"),
    ({"filters": {"account": ["nobody"]}}, "filters"),
    ({"filters": {"tag": ["a", "b"]}}, "filters"),
    ({"filters": {"moon": ["full"]}}, "filters.moon"),
    ({"targets": ["nobody"]}, "targets"),
    ({"repeat_after_s": 1}, "repeat_after_s"),
    ({"muted_until": "2026-01-01T00:00:00Z"}, "muted_until"),
    ({"muted_until": "0001-01-01T00:00:00+14:00"}, "muted_until"),
    ({"muted_until": "9999-12-31T23:59:59-14:00"}, "muted_until"),
    ({"severity": "huge"}, "severity"),
    ({"enabled": None}, "enabled"),
    ({"kind": "moonshine"}, "kind"),
    ({"kind": "tracking_lag", "filters": {"country": ["US"]}}, "filters"),
    ({"kind": "otp_conversion", "window_s": 900}, "window_s"),
    ({"unknown": 1}, "unknown"),
]
Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    async with opened_house(database) as opened:
        await opened.account("bank")
        await opened.account("shop")
        yield opened


@pytest.fixture
async def ask(house: House) -> AsyncIterator[Ask]:
    def key(name: str, scope: Scope, account_id: int | None = None) -> ApiKey:
        return ApiKey(id=1, name=name, hint="", scope=scope, account_id=account_id, created_at=MORNING)

    keys = {
        "admin": key("boss", Scope.ADMIN),
        "read": key("reader", Scope.READ),
        "shop": key("shop", Scope.ADMIN, house.account_id),
    }

    async def authenticate(given: str) -> ApiKey | None:
        return keys.get(given)

    async def nothing() -> Any:
        return {}

    api = create_api(
        engine=house.engine, providers=PROVIDERS, authenticate=authenticate, accounts=nothing, public_url=PUBLIC_URL,
        health=nothing, metrics=nothing,
        alerting=Alerting(house.alerts(), house.rules(), house.targets(), PUBLIC_URL),
    )  # fmt: skip
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://x") as client:

        async def asked(who: str, method: str, path: str, **options: Any) -> httpx.Response:
            return await client.request(method, f"/v1{path}", headers={"Authorization": f"Bearer {who}"}, **options)

        yield asked


async def test_secrets_of_targets_are_shown_once_and_kept_encrypted(house: House, ask: Ask) -> None:
    url = f"{house.hook.url}/very/s3cr3t"
    made = await ask("admin", "POST", "/alert-targets", json={"name": "desk", "kind": "webhook", "url": url})
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert secret.startswith("whsec_")
    tried = await ask("admin", "POST", "/alert-targets/desk/test")
    assert tried.json() == {"target": "desk", "delivered": True, "problem": None}
    house.hook.answer, house.hook.answer_headers = 302, "Location: http://127.0.0.1:1/elsewhere\r\n"
    tried = await ask("admin", "POST", "/alert-targets/desk/test")
    assert tried.json()["delivered"] is False
    assert "302" in tried.json()["problem"]
    shown = [
        await ask("admin", "GET", "/alert-targets"),
        await ask("admin", "GET", "/alert-targets/desk"),
        await ask("admin", "PATCH", "/alert-targets/desk", json={"weekly_summary": True}),
        tried,
    ]
    for response in shown:
        assert response.status_code == 200
        assert "s3cr3t" not in response.text
        assert secret not in response.text
    (row,) = await house.rows("SELECT * FROM alert_targets")
    assert "s3cr3t" not in str(row)
    assert json.loads(Sealer(SECRET_KEY).open(row["sealed"])) == {"url": url, "secret": secret}
    assert (await ask("admin", "DELETE", "/alert-targets/desk")).status_code == 204
    assert (await ask("admin", "GET", "/alert-targets/desk")).status_code == 404


async def test_what_cannot_be_a_target_is_refused_without_repeating_secrets(ask: Ask) -> None:
    for target in BAD_TARGETS:
        refused = await ask("admin", "POST", "/alert-targets", json=target)

        assert refused.status_code == 422, target
        assert refused.headers["content-type"] == "application/problem+json"
        assert "s3cr3t" not in refused.text


async def test_rules_that_make_no_sense_are_refused_by_name(ask: Ask) -> None:
    for fields, named in BAD_RULES:
        new = {"name": "x", "kind": "failure_share", "threshold": 0.2} | fields

        refused = await ask("admin", "POST", "/alert-rules", json=new)

        assert (refused.status_code, refused.json().get("field")) == (422, named), fields


async def test_a_threshold_alone_brings_the_recovery_along(ask: Ask) -> None:
    for kind, threshold, recovery in (
        ("failure_share", 0.02, 0.01),
        ("unknown_statuses", 10, 0),
        ("refused_signatures", 3, 0.3),
        ("tracking_lag", 6, 1),
        ("spend", 10, 5),
        ("otp_conversion", 0.9, 1),
    ):
        made = await ask("admin", "POST", "/alert-rules", json={"name": kind, "kind": kind, "threshold": threshold})

        assert made.status_code == 201, made.text
        assert made.json()["recovery"] == pytest.approx(recovery)


async def test_rules_are_made_changed_and_deleted_by_admins_alone(house: House, ask: Ask) -> None:
    await house.targets().add(name="team", kind=TargetKind.EMAIL, addresses=["ana@example.com"])
    made = await ask(
        "admin", "POST", "/alert-rules",
        json={"name": "US fails", "kind": "failure_share", "threshold": 0.1, "filters": {"country": ["us"]},
              "targets": ["team"]},
    )  # fmt: skip
    assert made.status_code == 201
    rule = made.json()
    assert (rule["recovery"], rule["floor"], rule["filters"], rule["state"]) == (0.05, 50, {"country": ["US"]}, "ok")
    changed = await ask("admin", "PATCH", f"/alert-rules/{rule['id']}", json={"targets": None, "threshold": 0.2})
    assert (changed.json()["targets"], changed.json()["threshold"], changed.json()["recovery"]) == (None, 0.2, 0.05)
    for method, path in (("POST", ""), ("PATCH", f"/{rule['id']}"), ("DELETE", f"/{rule['id']}")):
        assert (await ask("read", method, f"/alert-rules{path}", json={})).status_code == 403
    assert (await ask("admin", "DELETE", "/alert-rules/US fails")).status_code == 204
    assert (await ask("admin", "GET", "/alert-rules/US fails")).status_code == 404
    assert len((await ask("read", "GET", "/alert-rules")).json()["data"]) == 8


async def test_a_key_of_an_account_has_its_own_rules_and_alerts_and_nobody_elses(house: House, ask: Ask) -> None:
    own = {"name": "Ours fail", "kind": "failure_share", "hold_s": 0, "recovery_hold_s": 0}
    assert (await ask("shop", "GET", "/alert-rules")).json()["data"] == []
    assert (await ask("shop", "GET", "/alert-rules/Messages fail")).status_code == 404
    assert (await ask("shop", "PATCH", "/alert-rules/Messages fail", json={"enabled": False})).status_code == 404
    assert (await ask("shop", "GET", "/alert-targets")).status_code == 403
    foreign = own | {"filters": {"account": ["bank"]}}
    assert (await ask("shop", "POST", "/alert-rules", json=foreign)).status_code == 422
    assert (await ask("shop", "POST", "/alert-rules", json={"name": "x", "kind": "tracking_lag"})).status_code == 422
    made = (await ask("shop", "POST", "/alert-rules", json=own)).json()
    assert (made["account"], made["filters"]) == ("shop", {"account": ["shop"]})

    watch = house.watch()
    await house.live(15, OUTAGE, watch)

    everything = (await ask("read", "GET", "/alerts")).json()["data"]
    assert {alert["rule"] for alert in everything} == {"Messages fail", "Ours fail"}
    seen = (await ask("shop", "GET", "/alerts")).json()["data"]
    assert [(alert["rule"], alert["account"]) for alert in seen] == [("Ours fail", "shop")]
    other = next(alert["id"] for alert in everything if alert["rule"] == "Messages fail")
    assert (await ask("shop", "GET", f"/alerts/{other}")).status_code == 404
    assert (await ask("shop", "POST", f"/alerts/{other}/acknowledge")).status_code == 404


async def test_alerts_are_listed_paged_acknowledged_and_muted(house: House, ask: Ask) -> None:
    for name in ("One", "Two", "Three"):
        fields = {"name": name, "kind": "failure_share", "hold_s": 0, "severity": "info"}
        await ask("admin", "POST", "/alert-rules", json=fields)
    await house.live(15, OUTAGE, house.watch())

    page = (await ask("read", "GET", "/alerts", params={"limit": 3})).json()
    rest = (await ask("read", "GET", "/alerts", params={"limit": 3, "cursor": page["next_cursor"]})).json()
    listed = [alert["rule"] for alert in page["data"] + rest["data"]]
    assert sorted(listed) == ["Messages fail", "One", "Three", "Two"]
    assert rest["next_cursor"] is None
    one = (await ask("read", "GET", "/alerts", params={"rule": "One", "state": "firing"})).json()["data"][0]
    assert (await ask("read", "GET", "/alerts", params={"state": "over"})).json()["data"] == []
    assert len((await ask("read", "GET", "/alerts", params={"severity": "critical"})).json()["data"]) == 1
    assert (await ask("read", "GET", "/alerts", params={"state": "odd"})).status_code == 422
    assert (await ask("read", "GET", "/alerts", params={"cursor": "odd"})).status_code == 422

    path = f"/alerts/{one['id']}"
    assert (await ask("read", "POST", f"{path}/acknowledge")).status_code == 403
    acknowledged = (await ask("admin", "POST", f"{path}/acknowledge")).json()
    assert acknowledged["acknowledged_by"] == "key:boss"
    until = (house.now + timedelta(hours=1)).isoformat()
    muted = await ask("admin", "POST", f"{path}/mute", json={"until": until})
    assert muted.json()["muted_until"] is not None
    assert (await ask("admin", "POST", f"{path}/mute", json={"until": None})).json()["muted_until"] is None
    past = (house.now - timedelta(hours=1)).isoformat()
    for until in (past, "9999-12-31T23:59:59-14:00"):  # which PostgreSQL keeps, and nobody can read again
        assert (await ask("admin", "POST", f"{path}/mute", json={"until": until})).status_code == 422
    assert (await ask("admin", "GET", "/alerts/not-an-id")).status_code == 404

    assert (await ask("admin", "DELETE", "/alert-rules/One")).status_code == 204
    over = (await ask("admin", "GET", path)).json()
    assert (over["state"], over["ended_by"], over["rule_id"]) == ("over", "deleted", None)
    assert (await ask("admin", "POST", f"{path}/acknowledge")).status_code == 409


async def test_the_command_line_does_the_same(
    house: House, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("LANDED_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "DATABASE_URL": database,
        "DATA_DIR": str(tmp_path),
        "SMTP_URL": f"smtp://127.0.0.1:{house.mail_port}",
        "PUBLIC_URL": PUBLIC_URL,
        "WEEKLY_SUMMARY": "ana@example.com",
    }.items():
        monkeypatch.setenv(f"LANDED_{name}", value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "url.txt").write_text(f"{house.hook.url}/very/s3cr3t\n")

    async def landed(*arguments: str, code: int = 0) -> Any:
        ran = await asyncio.to_thread(CliRunner().invoke, app, ["alerts", *arguments])
        if ran.exception and not isinstance(ran.exception, SystemExit):
            assert code, ran.exception
            return str(ran.exception)
        assert ran.exit_code == code, ran.output
        return json.loads(ran.stdout) if "--json" in arguments else ran.stdout

    await landed("targets", "add", "team", "--kind", "email", "--to", "ana@example.com", "--json")
    secret = await landed("targets", "add", "desk", "--kind", "webhook", "--url-file", "url.txt")
    assert secret.startswith("whsec_")
    assert (await landed("test", "team", "--json"))["delivered"] is True
    assert (await landed("test", "desk", "--json"))["delivered"] is True
    assert str(house.box.mails[0]["From"]) == "landed@landed.example.com"
    house.hook.answer = 500
    await landed("test", "desk", code=1)
    targets = await landed("targets", "list", "--json")
    assert [each["name"] for each in targets["data"]] == ["desk", "team"]
    assert "s3cr3t" not in await landed("targets", "list")

    made = await landed(
        "rules", "add", "Texts fail", "--kind", "failure_share", "--country", "us", "--threshold", "0.1",
        "--hold", "0s", "--target", "team", "--json",
    )  # fmt: skip
    assert (made["filters"], made["targets"], made["hold_s"]) == ({"country": ["US"]}, ["team"], 0)
    changed = await landed("rules", "change", "Texts fail", "--repeat-after", "1h", "--target", "all", "--json")
    assert (changed["repeat_after_s"], changed["targets"]) == (3600, None)
    assert "Texts fail" in await landed("rules", "list")
    assert "failure_share" in await landed("rules", "show", "Texts fail")
    await landed("rules", "change", "Texts fail", code=1)

    house.now = MORNING
    await house.live(15, OUTAGE, house.watch())
    listed = await landed("list", "--firing", "--rule", "Texts fail", "--json")
    (alert,) = listed["data"]
    assert "Texts fail" in await landed("list")
    acknowledged = await landed("ack", alert["id"], "--json")
    assert acknowledged["acknowledged_by"].startswith("cli:")
    assert (await landed("mute", alert["id"], "--for", "8h", "--json"))["muted_until"] is not None
    assert (await landed("mute", alert["id"], "--off", "--json"))["muted_until"] is None
    shown = await landed("show", alert["id"])
    assert "what to do" in shown
    assert "fired to team: waiting" in shown
    await landed("mute", alert["id"], code=1)

    assert "messages sent" in await landed("summary")
    assert (await landed("summary", "--send", "--json"))["told"] == 1
    await landed("targets", "change", "team", "--weekly-summary", "--off")
    await landed("rules", "remove", "Texts fail")
    await landed("targets", "remove", "desk")
    assert [each["name"] for each in (await landed("targets", "list", "--json"))["data"]] == ["team"]
    actions = [row["action"] for row in await house.rows("SELECT action FROM audit_log ORDER BY id")]
    assert "alert_rule.added" in actions
    assert "alert.acknowledged" in actions


async def test_the_schema_keeps_two_alerts_of_one_rule_apart(house: House, database: str) -> None:
    import psycopg

    add = (
        "INSERT INTO alerts (id, rule_id, rule_name, kind, severity, since, fired_at, value, worst, threshold, content)"
        " SELECT gen_random_uuid(), id, name, kind, severity, now(), now(), 1, 1, 1, '{}' FROM alert_rules LIMIT 1"
    )
    async with await AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute(add)
        with pytest.raises(psycopg.errors.UniqueViolation):
            await connection.execute(add)
