"""What Plivo's API answers, as facts: records of messages, sessions and registrations, and ids of what was created.

The words of the records are those of the callbacks; names, times and money are written in other ways. Follows Plivo's
API pages and the fixtures of its SDKs, read 2026-11. What has no place of its own travels in `extra`.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from landed.domain.receipts import (
    AttemptReport,
    Direction,
    Receipt,
    Registration,
    RegistrationReceipt,
    SessionReceipt,
    Source,
)
from landed.domain.statuses import FINAL, Status
from landed.providers.plivo import tendlc, values, verify

#: How Plivo hides a number when it was told not to log it: `141XXXXX528`.
_MASKED: Final = re.compile(r"\+?[0-9]*X+[0-9]*")
#: The states of an inbound message: the last two say whether it could be handed to the address of the account.
_INBOUND: Final = frozenset({"received", "delivered", "undelivered", "queued", "sent", "failed"})

#: Of each record: what has a place, and what says nothing of the thing.
_OF_MESSAGES: Final = frozenset({
    "message_uuid", "message_state", "message_direction", "message_type", "from_number", "to_number", "message_time",
    "message_sent_time", "message_updated_time", "units", "total_amount", "error_code", "mcc", "mnc",
    "api_id", "resource_uri", "requester_ip", "total_rate",
})  # fmt: skip
_OF_SESSIONS: Final = frozenset({
    "session_uuid", "recipient", "status", "created_at", "updated_at", "attempt_details", "charges",
    "api_id", "resource_uri", "requestor_ip", "requester_ip",
})  # fmt: skip
_OF_REGISTRATIONS: Final = frozenset({
    "brand_id", "campaign_id", "registration_status", "error_code", "error_reason", "error_description",
    "declined_reasons", "api_id", "resource_uri",
})  # fmt: skip
#: They name people, and are known to whoever registered them.
_OF_PEOPLE: Final = frozenset({"address", "authorized_contact", "business_contact_email", "ein"})


def ids(content: Mapping[str, Any], *names: str) -> list[str]:
    """The ids under the first of these names that has any: one, or a list of them."""
    for name in names:
        told = content.get(name)
        found = [
            each for each in (told if isinstance(told, list) else [told]) if isinstance(each, str) and _is_id(each)
        ]
        if found:
            return found
    return []


def _is_id(text: str) -> bool:
    return bool(text.strip()) and len(text) <= values.ID_CHARACTERS_MAX


def records(content: Mapping[str, Any], *names: str) -> list[Mapping[str, Any]]:
    """The records of a list, under the first of these names or under `objects`."""
    for name in (*names, "objects"):
        if isinstance(told := content.get(name), list):
            return [record for record in told if isinstance(record, dict)]
    return []


def is_list(content: Mapping[str, Any], *names: str) -> bool:
    return any(isinstance(content.get(name), list) for name in (*names, "objects"))


def next_offset(content: Mapping[str, Any], offset: int, count: int) -> int | None:
    """The offset of the next page, where there is one. `next` is a path with the offset, or a mark of a newer kind of
    paging, beside which offsets still hold."""
    meta = content.get("meta")
    following = meta.get("next") if isinstance(meta, dict) else None
    if not following or not count:
        return None
    told = parse_qs(urlsplit(str(following)).query).get("offset", [""])[0]
    return max(int(told), offset + 1) if told.isascii() and told.isdigit() and len(told) <= 9 else offset + count


def pages_by_offset(content: Mapping[str, Any], offset: int) -> bool:
    """Whether this is the page that was asked for, as far as it says."""
    meta = content.get("meta")
    told = meta.get("offset") if isinstance(meta, dict) else None
    return not isinstance(told, int) or told == offset


def message(record: Mapping[str, Any]) -> Receipt | None:
    """A message's record; None where it names none, or says nothing of it."""
    fields = _texts(record)
    get = fields.get
    message_id, word = get("message_uuid", ""), get("message_state", "")
    if not _is_id(message_id) or not word:
        return None
    inbound = get("message_direction", "").lower() == Direction.INBOUND
    status = (Status.RECEIVED if word.lower() in _INBOUND else None) if inbound else values.STATUSES.get(word.lower())
    mcc, mnc = get("mcc", ""), get("mnc", "")
    is_network = mcc.isdecimal() and len(mcc) <= 3
    return Receipt(
        provider_message_id=message_id,
        provider_status=word[: values.WORD_CHARACTERS_MAX],
        status=status,
        source=Source.LOOKUP,
        direction=Direction.INBOUND if inbound else Direction.OUTBOUND,
        channel=values.CHANNELS.get(get("message_type", "").lower()),
        sender=_number(get("from_number")),
        recipient=_number(get("to_number")),
        mcc=mcc if is_network else None,
        mnc=mnc if is_network and mnc.isdecimal() and len(mnc) <= 3 else None,
        error_code=values.error_code(get("error_code")),
        units=values.count(get("units")),
        cost_nanos=values.nanos(get("total_amount")),
        currency=values.CURRENCY if get("total_amount") else None,
        submitted_at=values.moment(get("message_time")),
        sent_at=None if inbound else values.moment(get("message_sent_time")),
        final_at=values.moment(get("message_updated_time")) if not inbound and status in FINAL else None,
        extra=values.left_over(fields, _OF_MESSAGES),
    )


def _number(text: str | None) -> str | None:
    return None if text and _MASKED.fullmatch(text) else values.number(text)


def sessions(record: Mapping[str, Any]) -> list[SessionReceipt]:
    """A session's record: a receipt for each attempt, or one where there was none yet."""
    fields = _texts(record)
    session_id, word = fields.get("session_uuid", ""), fields.get("status", "")
    if not _is_id(session_id) or not word:
        return []
    charges = record.get("charges")
    charge = _text(charges.get("total_charge")) if isinstance(charges, dict) else ""
    receipt = SessionReceipt(
        provider_session_id=session_id,
        provider_status=word[: values.WORD_CHARACTERS_MAX],
        status=verify.SESSION_STATUSES.get(_plain(word)),
        source=Source.LOOKUP,
        recipient=_number(fields.get("recipient")),
        started_at=values.moment(fields.get("created_at")),
        updated_at=values.moment(fields.get("updated_at")),
        cost_nanos=values.nanos(charge),
        currency=values.CURRENCY if charge else None,
        extra=values.left_over(fields, _OF_SESSIONS),
    )
    told = record.get("attempt_details")
    attempts = [attempt for each in (told if isinstance(told, list) else []) if (attempt := _attempt(each))]
    return [receipt._replace(attempt=attempt) for attempt in attempts] or [receipt]


def _attempt(record: Any) -> AttemptReport | None:
    if not isinstance(record, dict):
        return None
    fields = _texts(record)
    attempt_id, word = fields.get("attempt_uuid", ""), fields.get("status", "")
    if not _is_id(attempt_id):
        return None
    channel = verify.CHANNELS.get(fields.get("channel", "").lower())
    return AttemptReport(
        provider_attempt_id=attempt_id,
        provider_status=word[: values.WORD_CHARACTERS_MAX],
        status=verify.attempt_status(word, channel),
        channel=channel,
        error_code=values.error_code(fields.get("error_code")),
        requested_at=values.moment(fields.get("time")),
    )


def brand(record: Mapping[str, Any]) -> RegistrationReceipt | None:
    return _registration(Registration.BRAND, record, "brand_id")


def campaign(record: Mapping[str, Any]) -> RegistrationReceipt | None:
    return _registration(Registration.CAMPAIGN, record, "campaign_id")


def _registration(registration: Registration, record: Mapping[str, Any], id_name: str) -> RegistrationReceipt | None:
    fields = _texts(record)
    if not _is_id(fields.get(id_name, "")):
        return None
    word = fields.get("registration_status", "")
    declined = record.get("declined_reasons")
    reasons = [*(map(_text, declined) if isinstance(declined, list) else [])]
    return RegistrationReceipt(
        registration=registration,
        provider_status=word[: values.WORD_CHARACTERS_MAX],
        status=tendlc.STATUSES[registration].get(word.lower()),
        source=Source.LOOKUP,
        provider_brand_id=fields.get("brand_id") or None,
        provider_campaign_id=(fields.get("campaign_id") or None) if registration is Registration.CAMPAIGN else None,
        reason="; ".join(filter(None, [fields.get("error_description") or fields.get("error_reason"), *reasons]))
        or None,
        error_code=values.error_code(fields.get("error_code")),
        extra=values.left_over(fields, _OF_REGISTRATIONS | _OF_PEOPLE),
    )


def numbers(content: Mapping[str, Any], campaign_id: str) -> list[RegistrationReceipt]:
    """The numbers of a campaign. What is asked for here is linking; unlinking shows by a number that is missing."""
    found = []
    for record in records(content, "phone_numbers"):
        fields = _texts(record)
        number, word = values.number(fields.get("number")), fields.get("status", "")
        if number:
            found.append(
                RegistrationReceipt(
                    registration=Registration.NUMBER_LINK,
                    provider_status=word[: values.WORD_CHARACTERS_MAX],
                    status=tendlc.STATUSES[Registration.NUMBER_LINK].get(word.lower()),
                    source=Source.LOOKUP,
                    provider_campaign_id=campaign_id,
                    number=number,
                )
            )
    return found


def text(content: Mapping[str, Any], name: str) -> str | None:
    return _text(content.get(name)) or None


def error(content: Any) -> str | None:
    """What an answer says went wrong: text, or several, or an object of them."""
    if not isinstance(content, dict):
        return None
    told = content.get("error")
    return (told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)) if told else None


def _texts(record: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): _text(value) for name, value in record.items()}


def _text(value: Any) -> str:
    if value is None or value in ([], {}):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(word: str) -> str:
    return word.strip().lower().replace("-", "_").replace(" ", "_")
