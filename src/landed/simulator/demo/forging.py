"""Somebody else calls, too: with no signature, a made-up one, another account's, or with what was captured, altered."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Final
from urllib.parse import parse_qsl, urlencode

from landed.simulator.callbacks import signing
from landed.simulator.callbacks.signing import Request, Tokens
from landed.simulator.carrier.caller import Caller
from landed.simulator.carrier.calls import Making, State
from landed.simulator.carrier.carrier import Carrier
from landed.simulator.carrier.chaos import Flaw
from landed.simulator.items import FORGED, REFUSED, Kind

#: Forged callbacks for each genuine one.
SHARE: Final = 0.015
_AT_ONCE_S: Final = (0.1, 3.0)
#: A nonce is used again when what it came with first is tracked by then.
_REUSED_AFTER_S: Final = (8.0, 20.0)
_LIES: Final[Mapping[str, Mapping[str, str]]] = {
    "Status": {"delivered": "undelivered", "undelivered": "delivered", "sent": "delivered", "queued": "failed",
               "rejected": "registered", "registered": "rejected"},
    "SessionStatus": {"in-progress": "verified", "verified": "expired", "expired": "verified"},
}  # fmt: skip
_ANSWER_S_MAX: Final = 15.0


class Forger:
    """Listens to a carrier's callbacks and forges some.

    `told` counts those that were answered, `answers` by HTTP status, and `let_in` those that got in at the door and
    must not: it should stay 0.
    """

    def __init__(self, carrier: Carrier, caller: Caller, random: Random, *, provider: str) -> None:
        self.answers: Counter[int] = Counter()
        self.told = self.let_in = 0
        self._carrier = carrier
        self._random = random
        self._provider = provider
        self._caller = caller
        self._under_way: set[asyncio.Task[None]] = set()
        carrier.watchers.append(self._listen)

    async def close(self) -> None:
        """No more of it; what is under way is broken off."""
        self._carrier.watchers.remove(self._listen)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _listen(self, making: Making) -> None:
        is_fit = making.call.provider == self._provider and making.call.method == "POST" and making.call.truth
        if is_fit and making.state is State.TAKEN and self._random.random() < SHARE:
            task = asyncio.create_task(self._forge(making))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _forge(self, making: Making) -> None:
        kind = self._random.choice(sorted(FORGED))
        forged = _forged(self._carrier.request(making), kind, self._random)
        if forged is None:
            return
        wait_s = self._random.uniform(*(_REUSED_AFTER_S if kind is Kind.NONCE_REUSED else _AT_ONCE_S))
        await asyncio.sleep(wait_s)
        status, _ = await self._caller.call(forged, Flaw.NONE, _ANSWER_S_MAX)
        if status is None:
            return
        self.answers[status] += 1
        self.let_in += kind in REFUSED and status < 300
        if making.call.truth is not None:
            self.told += 1
            self._carrier.ledger.tell(replace(making.call.truth, kind=kind))


def _forged(genuine: Request, kind: Kind, random: Random) -> Request | None:
    """None: there is nothing in it to lie about."""
    fields = parse_qsl(genuine.body.decode(), keep_blank_values=True)
    told = dict(fields)
    lies = {name: lies[told[name]] for name, lies in _LIES.items() if told.get(name) in lies}
    if not lies:
        return None
    altered = tuple((name, lies.get(name, value)) for name, value in fields)
    match kind:
        case Kind.WRONG_TOKEN:
            return signing.plivo(altered, genuine.url, tokens=Tokens(account=f"{random.getrandbits(128):032x}"))
        case Kind.BAD_SIGNATURE:
            headers = signing.with_signatures(genuine.headers, f"{random.getrandbits(128):032x}")
        case Kind.UNSIGNED:
            return signing.plivo(altered, genuine.url, tokens=None)
        case Kind.NONCE_REUSED:  # with V2 alone, which does not cover what is altered
            headers = {name: value for name, value in genuine.headers.items() if "V3" not in name}
        case _:
            headers = dict(genuine.headers)
    return replace(genuine, headers=headers, body=urlencode(altered).encode())
