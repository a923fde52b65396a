"""docs/testing-your-webhook.md does what it says: its own commands, run against its own program."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.serving import eventually

PAGE: Final = (Path(__file__).parents[2] / "docs" / "testing-your-webhook.md").read_text(encoding="utf-8")
PROGRAM: Final = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
COMMANDS: Final = re.findall(r"^\.venv/bin/landed (trigger .+)$", PAGE, re.MULTILINE)


class Receiver:
    """The page's program on a port of its own."""

    def __init__(self, process: "subprocess.Popen[str]", port: int, printed: Path) -> None:
        self.process = process
        self.port = port
        self._printed = printed

    @property
    def lines(self) -> list[str]:
        return self._printed.read_text().splitlines()

    def follow(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of the page."""
        mine = command.replace(":3000", f":{self.port}")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LANDED_")}
        return subprocess.run(
            f"{sys.executable} -m landed {mine}",
            shell=True,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "receiver.py").write_text(PROGRAM.replace("3000", str(port)))
    printed = tmp_path / "printed"
    with (
        printed.open("w") as out,
        subprocess.Popen(
            [sys.executable, str(tmp_path / "receiver.py")], stdout=out, stderr=subprocess.DEVNULL, text=True
        ) as process,
    ):
        eventually(lambda: listens(port))
        yield Receiver(process, port, printed)
        process.kill()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_with_the_one_command_a_signed_undelivered_callback_arrives(receiver: Receiver) -> None:
    ran = receiver.follow(COMMANDS[0])

    assert COMMANDS[0].startswith("trigger plivo.message.undelivered ")
    assert ran.returncode == 0, ran.stderr
    assert "← 200 in" in ran.stdout
    assert re.fullmatch(r"\['[0-9a-f-]{36}'\] \['undelivered'\] \['80'\] True", receiver.lines[0])


def test_the_pages_other_commands_work_too(receiver: Receiver) -> None:
    for command in COMMANDS[1:]:
        ran = receiver.follow(command)
        assert ran.returncode == 0, ran.stderr

    statuses = [re.sub(r"\W", "", line.split()[1]) for line in receiver.lines]
    assert statuses == ["queued", "sent", "delivered", "sent", "queued", "undelivered", "delivered"]
    assert all(line.endswith("True") for line in receiver.lines)
    assert ran.stdout.startswith("curl -X POST")


def test_the_pages_program_refuses_what_is_signed_wrongly(receiver: Receiver) -> None:
    ran = receiver.follow(f"{COMMANDS[0]} --bad-signature")

    assert ran.returncode == 1
    assert "← 403 in" in ran.stdout
    assert receiver.lines[0].endswith("False")
