"""Plivo's API as its pages and SDKs describe it: messages, Verify, conversions, 10DLC, the account.

Strict where Plivo is: HTTP Basic, the slash at the end of every path, what is required. Times are written as Plivo
writes them, with an offset that is not UTC's.
"""

import operator
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

from landed.domain.numbers import normalise
from landed.simulator.callbacks import plivo as callbacks
from tests.calling import Call, plivo_get, plivo_post
from tests.doubles.api import Arrived, Double, Reply

AUTH_ID: Final = "MAXXXXXXXXXXXXXXXXXX"
AUTH_TOKEN: Final = "plivo-auth-token-of-the-tests"
INDIA: Final = timezone(timedelta(hours=5, minutes=30))
PAGE_MAX: Final = 20
TRIES_MAX: Final = 10


@dataclass(slots=True, kw_only=True)
class SentMessage:
    """A message that was taken, as it was asked for; one for each destination."""

    uuid: str
    body: dict[str, Any]
    to: str
    at: datetime
    state: str = "queued"
    error_code: str | None = None
    sent_at: datetime | None = None
    updated_at: datetime | None = None
    direction: str = "outbound"
    sequence: int = 0


@dataclass(slots=True, kw_only=True)
class VerifySession:
    uuid: str
    body: dict[str, Any]
    code: str
    at: datetime
    status: str = "in-progress"
    tries: int = 0
    attempt_uuid: str = field(default_factory=lambda: str(uuid4()))
    attempt_status: str = "sent"


class PlivoDouble(Double):
    def __init__(
        self,
        *,
        auth_id: str = AUTH_ID,
        auth_token: str = AUTH_TOKEN,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self.auth_id = auth_id
        self.auth_token = auth_token
        self.clock = clock
        self.messages: dict[str, SentMessage] = {}
        self.sessions: dict[str, VerifySession] = {}
        self.conversions: list[tuple[str, dict[str, Any]]] = []
        self.profiles: dict[str, dict[str, Any]] = {}
        self.brands: dict[str, dict[str, Any]] = {}
        self.campaigns: dict[str, dict[str, Any]] = {}
        self.numbers: dict[str, dict[str, str]] = {}  #: by campaign, then by number: the status
        self.unlinked: list[tuple[str, str, dict[str, Any]]] = []
        #: Destinations that it will not send to: named in the answer, or, by their first digits, refused by a 403.
        self.invalid_numbers: set[str] = set()
        self.barred_prefixes: tuple[str, ...] = ()
        self.has_credit = True
        #: What a wrong code is answered with; which it is, is not documented.
        self.wrong_code = Reply(status=400, content={"error": "invalid otp"})

    # --- what it knows ---------------------------------------------------------------------------------------------

    def sent_to(self, number: str) -> list[SentMessage]:
        """All messages to a number, in order."""
        return [message for message in self.messages.values() if normalise(message.to) == normalise(number)]

    def act(self, arrived: Arrived) -> Reply:
        expected = "Basic " + b64encode(f"{self.auth_id}:{self.auth_token}".encode()).decode()
        if not secrets.compare_digest(arrived.headers.get("authorization", ""), expected):
            return self._error(401, "Could not verify your access level for that URL.")
        account, conversion = f"/v1/Account/{self.auth_id}/", f"/v1/account/{self.auth_id}/"
        if arrived.path.startswith(conversion):
            return self._conversion(arrived, arrived.path.removeprefix(conversion))
        if not arrived.path.startswith(account) or not arrived.path.endswith("/"):
            return self._error(404, "not found")
        try:
            return self._route(arrived, arrived.path.removeprefix(account).strip("/").split("/"))
        except KeyError:
            return self._error(404, "not found")

    def _route(self, arrived: Arrived, path: list[str]) -> Reply:
        match (arrived.method, *path):
            case ("GET", ""):
                return self._ok(200, **self._account())
            case ("POST", "Message"):
                return self._send(arrived.json())
            case ("GET", "Message"):
                return self._list_messages(arrived.query)
            case ("GET", "Message", uuid):
                return self._ok(200, **self.record(self.messages[uuid]))
            case ("POST", "Verify", "Session"):
                return self._start_session(arrived.json())
            case ("GET", "Verify", "Session"):
                return self._list_sessions(arrived.query)
            case ("POST", "Verify", "Session", uuid):
                return self._check_code(self.sessions[uuid], arrived.json())
            case ("GET", "Verify", "Session", uuid):
                return self._ok(200, **self.session_record(self.sessions[uuid]))
            case (method, "Profile", *rest):
                return self._profile(method, rest, arrived)
            case (method, "10dlc", "Brand", *rest):
                return self._brand(method, rest, arrived)
            case (method, "10dlc", "Campaign", *rest):
                return self._campaign(method, rest, arrived)
        return self._error(405, "method not allowed")

    # --- messages --------------------------------------------------------------------------------------------------

    def _send(self, body: dict[str, Any]) -> Reply:
        if not self.has_credit:
            return self._error(400, "Insufficient Credit")
        if bool(body.get("src")) == bool(body.get("powerpack_uuid")):
            return self._error(400, "exactly one of src and powerpack_uuid is required")
        if not body.get("dst"):
            return self._error(400, "dst parameter not present")
        if body.get("type", "sms") not in ("sms", "mms", "whatsapp"):
            return self._error(400, "type is not valid")
        if body.get("type", "sms") == "sms" and not body.get("text"):
            return self._error(400, "text parameter not present")
        if body.get("template") and body.get("type") != "whatsapp":
            return self._error(400, "template is for whatsapp only")
        if not 5 <= body.get("message_expiry", 5) <= 10_799:
            return self._error(400, "message_expiry should be between 5 and 10799")
        if body.get("method", "POST") not in ("GET", "POST"):
            return self._error(400, "method is not valid")
        destinations = body["dst"].split("<")
        if body.get("src") in destinations:
            return self._error(400, f"src and dst cannot be same: {body['src']}")
        if any(self._is_barred(number) for number in destinations):
            return self._error(403, "Destination country is not enabled for this account")
        refused = [number for number in destinations if number in self.invalid_numbers]
        uuids = [self._take(body, number) for number in destinations if number not in refused]
        content: dict[str, Any] = {"message": "message(s) queued", "message_uuid": uuids}
        return self._ok(202, **content, **({"invalid_number": refused} if refused else {}))

    def _is_barred(self, number: str) -> bool:
        return number.removeprefix("+").startswith(self.barred_prefixes)

    def _take(self, body: dict[str, Any], number: str) -> str:
        uuid = str(uuid4())
        self.messages[uuid] = SentMessage(uuid=uuid, body=body, to=number, at=self.clock())
        return uuid

    def record(self, message: SentMessage) -> dict[str, Any]:
        """As `GET Message/{uuid}/` tells it."""
        return {
            "error_code": message.error_code,
            "error_message": "",
            "from_number": str(message.body.get("src", "")).removeprefix("+"),
            "message_direction": message.direction,
            "message_state": message.state,
            "message_time": _record_time(message.at),
            "message_sent_time": _record_time(message.sent_at),
            "message_updated_time": _record_time(message.updated_at),
            "message_type": message.body.get("type", "sms"),
            "message_uuid": message.uuid,
            "resource_uri": f"/v1/Account/{self.auth_id}/Message/{message.uuid}/",
            "to_number": message.to.removeprefix("+"),
            "total_amount": "0.00550",
            "total_rate": "0.00550",
            "units": 1,
            "mcc": "310",
            "mnc": "260",
            "destination_country_iso2": "US",
            "requester_ip": "192.0.2.1",
            "is_domestic": False,
            "powerpack_id": message.body.get("powerpack_uuid"),
        }

    def _list_messages(self, query: dict[str, str]) -> Reply:
        found = [
            message
            for message in self.messages.values()
            if _within("message_time", message.at, query)
            and query.get("to_number", message.to.removeprefix("+")) == message.to.removeprefix("+")
            and query.get("message_direction", message.direction) == message.direction
            and query.get("message_state", message.state) == message.state
        ]
        found.sort(key=lambda message: message.at, reverse=True)
        return self._page("Message", "objects", map(self.record, found), query)

    # --- verify ----------------------------------------------------------------------------------------------------

    def _start_session(self, body: dict[str, Any]) -> Reply:
        if not body.get("recipient"):
            return self._error(400, "recipient parameter not present")
        if body.get("channel", "sms") not in ("sms", "voice"):
            return self._error(400, "channel is not valid")
        if not 4 <= body.get("code_length", 6) <= 8:
            return self._error(400, "code_length should be between 4 and 8")
        if self._is_barred(body["recipient"]):
            return self._error(403, "Destination country is not enabled for this account")
        uuid = str(uuid4())
        code = "".join(secrets.choice("0123456789") for _ in range(body.get("code_length", 6)))
        self.sessions[uuid] = VerifySession(uuid=uuid, body=body, code=code, at=self.clock())
        return self._ok(202, message="Session initiated", session_uuid=uuid)

    def _check_code(self, session: VerifySession, body: dict[str, Any]) -> Reply:
        if session.status != "in-progress":
            return self._error(400, f"session is {session.status}")
        session.tries += 1
        if session.tries > TRIES_MAX:
            return self._error(400, "too many tries")
        if body.get("otp") != session.code:
            return self.wrong_code
        session.status = "verified"
        return self._ok(200, message="session validated successfully.")

    def session_record(self, session: VerifySession) -> dict[str, Any]:
        """As `GET Verify/Session/{uuid}/` tells it."""
        channel = session.body.get("channel", "sms")
        return {
            "session_uuid": session.uuid,
            "app_uuid": session.body.get("app_uuid", str(uuid4())),
            "alias": "tests",
            "recipient": session.body["recipient"].removeprefix("+"),
            "channel": channel,
            "locale": session.body.get("locale", "en"),
            "status": session.status,
            "count": 1,
            "requestor_ip": "192.0.2.1",
            "destination_country_iso2": "US",
            "destination_network": None,
            "attempt_details": [
                {
                    "channel": channel,
                    "attempt_uuid": session.attempt_uuid,
                    "status": session.attempt_status,
                    "time": _iso(session.at),
                }
            ],
            "charges": {
                "total_charge": "0.0065",
                "validation_charge": "0.0010",
                "attempt_charges": [{"attempt_uuid": session.attempt_uuid, "channel": channel, "charge": "0.0055"}],
            },
            "created_at": _iso(session.at),
            "updated_at": _iso(session.at),
        }

    def _list_sessions(self, query: dict[str, str]) -> Reply:
        found = [
            self.session_record(session)
            for session in self.sessions.values()
            if _within("session_time", session.at, query)
            and query.get("recipient", "") in ("", session.body["recipient"].removeprefix("+"))
        ]
        return self._page("Verify/Session", "sessions", found, query)

    # --- conversions and the account -------------------------------------------------------------------------------

    def _conversion(self, arrived: Arrived, path: str) -> Reply:
        match path.split("/"):
            case ["message", uuid, "conversion", ""] if arrived.method == "POST" and uuid in self.messages:
                body = arrived.json()
                if body.get("status") not in ("CONVERTED", "NOT_CONVERTED", "CONVERTED_WITH_OTHERS"):
                    return self._error(400, "status is not valid")
                datetime.fromisoformat(body["timestamp"])
                self.conversions.append((uuid, body))
                said = "successfully recorded."
                return self._ok(200, conversion_uuid=f"conv-{uuid}", message=said, message_uuid=uuid)
        return self._error(404, "not found")

    def _account(self) -> dict[str, Any]:
        return {
            "account_type": "standard",
            "address": "",
            "auth_id": self.auth_id,
            "auto_recharge": False,
            "billing_mode": "prepaid",
            "cash_credits": "23.79822",
            "city": "",
            "name": "Sherlock Holmes",
            "resource_uri": f"/v1/Account/{self.auth_id}/",
            "state": "",
            "timezone": "Asia/Kolkata",
        }

    # --- 10DLC -----------------------------------------------------------------------------------------------------

    def _profile(self, method: str, path: list[str], arrived: Arrived) -> Reply:
        if method == "POST" and not path:
            body = arrived.json()
            if missing := _missing(body, "customer_type", "entity_type", "company_name", "vertical"):
                return self._error(400, missing)
            uuid = str(uuid4())
            self.profiles[uuid] = {**body, "profile_uuid": uuid}
            return self._ok(201, profile_uuid=uuid)
        if method == "GET" and not path:
            return self._page("Profile", "profiles", self.profiles.values(), arrived.query)
        return self._ok(200, profile=self.profiles[path[0]])

    def _brand(self, method: str, path: list[str], arrived: Arrived) -> Reply:
        if method == "POST" and not path:
            body = arrived.json()
            if missing := _missing(body, "brand_alias", "profile_uuid"):
                return self._error(400, missing)
            if body["profile_uuid"] not in self.profiles:
                return self._error(404, "profile not found")
            brand_id = _short_id("B")
            self.brands[brand_id] = {
                "brand_type": "STARTER",
                **body,
                "brand_id": brand_id,
                "registration_status": "PROCESSING",
                "created_at": _iso(self.clock()),
            }
            said = "Request to create brand was received and is being processed."
            return self._ok(202, brand_id=brand_id, message=said)
        if method == "GET" and not path:
            return self._page("10dlc/Brand", "brands", self.brands.values(), arrived.query)
        return self._ok(200, brand=self.brands[path[0]])

    def _campaign(self, method: str, path: list[str], arrived: Arrived) -> Reply:
        match (method, *path):
            case ("POST",):
                return self._create_campaign(arrived.json())
            case ("GET",):
                return self._page("10dlc/Campaign", "campaigns", self.campaigns.values(), arrived.query)
            case ("GET", campaign_id):
                return self._ok(200, campaign=self.campaigns[campaign_id])
            case ("POST", campaign_id, "Number"):
                return self._link(campaign_id, arrived.json())
            case ("GET", campaign_id, "Number"):
                return self._numbers(campaign_id, self.numbers.get(campaign_id, {}), arrived.query)
            case ("GET", campaign_id, "Number", number):
                if number not in self.numbers.get(campaign_id, {}):
                    return self._error(404, f"The number {number} is not linked to this campaign")
                return self._numbers(campaign_id, {number: self.numbers[campaign_id][number]}, {})
            case ("DELETE", campaign_id, "Number", number):
                if number not in self.numbers.get(campaign_id, {}):
                    return self._error(404, f"The number {number} is not linked to this campaign")
                del self.numbers[campaign_id][number]
                self.unlinked.append((campaign_id, number, arrived.query or arrived.json()))
                return self._ok(202, message="Request to unlink number was received and is being processed.")
        return self._error(405, "method not allowed")

    def _create_campaign(self, body: dict[str, Any]) -> Reply:
        if missing := _missing(body, "brand_id", "vertical", "usecase", "description", "sample1", "sample2"):
            return self._error(400, missing)
        if body["brand_id"] not in self.brands:
            return self._error(404, "brand not found")
        campaign_id = _short_id("C")
        self.campaigns[campaign_id] = {
            **body,
            "campaign_id": campaign_id,
            "registration_status": "PROCESSING",
            "error_code": "",
            "error_reason": "",
            "error_description": "",
        }
        said = "Request to create campaign was received and is being processed."
        return self._ok(202, campaign_id=campaign_id, message=said)

    def _link(self, campaign_id: str, body: dict[str, Any]) -> Reply:
        if campaign_id not in self.campaigns:
            return self._error(404, "campaign not found")
        if not body.get("numbers"):
            return self._error(400, "numbers parameter not present")
        linked = {number for numbers in self.numbers.values() for number in numbers}
        for number in body["numbers"]:
            if number in linked:
                return self._error(400, f"The number {number} is already requested for linking")
        self.numbers.setdefault(campaign_id, {}).update(dict.fromkeys(body["numbers"], "PROCESSING"))
        return self._ok(202, message="Request to link number(s) was received and is being processed.")

    def _numbers(self, campaign_id: str, numbers: dict[str, str], query: dict[str, str]) -> Reply:
        campaign = self.campaigns[campaign_id]
        records = [{"number": number, "status": status} for number, status in numbers.items()]
        reply = self._page(f"10dlc/Campaign/{campaign_id}/Number", "phone_numbers", records, query)
        if isinstance(reply.content, dict):
            reply.content.update(campaign_id=campaign_id, usecase=campaign.get("usecase"))
        return reply

    # --- callbacks -------------------------------------------------------------------------------------------------

    def status_call(self, uuid: str, status: str, *, error_code: str = "", families: str = "v2") -> Call:
        """The callback of a message, signed; the record says the same from now on."""
        message = self.messages[uuid]
        message.state, message.error_code = status, error_code or None
        message.sequence += 1
        message.updated_at = now = self.clock()
        if status == "sent":
            message.sent_at = now
        times = callbacks.Times(message=message.at, delivery_report=now if status not in ("queued", "sent") else None)
        described = callbacks.Message(
            uuid=uuid,
            sender=str(message.body.get("src", "")),
            recipient=message.to,
            type=message.body.get("type", "sms"),
            rate="0.0055",
        )
        fields = callbacks.message_status(
            described, status, sequence=message.sequence, times=times, error_code=error_code
        )
        return self._signed(message.body, fields, families)

    async def post_status(self, uuid: str, status: str, *, error_code: str = "", families: str = "v2") -> int:
        return await self.deliver(self.status_call(uuid, status, error_code=error_code, families=families))

    def session_call(self, uuid: str, *, channel_status: str = "delivered", families: str = "v2") -> Call:
        """The callback of a session as it stands, after its attempt came to this status."""
        session = self.sessions[uuid]
        session.attempt_status = channel_status
        fields = callbacks.verify_session(
            callbacks.Session(uuid=uuid, recipient=session.body["recipient"]),
            session.status,
            callbacks.Attempt(
                uuid=session.attempt_uuid, channel=session.body.get("channel", "sms"), requested_at=session.at
            ),
            channel_status,
        )
        return self._signed(session.body, fields, families)

    async def post_session(self, uuid: str, *, channel_status: str = "delivered", families: str = "v2") -> int:
        return await self.deliver(self.session_call(uuid, channel_status=channel_status, families=families))

    async def post_brand(self, brand_id: str, status: str, *, families: str = "v2") -> int:
        return await self.deliver(self.brand_call(brand_id, status, families=families))

    def brand_call(self, brand_id: str, status: str, *, families: str = "v2") -> Call:
        """`created`, `rejected` or `registered`."""
        words = {"created": "PROCESSING", "registered": "COMPLETED", "rejected": "FAILED"}
        brand = self.brands[brand_id]
        brand["registration_status"] = words.get(status, status)
        return self._signed(brand, callbacks.brand(brand_id, status), families)

    async def post_campaign(self, campaign_id: str, status: str, *, families: str = "v2") -> int:
        return await self.deliver(self.campaign_call(campaign_id, status, families=families))

    def campaign_call(self, campaign_id: str, status: str, *, families: str = "v2") -> Call:
        """`created`, `rejected` or `registered`."""
        words = {"created": "PROCESSING", "registered": "ACTIVE", "rejected": "FAILED"}
        campaign = self.campaigns[campaign_id]
        campaign["registration_status"] = words.get(status, status)
        fields = callbacks.campaign(campaign_id, campaign["brand_id"], status)
        return self._signed(campaign, fields, families)

    async def post_number(
        self, address: dict[str, Any], campaign_id: str, number: str, status: str, *, unlinking: bool = False
    ) -> int:
        return await self.deliver(self.number_call(address, campaign_id, number, status, unlinking=unlinking))

    def number_call(
        self, address: dict[str, Any], campaign_id: str, number: str, status: str, *, unlinking: bool = False
    ) -> Call:
        """`created`, `failed` or `success`; `address` has `url` and `method`."""
        words = {"created": "PROCESSING", "success": "COMPLETED", "failed": "FAILED"}
        if number in self.numbers.get(campaign_id, {}):
            self.numbers[campaign_id][number] = words.get(status, status)
        fields = callbacks.number(campaign_id, number, status, unlinking=unlinking)
        return self._signed(address, fields, "v2")

    def _signed(self, body: dict[str, Any], fields: callbacks.Fields, families: str) -> Call:
        if body.get("method", "POST") == "GET":
            return plivo_get(body["url"], urlencode(fields), self.auth_token, families=families)
        return plivo_post(body["url"], fields, self.auth_token, families=families)

    # --- how it answers --------------------------------------------------------------------------------------------

    def _ok(self, status: int, /, **content: Any) -> Reply:
        return Reply(status=status, content={"api_id": str(uuid4()), **content})

    def _error(self, status: int, text: str) -> Reply:
        return self._ok(status, error=text)

    def _page(self, path: str, name: str, records: Iterable[dict[str, Any]], query: dict[str, str]) -> Reply:
        limit, offset = int(query.get("limit", PAGE_MAX)), int(query.get("offset", 0))
        if not 0 < limit <= PAGE_MAX or offset < 0:
            return self._error(400, "limit should be between 1 and 20")
        every = list(records)
        uri = f"/v1/Account/{self.auth_id}/{path}/?limit={limit}&offset="
        has_next = offset + limit < len(every)
        meta = {
            "limit": limit,
            "offset": offset,
            "next": f"{uri}{offset + limit}" if has_next else None,
            "previous": f"{uri}{max(0, offset - limit)}" if offset else None,
            "total_count": len(every),
        }
        return self._ok(200, meta=meta, **{name: every[offset : offset + limit]})


def _within(name: str, at: datetime, query: dict[str, str]) -> bool:
    """Whether a time passes the filters `name__gte` and so on, which are in UTC."""
    tests: dict[str, Callable[[datetime, datetime], bool]] = {
        "__gt": operator.gt,
        "__gte": operator.ge,
        "__lt": operator.lt,
        "__lte": operator.le,
        "": operator.eq,
    }
    return all(
        test(at, datetime.fromisoformat(query[name + suffix] + "+00:00"))
        for suffix, test in tests.items()
        if name + suffix in query
    )


def _missing(body: dict[str, Any], *names: str) -> str:
    return next((f"{name} parameter not present" for name in names if not body.get(name)), "")


def _short_id(first: str) -> str:
    return first + "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789") for _ in range(6))


def _record_time(at: datetime | None) -> str:
    return at.astimezone(INDIA).isoformat(sep=" ") if at else ""


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
