"""What commands write into the audit log: the command and the name it was given, by the system's user who ran it."""

import getpass
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from landed.store.accounts import Pool

#: Last words of commands that only read; any other that opens the store is taken to change something.
_READING: Final = frozenset(
    {"audit", "check", "compare", "doctor", "inspect", "list", "listen", "report", "show", "status", "summary"}
)
_CHANGING: Final = frozenset({"verify check"})
#: Parameters that say what a command was done to, and never hold a phone number or a text.
_NAMES: Final = ("name", "alias", "rule", "target", "alert", "account", "message_id", "session_id", "token_id", "role")


class Running(NamedTuple):
    command: Callable[..., Any]
    options: Mapping[str, Any]


#: The command of this process.
running: ContextVar[Running | None] = ContextVar("running", default=None)


async def record(pool: "Pool", action: str, target: str | None = None) -> None:
    """Keep what this command did, in words of its own: noun and past tense, and to what, without phone numbers and
    texts. It is not kept by its name then."""
    from landed.services.auditing import Auditor

    running.set(None)
    await Auditor(pool).record(actor(), action, target)


async def record_command(pool: "Pool") -> None:
    """Keep that this command ran, if it is one that changes something and did not say itself what it did."""
    now = running.get()
    path = None if now is None else _path(now.command)
    if now is not None and path is not None and _changes(path):
        target = " ".join(str(now.options[name]) for name in _NAMES if now.options.get(name))
        await record(pool, f"cli.{path.replace(' ', '.')}", target or None)


def _changes(path: str) -> bool:
    return path in _CHANGING or path.rpartition(" ")[2] not in _READING


def _path(command: Callable[..., Any]) -> str | None:
    """The words after `landed` by which this command is called."""
    from typer.main import get_command

    from landed.cli import app

    return next((path for path, each in _commands(get_command(app)) if inspect.unwrap(each) is command), None)


def _commands(command: Any, path: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command.callback
        return
    for name, each in inner.items():
        yield from _commands(each, f"{path} {name}".strip())


def actor() -> str:
    """Who runs the command."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name, as containers have them
        return f"cli:{os.getuid()}"
