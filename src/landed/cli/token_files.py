"""Secrets from files: arguments of a command can be seen by others on the machine."""

import sys
from pathlib import Path

from landed.domain.errors import InputInvalid


def read_token(file: str) -> str:
    """What the file holds, or standard input where it is `-`, without the spaces and line ends around it."""
    try:
        return (sys.stdin.read() if file == "-" else Path(file).read_text()).strip()
    except OSError as error:
        raise InputInvalid(f"The file {file!r} cannot be read: {error.strerror}.", field="auth_token") from error
    except UnicodeDecodeError as error:
        raise InputInvalid(f"The file {file!r} is not text.", field="auth_token") from error
