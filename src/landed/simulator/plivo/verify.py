"""Verify: sessions, the attempts to reach their people, and the codes that they type.

A session is made once for a recipient and application while its code lives; asking again makes another attempt of it,
with the same code ("The API creates a Session object once for each recipient within the code expiry time").
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from landed.domain.receipts import Channel
from landed.simulator.callbacks.plivo import digits
from landed.simulator.plivo import answers, reaching
from landed.simulator.plivo.answers import Refused, Reply, iso, not_found, within
from landed.simulator.plivo.api import Resource
from landed.simulator.plivo.parameters import is_person
from landed.simulator.plivo.reaching import DETAILS, ENDED, LIFE, Reaching
from landed.simulator.plivo.shared import Ask, Shared
from landed.simulator.plivo.state import Session

TRIES_MAX: Final = 10
ATTEMPTS_MAX: Final = 10
CODE_DIGITS: Final = 6
CODE_LENGTH: Final = (4, 8)
LISTS_MAX: Final = 20
LISTS_S: Final = 60.0
CHANNELS: Final = ("sms", "voice")
_ALIAS: Final = "default"
VALIDATION_CHARGE: Final = "0.00100"


class Verify:
    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._reaching = Reaching(shared)
        self.resources = (
            Resource("POST", "Verify/Session/", self.create),
            Resource("GET", "Verify/Session/", self.list),
            Resource("POST", "Verify/Session/{}/", self.validate),
            Resource("GET", "Verify/Session/{}/", self.get),
        )

    # --- what is asked ---------------------------------------------------------------------------------------------

    def create(self, ask: Ask) -> Reply:
        given = ask.parameters
        given.need("recipient")
        recipient = given.text("recipient", characters_max=40)
        if not is_person(recipient):
            raise Refused(400, "recipient should be a number in E.164 format")
        recipient = digits(recipient)
        channel = given.one_of("channel", CHANNELS, "sms")
        length = given.whole("code_length", *CODE_LENGTH) or CODE_DIGITS
        otp = given.text("otp", characters_max=CODE_LENGTH[1])
        if otp and not (otp.isascii() and otp.isdigit() and len(otp) >= CODE_LENGTH[0]):
            raise Refused(400, "otp should be 4 to 8 digits")
        for name in DETAILS:
            if isinstance(given.content.get(name), dict | list):
                raise Refused(400, f"{name} should be a text, a number, true or false")
        url, method = given.url(), given.method()
        how = self._shared.refuse_by_magic(recipient)
        if self._shared.main_of(ask.account).balance <= 0:
            raise Refused(400, "Insufficient Credit")
        session = self._open_session(ask, recipient)
        if session is None:
            session = self._begin(ask, recipient, otp, length)
        elif len(session.attempts) >= ATTEMPTS_MAX:
            raise Refused(400, "the maximum of attempts for this session is reached")
        if url or not session.attempts or "method" in given:
            session.url, session.method = url or session.url, method
        self._reaching.attempt(session, channel, given)
        self._shared.carrier.told_by_api(reaching.truth(session, session.attempts[-1]))
        content = {"message": "Session initiated", "session_uuid": session.uuid}
        return Reply(status=202, content=content, how=how)

    def validate(self, ask: Ask, uuid: str) -> Reply:
        session = self._session(ask, uuid)
        ask.parameters.need("otp")
        if session.status != "in-progress":
            raise Refused(400, f"session is {session.status}")
        session.tries += 1
        if session.tries > TRIES_MAX:
            raise Refused(400, "the maximum of validations for this session is reached")
        if ask.parameters.text("otp", characters_max=100) != session.code:
            raise Refused(400, "the otp is incorrect")
        self._shared.main_of(ask.account).balance -= Decimal(VALIDATION_CHARGE)
        self._reaching.end(session, "verified")
        self._shared.carrier.told_by_api(reaching.truth(session, session.attempts[-1]))
        return Reply(content={"message": "session validated successfully."})

    def get(self, ask: Ask, uuid: str) -> Reply:
        return Reply(content=self._shown(self._session(ask, uuid)))

    def list(self, ask: Ask) -> Reply:
        """The latest first; 20 lists a minute."""
        self._shared.limit(ask.account.listed_at_s, LISTS_MAX, LISTS_S)
        ids = {each.id for each in self._shared.state.accounts.values() if ask.account.id in (each.id, each.main_id)}
        ids = ids & {ask.query["subaccount"]} if ask.query.get("subaccount") else ids
        visible = [each for each in reversed(self._shared.state.sessions.values()) if each.account_id in ids]
        is_then = within("session_time", ask.query, visible, self._shared.carrier.clock.real_now())
        found = [session for session in visible if is_then(session) and _is_wanted(session, ask.query)]
        path = f"/v1/Account/{ask.account.id}/Verify/Session/"
        return answers.page(path, "sessions", found, self._shown, ask.query)

    def _session(self, ask: Ask, uuid: str) -> Session:
        session = self._shared.state.sessions.get(uuid)
        owner = self._shared.known(session.account_id) if session else None
        if session is None or owner is None or ask.account.id not in (owner.id, owner.main_id):
            raise not_found("session")
        return session

    def _shown(self, session: Session) -> dict[str, Any]:
        self._shared.carrier.told_by_api(reaching.truth(session, session.attempts[-1]))
        return _record(session)

    # --- what becomes of it ----------------------------------------------------------------------------------------

    def _open_session(self, ask: Ask, recipient: str) -> Session | None:
        state = self._shared.state
        uuid = state.open_sessions.get((ask.account.id, self._app(ask), recipient))
        return state.sessions.get(uuid) if uuid else None

    def _app(self, ask: Ask) -> str:
        """The account's default application where none is named."""
        return ask.parameters.text("app_uuid", characters_max=100) or self._shared.uuid("app", ask.account.id)

    def _begin(self, ask: Ask, recipient: str, otp: str, length: int) -> Session:
        shared, account_id = self._shared, ask.account.id
        key = ("session", account_id, recipient)
        nth = shared.number_of(*key)
        outcome, random = shared.outcome(recipient), shared.random(*key, nth)
        drawn = "".join(random.choices("0123456789", k=length))
        fate = shared.carrier.fate(random, recipient, Channel.SMS, outcome)
        now = shared.now()
        session = Session(
            uuid=shared.uuid(*key, nth),
            account_id=account_id,
            app_uuid=self._app(ask),
            recipient=recipient,
            code=otp or (outcome.otp if outcome else None) or drawn,
            locale=ask.parameters.text("locale", "en", characters_max=20),
            country=fate.country.iso2,
            network=fate.network.name,
            created_at=now,
            asked_at=shared.carrier.clock.real_now(),
            updated_at=now,
            expires_at=now + LIFE,
            requester_ip=ask.requester_ip,
            url=None,
            method="POST",
            chaos=outcome.chaos if outcome else None,
        )
        self._reaching.plan_expiry(session)
        shared.state.open_sessions[account_id, session.app_uuid, recipient] = session.uuid
        return shared.keep(shared.state.sessions, session.uuid, session)


def _is_wanted(session: Session, query: Mapping[str, str]) -> bool:
    last = session.attempts[-1]
    equal = {
        "app_uuid": session.app_uuid,
        "recipient": session.recipient,
        "country": session.country,
        "alias": _ALIAS,
        "brand_name": last.details.get("brand_name"),
        "app_hash": last.details.get("app_hash"),
    }
    is_so = query.get("status", "").lower() in ("", session.status)  # both `expired` and `Expired` are seen
    return is_so and all(digits(query[name]) == value for name, value in equal.items() if query.get(name))


def _record(session: Session) -> dict[str, Any]:
    charged = [attempt for attempt in session.attempts if attempt.status in ENDED and attempt.status != "failed"]
    validation = VALIDATION_CHARGE if session.status == "verified" else "0.00000"
    total = sum((Decimal(attempt.charge) for attempt in charged), Decimal(validation))
    return {
        "session_uuid": session.uuid,
        "app_uuid": session.app_uuid,
        "alias": _ALIAS,
        "recipient": session.recipient,
        "channel": session.attempts[-1].channel,
        "locale": session.locale,
        "status": session.status,
        "count": len(session.attempts),
        "requestor_ip": session.requester_ip,
        "destination_country_iso2": session.country,
        "destination_network": session.network or None,
        "attempt_details": [
            {
                "channel": attempt.channel,
                "attempt_uuid": attempt.uuid,
                "status": "answer" if attempt.status == "completed" else attempt.status,
                "time": iso(attempt.requested_at),
                **attempt.details,
            }
            for attempt in session.attempts
        ],
        "charges": {
            "total_charge": f"{total:f}",
            "validation_charge": validation,
            "attempt_charges": [
                {"attempt_uuid": attempt.uuid, "channel": attempt.channel, "charge": attempt.charge}
                for attempt in charged
            ],
        },
        "created_at": iso(session.created_at),
        "updated_at": iso(session.updated_at),
    }
