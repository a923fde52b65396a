"""While the database is away callbacks are refused in a way that makes providers try again; afterwards all goes on."""

import asyncio
import signal
import time
from collections.abc import Callable
from random import Random

import httpx
import pytest

from landed.services.receiving import DirectoryKeeper
from tests.faults.holding import assert_complete, assert_nothing_lost_nothing_twice
from tests.faults.house import START_S_MAX, House, house, kill, until
from tests.faults.sending import AUTH_TOKEN, PATH, Sender, signed

#: A commit is given up after 10 s, when a frozen server neither answers nor hangs up.
NOTICED_S_MAX = 20.0
#: What a load balancer waits for an answer of a health check.
HEALTH_S_MAX = 8.0
BACK_S_MAX = 30.0
REFUSED = 30

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


def _freeze(landed: House) -> Callable[[], None]:
    """The server and all its processes stop where they are, and hold every connection open."""
    postmaster = landed.postmaster()
    assert postmaster is not None
    kill(postmaster, signal.SIGSTOP)
    frozen = [postmaster, *landed.backends()]
    for process in frozen:
        kill(process, signal.SIGSTOP)

    def thaw() -> None:
        for process in frozen:
            kill(process, signal.SIGCONT)

    return thaw


def _kill_for_good(landed: House) -> Callable[[], None]:
    """The server is dead, and whoever would start it again does not run."""
    keeper, postmaster = landed.keeper(), landed.postmaster()
    assert keeper is not None
    assert postmaster is not None
    kill(keeper, signal.SIGSTOP)
    for process in (postmaster, *landed.backends()):
        kill(process)

    def wake_the_keeper() -> None:
        kill(keeper, signal.SIGCONT)

    return wake_the_keeper


@pytest.mark.parametrize("send_away", [_freeze, _kill_for_good], ids=["frozen", "dead"])
async def test_callbacks_get_503_while_the_database_is_away_and_all_goes_on_by_itself(
    send_away: Callable[[House], Callable[[], None]],
) -> None:
    with house() as landed:
        landed.start()
        await landed.until_ready()
        landed.add_account(AUTH_TOKEN, PATH)
        parts = {part.pid for part in landed.parts()}
        sender, stopping = Sender(landed.url, seed=1, rate_per_s=50), asyncio.Event()
        async with asyncio.TaskGroup() as running:
            running.create_task(sender.run(stopping))
            await until("some acknowledged", lambda: len(sender.acknowledged) >= 20, START_S_MAX)

            bring_back = send_away(landed)
            await until("refused", lambda: sender.answers[503] > 0, NOTICED_S_MAX)
            acknowledged, refused = sender.acknowledged.total(), sender.answers[503]
            await until("many refused", lambda: sender.answers[503] - refused >= REFUSED, NOTICED_S_MAX)
            await asyncio.sleep(DirectoryKeeper.UNKNOWN_EVERY_S)  # what was loaded a moment ago is still believed
            assert (await _answer(landed, "/callbacks/a-key-that-nobody-knows", b"A=1")).status_code == 503
            assert (await _answer(landed, "/health/live")).status_code == 200
            assert (await _answer(landed, "/health/ready")).status_code == 503
            assert "landed_database_up 0.0" in (await _answer(landed, "/metrics")).text
            assert sender.acknowledged.total() == acknowledged, "a 200 without a database"

            bring_back()
            await until("acknowledged again", lambda: sender.acknowledged.total() > acknowledged, BACK_S_MAX)
            stopping.set()
        await landed.until_ready()
        await landed.until_tracked()

        await assert_nothing_lost_nothing_twice(landed.database_url, sender)
        assert_complete(landed.database_url, sender)
        assert {part.pid for part in landed.parts()} == parts, "a process had to be started again"
        _assert_told_by_the_api(landed, sender)


async def _answer(landed: House, path: str, body: bytes | None = None) -> httpx.Response:
    """What is answered within the time of a health check, while callbacks come in as well."""
    began = time.monotonic()
    async with httpx.AsyncClient(timeout=HEALTH_S_MAX * 2) as client:
        method = "GET" if body is None else "POST"
        headers = {} if body is None else signed(body.decode(), Random(1))
        answer = await client.request(method, landed.url + path, content=body, headers=headers)
    assert time.monotonic() - began < HEALTH_S_MAX, f"{path} took too long to answer"
    return answer


def _assert_told_by_the_api(landed: House, sender: Sender) -> None:
    """Every 200 of some messages is found again by the message's id."""
    key = landed.run("keys", "create", "faults", "--scope", "read")["key"]
    for message_id in list(sender.traffic.outcomes)[-5:]:
        answer = landed.get(f"/v1/messages/{message_id}", Authorization=f"Bearer {key}")
        assert answer.status_code == 200
        received = {receipt["extra"]["FaultTag"]: receipt["received_count"] for receipt in answer.json()["receipts"]}
        told = {
            callback.tag: times for callback, times in sender.acknowledged.items() if callback.message_id == message_id
        }
        assert received.keys() == told.keys()
        assert all(received[tag] >= times for tag, times in told.items())
