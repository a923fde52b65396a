"""What simulated traffic is made of: requests that know what they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from landed.domain.receipts import Channel
from landed.domain.words import Word


class Kind(Word):
    """What a callback is in truth."""

    GENUINE = "genuine"
    DUPLICATE = "duplicate"  #: the same again, mostly with a fresh nonce
    BAD_SIGNATURE = "bad_signature"  #: forged with a signature out of thin air
    WRONG_TOKEN = "wrong_token"  #: forged with the token of another account  # noqa: S105
    TAMPERED = "tampered"  #: captured, then altered: V2, which signs no parameters, still matches, and V3 does not
    UNSIGNED = "unsigned"
    NONCE_REUSED = "nonce_reused"  #: captured, then altered, where there is only V2: it matches, and the nonce was used


#: What must be refused at the door. A reused nonce is let in and found out when it is tracked.
REFUSED: Final = frozenset({Kind.BAD_SIGNATURE, Kind.WRONG_TOKEN, Kind.TAMPERED, Kind.UNSIGNED})
FORGED: Final = REFUSED | {Kind.NONCE_REUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account that is called back. A main account signs everything with one token."""

    callback_url: str
    auth_token: str = field(repr=False)
    main_auth_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a callback says, and whether it may. Numbers are as on the wire, without the plus."""

    kind: Kind
    message_id: str
    status: str
    sequence: int
    country: str
    mcc: str
    mnc: str
    channel: Channel
    sender: str
    error_code: str | None
    units: int
    cost_nanos: int
    part: int | None = None  #: where parts are reported one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One HTTP request that is due at a moment. `url` is the public one, query included."""

    due_at: datetime
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    truth: Truth
