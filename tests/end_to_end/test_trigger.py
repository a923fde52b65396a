"""`landed trigger` as a user runs it: what goes out, what is said of the answer, and how it ends."""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from plivo import utils as plivo_v2
from plivo.utils import signature_v3 as plivo_v3

from landed.cli import main
from landed.simulator.triggering import TEST_TOKEN
from tests.receivers import Receiver, Took, receiving

SENT = "plivo.message.sent"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANDED_AUTH_TOKEN", raising=False)


def trigger(*arguments: str) -> int:
    """The exit code."""
    with pytest.raises(SystemExit) as ended:
        main(["trigger", *arguments])
    return int(ended.value.code or 0)


def is_proven(took: Took, token: str, url: str) -> bool:
    """By both families, as Plivo's SDK sees it."""
    head = took.headers
    return bool(
        plivo_v2.validate_signature(url, head["x-plivo-signature-v2-nonce"], head["x-plivo-signature-v2"], token)
        and plivo_v3.validate_v3_signature(
            took.method, url, head["x-plivo-signature-v3-nonce"], token, head["x-plivo-signature-v3"], took.fields
        )
    )


def test_a_callback_goes_out_and_the_arrows_tell(receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    assert trigger(SENT, "--url", receiver.url, "--to", "+447700900123", "--id", "m-1", "--set", "ErrorCode=30") == 0

    (took,) = receiver.took
    told = capsys.readouterr()
    assert (took.fields["To"], took.fields["MessageUUID"], took.fields["ErrorCode"]) == ("447700900123", "m-1", "30")
    assert is_proven(took, TEST_TOKEN, receiver.url)
    assert told.out.startswith(f"→ POST {receiver.url}  {SENT}\n← 200 in ")
    assert TEST_TOKEN in told.err


def test_by_get_the_fields_follow_the_urls_own_query(receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    assert trigger(SENT, "--url", f"{receiver.url}?tenant=42", "--get", "--id", "m-1") == 0

    (took,) = receiver.took
    assert took.target.startswith("/hook?tenant=42&Status=sent&")
    assert is_proven(took, TEST_TOKEN, f"http://localhost:{receiver.port}{took.target}")
    assert "m-1" not in capsys.readouterr().out, "the arrow shows the URL, not the fields"


def test_a_life_is_of_one_thing_and_may_be_repeated(receiver: Receiver) -> None:
    assert trigger("plivo.message", "--sequence", "queued, delivered", "--repeat", "2", "--url", receiver.url) == 0

    assert [took.fields["Status"] for took in receiver.took] == ["queued", "queued", "delivered", "delivered"]
    assert len({took.fields["MessageUUID"] for took in receiver.took}) == 1
    assert len({took.headers["x-plivo-signature-v2-nonce"] for took in receiver.took}) == 4


def test_tokens_come_from_a_file_or_the_variable(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANDED_AUTH_TOKEN", "of-the-variable")
    (tmp_path / "token").write_text("of-the-file\n")

    assert trigger(SENT, "--url", receiver.url) == 0
    assert trigger(SENT, "--url", receiver.url, "--auth-token-file", str(tmp_path / "token")) == 0

    assert is_proven(receiver.took[0], "of-the-variable", receiver.url)
    assert is_proven(receiver.took[1], "of-the-file", receiver.url)


@pytest.mark.parametrize(
    ("option", "families"),
    [
        ("--v2", {"v2"}),
        ("--v3", {"v3"}),
        ("--both", {"v2", "v3"}),
        ("--unsigned", set()),
        ("--bad-signature", {"v2", "v3"}),
    ],
)
def test_it_signs_as_asked_for(receiver: Receiver, option: str, families: set[str]) -> None:
    assert trigger(SENT, "--url", receiver.url, option) == 0

    (took,) = receiver.took
    assert {name for name in ("v2", "v3") if f"x-plivo-signature-ma-{name}" in took.headers} == families
    if option == "--bad-signature":
        assert not is_proven(took, TEST_TOKEN, receiver.url)


def test_a_refusal_is_a_failure_unless_any_answer_will_do(receiver: Receiver) -> None:
    receiver.status = 403

    assert trigger(SENT, "--url", receiver.url) == 1
    assert trigger(SENT, "--url", receiver.url, "--allow-any") == 0


def test_where_nothing_answers_it_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/hook"

    assert trigger("plivo.message.lifecycle", "--url", url, "--allow-any") == 1
    assert capsys.readouterr().out.count("✗ Nothing listens at 127.0.0.1:") == 1


def test_what_speaks_no_tls_is_named(receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    assert trigger(SENT, "--url", receiver.url.replace("http:", "https:")) == 1
    assert "does not speak TLS: is it http://" in capsys.readouterr().out


def test_printed_as_curl_it_is_the_same_request(receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    assert trigger("plivo.inbound.sms", "--url", receiver.url, "--text", "it's & so", "--print", "curl") == 0
    assert receiver.took == []

    command = capsys.readouterr().out
    subprocess.run(["/bin/sh", "-c", f"{command.strip()} --silent --noproxy '*'"], check=True, timeout=20)

    (took,) = receiver.took
    assert took.fields["Text"] == "it's & so"
    assert is_proven(took, TEST_TOKEN, receiver.url)


def test_printed_as_json_it_is_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert trigger("routee.message.lifecycle", "--url", "https://other.example.com/", "--print", "json") == 0

    data = json.loads(capsys.readouterr().out)["data"]
    assert [each["event"] for each in data] == [
        "routee.message.queued",
        "routee.message.sent",
        "routee.message.delivered",
    ]
    assert json.loads(data[2]["body"])["status"]["name"] == "Delivered"


def test_the_list_names_every_event_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert trigger("--list", "--print", "json") == 0

    listed = {each["event"]: each["sentence"] for each in json.loads(capsys.readouterr().out)["data"]}
    assert {
        "plivo.fraud-alert",
        "plivo.verify.no-answer",
        "routee.campaign",
        "plivo.message.lifecycle",
    } <= listed.keys()
    assert all(listed.values())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name an event"),
        ([SENT], "Say where to"),
        (["plivo.mesage.sent", "--url", "http://x/"], "did you mean plivo.message.sent"),
        ([SENT, "--url", "localhost:3000"], "http://localhost:3000/hook"),
        ([SENT, "--url", "http://x/", "--set", "ErrorCode"], "FIELD=VALUE"),
        ([SENT, "--url", "http://x/", "--unset", "Nothing"], "no field 'Nothing'"),
        ([SENT, "--url", "http://x/", "--v2", "--v3"], "Choose one"),
        ([SENT, "--url", "http://x/", "--our-id", "o-1"], "give --account"),
        (["routee.inbound", "--url", "http://x/", "--v2"], "routee signs nothing"),
        (["routee.inbound", "--url", "http://x/", "--get"], "POST alone"),
        ([SENT, "--url", "http://x/", "--auth-token-file", "/nowhere"], "cannot be read"),
    ],
)
def test_mistakes_are_explained(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert trigger(*arguments) == 2
    assert said in capsys.readouterr().err
