"""Broadcasts from receipts to rows, to the API and the command line."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from landed.cli import app
from landed.domain.callbacks import Callback, CallbackRequest
from landed.domain.errors import NotFound
from landed.domain.receipts import BroadcastReceipt, Telling
from landed.providers import registry
from landed.services.keeping.base import Told
from landed.services.keeping.broadcasts import keeper
from landed.services.tracking import Tracker
from landed.store import events
from landed.store.connect import transaction
from tests.end_to_end.test_reading_api import NOW, START, House
from tests.serving import callback_files

BROADCAST_FIELDS = [
    "id", "account", "provider", "provider_broadcast_id", "our_id", "name", "provider_status", "final", "recipients",
    "counts", "first_heard_at", "last_heard_at", "created_at", "updated_at",
]  # fmt: skip


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    house = House(database_url)
    yield house
    house.close()


def keep(house: House, *tellings: tuple[int, BroadcastReceipt], account_id: int = 1) -> None:
    """Track these, each heard so many seconds after the start, by the callback of that number."""

    async def run() -> None:
        told = [Told(account_id, Telling(each, START + timedelta(seconds=number), number)) for number, each in tellings]
        async with transaction(house.pool) as connection:
            kept = await keeper().keep(connection, told, NOW)
            await events.record(connection, kept.events, NOW)

    house.run(run())


def report(broadcast_id: str = "b1", word: str = "Running", *, final: bool = False, **counts: int) -> BroadcastReceipt:
    return BroadcastReceipt(
        broadcast_id, word, final, name=f"Name of {broadcast_id}", recipients=100, counts=tuple(counts.items())
    )


def ids(house: House, key: str = "reads-all", **query: Any) -> list[str]:
    return [each["provider_broadcast_id"] for each in house.data("/v1/broadcasts", key, **query)["data"]]


def test_a_captured_campaign_callback_ends_as_its_file_expects(house: House) -> None:
    (file,) = callback_files("routee/callbacks/routee_campaign_progress.json")
    captured = json.loads(file.read_text())
    request = CallbackRequest(
        method="POST", url=captured["url"], headers={"content-type": "application/json"}, body=captured["body"].encode()
    )
    routee = registry.load()["routee"]
    tracker = Tracker(name="routee", journal=house.journal, pool=house.pool, provider_of=lambda account_id: routee)
    for number in (1, 2):
        house.run(tracker.replay([Callback(id=number, account_id=1, received_at=START, request=request)]))

    (broadcast,) = house.data("/v1/broadcasts")["data"]

    expect = captured["expect"]
    assert list(broadcast) == BROADCAST_FIELDS
    assert broadcast["provider_broadcast_id"] == expect["campaign_id"]
    assert (broadcast["provider_status"], broadcast["final"]) == (expect["provider_status"], expect["terminal"])
    assert (broadcast["counts"], broadcast["recipients"]) == (expect["counts"], expect["total"])
    (receipt,) = house.data(f"/v1/broadcasts/{expect['campaign_id']}")["receipts"]
    assert (receipt["received_count"], receipt["callback_ids"]) == (2, ["1", "2"])


def test_late_reports_change_nothing_that_is_shown(house: House) -> None:
    keep(house, (1, report(word="Completed", final=True, delivered=98, failed=2)))
    before = house.data("/v1/broadcasts/b1")
    keep(house, (2, report(queued=60, sent=40)), (3, report(sent=50, delivered=50)))

    after = house.data("/v1/broadcasts/b1")

    unlike = {"last_heard_at", "receipts", "updated_at"}
    assert {name: after[name] for name in after if name not in unlike} == {
        name: before[name] for name in before if name not in unlike
    }
    assert [receipt["counts"] for receipt in after["receipts"]] == [
        {"delivered": 98, "failed": 2}, {"queued": 60, "sent": 40}, {"delivered": 50, "sent": 50},
    ]  # fmt: skip


def test_events_tell_of_progress_and_of_the_end(house: House) -> None:
    keep(house, (1, report(sent=40)))
    keep(house, (2, report(sent=40)))
    keep(house, (3, report(sent=40, delivered=60)))
    keep(house, (4, report(queued=100)))
    keep(house, (5, report(word="Completed", final=True, delivered=100)))

    async def types() -> list[str]:
        async with house.pool.connection() as connection:
            cursor = await connection.execute("SELECT type FROM events ORDER BY id")
            return [word for (word,) in await cursor.fetchall()]

    assert house.run(types()) == ["broadcast.progressed", "broadcast.progressed", "broadcast.completed"]


def test_broadcasts_are_found_by_each_filter(house: House) -> None:
    keep(house, (1, report("b1", final=True)), (2, report("b2")), (3, report("b3")))
    keep(house, (4, report("b4")), account_id=2)
    (two, *_) = [each for each in house.data("/v1/broadcasts")["data"] if each["provider_broadcast_id"] == "b2"]

    assert ids(house) == ["b4", "b3", "b2", "b1"]
    assert ids(house, final=True) == ["b1"]
    assert ids(house, final=False) == ["b4", "b3", "b2"]
    assert ids(house, account="bank") == ["b4"]
    assert ids(house, "reads-shop") == ["b3", "b2", "b1"]
    assert ids(house, since=two["first_heard_at"]) == ["b4", "b3", "b2"]
    assert ids(house, until=two["first_heard_at"]) == ["b1"]
    assert ids(house, q="Name of b3") == ["b3"]
    assert ids(house, q=two["id"]) == ids(house, q="b2") == ["b2"]
    page = house.data("/v1/broadcasts", limit=3)
    assert ids(house, limit=3, cursor=page["next_cursor"]) == ["b1"]
    assert house.get("/v1/broadcasts/b4", "reads-shop").status_code == 404
    assert house.get("/v1/broadcasts", final="perhaps").status_code == 422


def test_the_command_line_lists_and_shows_the_same(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANDED_DATABASE_URL", house.database_url)
    monkeypatch.setenv("LANDED_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    keep(house, (1, report(queued=60, sent=40)), (2, report(sent=20, delivered=80)))

    def landed(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["broadcasts", *arguments])
        if result.exception:
            raise result.exception
        return result.stdout

    assert "20 sent, 80 delivered" in landed("list", "--running")
    assert landed("list", "--final") == ""
    assert "60 queued" in landed("show", "b1")
    assert json.loads(landed("list", "--json")) == house.data("/v1/broadcasts")
    assert json.loads(landed("show", "b1", "--json")) == house.data("/v1/broadcasts/b1")
    with pytest.raises(NotFound):
        landed("show", "nothing")
