"""How commands write files."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Thread

import pytest

from landed.cli.exporting import FileFormat, write
from landed.domain.errors import InputInvalid

pytestmark = pytest.mark.anyio


async def pieces() -> AsyncIterator[bytes]:
    yield b"one,"
    yield b"two"


async def broken() -> AsyncIterator[bytes]:
    yield b"one,"
    raise InputInvalid("no more")


async def test_a_file_is_there_when_it_is_whole_and_else_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    await write(pieces(), FileFormat.CSV, str(path))
    assert path.read_bytes() == b"one,two"

    with pytest.raises(InputInvalid, match="no more"):
        await write(broken(), FileFormat.CSV, str(path))

    assert path.read_bytes() == b"one,two"
    assert os.listdir(tmp_path) == [path.name]


async def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = Thread(target=lambda: read.append(path.read_bytes()), daemon=True)
    reader.start()

    await write(pieces(), FileFormat.CSV, str(path))

    assert path.is_fifo()
    reader.join(10)
    assert read == [b"one,two"]


async def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere" / "rows.csv"):
        with pytest.raises(InputInvalid, match="cannot be written"):
            await write(pieces(), FileFormat.CSV, str(path))
