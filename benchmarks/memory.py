"""Memory of `landed serve`, idle and under all the load that one wrk can give, the database apart.

Resident memory of the process and all its children, added up; pages that processes share count for each. The
processes of PostgreSQL are left out; the keeper that looks after them is ours and counts.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from benchmarks import contenders, harness, ours, requests
from benchmarks.harness import Session
from benchmarks.report import Figure

IDLE_MB_MAX: Final = 300.0
LOADED_MB_MAX: Final = 600.0
_LOOK_EVERY_S: Final = 0.2


def run(session: Session) -> list[Figure]:
    seconds = 5 if session.quick else 20
    harness.need_wrk()
    with harness.directory() as directory, harness.directory() as data_directory:
        file = requests.prepare(directory, quick=session.quick)
        with serving(data_directory) as server:
            server.wait_for(contenders.first_request(file))
            with watched(server.process.pid) as idle:
                threading.Event().wait(3)
            with watched(server.process.pid) as loaded:
                seen = harness.load(server.port, file, seconds=seconds)
    session.say(f"idle {max(idle):.0f} MB; at {seen.rate:,.0f}/s {max(loaded):.0f} MB")
    return [
        Figure(
            name="memory_idle_mb",
            meaning="memory of `landed serve`, idle",
            value=max(idle),
            unit="MB",
            at_most=IDLE_MB_MAX,
        ),
        Figure(
            name="memory_loaded_mb",
            meaning="memory of `landed serve`, under full load",
            value=max(loaded),
            unit="MB",
            at_most=LOADED_MB_MAX,
            details={"rate": seen.rate},
        ),
    ]


@contextmanager
def serving(data_directory: Path) -> Iterator[harness.Server]:
    """`landed serve` with its embedded database and one account."""
    port = harness.free_port()
    environment = ours.environment(data_directory, port)
    ours.add_account(data_directory, environment)
    server = ours.start("serve", port, environment)
    try:
        yield server
    finally:
        server.stop()
        harness.wait_until_stopped(data_directory)


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """Megabytes of a process tree, looked at again and again until the end of the block."""
    megabytes = [tree_mb(pid)]
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_EVERY_S):
            megabytes.append(tree_mb(pid))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield megabytes
    finally:
        over.set()
        watcher.join()


def tree_mb(pid: int) -> float:
    total = 0
    process = psutil.Process(pid)
    for member in [process, *process.children(recursive=True)]:
        try:
            if not member.name().startswith("postgres"):
                total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20
