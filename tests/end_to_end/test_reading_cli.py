"""`landed messages`, `landed callbacks` and `landed report`: what they print, for people and for programs."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner, Result

from landed.cli import callbacks, messages
from landed.cli.report import report
from landed.domain.errors import InputInvalid, NotFound
from landed.journal.base import Accepted
from landed.journal.postgres import PostgresJournal

NOW = datetime.now(UTC)

app = typer.Typer()
app.add_typer(messages.app, name="messages")
app.add_typer(callbacks.app, name="callbacks")
app.command("report")(report)


@pytest.fixture(autouse=True)
def settings(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with an account, whose journal holds callbacks that nobody has tracked yet."""
    monkeypatch.setenv("LANDED_DATABASE_URL", database_url)
    monkeypatch.setenv("LANDED_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO accounts (name, provider, provider_account_id, policy) VALUES ('shop', 'plivo', 'MA', 'x')"
        )
    asyncio.run(_append(database_url))
    return database_url


async def _append(database_url: str) -> None:
    journal = PostgresJournal(database_url, lanes=1)
    await journal.open()
    try:
        await journal.append([_told(f"m{n}", "delivered", n) for n in range(8)])
        await journal.append([_told("f", "failed", 1, ErrorCode="30")])
        await journal.append([_accepted(b"junk\x1b[2J")])
    finally:
        await journal.close()


def _told(message_id: str, status: str, after_s: int, **fields: str) -> Accepted:
    at = NOW - timedelta(hours=1)
    body = {
        "MessageUUID": message_id, "Status": status, "From": "14155550100", "To": "14155550123", "MCC": "310",
        "MNC": "260", "TotalAmount": "0.0055", "MessageTime": f"{at:%Y-%m-%d %H:%M:%S.%f}",
        "DeliveryReportTime": f"{at + timedelta(seconds=after_s):%Y-%m-%d %H:%M:%S.%f}", **fields,
    }  # fmt: skip
    return _accepted(urlencode(body).encode())


def _accepted(body: bytes) -> Accepted:
    url, headers = "https://x.test/callbacks/secret", b"content-type: application/x-www-form-urlencoded\n"
    return Accepted(NOW, 1, "POST", url, None, None, headers, body, "x-plivo-signature-v3")


def landed(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def replayed() -> None:
    assert landed("callbacks", "replay", "--since", "1d", "--until", "2100-01-01").exit_code == 0


def test_replay_tracks_what_was_received_in_a_time_and_counts_it_once() -> None:
    for _ in range(2):
        result = landed("callbacks", "replay", "--since", "1d", "--until", "2100-01-01", "--json")
        assert json.loads(result.stdout) == {"replayed": 10, "set_aside": 1}
        assert json.loads(landed("report", "--json").stdout)["totals"]["messages"] == 9


def test_replay_takes_out_what_is_understood_now(settings: str) -> None:
    replayed()
    assert json.loads(landed("callbacks", "replay", "--set-aside", "--json").stdout) == {"replayed": 1, "set_aside": 1}
    with psycopg.connect(settings) as connection:
        connection.execute("UPDATE callbacks SET body = 'MessageUUID=late&Status=sent' WHERE body LIKE 'junk%'")
    assert json.loads(landed("callbacks", "replay", "--set-aside", "--json").stdout) == {"replayed": 1, "set_aside": 0}
    assert json.loads(landed("callbacks", "list", "--verdict", "set_aside", "--json").stdout)["data"] == []


def test_replay_by_id_says_when_one_is_not_kept() -> None:
    (first, *_) = json.loads(landed("callbacks", "list", "--json").stdout)["data"]
    assert json.loads(landed("callbacks", "replay", first["id"], "--json").stdout)["replayed"] == 1
    with pytest.raises(InputInvalid, match="not kept"):
        landed("callbacks", "replay", "999999")


@pytest.mark.parametrize("arguments", [[], ["1", "--set-aside"], ["--set-aside", "--since", "1d"], ["refused-1-1-1"]])
def test_replay_wants_to_be_told_which_in_one_way(arguments: list[str]) -> None:
    with pytest.raises(InputInvalid):
        landed("callbacks", "replay", *arguments)


def test_messages_are_listed_for_people_and_for_programs() -> None:
    replayed()
    listed = landed("messages", "list", "--limit", "3", "--status", "delivered")
    assert len(listed.stdout.splitlines()) == 4
    assert "T-Mobile" in listed.stdout
    assert "--cursor" in listed.stderr
    (_, failed) = landed("messages", "list", "--error-code", "30").stdout.splitlines()
    assert " 30 " in failed
    assert "spam" not in failed, "the title is for terminals"
    page = json.loads(landed("messages", "list", "--error-code", "30", "--json").stdout)
    assert [each["from"] for each in page["data"]] == ["+14155550100"]
    assert page["next_cursor"] is None


def test_one_message_shows_what_became_of_it_step_by_step() -> None:
    replayed()
    shown = landed("messages", "show", "m4").stdout
    assert shown.startswith("DELIVERED")
    assert "+14155550100 → +14155550123" in shown
    assert "US, T-Mobile (310-260)" in shown
    assert shown.index("● queued") < shown.index("● delivered")
    assert "+4.0 s" in shown
    assert json.loads(landed("messages", "show", "m4", "--json").stdout)["provider_message_id"] == "m4"
    with pytest.raises(NotFound):
        landed("messages", "show", "nothing")


def test_callbacks_are_shown_without_what_could_steer_a_terminal_and_without_the_key() -> None:
    listed = json.loads(landed("callbacks", "list", "--json").stdout)["data"]
    shown = [landed("callbacks", "show", each["id"]).stdout for each in listed]
    assert sum("junk�[2J" in each for each in shown) == 1
    assert all("/callbacks/********" in each for each in shown)
    assert "waiting" in landed("callbacks", "list").stdout


def test_the_report_says_how_it_goes_and_what_to_do() -> None:
    replayed()
    page = landed("report", "--since", "7d").stdout
    assert "88.9 %" in page
    assert "US United States" in page
    assert "US T-Mobile" in page
    assert "Held back as spam" in page
    assert "Reword the text" in page
    told = json.loads(landed("report", "--country", "US", "--json").stdout)
    assert told["errors"][0]["error_code"] == "30"
    assert told["errors"][0]["share"] == pytest.approx(1 / 9)
    assert told["by_country"][0]["country"] == "US"


def test_a_report_of_nothing_says_so() -> None:
    assert "No messages" in landed("report").stdout


def test_a_report_by_groups_and_buckets_is_rows_for_people_programs_and_files() -> None:
    replayed()
    asked = ("report", "--since", "2h", "--group-by", "country,error_code", "--compare")
    head, delivered, failed = landed(*asked).stdout.splitlines()
    assert head.split()[:3] == ["country", "error_code", "messages"]
    assert delivered.split()[:3] == ["US", "-", "8"]
    assert failed.split()[:3] == ["US", "30", "1"]
    told = json.loads(landed(*asked, "--json").stdout)
    assert [(row["messages"], row["change"]["messages"]["absolute"]) for row in told["data"]] == [(8, 8.0), (1, 1.0)]
    lines = landed(*asked, "--format", "csv").stdout.splitlines()
    assert [line.split(",")[:2] for line in lines] == [["country", "error_code"], ["US", ""], ["US", "30"]]
    with pytest.raises(InputInvalid, match="planet"):
        landed("report", "--group-by", "planet")


def test_messages_are_exported_to_a_file_that_is_whole_or_not_there(tmp_path: Path) -> None:
    replayed()
    failed = landed("messages", "export", "--status", "failed").stdout.splitlines()
    assert len(failed) == 2
    path = tmp_path / "messages.parquet"
    written = landed("messages", "export", "--format", "parquet", "--output", str(path))
    assert (written.stdout, str(path) in written.stderr) == ("", True)
    assert pq.read_table(path).num_rows == 9
    with pytest.raises(InputInvalid, match="nobody"):
        landed("messages", "export", "--account", "nobody", "--output", str(tmp_path / "none.csv"))
    with pytest.raises(InputInvalid, match="cannot be written"):
        landed("messages", "export", "--output", str(tmp_path / "no" / "folder.csv"))
    assert [each.name for each in tmp_path.glob("*.*") if each.suffix in (".csv", ".part", ".parquet")] == [path.name]
