"""The door as the outside meets it: a real server, a real database, and senders that mean no good."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import uvloop

from landed.domain.accounts import Account, CallbackPath, PathRole, Token, TokenRole
from landed.domain.callbacks import headers_of
from landed.journal.postgres import PostgresJournal
from landed.providers import registry
from landed.providers.plivo.signatures import sign_v2, sign_v3
from landed.services.receiving import Committer, Directory, DirectoryKeeper, Refusals
from landed.store import connect, embedded, migrate, refusals
from landed.web.callbacks import Receiver
from landed.web.protocol import HEAD_BYTES_MAX, BoundedProtocol, make_server

PUBLIC_URL = "https://hooks.example.com"
KEY, OTHER_KEY = "aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbb"
TOKEN, NEW_TOKEN, OTHER_TOKEN = "token-of-a", "new-token-of-a", "token-of-b"
FORM = b"MessageUUID=5b40a428-bfc7-4daf-9d06-726c558bf3b8&Status=delivered&To=%2B14155550123&PartInfo=1+of+1"
PATH = f"/callbacks/{KEY}"


def account(number: int, key: str, tokens: Sequence[str], own: str) -> Account:
    return Account(
        id=number,
        name=f"account {number}",
        provider="plivo",
        provider_account_id=f"MA{number}",
        policy="v3-preferred",
        tokens=tuple(Token(id=n, role=TokenRole.ACCOUNT, value=value) for n, value in enumerate(tokens)),
        paths=(
            CallbackPath(id=1, role=PathRole.KEY, value=key),
            CallbackPath(id=2, role=PathRole.OWN, value=own),
        ),
        created_at=datetime.now(UTC),
    )


ACCOUNTS = [
    account(1, KEY, (TOKEN, NEW_TOKEN), "/plivo/status"),
    account(2, OTHER_KEY, (OTHER_TOKEN,), "/b/status/"),
]


async def fallback(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": b"fallback"})


@dataclass
class Service:
    port: int
    database_url: str
    receiver: Receiver
    directory: Directory

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def send(self, request: bytes) -> "Answer":
        with self.connect() as connection:
            connection.sendall(request)
            return read_answer(connection)

    def post(self, path: str = PATH, body: bytes = FORM, headers: dict[str, str] | None = None) -> "Answer":
        return self.send(request("POST", path, body, signed(path) if headers is None else headers))

    def stored(self) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(
                "SELECT account_id, method, url, kind, our_id, headers, body, verified_by FROM callbacks ORDER BY id"
            ).fetchall()

    def refused(self) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute("SELECT account_id, reason, body FROM refused_callbacks").fetchall()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> Any:
        return json.loads(self.body)["code"]


def read_answer(connection: socket.socket, has_body: bool = True) -> Answer:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        assert chunk, f"closed without an answer: {received!r}"
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while has_body and len(body) < int(headers["content-length"]):
        body += connection.recv(65536)
    return Answer(int(status.split()[1]), headers, body)


def request(method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    named = {"Host": "evil.test", "Content-Type": "application/x-www-form-urlencoded"} | (headers or {})
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def signed(path: str, token: str = TOKEN, *, base: str = PUBLIC_URL) -> dict[str, str]:
    nonce = "12345678901234567890"
    return {"X-Plivo-Signature-V2": sign_v2(base + path, nonce, token), "X-Plivo-Signature-V2-Nonce": nonce}


def signed_v3(path: str, fields: dict[str, str], token: str = TOKEN) -> dict[str, str]:
    nonce = "09876543210987654321"
    signature = sign_v3("POST", PUBLIC_URL + path, nonce, token, fields)
    return {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}


class Quick(BoundedProtocol):
    REQUEST_S_MAX = 0.5


@contextlib.contextmanager
def serving(database_url: str, public_url: str = PUBLIC_URL, **options: Any) -> Iterator[Service]:
    """A server in a thread of its own, as `landed web` runs it."""
    started: list[Service] = []
    stop: list[Callable[[], Any]] = []
    failures: list[BaseException] = []

    async def main() -> None:
        directory = Directory(registry.load())
        directory.replace(ACCOUNTS)

        async def load() -> list[Account]:
            return ACCOUNTS

        journal = PostgresJournal(database_url, lanes=4)
        committer = Committer(journal, waiting_max=1000, waiting_bytes_max=1 << 24)
        async with connect.pool(database_url, connections_max=2) as pool:
            refused = Refusals(partial(refusals.keep, pool))
            receiver = Receiver(
                directory=directory,
                keeper=DirectoryKeeper(directory, load, database_url),
                committer=committer,
                refusals=refused,
                public_url=public_url,
                body_bytes_max=256 * 1024,
                fallback=fallback,
            )
            tasks = [asyncio.create_task(committer.run()), asyncio.create_task(refused.run())]
            server = make_server(receiver, host="127.0.0.1", port=0, **options)
            stop.append(lambda: setattr(server, "should_exit", True))
            serving = asyncio.create_task(server.serve())
            while not (server.started and committer.available):  # noqa: ASYNC110  neither tells
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            started.append(Service(port, database_url, receiver, directory))
            await serving
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await journal.close()

    def run() -> None:
        try:
            uvloop.run(main())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        until(lambda: bool(started or failures))
        assert not failures
        yield started[0]
    finally:
        for each in stop:
            each()
        thread.join(30)
        assert not failures


def until(condition: Callable[[], bool], limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def service(database: str) -> Iterator[Service]:
    with serving(database) as service:
        yield service


class TestAccepting:
    def test_a_signed_callback_is_on_disk_byte_for_byte_when_it_is_answered(self, service: Service) -> None:
        path = f"{PATH}/messages/msg_1.A-z?tenant=42&a=%C3%A9"
        headers = signed(path.partition("?")[0]) | {"Authorization": "Basic c2VjcmV0", "X-Odd": "caf\u00e9: ol\u00e9"}

        answer = service.send(request("POST", path, FORM, headers).decode().encode("latin-1"))

        assert (answer.status, answer.body) == (200, b"")
        account_id, method, url, kind, our_id, lines, body, verified_by = service.stored()[0]
        assert (account_id, method, url, kind, our_id) == (1, "POST", PUBLIC_URL + path, "messages", "msg_1.A-z")
        assert (body, verified_by) == (FORM, "x-plivo-signature-v2")
        assert headers_of(lines)["authorization"] == "***"
        assert headers_of(lines)["x-odd"] == "caf\u00e9: ol\u00e9"
        assert service.receiver.stored == service.receiver.received == 1

    @pytest.mark.parametrize("path", ["/plivo/status", "/plivo/status/", f"{PATH}/", f"{PATH}/verify/1"])
    def test_every_kind_of_path_leads_to_its_account(self, service: Service, path: str) -> None:
        assert service.post(path, headers=signed(path)).status == 200
        assert [row[:3] for row in service.stored()] == [(1, "POST", PUBLIC_URL + path)]

    def test_a_get_with_a_query_is_a_callback_too(self, service: Service) -> None:
        path = f"{PATH}?{FORM.decode()}"
        assert service.send(request("GET", path, headers=signed(PATH))).status == 200
        assert [row[1:3] for row in service.stored()] == [("GET", PUBLIC_URL + path)]

    @pytest.mark.parametrize("body", [b'\xef\xbb\xbf{"MessageUUID": "1"}', b'{"Text": "cut \\ud83d"}'])
    def test_odd_json_is_kept_as_it_came(self, service: Service, body: bytes) -> None:
        headers = signed(PATH) | {"Content-Type": "application/json"}
        assert service.post(body=body, headers=headers).status == 200
        assert service.stored()[-1][6] == body

    def test_json_and_a_body_in_chunks_are_taken(self, service: Service) -> None:
        body = b'{"MessageUUID": "1", "Status": "sent", "note": "\\\\u0000 and \\u00e9"}'
        assert service.post(body=body, headers=signed(PATH) | {"Content-Type": "application/json"}).status == 200
        assert service.post(body=body, headers=signed(PATH) | {"Content-Type": ""}).status == 200
        head = request("POST", PATH, headers=signed(PATH))
        head = head.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        assert service.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(FORM), FORM)).status == 200
        assert [row[6] for row in service.stored()] == [body, body, FORM]

    def test_a_body_that_comes_in_pieces_is_taken_whole(self, service: Service) -> None:
        whole = request("POST", PATH, FORM, signed(PATH))
        with service.connect() as connection:
            reader = connection.makefile("rb")
            for start, end in ((0, 20), (20, len(whole) - 9), (len(whole) - 9, len(whole) - 4), (len(whole) - 4, None)):
                connection.sendall(whole[start:end])
                time.sleep(0.05)  # a packet of its own
            assert read_one(reader) == 200
        assert service.stored()[-1][6] == FORM

    def test_both_tokens_are_accepted_while_they_are_rotated(self, service: Service) -> None:
        assert [service.post(headers=signed(PATH, token)).status for token in (TOKEN, NEW_TOKEN)] == [200, 200]

    def test_v3_covers_the_parameters(self, service: Service) -> None:
        assert service.post(body=b"a=1&b=%2B2", headers=signed_v3(PATH, {"a": "1", "b": "+2"})).status == 200
        assert service.post(body=b"a=1&b=%2B3", headers=signed_v3(PATH, {"a": "1", "b": "+2"})).status == 403

    @pytest.mark.parametrize("received", ["", "/in"])
    def test_a_path_in_the_public_url_is_signed_once_whether_or_not_a_proxy_strips_it(
        self, database: str, received: str
    ) -> None:
        base = "https://hooks.example.com:8443/in"
        with serving(database, base + "/") as service:
            for path in (PATH, "/plivo/status"):
                assert service.post(received + path, headers=signed(path, base=base)).status == 200
                assert service.stored()[-1][2] == base + path

    def test_requests_on_one_connection_are_answered_in_their_order(self, service: Service) -> None:
        good, forged = signed(PATH), signed(PATH, "wrong")
        requests = [request("POST", PATH, b"n=%d" % n, forged if n % 3 == 1 else good) for n in range(12)]
        requests.insert(5, request("GET", "/v1/messages"))
        with service.connect() as connection:
            connection.sendall(b"".join(requests))
            reader = connection.makefile("rb")
            statuses = [read_one(reader) for _ in requests]
        assert statuses == [200, 403, 200, 200, 403, 404, 200, 200, 403, 200, 200, 403, 200]
        assert [row[6] for row in service.stored()] == [b"n=%d" % n for n in range(12) if n % 3 != 1]

    def test_what_is_no_callback_goes_to_the_application_behind(self, service: Service) -> None:
        for path in ("/", "/v1/messages", "/callbacks", "/plivo/status/more"):
            assert service.send(request("GET", path)).body == b"fallback"


def read_one(reader: Any) -> int:
    status = int(reader.readline().split()[1])
    length = 0
    while (line := reader.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length"):
            length = int(line.split()[1])
    reader.read(length)
    return status


CAPTURED = sorted((Path(__file__).parent.parent / "providers/plivo/callbacks").glob("plivo_*.json"))


@pytest.mark.parametrize("file", CAPTURED, ids=lambda file: file.stem)
def test_captured_callbacks_are_stored_or_refused_as_their_signatures_say(service: Service, file: Path) -> None:
    captured = json.loads(file.read_text())
    secrets = captured["secrets"]
    tokens = [secrets["auth_token"], *(each["auth_token"] for each in secrets.get("subaccounts", ()))]
    target = captured["url"].removeprefix(PUBLIC_URL)
    service.directory.replace([account(3, "c" * 20, tokens, target.partition("?")[0])])
    headers = {"Content-Type": ""} | captured["headers"]

    answer = service.send(request(captured["method"], target, captured["body"].encode(), headers))

    verdict = captured["expect"]["signature"]
    assert answer.status == (200 if verdict["valid"] else 403)
    verified_by = ",".join(name.lower() for name in verdict.get("verified_by", ()))
    expected = [(captured["url"], verified_by)] if verdict["valid"] else []
    assert [(row[2], row[7]) for row in service.stored()] == expected


class TestRefusing:
    @pytest.mark.parametrize(
        ("path", "headers"),
        [
            pytest.param(PATH, {}, id="unsigned"),
            pytest.param(PATH, signed(PATH) | {"X-Plivo-Signature-V2-Nonce": ""}, id="without a nonce"),
            pytest.param(PATH, signed(PATH) | {"X-Plivo-Signature-V2": "Zm9yZ2Vk"}, id="forged"),
            pytest.param(PATH, signed(PATH) | {"X-Plivo-Signature-V2": "\u00ff,,"}, id="not even ASCII"),
            pytest.param(PATH, signed(PATH, "guess"), id="wrong token"),
            pytest.param(PATH, signed(PATH, OTHER_TOKEN), id="another account's token"),
            pytest.param(f"/callbacks/{OTHER_KEY}", signed(PATH), id="another account's path"),
            pytest.param(PATH, signed(PATH, base="https://evil.test"), id="signed for the Host header"),
            pytest.param(PATH, signed(PATH) | signed_v3(PATH, {"x": "y"}), id="downgraded from V3"),
        ],
    )
    def test_a_callback_that_is_not_proven_leaves_no_trace_but_for_diagnosis(
        self, service: Service, path: str, headers: dict[str, str]
    ) -> None:
        answer = service.post(path, headers=headers)

        assert (answer.status, answer.code) == (403, "signature_invalid")
        assert answer.headers["content-type"] == "application/problem+json"
        assert service.stored() == []
        until(lambda: len(service.refused()) == 1)
        account_id, reason, body = service.refused()[0]
        assert account_id == (2 if OTHER_KEY in path else 1)
        assert reason in ("signature_missing", "nonce_missing", "signature_mismatch")
        assert body == FORM

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            pytest.param("application/x-www-form-urlencoded", b"a=%zz", id="broken escape"),
            pytest.param("application/x-www-form-urlencoded", b"a=%00", id="escaped NUL"),
            pytest.param("application/x-www-form-urlencoded", b"a=\0", id="NUL"),
            pytest.param("application/x-www-form-urlencoded", b"a=\xff", id="not UTF-8"),
            pytest.param("application/x-www-form-urlencoded", b"a=%FF", id="escaped, not UTF-8"),
            pytest.param("application/x-www-form-urlencoded", b"a=1&" * 10_000, id="fields"),
            pytest.param("application/x-www-form-urlencoded; charset=utf-16", b"a=1", id="charset"),
            pytest.param("application/x-www-form-urlencoded; charset=iso-8859-1", b"a=1", id="latin-1"),
            pytest.param("text/plain", b"a=1", id="plain text"),
            pytest.param("multipart/form-data; boundary=x", b"--x--", id="multipart"),
            pytest.param("application/json", b"{", id="half JSON"),
            pytest.param("application/json", b"[1]", id="no object"),
            pytest.param("application/json", b"null", id="null"),
            pytest.param("application/json", b'{"a": NaN}', id="NaN"),
            pytest.param("application/json", b'{"a": "\\u0000"}', id="NUL in JSON"),
            pytest.param("application/json", b'{"a": [{"\\u0000": 1}]}', id="NUL in a key within"),
            pytest.param("application/json", b'{"a": "\xff"}', id="JSON not UTF-8"),
            pytest.param("application/json", b'{"a": ' + b"9" * 100_000 + b"}", id="huge number"),
            pytest.param("application/json", b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}", id="deep"),
            pytest.param("application/json", b'{"a": ' + b"[" * 120_000 + b"]" * 120_000 + b"}", id="very deep"),
            pytest.param("application/json", json.dumps({str(n): n for n in range(10_000)}).encode(), id="JSON fields"),
        ],
    )
    def test_what_cannot_be_read_is_refused_for_good(self, service: Service, content_type: str, body: bytes) -> None:
        answer = service.post(body=body, headers=signed(PATH) | {"Content-Type": content_type})
        assert (answer.status, answer.code) == (400, "callback_malformed")
        v3 = {"X-Plivo-Signature-V3": "x", "X-Plivo-Signature-V3-Nonce": "1", "Content-Type": content_type}
        assert service.post(body=body, headers=v3).status in (400, 403)
        assert service.stored() == []
        assert service.post().status == 200

    @pytest.mark.parametrize("query", ["a=%00", "a=%zz", "&".join("a" for _ in range(1500))])
    def test_a_query_that_cannot_be_read_is_refused_for_good(self, service: Service, query: str) -> None:
        assert service.send(request("GET", f"{PATH}?{query}", headers=signed(PATH))).status == 400

    @pytest.mark.parametrize(
        "path",
        [
            "/callbacks/unknown",
            "/callbacks/",
            f"{PATH}/cats/1",
            f"{PATH}/messages/a%20b",
            f"{PATH}/messages/{'x' * 101}",
        ],
    )
    def test_an_unknown_address_is_not_found(self, service: Service, path: str) -> None:
        answer = service.post(path, headers=signed(path))
        assert (answer.status, answer.code) == (404, "not_found")

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
    @pytest.mark.parametrize("path", [PATH, "/plivo/status"])
    def test_other_methods_are_not_allowed(self, service: Service, method: str, path: str) -> None:
        with service.connect() as connection:
            connection.sendall(request(method, path, headers=signed(path)))
            answer = read_answer(connection, has_body=method != "HEAD")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")

    def test_secrets_are_not_in_what_is_answered(self, service: Service) -> None:
        answer = service.post(headers={"X-Plivo-Signature-V2": "x", "X-Plivo-Signature-V2-Nonce": "1"})
        assert not any(secret.encode() in answer.body for secret in (TOKEN, NEW_TOKEN, KEY))


class TestHostileSenders:
    @pytest.fixture(autouse=True)
    def unharmed(self, service: Service) -> Iterator[None]:
        """Whatever was sent: the process has not grown much and goes on to work."""
        process = psutil.Process()
        assert service.post().status == 200
        before = process.memory_info().rss
        yield
        assert service.post().status == 200
        assert process.memory_info().rss - before < 64 * 1024 * 1024

    def test_a_large_body_is_refused_before_it_is_sent(self, service: Service) -> None:
        head = request("POST", PATH, headers=signed(PATH)).replace(b"Content-Length: 0", b"Content-Length: 10485760")
        answer = service.send(head)
        assert (answer.status, answer.code, answer.headers["connection"]) == (413, "callback_too_large", "close")

    def test_who_sends_a_large_body_anyway_gets_to_read_the_answer(self, service: Service) -> None:
        assert service.post(body=b"a=" + b"x" * 10_000_000).status == 413
        assert service.post(body=b"a=" + b"x" * 300_000).status == 413
        assert service.post(body=b"a=" + b"x" * 200_000).status == 200

    def test_an_endless_body_is_refused_as_soon_as_it_is_too_large(self, service: Service) -> None:
        head = request("POST", PATH, headers=signed(PATH)).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        with service.connect() as connection:
            connection.sendall(head)
            sent = send_until_closed(connection, chunk, 2000)
            assert sent < 2000

    def test_a_million_headers_are_refused_at_once(self, service: Service) -> None:
        with service.connect() as connection:
            connection.sendall(f"POST {PATH} HTTP/1.1\r\n".encode())
            with contextlib.suppress(OSError):
                for number in range(1000):
                    connection.sendall(b"".join(b"x-%d: y\r\n" % n for n in range(number * 1000, number * 1000 + 1000)))
            assert read_answer(connection).status == 431

    @pytest.mark.parametrize(
        "start",
        [
            pytest.param(b"GET /callbacks/", id="url"),
            pytest.param(b"GET / HTTP/1.1\r\nx-", id="name"),
            pytest.param(b"GET / HTTP/1.1\r\nx: ", id="value"),
        ],
    )
    def test_an_endless_head_is_refused_wherever_it_does_not_end(self, service: Service, start: bytes) -> None:
        with service.connect() as connection:
            connection.sendall(start)
            assert send_until_closed(connection, b"x" * 65536, 20_000) < 20_000

    def test_a_head_over_the_limit_is_refused_in_one_piece_too(self, service: Service) -> None:
        headers = {f"x-{n}": "y" * 1000 for n in range(40)}
        assert service.send(request("POST", PATH, FORM, signed(PATH) | headers)).status == 431
        headers = {f"x-{n}": "y" for n in range(101)}
        assert service.send(request("POST", PATH, FORM, signed(PATH) | headers)).status == 431
        headers = {f"x-{n}": "y" * 100 for n in range(90)}
        assert service.send(request("POST", PATH, FORM, signed(PATH) | headers)).status == 200

    @pytest.mark.parametrize(
        "garbage",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not HTTP\r\n\r\n",
            b"GET\r\n\r\n",
            b"POST /callbacks/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET * HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nx: a\0b\r\n\r\n",
        ],
        ids=range(6),
    )
    def test_what_is_not_http_gets_400(self, service: Service, garbage: bytes) -> None:
        assert service.send(garbage).status == 400

    def test_half_requests_and_sudden_ends_do_no_harm(self, service: Service) -> None:
        whole = request("POST", PATH, FORM, signed(PATH))
        for cut in (1, 20, len(whole) - len(FORM), len(whole) - 1):
            with service.connect() as connection:
                connection.sendall(whole[:cut])
        # Hang up before the answer: it is kept all the same, or not, and nobody is harmed.
        for _ in range(20):
            with service.connect() as connection:
                connection.sendall(whole)

    def test_upgrades_are_answered_as_plain_requests(self, service: Service) -> None:
        upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQ"}
        assert service.send(request("POST", PATH, FORM, signed(PATH) | upgrade)).status == 200
        assert service.stored()[-1][6] == FORM

    @pytest.mark.parametrize("cut", [1, 200, 100_000])
    def test_what_is_behind_an_offered_upgrade_is_read_in_whatever_pieces_it_comes(
        self, service: Service, cut: int
    ) -> None:
        offered = request("POST", PATH, FORM, signed(PATH) | {"Connection": "keep-alive, Upgrade", "Upgrade": "h2c"})
        plain = request("POST", PATH, FORM, signed(PATH))
        with service.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for data, answers in ((offered + plain, 2), (offered, 1)):
                connection.sendall(data[:cut])
                connection.sendall(data[cut:])
                received = b""
                while received.count(b"HTTP/1.1 200 ") < answers:
                    received += connection.recv(65536)
        assert [row[6] for row in service.stored()[-3:]] == [FORM] * 3

    def test_offers_do_not_make_a_head_larger_than_it_may_be(self, service: Service) -> None:
        offer = {"Connection": "Upgrade", "Upgrade": "h2c", "X-Long": "x" * HEAD_BYTES_MAX}
        assert service.send(request("POST", PATH, FORM, signed(PATH) | offer)).status == 431

    def test_very_many_offers_in_one_piece_are_all_declined(self, service: Service) -> None:
        offers = request("GET", "/elsewhere", headers={"Connection": "Upgrade", "Upgrade": "h2c"}) * 500
        with service.connect() as connection:
            connection.sendall(offers)
            received = b""
            while received.count(b"HTTP/1.1 404 ") < 500:
                received += connection.recv(65536)

    def test_an_offered_upgrade_that_closes_is_closed(self, service: Service) -> None:
        closing = signed(PATH) | {"Connection": "close, Upgrade", "Upgrade": "h2c"}
        with service.connect() as connection:
            connection.sendall(request("POST", PATH, FORM, closing))
            assert read_answer(connection).status == 200
            assert connection.recv(1) == b""

    def test_a_tunnel_is_refused(self, service: Service) -> None:
        answer = service.send(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\nbinary")
        assert answer.status == 400


def send_until_closed(connection: socket.socket, chunk: bytes, chunks: int) -> int:
    """How many were sent before the other side had enough."""
    for number in range(chunks):
        try:
            connection.sendall(chunk)
        except OSError:
            return number
    return chunks


class TestSlowSenders:
    @pytest.mark.parametrize("cut", [0, 1, 60, -1], ids=["nothing", "a byte", "half a head", "all but a byte"])
    def test_a_request_that_takes_too_long_is_ended(self, database: str, cut: int) -> None:
        with serving(database, http=Quick) as service, service.connect() as connection:
            connection.sendall(request("POST", PATH, FORM, signed(PATH))[:cut])
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while chunk := connection.recv(65536):
                    received += chunk
            assert received == b"" or received.startswith(b"HTTP/1.1 408 ")
            assert service.post().status == 200

    def test_a_connection_between_requests_is_left_open(self, database: str) -> None:
        with serving(database, http=Quick) as service, service.connect() as connection:
            for _ in range(2):
                connection.sendall(request("POST", PATH, FORM, signed(PATH)))
                assert read_answer(connection).status == 200
                time.sleep(2.0)  # four times what a request may take


class TestWithoutADatabase:
    def test_callbacks_get_503_while_it_is_away_and_all_goes_on_by_itself(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="landed-tests-"))
        directory.chmod(0o755)
        database = embedded.start(directory)
        try:
            migrate.upgrade(database.database_url)
            with serving(database.database_url) as service:
                acknowledged = [n for n in range(20) if service.post(body=b"n=%d" % n).status == 200]
                kill_postgres(database.database_url)
                answers: list[Answer] = []
                until(lambda: (answers.append(service.post()), answers[-1].status == 503)[1])  # type: ignore[func-returns-value]
                assert (answers[-1].code, answers[-1].headers["retry-after"]) == ("store_unavailable", "10")
                assert {answer.status for answer in answers} <= {200, 503}
                until(lambda: service.post(body=b"n=20").status == 200)
                kept = {row[6] for row in service.stored()}
            assert len(acknowledged) == 20
            assert kept >= {b"n=%d" % n for n in range(21)}
        finally:
            database.close()
            shutil.rmtree(directory, ignore_errors=True)


def kill_postgres(database_url: str) -> None:
    """Its socket lies beside its cluster."""
    home = Path(str(psycopg.conninfo.conninfo_to_dict(database_url)["host"]))
    os.kill(int((home / "cluster" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
