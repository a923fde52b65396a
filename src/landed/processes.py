"""The process tree of `landed serve`: each part in a process of its own, started again when it dies.

A child learns of its parent's end, however it came, from a pipe whose other end the parent holds. What `landed serve`
loads to get ready, 40 MB, is of no more use once the parts run: `python -m landed.processes` takes its place.
"""

import asyncio
import contextlib
import gc
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NoReturn

RESTART_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
#: One that ran this long is started again after the shortest pause, whatever happened before.
STEADY_S: Final = 30.0
#: Longest a child may take to stop: requests in flight, the batch being written.
STOP_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process: `python -m landed COMMAND…`. `descriptors` are open files it inherits."""

    name: str
    command: Sequence[str]
    descriptors: Sequence[int] = ()


class Processes:
    """Keeps all parts running until told to stop. `died` hears of each that did not."""

    def __init__(self, parts: Sequence[Part], died: Callable[[str, int | None], None]) -> None:
        self._parts = parts
        self._died = died
        self.pids: dict[str, int] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until `stopping`, then stop all of them, gracefully at first."""
        reading, writing = os.pipe()
        try:
            async with asyncio.TaskGroup() as group:
                for part in self._parts:
                    group.create_task(self._keep(part, reading, stopping), name=part.name)
        finally:
            os.close(reading)
            os.close(writing)

    async def _keep(self, part: Part, parent: int, stopping: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while not stopping.is_set():
            started_at = loop.time()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "landed", *part.command, "--parent", str(parent)),
                pass_fds=(parent, *part.descriptors),
                stdin=asyncio.subprocess.DEVNULL,
                process_group=0,  # Ctrl-C on a terminal goes to us alone; we stop them in order
            )
            self.pids[part.name] = process.pid
            ended = asyncio.create_task(process.wait())
            stop = asyncio.create_task(stopping.wait())
            try:
                await asyncio.wait({ended, stop}, return_when=asyncio.FIRST_COMPLETED)
                if stopping.is_set():
                    await _stop(process)
                    return
            except BaseException:
                await _stop(process)
                raise
            finally:
                stop.cancel()
            failures = 1 if loop.time() - started_at > STEADY_S else failures + 1
            self._died(part.name, process.returncode)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RESTART_S[min(failures, len(RESTART_S)) - 1]):
                    await stopping.wait()


def supervise(parts: Sequence[Part], *, log_level: str, shared: Path) -> NoReturn:
    """Become the parent of these processes, and nothing else, until a signal says stop.

    Args:
        shared: a directory to remove in the end.
    """
    for part in parts:
        for descriptor in part.descriptors:
            os.set_inheritable(descriptor, True)
    told = json.dumps({"parts": [asdict(part) for part in parts], "log_level": log_level, "shared": str(shared)})
    os.execv(sys.executable, [sys.executable, "-m", "landed.processes", told])  # noqa: S606  ourselves


def main(told: str) -> None:
    """What `supervise` made of this process."""
    given = json.loads(told)

    def died(name: str, code: int | None) -> None:
        from landed import logs  # 8 MB, for what seldom happens

        logs.configure(given["log_level"], role="serve")
        log_death(name, code)

    async def run() -> None:
        stopping = asyncio.Event()
        stop_on_signals(stopping)
        await Processes([Part(**part) for part in given["parts"]], died).run(stopping)

    try:
        asyncio.run(run())
    finally:
        shutil.rmtree(given["shared"], ignore_errors=True)


def log_death(process: str, code: int | None) -> None:
    import structlog

    structlog.get_logger().warning("process_died", process=process, code=code)


def calm_collector() -> None:
    """For a process that handles large batches: they are trees of plain values without cycles, and Python would walk
    through them over and over, for a fifth of its time, to find nothing."""
    gc.freeze()
    gc.set_threshold(700_000, 50, 100)


def stop_on_signals(stopping: asyncio.Event, parent: int | None = None) -> None:
    """SIGTERM and SIGINT stop this process, and so does the end of its parent, which holds the other end of a pipe."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if parent is not None:

        def orphaned() -> None:
            loop.remove_reader(parent)
            stopping.set()

        loop.add_reader(parent, orphaned)


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


if __name__ == "__main__":
    main(sys.argv[1])
