"""Landed itself, run through its own commands as a user runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import requests
from benchmarks.harness import Missing, Server

_LANDED: Final = Path(sys.executable).with_name("landed")


def environment(data_directory: Path, port: int, database_url: str | None = None) -> dict[str, str]:
    """The settings of one installation. Without a database's URL it has its embedded one."""
    settings = {
        "LANDED_DATA_DIR": str(data_directory),
        "LANDED_PORT": str(port),
        "LANDED_PUBLIC_URL": requests.PUBLIC_URL,
        "LANDED_LOG_LEVEL": "warning",
    }
    return settings | ({"LANDED_DATABASE_URL": database_url} if database_url else {})


def start(role: str, port: int, environment: Mapping[str, str]) -> Server:
    """`landed web`, `landed worker` or `landed serve`."""
    need(role, environment)
    return start_at_once(role, port, environment)


def start_at_once(role: str, port: int, environment: Mapping[str, str]) -> Server:
    """`start` for whoever measures time and has asked for what it needs before."""
    return Server([str(_LANDED), role], port, environment=environment)


def need(role: str, environment: Mapping[str, str]) -> None:
    """Missing, where this version has no such command."""
    command(role, "--help", environment=environment)


def command(*words: str, environment: Mapping[str, str]) -> str:
    """What a command of ours prints on stdout.

    Raises:
        Missing: it ended with an error, or there is no such command.
    """
    if not _LANDED.exists():
        raise Missing("The command `landed` is not installed beside this Python: `make setup`.")
    done = subprocess.run(
        [_LANDED, *words], env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise Missing(f"`landed {' '.join(words[:2])}` ended with {done.returncode}: {_sentence(done.stderr)}")
    return done.stdout


def add_account(directory: Path, environment: Mapping[str, str]) -> None:
    """The account that all prepared requests are signed for."""
    token_file = directory / "auth-token"
    token_file.write_text(requests.AUTH_TOKEN)
    token_file.chmod(0o600)
    words = ["accounts", "add", "plivo", "bench", "--auth-id", requests.AUTH_ID, "--auth-token-file", str(token_file)]
    command(*words, "--path", requests.PATH, environment=environment)


def api_key(environment: Mapping[str, str]) -> str:
    made: dict[str, Any] = json.loads(
        command("keys", "create", "bench", "--scope", "read", "--json", environment=environment)
    )
    return str(made["key"])


def _sentence(stderr: str) -> str:
    """The last line that says something, without the frame that is drawn around it."""
    lines = [line.strip("│╭╮╰╯─ ") for line in stderr.splitlines()]
    return next((line for line in reversed(lines) if line), "it said nothing")
