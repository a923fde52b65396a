"""Run `landed` as a user does: the real program, in processes of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

READY_S_MAX = 60.0


class Served:
    """A running `landed serve`."""

    def __init__(self, process: subprocess.Popen[bytes], base_url: str, environment: dict[str, str]) -> None:
        self.process = process
        self.base_url = base_url
        self.environment = environment

    def landed(self, *arguments: str) -> Any:
        """Run a command beside it, and read what it prints as JSON."""
        return json.loads(landed(self.environment, *arguments, "--json"))

    def client(self) -> httpx.Client:
        """A client of the API with a key that may read everything."""
        key = self.landed("keys", "create", f"test-{time.monotonic_ns()}", "--scope", "admin")["key"]
        return httpx.Client(base_url=self.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=30)


def landed(environment: dict[str, str], *arguments: str) -> str:
    """Run a command; what it prints. A failure shows what it said."""
    ran = subprocess.run(
        [sys.executable, "-m", "landed", *arguments], env=environment, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, f"landed {' '.join(arguments)}: {ran.stderr}"
    return ran.stdout


@contextmanager
def served(*, public_url: str = "https://hooks.example.com", **variables: str) -> Iterator[Served]:
    """`landed serve` with these LANDED_ variables on a free port, ready; stopped afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(variables.get("LANDED_PORT", free.getsockname()[1]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LANDED_")}
    environment |= {
        "LANDED_PORT": str(port),
        "LANDED_PUBLIC_URL": public_url,
        "LANDED_LOG_LEVEL": "warning",
    } | variables
    process = subprocess.Popen([sys.executable, "-m", "landed", "serve"], env=environment, stdin=subprocess.DEVNULL)
    base_url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: is_ready(base_url), READY_S_MAX)
        yield Served(process, base_url, environment)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def is_ready(base_url: str) -> bool:
    try:
        return httpx.get(f"{base_url}/health/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def eventually(condition: Callable[[], Any], seconds_max: float = 20.0) -> Any:
    """What the condition gives once it is true; an error when it never is."""
    deadline = time.monotonic() + seconds_max
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {seconds_max} s"
        time.sleep(0.02)
    return result


def callback_files(pattern: str) -> list[Path]:
    """Captured callbacks, by file name."""
    folder = Path(__file__).parent / "providers"
    return sorted(folder.glob(pattern))
