"""What is known of a refused callback, and what a provider finds out about it: see providers/base.py, `Diagnoses`."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from landed.domain.accounts import TokenRole
from landed.domain.callbacks import CallbackRequest
from landed.domain.words import Word


class Standing(Word):
    """What a token is to the account that the callback came for."""

    LIVE = "live"
    EXPIRED = "expired"  #: it was the account's
    OTHER = "other"  #: it is another account's


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownToken:
    """A token to try. `label` names it where its value must not be shown: `token 3`."""

    value: str = field(repr=False)
    label: str
    account: str
    standing: Standing = Standing.LIVE
    role: TokenRole = TokenRole.ACCOUNT


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A callback, and all that may explain why its signature does not hold."""

    request: CallbackRequest  #: its URL is the one that signatures are checked against
    account: str
    policy: str
    tokens: Sequence[KnownToken]
    public_url: str = ""  #: as it is set
    other_urls: Sequence[str] = ()  #: that may have been called instead: earlier ones, other paths of the account
    body_bytes: int = 0  #: how many there were; more than there are: only the first ones are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Why a callback was refused.

    `causes` are stable words, the main one first; several where only together they explain it. `sentence` says what
    to change; nothing in it or in `details` is a secret but the account's key in a URL.
    """

    causes: tuple[str, ...]
    sentence: str
    details: tuple[str, ...] = ()
    is_proven: bool = False  #: with this change the signature holds, so that nobody but the provider can have made it
