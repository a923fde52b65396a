"""How `/_sim` shows things, in the words of Landed's API."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from landed.domain import money
from landed.simulator.callbacks.signing import Request
from landed.simulator.carrier.calls import Attempt, Making
from landed.simulator.carrier.chaos import Chaos
from landed.simulator.carrier.scenario import Outcome, Scenario
from landed.simulator.carrier.views import MessageView, RegistrationView, SessionView
from landed.simulator.items import AnyTruth, InboundTruth, RegistrationTruth, SessionTruth, Truth
from landed.simulator.ledger import End, Summary
from landed.simulator.world import Country

Shape = dict[str, Any]


def moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def thing_of(truth: AnyTruth | None) -> str | None:
    """The id of what a callback is about, by which its things are found."""
    match truth:
        case Truth() | InboundTruth():
            return truth.message_id
        case SessionTruth():
            return truth.session_id
        case RegistrationTruth():
            return truth.subject
    return None


def message(view: MessageView, told: End | None, makings: Iterable[Making]) -> Shape:
    """`status` is what the carrier knows, `told` what it told and was heard."""
    return {
        "id": view.id,
        "provider": view.provider,
        "account": view.account,
        "direction": view.direction,
        "channel": view.channel,
        "from": view.sender,
        "to": view.recipient,
        "text": view.text,
        "units": view.units,
        "status": view.status,
        "error_code": view.error_code,
        "callback_url": view.callback_url,
        "conversion": view.conversion,
        "created_at": moment(view.created_at),
        "told": None if told is None else {"status": told.status, "error_code": told.error_code},
        "callback_states": Counter(making.state for making in makings),
    }


def session(view: SessionView) -> Shape:
    return _view(view, to=view.recipient)


def registration(view: RegistrationView) -> Shape:
    return _view(view)


def _view(view: SessionView | RegistrationView, **names: str) -> Shape:
    shape = {**asdict(view), **names, "created_at": moment(view.created_at)}
    shape.pop("recipient", None)
    return shape


def callback(making: Making) -> Shape:
    call, telling = making.call, making.telling
    return {
        "id": making.id,
        "name": call.name,
        "provider": call.provider,
        "account": call.account,
        "thing_id": thing_of(call.truth),
        "method": call.method,
        "url": call.url,
        "state": making.state,
        "is_repeat": telling.is_repeat,
        "flaw": telling.flaw,
        "due_at": moment(telling.at),
        "attempts": [attempt(each) for each in making.attempts],
    }


def attempt(each: Attempt) -> Shape:
    """`at` is simulated time, `elapsed_ms` ours; `status` is null where no answer was read."""
    return {
        "at": moment(each.at),
        "flaw": each.flaw,
        "status": each.status,
        "problem": each.problem,
        "elapsed_ms": each.real_ms,
    }


def request(made: Request) -> Shape:
    return {
        "method": made.method,
        "url": made.url,
        "headers": dict(made.headers),
        "body": made.body.decode(errors="replace"),
    }


def summary(told: Summary) -> Shape:
    return {
        "messages": told.messages,
        "units": told.units,
        "cost": {"amount": money.text(told.cost_nanos), "currency": "USD"},
        "by_status": dict(told.by_status),
        "by_country": dict(told.by_country),
        "by_error_code": dict(told.by_error_code),
        "sessions": dict(told.sessions),
        "registrations": dict(told.registrations),
        "callbacks": told.callbacks,
        "duplicates": told.duplicates,
        "unknown": told.unknown,
        "forged": dict(told.forged),
    }


def end(message_id: str, told: End) -> Shape:
    return {
        "id": message_id,
        "status": told.status,
        "country": told.country,
        "error_code": told.error_code,
        "units": told.units,
        "cost": {"amount": money.text(told.cost_nanos), "currency": "USD"},
    }


# --- scenarios -----------------------------------------------------------------------------------------------------


def chaos(shares: Chaos) -> Shape:
    return asdict(shares)


def scenario(shown: Scenario) -> Shape:
    """As a file has it, so that what is shown may be given back."""
    return {
        "name": shown.name,
        "description": shown.description,
        "chaos": chaos(shown.chaos),
        "countries": {iso2: country(each) for iso2, each in shown.countries.items()},
        "elsewhere": country(shown.elsewhere),
        "magic": {number: outcome(each) for number, each in shown.magic.items()},
        "replies": dict(shown.replies),
        "refused": shown.refused,
    }


def country(shown: Country) -> Shape:
    networks = {
        f"{network.mcc}-{network.mnc}": _told(
            {
                "name": network.name,
                "weight": network.weight,
                "latency_s": network.latency_s,
                "spread": network.spread,
                "slow": network.slow,
                "silent": network.silent,
                "failures": None if network.failures is None else dict(network.failures),
            }
        )
        for network in shown.networks
        if network.mcc
    }
    return _told(
        {
            "rate": shown.rate,
            "mms_rate": shown.mms_rate,
            "whatsapp_rate": shown.whatsapp_rate,
            "weight": shown.weight,
            "silent": shown.silent,
            "failures": dict(shown.failures),
            "networks": networks,
        }
    )


def outcome(forced: Outcome) -> Shape:
    """What is set, and nothing else."""
    given = {each.name: getattr(forced, each.name) for each in fields(forced) if each.name != "chaos"}
    wanted = {name: value for name, value in given.items() if value not in (None, False)}
    if forced.chaos is not None:
        wanted["chaos"] = {name: value for name, value in asdict(forced.chaos).items() if value != _CALM[name]}
    return wanted


def _told(shape: Mapping[str, Any]) -> Shape:
    return {name: value for name, value in shape.items() if value is not None}


_CALM = asdict(Chaos())
