"""How far `landed listen` has come, kept in a file for each server and name."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from landed.domain.errors import Conflict, InputInvalid


@dataclass(frozen=True, slots=True)
class Kept:
    place: str
    at: datetime  #: when it was kept


class ListenState:
    """The file of one server and name, which nobody else uses meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Kept | None:
        """None where there is none, or nothing that we wrote."""
        try:
            content = json.loads(self._path.read_text())
            return Kept(str(content["place"]), datetime.fromisoformat(content["at"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, place: str) -> None:
        """Put the place in the file; whoever reads sees the old one or the new one whole.

        Raises:
            InputInvalid: the file cannot be written.
        """
        content = {"place": place, "at": datetime.now(UTC).isoformat()}
        new = self._path.with_suffix(".new")
        try:
            new.write_text(json.dumps(content))
            new.replace(self._path)
        except OSError as error:
            raise _unwritable(self._path, error) from error


@contextmanager
def opened(server: str, name: str) -> Iterator[ListenState]:
    """The state of that server and name.

    Raises:
        Conflict: another command has it.
        InputInvalid: the directory cannot be written to.
    """
    folder = directory()
    stem = f"{name}-{hashlib.sha256(server.encode()).hexdigest()[:12]}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / f"{stem}.lock").open("w")
    except OSError as error:
        raise _unwritable(folder, error) from error
    with lock:
        _hold(lock, name)
        yield ListenState(folder / f"{stem}.json")


def directory() -> Path:
    """Where states are kept, by the XDG base directory specification."""
    home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".local" / "state") / "landed" / "listen"


def _unwritable(path: Path, error: OSError) -> InputInvalid:
    return InputInvalid(f"{path} cannot be written: {error.strerror}. XDG_STATE_HOME may name another directory.")


def _hold(lock: TextIO, name: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Conflict(
            f"Another `landed listen` with the name {name!r} runs for this server. Give this one a name of its own:"
            " --name."
        ) from error
