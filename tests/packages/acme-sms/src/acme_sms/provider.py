"""Acme SMS: one signed JSON POST for each step of a message.

    Acme-Signature: at=1772442904, sha256=<hex of HMAC-SHA256(secret, at + "\\n" + URL + "\\n" + body)>

The URL is the whole one, query included; the method is not covered. Acme signs each try of a callback anew.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from landed.domain import money
from landed.domain.accounts import TokenRole
from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import CallbackMalformed, CallbackNotUnderstood, SignatureInvalid
from landed.domain.meanings import Fault, Meaning
from landed.domain.numbers import normalise
from landed.domain.receipts import AnyReceipt, Channel, Content, Direction, Receipt
from landed.domain.statuses import FINAL, Status
from landed.providers.base import Credentials, Secret

SIGNATURE: Final = "acme-signature"
#: Acme's word -> our status. A word missing here becomes `status=None`, never an error.
STATUSES: Final = {
    "accepted": Status.QUEUED,
    "handed_over": Status.SENT,
    "arrived": Status.DELIVERED,
    "lost": Status.UNDELIVERED,
    "refused": Status.FAILED,
}
REASONS: Final = {
    "phone_off": Meaning(
        title="The phone is off",
        advice="Send it again later.",
        fault=Fault.RECIPIENT,
        retryable=True,
    ),
    "no_credit": Meaning(
        title="No credit is left",
        advice="Top up the account at Acme.",
        fault=Fault.ACCOUNT,
        retryable=True,
    ),
}


class Acme:
    name: Final = "acme"
    is_signed: Final = True
    policies: Final = ("signed",)
    id_option: Final = "customer-number"
    secrets: Final = (
        Secret(role=TokenRole.ACCOUNT, option="secret", meaning="the secret of your callbacks", is_required=True),
    )
    headers_without_body: Final[frozenset[str]] = frozenset()

    def verify(self, request: CallbackRequest, credentials: Credentials) -> tuple[str, ...]:
        signature = request.headers.get(SIGNATURE, "")
        if not signature:
            raise SignatureInvalid("no Acme-Signature header", reason="signature_missing")
        at = signature.partition(",")[0].removeprefix("at=")
        message = "\n".join((at, request.url, "")).encode("utf-8", "surrogatepass") + request.body
        for token in filter(None, credentials.auth_tokens):
            expected = f"at={at}, sha256={hmac.new(token.encode(), message, hashlib.sha256).hexdigest()}"
            # Bytes, because compare_digest raises TypeError on a non-ASCII str.
            if hmac.compare_digest(_bytes(expected), _bytes(signature)):
                return (SIGNATURE,)
        raise SignatureInvalid("Acme-Signature does not match: check the secret and the public URL")

    def parse(self, request: CallbackRequest) -> list[AnyReceipt]:
        fields = _fields(request.body)
        message_id, step = _text(fields, "id"), _text(fields, "step")
        if not message_id:
            raise CallbackNotUnderstood("id is missing: this names no message.")
        if step == "incoming":
            return [_inbound(message_id, fields)]
        if not step:
            raise CallbackNotUnderstood("step is missing: this says nothing of what became of the message.")
        return [_outbound(message_id, step, fields, request)]

    def nonce(self, headers: Mapping[str, str]) -> str | None:
        return None  # the signature covers the body, so there is nothing to keep a ledger of

    def is_code(self, error_code: str) -> bool:
        return False  # Acme has reasons in words

    def explain(self, error_code: str) -> Meaning:
        unknown = Meaning(title=f"Acme says {error_code!r}", advice="Ask Acme.", fault=Fault.UNKNOWN, retryable=None)
        return REASONS.get(error_code, unknown)


def _outbound(message_id: str, step: str, fields: Mapping[str, Any], request: CallbackRequest) -> Receipt:
    status = STATUSES.get(step)
    at = _moment(_text(fields, "at"))
    price = fields.get("price")
    return Receipt(
        provider_message_id=message_id,
        provider_status=step[:64],
        status=status,
        channel=Channel.SMS,
        sender=normalise(_text(fields, "from")),
        recipient=normalise(_text(fields, "to")),
        error_code=_text(fields, "reason"),
        cost_nanos=money.nanos(_text(price, "amount")) if isinstance(price, dict) else None,
        currency=_text(price, "currency") if isinstance(price, dict) else None,
        queued_at=at if status == Status.QUEUED else None,
        sent_at=at if status == Status.SENT else None,
        final_at=at if status in FINAL else None,
        our_id=request.our_id if request.kind == "messages" else None,
    )


def _inbound(message_id: str, fields: Mapping[str, Any]) -> Receipt:
    return Receipt(
        provider_message_id=message_id,
        provider_status="incoming",
        status=Status.RECEIVED,
        direction=Direction.INBOUND,
        channel=Channel.SMS,
        sender=normalise(_text(fields, "from")),
        recipient=normalise(_text(fields, "to")),
        final_at=_moment(_text(fields, "at")),
        content=Content(text=_text(fields, "text")),
    )


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body, parse_float=str)  # a price keeps its digits
    except (ValueError, RecursionError) as error:
        raise CallbackMalformed("The body is not JSON.") from error
    if not isinstance(fields, dict):
        raise CallbackMalformed("The body is JSON, but not an object.")
    return fields


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    """A field's text; None where it is missing, empty, no text, or longer than anything Acme sends."""
    value = fields.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= 1600 else None


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
