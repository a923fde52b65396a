"""Routee's two-step verification: a code by SMS or voice, and the answer to it."""

from datetime import timedelta
from re import findall
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from landed.domain.countries import country_of
from landed.simulator.callbacks import routee as callbacks
from landed.simulator.carrier.calls import Call
from landed.simulator.items import Kind, SessionTruth
from landed.simulator.routee.answers import Problem, form_of, json_of, leave_out, object_of, refuse
from landed.simulator.routee.asking import Fields
from landed.simulator.routee.state import Application, TwoStep

if TYPE_CHECKING:
    from landed.simulator.routee.stand_in import RouteeStandIn

_EXPIRE: Final = "routee.two_step.expire"
_LIFETIME_S, _LIFETIME_S_MAX = 300, 24 * 3600
_TRIES, _TRIES_MAX = 3, 20
_DIGITS, _DIGITS_MIN, _DIGITS_MAX = 4, 3, 10
_PENDING: Final = "Pending"
#: Routee's word -> the ledger's.
_TRUTHS: Final = {
    "Pending": "in-progress",
    "Verified": "verified",
    "Cancelled": "cancelled",
    "Expired": "expired",
    "Failed": "failed",
}
_NOT_PENDING: Final = {
    "Expired": ("400011003", "The verification has expired"),
    "Failed": ("400011004", "The maximum number of retries was reached"),
}


class TwoSteps:
    def __init__(self, stand_in: "RouteeStandIn") -> None:
        self._stand_in = stand_in
        self._carrier = stand_in.carrier
        self._carrier.on(_EXPIRE, self._expire)

    async def start(self, request: Request, application: Application) -> Response:
        fields = Fields(await object_of(request))
        recipient, method = fields.number("recipient"), fields.text("method", is_required=True)
        if method and method not in ("sms", "voice"):
            fields.problems["method"] = "is neither sms nor voice"
        if fields.text("type", is_required=True) not in ("", "code"):
            fields.problems["type"] = "is not code"
        lifetime_s = fields.whole("lifetimeInSeconds", least=1, most=_LIFETIME_S_MAX) or _LIFETIME_S
        tries_max = fields.whole("maxRetries", least=1, most=_TRIES_MAX) or _TRIES
        digits = fields.whole("digits", least=_DIGITS_MIN, most=_DIGITS_MAX) or _DIGITS
        template, arguments = fields.text("template"), fields.content.get("arguments") or {}
        fields.text("templateCountry")
        if fields.content.get("originator") is not None:
            fields.sender("originator")
        fields.refuse()
        _check_template(template, arguments)
        outcome = self._carrier.scenario.outcome(recipient)
        refuse(outcome)
        state, now = self._stand_in.state, self._carrier.now()
        key = ("routee", *state.next_key("two_step", application.id, recipient))
        code = f"{self._carrier.random(*key, 'code').randrange(10**digits):0{digits}}"
        session = TwoStep(
            id=self._carrier.uuid(*key),
            application_id=application.id,
            recipient=recipient,
            method=method,
            code=(outcome.otp if outcome else None) or code,
            created_at=now,
            updated_at=now,
            expires_at=now + timedelta(seconds=lifetime_s),
            tries_max=tries_max,
            chaos=outcome.chaos if outcome else None,
        )
        state.keep(state.two_steps, session.id, session)
        self._carrier.plan(lifetime_s, _EXPIRE, session.id)
        self._tell(session)
        return await leave_out(request, outcome) or self._shown(session)

    async def show(self, request: Request, application: Application) -> Response:
        return self._shown(self._session(request, application))

    async def cancel(self, request: Request, application: Application) -> Response:
        session = self._session(request, application)
        _check_pending(session)
        self._change(session, "Cancelled")
        return self._shown(session)

    async def answer(self, request: Request, application: Application) -> Response:
        """The answer may come as a form, as JSON, or in the query."""
        session = self._session(request, application)
        answer = await _answer(request)
        _check_pending(session)
        session.tries += 1
        if answer == session.code:
            self._change(session, "Verified")
            return self._shown(session)
        if session.tries >= session.tries_max:
            self._change(session, "Failed")
        raise Problem(400, "400011005", "Wrong answer")

    def _session(self, request: Request, application: Application) -> TwoStep:
        session = self._stand_in.state.two_steps.get(request.path_params["tracking_id"])
        if session is None or session.application_id != application.id:
            raise Problem(404, "404011006", "Unknown verification")
        return session

    def _expire(self, session_id: str) -> None:
        session = self._stand_in.state.two_steps.get(session_id)
        if session is not None and session.status == _PENDING:
            self._change(session, "Expired")

    def _change(self, session: TwoStep, word: str) -> None:
        session.status, session.updated_at = word, self._carrier.now()
        self._tell(session)

    def _shown(self, session: TwoStep) -> Response:
        self._carrier.told_by_api(_truth(session))
        content: dict[str, Any] = {
            "trackingId": session.id,
            "status": session.status,
            "updatedAt": callbacks.milliseconds(session.updated_at),
            "maxRetries": session.tries_max,
            "expiresAt": callbacks.milliseconds(session.expires_at),
            "timesTried": session.tries,
        }
        return JSONResponse(content)

    def _tell(self, session: TwoStep) -> None:
        """At the address that is set for the application, if there is one."""
        url = self._stand_in.state.applications[session.application_id].two_step_url
        if not url:
            return
        self._stand_in.call(
            Call(
                key=f"routee/two_step/{session.id}/{session.status}",
                name=f"routee.2step.{session.status.lower()}",
                provider=self._stand_in.name,
                account=session.application_id,
                method="POST",
                url=url,
                content=callbacks.two_step(
                    session.id,
                    session.application_id,
                    session.recipient,
                    session.status,
                    updated_at=session.updated_at,
                ),
                truth=_truth(session),
                chaos=session.chaos,
            )
        )


def _truth(session: TwoStep) -> SessionTruth:
    return SessionTruth(
        kind=Kind.GENUINE,
        session_id=session.id,
        status=_TRUTHS[session.status],
        country=country_of(session.recipient) or "",
        attempt=1,
        channel=session.method,
        attempt_status="",
    )


def _check_pending(session: TwoStep) -> None:
    if session.status != _PENDING:
        code, message = _NOT_PENDING.get(session.status, ("400011002", "The verification is not pending"))
        raise Problem(400, code, message)


def _check_template(template: str, arguments: object) -> None:
    """Every placeholder but the code needs an argument, and the code has to be there."""
    if not template:
        return
    names = set(findall(r"@@(\w+)", template))
    given = set(arguments) if isinstance(arguments, dict) else set()
    if "pin" not in names or not names - {"pin"} <= given:
        raise Problem(400, "400011001", "The template has no @@pin, or an argument of it is missing")


async def _answer(request: Request) -> str:
    if "application/json" in request.headers.get("content-type", ""):
        content = await json_of(request)
        given = content.get("answer") if isinstance(content, dict) else None
    else:
        given = (await form_of(request)).get("answer") or request.query_params.get("answer")
    if not isinstance(given, str | int) or isinstance(given, bool):
        raise Problem(400, "400005000", "Invalid data", {"answer": "is required"})
    return str(given)
