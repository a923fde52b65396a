"""A stream of Plivo's callbacks that looks like real traffic, from nothing but a seed and a clock.

Each message is queued, sent, and then delivered, undelivered, failed, or never heard of again, on the times of its
network. Some callbacks come twice, some out of order, some by GET; some messages come in parts as Plivo used to
report them; now and then there is a word that nobody explains. A few per cent are forged. On request people write
back, sessions are verified, and brands, campaigns and numbers are registered. Every item says what it is (`truth`), so
that what Landed shows can be compared with what it was told.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Final
from urllib.parse import urlencode

from landed.simulator import inbound, messages, registrations, sessions
from landed.simulator.callbacks import signing
from landed.simulator.callbacks.signing import Family
from landed.simulator.items import FORGED, Account, Item, Kind, Told

DUPLICATES: Final = 0.04  #: share of callbacks that are told again
SAME_NONCE: Final = 0.2  #: share of those that are the same request, nonce and all
FORGERIES: Final = 0.02  #: forged callbacks for each genuine one

#: A nonce is used again so long after its callback that the genuine one is tracked by then.
_REUSED_AFTER_S: Final = (8.0, 20.0)


def stream(
    account: Account, *, seed: int, messages_per_s: float, clock: Callable[[], datetime], every_kind: bool = False
) -> Iterator[Item]:
    """Callbacks without end, in the order they are due.

    Args:
        messages_per_s: messages begun per second, at random moments; a message makes three callbacks or so.
        clock: looked at once, for the moment the first message is sent. The rest follows from the seed alone.
        every_kind: besides message statuses all the other kinds. The message statuses are the same either way.
    """
    random = Random(seed)  # noqa: S311  it must be the same for the same seed, not hard to guess
    caller = _Caller(account, random)
    at = clock()
    order = count()
    waiting: list[tuple[datetime, int, Item]] = []
    others = _Others(account, seed) if every_kind else None
    while True:
        at += timedelta(seconds=random.expovariate(messages_per_s))
        while waiting and waiting[0][0] <= at:
            yield heapq.heappop(waiting)[2]
        items = [item for told in messages.tell(messages.begin(random, at), random) for item in caller.call(told)]
        if others is not None:
            items += others.items(at)
        for item in items:
            heapq.heappush(waiting, (item.due_at, next(order), item))


class _Others:
    """What goes on beside the messages: drawn on its own, so that those stay the same."""

    def __init__(self, account: Account, seed: int) -> None:
        self._random = Random(f"{seed}, others")  # noqa: S311  as above
        self._caller = _Caller(account, self._random)
        self._people = inbound.People(self._random)
        self._company = registrations.Company(self._random)

    def items(self, at: datetime) -> Iterator[Item]:
        """What begins with the message that is sent now."""
        random = self._random
        told: list[Told] = []
        if random.random() < inbound.PER_MESSAGE:
            told += self._people.write(at)
        if random.random() < sessions.PER_MESSAGE:
            told += sessions.tell(random, at)
        told += self._company.act(at)
        for each in told:
            yield from self._caller.call(each)


class _Caller:
    """Turns what is told into signed requests, and some of them into repeats and forgeries."""

    def __init__(self, account: Account, random: Random) -> None:
        self._account = account
        self._random = random

    def call(self, told: Told) -> Iterator[Item]:
        random = self._random
        genuine = self._signed(told)
        yield genuine
        if random.random() < DUPLICATES:
            again = genuine if random.random() < SAME_NONCE else self._signed(told)
            yield replace(
                again,
                due_at=told.due_at + timedelta(seconds=random.uniform(0.5, 10)),
                truth=replace(told.truth, kind=Kind.DUPLICATE),
            )
        if random.random() < FORGERIES:
            yield self._forged(told, genuine)

    def _signed(self, told: Told) -> Item:
        account = self._account
        return self._request(told, account.auth_token, account.main_auth_token, told.with_v3)

    def _request(self, told: Told, token: str, main_token: str, with_v3: bool) -> Item:
        request = signing.plivo(
            told.fields,
            self._account.callback_url + told.path,
            method="GET" if told.by_get else "POST",
            tokens=signing.Tokens(account=token, main=main_token, account_v3=f"other {token}"),
            families=signing.BOTH if with_v3 else (Family.V2,),
            nonce=self._nonce,
        )
        return Item(
            due_at=told.due_at,
            method=request.method,
            url=request.url,
            headers=request.headers,
            body=request.body,
            truth=told.truth,
        )

    def _forged(self, told: Told, genuine: Item) -> Item:
        """Somebody else's callback: it tells of a thing of its own or of another end of a known one."""
        random = self._random
        kind = random.choice(sorted(FORGED))
        if kind is Kind.NONCE_REUSED and (told.with_v3 or told.by_get):
            kind = Kind.TAMPERED
        truth = replace(told.truth, kind=kind)
        if kind is Kind.NONCE_REUSED:
            return replace(
                genuine,
                due_at=told.due_at + timedelta(seconds=random.uniform(*_REUSED_AFTER_S)),
                body=self._altered(told),
                truth=truth,
            )
        due_at = told.due_at + timedelta(seconds=random.uniform(0.1, 3))
        if kind is Kind.TAMPERED:
            taken = self._request(told, self._account.auth_token, self._account.main_auth_token, with_v3=True)
            if told.by_get:
                return replace(taken, due_at=due_at, url=f"{taken.url}&Amended=1", truth=truth)
            return replace(taken, due_at=due_at, body=self._altered(told), truth=truth)
        strange = "".join(random.choices("0123456789abcdef", k=40))
        forged = self._request(told, strange, strange[::-1], told.with_v3)
        headers = forged.headers
        if kind is Kind.BAD_SIGNATURE:
            headers = signing.with_signatures(headers, "not even base64")
        if kind is Kind.UNSIGNED:
            headers = {name: value for name, value in headers.items() if not name.startswith("X-Plivo")}
        return replace(forged, due_at=due_at, headers=headers, truth=truth)

    def _altered(self, told: Told) -> bytes:
        """What a fraudster would say instead, such as another end for a message."""
        return urlencode([(name, told.lie.get(name, value)) for name, value in told.fields]).encode() + b"&Amended=1"

    def _nonce(self) -> str:
        return f"{self._random.randrange(10**20):020d}"
