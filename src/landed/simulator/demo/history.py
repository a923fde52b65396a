"""Days that are over when the demo begins: Plivo's callbacks as they would have come, on the times they would have had.

Nothing of it was forged, repeated or late, since it goes past the door, straight to where accepted callbacks are kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from landed.simulator import inbound, messages, registrations, sessions
from landed.simulator.callbacks import signing
from landed.simulator.callbacks.signing import Family, Tokens
from landed.simulator.demo import rhythm
from landed.simulator.demo.company import SAYS_STOP
from landed.simulator.demo.rhythm import Incident
from landed.simulator.items import Account, InboundTruth, Item, Told
from landed.simulator.messages import Message

_COMPANIES_EVERY: Final = timedelta(hours=9)
_OUT_CODE: Final = "70"
_OUT_FAILS, _OUT_IS_SILENT = 0.75, 0.83

Window = tuple[datetime, datetime, Incident]


def tell(account: Account, *, seed: int, messages_about: int, since: datetime, until: datetime) -> Iterator[Item]:
    """What Plivo called in that time, about so many messages, in the order in which they were sent."""
    random = Random(f"{seed}:history")  # noqa: S311  it must be the same for the same seed
    windows = rhythm.in_the_past(random, since, until)
    people = inbound.People(random)
    company = registrations.Company(random, every=_COMPANIES_EVERY)
    at, busiest_per_s = since, messages_about / _busy_s(since, until)
    while (at := at + timedelta(seconds=random.expovariate(busiest_per_s))) < until:
        told = list(company.act(at))
        if random.random() < rhythm.daily_share(at) / _SHARE_MAX:
            told += messages.tell(_in_an_incident(messages.begin(random, at), windows, random), random)
            if random.random() < inbound.PER_MESSAGE:
                told += (each for each in people.write(at) if not _opts_out(each))
            if random.random() < sessions.PER_MESSAGE:
                told += sessions.tell(random, at)
        for each in told:
            if each.due_at < until:
                yield _item(account, each, random)


_SHARE_MAX: Final = 2.0


def _busy_s(since: datetime, until: datetime) -> float:
    """How many seconds of the busiest rate the time is worth."""
    hours = int((until - since) / timedelta(hours=1)) or 1
    shares = [rhythm.daily_share(since + timedelta(hours=hour)) for hour in range(hours)]
    return (until - since).total_seconds() * sum(shares) / len(shares) / _SHARE_MAX


def _in_an_incident(message: Message, windows: Sequence[Window], random: Random) -> Message:
    """The message, or what becomes of it where its network is out."""
    for since, until, incident in windows:
        is_hit = (message.country, message.network) == (incident.country, incident.network)
        if is_hit and since <= message.at < until and (drawn := random.random()) < _OUT_IS_SILENT:
            fails = drawn < _OUT_FAILS
            return replace(message, final="undelivered" if fails else None, error_code=_OUT_CODE if fails else None)
    return message


def _opts_out(told: Told) -> bool:
    """Whether somebody that the company writes to today said STOP; see Company."""
    person = dict(told.fields).get("From", "")
    is_stop = isinstance(told.truth, InboundTruth) and told.truth.text in inbound.STOPS
    return is_stop and not person.endswith(SAYS_STOP)


def _item(account: Account, told: Told, random: Random) -> Item:
    request = signing.plivo(
        told.fields,
        account.callback_url + told.path,
        method="GET" if told.by_get else "POST",
        tokens=Tokens(account=account.auth_token, main=account.main_auth_token),
        families=signing.BOTH if told.with_v3 else (Family.V2,),
        nonce=lambda: f"{random.randrange(10**signing.NONCE_DIGITS):0{signing.NONCE_DIGITS}d}",
    )
    return Item(
        due_at=told.due_at,
        method=request.method,
        url=request.url,
        headers=request.headers,
        body=request.body,
        truth=told.truth,
    )
