"""The files of downloaded media, in a directory of their own, each named by what is in it.

Two messages with the same picture share a file. A file is there whole or not at all. Nobody but us may read them.
"""

import contextlib
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_INCOMING: Final = "incoming"
#: What lies about in there for longer was left behind by a process that died.
_LEFT_BEHIND_S: Final = 24 * 3600.0


class Incoming:
    """A file that is being written."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._digest = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        self._digest.update(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def finish(self) -> str:
        """To the disk; what its content hashes to."""
        os.fsync(self._descriptor)
        return self._digest.hexdigest()


class MediaFiles:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def incoming(self) -> Iterator[tuple[Incoming, Path]]:
        """A new file, which is gone afterwards unless `keep` took it.

        Raises:
            OSError: the directory cannot be written to.
        """
        folder = self._folder(_INCOMING)
        descriptor, name = tempfile.mkstemp(dir=folder)  # 0600
        try:
            yield Incoming(descriptor), Path(name)
        finally:
            os.close(descriptor)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)

    def keep(self, path: Path, sha256: str) -> None:
        """Give a finished file its name. There may be one with this name, and so this content, already."""
        folder = self._folder(sha256[:2])
        path.rename(folder / sha256)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def path(self, sha256: str) -> Path | None:
        """Where the content with this hash is; None: not on this machine."""
        path = self._directory / sha256[:2] / sha256
        return path if _SHA256.fullmatch(sha256) and path.is_file() else None

    def tidy(self) -> None:
        """Remove what processes left behind that died while they wrote."""
        for path in (self._directory / _INCOMING).glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - _LEFT_BEHIND_S:
                    path.unlink()

    def _folder(self, name: str) -> Path:
        folder = self._directory / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory.chmod(0o700)  # `parents` are made with the default mode
        return folder
