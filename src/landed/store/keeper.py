"""The keeper of an embedded PostgreSQL: starts it, starts it again when it dies, stops it with its last user.

Run as `python -m landed.store.keeper HOME` by embedded.py, detached, so that no user's death takes the server along.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Final

from landed.store import embedded

#: Measured in DESIGN.md: with the defaults a commit waits up to 55 ms (p99) for a new WAL file to be zero-filled.
CONFIGURATION: Final = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "'128MB'",
    "wal_init_zero": "off",
    "wal_recycle": "on",
    "min_wal_size": "'1GB'",
    "max_wal_size": "'4GB'",
    "checkpoint_timeout": "'10min'",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_locks_per_transaction": "128",
    "log_min_messages": "warning",
    "logging_collector": "off",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
}
_RESTART_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_LOCK_SECONDS_MAX: Final = 1.0
#: How long a "fast" stop may take. PostgreSQL 18 never ends where it is told to while it recovers from a crash: it has
#: sent away the very processes that read for it (seen 2026-11). An "immediate" one loses nothing, it recovers again.
_STOP_SECONDS_MAX: Final = 15.0


def main(home: Path) -> None:
    lock = (home / "keeper.lock").open("a")
    if not _take(lock):
        return  # another keeper is at it
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _Keeper(home).run()


def _take(lock: IO[str]) -> bool:
    """Take the lock, unless another keeper has it. Users look at it too, for a moment each: that is no keeper."""
    deadline = time.monotonic() + _LOCK_SECONDS_MAX
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True


class _Keeper:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.cluster = home / "cluster"
        self.ready = home / "ready.json"
        self.binaries = embedded.binaries()
        self.sockets = self._sockets_of_a_dead_keeper() or embedded.socket_directory(home)
        self.user = embedded.SYSTEM_USER if os.geteuid() == 0 else None
        #: Set when it is time to stop, or when the server died: what the main thread waits for.
        self.over = threading.Event()
        self.stopping = False

    def run(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: self._stop_soon())
        if not (self.cluster / "PG_VERSION").exists():
            self._initialise()
        threading.Thread(target=self._wait_until_unused, daemon=True).start()
        failures = 0
        while not self.stopping:
            self._take_over_from_a_dead_keeper()
            server = self._start()
            self.over.clear()
            if self.stopping:
                self.over.set()
            threading.Thread(target=self._wait_for_the_end, args=(server,), daemon=True).start()
            if self._answers(server):
                failures = 0
                self._announce()
            self.over.wait()
            self.ready.unlink(missing_ok=True)
            if self.stopping:
                self._stop(server)
                break
            # It died under its users: crash recovery is PostgreSQL's own, we only start it again.
            time.sleep(_RESTART_SECONDS[min(failures, len(_RESTART_SECONDS) - 1)])
            failures += 1
        if self.sockets != self.home:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def _wait_until_unused(self) -> None:
        with (self.home / "users.lock").open("a") as users:
            fcntl.flock(users, fcntl.LOCK_EX)  # comes when every user let go, dead or alive
            self._stop_soon()
            threading.Event().wait()  # keep the lock until this process ends: who comes now waits for the stop

    def _wait_for_the_end(self, server: subprocess.Popen[bytes]) -> None:
        server.wait()
        self.over.set()

    def _stop_soon(self) -> None:
        self.stopping = True
        self.over.set()

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it in, so that a half-made one is never used."""
        partial = self.home / "cluster.partial"
        shutil.rmtree(partial, ignore_errors=True)
        command = [
            str(self.binaries / "initdb"),
            f"--pgdata={partial}",
            "--username=landed",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
        ]
        subprocess.run(command, check=True, user=self.user, stdout=subprocess.DEVNULL, env=self._environment(), cwd="/")
        with (partial / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in CONFIGURATION.items())
        # `postgres --single` makes our database without a round of starting and stopping the server.
        subprocess.run(
            [str(self.binaries / "postgres"), "--single", "-D", str(partial), "postgres"],
            input=b"CREATE DATABASE landed",
            check=True,
            user=self.user,
            stdout=subprocess.DEVNULL,
            env=self._environment(),
            cwd="/",
        )
        partial.rename(self.cluster)

    def _start(self) -> subprocess.Popen[bytes]:
        with (self.home / "postgres.log").open("ab") as log:
            return subprocess.Popen(
                [str(self.binaries / "postgres"), "-D", str(self.cluster), "-k", str(self.sockets)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user,
                env=self._environment(),
                cwd="/",
            )

    def _answers(self, server: subprocess.Popen[bytes]) -> bool:
        """Wait until it takes connections: its own pid file says so, without a connection being made."""
        while server.poll() is None:
            lines = self._pid_file()
            if lines[7:8] == ["ready"] and lines[0] == str(server.pid):
                return True
            time.sleep(0.01)
        return False

    def _announce(self) -> None:
        partial = self.ready.with_suffix(".partial")
        partial.write_text(json.dumps({"database_url": embedded.url(self.sockets)}))
        partial.chmod(0o600)
        partial.rename(self.ready)

    def _stop(self, server: subprocess.Popen[bytes]) -> None:
        server.send_signal(signal.SIGINT)  # "fast": connections are closed, everything is written
        try:
            server.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)
            server.wait()

    def _take_over_from_a_dead_keeper(self) -> None:
        """A keeper that was killed leaves its server running: stop that one, since it is nobody's child now."""
        lines = self._pid_file()
        if not lines or not lines[0].isdigit():
            return
        pid = int(lines[0])
        for number in (signal.SIGINT, signal.SIGQUIT):  # as _stop does
            deadline = time.monotonic() + _STOP_SECONDS_MAX
            if self._is_our_server(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            while self._is_our_server(pid) and time.monotonic() < deadline:
                time.sleep(0.02)

    def _sockets_of_a_dead_keeper(self) -> Path | None:
        """Where the server that was left behind has, or had, its socket: its users go on calling there."""
        lines = self._pid_file()
        sockets = Path(lines[4]) if len(lines) > 4 and lines[4] else None
        if sockets is None or sockets.is_symlink() or not sockets.is_dir():
            return None
        status = sockets.stat()
        owner = embedded.system_user().pw_uid if os.geteuid() == 0 else os.geteuid()
        return sockets if status.st_uid == owner and status.st_mode & 0o077 == 0 else None

    def _is_our_server(self, pid: int) -> bool:
        import psutil  # seldom needed, and 4 MB

        try:
            return str(self.cluster) in psutil.Process(pid).cmdline()
        except psutil.Error:
            return False

    def _pid_file(self) -> list[str]:
        try:
            return [line.strip() for line in (self.cluster / "postmaster.pid").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def _environment(self) -> dict[str, str]:
        """A server of ours must not take its locale or addresses from whoever happened to start it."""
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
