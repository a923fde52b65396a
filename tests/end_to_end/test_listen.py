"""`landed listen` as a developer runs it: beside a real Landed, with a program that comes and goes."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from plivo import utils as plivo_v2

from tests.calling import PUBLIC_URL, Call, plivo_get, plivo_post, send
from tests.databases import Databases
from tests.receivers import Receiver, receiving
from tests.serving import Served, eventually, landed, served

TOKEN = "a-token"


class House:
    """A running Landed with one account, and whoever listens to it."""

    def __init__(self, server: Served, directory: Path) -> None:
        self.server = server
        self.directory = directory
        token = directory / "token"
        token.write_text(TOKEN)
        added = server.landed("accounts", "add", "plivo", "shop", "--auth-id", "MA1", "--auth-token-file", str(token))
        self.url: str = added["callback_url"]
        self.key: str = server.landed("keys", "create", "laptop", "--scope", "read")["key"]

    def call(self, *message_ids: str, status: str = "delivered", query: str = "") -> None:
        for message_id in message_ids:
            call = plivo_post(self.url + query, {"MessageUUID": message_id, "Status": status}, TOKEN)
            assert send(self.server, call) == 200

    @contextmanager
    def listening(self, *arguments: str, remote: bool = True) -> Iterator["Listener"]:
        where = ["--server", self.server.base_url] if remote else []
        process = subprocess.Popen(
            [sys.executable, "-m", "landed", "listen", *where, *arguments],
            env=self.server.environment
            | {"XDG_STATE_HOME": str(self.directory), "LANDED_API_KEY": self.key, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=(self.directory / "said").open("w"),
            text=True,
        )
        listener = Listener(process, self.directory / "said")
        try:
            eventually(lambda: "Listening to" in listener.said or process.poll() is not None)
            yield listener
        finally:
            process.kill()
            process.communicate()


class Listener:
    def __init__(self, process: subprocess.Popen[str], said: Path) -> None:
        self.process = process
        self._said = said

    @property
    def said(self) -> str:
        return self._said.read_text()

    def end(self) -> str:
        """As Ctrl-C does; all that it printed."""
        self.process.send_signal(signal.SIGINT)
        printed, _ = self.process.communicate(timeout=20)
        assert self.process.returncode == 0, self.said
        return printed


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[House]:
    with databases.fresh() as database, served(LANDED_DATABASE_URL=database, LANDED_SECRET_KEY="0" * 64) as server:
        yield House(server, tmp_path_factory.mktemp("listen"))


@pytest.fixture
def program() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def ids(program: Receiver) -> list[str]:
    return [took.fields["MessageUUID"] for took in program.took]


@pytest.mark.parametrize("remote", [True, False], ids=["over HTTP", "from the database"])
def test_what_comes_is_forwarded_and_what_was_missed_comes_first(house: House, program: Receiver, remote: bool) -> None:
    options = ("--forward-to", program.url, "--name", f"missed-{remote}".lower())
    house.call("before")
    with house.listening(*options, remote=remote) as listener:
        house.call("m-1", "m-2")
        eventually(lambda: len(program.took) == 2)
        printed = listener.end()
    house.call("missed-1", "missed-2")
    with house.listening(*options, remote=remote) as listener:
        eventually(lambda: len(program.took) == 4)
        house.call("m-3")
        eventually(lambda: len(program.took) == 5)
        listener.end()
        assert "What came since the last one ended comes first" in listener.said

    assert ids(program) == ["m-1", "m-2", "missed-1", "missed-2", "m-3"]
    assert printed.count(f"→ POST {program.url}  shop messages delivered\n← 200 in ") == 2


def test_method_headers_body_and_query_go_byte_for_byte(house: House, program: Receiver) -> None:
    with house.listening("--forward-to", f"{program.url}?own=1", "--name", "bytes", "--from-now") as listener:
        call = plivo_get(f"{house.url}?a=%2f+b", "MessageUUID=g-1&Status=sent&New=%7e", TOKEN, families="v2 v3")
        assert send(house.server, call) == 200
        house.call("p-1")
        eventually(lambda: len(program.took) == 2)
        listener.end()

    got, posted = program.took
    assert (got.method, got.target) == ("GET", "/hook?own=1&a=%2f+b&MessageUUID=g-1&Status=sent&New=%7e")
    assert {name.lower(): value for name, value in call.headers.items()}.items() <= got.headers.items()
    assert got.headers["host"] == f"localhost:{program.port}"
    assert posted.body == b"MessageUUID=p-1&Status=delivered"
    assert is_signed_for(posted.headers, house.url)


def is_signed_for(headers: dict[str, str], url: str) -> bool:
    signature, nonce = headers["x-plivo-signature-v2"], headers["x-plivo-signature-v2-nonce"]
    return bool(plivo_v2.validate_signature(url, nonce, signature, TOKEN))


def test_resigned_it_is_proven_for_the_programs_own_url(house: House, program: Receiver) -> None:
    with house.listening("--forward-to", program.url, "--name", "resign", "--resign", remote=False) as listener:
        house.call("m-1")
        eventually(lambda: program.took)
        listener.end()

    headers = program.took[0].headers
    assert is_signed_for(headers, program.url)
    assert headers["x-plivo-signature-v2"] == headers["x-plivo-signature-ma-v2"]


def test_a_program_that_is_down_is_waited_for_and_the_order_stays(house: House) -> None:
    with receiving() as first:
        port = first.port
    with house.listening("--forward-to", first.url, "--name", "down") as listener:
        house.call("m-1", "m-2", "m-3")
        eventually(lambda: "Waiting for your program" in listener.said)
        with receiving(port) as program:
            eventually(lambda: len(program.took) == 3)
            printed = listener.end()

    assert ids(program) == ["m-1", "m-2", "m-3"]
    assert printed.count("✗ Nothing listens") == 1


def test_ended_while_it_waits_nothing_is_lost(house: House) -> None:
    with receiving() as first:
        port = first.port
    options = ("--forward-to", first.url, "--name", "ended")
    with house.listening(*options) as listener:
        house.call("m-1")
        eventually(lambda: "Waiting for your program" in listener.said)
        listener.end()
    with receiving(port) as program, house.listening(*options) as listener:
        eventually(lambda: program.took)
        listener.end()

    assert ids(program) == ["m-1"]


def test_any_answer_ends_a_callbacks_turn(house: House, program: Receiver) -> None:
    program.status = 500
    with house.listening("--forward-to", program.url, "--name", "answers") as listener:
        house.call("m-1", "m-2")
        eventually(lambda: len(program.took) == 2)
        assert "← 500" in listener.end()


def test_filters_choose_and_json_is_a_line_for_each(house: House) -> None:
    options = ("--print", "json", "--name", "filters", "--status", "undelivered", "--kind", "messages")
    with house.listening(*options, "--account", "shop") as listener:
        house.call("m-1")
        house.call("m-2", status="undelivered")
        assert listener.process.stdout is not None
        line = listener.process.stdout.readline()
        listener.end()

    assert json.loads(line)["told"][0]["provider_id"] == "m-2"
    assert json.loads(line)["answer"] is None
    assert PUBLIC_URL in json.loads(line)["url"]
    assert house.url not in line, "a key that may only read is not shown the account's key"


def test_refused_ones_are_forwarded_when_asked_for(house: House, program: Receiver) -> None:
    with house.listening("--forward-to", program.url, "--name", "refused", "--verdict", "refused") as listener:
        assert send(house.server, plivo_post(house.url, {"MessageUUID": "forged", "Status": "sent"}, "wrong")) == 403
        house.call("genuine")
        eventually(lambda: program.took)
        assert "refused: signature_mismatch" in listener.end()

    assert ids(program) == ["forged"]


def test_since_begins_there_and_from_now_leaves_out(house: House, program: Receiver) -> None:
    house.call("since-1")
    with house.listening(
        "--forward-to", program.url, "--name", "since", "--since", "1h", "--account", "shop"
    ) as listener:
        eventually(lambda: "since-1" in ids(program))
        listener.end()
    house.call("left-out")
    with house.listening("--forward-to", program.url, "--name", "since", "--from-now") as listener:
        house.call("since-2")
        eventually(lambda: "since-2" in ids(program))
        listener.end()

    assert "left-out" not in ids(program)


def test_two_that_listen_at_once_need_two_names(house: House, program: Receiver) -> None:
    with house.listening("--forward-to", program.url, "--name", "one"):
        with house.listening("--forward-to", program.url, "--name", "one") as second:
            assert second.process.wait(20) == 1
            assert "--name" in second.said
        with house.listening("--forward-to", program.url, "--name", "other") as third:
            third.end()


def test_trigger_takes_url_and_tokens_of_an_account_and_landed_takes_the_callback(house: House) -> None:
    of_account = ("trigger", "plivo.message.delivered", "--account", "shop", "--print", "json")

    printed = landed(house.server.environment, *of_account, "--our-id", "0196f2c6-0000-7000-8000-000000000000")

    (made,) = json.loads(printed)["data"]
    assert made["url"] == f"{house.url}/messages/0196f2c6-0000-7000-8000-000000000000"
    call = Call(method="POST", url=made["url"], headers=made["headers"], body=made["body"].encode())
    assert send(house.server, call) == 200


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--forward-to", "http://192.0.2.1/hook"], 2, "--allow-remote"),
        (["--forward-to", "localhost:3000"], 2, "http://localhost:3000/hook"),
        ([], 2, "--forward-to"),
        (["--print", "json", "--resign"], 2, "leave --server out"),
        (["--print", "json", "--since", "1h", "--from-now"], 2, "Choose one"),
        (["--print", "json", "--key", "landed_nobodys"], 1, "not known"),
        (["--print", "json", "--key", "landed_schlüssel"], 2, "This is no API key"),
        (["--print", "json", "--account", "nobody"], 2, "no account 'nobody'"),
    ],
)
def test_mistakes_are_explained(house: House, arguments: list[str], code: int, said: str) -> None:
    with house.listening(*arguments, "--name", "mistaken") as listener:
        assert listener.process.wait(20) == code
        assert said in listener.said
