"""The terminal as the inspector uses it: raw, its other screen, and given back whatever happens."""

import asyncio
import os
import re
import shutil
import signal
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import StringIO
from typing import Final

from rich.console import Console
from rich.text import Text

#: The other screen, cursor hidden, no line wrap; and all of it undone.
_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
_LEAVE: Final = "\x1b[?7h\x1b[?25h\x1b[0m\x1b[?1049l"
#: An escape alone is the key of that name, once nothing has followed it for so long.
ESCAPE_S: Final = 0.05

_SEQUENCES: Final = {
    "[A": "up", "[B": "down", "[C": "right", "[D": "left", "OA": "up", "OB": "down", "OC": "right", "OD": "left",
    "[H": "home", "[F": "end", "OH": "home", "OF": "end", "[1~": "home", "[4~": "end", "[7~": "home", "[8~": "end",
    "[5~": "pageup", "[6~": "pagedown", "[Z": "shift-tab",
}  # fmt: skip
_CONTROLS: Final = {
    "\r": "enter", "\n": "enter", "\t": "tab", "\x7f": "backspace", "\b": "backspace", "\x03": "ctrl-c",
    "\x04": "ctrl-c", "\x15": "ctrl-u", "\x02": "pageup", "\x06": "pagedown",
}  # fmt: skip
_SEQUENCE: Final = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z~]|O[A-Za-z])")
_UNFINISHED: Final = re.compile(r"\x1b(\[[0-9;?]*|O)?\Z")


def keys(text: str) -> tuple[list[str], str]:
    """Keys in what was typed, and what may be the beginning of one more."""
    found: list[str] = []
    place = 0
    while place < len(text):
        if text[place] == "\x1b":
            if sequence := _SEQUENCE.match(text, place):
                found.append(_SEQUENCES.get(sequence[1], ""))
                place = sequence.end()
                continue
            if _UNFINISHED.match(text, place):
                break
            found.append("esc")
        else:
            found.append(_CONTROLS.get(text[place], text[place]))
        place += 1
    return [key for key in found if key and (len(key) > 1 or key.isprintable())], text[place:]


class Terminal:
    """Raw input and a screen to draw on."""

    def __init__(self, input_fd: int, output_fd: int) -> None:
        self._input, self._output = input_fd, output_fd
        self._rest = ""
        self._flush: asyncio.TimerHandle | None = None
        self._drawn: list[str] = []
        self._size = (0, 0)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in cells."""
        with suppress(OSError):
            found = os.get_terminal_size(self._output)
            if found.columns and found.lines:
                return found.columns, found.lines
        return shutil.get_terminal_size()

    def listen(self, pressed: Callable[[str], None], ended: Callable[[], None]) -> None:
        """Tell of keys, and of the end of input."""
        loop = asyncio.get_running_loop()

        def flush() -> None:
            if self._rest:
                self._rest = ""
                pressed("esc")

        def read() -> None:
            try:
                data = os.read(self._input, 4096)
            except OSError:
                data = b""
            if not data:
                loop.remove_reader(self._input)
                ended()
                return
            if self._flush is not None:
                self._flush.cancel()
            found, self._rest = keys(self._rest + data.decode("utf-8", "replace"))
            for key in found:
                pressed(key)
            if self._rest:
                self._flush = loop.call_later(ESCAPE_S, flush)

        loop.add_reader(self._input, read)

    def draw(self, lines: Sequence[Text]) -> None:
        """Write what has changed since the last time."""
        if self._size != self.size:
            self._size, self._drawn = self.size, []
        width = self._size[0]
        drawn = [_ansi(line, width) for line in lines]
        changed = "".join(
            f"\x1b[{number};1H{line}\x1b[0m\x1b[K"
            for number, line in enumerate(drawn, 1)
            if number > len(self._drawn) or self._drawn[number - 1] != line
        )
        self._drawn = drawn
        self._write(changed)

    def forget(self) -> None:
        """Draw everything anew the next time."""
        self._drawn = []

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(self._output, data) :]


def _ansi(line: Text, width: int) -> str:
    console = Console(
        file=StringIO(),
        force_terminal=True,
        color_system="standard",
        width=width,
        legacy_windows=False,
        highlight=False,
    )
    with console.capture() as capture:
        console.print(line, end="", no_wrap=True, overflow="crop", soft_wrap=True)
    return capture.get()


@contextmanager
def opened() -> Iterator[Terminal]:
    """The terminal of this process, taken over; given back on leaving, on errors and on signals that end a process."""
    input_fd, output_fd = sys.stdin.fileno(), sys.stdout.fileno()
    before = termios.tcgetattr(input_fd)
    raw = termios.tcgetattr(input_fd)
    raw[0] &= ~(termios.ICRNL | termios.IXON)
    raw[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
    sys.stdout.flush()
    try:
        termios.tcsetattr(input_fd, termios.TCSAFLUSH, raw)
        os.write(output_fd, _ENTER.encode())
        yield Terminal(input_fd, output_fd)
    finally:
        with suppress(OSError):
            os.write(output_fd, _LEAVE.encode())
        with suppress(termios.error, OSError):
            termios.tcsetattr(input_fd, termios.TCSAFLUSH, before)


@contextmanager
def signals(*, ended: Callable[[], None], resized: Callable[[], None]) -> Iterator[None]:
    """Tell of signals that want us to end, and of another size."""
    loop = asyncio.get_running_loop()
    wanted = {signal.SIGTERM: ended, signal.SIGHUP: ended, signal.SIGINT: ended, signal.SIGWINCH: resized}
    wanted[signal.SIGCONT] = resized
    for number, tell in wanted.items():
        loop.add_signal_handler(number, tell)
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)
