"""Starts servers and databases, loads them with wrk, and takes all of it down again."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console

from landed.store import embedded

HERE: Final = Path(__file__).parent
#: wrk shares the cores with what it measures: one thread of it can fill any of our servers.
WRK_THREADS: Final = 1
START_S_MAX: Final = 60.0
_SCRIPT: Final = HERE / "wrk" / "requests.lua"


class Missing(Exception):
    """Something this measurement needs is not on this machine; says what to install or run."""


class MeasurementFailed(Exception):
    """What was measured did not do its work, so its figure would say nothing."""


@dataclass(slots=True, kw_only=True)
class Session:
    """One run of the benchmarks: how thorough it is, where it talks, and what it had to leave out."""

    quick: bool
    console: Console
    skipped: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        self.console.print(sentence, style="dim", highlight=False)

    def skip(self, sentence: str) -> None:
        self.skipped.append(sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What wrk saw. Latencies are corrected by wrk for requests that a slow answer kept from being sent."""

    requests: int
    rate: float  #: answers per second
    mean_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def directory() -> Iterator[Path]:
    """A directory on disk, gone afterwards. Others may pass through it, since PostgreSQL never runs as root."""
    path = Path(tempfile.mkdtemp(prefix="landed-bench-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def database() -> Iterator[str]:
    """The URL of an embedded PostgreSQL of its own, with the settings that every embedded one has."""
    with directory() as path:
        server = embedded.start(path)
        try:
            yield server.database_url
        finally:
            server.close()
            wait_until_stopped(path)


def wait_until_stopped(data_directory: Path) -> None:
    """The keeper stops an embedded database after its last user; its files are in use until then."""
    deadline = time.monotonic() + START_S_MAX
    while embedded.running_url(data_directory) is not None and time.monotonic() < deadline:
        time.sleep(0.05)


class Server:
    """A process that listens on a port of this machine."""

    def __init__(self, command: Sequence[str], port: int, *, environment: Mapping[str, str], cwd: Path = HERE.parent):
        self.port = port
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the server
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def wait_for(self, request: bytes, seconds_max: float = START_S_MAX) -> None:
        """Until it answers the request with 200."""
        deadline = time.monotonic() + seconds_max
        while time.monotonic() < deadline and self.process.poll() is None:
            if answers_200(self.port, request):
                return
            time.sleep(0.01)
        raise MeasurementFailed(f"{self.process.args!r} does not answer. It said:\n{self.output()}")

    def output(self) -> str:
        self._log.seek(0)
        return self._log.read()[-2000:].decode(errors="replace")

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self._log.close()


def answers_200(port: int, request: bytes) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(request)
            return connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def need_wrk() -> str:
    wrk = shutil.which("wrk")
    if wrk is None:
        raise Missing("Load comes from wrk, which is not installed: `apt-get install wrk` (Debian, Ubuntu).")
    return wrk


def load(port: int, requests: Path, *, seconds: int, connections: int = 128, delay_ms: float = 0) -> Load:
    """Send prepared requests over kept-open connections, and see how the answers come.

    Args:
        requests: as requests.py writes them; begun anew when all are sent.
        delay_ms: mean pause of a connection between an answer and its next request; 0: as fast as it goes.

    Raises:
        MeasurementFailed: not every answer was a 2xx.
    """
    command = [need_wrk(), f"-t{WRK_THREADS}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    environment = {
        **os.environ,
        "BENCH_REQUESTS": str(requests),
        "BENCH_THREADS": str(WRK_THREADS),
        "BENCH_DELAY_MS": str(delay_ms),
    }
    done = subprocess.run(
        [*command, "-s", str(_SCRIPT), f"http://127.0.0.1:{port}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 60,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise MeasurementFailed(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
    seen = json.loads(lines[-1])
    if seen["failed"] or not seen["requests"]:
        raise MeasurementFailed(f"{seen['failed']} of {seen['requests']} requests were not answered with 2xx.")
    return Load(
        requests=seen["requests"],
        rate=seen["requests"] / seen["seconds"],
        mean_ms=seen["mean_ms"],
        p50_ms=seen["p50_ms"],
        p99_ms=seen["p99_ms"],
        max_ms=seen["max_ms"],
    )
