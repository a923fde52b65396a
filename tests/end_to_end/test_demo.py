"""`landed demo`: real sends through the local carrier and back, with a past, counted exactly."""

import asyncio
import subprocess
import sys

import httpx
import pytest
from psycopg import AsyncConnection, IsolationLevel

from tests.faults.house import START_S_MAX, House, house, until
from tests.recount import recount

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(280)]

CONCLUSION = "All that was told of is counted, once, where it ended"


def _say(landed: House, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "landed", "demo", *arguments],
        env=landed._environment, cwd=landed.directory, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def _key(landed: House) -> dict[str, str]:
    line = next(line for line in landed.log().splitlines() if line.startswith("API key"))
    return {"Authorization": f"Bearer {line.split()[-1]}"}


async def test_a_demo_sends_is_called_back_has_a_past_and_counts_exactly() -> None:
    with house() as landed:
        demo = landed.start("demo", "--seed", "7", "--rate", "8", "--history", "12h", "--chaos", "all")
        await until("it says where it is", lambda: "API key" in landed.log(), START_S_MAX)
        headers = _key(landed)

        async with httpx.AsyncClient(base_url=landed.url, headers=headers, timeout=30) as api:

            async def rows(group_by: str) -> list[dict[str, object]]:
                answer = await api.get("/v1/analytics/messages", params={"group_by": group_by, "since": "2d"})
                return list(answer.json()["data"])

            for _ in range(400):
                by_tag = {str(row["tag"]): row for row in await rows("tag")}
                by_account = {str(row["account"]): row for row in await rows("account")}
                verified = (await api.get("/v1/verify/sessions", params={"status": "verified", "since": "10m"})).json()
                brands = (await api.get("/v1/10dlc/brands")).json()
                is_full = {"otp", "receipts", "marketing"} <= by_tag.keys() and len(by_account) == 2
                if is_full and int(str(by_account["demo"]["messages"])) > 900 and verified["data"] and brands["data"]:
                    break
                await asyncio.sleep(0.25)
            else:
                raise AssertionError((by_tag.keys(), by_account, verified, brands))

        async with await AsyncConnection.connect(landed.database_url) as connection:
            await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)  # one moment amid all that goes on
            assert await recount(connection) == []
        demo.terminate()
        await until("the demo ended", lambda: demo.poll() is not None, 60)
        assert CONCLUSION in landed.log(), landed.log()[-3000:]
        assert "forged callbacks were let in" not in landed.log()


async def test_it_does_not_mix_with_accounts_of_others() -> None:
    with house() as landed:
        landed.add_account("token", "/plivo")
        refused = _say(landed)

    assert refused.returncode == 2
    assert "There are accounts here already (main)" in refused.stderr


@pytest.mark.parametrize(("arguments", "sentence"), [
    (("--history", "15d"), "15d is too long; give up to 14d"),
    (("--history", "soon"), "is no length of time"),
    (("--chaos", "lots"), "give none, some, all"),
    (("--scenario", "rainy"), "There is no scenario 'rainy'"),
])  # fmt: skip
async def test_what_it_cannot_do_is_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    with house(COLUMNS="200", NO_COLOR="1") as landed:
        refused = _say(landed, *arguments)

    assert refused.returncode == 2
    assert sentence in " ".join(refused.stderr.split())
