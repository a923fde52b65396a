"""How the people of verify sessions are reached: the steps of each attempt, by text or call, and what is told."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Final, NamedTuple

from landed.domain.receipts import Channel
from landed.domain.statuses import Status
from landed.simulator import draws
from landed.simulator.callbacks import plivo as callbacks
from landed.simulator.carrier.fate import Fate, Step
from landed.simulator.carrier.scenario import Outcome
from landed.simulator.items import Kind, SessionTruth
from landed.simulator.plivo.parameters import Parameters
from landed.simulator.plivo.shared import Shared
from landed.simulator.plivo.state import Attempt, Session

#: Plivo lets one choose; this is what its pages take for an example.
LIFE: Final = timedelta(minutes=10)
CALL_CHARGE: Final = "0.01200"
_STEP: Final = "plivo.session.step"
_EXPIRY: Final = "plivo.session.expiry"
#: What records tell of an attempt as it was asked for.
DETAILS: Final = ("brand_name", "app_hash", "code_length", "dtmf", "fraud_check")
ENDED: Final = frozenset({"delivered", "undelivered", "failed", "completed", "no-answer"})
#: How calls go, and how often: their words in order, and the cause of the hangup.
_CALLS: Final = (
    (("ringing", "in-progress", "completed"), "", 75),
    (("ringing", "no-answer"), "3000", 17),
    (("ringing", "no-answer"), "3010", 8),
)
_ANSWERED, _UNANSWERED, _ = _CALLS


class _Due(NamedTuple):
    session_uuid: str
    attempt: int
    word: str
    error_code: str


class Reaching:
    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        shared.carrier.on(_STEP, self._step)
        shared.carrier.on(_EXPIRY, self._expire)

    def plan_expiry(self, session: Session) -> None:
        self._shared.carrier.plan(LIFE.total_seconds(), _EXPIRY, session.uuid)

    def attempt(self, session: Session, channel: str, given: Parameters) -> None:
        shared, sequence = self._shared, len(session.attempts) + 1
        random, outcome = shared.random("attempt", session.uuid, sequence), shared.outcome(session.recipient)
        fate = shared.carrier.fate(random, session.recipient, Channel.SMS, outcome)
        details = {name: given.content.get(name) for name in DETAILS} | {"code_length": len(session.code)}
        session.attempts.append(
            Attempt(
                uuid=shared.uuid("attempt", session.uuid, sequence),
                sequence=sequence,
                channel=channel,
                requested_at=shared.now(),
                charge=fate.rate if channel == "sms" else CALL_CHARGE,
                details=details,
            )
        )
        session.updated_at = shared.now()
        for step in _texted(fate) if channel == "sms" else _called(random, outcome):
            due = _Due(session.uuid, sequence, step.word, step.error_code or "")
            shared.carrier.plan(step.after_s, _STEP, due)

    def _step(self, due: _Due) -> None:
        session = self._shared.state.sessions.get(due.session_uuid)
        if session is None:
            return
        attempt = session.attempts[due.attempt - 1]
        attempt.status, attempt.error_code = due.word, due.error_code
        session.updated_at = self._shared.now()
        if due.word in ENDED and due.word != "failed":
            payer = self._shared.main_of(self._shared.state.accounts[session.account_id])
            payer.balance -= Decimal(attempt.charge)
        self._tell(session, attempt)

    def _expire(self, uuid: str) -> None:
        session = self._shared.state.sessions.get(uuid)
        if session is not None and session.status == "in-progress":
            self.end(session, "expired")

    def end(self, session: Session, status: str) -> None:
        session.status, session.updated_at = status, self._shared.now()
        self._shared.state.open_sessions.pop((session.account_id, session.app_uuid, session.recipient), None)
        self._tell(session, session.attempts[-1])

    def _tell(self, session: Session, attempt: Attempt) -> None:
        nth = self._shared.number_of("session-news", session.uuid)
        fields = callbacks.verify_session(
            callbacks.Session(uuid=session.uuid, recipient=session.recipient),
            session.status,
            callbacks.Attempt(
                uuid=attempt.uuid,
                sequence=attempt.sequence,
                channel=attempt.channel,
                requested_at=attempt.requested_at,
            ),
            attempt.status,
            error_code=attempt.error_code,
        )
        self._shared.tell(
            f"session/{session.uuid}/{nth}",
            f"verify.{session.status}",
            account_id=session.account_id,
            url=session.url,
            method=session.method,
            fields=fields,
            truth=truth(session, attempt),
            chaos=session.chaos,
        )


def truth(session: Session, attempt: Attempt) -> SessionTruth:
    return SessionTruth(
        kind=Kind.GENUINE,
        session_id=session.uuid,
        status=session.status,
        country=session.country,
        attempt=attempt.sequence,
        channel=attempt.channel,
        attempt_status=attempt.status,
    )


def _texted(fate: Fate) -> list[Step]:
    """The steps of a text, in the words that Verify has."""
    return [step for step in fate.steps if step.word in callbacks.ATTEMPT_STATUSES["sms"]]


def _called(random: Random, outcome: Outcome | None) -> list[Step]:
    course = draws.pick(random, _CALLS, [weight for _, _, weight in _CALLS])
    if outcome and (outcome.status or outcome.is_silent):
        course = _ANSWERED if outcome.status is Status.DELIVERED else _UNANSWERED
    words: Sequence[str] = course[0][:1] if outcome and outcome.is_silent else course[0]
    steps, after_s = [], 0.0
    for word in words:
        after_s += draws.seconds(random, 3.0, 0.4).total_seconds()
        steps.append(Step(after_s, word, course[1] if word == course[0][-1] else None))
    return steps
