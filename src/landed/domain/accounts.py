"""Our credentials at a provider, and who may ask us what."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from landed.domain.words import Word


class TokenRole(Word):
    ACCOUNT = "account"  #: the token of this account or sub-account
    MAIN = "main"  #: the token of the main account above it, which signs the Ma- headers
    BASIC = "basic"  #: `user:password` that its callbacks have to carry as HTTP Basic


class PathRole(Word):
    KEY = "key"  #: the unguessable part of /callbacks/{key}
    OWN = "own"  #: a whole path of the operator's choosing, such as /plivo/status


class Scope(Word):
    """What an API key may do; each includes the one before."""

    READ = "read"
    SEND = "send"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    id: int
    role: TokenRole
    value: str = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackPath:
    id: int
    role: PathRole
    value: str = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account with everything that is live now: several tokens and paths while one is rotated."""

    id: int
    name: str
    provider: str
    provider_account_id: str
    policy: str
    tokens: tuple[Token, ...]
    paths: tuple[CallbackPath, ...]
    created_at: datetime
    disabled_at: datetime | None = None
    #: Networks and host names that its callbacks may come from; none: from anywhere.
    allowed_addresses: tuple[str, ...] = ()


class AccountName(NamedTuple):
    """What other things show of their account."""

    id: int
    name: str
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key without the key itself, of which only a hash is kept."""

    id: int
    name: str
    hint: str
    scope: Scope
    account_id: int | None
    created_at: datetime
    revoked_at: datetime | None = None
