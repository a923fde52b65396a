"""Mail: where it is handed over, what an address is, and what is sent."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import unquote, urlsplit

from landed.domain.errors import InputInvalid

_PORTS: Final = {"smtp": 587, "smtps": 465}
_ADDRESS_CHARACTERS_MAX: Final = 254  # RFC 5321
#: As HTML has it for its fields: what people use, and nothing that could begin another header.
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)


class MailFailed(Exception):
    """It may not have arrived. Says why without a password in it. `left`: with whom, where others have it."""

    def __init__(self, message: str, *, left: Sequence[str] | None = None) -> None:
        super().__init__(message)
        self.left = left


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed over: `smtp://` turns to TLS where the server offers it, `smtps://` begins with it."""

    host: str
    port: int
    is_tls: bool
    user: str | None
    password: str | None

    @classmethod
    def of(cls, url: str) -> "MailServer":
        """Read smtp://user:password@host:port.

        Raises:
            ValueError: it is none.
        """
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise ValueError
        return cls(
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            is_tls=parts.scheme == "smtps",
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail, the same for all who get it. With the same id it is the same mail: who gets it twice can tell."""

    id: str
    to: Sequence[str]
    subject: str
    text: str
    html: str
    at: datetime


def address(text: str) -> str:
    """A mail address as it is used.

    Raises:
        InputInvalid: it is none.
    """
    text = text.strip()
    if len(text) > _ADDRESS_CHARACTERS_MAX or not _ADDRESS.fullmatch(text):
        raise InputInvalid(f"{text[:60]!r} is no mail address.", field="addresses")
    return text
