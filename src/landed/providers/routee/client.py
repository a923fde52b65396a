"""Routee's HTTP API: one client for each account, over connections that all share.

Follows Routee's pages "Send an SMS", "Track an SMS", "Track multiple messages with filters for a specific time range",
"2-step verification" and "Retrieve the balance", and two SDKs, read 2026-11. What it answers is written nearly as its
callbacks are, so those who read the callbacks read it.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import httpx

from landed.domain import money
from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import CallbackMalformed, CallbackNotUnderstood, RequestRefused
from landed.domain.numbers import normalise
from landed.domain.outbound import AccountCheck, Outbound, SessionRequest
from landed.domain.receipts import (
    AttemptChannel,
    Channel,
    Receipt,
    SessionReceipt,
    SessionStatus,
    Source,
)
from landed.providers.http import Answer, Problem, Request, form_content, json_content, segment, strings
from landed.providers.routee import callbacks, error_codes
from landed.providers.routee.tokens import BearerApi

BASE_URL: Final = "https://connect.routee.net"
TOKEN_URL: Final = "https://auth.routee.net/oauth/token"  # noqa: S105  the address, not a token
#: Of a list; Routee allows 2000.
PAGE_SIZE: Final = 100
#: What stands for the code in a text of ours, and in Routee's.
CODE: Final = "{code}"
PIN: Final = "@@pin"

_WRONG_ANSWER: Final = "400011005"
_METHODS: Final = {AttemptChannel.SMS: "sms", AttemptChannel.VOICE: "voice"}
#: Fields whose words come from a list, and may come back in an error.
_VOCABULARY: Final = frozenset({"method", "type", "strategy", "fieldName", "searchOperator"})
#: What to do about a no that says no more than its status.
_ADVICE: Final = {
    400: "Check what was asked for: a field is missing or has a value that Routee does not take.",
    401: "Check the application's id and secret.",
    403: "Check what the application may do.",
    404: "Check the id, and that it belongs to this application.",
}


class RouteeClient:
    """Sends, lists, verifies, cancels and checks.

    Args:
        base_url: for everything, tokens as well; None: Routee's two hosts.
        clock: seconds, as time.monotonic.
    """

    def __init__(
        self,
        *,
        account_id: str,
        secret: str,
        http: httpx.AsyncClient,
        base_url: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account_id = account_id
        self._base_url = (base_url or BASE_URL).rstrip("/")
        self._api = BearerApi(
            "Routee",
            http,
            _problem,
            token_url=f"{self._base_url}/oauth/token" if base_url else TOKEN_URL,
            application_id=account_id,
            secret=secret,
            clock=clock,
        )

    def __repr__(self) -> str:
        return f"<RouteeClient of {self._account_id}>"

    # --- messages --------------------------------------------------------------------------------------------------

    async def send(self, message: Outbound) -> Receipt:
        """Our id goes along as the label, by which `sent_between` finds it again."""
        request = self._request("send the message", "POST", "/sms", _message(message))
        content = await self._api.call(request)
        message_id = content.get("trackingId")
        if not isinstance(message_id, str) or not 0 < len(message_id.strip()) <= callbacks.ID_CHARACTERS_MAX:
            raise self._api.not_understood(request)
        word = str(content.get("status") or "Queued")[: callbacks.WORD_CHARACTERS_MAX]
        analysis = content.get("bodyAnalysis")
        parts = analysis.get("parts") if isinstance(analysis, dict) else None
        return Receipt(
            provider_message_id=message_id,
            provider_status=word,
            status=callbacks.STATUSES.get(word.casefold()),
            source=Source.SEND,
            channel=Channel.SMS,
            sender=normalise(message.sender),
            recipient=normalise(message.recipient),
            units=parts if isinstance(parts, int) and 0 < parts <= callbacks.PARTS_MAX else None,
            submitted_at=_moment(content.get("createdAt")),
            our_id=str(message.id),
        )

    async def look_up(self, provider_message_id: str) -> Sequence[Receipt]:
        """A receipt for each part."""
        path = f"/sms/tracking/single/{segment(provider_message_id)}"
        request = self._request("look up the message", "GET", path)
        answer = await self._api.ask(request)
        if answer.status == 404:
            return ()
        content = self._api.content(request, answer)
        if not isinstance(content, list):
            raise self._api.not_understood(request, answer)
        receipts = [each for record in content for each in _receipts(record, provider_message_id)]
        if len(receipts) < len(content) or any(each.provider_message_id != provider_message_id for each in receipts):
            raise self._api.not_understood(request, answer)
        return receipts

    async def sent_between(
        self, since: datetime, until: datetime, *, offset: int, recipient: str | None = None
    ) -> tuple[Sequence[Receipt], int | None]:
        """A receipt for each part. Routee knows the last seven days; it may list a few messages of the moments before
        and after, too."""
        query = {
            "dateStart": _text(since),
            "dateEnd": _text(until),
            "page": str(offset // PAGE_SIZE),
            "size": str(PAGE_SIZE),
        }
        filters: list[dict[str, str]] = []
        if recipient is not None:
            # Its records have numbers with and without the plus.
            digits = recipient.removeprefix("+")
            filters.append({"fieldName": "to", "searchTerm": digits, "searchOperator": "contains"})
        request = self._request("list the messages", "POST", "/sms/tracking", filters, query=query, is_repeatable=True)
        content = await self._api.call(request)
        records = content.get("content")
        if not isinstance(records, list) or content.get("number", offset // PAGE_SIZE) != offset // PAGE_SIZE:
            raise self._api.not_understood(request)
        receipts = [each for record in records for each in _receipts(record, None)]
        wanted = None if recipient is None else normalise(recipient.removeprefix("+"))
        found = [each for each in receipts if wanted is None or each.recipient in (wanted, recipient)]
        is_last = content.get("last", len(records) < PAGE_SIZE)
        return found, None if is_last or not records else offset + PAGE_SIZE

    # --- verify ----------------------------------------------------------------------------------------------------

    async def start_session(self, request: SessionRequest) -> SessionReceipt:
        """Where Routee calls back to is set for the application: it takes no address here, and no reference."""
        asked = self._request("start the session", "POST", "/2step", _session(request))
        content = await self._api.call(asked)
        receipt = _session_receipt(content, Source.SEND)
        if receipt is None:
            raise self._api.not_understood(asked)
        return receipt._replace(
            recipient=normalise(request.recipient), started_at=receipt.updated_at, our_id=str(request.id)
        )

    async def check_code(self, provider_session_id: str, code: str) -> SessionReceipt:
        request = self._request(
            "take the code", "POST", _of(provider_session_id), form={"answer": code}, is_repeatable=True
        )
        answer = await self._api.ask(request)
        if _code(answer.content()) == _WRONG_ANSWER:
            return SessionReceipt(
                provider_session_id=provider_session_id,
                provider_status="Pending",
                status=SessionStatus.IN_PROGRESS,
                source=Source.SEND,
            )
        return self._same_session(provider_session_id, request, answer, Source.SEND)

    async def look_up_session(self, provider_session_id: str) -> Sequence[SessionReceipt]:
        request = self._request("look up the session", "GET", _of(provider_session_id))
        answer = await self._api.ask(request)
        if answer.status == 404:
            return ()
        return (self._same_session(provider_session_id, request, answer, Source.LOOKUP),)

    async def cancel_session(self, provider_session_id: str) -> SessionReceipt:
        request = self._request("cancel the session", "DELETE", _of(provider_session_id))
        answer = await self._api.ask(request)
        if answer.is_success and answer.body == b"":
            return SessionReceipt(
                provider_session_id=provider_session_id,
                provider_status="Cancelled",
                status=SessionStatus.CANCELLED,
                source=Source.SEND,
            )
        return self._same_session(provider_session_id, request, answer, Source.SEND)

    def _same_session(self, session_id: str, request: Request, answer: Answer, source: Source) -> SessionReceipt:
        receipt = _session_receipt(self._api.content(request, answer), source)
        if receipt is None or receipt.provider_session_id != session_id:
            raise self._api.not_understood(request, answer)
        return receipt

    # --- account ---------------------------------------------------------------------------------------------------

    async def check_account(self) -> AccountCheck:
        """The token proves the credentials; not every application may see the balance."""
        await self._api.token()
        request = self._request("tell the balance", "GET", "/accounts/me/balance")
        try:
            content = await self._api.call(request)
        except RequestRefused as refused:
            if refused.http_status not in (403, 404):
                raise
            return AccountCheck(provider_account_id=self._account_id)
        currency = content.get("currency")
        code = currency.get("code") if isinstance(currency, dict) else currency
        balance = content.get("balance")
        return AccountCheck(
            provider_account_id=self._account_id,
            balance_nanos=money.nanos(str(balance)) if balance is not None else None,
            currency=code if isinstance(code, str) else None,
        )

    def _request(
        self,
        what: str,
        method: str,
        path: str,
        content: Mapping[str, Any] | list[Any] | None = None,
        *,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        is_repeatable: bool = False,
    ) -> Request:
        headers: dict[str, str] = {}
        body: bytes | None = None
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = form_content(form)
        elif content is not None:
            headers["Content-Type"] = "application/json"
            body = json_content(content)
        return Request(
            what=what,
            method=method,
            url=self._base_url + path,
            query=query or {},
            headers=headers,
            content=body,
            is_repeatable=is_repeatable or method == "GET",
            withheld=tuple(strings([content or {}, form or {}], besides=_VOCABULARY)),
        )


# --- what we ask ---------------------------------------------------------------------------------------------------


def _message(outbound: Outbound) -> dict[str, Any]:
    """Raises RequestRefused: Routee has no words for it."""
    if outbound.channel is not Channel.SMS or outbound.media_urls or outbound.template is not None:
        raise RequestRefused(f"Routee sends text by SMS alone here, no {outbound.channel}, media or template.")
    if outbound.text is None:
        raise RequestRefused("Routee sends nothing without a text.")
    body: dict[str, Any] = {
        "body": outbound.text,
        "to": outbound.recipient,
        "from": outbound.sender,
        "label": str(outbound.id),
        # Always a POST: there is no word for another method.
        "callback": {"url": outbound.callback_url, "strategy": "OnChange"},
    }
    if outbound.expires_after_s is not None:
        body["ttl"] = max(1, -(-outbound.expires_after_s // 60))  # minutes, rounded up: not given up before its time
    return body


def _session(request: SessionRequest) -> dict[str, Any]:
    """Raises RequestRefused: Routee has no words for it."""
    method = _METHODS.get(request.channel)
    if method is None:
        raise RequestRefused(f"Routee verifies by SMS and voice, not by {request.channel}.")
    if request.app is not None:
        raise RequestRefused("Routee verifies with the application that the account is: leave `app` out.")
    template = request.text.replace(CODE, PIN) if request.text is not None else None
    if template is None and request.brand_name is not None:
        template = f"{request.brand_name}: {PIN}"
    body = {
        "method": method,
        "type": "code",
        "recipient": request.recipient,
        "template": template,
        "originator": request.sender,
        "lifetimeInSeconds": request.lifetime_s,
        "digits": request.code_length,
    }
    return {name: value for name, value in body.items() if value is not None}


def _of(session_id: str) -> str:
    return f"/2step/{segment(session_id)}"


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- what it answers -----------------------------------------------------------------------------------------------


def _receipts(record: Any, message_id: str | None) -> list[Receipt]:
    """The fact in a tracking record; none in what is no record. `message_id` is that of a record without one."""
    if not isinstance(record, dict):
        return []
    if message_id is not None:
        record = {"messageId": message_id, **record}
    return [
        receipt._replace(source=Source.LOOKUP, our_id=_our_id(record.get("label")))
        for receipt in _read(record)
        if isinstance(receipt, Receipt)
    ]


def _our_id(label: Any) -> str | None:
    """Labels of others are no ids of ours."""
    try:
        return str(UUID(label)) if isinstance(label, str) and len(label) == 36 else None
    except ValueError:
        return None


def _session_receipt(content: Any, source: Source) -> SessionReceipt | None:
    for receipt in _read(content) if isinstance(content, dict) else []:
        if isinstance(receipt, SessionReceipt):
            return receipt._replace(source=source)
    return None


def _read(content: Mapping[str, Any]) -> Sequence[Any]:
    try:
        return callbacks.parse(CallbackRequest(method="POST", url="", body=json_content(content)))
    except (CallbackMalformed, CallbackNotUnderstood):
        return ()


def _moment(told: Any) -> datetime | None:
    if not isinstance(told, str) or "T" not in told:
        return None
    try:
        at = datetime.fromisoformat(told)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _problem(request: Request, answer: Answer) -> Problem:
    """The names of an error's fields are not documented: those of the SDKs, and those of OAuth."""
    content = answer.content()
    code = _code(content)
    reason = _reason(content) if isinstance(content, dict) else None
    advice = error_codes.explain(code).advice if code else _ADVICE.get(answer.status)
    return Problem(code=code, reason=reason, advice=advice)


def _code(content: Any) -> str | None:
    told = str(content.get("code")) if isinstance(content, dict) else ""
    return told if re.fullmatch(r"[0-9]{6,12}", told) else None


def _reason(content: Mapping[str, Any]) -> str | None:
    words = [content.get(name) for name in ("developerMessage", "message", "error_description", "error")]
    reason = next((each for each in words if isinstance(each, str) and each), None)
    properties = content.get("properties")
    if isinstance(properties, dict) and properties:
        return "; ".join(filter(None, [reason, json.dumps(properties, ensure_ascii=False)]))
    return reason
