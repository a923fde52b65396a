"""Captured callbacks: one JSON file for each, with the request byte for byte and what it has to end as.

    {"name": …, "method": "POST", "url": …, "headers": {…}, "body": …, "secrets": {"auth_token": …}, "expect": {…}}

`expect` says in Landed's words what the callback is (`kind`) and what is read from it; docs/adding-a-provider.md lists
the words. Words that are not listed say something to people and are not looked at here.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from landed.domain import money
from landed.domain.callbacks import CallbackRequest
from landed.domain.receipts import AnyReceipt, BroadcastReceipt, Receipt, RegistrationReceipt, SessionReceipt
from landed.domain.statuses import FINAL
from landed.providers.base import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """`auth_token` is the one that the request is signed with; empty where the provider signs nothing."""

    name: str
    request: CallbackRequest
    expect: Mapping[str, Any]
    auth_token: str = ""

    @property
    def is_malformed(self) -> bool:
        """It cannot be read at all."""
        return bool(self.expect["kind"] == "malformed")

    @property
    def is_forged(self) -> bool:
        """It is not the provider's, or was altered on the way."""
        return "must_be_rejected" in self.expect and not self.is_malformed


def read(folder: Path) -> list[Captured]:
    """All captured callbacks in a folder, by name."""
    return [read_file(file) for file in sorted(folder.glob("*.json"))]


def read_file(file: Path) -> Captured:
    content = json.loads(file.read_text())
    return Captured(
        name=content.get("name", file.stem),
        request=CallbackRequest(
            method=content["method"],
            url=content["url"],
            headers={name.lower(): value for name, value in content["headers"].items()},
            body=content["body"].encode(),
        ),
        expect=content["expect"],
        auth_token=content.get("secrets", {}).get("auth_token", ""),
    )


def differences(provider: Provider, callback: Captured) -> dict[str, tuple[Any, Any]]:
    """Where what the provider reads is not as expected: by word, what is expected and what there is."""
    expect, receipts = callback.expect, provider.parse(callback.request)
    kind, readers = _KINDS[expect["kind"]]
    if [type(receipt) for receipt in receipts] != [kind]:
        return {"kind": (kind.__name__, [type(receipt).__name__ for receipt in receipts])}
    (receipt,) = receipts
    readers = readers | _error_readers(provider)
    differing = {
        word: (wanted, found)
        for word, wanted in expect.items()
        if word in readers and _plain(word, wanted) != _plain(word, found := readers[word](receipt))
    }
    kept = _kept(receipt)
    differing |= {word: (expect[word], None) for word in _KEPT & expect.keys() if expect[word] not in kept}
    extra, wanted = dict(receipt.extra), expect.get("extra", {})
    if not wanted.items() <= extra.items():
        differing["extra"] = (wanted, extra)
    return differing


def _plain(word: str, value: Any) -> Any:
    """Comparable: amounts as numbers, and words without the marks that providers put between them."""
    if word == "amount":
        return Decimal(value)
    if word == "occurred_at":
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    if word in ("intent", "event"):
        return str(value).replace("_", "").replace("linking", "link")
    return str(value) if isinstance(value, str) else value


def _cost(receipt: Receipt) -> str | None:
    return None if receipt.cost_nanos is None else money.text(receipt.cost_nanos)


def _texts(receipt: Receipt) -> list[str]:
    return [media.url for media in receipt.content.media] if receipt.content else []


def _mime_type(receipt: Receipt) -> str | None:
    media = receipt.content.media if receipt.content else ()
    return media[0].mime_type if media else None


def _is_final(receipt: Receipt) -> bool:
    """Of a message of several parts one of them says no more than its own end."""
    return receipt.status in FINAL and (receipt.part is None or receipt.part.of == 1)


def _kept(receipt: AnyReceipt) -> set[str | None]:
    """The texts that are kept with a receipt, whatever their place."""
    part = receipt.part.provider_message_id if isinstance(receipt, Receipt) and receipt.part else None
    return {value for _, value in receipt.extra} | {part, *(value for value in receipt if isinstance(value, str))}


def _error_readers(provider: Provider) -> "dict[str, _Reader]":
    """What went wrong: a code is one, and a reason in the provider's words is another."""

    def told(receipt: Any) -> Any:
        about = receipt.attempt if isinstance(receipt, SessionReceipt) else receipt
        return about and about.error_code

    def code(receipt: Any) -> str | None:
        return error if (error := told(receipt)) and provider.is_code(error) else None

    return {
        "error_code": code,
        "provider_reason": lambda receipt: told(receipt) if told(receipt) != code(receipt) else None,
        "error_class": lambda receipt: (error := told(receipt)) and provider.explain(error).fault,
        "retryable": lambda receipt: (error := told(receipt)) and provider.explain(error).retryable,
    }


_Reader = Callable[[Any], Any]

#: Words whose text is only kept, in whatever place.
_KEPT: Final = frozenset({"part_id", "powerpack_uuid", "conversation_id", "conversation_origin", "reason"})

_MESSAGE: Final[dict[str, _Reader]] = {
    "provider_message_id": lambda receipt: receipt.provider_message_id,
    "provider_status": lambda receipt: receipt.provider_status,
    "status": lambda receipt: receipt.status,
    "terminal": _is_final,
    "direction": lambda receipt: receipt.direction,
    "from": lambda receipt: receipt.sender,
    "to": lambda receipt: receipt.recipient,
    "message_type": lambda receipt: receipt.channel,
    "units": lambda receipt: receipt.units,
    "amount": _cost,
    "currency": lambda receipt: receipt.currency,
    "mcc": lambda receipt: receipt.mcc,
    "mnc": lambda receipt: receipt.mnc,
    "sequence": lambda receipt: receipt.sequence,
    "occurred_at": lambda receipt: receipt.final_at or receipt.sent_at or receipt.queued_at or receipt.submitted_at,
    "part": lambda receipt: (receipt.part and receipt.part.number) or 1,
    "parts": lambda receipt: receipt.part.of if receipt.part else 1,
    "part_status": lambda receipt: receipt.status,
}
_INBOUND: Final[dict[str, _Reader]] = {
    **_MESSAGE,
    "text": lambda receipt: receipt.content and receipt.content.text,
    "media": _texts,
    "intent": lambda receipt: receipt.content and receipt.content.intent,
    "content_type": lambda receipt: receipt.content and receipt.content.content_type,
    "mime_type": _mime_type,
}
_SESSION: Final[dict[str, _Reader]] = {
    "session_id": lambda receipt: receipt.provider_session_id,
    "session_status": lambda receipt: receipt.status,
    "to": lambda receipt: receipt.recipient,
}
_ATTEMPT: Final[dict[str, _Reader]] = {
    **_SESSION,
    "attempt_id": lambda receipt: receipt.attempt and receipt.attempt.provider_attempt_id,
    "attempt_sequence": lambda receipt: receipt.attempt and receipt.attempt.sequence,
    "channel": lambda receipt: receipt.attempt and receipt.attempt.channel,
    "provider_status": lambda receipt: receipt.attempt and receipt.attempt.provider_status,
    "status": lambda receipt: receipt.attempt and receipt.attempt.status,
}
_TWO_STEP: Final[dict[str, _Reader]] = {
    **_SESSION,
    "provider_status": lambda receipt: receipt.provider_status,
    "status": lambda receipt: receipt.status,
}
_REGISTRATION: Final[dict[str, _Reader]] = {
    "event": lambda receipt: receipt.registration,
    "provider_status": lambda receipt: receipt.provider_status,
    "status": lambda receipt: receipt.status,
    "brand_id": lambda receipt: receipt.provider_brand_id,
    "campaign_id": lambda receipt: receipt.provider_campaign_id,
    "number": lambda receipt: receipt.number,
}
_BROADCAST: Final[dict[str, _Reader]] = {
    "campaign_id": lambda receipt: receipt.provider_broadcast_id,
    "provider_status": lambda receipt: receipt.provider_status,
    "terminal": lambda receipt: receipt.final,
    "counts": lambda receipt: dict(receipt.counts),
    "total": lambda receipt: receipt.recipients,
}
#: What a captured callback is -> the kind of receipt it holds, and how each word of `expect` is read from it.
_KINDS: Final[Mapping[str, tuple[type[AnyReceipt], dict[str, _Reader]]]] = {
    "message_status": (Receipt, _MESSAGE),
    "inbound_message": (Receipt, _INBOUND),
    "verify_session": (SessionReceipt, _ATTEMPT),
    "two_step": (SessionReceipt, _TWO_STEP),
    "tendlc": (RegistrationReceipt, _REGISTRATION),
    "campaign_status": (BroadcastReceipt, _BROADCAST),
}
