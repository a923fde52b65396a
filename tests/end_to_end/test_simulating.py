"""`landed simulate` as somebody starts it who writes a program against a provider."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import eventually

AUTH_ID, TOKEN = "MAXXXXXXXXXXXXXXXXXX", "a-token"


class Simulating:
    """A running `landed simulate`, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str], output: Path, talk: Path, port: int) -> None:
        self.process = process
        self._output, self._talk = output, talk
        self.base_url = f"http://127.0.0.1:{port}"

    @property
    def lines(self) -> list[str]:
        return self._output.read_text().splitlines()

    @property
    def talk(self) -> str:
        return self._talk.read_text()

    def send(self, to: str, url: str, token: str = TOKEN) -> httpx.Response:
        return httpx.post(
            f"{self.base_url}/v1/Account/{AUTH_ID}/Message/",
            auth=(AUTH_ID, token),
            json={"src": "+14155550110", "dst": to, "text": "Hello", "url": url},
        )


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "landed", "simulate", *arguments]


@contextmanager
def simulating(folder: Path, *arguments: str) -> Iterator[Simulating]:
    port = free_port()
    output, talk = folder / "output.txt", folder / "talk.txt"
    with output.open("w") as out, talk.open("w") as err:
        process = subprocess.Popen(
            command("--port", str(port), *arguments), stdout=out, stderr=err, text=True, stdin=subprocess.DEVNULL
        )
        running = Simulating(process, output, talk, port)
        try:
            eventually(lambda: "Look inside" in running.talk, 30)
            yield running
        finally:
            process.kill()
            process.wait()


def ran(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60, **options)


def test_it_says_what_it_is_and_how_to_use_it(tmp_path: Path) -> None:
    with simulating(tmp_path, "--seed", "7", "--speed", "60", "--scenario", "storm", "--chaos", "none") as sim:
        url = sim.base_url
        health = httpx.get(f"{url}/_sim/health").json()

        assert f"Plivo and Routee at {url}: scenario storm, seed 7, at 60 times the speed" in sim.talk
        assert f"LANDED_PROVIDER_URLS=plivo={url},routee={url}" in sim.talk
        assert f'plivo.rest.client.PLIVO_API_BASE_URI = "{url}/v1/Account"' in sim.talk
        assert (health["seed"], health["scenario"]) == (7, "storm")
        assert httpx.get(f"{url}/_sim/chaos").json()["bursts"] == 0


def test_it_prints_a_line_for_each_request_and_each_callback(tmp_path: Path) -> None:
    with simulating(tmp_path, "--speed", "100") as sim:
        nobody = f"http://127.0.0.1:{free_port()}/hook"
        assert sim.send("+15005550030", nobody).status_code == 202
        httpx.get(f"{sim.base_url}/_sim/messages")

        eventually(lambda: sum("plivo.message." in line for line in sim.lines) >= 3, 20)
        lines = sim.lines

    assert f"← POST /v1/Account/{AUTH_ID}/Message/  202 in " in lines[0]
    assert any(f"→ plivo.message.undelivered  POST {nobody}  " in line for line in lines)
    assert any("(tried again in 1 m)" in line for line in lines)
    assert not any("_sim" in line for line in lines)


def test_lines_can_be_json_or_none_at_all(tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()
    (tmp_path / "quiet").mkdir()
    with simulating(tmp_path / "json", "--json", "--speed", "100") as sim:
        sim.send("+15005550000", f"{sim.base_url}/v1/nowhere")
        eventually(lambda: any('"callback"' in line for line in sim.lines), 20)
        told = [json.loads(line) for line in sim.lines]
    with simulating(tmp_path / "quiet", "--quiet", "--speed", "100") as sim:
        sim.send("+15005550000", f"{sim.base_url}/v1/nowhere")
        eventually(lambda: httpx.get(f"{sim.base_url}/_sim/callbacks").json()["data"], 20)
        said = sim.lines

    assert {each["kind"] for each in told} == {"request", "callback"}
    assert said == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_within_a_second_whatever_hangs(tmp_path: Path, number: int) -> None:
    with simulating(tmp_path) as sim, socket.socket() as never, httpx.Client() as client:
        never.bind(("127.0.0.1", 0))
        never.listen()
        sim.send("+15005550000", f"http://127.0.0.1:{never.getsockname()[1]}/hook")
        with pytest.raises(httpx.ReadTimeout):
            client.post(
                f"{sim.base_url}/v1/Account/{AUTH_ID}/Message/",
                auth=(AUTH_ID, TOKEN),
                json={"src": "+14155550110", "dst": "+15005559408", "text": "Hello"},
                timeout=0.3,
            )
        began = time.monotonic()

        sim.process.send_signal(number)

        assert sim.process.wait(10) == 0
        assert time.monotonic() - began < 3  # a second where nothing else runs
    assert "Traceback" not in sim.talk


def test_only_accounts_that_are_named_are_let_in(tmp_path: Path) -> None:
    with simulating(tmp_path, "--account", f"{AUTH_ID}:{TOKEN}") as sim:
        assert sim.send("+15005550000", "http://127.0.0.1:1/").status_code == 202
        assert sim.send("+15005550000", "http://127.0.0.1:1/", token="guessed").status_code == 401


def test_callbacks_do_not_leave_this_machine_unless_they_may(tmp_path: Path) -> None:
    with simulating(tmp_path, "--speed", "100") as sim:
        sim.send("+15005550000", "http://93.184.216.34/hook")
        eventually(lambda: any("--anywhere" in line for line in sim.lines), 20)


def test_a_port_that_is_taken_is_said_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = ran("--port", str(port))

    assert done.returncode == 2
    assert done.stderr == (
        f"Port {port} of 127.0.0.1 cannot be listened on: Address already in use."
        " Stop what listens there, or give another by --port.\n"
    )


@pytest.mark.parametrize(("arguments", "sentence"), [
    (("--scenario", "rainy"), "There is no scenario 'rainy'"),
    (("--chaos", "lots"), "chaos is 'lots'; give none, some, all"),
    (("--account", "MAX"), "Give an account as ID:TOKEN"),
    (("--host", "198.51.100.7"), "cannot be listened on"),
    (("--speed", "-1"), "is not in the range"),
])  # fmt: skip
def test_what_it_cannot_do_is_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    done = ran(*arguments, env={"COLUMNS": "200", "NO_COLOR": "1"})

    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_it_lists_its_magic_numbers_and_scenarios(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("magic: {'+15551230000': {error_code: 50}}\n")

    magic, scenarios = ran("--magic", "--scenario", str(own)), ran("--scenarios")

    assert "+15005550030  undelivered, error 30" in magic.stdout
    assert "+15551230000  undelivered, error 50" in magic.stdout
    assert json.loads(ran("--magic", "--json").stdout)["+15005559400"] == {"answer": "bad_request"}
    assert "bad-day" in scenarios.stdout
    assert {each["name"] for each in json.loads(ran("--scenarios", "--json").stdout)["data"]} >= {"calm", "storm"}
