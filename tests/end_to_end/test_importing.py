"""History is imported hour by hour: broken off it goes on, and twice is once."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from landed.cli import app
from landed.domain.errors import InputInvalid, ProviderFailed, RequestRefused
from landed.domain.statuses import Status
from landed.services.importing import Importer, Progress
from tests.asking import AFTER_S, NOW, PROVIDERS, Desk, opened_desk
from tests.doubles.api import ERROR_BEFORE, HALF_ANSWER, THROTTLED, in_thread
from tests.doubles.plivo import PlivoDouble, SentMessage
from tests.serving import eventually, served

HOUR = timedelta(hours=1)


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with opened_desk(database) as opened:
        yield opened


async def importer(desk: Desk, name: str = "shop", slept: list[float] | None = None) -> Importer:
    async def sleep(seconds: float) -> None:
        if slept is not None:
            slept.append(seconds)

    return Importer(
        pool=desk.pool,
        called=await desk.clients().named(name),
        explainer_of=lambda account_id: PROVIDERS["plivo"],
        requests_per_s=50,
        reconcile_after_s=AFTER_S,
        clock=desk.clock,
        sleep=sleep,
    )


def ignore(progress: Progress) -> None:
    """For whoever does not look."""


@pytest.mark.anyio
async def test_history_is_imported_with_what_came_in_and_counted_once(desk: Desk) -> None:
    await desk.account()
    for number in range(45):
        desk.sent(age=30 * HOUR + number * timedelta(seconds=10), state="delivered")
    lost = desk.sent(age=29 * HOUR, state="undelivered", error_code="30")
    came_in = desk.sent(age=28 * HOUR, state="received", direction="inbound")
    before = desk.sent(age=60 * HOUR, state="delivered")
    seen: list[int] = []

    progress = await (await importer(desk)).run(
        desk.now - 48 * HOUR, desk.now, lambda progress: seen.append(progress.windows_done)
    )

    assert (progress.messages, progress.changed, progress.not_kept) == (47, 47, 0)
    assert progress.windows_done == progress.windows
    assert (seen[0], seen[-1]) == (0, progress.windows)
    rows = {row["provider_message_id"]: row for row in await desk.rows("SELECT * FROM messages")}
    assert len(rows) == 47
    assert before.uuid not in rows
    assert (rows[lost.uuid]["status"], rows[lost.uuid]["error_code"]) == ("undelivered", "30")
    assert (rows[came_in.uuid]["direction"], rows[came_in.uuid]["status"]) == ("inbound", "received")
    assert not any(row["receipt_missing"] for row in rows.values()), "nobody was to tell us of these"
    assert await desk.differences() == []


@pytest.mark.anyio
async def test_imported_twice_changes_nothing(desk: Desk) -> None:
    await desk.account()
    for number in range(30):
        desk.sent(age=(number + 1) * HOUR, state="delivered")
    await (await importer(desk)).run(desk.now - 48 * HOUR, desk.now, ignore)
    rows = await desk.rows("SELECT id, facts, updated_at FROM messages ORDER BY id")
    desk.now += timedelta(minutes=1)

    progress = await (await importer(desk)).run(desk.now - 48 * HOUR, desk.now, ignore, again=True)

    assert (progress.messages, progress.changed, progress.windows_skipped) == (30, 0, 0)
    assert await desk.rows("SELECT id, facts, updated_at FROM messages ORDER BY id") == rows
    assert await desk.differences() == []


@pytest.mark.anyio
async def test_an_import_that_was_broken_off_goes_on_where_it_was(desk: Desk) -> None:
    await desk.account()
    for number in range(40):
        desk.sent(age=(number + 2) * HOUR, state="delivered")
    desk.plivo.choose = lambda arrived: ERROR_BEFORE if len(desk.plivo.arrived) > 20 else None
    with pytest.raises(ProviderFailed):
        await (await importer(desk)).run(desk.now - 48 * HOUR, desk.now, ignore)
    desk.plivo.choose = lambda arrived: None
    known = len(await desk.rows("SELECT id FROM messages"))
    assert 0 < known < 40

    progress = await (await importer(desk)).run(desk.now - 48 * HOUR, desk.now, ignore)

    assert progress.windows_skipped >= 15
    assert progress.changed == 40 - known
    assert len(await desk.rows("SELECT id FROM messages")) == 40
    assert await desk.differences() == []


@pytest.mark.anyio
async def test_the_hour_that_is_not_over_is_asked_for_again(desk: Desk) -> None:
    await desk.account()
    desk.sent(age=timedelta(0), state="delivered")

    for changed in (1, 0):
        progress = await (await importer(desk)).run(desk.now - timedelta(seconds=1), desk.now + HOUR, ignore)
        assert (progress.windows_skipped, progress.changed) == (0, changed)


@pytest.mark.anyio
async def test_what_fails_for_now_is_asked_for_again_after_a_while(desk: Desk) -> None:
    await desk.account()
    desk.sent(age=2 * HOUR, state="delivered")
    desk.plivo.fail(THROTTLED, HALF_ANSWER)
    slept: list[float] = []

    progress = await (await importer(desk, slept=slept)).run(desk.now - 2 * HOUR, desk.now, ignore)

    assert progress.messages == 1
    assert {0.02, 2.0} <= set(slept), "paced, and as long as Retry-After says"


@pytest.mark.anyio
async def test_a_refusal_ends_the_import(desk: Desk) -> None:
    await desk.account(secret="wrong-token")
    with pytest.raises(RequestRefused):
        await (await importer(desk)).run(desk.now - 2 * HOUR, desk.now, ignore)


@pytest.mark.anyio
async def test_an_account_without_a_secret_is_refused(desk: Desk) -> None:
    await desk.account(secret="")
    with pytest.raises(InputInvalid, match="no secret"):
        await importer(desk)


@pytest.mark.anyio
async def test_old_messages_that_are_not_final_are_asked_for_afterwards(desk: Desk) -> None:
    await desk.account()
    desk.now += 2 * HOUR
    message = desk.sent(age=40 * 24 * HOUR, state="sent")
    reconciler = desk.reconciler()
    await desk.reconcile(reconciler)

    await (await importer(desk)).run(desk.now - 41 * 24 * HOUR, desk.now - 39 * 24 * HOUR, ignore)
    assert await desk.reconcile(reconciler) == 1

    row = await desk.message(message.uuid)
    assert (row["status"], row["receipt_missing"]) == ("expired", False)


@pytest.mark.anyio
async def test_a_callback_and_the_import_of_its_message_are_one_message(desk: Desk) -> None:
    shop = await desk.account()
    message = desk.sent(age=2 * HOUR, state="delivered")
    await desk.told_of(shop, message, Status.DELIVERED)

    await (await importer(desk)).run(desk.now - 3 * HOUR, desk.now, ignore)

    row = await desk.message(message.uuid)
    assert (row["facts_count"], row["receipt_missing"]) == (2, False)
    assert await desk.differences() == []


# --- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def plivo(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlivoDouble]:
    with in_thread(PlivoDouble()) as double:
        for name in [name for name in os.environ if name.startswith("LANDED_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("LANDED_DATABASE_URL", database)
        monkeypatch.setenv("LANDED_DATA_DIR", str(tmp_path))
        monkeypatch.setenv("LANDED_PROVIDER_URLS", f"plivo={double.base_url}")
        monkeypatch.setenv("LANDED_LOOKUPS_PER_S", "50")
        monkeypatch.chdir(tmp_path)
        yield double


def landed(*arguments: str, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(app, list(arguments), input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def add_account(plivo: PlivoDouble, name: str = "shop") -> None:
    options = ("--auth-id", plivo.auth_id, "--auth-token-file", "-")
    assert landed("accounts", "add", "plivo", name, *options, stdin=plivo.auth_token).exit_code == 0


def test_the_command_imports_and_says_what_came_of_it(plivo: PlivoDouble, database: str) -> None:
    add_account(plivo)
    at = NOW - 2 * HOUR
    plivo.messages["m1"] = SentMessage(
        uuid="m1", body={"src": "+14155550100", "text": "x"}, to="+14155550123", at=at, state="delivered", updated_at=at
    )

    told = json.loads(landed("import", "plivo", "--since", "4h", "--json").stdout)
    assert (told["account"], told["messages"], told["changed"], told["hours_skipped"]) == ("shop", 1, 1, 0)

    again = landed("import", "plivo", "--since", "4h", "--account", "shop")
    assert again.stdout == ""
    assert "hours were in already" in again.stderr
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (1,)


def test_a_running_worker_asks_for_what_was_imported_and_tells_of_conversions(plivo: PlivoDouble) -> None:
    add_account(plivo)
    silent, old = (
        SentMessage(
            uuid=f"m{age}",
            body={"src": "+14155550100", "text": "x"},
            to="+14155550123",
            at=NOW - age * HOUR,
            state="sent",
        )
        for age in (2, 100)
    )
    plivo.messages |= {"m2": silent, "m100": old}
    variables = {name: value for name, value in os.environ.items() if name.startswith("LANDED_")}
    with served(**variables) as server, server.client() as client:

        def message(message_id: str) -> Any:
            return client.get(f"/v1/messages/{message_id}").json()

        server.landed("import", "plivo", "--since", "120h")
        eventually(lambda: message("m100")["status"] == "expired")
        assert message("m2")["status"] == "sent"
        assert client.post("/v1/messages/m2/conversion", json={"converted": True}).status_code == 200
        eventually(lambda: plivo.conversions)
        eventually(lambda: "landed_lookups_due 0.0" in client.get("/metrics").text)


def test_the_command_wants_to_know_which_account(plivo: PlivoDouble) -> None:
    with pytest.raises(InputInvalid, match="no account at plivo"):
        landed("import", "plivo", "--since", "4h")
    add_account(plivo)
    add_account(plivo, "other")
    with pytest.raises(InputInvalid, match="other, shop"):
        landed("import", "plivo", "--since", "4h")
    with pytest.raises(InputInvalid, match="is at plivo"):
        landed("import", "routee", "--since", "4h", "--account", "shop")
