"""The smallest provider that can be stood in for: it takes a message and tells each of its steps. For tests."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from landed.domain.errors import InputInvalid
from landed.domain.receipts import Channel
from landed.domain.statuses import Status
from landed.simulator.callbacks.signing import Request
from landed.simulator.carrier import scenario as scenarios
from landed.simulator.carrier.caller import Caller
from landed.simulator.carrier.calls import Call, Rules
from landed.simulator.carrier.carrier import Carrier
from landed.simulator.carrier.chaos import Flaw
from landed.simulator.carrier.clock import Clock
from landed.simulator.carrier.fate import Step
from landed.simulator.carrier.scenario import EVERYDAY, Scenario
from landed.simulator.carrier.views import Direction, MessageView, RegistrationView, SessionView
from landed.simulator.items import Kind, Truth
from landed.simulator.ledger import RANK
from landed.simulator.simulation import Simulation

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOOK = "http://127.0.0.1:3000/hook"
_STEP = "acme.step"


@dataclass(slots=True)
class State:
    messages: dict[str, MessageView] = field(default_factory=dict)
    sessions: list[SessionView] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    wanted: set[str] = field(default_factory=set)  #: numbers whose messages somebody wants


class Acme:
    name = "acme"
    base_url = ""

    def __init__(self, carrier: Carrier) -> None:
        self.state = State()
        self.rules = Rules(timeout_s=2.0, pauses_s=(60, 120, 240), is_taken=lambda status: status == 200, write=_write)
        self._carrier = carrier
        carrier.on(_STEP, self._step)
        carrier.add(self)

    def reset(self) -> None:
        self.state = State()

    def send(self, recipient: str, text: str = "Hello", url: str | None = HOOK, sender: str = "ACME") -> str:
        carrier, state = self._carrier, self.state
        state.sent[recipient] += 1
        key = ("acme", recipient, state.sent[recipient])
        message_id = carrier.uuid(*key)
        fate = carrier.fate(carrier.random(*key), recipient, Channel.SMS)
        state.messages[message_id] = MessageView(
            provider=self.name,
            account="acme-1",
            id=message_id,
            direction=Direction.OUTBOUND,
            channel=Channel.SMS,
            sender=sender,
            recipient=recipient,
            text=text,
            units=1,
            status=Status.QUEUED,
            error_code=None,
            callback_url=url,
            created_at=carrier.now(),
        )
        for place, step in enumerate(fate.steps):
            carrier.plan(step.after_s, _STEP, (message_id, place, step, fate.country.iso2))
        return message_id

    def _step(self, details: tuple[str, int, Step, str]) -> None:
        message_id, place, step, country = details
        view = self.state.messages[message_id]
        if step.word in RANK:
            changed = replace(view, status=max(view.status, Status(step.word), key=[*RANK].index))
            self.state.messages[message_id] = replace(changed, error_code=step.error_code)
        outcome = self._carrier.scenario.outcome(view.recipient)
        if view.callback_url is not None:
            self._carrier.tell(
                Call(
                    key=f"acme/{message_id}/{place}",
                    name=f"acme.message.{step.word}",
                    provider=self.name,
                    account=view.account,
                    method="POST",
                    url=view.callback_url,
                    content={"id": message_id, "status": step.word},
                    truth=_truth(view, place, step, country),
                    chaos=outcome.chaos if outcome else None,
                )
            )

    def routes(self) -> list[BaseRoute]:
        async def send(request: HttpRequest) -> JSONResponse:
            return JSONResponse({"id": self.send(**await request.json())})

        return [Route("/send", send, methods=["POST"])]

    def messages(self) -> Iterable[MessageView]:
        return self.state.messages.values()

    def sessions(self) -> Iterable[SessionView]:
        return self.state.sessions

    def registrations(self) -> Iterator[RegistrationView]:
        return iter(())

    def set_up(self, account_id: str, *, wants: str) -> None:
        if account_id != "acme-1":
            raise InputInvalid(f"There is no account {account_id}.", field="account")
        self.state.wanted.add(wants)

    def receive(self, *, sender: str, recipient: str, text: str) -> str:
        if recipient not in self.state.wanted:
            raise InputInvalid(f"Nobody wants messages to {recipient}.", field="recipient")
        self.state.messages["in-1"] = MessageView(
            provider=self.name,
            account="acme-1",
            id="in-1",
            direction=Direction.INBOUND,
            channel=Channel.SMS,
            sender=sender,
            recipient=recipient,
            text=text,
            units=1,
            status=Status.RECEIVED,
            error_code=None,
            callback_url=HOOK,
            created_at=self._carrier.now(),
        )
        return "in-1"


def _truth(view: MessageView, place: int, step: Step, country: str) -> Truth:
    return Truth(
        kind=Kind.GENUINE,
        message_id=view.id,
        status=step.word,
        sequence=place + 1,
        country=country,
        mcc="310",
        mnc="260",
        channel=view.channel,
        sender=view.sender,
        error_code=step.error_code,
        units=1,
        cost_nanos=5_500_000,
    )


def _write(call: Call, flaw: Flaw, random: Random) -> Request:
    signature = {Flaw.WRONG_SIGNATURE: "wrong", Flaw.MISSING_SIGNATURE: ""}.get(flaw, f"right-{random.getrandbits(32)}")
    body = "&".join(f"{name}={value}" for name, value in call.content.items())
    headers = {"Content-Type": "application/x-www-form-urlencoded", **({"X-Signature": signature} if signature else {})}
    return Request(method=call.method, url=call.url, headers=headers, body=body.encode())


class Receiver:
    """Answers callbacks, in the order of the given statuses and with the last of them from then on, and keeps them.
    What is signed wrongly or not at all is refused by 403, if it is told to look."""

    def __init__(self, *statuses: int, looks: bool = False) -> None:
        self._statuses = list(statuses) or [200]
        self._looks = looks
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self._looks and not request.headers.get("x-signature", "").startswith("right"):
            return httpx.Response(403)
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        return httpx.Response(status)


def world(
    receiver: Receiver | None = None,
    *,
    seed: int = 7,
    scenario: Scenario = EVERYDAY,
    chaos: dict[str, float] | None = None,
    speed: float = 0,
) -> tuple[Carrier, Acme]:
    """A carrier whose time stands still until it is set ahead, and a provider; callbacks go to the receiver."""
    caller = Caller(transport=httpx.MockTransport(receiver or Receiver()))
    if chaos is not None:
        scenario = scenarios.change(scenario, {"chaos": chaos})
    carrier = Carrier(scenario=scenario, seed=seed, clock=Clock(speed=speed, started_at=NOON), caller=caller)
    return carrier, Acme(carrier)


def simulation(receiver: Receiver | None = None, **options: Any) -> tuple[Simulation, Acme]:
    carrier, acme = world(receiver, **options)
    return Simulation(carrier=carrier, stand_ins={acme.name: acme}, caller=Caller()), acme


async def pass_time(carrier: Carrier, seconds: float = 400 * 86_400) -> None:
    await carrier.advance(timedelta(seconds=seconds))


def told(carrier: Carrier) -> list[tuple[Any, ...]]:
    """All that was called back, in an order of its own: what, how, and each attempt."""
    return sorted(
        (
            making.call.key,
            making.telling,
            making.state,
            *((each.at, each.flaw, each.status) for each in making.attempts),
        )
        for making in carrier.makings.values()
    )
