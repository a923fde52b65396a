"""10DLC from the callback to rows, events, API, commands and report, with a real PostgreSQL."""

import asyncio
import json
import random
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from typer.testing import CliRunner

from landed.cli import app
from landed.domain.accounts import Account, ApiKey, Scope
from landed.domain.callbacks import Callback, CallbackRequest
from landed.domain.errors import NotFound
from landed.journal.postgres import PostgresJournal
from landed.providers import registry
from landed.services.tracking import Tracker
from landed.store import connect, lanes, partitions, reading
from landed.store.registrations import TABLES, facts
from landed.web.api.application import create_api
from tests.serving import callback_files

NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(days=30)
DAY = 24 * 60  # minutes
KEYS = {"reads-all": None, "reads-shop": 1, "reads-bank": 2}
SHARED_FIELDS = [
    "id", "account", "provider", "our_ids", "status", "provider_status", "final", "status_since", "status_age_s",
    "reason", "error_code", "next_step", "overdue", "unknown_statuses", "created_at", "updated_at",
]  # fmt: skip

_numbers = count(1)


class House:
    """A database with accounts, trackers to fill it, and the API over it."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        self._runner = asyncio.Runner()
        self.run(self._open())

    async def _open(self) -> None:
        providers = registry.load()
        self.engine = reading.engine(self.database_url)
        self.pool = connect.pool(self.database_url, connections_max=8)
        await self.pool.open()
        await lanes.make(self.pool, 1)
        async with self.pool.connection() as connection:
            await partitions.make(connection, NOW.date())
        for name in ("shop", "bank"):
            await self._account(name)

        async def authenticate(key: str) -> ApiKey | None:
            return ApiKey(id=1, name=key, hint="", scope=Scope.READ, account_id=KEYS[key], created_at=NOW)

        async def accounts() -> Sequence[Account]:
            return []

        async def health() -> Mapping[str, Any]:
            return {}

        async def metrics() -> bytes:
            return b""

        api = create_api(
            engine=self.engine, providers=providers, authenticate=authenticate, accounts=accounts,
            public_url="https://x.test", health=health, metrics=metrics,
        )  # fmt: skip
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://landed.test")
        journal = PostgresJournal(self.database_url, lanes=1)  # a replay reads nothing from it
        plivo = providers["plivo"]
        self.tracker = Tracker(name="one", journal=journal, pool=self.pool, provider_of=lambda _: plivo)

    async def _account(self, name: str) -> int:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(
                "INSERT INTO accounts (name, provider, provider_account_id, policy)"
                " VALUES (%s, 'plivo', 'MA', 'x') RETURNING id",
                [name],
            )
            ((number,),) = await cursor.fetchall()
        return int(number)

    def account(self, name: str) -> int:
        number: int = self.run(self._account(name))
        return number

    def close(self) -> None:
        async def close() -> None:
            await self.client.aclose()
            await self.pool.close()
            await self.engine.dispose()

        self.run(close())
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    def track(self, *callbacks: Callback) -> None:
        """One after the other."""
        for callback in callbacks:
            self.run(self.tracker.replay([callback]))

    def track_at_once(self, *batches: Sequence[Callback]) -> None:
        """By as many trackers as there are batches."""

        async def track() -> None:
            await asyncio.gather(*(self.tracker.replay(batch) for batch in batches))

        self.run(track())

    def get(self, path: str, key: str = "reads-all", **query: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"}
        response: httpx.Response = self.run(self.client.get(f"/v1/10dlc/{path}", params=query, headers=headers))
        return response

    def data(self, path: str, key: str = "reads-all", **query: Any) -> Any:
        response = self.get(path, key, **query)
        assert response.status_code == 200, response.text
        return response.json()

    def rows(self, query: Any, *parameters: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            return connection.execute(query, parameters).fetchall()

    def state(self, account_id: int) -> dict[str, Any]:
        """Everything that must not depend on order, repeats, batches or trackers."""
        found: dict[str, Any] = {}
        for table in TABLES.values():
            rows = self.rows(f"SELECT * FROM {table.name} WHERE account_id = %s", account_id)
            for row in rows:
                row["facts"] = facts(row["facts"])
                row["earlier_ids"] = len(row["earlier_ids"])
                for name in ("id", "account_id", "created_at", "updated_at"):
                    del row[name]
            found[table.name] = sorted(rows, key=lambda row: repr((row["our_ids"], sorted(map(repr, row.items())))))
        words = "SELECT provider_status, facts FROM unknown_statuses WHERE account_id = %s ORDER BY provider_status"
        return found | {"unknown_statuses": self.rows(words, account_id)}

    def events(self) -> list[tuple[str, str]]:
        return [(row["type"], row["subject_id"]) for row in self.rows("SELECT * FROM events ORDER BY recorded_at, id")]


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    house = House(database_url)
    yield house
    house.close()


def told(
    after_min: float = 0, path: str = "", *, account_id: int = 1, number: int | None = None, **fields: str
) -> Callback:
    """A callback of Plivo, so many minutes after the start; `path` is kind and our id."""
    kind, _, our_id = path.partition("/")
    return Callback(
        id=number or next(_numbers),
        account_id=account_id,
        received_at=START + timedelta(minutes=after_min),
        request=CallbackRequest(
            method="POST",
            url=f"https://x.test/callbacks/k/{path}".rstrip("/"),
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(fields).encode(),
            kind=kind or None,
            our_id=our_id or None,
        ),
    )


def brand(status: str, after_min: float = 0, path: str = "", **fields: Any) -> Callback:
    return told(after_min, path, **{"Event": "brand", "Status": status, "BrandID": "B1"} | fields)


def campaign(status: str, after_min: float = 0, path: str = "", **fields: Any) -> Callback:
    names = {"Event": "campaign", "Status": status, "BrandID": "B1", "CampaignID": "C1"}
    return told(after_min, path, **names | fields)


def link(status: str, after_min: float = 0, path: str = "", **fields: Any) -> Callback:
    names = {"Event": "number_linking", "Status": status, "CampaignID": "C1", "Number": "14155550100"}
    return told(after_min, path, **names | fields)


def unlink(status: str, after_min: float = 0, path: str = "", **fields: Any) -> Callback:
    return link(status, after_min, path, **{"Event": "number_unlinking"} | fields)


# --- whatever the order --------------------------------------------------------------------------------------------


def traffic(seed: int) -> list[dict[str, Any]]:
    """Callbacks about a few things by few ids, of every shape: with ids, with paths, with both, strange, repeated."""
    chance = random.Random(seed)
    callbacks = []
    for number in range(60):
        kind = chance.choice(["brand", "campaign", "number_linking", "number_unlinking"])
        path = {"brand": "brands", "campaign": "campaigns", "number_linking": "number-links"}.get(
            kind, "number-unlinks"
        )
        names = {
            "BrandID": chance.choice(["", "B1", "B2"]),
            "CampaignID": chance.choice(["", "C1", "C2"]) if kind != "brand" else "",
            "Number": chance.choice(["", "14155550100", "14155550101"]) if kind.startswith("number") else "",
            "Reason": chance.choice(["", "", "EIN"]),
        }
        fields = {
            "Event": kind,
            "Status": chance.choice(["created", "rejected", "registered", "success", "failed", "vetted"]),
            **{name: value for name, value in names.items() if value},
            "path": f"{path}/{chance.choice('xyz')}" if chance.random() < 0.6 else "",
            "after_min": chance.choice([0, 1, 3, 7, 20, DAY, 2 * DAY]) + chance.choice([0, 0, 5]),
            "number": number + 1,
        }
        callbacks += [fields] * chance.choice([1, 1, 2])
    return callbacks


@pytest.mark.parametrize("seed", range(4))
def test_order_repeats_batches_and_trackers_do_not_matter(house: House, seed: int) -> None:
    fields = traffic(seed)
    chance = random.Random(seed)
    states = []
    for name in ("at once", "one by one", "by three"):
        account_id = house.account(name)
        callbacks = [told(account_id=account_id, **each) for each in fields]
        chance.shuffle(callbacks)
        if name == "at once":
            house.track_at_once(callbacks)
        elif name == "one by one":
            house.track(*callbacks)
        else:
            house.track_at_once(*(callbacks[place::6] for place in range(6)))
        states.append(house.state(account_id))

    assert states[0]["brands"]
    assert states[0]["number_links"]
    assert states[1] == states[0]
    assert states[2] == states[0]


def test_tracking_again_changes_nothing(house: House) -> None:
    callbacks = [told(**each) for each in traffic(9)]
    house.track_at_once(callbacks)
    before, events = house.rows("SELECT * FROM number_links ORDER BY id"), house.events()

    house.track_at_once(callbacks)

    assert house.rows("SELECT * FROM number_links ORDER BY id") == before
    assert house.events() == events


@pytest.mark.parametrize("file", callback_files("plivo/callbacks/plivo_10dlc_*.json"), ids=lambda file: file.stem)
def test_a_captured_callback_ends_as_its_file_expects(house: House, file: Path) -> None:
    captured = json.loads(file.read_text())
    expect = captured["expect"]
    headers = {name.lower(): value for name, value in captured["headers"].items()}
    request = CallbackRequest(method="POST", url=captured["url"], headers=headers, body=captured["body"].encode())

    house.track(Callback(id=1, account_id=1, received_at=NOW, request=request))

    path, name = {
        "brand": ("brands", "brand_id"), "campaign": ("campaigns", "campaign_id")
    }.get(expect["event"], ("numbers", "number"))  # fmt: skip
    found = house.data(f"{path}/{expect[name]}")
    assert (found["status"], found["provider_status"]) == (expect["status"], expect["provider_status"])
    assert found["final"] is expect["terminal"]
    assert found["reason"] == expect.get("reason")
    for theirs, ours in (("campaign_id", "provider_campaign_id"), ("brand_id", "provider_brand_id")):
        if theirs in expect:
            assert found[ours] == expect[theirs]


# --- who is who ----------------------------------------------------------------------------------------------------


def test_a_brand_that_only_the_path_names_is_found_by_all_its_ids_once_they_meet(house: House) -> None:
    house.track(told(0, "brands/order-7", Status="created"))
    (before,) = house.data("brands")["data"]
    house.track(brand("registered", 5, "brands/order-7"))
    (after,) = house.data("brands")["data"]

    assert (before["provider_brand_id"], before["our_ids"]) == (None, ["order-7"])
    assert (after["provider_brand_id"], after["status"]) == ("B1", "registered")
    whole = [house.data(f"brands/{name}") for name in (before["id"], after["id"], "order-7", "B1")]
    assert {each["id"] for each in whole} == {after["id"]}
    assert [entry["status"] for entry in whole[0]["history"]] == ["pending", "registered"]


def test_one_callback_url_for_all_brands_does_not_merge_them(house: House) -> None:
    for number in range(4):
        house.track(brand("registered" if number % 2 else "rejected", number, "brands/all", BrandID=f"B{number}"))
    house.track(told(9, "brands/all", Status="created"))

    listed = {each["provider_brand_id"]: each["status"] for each in house.data("brands")["data"]}
    assert listed == {"B0": "rejected", "B1": "registered", "B2": "rejected", "B3": "registered", None: "pending"}


def test_several_numbers_of_one_request_are_each_linked_to_the_campaign(house: House) -> None:
    for number in ("14155550100", "14155550101", "14155550102"):
        house.track(link("success", 0, "number-links/batch", Number=number))

    listed = house.data("numbers", campaign="C1")["data"]
    assert sorted(each["number"] for each in listed) == ["+14155550100", "+14155550101", "+14155550102"]
    assert {each["status"] for each in listed} == {"linked"}


def test_accounts_do_not_share_what_has_the_same_id(house: House) -> None:
    house.track(brand("registered"), brand("rejected", account_id=2))

    assert [each["status"] for each in house.data("brands", "reads-shop")["data"]] == ["registered"]
    assert house.data("brands/B1", "reads-bank")["status"] == "rejected"
    other = house.data("brands", "reads-bank")["data"][0]["id"]
    assert house.get(f"brands/{other}", "reads-shop").status_code == 404


# --- a whole life --------------------------------------------------------------------------------------------------


def test_a_number_is_free_after_unlinking_and_linked_again(house: House) -> None:
    steps = [link("created"), link("success", 2), unlink("failed", DAY), unlink("success", 2 * DAY)]
    house.track(*steps[:3])
    kept = house.data("numbers/14155550100")
    house.track(steps[3])
    freed = house.data("numbers/+1 415 555 0100")
    house.track(link("created", 3 * DAY), link("success", 3 * DAY + 2))
    again = house.data("numbers/+14155550100")

    assert (kept["status"], kept["free"], kept["provider_campaign_id"]) == ("linked", False, "C1")
    assert (kept["request"]["registration"], kept["request"]["status"]) == ("number_unlink", "failed")
    assert kept["next_step"].startswith("It is still linked")
    assert (freed["status"], freed["free"], freed["provider_campaign_id"]) == ("unlinked", True, "C1")
    assert freed["status_since"] == f"{START + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"
    assert (again["status"], again["free"]) == ("linked", False)
    assert [(entry["registration"], entry["status"]) for entry in again["history"]] == [
        ("number_link", "pending"), ("number_link", "linked"), ("number_unlink", "failed"),
        ("number_unlink", "unlinked"), ("number_link", "pending"), ("number_link", "linked"),
    ]  # fmt: skip
    assert [type_ for type_, _ in house.events()] == [
        "number.pending", "number.linked", "number.failed", "number.unlinked", "number.pending", "number.linked",
    ]  # fmt: skip
    assert {subject for _, subject in house.events()} == {again["id"]}


def test_retries_are_one_fact_and_one_event(house: House) -> None:
    house.track(*(brand("rejected", minutes, Reason="EIN") for minutes in (0, 1, 3, 7)))

    found = house.data("brands/B1")
    (entry,), (receipt,) = found["history"], found["receipts"]
    assert (entry["received_count"], receipt["received_count"]) == (4, 4)
    assert len(receipt["callback_ids"]) == 4
    assert receipt["source"] == "callback"
    assert (found["reason"], found["next_step"]) == (
        "EIN",
        "Correct what the reason names, then submit the brand again.",
    )
    assert [type_ for type_, _ in house.events()] == ["brand.rejected"]


def test_a_brand_is_told_of_at_each_step_and_once_where_its_ids_meet(house: House) -> None:
    house.track(
        told(0, "brands/x", Status="created"),
        brand("vetted", 1, "brands/x"),
        brand("rejected", 2),
        brand("created", DAY),
        brand("registered", 2 * DAY),
    )

    assert [type_ for type_, _ in house.events()] == [
        "brand.pending", "brand.rejected", "brand.pending", "brand.registered",
    ]  # fmt: skip


def test_what_was_told_of_our_id_is_not_told_again_where_it_meets_a_brand_that_is_known(house: House) -> None:
    house.track(brand("rejected"), told(DAY, "brands/x", Status="created"), brand("vetted", DAY + 1, "brands/x"))

    assert house.data("brands/B1")["status"] == "pending"
    assert [type_ for type_, _ in house.events()] == ["brand.rejected", "brand.pending"]


def test_an_unknown_word_leaves_the_status_alone_and_is_counted_once(house: House) -> None:
    house.track(campaign("registered"), *[campaign("vetted", DAY)] * 2, campaign("vetted", 2 * DAY, CampaignID="C2"))

    assert house.data("campaigns/C1")["status"] == "registered"
    strange = house.data("campaigns/C2")
    assert (strange["status"], strange["provider_status"], strange["final"]) == ("pending", "vetted", False)
    assert strange["unknown_statuses"] == ["vetted"]
    assert strange["next_step"].startswith("Read the receipts")
    assert house.state(1)["unknown_statuses"] == [{"provider_status": "vetted", "facts": 2}]


def test_what_is_pending_for_too_long_is_overdue(house: House) -> None:
    house.track(brand("created"), campaign("created", 29 * DAY))

    old, young = house.data("brands/B1"), house.data("campaigns/C1")
    assert (old["overdue"], young["overdue"]) == (True, False)
    assert old["status_age_s"] >= 30 * 24 * 3600
    assert old["next_step"] == "Ask the provider: it has been pending for more than 3 days."
    assert young["next_step"].startswith("Wait")


# --- API -----------------------------------------------------------------------------------------------------------


def test_each_kind_has_its_shape(house: House) -> None:
    house.track(brand("registered"), campaign("registered"), link("success"))

    for path, own in (
        ("brands", ["provider_brand_id"]),
        ("campaigns", ["provider_campaign_id", "provider_brand_id"]),
        ("numbers", ["number", "provider_campaign_id", "free", "request"]),
    ):
        (listed,) = house.data(path)["data"]
        assert sorted(listed) == sorted(SHARED_FIELDS + own)
        whole = house.data(f"{path}/{listed['id']}")
        assert sorted(whole) == sorted([*listed, "history", "receipts"])
        assert (listed["account"], listed["provider"], listed["final"]) == ("shop", "plivo", True)


def test_lists_are_filtered(house: House) -> None:
    house.track(
        campaign("registered", 0, "campaigns/x"),
        campaign("rejected", 1, CampaignID="C2", BrandID="B2"),
        campaign("created", 2, CampaignID="C3", account_id=2),
        link("success", 3),
        link("failed", 4, Number="14155550101", CampaignID="C2"),
    )

    def ids(path: str, **query: Any) -> list[str]:
        name = "number" if path == "numbers" else "provider_campaign_id"
        return [each[name] for each in house.data(path, **query)["data"]]

    assert ids("campaigns") == ["C3", "C2", "C1"]
    assert ids("campaigns", status=["rejected", "pending"]) == ["C3", "C2"]
    assert ids("campaigns", account="bank") == ["C3"]
    assert ids("campaigns", brand="B2") == ["C2"]
    assert ids("campaigns", q="C1") == ids("campaigns", q="x") == ["C1"]
    assert ids("campaigns", q=house.data("campaigns/C2")["id"]) == ["C2"]
    assert ids("numbers", q="+1 (415) 555-0101") == ids("numbers", campaign="C2") == ["+14155550101"]
    assert ids("numbers", status="linked") == ["+14155550100"]


def test_pages_follow_each_other_without_gap_or_repeat(house: House) -> None:
    house.track_at_once([link("success", number // 3, Number=f"141555501{number:02}") for number in range(20)])

    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = house.data("numbers", limit=6, **cursor)
        seen += [each["number"] for each in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert len(seen) == len(set(seen)) == 20


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("brands", {"status": "linked"}, 422),
        ("numbers", {"status": "registered"}, 422),
        ("campaigns", {"status": "gone"}, 422),
        ("brands", {"account": "nobody"}, 422),
        ("brands", {"cursor": "x"}, 422),
        ("numbers", {"limit": "0"}, 422),
        ("brands/B9", {}, 404),
        ("campaigns/4f6f7a34-2b6a-4b6e-9c0a-0d9c5c8f0a11", {}, 404),
        ("numbers/+14155550199", {}, 404),
    ],
)
def test_what_cannot_be_answered_is_a_problem(house: House, path: str, query: dict[str, str], status: int) -> None:
    response = house.get(path, **query)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


# --- commands ------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """What commands read, with some of each kind."""
    monkeypatch.setenv("LANDED_DATABASE_URL", house.database_url)
    monkeypatch.setenv("LANDED_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    house.track(
        brand("rejected", 0, "brands/x", Reason="EIN\x1b[2J does not match"),
        brand("registered", 1, BrandID="B2", account_id=2),
        campaign("registered", 2),
        campaign("created", 3, CampaignID="C2"),
        link("success", 4),
        link("created", 5),
        unlink("failed", DAY),
        link("success", 6, Number="14155550101"),
        unlink("success", DAY, Number="14155550101"),
    )
    return house


def landed(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("kind", ["brands", "campaigns", "numbers"])
def test_commands_print_the_shapes_of_the_api(filled: House, kind: str) -> None:
    def aged(each: dict[str, Any]) -> dict[str, Any]:
        return each | {"status_age_s": None}

    listed = json.loads(landed("10dlc", kind, "list", "--json"))
    (first, *_) = listed["data"]

    assert [aged(each) for each in listed["data"]] == [aged(each) for each in filled.data(kind)["data"]]
    whole = json.loads(landed("10dlc", kind, "show", first["id"], "--json"))
    assert aged(whole) == aged(filled.data(f"{kind}/{first['id']}"))


@pytest.mark.usefixtures("filled")
def test_lists_and_things_are_shown_for_people() -> None:
    brands = landed("10dlc", "brands", "list", "--status", "rejected")
    assert len(brands.splitlines()) == 2
    assert "EIN�[2J does not match" in brands
    assert "submit the brand again" in brands
    assert "C2" not in landed("10dlc", "campaigns", "list", "--status", "registered", "--brand", "B1")

    shown = landed("10dlc", "numbers", "show", "(415) 555-0100".replace("(", "1 ("))
    assert shown.startswith("LINKED")
    assert "It is still linked" in shown
    assert "● pending  link  C1  (late: changed nothing)" in shown
    assert shown.index("● linked") < shown.index("● failed  unlink")
    freed = landed("10dlc", "numbers", "show", "14155550101")
    assert freed.startswith("UNLINKED")
    assert "free" in freed
    with pytest.raises(NotFound):
        landed("10dlc", "brands", "show", "B9")


@pytest.mark.usefixtures("filled")
def test_the_report_has_a_board_of_what_stands_where() -> None:
    page = landed("report")
    assert "10DLC registrations" in page
    board_page = page[page.index("10DLC registrations") :]
    assert board_page.index("rejected") < board_page.index("pending") < board_page.index("unlinked")
    assert "EIN�[2J does not match" in page
    board = json.loads(landed("report", "--json", "--account", "shop"))["registrations"]
    assert {kind: {row["status"]: row["count"] for row in rows} for kind, rows in board.items()} == {
        "brands": {"rejected": 1}, "campaigns": {"pending": 1, "registered": 1},
        "numbers": {"unlinked": 1, "linked": 1},
    }  # fmt: skip
    (oldest,) = board["campaigns"][0]["oldest"]
    assert (oldest["name"], oldest["overdue"]) == ("C2", True)
