"""People who look at the pages: who they are, what they may do, and what their passwords have to be."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from landed.domain.errors import InputInvalid
from landed.domain.words import Word

PASSWORD_CHARACTERS_MIN: Final = 12
#: Beyond it nobody types; hashing what a stranger sends must stay cheap.
PASSWORD_CHARACTERS_MAX: Final = 256
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,62}")
#: A password needs at least so many different characters: `aaaaaaaaaaaa` is long, too.
_DIFFERENT_MIN: Final = 5


class Role(Word):
    """What a person may do; each includes the one before."""

    VIEWER = "viewer"  #: reads; phone numbers are masked, texts hidden
    OPERATOR = "operator"  #: sees numbers and texts, and does what the pages offer to do
    ADMIN = "admin"  #: decides who else may, and reads settings and the audit log

    def includes(self, role: "Role") -> bool:
        return _RANK[self] >= _RANK[role]


_RANK: Final = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: int
    name: str
    role: Role
    has_password: bool
    created_at: datetime
    signed_in_at: datetime | None = None
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSession:
    """A browser that somebody is signed in with."""

    id: int
    user: User
    address: str | None
    browser: str
    created_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLink:
    """A page that whoever has the link may read, bound to its filters."""

    id: int
    path: str
    query: str
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long the next try has to wait: some are free, then each failure doubles the delay, up to a limit."""

    free: int
    delay_max: timedelta

    def delay(self, failures: int) -> timedelta:
        """After that many failures in a row."""
        doublings = failures - self.free
        if doublings <= 0:
            return timedelta()
        return min(self.delay_max, timedelta(seconds=2 ** min(doublings, 20)))


def valid_name(name: str) -> str:
    """The name in small letters, without spaces around.

    Raises:
        InputInvalid: it cannot be one.
    """
    name = name.strip().lower()
    if not _NAME.fullmatch(name):
        raise InputInvalid(
            f"{name[:64]!r} cannot be a user's name; give up to 63 letters, digits and . _ @ + -, such as anna.",
            field="name",
        )
    return name


def valid_password(password: str, name: str) -> str:
    """The password of that user.

    Raises:
        InputInvalid: it is too easy to guess, or too long to be one.
    """
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        raise InputInvalid(
            f"A password has {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters.", field="password"
        )
    if name.lower() in password.lower() and len(password) - len(name) < PASSWORD_CHARACTERS_MIN:
        raise InputInvalid("The password must not be made of the user's name.", field="password")
    if len(set(password)) < _DIFFERENT_MIN:
        raise InputInvalid(f"The password needs {_DIFFERENT_MIN} different characters at least.", field="password")
    return password
