"""A carrier with its stand-ins: all that `landed simulate`, the demo and the test fixture run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from landed.domain.errors import InputInvalid
from landed.simulator.carrier.caller import Caller
from landed.simulator.carrier.carrier import Carrier, Snapshot
from landed.simulator.carrier.clock import Clock
from landed.simulator.carrier.scenario import Scenario
from landed.simulator.carrier.views import Shown
from landed.simulator.plivo.stand_in import PlivoStandIn
from landed.simulator.routee.stand_in import RouteeStandIn

#: By provider, and by the id that it knows an account by: the token, or what else its stand-in takes for one.
Accounts = Mapping[str, Mapping[str, Any]]

_PLIVO_IDS: Final = ("MA", "SA")


class Served(NamedTuple):
    """A request to one of the stand-ins' APIs, and how it was answered; `status` is 0 where it was not."""

    method: str
    path: str
    status: int
    elapsed_ms: float


@dataclass(slots=True, kw_only=True)
class Simulation:
    carrier: Carrier
    stand_ins: Mapping[str, Shown]
    caller: Caller
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    #: Called with each request to an API after it was answered.
    watchers: list[Callable[[Served], None]] = field(default_factory=list)


def create(
    *,
    scenario: Scenario,
    seed: int,
    speed: float = 1.0,
    started_at: datetime | None = None,
    anywhere: bool = False,
    reached_at: Mapping[str, str] = MappingProxyType({}),
    accounts: Accounts | None = None,
) -> Simulation:
    """A new world.

    Args:
        speed: simulated seconds in each of ours; at 0 time stands until it is set ahead.
        anywhere: whether callbacks may go further than to this machine and private networks.
        reached_at: beginnings of callback URLs, and where they are reached from here.
        accounts: the only ones that may use the APIs of the providers named here; all others take any credentials.
    """
    caller = Caller(anywhere=anywhere, reached_at=reached_at)
    carrier = Carrier(scenario=scenario, seed=seed, clock=Clock(speed=speed, started_at=started_at), caller=caller)
    stand_ins = _stand_ins(carrier, accounts or {})
    for stand_in in stand_ins.values():
        carrier.add(stand_in)
    return Simulation(carrier=carrier, stand_ins=stand_ins, caller=caller)


def _stand_ins(carrier: Carrier, accounts: Accounts) -> dict[str, Shown]:
    return {
        "plivo": PlivoStandIn(carrier, accounts=accounts.get("plivo")),
        "routee": RouteeStandIn(carrier, accounts=accounts.get("routee")),
    }


def read_accounts(given: list[str]) -> Accounts:
    """`MA…:token` is Plivo's, as is `SA…:token`; anything else, `id:secret`, Routee's.

    Raises:
        InputInvalid: not of this form.
    """
    accounts: dict[str, dict[str, str]] = {}
    for text in given:
        name, colon, token = text.partition(":")
        if not (colon and name and token):
            raise InputInvalid("Give an account as ID:TOKEN, such as MAXXXXXXXXXXXXXXXXXX:token.", field="account")
        accounts.setdefault("plivo" if name.startswith(_PLIVO_IDS) else "routee", {})[name] = token
    return accounts
