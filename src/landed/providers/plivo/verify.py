"""Verify: one callback for each change of a session or of one of its attempts to reach the person.

Follows Plivo's pages "Verify callbacks" and "Session API", read 2026-11. Each callback names the session and, as a
rule, the attempt. An attempt's words depend on its channel: those of messages for texts, those of calls for voice.
"""

from typing import Final

from landed.domain.callbacks import CallbackRequest
from landed.domain.receipts import AttemptChannel, AttemptReport, SessionReceipt, SessionStatus
from landed.domain.statuses import Status
from landed.providers.plivo import values

#: `in-progress`, `verified` and `expired` are documented.
SESSION_STATUSES: Final = {status.value: status for status in SessionStatus}
CHANNELS: Final = {channel.value: channel for channel in AttemptChannel}
#: What a call's word says of the attempt: the code was told when the call was answered to its end.
CALL_STATUSES: Final = {
    "ringing": Status.SENT,
    "in_progress": Status.SENT,
    "completed": Status.DELIVERED,
    "answer": Status.DELIVERED,  # the record's word
    "no_answer": Status.UNDELIVERED,
    "busy": Status.UNDELIVERED,  # of Plivo's voice pages, as is `failed`: no Verify page has them
    "failed": Status.FAILED,
}

_PLACED: Final = frozenset({"SessionUUID", "SessionStatus", "Recipient"})
_PLACED_OF_ATTEMPT: Final = _PLACED | {
    "RequestTime", "ChannelErrorCode", "Channel", "AttemptUUID", "AttemptSequence", "ChannelStatus",
}  # fmt: skip
FIELDS: Final = _PLACED_OF_ATTEMPT


def is_session(fields: dict[str, str]) -> bool:
    """Whether it names a session and tells anything of it, whatever else is in it."""
    return bool(
        fields.get("SessionUUID")
        and (fields.get("SessionStatus") or (fields.get("AttemptUUID") and fields.get("ChannelStatus")))
    )


def receipt(request: CallbackRequest, fields: dict[str, str]) -> SessionReceipt:
    word = fields.get("SessionStatus", "")
    attempt = _attempt(fields)
    return SessionReceipt(
        provider_session_id=fields["SessionUUID"],
        provider_status=word[: values.WORD_CHARACTERS_MAX],
        status=SESSION_STATUSES.get(_plain(word)),
        attempt=attempt,
        recipient=values.number(fields.get("Recipient")),
        our_id=request.our_id if request.kind == "verify" else None,
        extra=values.left_over(fields, _PLACED_OF_ATTEMPT if attempt else _PLACED),
    )


def _attempt(fields: dict[str, str]) -> AttemptReport | None:
    get = fields.get
    attempt_id = get("AttemptUUID")
    if not attempt_id or len(attempt_id) > values.ID_CHARACTERS_MAX:
        return None
    word = get("ChannelStatus", "")
    channel = CHANNELS.get(get("Channel", "").lower())
    return AttemptReport(
        provider_attempt_id=attempt_id,
        provider_status=word[: values.WORD_CHARACTERS_MAX],
        status=attempt_status(word, channel),
        sequence=values.count(get("AttemptSequence")),
        channel=channel,
        error_code=values.error_code(get("ChannelErrorCode")),
        requested_at=values.moment(get("RequestTime")),
    )


def attempt_status(word: str, channel: AttemptChannel | None) -> Status | None:
    """A call that nobody names as one is known by its words, which no text has."""
    plain = _plain(word)
    call = CALL_STATUSES.get(plain) if channel in (AttemptChannel.VOICE, None) else None
    return call or values.STATUSES.get(plain)


def _plain(word: str) -> str:
    return word.strip().lower().replace("-", "_").replace(" ", "_")
