"""Inspecting callbacks: found by what they hold, shown with what they became, compared, and taken in again."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import uuid4

import httpx
import pytest

from landed.providers import registry
from landed.providers.plivo import signatures
from landed.services.reading import CallbackQuestion, Reader
from landed.store import callback_queries, reading
from landed.store.callback_queries import Verdict
from tests.calling import PUBLIC_URL, Call, plivo_post, send
from tests.databases import Databases
from tests.serving import Served, eventually, served

TOKEN: Final = "a-token-0123456789"
LATER_TOKEN: Final = "another-token-0123456789"
HOSTILE: Final = "\x1b[2J\x1b]0;evil\x07 hello"


@dataclass(frozen=True, kw_only=True)
class House:
    server: Served
    api: httpx.Client
    reader: httpx.Client
    url: str
    data: Path
    ids: Mapping[str, str]  #: callbacks by what they are
    message: str

    def page(self, **filters: Any) -> list[str]:
        """Names of what is found."""
        names = {number: name for name, number in self.ids.items()}
        answer = self.api.get("/v1/callbacks", params={"limit": 200, **filters})
        assert answer.status_code == 200, answer.text
        return [names[each["id"]] for each in answer.json()["data"] if each["id"] in names]

    def landed(self, *arguments: str, returns: int = 0) -> tuple[str, str]:
        ran = subprocess.run(
            [sys.executable, "-m", "landed", *arguments],
            env=self.server.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.returncode == returns, ran.stderr
        return ran.stdout, ran.stderr


@pytest.fixture(scope="module")
def house(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data = tmp_path_factory.mktemp("data")
    (data / "token").write_text(TOKEN)
    (data / "later").write_text(LATER_TOKEN)
    variables = {"LANDED_DATA_DIR": str(data), "LANDED_LANES": "1"}
    with (
        databases.fresh() as database,
        served(public_url=PUBLIC_URL, LANDED_DATABASE_URL=database, **variables) as server,
        server.client() as api,
    ):
        added = ("accounts", "add", "plivo", "shop", "--auth-id", "MA1", "--auth-token-file", str(data / "token"))
        url = server.landed(*added)["callback_url"]
        key = server.landed("keys", "create", "reads", "--scope", "read")["key"]
        reader = httpx.Client(base_url=server.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        message = str(uuid4())
        ids = fill(server, api, url, message)
        with reader:
            yield House(server=server, api=api, reader=reader, url=url, data=data, ids=ids, message=message)


def _is_taken(server: Served, call: Call) -> bool:
    return send(server, call) in (200, 403)


def fill(server: Served, api: httpx.Client, url: str, message: str) -> dict[str, str]:
    told = {"MessageUUID": message, "From": "14155550100", "To": "+14155550123"}
    calls = {
        "sent": plivo_post(url, told | {"Status": "sent"}, TOKEN),
        "delivered": plivo_post(f"{url}/messages/our-7", told | {"Status": "delivered"}, TOKEN, families="v3"),
        "hostile": plivo_post(url, [("MessageUUID", "other"), ("Status", HOSTILE), ("Tag", "a"), ("Tag", "b")], TOKEN),
        "strange": plivo_post(url, {"hello": "world"}, TOKEN),
        "refused": plivo_post(url, told | {"MessageUUID": "late", "Status": "failed"}, LATER_TOKEN),
    }
    for call in calls.values():
        eventually(partial(_is_taken, server, call))

    def known() -> dict[str, str]:
        page = api.get("/v1/callbacks").json()["data"]
        if len(page) < len(calls) or any(each["outcome"] == "waiting" for each in page):
            return {}
        words = {"delivered": "Status=delivered", "sent": "Status=sent", "strange": "hello=world", "refused": "late"}
        found = {}
        for each in page:
            body = api.get(f"/v1/callbacks/{each['id']}").json()["body"]
            found[next((name for name, word in words.items() if word in body), "hostile")] = each["id"]
        return found if len(found) == len(calls) else {}

    ids: dict[str, str] = eventually(known)
    return ids


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"verdict": "refused"}, ["refused"]),
        ({"reason": "signature_mismatch"}, ["refused"]),
        ({"reason": "callback_not_understood"}, ["strange"]),
        ({"reason": ["callback_not_understood", "signature_mismatch"]}, ["refused", "strange"]),
        ({"kind": "messages"}, ["delivered"]),
        ({"status": "delivered"}, ["delivered"]),
        ({"status": ["sent", "failed"]}, ["refused", "sent"]),
        ({"status": "deliver"}, []),
        ({"verified_by": "X-Plivo-Signature-V3"}, ["delivered"]),
        ({"method": "get"}, []),
        ({"q": "our-7"}, ["delivered"]),
        ({"q": "+1 (415) 555-0123"}, ["refused", "delivered", "sent"]),
        ({"q": "hello=world"}, ["strange"]),
        ({"q": "nothing like it"}, []),
        ({"until": "1h"}, []),
        ({"account": "shop", "since": "1h", "status": "delivered", "q": "our-7", "method": "POST"}, ["delivered"]),
    ],
    ids=str,
)
def test_callbacks_are_found_by_what_they_hold(house: House, filters: dict[str, Any], found: list[str]) -> None:
    assert house.page(**filters) == found


def test_callbacks_of_a_message_are_found_by_either_id(house: House) -> None:
    (ours,) = (each["id"] for each in house.api.get("/v1/messages", params={"q": house.message}).json()["data"])

    assert house.page(message=house.message) == house.page(message=ours) == ["delivered", "sent"]
    assert house.page(message="nobody") == []


@pytest.mark.parametrize(
    "filters", [{"kind": "letters"}, {"verdict": "lost"}, {"since": "yesterday"}, {"account": "none"}]
)
def test_an_unknown_value_of_a_filter_is_refused(house: House, filters: dict[str, str]) -> None:
    assert house.api.get("/v1/callbacks", params=filters).status_code == 422


def test_who_may_not_see_the_key_cannot_search_for_it(house: House) -> None:
    key = house.url.rpartition("/")[2]

    assert len(house.page(q=key)) == 5
    assert house.reader.get("/v1/callbacks", params={"q": key[:3]}).json()["data"] == []
    assert len(house.reader.get("/v1/callbacks", params={"q": "our-7"}).json()["data"]) == 1


@pytest.mark.anyio
async def test_a_search_ends_at_its_bound_and_goes_on_from_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_queries, "SEARCHED_MAX", 2)
    engine = reading.engine(house.server.environment["LANDED_DATABASE_URL"])
    reader, asked = Reader(engine, registry.load()), CallbackQuestion(text="MessageUUID", verdict=Verdict.ACCEPTED)
    found: list[str] = []
    pages = 0
    cursor: str | None = None
    try:
        while cursor or not pages:
            page = await reader.callbacks(asked, account_id=None, cursor=cursor, limit=9, keys_shown=False)
            found += [each.id for each in page.data]
            pages, cursor = pages + 1, page.next_cursor
    finally:
        await engine.dispose()

    assert found == [house.ids[name] for name in ("hostile", "delivered", "sent")]
    assert pages > 1


def test_one_is_shown_with_its_fields_and_what_it_became(house: House) -> None:
    shown = house.reader.get(f"/v1/callbacks/{house.ids['delivered']}").json()

    assert shown["request_line"] == "POST /callbacks/********/messages/our-7 HTTP/1.1"
    assert {"name": "To", "value": "+14155550123", "source": "body"} in shown["fields"]
    (told,) = shown["receipts"]
    assert (told["kind"], told["provider_status"], told["status"]) == ("message", "delivered", "delivered")
    assert told["thing"]["status"] == "delivered"
    assert house.api.get(told["thing"]["href"]).json()["provider_message_id"] == house.message
    assert [each["id"] for each in shown["neighbours"]] == [house.ids["sent"]]
    assert house.url.rpartition("/")[2] not in json.dumps(shown)


def test_repeated_fields_and_strange_words_are_kept_as_they_are(house: House) -> None:
    shown = house.api.get(f"/v1/callbacks/{house.ids['hostile']}").json()

    assert [each["value"] for each in shown["fields"] if each["name"] == "Tag"] == ["a", "b"]
    assert shown["receipts"][0]["status"] is None
    strange = house.api.get(f"/v1/callbacks/{house.ids['strange']}").json()
    assert strange["receipts"] == []
    assert "MessageUUID is missing" in strange["parse_problem"]


def test_two_are_compared_differences_first(house: House) -> None:
    a, b = house.ids["sent"], house.ids["delivered"]
    compared = house.reader.get(f"/v1/callbacks/{a}/compare/{b}").json()

    differs = [row["differs"] for row in compared["rows"]]
    assert differs == sorted(differs, reverse=True)
    assert compared["differences"] == sum(differs)
    different = {(row["part"], row["name"]): (row["a"], row["b"]) for row in compared["rows"] if row["differs"]}
    assert different["field", "Status"] == ("sent", "delivered")
    assert different["verdict", "verified by"][1] == "x-plivo-signature-v3, x-plivo-signature-ma-v3"
    assert ("field", "To") not in different
    assert house.api.get(f"/v1/callbacks/{a}/compare/{a}").json()["differences"] == 0
    assert house.api.get(f"/v1/callbacks/{a}/compare/99999999").status_code == 404
    table, said = house.landed("callbacks", "compare", a, b)
    assert "≠" in table
    assert "differences" in said


def test_a_refused_one_is_taken_in_once_it_proves_itself(house: House) -> None:
    refused = house.ids["refused"]
    before = house.api.post(f"/v1/callbacks/{refused}/replay").json()
    assert (before["outcome"], before["reason"]) == ("refused", "signature_invalid")
    assert house.reader.post(f"/v1/callbacks/{refused}/replay").status_code == 403
    _, said = house.landed("callbacks", "replay", refused, returns=1)
    assert "refused" in said
    assert house.page(verdict="refused") == ["refused"], "a replay adds no refusal"

    house.server.landed("accounts", "add-token", "shop", "--auth-token-file", str(house.data / "later"))
    printed, _ = house.landed("callbacks", "replay", refused, "--json")
    eventually(lambda: house.api.post(f"/v1/callbacks/{refused}/replay").json()["outcome"] == "accepted")

    assert json.loads(printed) == {"replayed": 1, "set_aside": 0}
    message = eventually(lambda: house.api.get("/v1/messages", params={"q": "late"}).json()["data"])
    assert message[0]["status"] == "failed"
    whole = house.api.get(f"/v1/messages/{message[0]['id']}").json()
    assert len(whole["receipts"]) == 1, "taken in twice it is the same fact"
    assert house.api.get(f"/v1/callbacks/{refused}/diagnosis").json()["cause"] == "accepted_now"


def test_an_accepted_one_is_tracked_again_and_counts_once(house: House) -> None:
    replayed = house.api.post(f"/v1/callbacks/{house.ids['delivered']}/replay").json()
    strange = house.api.post(f"/v1/callbacks/{house.ids['strange']}/replay").json()

    assert replayed["outcome"] == "tracked"
    assert (strange["outcome"], strange["reason"]) == ("set_aside", "callback_not_understood")
    assert house.api.post("/v1/callbacks/99999999/replay").status_code == 404


@contextmanager
def hook() -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """A program of one's own on this machine."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(500 if b"hello" in body else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}/hook", got
    finally:
        server.shutdown()
        server.server_close()


def test_one_is_sent_to_a_program_of_ones_own_byte_for_byte(house: House) -> None:
    whole = house.api.get(f"/v1/callbacks/{house.ids['sent']}").json()
    with hook() as (url, got):
        arrows, _ = house.landed("callbacks", "replay", house.ids["sent"], "--to", url)
        failed, _ = house.landed("callbacks", "replay", house.ids["strange"], "--to", url, returns=1)
        house.landed("callbacks", "replay", house.ids["sent"], "--to", f"{url}?a=1", "--resign")
        house.landed("callbacks", "replay", house.ids["sent"], "--to", "http://10.0.0.1/", returns=2)

    (_, headers, body), _, (path, signed, _) = got
    assert body.decode() == whole["body"]
    for name in ("x-plivo-signature-v2", "x-plivo-signature-ma-v2", "x-plivo-signature-v2-nonce", "content-type"):
        assert headers[name] == whole["headers"][name]
    assert headers["host"] == url.split("/")[2]
    assert arrows.splitlines()[0].startswith(f"→ POST {url}  {house.ids['sent']}")
    assert arrows.splitlines()[1].startswith("← 200 in ")
    assert "← 500 in " in failed
    assert path == "/hook?a=1"
    assert signed.get("x-plivo-signature-ma-v2") != headers["x-plivo-signature-ma-v2"]
    fields = dict(parse_qsl(body.decode()))
    nonce, signature = signed["x-plivo-signature-v3-nonce"], signed["x-plivo-signature-v3"]
    tokens = (TOKEN, LATER_TOKEN)
    assert signatures.is_valid_v3("POST", f"{url}?a=1", nonce, signature, tokens, fields)


def test_a_callback_is_shown_in_a_terminal_without_steering_it(house: House) -> None:
    shown, said = house.landed("callbacks", "show", house.ids["hostile"])

    assert "\x1b" not in shown + said
    assert "tells: message other" in said
    listed, _ = house.landed("callbacks", "list", "--status", "delivered", "--json")
    assert [each["id"] for each in json.loads(listed)["data"]] == [house.ids["delivered"]]


def test_the_inspector_needs_a_terminal(house: House) -> None:
    _, said = house.landed("callbacks", "inspect", returns=2)

    assert "needs a terminal" in said


class Screen:
    """`landed callbacks inspect` in a terminal of 80 x 24, as far as its output tells."""

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        self.process = subprocess.Popen(
            [sys.executable, "-m", "landed", "callbacks", "inspect", *arguments],
            env={**environment, "TERM": "xterm-256color"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        self.output = ""

    def press(self, keys: str, expected: str) -> str:
        """What is written from then on until this is seen."""
        self.output = ""
        os.write(self.master, keys.encode())
        return self.until(expected)

    def until(self, expected: str) -> str:
        deadline = time.monotonic() + 30
        while expected not in self.output:
            assert time.monotonic() < deadline, f"{expected!r} is not in {self.output[-3000:]!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                self.output += os.read(self.master, 65536).decode("utf-8", "replace")
        return self.output

    def resize(self, height: int, width: int) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def end(self) -> int:
        """The exit code, once it is gone; the terminal is as it was."""
        eventually(self._is_gone)
        while select.select([self.master], [], [], 0.1)[0]:
            self.output += os.read(self.master, 65536).decode("utf-8", "replace")
        assert termios.tcgetattr(self._slave) == self.before
        assert "\x1b[?1049l" in self.output
        assert "\x1b[?25h" in self.output
        os.close(self.master)
        os.close(self._slave)
        return self.process.returncode

    def _is_gone(self) -> bool:
        if select.select([self.master], [], [], 0)[0]:
            self.output += os.read(self.master, 65536).decode("utf-8", "replace")
        return self.process.poll() is not None


def test_a_session_at_the_terminal(house: House) -> None:
    screen = Screen(house.server.environment)
    first = screen.until("? keys")
    assert "\x1b[?1049h" in first
    screen.press("G\t\t", "MessageUUID")
    screen.press("/verdict:refused\r", "/verdict:refused")
    screen.press("d", "doctor refused-")
    screen.press("\x1b", " fields ")
    screen.press("?", "next refused one")
    screen.press("q", " fields ")
    screen.press("\x1b", " callbacks  ")
    screen.press(" ", "1 marked")
    screen.press(" c", "differences")
    screen.press("q", " fields ")
    screen.resize(40, 120)
    screen.until("? keys")
    with hook() as (url, got):
        screen.press(f"GR\x15{url}\r", "← 200")
        assert len(got) == 1
    screen.press("p", "printed on leaving")
    assert HOSTILE not in screen.output
    os.write(screen.master, b"qq")

    assert screen.end() == 0
    assert "curl -X POST" in screen.output.rpartition("\x1b[?1049l")[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_given_back_when_the_program_is_ended(house: House, number: signal.Signals) -> None:
    screen = Screen(house.server.environment, "--follow")
    screen.until("following")
    late = plivo_post(house.url, {"MessageUUID": f"live-{int(number)}", "Status": "sent"}, TOKEN)
    assert send(house.server, late) == 200
    screen.until(f"live-{int(number)}")
    screen.process.send_signal(number)

    assert screen.end() == 0
