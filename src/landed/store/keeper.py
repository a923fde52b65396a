"""The keeper of an embedded PostgreSQL: starts it, starts it again when it dies, stops it with its last user.

Run as `python -m landed.store.keeper HOME` by embedded.py, detached, so that no user's death takes the server along.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

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


def main(home: Path) -> None:
    lock = (home / "keeper.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another keeper is at it
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _Keeper(home).run()


class _Keeper:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.cluster = home / "cluster"
        self.ready = home / "ready.json"
        self.binaries = embedded.binaries()
        self.sockets = embedded.socket_directory(home)
        self.unused = threading.Event()
        self.user = embedded.SYSTEM_USER if os.geteuid() == 0 else None

    def run(self) -> None:
        if not (self.cluster / "PG_VERSION").exists():
            self._initialise()
        threading.Thread(target=self._wait_until_unused, daemon=True).start()
        failures = 0
        while not self.unused.is_set():
            self._take_over_from_a_dead_keeper()
            server = self._start()
            if self._answers(server):
                failures = 0
                self._announce()
            while server.poll() is None and not self.unused.wait(0.2):
                pass
            self.ready.unlink(missing_ok=True)
            if self.unused.is_set():
                self._stop(server)
                break
            # It died under its users: crash recovery is PostgreSQL's own, we only start it again.
            time.sleep(_RESTART_SECONDS[min(failures, len(_RESTART_SECONDS) - 1)])
            failures += 1
        if self.sockets != self.home:
            self.sockets.rmdir() if not any(self.sockets.iterdir()) else None

    def _wait_until_unused(self) -> None:
        with (self.home / "users.lock").open("a") as users:
            fcntl.flock(users, fcntl.LOCK_EX)  # comes when every user let go, dead or alive
            self.unused.set()
            threading.Event().wait()  # keep the lock until this process ends: who comes now waits for the stop

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it in, so that a half-made one is never used."""
        partial = self.home / "cluster.partial"
        subprocess.run(["rm", "-rf", str(partial)], check=True)  # noqa: S607
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
            status = self._pid_file()[7:8]
            if status == ["ready"] and self._pid_file()[0] == str(server.pid):
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
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)
            server.wait()

    def _take_over_from_a_dead_keeper(self) -> None:
        """A keeper that was killed leaves its server running: stop that one, since it is nobody's child now."""
        lines = self._pid_file()
        if not lines or not lines[0].isdigit():
            return
        pid = int(lines[0])
        if not self._is_our_server(pid):
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + 60
        while self._is_our_server(pid) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _is_our_server(self, pid: int) -> bool:
        command = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S607
        return str(self.cluster).encode() in command.stdout

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
