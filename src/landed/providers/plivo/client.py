"""Plivo's HTTP API: one client for each account, over connections that all share.

Follows Plivo's API pages and its SDKs, read 2026-11. Every path ends in a slash, and every call carries HTTP Basic.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NoReturn, TypeVar

import httpx

from landed.domain import money
from landed.domain.numbers import normalise
from landed.domain.outbound import (
    AccountCheck,
    BrandRequest,
    CampaignRequest,
    NumberLinkRequest,
    NumberUnlinkRequest,
    Outbound,
    Profile,
    ProfileRequest,
    SessionRequest,
)
from landed.domain.receipts import (
    Receipt,
    Registration,
    RegistrationReceipt,
    RegistrationStatus,
    SessionReceipt,
    SessionStatus,
    Source,
)
from landed.domain.statuses import Status
from landed.providers.http import Answer, Api, Problem, Request, json_content, segment, strings
from landed.providers.plivo import answers, error_codes, requests, values

BASE_URL: Final = "https://api.plivo.com"
#: The most a page can have.
PAGE_MAX: Final = 20

#: What to do about a no that says no more than its status.
_ADVICE: Final = {
    400: "Check what was asked for: a field is missing or has a value that Plivo does not take.",
    401: "Check the account's auth ID and auth token.",
    403: "Check what the account may do.",
    404: "Check the id, and that it belongs to this account.",
}
#: Where a 403 means that the country is not enabled; the error code says the same of a message that was taken.
_BY_COUNTRY: Final = ("/Message/", "/Session/")
_COUNTRY_BARRED: Final = "450"
#: What Plivo has a code for when it says it of a message, and says in words when it refuses one.
_IN_WORDS: Final = (
    (re.compile(r"insufficient (?:credit|balance|funds)", re.IGNORECASE), "900"),
    (re.compile(r"account (?:is )?(?:disabled|suspended)", re.IGNORECASE), "910"),
)
_INVALID_RECIPIENT: Final = "50"
#: The message of a code that was right, whole: a wrong one may come with a good status, too.
_VALIDATED: Final = re.compile(r"\s*session validated successfully\.?\s*", re.IGNORECASE)

T = TypeVar("T")


class PlivoClient:
    """Sends, lists, verifies, takes conversions, registers and checks: all that clients.py knows but cancelling."""

    def __init__(self, *, account_id: str, secret: str, http: httpx.AsyncClient, base_url: str | None = None) -> None:
        self._account_id = account_id
        self._base_url = (base_url or BASE_URL).rstrip("/")
        basic = b64encode(f"{account_id}:{secret}".encode()).decode()
        self._authorization = f"Basic {basic}"
        self._api = Api("Plivo", http, _problem, (secret, basic))

    def __repr__(self) -> str:
        return f"<PlivoClient of {self._account_id}>"

    # --- messages --------------------------------------------------------------------------------------------------

    async def send(self, message: Outbound) -> Receipt:
        body = requests.message(message)
        request = self._post("send the message", "Message/", body)
        content = await self._api.call(request)
        found = answers.ids(content, "message_uuid")
        if not found:
            if invalid := content.get("invalid_number"):
                reason = f"not a number it can send to: {answers.text({'invalid': invalid}, 'invalid')}"
                raise self._api.refused(request, _explained(_INVALID_RECIPIENT, reason))
            self._no_id(request, content)
        return Receipt(
            provider_message_id=found[0],
            provider_status="queued",
            status=Status.QUEUED,
            source=Source.SEND,
            channel=message.channel,
            sender=normalise(message.sender) if "src" in body else None,
            recipient=normalise(message.recipient),
            our_id=str(message.id),
            extra=_api_id(content),
        )

    async def look_up(self, provider_message_id: str) -> Sequence[Receipt]:
        request = self._get("look up the message", f"Message/{segment(provider_message_id)}/")
        content = await self._api.find(request)
        if content is None:
            return ()
        receipt = answers.message(content)
        if receipt is None or receipt.provider_message_id != provider_message_id:
            raise self._api.not_understood(request)
        return (receipt,)

    async def sent_between(
        self, since: datetime, until: datetime, *, offset: int, recipient: str | None = None
    ) -> tuple[Sequence[Receipt], int | None]:
        query = requests.submitted_between("message_time", since, until)
        if recipient is not None:
            query["to_number"] = requests.bare(recipient)
        return await self._page("list the messages", "Message/", answers.message, query, offset=offset)

    async def report_conversion(self, provider_message_id: str, *, converted: bool, at: datetime) -> None:
        # The page writes this path in small letters; the account's id stays as it is.
        path = f"/v1/account/{segment(self._account_id)}/message/{segment(provider_message_id)}/conversion/"
        body = requests.conversion(converted=converted, at=at)
        await self._done(self._request("POST", "take the conversion", path, body, is_repeatable=True))

    # --- verify ----------------------------------------------------------------------------------------------------

    async def start_session(self, request: SessionRequest) -> SessionReceipt:
        asked = self._post("start the session", "Verify/Session/", requests.session(request))
        content = await self._api.call(asked)
        found = answers.ids(content, "session_uuid")
        if not found:
            self._no_id(asked, content)
        return SessionReceipt(
            provider_session_id=found[0],
            provider_status="in-progress",
            status=SessionStatus.IN_PROGRESS,
            source=Source.SEND,
            recipient=normalise(request.recipient),
            our_id=str(request.id),
            extra=_api_id(content),
        )

    async def check_code(self, provider_session_id: str, code: str) -> SessionReceipt:
        """A wrong code and a session that has ended are the same kind of no to Plivo, whose words for them are not
        documented: after one, the session is looked up."""
        path = f"Verify/Session/{segment(provider_session_id)}/"
        asked = self._post("take the code", path, {"otp": code}, is_repeatable=True)
        answer = await self._api.ask(asked)
        content = answer.content()
        if answer.is_success and not isinstance(content, dict):
            raise self._api.not_understood(asked, answer)
        if answer.is_success and _VALIDATED.fullmatch(answers.text(content, "message") or ""):
            return _session(provider_session_id, "verified", SessionStatus.VERIFIED)
        if not answer.is_success and answer.status not in (400, 409, 422):
            raise self._api.failure(asked, answer)
        standing = await self.look_up_session(provider_session_id)
        if any(receipt.status is SessionStatus.IN_PROGRESS for receipt in standing):
            return _session(provider_session_id, standing[0].provider_status, SessionStatus.IN_PROGRESS)
        if not answer.is_success:
            raise self._api.failure(asked, answer)
        raise self._api.refused(asked, Problem(reason=answers.error(content) or answers.text(content, "message")))

    async def look_up_session(self, provider_session_id: str) -> Sequence[SessionReceipt]:
        request = self._get("look up the session", f"Verify/Session/{segment(provider_session_id)}/")
        content = await self._api.find(request)
        if content is None:
            return ()
        found = answers.sessions(content)
        if not found:
            raise self._api.not_understood(request)
        return found

    async def sessions_between(
        self, since: datetime, until: datetime, *, offset: int, recipient: str | None = None
    ) -> tuple[Sequence[SessionReceipt], int | None]:
        """Plivo takes 20 of these a minute."""
        query = requests.submitted_between("session_time", since, until)
        if recipient is not None:
            query["recipient"] = requests.bare(recipient)
        what, path = "list the sessions", "Verify/Session/"
        pages, following = await self._page(what, path, answers.sessions, query, "sessions", offset=offset)
        return [receipt for receipts in pages for receipt in receipts], following

    # --- 10DLC -----------------------------------------------------------------------------------------------------

    async def create_profile(self, request: ProfileRequest) -> str:
        asked = self._post("create the profile", "Profile/", requests.profile(request))
        content = await self._api.call(asked)
        found = answers.ids(content, "profile_uuid")
        if not found:
            self._no_id(asked, content)
        return found[0]

    async def create_brand(self, request: BrandRequest) -> RegistrationReceipt:
        asked = self._post("create the brand", "10dlc/Brand/", requests.brand(request))
        content = await self._api.call(asked)
        found = answers.ids(content, "brand_id", "brandId")
        if not found:
            self._no_id(asked, content)
        return _pending(Registration.BRAND, str(request.id), content, brand_id=found[0])

    async def create_campaign(self, request: CampaignRequest) -> RegistrationReceipt:
        asked = self._post("create the campaign", "10dlc/Campaign/", requests.campaign(request))
        content = await self._api.call(asked)
        found = answers.ids(content, "campaign_id", "campaignId")
        if not found:
            self._no_id(asked, content)
        return _pending(
            Registration.CAMPAIGN,
            str(request.id),
            content,
            brand_id=request.provider_brand_id,
            campaign_id=found[0],
        )

    async def link_numbers(self, request: NumberLinkRequest) -> Sequence[RegistrationReceipt]:
        path = f"10dlc/Campaign/{segment(request.provider_campaign_id)}/Number/"
        content = await self._done(self._post("link the numbers", path, requests.number_link(request)))
        campaign_id, our_id = request.provider_campaign_id, str(request.id)
        return [
            _pending(Registration.NUMBER_LINK, our_id, content, campaign_id=campaign_id, number=number)
            for number in request.numbers
        ]

    async def unlink_number(self, request: NumberUnlinkRequest) -> RegistrationReceipt:
        campaign_id = request.provider_campaign_id
        path = f"10dlc/Campaign/{segment(campaign_id)}/Number/{segment(requests.bare(request.number))}/"
        # In the query, where Plivo reads what belongs to a DELETE; its SDK sends it as a body, and so do we.
        body = {"url": request.callback_url, "method": request.callback_method}
        asked = self._request(
            "DELETE", "unlink the number", self._path(path), body, query=body, withheld=(request.number,)
        )
        content = await self._done(asked, may_be_empty=True)
        return _pending(
            Registration.NUMBER_UNLINK, str(request.id), content, campaign_id=campaign_id, number=request.number
        )

    async def look_up_brand(self, provider_brand_id: str) -> RegistrationReceipt | None:
        path = f"10dlc/Brand/{segment(provider_brand_id)}/"
        return await self._one(self._get("look up the brand", path), "brand", answers.brand)

    async def look_up_campaign(self, provider_campaign_id: str) -> RegistrationReceipt | None:
        path = f"10dlc/Campaign/{segment(provider_campaign_id)}/"
        return await self._one(self._get("look up the campaign", path), "campaign", answers.campaign)

    async def look_up_number(self, provider_campaign_id: str, number: str) -> RegistrationReceipt | None:
        path = f"10dlc/Campaign/{segment(provider_campaign_id)}/Number/{segment(requests.bare(number))}/"
        request = self._get("look up the number", path, withheld=(number,))
        content = await self._api.find(request)
        if content is None or "not linked" in (answers.error(content) or ""):
            return None
        if not answers.is_list(content, "phone_numbers"):
            raise self._api.not_understood(request)
        wanted = normalise(requests.bare(number))
        found = answers.numbers(content, provider_campaign_id)
        return next((receipt for receipt in found if receipt.number == wanted), None)

    async def profiles(self, *, offset: int) -> tuple[Sequence[Profile], int | None]:
        return await self._page("list the profiles", "Profile/", _profile, {}, "profiles", offset=offset)

    async def brands(self, *, offset: int) -> tuple[Sequence[RegistrationReceipt], int | None]:
        return await self._page("list the brands", "10dlc/Brand/", answers.brand, {}, "brands", offset=offset)

    async def campaigns(self, *, offset: int) -> tuple[Sequence[RegistrationReceipt], int | None]:
        what, path = "list the campaigns", "10dlc/Campaign/"
        return await self._page(what, path, answers.campaign, {}, "campaigns", offset=offset)

    async def numbers(
        self, provider_campaign_id: str, *, offset: int
    ) -> tuple[Sequence[RegistrationReceipt], int | None]:
        def one(record: Mapping[str, Any]) -> RegistrationReceipt | None:
            return next(iter(answers.numbers({"phone_numbers": [record]}, provider_campaign_id)), None)

        path = f"10dlc/Campaign/{segment(provider_campaign_id)}/Number/"
        return await self._page("list the numbers", path, one, {}, "phone_numbers", offset=offset)

    # --- account ---------------------------------------------------------------------------------------------------

    async def check_account(self) -> AccountCheck:
        request = self._get("say who we are", "")
        content = await self._api.call(request)
        account_id = answers.text(content, "auth_id")
        if account_id is None:
            raise self._api.not_understood(request)
        balance_nanos = money.nanos(answers.text(content, "cash_credits"))
        return AccountCheck(
            provider_account_id=account_id,
            name=answers.text(content, "name"),
            balance_nanos=balance_nanos,
            currency=values.CURRENCY if balance_nanos is not None else None,
        )

    # --- how it is asked -------------------------------------------------------------------------------------------

    def _path(self, path: str) -> str:
        return f"/v1/Account/{segment(self._account_id)}/{path}"

    def _get(
        self, what: str, path: str, query: Mapping[str, str] | None = None, *, withheld: tuple[str, ...] = ()
    ) -> Request:
        return self._request("GET", what, self._path(path), query=query, withheld=withheld, is_repeatable=True)

    def _post(self, what: str, path: str, body: Mapping[str, Any], *, is_repeatable: bool = False) -> Request:
        return self._request("POST", what, self._path(path), body, is_repeatable=is_repeatable)

    def _request(
        self,
        method: str,
        what: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        withheld: tuple[str, ...] = (),
        is_repeatable: bool = False,
    ) -> Request:
        headers = {"Authorization": self._authorization}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return Request(
            what=what,
            method=method,
            url=self._base_url + path,
            query=query or {},
            headers=headers,
            content=None if body is None else json_content(body),
            is_repeatable=is_repeatable,
            withheld=(*withheld, *strings([body or {}, query or {}], besides=requests.VOCABULARY)),
        )

    async def _done(self, request: Request, *, may_be_empty: bool = False) -> dict[str, Any]:
        """For what gets no id: the answer has that of the request, as all of Plivo's have, or is empty (deleted)."""
        answer = await self._api.ask(request)
        if may_be_empty and answer.is_success and answer.body == b"":
            return {}
        content = self._api.content(request, answer)
        if not isinstance(content, dict):
            raise self._api.not_understood(request, answer)
        if answers.error(content) or not _api_id(content):
            self._no_id(request, content)
        return content

    def _no_id(self, request: Request, content: Mapping[str, Any]) -> NoReturn:
        """A good status without what was asked for: a no where it says so, and not understood where it does not."""
        if reason := answers.error(content):
            raise self._api.refused(request, _in_words(reason))
        raise self._api.not_understood(request)

    async def _one(
        self, request: Request, name: str, read: Callable[[Mapping[str, Any]], RegistrationReceipt | None]
    ) -> RegistrationReceipt | None:
        content = await self._api.find(request)
        if content is None:
            return None
        record = content.get(name)
        receipt = read(record if isinstance(record, dict) else content)
        if receipt is None:
            raise self._api.not_understood(request)
        return receipt

    async def _page(
        self,
        what: str,
        path: str,
        read: Callable[[Mapping[str, Any]], T | None],
        query: Mapping[str, str],
        name: str = "objects",
        *,
        offset: int,
    ) -> tuple[list[T], int | None]:
        request = self._get(what, path, {**query, "limit": str(PAGE_MAX), "offset": str(offset)})
        content = await self._api.call(request)
        if not answers.is_list(content, name) or not answers.pages_by_offset(content, offset):
            raise self._api.not_understood(request)
        records = answers.records(content, name)
        found = [value for record in records if (value := read(record)) is not None]
        return found, answers.next_offset(content, offset, len(records))


def _problem(request: Request, answer: Answer) -> Problem:
    """What the body of an error says. It may be empty or not JSON; then the status has to do."""
    reason = answers.error(answer.content())
    if answer.status == 403 and request.method == "POST" and request.url.endswith(_BY_COUNTRY):
        return _explained(_COUNTRY_BARRED, reason)
    problem = _in_words(reason or "")
    return problem if problem.code else Problem(reason=reason, advice=_ADVICE.get(answer.status))


def _in_words(reason: str) -> Problem:
    for words, code in _IN_WORDS:
        if words.search(reason):
            return _explained(code, reason)
    return Problem(reason=reason or None)


def _explained(code: str, reason: str | None) -> Problem:
    return Problem(code=code, reason=reason, advice=error_codes.explain(code).advice)


def _api_id(content: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Plivo's id of the request, which its support asks for."""
    api_id = answers.ids(content, "api_id", "apiId")
    return (("api_id", api_id[0]),) if api_id else ()


def _session(session_id: str, word: str, status: SessionStatus) -> SessionReceipt:
    return SessionReceipt(provider_session_id=session_id, provider_status=word, status=status, source=Source.SEND)


def _pending(
    registration: Registration,
    our_id: str,
    content: Mapping[str, Any],
    *,
    brand_id: str | None = None,
    campaign_id: str | None = None,
    number: str | None = None,
) -> RegistrationReceipt:
    return RegistrationReceipt(
        registration=registration,
        provider_status="",  # it says that it is under way, in no word of its own
        status=RegistrationStatus.PENDING,
        source=Source.SEND,
        provider_brand_id=brand_id,
        provider_campaign_id=campaign_id,
        number=normalise(number),
        our_id=our_id,
        extra=_api_id(content),
    )


def _profile(record: Mapping[str, Any]) -> Profile | None:
    found = answers.ids(record, "profile_uuid")
    if not found:
        return None
    return Profile(found[0], answers.text(record, "profile_alias"), answers.text(record, "company_name"))
