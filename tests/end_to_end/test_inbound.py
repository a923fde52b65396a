"""What people write to us: from the journal to rows, to the API and the command line, and the files that come along."""

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from typer.testing import CliRunner, Result

from landed.cli import app
from landed.domain.accounts import Account, Token, TokenRole
from landed.domain.callbacks import Callback, CallbackRequest
from landed.domain.errors import NotFound
from landed.journal.base import Accepted
from landed.providers import registry
from landed.services.downloading import ATTEMPTS_MAX, Downloader, login
from landed.services.fetching import Fetcher, Login
from landed.store.media_files import MediaFiles
from landed.web.api.application import create_api
from tests import calling
from tests.end_to_end.test_reading_api import KEYS, NOW, PUBLIC_URL, START, House
from tests.end_to_end.test_tracking import Desk, desk_on, raw_callback
from tests.serving import eventually, served
from tests.unit.services.test_fetching import PICTURE, Server, answer, names, serving

OURS, THEIRS = "14155550100", "14155550123"
FORM = {"content-type": "application/x-www-form-urlencoded"}
INBOUND_FIELDS = [
    "id", "account", "provider", "provider_message_id", "direction", "channel", "from", "to", "country", "status",
    "text", "media", "intent", "content_type", "error_code", "error", "units", "cost", "received_at", "receipts_count",
    "created_at", "updated_at",
]  # fmt: skip


def received(message_id: str = "in-1", text: str = "Hello", **fields: str) -> dict[str, Any]:
    """The fields of an inbound message of Plivo."""
    given = {"MessageUUID": message_id, "From": THEIRS, "To": OURS, "Type": "sms", "Text": text, "Units": "1"}
    return {**given, "TotalAmount": "0.0055", **fields}


def told(number: int, *, account_id: int = 1, at: datetime = START, **fields: str) -> Callback:
    """A callback of Plivo, received `number` seconds after `at`."""
    return Callback(
        id=number,
        account_id=account_id,
        received_at=at + timedelta(seconds=number),
        request=CallbackRequest(
            method="POST", url=f"{PUBLIC_URL}/callbacks/unguessable", headers=FORM, body=urlencode(fields).encode()
        ),
    )


def inbound(account_id: int, number: int = 0, *, after_s: float = 0, **fields: str) -> Accepted:
    return raw_callback(account_id, urlencode(received(**fields)).encode(), number, after_s=after_s)


# --- the API -------------------------------------------------------------------------------------------------------


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    house = House(database_url)
    yield house
    house.close()


def ids(house: House, key: str = "reads-all", **query: Any) -> list[str]:
    return [each["provider_message_id"] for each in house.data("/v1/inbound", key, **query)["data"]]


def test_an_inbound_message_reads_with_what_it_says_and_asks(house: House) -> None:
    house.track(told(1, **received(text="Stop!")))

    (message,) = house.data("/v1/inbound")["data"]

    assert list(message) == INBOUND_FIELDS
    assert (message["account"], message["provider"], message["provider_message_id"]) == ("shop", "plivo", "in-1")
    assert (message["direction"], message["channel"], message["status"]) == ("inbound", "sms", "received")
    assert (message["from"], message["to"], message["country"]) == (f"+{THEIRS}", f"+{OURS}", "US")
    assert (message["text"], message["media"], message["intent"]) == ("Stop!", [], "opt_out")
    assert (message["units"], message["cost"]) == (1, {"amount": "0.0055", "currency": "USD"})
    assert message["received_at"] == f"{START + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"


def test_one_inbound_message_names_its_callbacks_and_every_other_field(house: House) -> None:
    first = told(1, **received(PowerpackUUID="p-1"))
    house.track(first, Callback(id=7, account_id=1, received_at=START + timedelta(minutes=1), request=first.request))

    message = house.data("/v1/inbound/in-1")

    assert list(message) == [*INBOUND_FIELDS, "callbacks", "receipts", "extra"]
    assert (message["callbacks"], message["receipts_count"]) == (["1", "7"], 1)
    assert [(each["received_count"], each["callback_id"]) for each in message["receipts"]] == [(2, "1")]
    assert message["extra"] == {"PowerpackUUID": "p-1"}
    assert house.data(f"/v1/inbound/{message['id']}") == message


def test_media_are_listed_as_they_were_told(house: House) -> None:
    fields = received(Type="whatsapp", ContentType="media", MimeType="image/jpeg", Media0="https://media.example/1")
    house.track(told(1, **fields))

    message = house.data("/v1/inbound/in-1")

    (media,) = message["media"]
    assert (media["number"], media["url"], media["mime_type"]) == (1, "https://media.example/1", "image/jpeg")
    assert media["download"]["state"] == "waiting"
    assert media["download"]["path"] is None
    assert message["content_type"] == "media"


def test_an_error_code_of_an_inbound_message_is_explained(house: House) -> None:
    house.track(told(1, **received(Type="mms", ErrorCode="120", MediaCount="1", Media0="https://media.example/1")))

    message = house.data("/v1/inbound/in-1")

    assert (message["error_code"], message["error"]["fault"]) == ("120", "content")


def test_inbound_messages_are_found_by_each_filter(house: House) -> None:
    house.track(
        told(1, **received("a", "STOP")),
        told(2, **received("b", "hello", From="447700900123", To="12345")),
        told(3, **received("c", "", Type="mms", MediaCount="1", Media0="https://media.example/1")),
        told(4, account_id=2, **received("d", "anything", Type="whatsapp", ContentType="text", MessageIntent="help")),
        told(5, MessageUUID="out", Status="sent", From=OURS, To=THEIRS),
    )

    assert ids(house) == ["d", "c", "b", "a"]
    assert ids(house, intent="opt_out") == ["a"]
    assert ids(house, intent=["opt_out", "help"]) == ["d", "a"]
    assert ids(house, intent="none") == ["c", "b"]
    assert ids(house, has_media=True) == ["c"]
    assert ids(house, has_media=False) == ["d", "b", "a"]
    assert ids(house, channel=["mms", "whatsapp"]) == ["d", "c"]
    assert ids(house, account="bank") == ["d"]
    assert ids(house, to="12345") == ["b"]
    assert ids(house, **{"from": "+44 7700 900123"}) == ["b"]
    assert ids(house, since=f"{START + timedelta(seconds=2):%Y-%m-%dT%H:%M:%SZ}") == ["d", "c", "b"]
    assert ids(house, until=f"{START + timedelta(seconds=2):%Y-%m-%dT%H:%M:%SZ}") == ["a"]
    assert ids(house, q="c") == ["c"]
    assert ids(house, q="447700900123") == ["b"]
    assert ids(house, q="12345") == ["b"]
    assert ids(house, q=house.data("/v1/inbound/a")["id"]) == ["a"]
    assert ids(house, q="out") == []
    assert house.get("/v1/inbound/out").status_code == 404
    assert house.get("/v1/inbound", intent="stop").status_code == 422


def test_pages_follow_each_other_and_what_comes_in_meanwhile_shifts_nothing(house: House) -> None:
    house.track(*(told(number, **received(f"m{number}")) for number in range(5)))
    first = house.data("/v1/inbound", limit=2)
    house.track(told(9, **received("new")))
    second = house.data("/v1/inbound", limit=2, cursor=first["next_cursor"])
    third = house.data("/v1/inbound", limit=2, cursor=second["next_cursor"])

    found = [each["provider_message_id"] for page in (first, second, third) for each in page["data"]]
    assert found == ["m4", "m3", "m2", "m1", "m0"]
    assert third["next_cursor"] is None
    assert house.get("/v1/inbound", cursor="W10").status_code == 422


def test_a_key_that_is_bound_to_an_account_sees_no_other(house: House) -> None:
    house.track(told(1, **received("a")), told(2, account_id=2, **received("b")))

    assert ids(house, "reads-shop") == ["a"]
    assert house.get("/v1/inbound/b", "reads-shop").status_code == 404
    assert house.get("/v1/inbound", "reads-shop", account="bank").status_code == 422


@pytest.mark.anyio
async def test_an_event_tells_of_an_inbound_message_once(database: str) -> None:
    async with desk_on(database) as desk:
        account = await desk.account()
        for number in range(3):
            await desk.track(inbound(account, number, after_s=60 * number))

        assert [row["type"] for row in await desk.rows("SELECT type FROM events")] == ["message.received"]


# --- the command line ----------------------------------------------------------------------------------------------


@pytest.fixture
def landed(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LANDED_DATABASE_URL", house.database_url)
    monkeypatch.setenv("LANDED_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def landed(*arguments: str) -> Result:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return landed


def test_the_command_line_lists_and_shows_the_same(house: House, landed: Any) -> None:
    assert "No inbound messages" in landed("inbound", "list").stderr
    house.track(
        told(1, **received("a", "stop\x1b[2J\nit")),
        told(2, **received("b", "", Type="mms", MediaCount="1", Media0="https://media.example/1", TenantId="t1")),
    )

    (_, first, second) = landed("inbound", "list").stdout.splitlines()
    assert "mms" in first
    assert "stop�[2J it" in second
    shown = landed("inbound", "show", "b").stdout
    assert "https://media.example/1" in shown
    assert "t1" in shown
    assert "waiting" in shown
    assert json.loads(landed("inbound", "show", "a", "--json").stdout) == house.data("/v1/inbound/a")
    assert json.loads(landed("inbound", "list", "--media", "--json").stdout) == house.data("/v1/inbound", has_media=1)
    assert "--cursor" in landed("inbound", "list", "--limit", "1").stderr
    assert landed("inbound", "list", "--intent", "none", "--no-media").stdout.count("\n") == 2
    with pytest.raises(NotFound):
        landed("inbound", "show", "nothing")


# --- downloading ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with desk_on(database) as desk:
        yield desk


class Clerk:
    """A downloader with a clock of its own, which takes the loopback for the world."""

    def __init__(self, desk: Desk, directory: Path, **options: Any) -> None:
        self.now = datetime.now(UTC) + timedelta(minutes=1)
        self.files = MediaFiles(directory)
        given: dict[str, Any] = {
            "bytes_max": 10**6,
            "schemes": frozenset({"http"}),
            "is_allowed": lambda address: address == ip_address("127.0.0.1"),
            "resolve": names("127.0.0.1"),
        }
        self.downloader = Downloader(
            pool=desk.pools[0],
            fetcher=Fetcher(**{**given, **options}),
            files=self.files,
            login_of=self._login_of,
            clock=lambda: self.now,
        )
        self.login: Login | None = None

    async def _login_of(self, account_id: int) -> Login | None:
        return self.login

    async def download(self, *, after: timedelta = timedelta(0)) -> int:
        self.now += after
        return await self.downloader.download_due()


def with_media(server: Server, *paths: str, message_id: str = "in-1") -> dict[str, Any]:
    media = {f"Media{number}": f"http://media.example:{server.port}{path}" for number, path in enumerate(paths)}
    return {"message_id": message_id, "Type": "mms", "MediaCount": str(len(paths)), **media}


def left_behind(directory: Path) -> list[Path]:
    return list((directory / "incoming").iterdir())


async def rows(desk: Desk) -> list[dict[str, Any]]:
    return await desk.rows("SELECT * FROM media ORDER BY url")


@pytest.mark.anyio
async def test_what_came_with_a_message_is_downloaded_once_and_only_we_may_read_it(desk: Desk, tmp_path: Path) -> None:
    account = await desk.account()
    async with serving(lambda path, headers: answer()) as server:
        for number in range(2):
            await desk.track(inbound(account, number, **with_media(server, "/a", "/b")))
        clerk = Clerk(desk, tmp_path / "media")

        assert await clerk.download() == 2
        assert await clerk.download(after=timedelta(days=1)) == 0

    assert sorted(path for path, _ in server.asked) == ["/a", "/b"]
    first, second = await rows(desk)
    assert (first["state"], first["mime_type"], first["size_bytes"]) == ("downloaded", "image/png", len(PICTURE))
    assert first["sha256"] == second["sha256"], "the same content is one file"
    path = clerk.files.path(first["sha256"])
    assert path is not None
    assert path.read_bytes() == PICTURE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (path.parent, tmp_path / "media")} == {0o700}
    assert left_behind(tmp_path / "media") == []


@pytest.mark.anyio
async def test_what_fails_is_tried_again_less_and_less_often_and_then_given_up(desk: Desk, tmp_path: Path) -> None:
    account = await desk.account()
    async with serving(lambda path, headers: answer("503 Busy", b"")) as server:
        await desk.track(inbound(account, **with_media(server, "/a")))
        clerk = Clerk(desk, tmp_path)
        assert await clerk.download() == 1
        assert await clerk.download(after=timedelta(seconds=29)) == 0
        assert await clerk.download(after=timedelta(seconds=2)) == 1
        assert await clerk.download(after=timedelta(seconds=58)) == 0
        for _ in range(ATTEMPTS_MAX - 2):
            assert await clerk.download(after=timedelta(hours=1, seconds=1)) == 1
        assert await clerk.download(after=timedelta(days=1)) == 0

    assert len(server.asked) == ATTEMPTS_MAX
    (row,) = await rows(desk)
    assert (row["state"], row["attempts"], row["problem"]) == ("failed", ATTEMPTS_MAX, "The server answers 503.")


@pytest.mark.anyio
async def test_what_can_never_come_is_tried_once(desk: Desk, tmp_path: Path) -> None:
    account = await desk.account()
    fields: dict[str, Any] = {
        f"Media{n}": url for n, url in enumerate(("https://127.0.0.1/", "http://[::1", "gopher://x/", "junk"))
    }
    await desk.track(inbound(account, Type="mms", MediaCount="4", **fields))
    clerk = Clerk(desk, tmp_path, schemes=frozenset({"https"}), is_allowed=lambda address: False)

    assert await clerk.download() == 4

    assert {(row["state"], row["attempts"]) for row in await rows(desk)} == {("failed", 1)}
    assert left_behind(tmp_path) == []


@pytest.mark.anyio
async def test_a_download_that_was_interrupted_is_done_by_the_next_worker(desk: Desk, tmp_path: Path) -> None:
    account = await desk.account()
    asked, wait = asyncio.Event(), asyncio.Event()

    async def hanging(host: str, port: int) -> list[Any]:
        asked.set()
        await wait.wait()
        return []

    async with serving(lambda path, headers: answer()) as server:
        await desk.track(inbound(account, **with_media(server, "/a")))
        killed = asyncio.create_task(Clerk(desk, tmp_path, resolve=hanging).download())
        await asked.wait()
        assert await Clerk(desk, tmp_path).download() == 0, "somebody is at it"
        killed.cancel()
        await asyncio.wait([killed])

        assert await Clerk(desk, tmp_path).download(after=timedelta(minutes=2)) == 1

    (row,) = await rows(desk)
    assert (row["state"], row["attempts"]) == ("downloaded", 2)
    assert left_behind(tmp_path) == []


@pytest.mark.anyio
async def test_attempts_that_always_kill_the_worker_have_an_end(desk: Desk, tmp_path: Path) -> None:
    account = await desk.account()
    await desk.track(inbound(account, Type="mms", MediaCount="1", Media0="https://media.example/1"))
    await desk.connection.execute("UPDATE media SET attempts = %s", [ATTEMPTS_MAX])

    assert await Clerk(desk, tmp_path).download() == 0

    assert [row["state"] for row in await rows(desk)] == ["failed"]


@pytest.mark.anyio
async def test_what_cannot_be_written_is_tried_again(desk: Desk, tmp_path: Path) -> None:
    account = await desk.account()
    (tmp_path / "file").touch()
    async with serving(lambda path, headers: answer()) as server:
        await desk.track(inbound(account, **with_media(server, "/a")))

        assert await Clerk(desk, tmp_path / "file").download() == 1

    (row,) = await rows(desk)
    assert (row["state"], row["problem"]) == ("waiting", "It cannot be written: Not a directory.")


@pytest.mark.anyio
async def test_the_provider_is_told_the_accounts_credentials_where_it_asks(desk: Desk, tmp_path: Path) -> None:
    account = await desk.account()

    def guarded(_: str, headers: Mapping[str, str]) -> bytes:
        return answer() if "authorization" in headers else answer("401 No", b"")

    async with serving(guarded) as server:
        await desk.track(inbound(account, **with_media(server, "/a")))
        clerk = Clerk(desk, tmp_path)
        clerk.login = Login(hosts=frozenset({"media.example"}), user="MA1", password="t")
        await clerk.download()

    assert [row["state"] for row in await rows(desk)] == ["downloaded"]


def test_the_credentials_are_the_accounts_own_and_go_to_its_providers_hosts() -> None:
    later = NOW + timedelta(days=1)
    account = Account(
        id=1, name="shop", provider="plivo", provider_account_id="MA1", policy="x", paths=(), created_at=NOW,
        tokens=(
            Token(id=1, role=TokenRole.ACCOUNT, value="old", expires_at=later),
            Token(id=2, role=TokenRole.ACCOUNT, value="new"),
            Token(id=3, role=TokenRole.MAIN, value="main"),
        ),
    )  # fmt: skip
    providers = registry.load()

    found = login(account, providers["plivo"])

    assert found == Login(hosts=frozenset({"media.plivo.com", "api.plivo.com"}), user="MA1", password="new")
    assert login(account, None) is None


# --- giving files out ----------------------------------------------------------------------------------------------


class Front:
    """The API of a house that has a data directory."""

    def __init__(self, house: House, directory: Path) -> None:
        self.house = house
        self.files = MediaFiles(directory)
        api = create_api(
            engine=house.engine,
            providers=registry.load(),
            authenticate=house._authenticate,
            accounts=house._accounts,
            public_url=PUBLIC_URL,
            health=house._health,
            metrics=house._metrics,
            media_files=self.files,
        )
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(api, raise_app_exceptions=False), base_url="http://landed.test"
        )

    def get(self, path: str, key: str | None = "reads-all") -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        response: httpx.Response = self.house.run(self._client.get(path, headers=headers))
        return response

    def download(self, content: bytes, mime_type: str | None) -> None:
        """Have the one file that waits, as if it had been downloaded."""
        with self.files.incoming() as (incoming, path):
            incoming.write(content)
            sha256 = incoming.finish()
            self.files.keep(path, sha256)
        self.house.run(self._settle(mime_type, len(content), sha256))

    async def _settle(self, *values: Any) -> None:
        async with self.house.pool.connection() as connection:
            await connection.execute(
                "UPDATE media SET state = 'downloaded', mime_type = %s, size_bytes = %s, sha256 = %s", values
            )


@pytest.fixture
def front(house: House, tmp_path: Path) -> Front:
    house.track(told(1, **received(Type="mms", MediaCount="1", Media0="https://media.example/1")))
    return Front(house, tmp_path)


def test_a_downloaded_file_is_given_out_and_no_browser_takes_it_for_a_page(front: Front) -> None:
    front.download(b"<script>alert(1)</script>", "text/html")
    (media,) = front.get("/v1/inbound/in-1").json()["media"]

    response = front.get(media["download"]["path"])

    assert (response.status_code, response.content) == (200, b"<script>alert(1)</script>")
    assert response.headers["content-disposition"].startswith('attachment; filename="')
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert response.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize(("mime_type", "served"), [("image/png", "image/png"), (None, "application/octet-stream")])
def test_a_file_has_the_type_it_was_served_with(front: Front, mime_type: str | None, served: str) -> None:
    front.download(PICTURE, mime_type)

    assert front.get("/v1/inbound/in-1/media/1").headers["content-type"] == served


def test_a_file_takes_a_key_that_may_see_its_message(front: Front) -> None:
    front.download(PICTURE, "image/png")

    answers = [front.get("/v1/inbound/in-1/media/1", key).status_code for key in (*KEYS, "unknown", None)]

    assert answers == [{"reads-bank": 404}.get(key, 200) for key in KEYS] + [401, 401]


@pytest.mark.parametrize(("number", "status"), [("2", 404), ("0", 422), ("-1", 422), ("x", 422), ("1", 404)])
def test_what_is_not_there_is_not_given_out(front: Front, number: str, status: int) -> None:
    response = front.get(f"/v1/inbound/in-1/media/{number}")

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


def test_a_file_of_another_machine_is_said_to_be_away(front: Front, house: House) -> None:
    front.download(PICTURE, "image/png")

    assert "another machine" in house.get("/v1/inbound/in-1/media/1").json()["detail"]


def test_files_that_a_dead_process_left_behind_are_removed(tmp_path: Path) -> None:
    files = MediaFiles(tmp_path)
    with files.incoming() as (_, path):
        fresh, old = path.with_name("fresh"), path.with_name("old")
        fresh.touch()
        old.touch()
        os.utime(old, (0, 0))

        files.tidy()

        assert (fresh.exists(), old.exists()) == (True, False)
    assert files.path("../../etc/passwd") is None


# --- all of it -----------------------------------------------------------------------------------------------------


def test_a_running_server_downloads_guards_itself_and_takes_opt_outs_by_hand(database: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("token-of-shop")
    fields = received(Type="mms", Text="see", MediaCount="1", Media0="https://127.0.0.1:1/secret", From="4915112345678")
    variables = {"LANDED_DATABASE_URL": database, "LANDED_DATA_DIR": str(tmp_path), "LANDED_MEDIA_DOWNLOAD": "true"}
    with served(public_url=calling.PUBLIC_URL, **variables) as server:
        options = ("--auth-id", "MA1", "--auth-token-file", str(token), "--path", "/plivo/inbound")
        server.landed("accounts", "add", "plivo", "shop", *options)
        call = calling.plivo_post(f"{calling.PUBLIC_URL}/plivo/inbound", fields, "token-of-shop")
        assert eventually(lambda: calling.send(server, call) == 200)
        with server.client() as api:

            def settled() -> Any:
                message = api.get("/v1/inbound/in-1")
                return message.status_code == 200 and message.json()["media"][0]["download"]["problem"]

            assert "not a public one" in eventually(settled)
            new = {"account": "shop", "sender": OURS, "recipient": "4915112345678"}
            added = api.post("/v1/opt-outs", json=new)
            assert (added.status_code, added.json()["opted_out"]) == (201, True)
            assert api.get("/v1/opt-outs/check", params=new).json()["opted_out"] is True
            assert api.delete(f"/v1/opt-outs/{added.json()['id']}").json()["opted_out"] is False
