"""A Landed of real processes, to be killed: its own data directory and port, and nothing left of it afterwards."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import psutil

from landed.store import embedded

PUBLIC_URL: Final = "https://faults.example.com"
#: What it may take on two slow cores that others use as well.
START_S_MAX: Final = 60.0
STOP_S_MAX: Final = 30.0
CATCH_UP_S_MAX: Final = 60.0
_LOOK_EVERY_S: Final = 0.05
_LOG_BYTES_SHOWN: Final = 8_000

Thing = TypeVar("Thing")


async def until(what: str, condition: Callable[[], Thing | None], limit_s: float) -> Thing:
    """Wait until the condition gives something, and give that."""
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {limit_s:g} s: {what}"
        await asyncio.sleep(_LOOK_EVERY_S)
    return found


class House:
    """The processes of one data directory. Commands run as an operator would run them."""

    def __init__(self, directory: Path, data_directory: Path, variables: dict[str, str]) -> None:
        self.directory = directory
        self.data_directory = data_directory
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = data_directory / "postgres"
        (directory / "tmp").mkdir(mode=0o1777)
        self._log = directory / "landed.log"
        self._environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(directory),
            "TMPDIR": str(directory / "tmp"),
            "LANDED_DATA_DIR": str(data_directory),
            "LANDED_PORT": str(self.port),
            "LANDED_PUBLIC_URL": PUBLIC_URL,
            **variables,
        }
        self._started: list[subprocess.Popen[bytes]] = []

    # --- running it

    def set(self, **variables: str) -> None:
        """LANDED_ variables for what is run from now on."""
        self._environment |= variables

    def start(self, command: str = "serve", *arguments: str) -> subprocess.Popen[bytes]:
        """Start `landed serve`, or another command that goes on."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "landed", command, *arguments],
                env=self._environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def run(self, *command: str) -> Any:
        """What a command prints as JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "landed", *command, "--json"],
            env=self._environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=START_S_MAX,
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def add_account(self, auth_token: str, path: str, *, auth_id: str = "MAFAULTS") -> None:
        token_file = self.directory / "token"
        token_file.write_text(auth_token)
        options = ("--auth-id", auth_id, "--auth-token-file", str(token_file), "--path", path)
        self.run("accounts", "add", "plivo", "main", *options)

    async def until_ready(self) -> None:
        await until("ready to take callbacks", lambda: self.get("/health/ready").status_code == 200, START_S_MAX)

    async def until_tracked(self) -> None:
        """Wait until nothing that was kept is untracked any more."""

        def is_tracked() -> bool:
            figures = self.get("/metrics").text.splitlines()
            return "landed_database_up 1.0" in figures and "landed_tracking_lag_rows 0.0" in figures

        await until("all callbacks tracked", is_tracked, CATCH_UP_S_MAX)

    def get(self, path: str, timeout_s: float = 30.0, **headers: str) -> httpx.Response:
        """What is answered there; a 599 of our own where nobody answers."""
        try:
            return httpx.get(self.url + path, headers=headers, timeout=timeout_s)
        except httpx.TransportError:
            return httpx.Response(599)

    @property
    def database_url(self) -> str:
        url = embedded.running_url(self.data_directory)
        assert url is not None, "the embedded PostgreSQL does not run"
        return url

    # --- its processes, None where there is none right now

    def part(self, name: str) -> psutil.Process | None:
        """A web process or a worker of `landed serve`."""
        return next((part for part in self.parts() if name in _command(part)), None)

    def parts(self) -> list[psutil.Process]:
        """What `landed serve` started, whether it is still there itself or not."""
        return [each for each in self.processes() if "--parent" in _command(each)]

    def serve(self) -> psutil.Process | None:
        return next((_alive(process.pid) for process in reversed(self._started) if process.poll() is None), None)

    def keeper(self) -> psutil.Process | None:
        return next((each for each in self.processes() if "landed.store.keeper" in _command(each)), None)

    def postmaster(self) -> psutil.Process | None:
        lines = self._pid_file()
        process = _alive(int(lines[0])) if lines and lines[0].isdecimal() else None
        return process if process and str(self.home / "cluster") in _command(process) else None

    def _pid_file(self) -> list[str]:
        """The server's own: the first line is its process id, the fifth where its socket is."""
        try:
            return (self.home / "cluster" / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def backends(self) -> list[psutil.Process]:
        return _children(self.postmaster())

    def processes(self) -> list[psutil.Process]:
        """Every process that has to do with this data directory."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        ours = str(self.directory)
        try:
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                return False
            if any(word.startswith(ours) for word in process.cmdline()) or process.cwd().startswith(ours):
                return True
            return process.environ().get("LANDED_DATA_DIR", "").startswith(ours)
        except psutil.Error:
            return False

    # --- the end of it

    async def until_gone(self, limit_s: float = STOP_S_MAX) -> None:
        await until("every process gone", lambda: not self.processes(), limit_s)

    def clear(self) -> None:
        """End everything, whatever state it is in, and remove the directory."""
        deadline = time.monotonic() + STOP_S_MAX
        sockets = "".join(self._pid_file()[4:5])
        while (left := self.processes()) and time.monotonic() < deadline:
            for process in left:
                kill(process)
            time.sleep(_LOOK_EVERY_S)
        for started in self._started:
            started.wait(STOP_S_MAX)
        deadline = time.monotonic() + STOP_S_MAX
        while self.directory.exists() and time.monotonic() < deadline:
            shutil.rmtree(self.directory, ignore_errors=True)  # what was interrupted may still clear its own files
        if sockets.startswith("/tmp/landed-"):
            shutil.rmtree(sockets, ignore_errors=True)
        assert not left, f"still there: {left}"
        assert not self.directory.exists(), f"cannot be removed: {self.directory}"

    def log(self) -> str:
        logs = (self._log, self.home / "keeper.log", self.home / "postgres.log")
        return "\n".join(
            f"--- the end of {log.name}\n{log.read_bytes()[-_LOG_BYTES_SHOWN:].decode(errors='replace')}"
            for log in logs
            if log.exists()
        )


@contextmanager
def house(*, is_deep: bool = False, **variables: str) -> Iterator[House]:
    """A data directory with nothing running yet; `variables` are LANDED_ variables besides the usual ones.

    In a deep one the path is too long for a socket, which then lies elsewhere.
    """
    directory = Path(tempfile.mkdtemp(prefix="landed-faults-"))
    directory.chmod(0o755)  # so that root's PostgreSQL, which runs as another user, lives in there too
    data_directory = directory / "deep" / ("x" * 100) if is_deep else directory
    built = House(directory, data_directory, variables)
    try:
        yield built
    except BaseException:
        print(built.log())  # noqa: T201  pytest shows it with the failure
        raise
    finally:
        built.clear()


def kill(process: psutil.Process, number: int = signal.SIGKILL) -> bool:
    """Send a signal, and tell whether there was somebody to get it."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def _alive(pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def _children(process: psutil.Process | None) -> list[psutil.Process]:
    try:
        return [] if process is None else [child for child in process.children() if _alive(child.pid)]
    except psutil.NoSuchProcess:
        return []


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
