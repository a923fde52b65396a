"""Durable acks a second of one web process, beside an empty handler on the same server.

python benchmarks/receiving.py serve empty|landed PORT DATABASE_URL     one of the two, until killed
python benchmarks/receiving.py                                          both, measured with wrk, figures as JSON
"""

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import uvloop

from landed.domain.accounts import Account, CallbackPath, PathRole, Token, TokenRole
from landed.journal.postgres import PostgresJournal
from landed.providers import registry
from landed.services.receiving import Committer, Directory, Refusals
from landed.store import embedded, migrate
from landed.store.refusals import Refused
from landed.web.callbacks import Receiver
from landed.web.protocol import make_server

KEY: Final = "benchmark-key-0123456789"
TOKEN: Final = "benchmark-token"
PUBLIC_URL: Final = "https://landed.example.com"
WRK: Final = Path(__file__).parent / "wrk"
CONNECTIONS: Final = 256


async def empty(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Reads the request and answers 200, as little as a handler can do."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


class _Certain:
    async def look_again(self) -> bool:
        return True


async def _forget(_: Sequence[Refused]) -> None: ...


async def _serve(what: str, port: int, database_url: str) -> None:
    if what == "empty":
        await make_server(empty, host="127.0.0.1", port=port).serve()
        return
    directory = Directory(registry.load())
    directory.replace([_account()])
    committer = Committer(PostgresJournal(database_url, lanes=8), waiting_max=10_000, waiting_bytes_max=64 << 20)
    receiver = Receiver(
        directory=directory,
        keeper=_Certain(),
        committer=committer,
        refusals=Refusals(_forget),
        public_url=PUBLIC_URL,
        body_bytes_max=256 * 1024,
        fallback=empty,
    )
    committing = asyncio.create_task(committer.run())
    await make_server(receiver, host="127.0.0.1", port=port).serve()
    committing.cancel()


def _account() -> Account:
    return Account(
        id=1,
        name="benchmark",
        provider="plivo",
        provider_account_id="MABENCHMARK",
        policy="v3-preferred",
        tokens=(Token(id=1, role=TokenRole.ACCOUNT, value=TOKEN),),
        paths=(CallbackPath(id=1, role=PathRole.KEY, value=KEY),),
        created_at=datetime.now(UTC),
    )


def measure() -> dict[str, float]:
    """Warm up, find the most each can do, then the latency at half of ours."""
    with tempfile.TemporaryDirectory() as folder:
        database = embedded.start(Path(folder) / "data")
        migrate.upgrade(database.database_url)
        requests = Path(folder) / "requests"
        url = f"{PUBLIC_URL}/callbacks/{KEY}"
        with requests.open("w") as file:
            subprocess.run([sys.executable, WRK / "prepare.py", url, TOKEN, "400000"], stdout=file, check=True)
        figures: dict[str, float] = {}
        for name, port in (("empty", 18081), ("landed", 18082)):
            with _serving(name, port, database.database_url):
                _wrk(port, requests, 3)
                best = max((_wrk(port, requests, 8) for _ in range(3)), key=lambda result: result[0] / result[1])
                figures[f"{name}_per_s"] = best[0] / best[1]
                figures[f"{name}_p99_ms"] = best[5]
                figures[f"{name}_refused"] = best[2] + best[3]
                if name == "landed":
                    figures["landed_count"] = best[0]
        figures["ratio"] = figures["landed_per_s"] / figures["empty_per_s"]
        database.close()
        return figures


@contextmanager
def _serving(name: str, port: int, database_url: str) -> Iterator[int]:
    server = subprocess.Popen([sys.executable, __file__, "serve", name, str(port), database_url])
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1)
                break
            except OSError:
                time.sleep(0.05)
        yield server.pid
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def _wrk(port: int, requests: Path, seconds: int, connections: int = CONNECTIONS) -> tuple[float, ...]:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", WRK / "signed.lua"]
    command += [f"http://127.0.0.1:{port}/callbacks/{KEY}", "--", requests, "0"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    line = next(line for line in output.splitlines() if line.startswith("result "))
    return tuple(float(figure) for figure in line.split()[1:])


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        uvloop.run(_serve(sys.argv[2], int(sys.argv[3]), sys.argv[4]))
    else:
        print(json.dumps(measure(), indent=2))
