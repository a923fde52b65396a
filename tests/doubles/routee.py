"""Routee's API as its pages and SDKs describe it: tokens, messages and their tracking, 2-step verification, balance."""

import secrets
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from landed.simulator.callbacks import routee as callbacks
from tests.calling import Call, routee_post
from tests.doubles.api import Arrived, Double, Reply

APPLICATION_ID: Final = "57b58dfde4b0a64be34cdf35"
APPLICATION_SECRET: Final = "routee-secret-of-the-tests"


@dataclass(slots=True, kw_only=True)
class SentMessage:
    """A message that was taken, as it was asked for, and the status of each of its parts."""

    message_id: str
    body: dict[str, Any]
    at: datetime
    statuses: list[str]
    part_ids: list[str]


@dataclass(slots=True, kw_only=True)
class TwoStep:
    tracking_id: str
    body: dict[str, Any]
    code: str
    at: datetime
    status: str = "Pending"
    tries: int = 0


@dataclass(slots=True)
class Token:
    value: str = field(default_factory=lambda: f"token-{uuid4()}")
    is_live: bool = True


class RouteeDouble(Double):
    def __init__(
        self,
        *,
        application_id: str = APPLICATION_ID,
        secret: str = APPLICATION_SECRET,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self.application_id = application_id
        self.secret = secret
        self.clock = clock
        self.expires_in: int | str = 3600
        self.tokens: list[Token] = []
        self.refusal = 401  #: what a token that does not hold is answered with; 403 is the other
        self.messages: dict[str, SentMessage] = {}
        self.sessions: dict[str, TwoStep] = {}
        self.tries_max = 3
        self.has_credit = True
        self.has_balance = True

    def revoke_tokens(self) -> None:
        for token in self.tokens:
            token.is_live = False

    def sent_to(self, number: str) -> list[SentMessage]:
        return [message for message in self.messages.values() if message.body["to"] == number]

    def act(self, arrived: Arrived) -> Reply:
        if arrived.path == "/oauth/token":
            return self._give_token(arrived)
        told = arrived.headers.get("authorization", "").removeprefix("Bearer ")
        if not any(token.is_live and secrets.compare_digest(token.value, told) for token in self.tokens):
            return Reply(status=self.refusal, content={"error": "invalid_token", "error_description": "it ended"})
        match (arrived.method, *arrived.path.strip("/").split("/")):
            case ("POST", "sms"):
                return self._send(arrived.json())
            case ("GET", "sms", "tracking", "single", message_id):
                return self._track(message_id)
            case ("POST", "sms", "tracking"):
                return self._list(arrived)
            case ("POST", "2step"):
                return self._start(arrived.json())
            case (method, "2step", tracking_id):
                return self._two_step(method, tracking_id, arrived)
            case ("GET", "accounts", "me", "balance") if self.has_balance:
                return Reply(
                    status=200, content={"balance": 20.5, "currency": {"code": "EUR", "name": "Euro", "sign": "€"}}
                )
            case ("GET", "accounts", "me", "balance"):
                return Reply(status=403, content={"code": "403000000", "developerMessage": "no permission"})
        return Reply(status=404, content={"code": "404000000", "developerMessage": "not found"})

    def _give_token(self, arrived: Arrived) -> Reply:
        basic = "Basic " + b64encode(f"{self.application_id}:{self.secret}".encode()).decode()
        if not secrets.compare_digest(arrived.headers.get("authorization", ""), basic):
            return Reply(status=401, content={"error": "invalid_client", "error_description": "Bad credentials"})
        if arrived.form.get("grant_type") != "client_credentials":
            return Reply(status=400, content={"error": "unsupported_grant_type"})
        token = Token()
        self.tokens.append(token)
        content = {
            "access_token": token.value,
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": "sms 2step",
            "permissions": ["MT_ROLE_SMS", "MT_ROLE_2STEP"],
        }
        return Reply(status=200, content=content)

    # --- messages --------------------------------------------------------------------------------------------------

    def _send(self, body: dict[str, Any]) -> Reply:
        if not self.has_credit:
            return _error(400, "400001009", "Insufficient balance")
        missing = {name: "is required" for name in ("body", "to", "from") if not body.get(name)}
        if missing or not str(body.get("to", "")).startswith("+"):
            return _error(400, "400005000", "Invalid SMS data", missing or {"to": f"{body['to']} is not E.164"})
        message_id, parts = str(uuid4()), 1 if len(body["body"]) <= 160 else -(-len(body["body"]) // 153)
        self.messages[message_id] = SentMessage(
            message_id=message_id,
            body=body,
            at=self.clock(),
            statuses=["Queued"] * parts,
            part_ids=[str(uuid4()) for _ in range(parts)],
        )
        content = {
            "trackingId": message_id,
            "status": "Queued",
            "createdAt": _iso(self.clock()),
            "flash": False,
            **{name: body.get(name) for name in ("from", "to", "body", "label", "callback")},
            "bodyAnalysis": {
                "parts": parts,
                "unicode": False,
                "characters": len(body["body"]),
                "unsupportedGSMCharacters": [],
            },
        }
        return Reply(status=200, content=content)

    def _track(self, message_id: str) -> Reply:
        if message_id not in self.messages:
            return _error(404, "404005000", "Tracking not found")
        return Reply(status=200, content=self.records(self.messages[message_id]))

    def records(self, message: SentMessage) -> list[dict[str, Any]]:
        """As `GET /sms/tracking/single/{id}` tells it: one for each part."""
        return [
            {
                "applicationName": "tests",
                "smsId": part_id,
                "messageId": message.message_id,
                "to": message.body["to"].removeprefix("+"),
                "from": message.body["from"],
                "groups": [],
                "country": "Greece",
                "operator": "Cosmote",
                "status": {"status": status, "date": _iso(message.at), "reason": None},
                "body": message.body["body"],
                "label": message.body.get("label"),
                "originatingService": "Sms",
                "direction": "Outbound",
                "latency": 1,
                "part": number,
                "parts": len(message.part_ids),
                "price": 0.042,
            }
            for number, (part_id, status) in enumerate(zip(message.part_ids, message.statuses, strict=True), start=1)
        ]

    def _list(self, arrived: Arrived) -> Reply:
        query, filters = arrived.query, arrived.json()
        since, until = (datetime.fromisoformat(query[name]) for name in ("dateStart", "dateEnd"))
        if self.clock() - since > timedelta(days=7, minutes=1):
            return _error(400, "400005000", "Only the latest 7 days")
        page, size = int(query.get("page", 0)), int(query.get("size", 20))
        found = [
            record
            for message in self.messages.values()
            if since <= message.at <= until
            for record in self.records(message)
            if all(_passes(record, each) for each in filters)
        ]
        content = found[page * size : (page + 1) * size]
        pages = -(-len(found) // size)
        return Reply(
            status=200,
            content={
                "content": content,
                "totalPages": pages,
                "last": page + 1 >= pages,
                "totalElements": len(found),
                "first": page == 0,
                "numberOfElements": len(content),
                "size": size,
                "number": page,
            },
        )

    # --- 2-step ----------------------------------------------------------------------------------------------------

    def _start(self, body: dict[str, Any]) -> Reply:
        if body.get("method") not in ("sms", "voice") or body.get("type") != "code" or not body.get("recipient"):
            return _error(400, "400005000", "Invalid data")
        if "@@pin" not in body.get("template", "@@pin"):
            return _error(400, "400011001", "The template has no @@pin")
        tracking_id = str(uuid4())
        code = "".join(secrets.choice("0123456789") for _ in range(body.get("digits", 4)))
        session = TwoStep(tracking_id=tracking_id, body=body, code=code, at=self.clock())
        self.sessions[tracking_id] = session
        return Reply(status=200, content=self.session_record(session))

    def session_record(self, session: TwoStep) -> dict[str, Any]:
        lifetime = timedelta(seconds=session.body.get("lifetimeInSeconds", 300))
        return {
            "trackingId": session.tracking_id,
            "status": session.status,
            "updatedAt": _iso(session.at),
            "expiresAt": _iso(session.at + lifetime),
            "maxRetries": self.tries_max,
            "timesTried": session.tries,
        }

    def _two_step(self, method: str, tracking_id: str, arrived: Arrived) -> Reply:
        session = self.sessions.get(tracking_id)
        if session is None:
            return _error(404, "404011006", "Unknown verification")
        if method == "POST":
            if refusal := self._answer(session, arrived.form.get("answer", "")):
                return refusal
        elif method == "DELETE":
            if session.status != "Pending":
                return _error(400, "400011002", "Not pending")
            session.status = "Cancelled"
        return Reply(status=200, content=self.session_record(session))

    def _answer(self, session: TwoStep, code: str) -> Reply | None:
        if session.status == "Expired":
            return _error(400, "400011003", "Expired")
        if session.status == "Failed":
            return _error(400, "400011004", "Max retries reached")
        if session.status != "Pending":
            return _error(400, "400011002", "Not pending")
        session.tries += 1
        if code != session.code:
            if session.tries >= self.tries_max:
                session.status = "Failed"
            return _error(400, "400011005", f"Wrong answer: {code}")
        session.status = "Verified"
        return None

    # --- callbacks -------------------------------------------------------------------------------------------------

    def status_call(self, message_id: str, status: str, *, part: int = 1, reason: str | None = None) -> Call:
        """The callback of a part; tracking says the same from now on."""
        message = self.messages[message_id]
        message.statuses[part - 1] = status
        described = callbacks.Message(
            id=message_id,
            sender=message.body["from"],
            recipient=message.body["to"],
            text=message.body["body"],
            label=message.body.get("label"),
            parts=len(message.part_ids),
            application_name="tests",
        )
        content = callbacks.message_status(
            described,
            status,
            sms_id=message.part_ids[part - 1],
            at=self.clock(),
            part=part,
            detailed_status=reason,
            description=reason or "",
        )
        return routee_post(message.body["callback"]["url"], content)

    async def post_status(self, message_id: str, status: str, *, part: int = 1, reason: str | None = None) -> int:
        return await self.deliver(self.status_call(message_id, status, part=part, reason=reason))

    def session_call(self, tracking_id: str, url: str) -> Call:
        """The callback of a session as it stands, to the address that is set for the application."""
        session = self.sessions[tracking_id]
        content = callbacks.two_step(
            tracking_id, self.application_id, session.body["recipient"], session.status, updated_at=self.clock()
        )
        return routee_post(url, content)

    async def post_session(self, tracking_id: str, url: str) -> int:
        return await self.deliver(self.session_call(tracking_id, url))


def _passes(record: dict[str, Any], condition: dict[str, str]) -> bool:
    value, term = str(record.get(condition["fieldName"])), condition["searchTerm"]
    return term in value if condition.get("searchOperator") == "contains" else value == term


def _error(status: int, code: str, text: str, properties: dict[str, str] | None = None) -> Reply:
    return Reply(
        status=status,
        content={"code": code, "developerMessage": text, "properties": properties or {}, "entity": None},
    )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
