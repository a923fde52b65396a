"""The servers that are measured: ours, an empty handler on our server, and two that write once per request.

All of them check the same V2 signature (the empty one apart) and write to a PostgreSQL of their own, each with the
settings of our embedded one. Each is one process; connection pools are as the libraries set them up.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from benchmarks import harness, ours, requests
from benchmarks.harness import HERE, Missing, Server

_EXPRESS: Final = HERE / "express"
_SECRETS: Final = {"AUTH_TOKEN": requests.AUTH_TOKEN, "PUBLIC_URL": requests.PUBLIC_URL}


@contextmanager
def landed() -> Iterator[Server]:
    """`landed web`: takes callbacks, tracks nothing."""
    with harness.directory() as data_directory, harness.database() as database_url:
        port = harness.free_port()
        environment = ours.environment(data_directory, port, database_url)
        ours.command("db", "upgrade", environment=environment)
        ours.add_account(data_directory, environment)
        with _running(ours.start("web", port, environment)) as server:
            yield server


@contextmanager
def empty() -> Iterator[Server]:
    port = harness.free_port()
    with _running(
        Server([sys.executable, "-m", "benchmarks.empty_handler", str(port)], port, environment={})
    ) as server:
        yield server


@contextmanager
def express() -> Iterator[Server]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("The Express handler needs Node: `apt-get install nodejs npm` (Debian, Ubuntu).")
    if not (_EXPRESS / "node_modules").exists():
        words = [npm, "ci" if (_EXPRESS / "package-lock.json").exists() else "install", "--no-audit", "--no-fund"]
        installed = subprocess.run(words, cwd=_EXPRESS, capture_output=True, text=True, check=False)
        if installed.returncode:
            raise Missing(f"npm could not install Express: {installed.stderr.strip().splitlines()[-1:]}")
    with harness.database() as database_url:
        port = harness.free_port()
        address = urlsplit(database_url)
        environment = {
            **_SECRETS,
            "NODE_ENV": "production",
            "PORT": str(port),
            "PGHOST": parse_qs(address.query)["host"][0],
            "PGUSER": address.username or "",
            "PGDATABASE": address.path.strip("/"),
        }
        with _running(Server([node, "server.js"], port, environment=environment, cwd=_EXPRESS)) as server:
            yield server


@contextmanager
def fastapi() -> Iterator[Server]:
    with harness.database() as database_url:
        port = harness.free_port()
        environment = {**_SECRETS, "DATABASE_URL": database_url.replace("postgresql://", "postgresql+psycopg://")}
        command = [sys.executable, "-m", "uvicorn", "benchmarks.fastapi_orm:app", "--port", str(port)]
        with _running(Server([*command, "--no-access-log"], port, environment=environment)) as server:
            yield server


CONTENDERS: Final[Mapping[str, Callable[[], AbstractContextManager[Server]]]] = {
    "landed": landed,
    "empty handler": empty,
    "Express": express,
    "FastAPI": fastapi,
}


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.stop()


def first_request(file: Path) -> bytes:
    """The first of the prepared requests, to see whether a server is up."""
    with file.open("rb") as opened:
        return opened.read(os.sysconf("SC_PAGESIZE")).partition(b"\0")[0]
