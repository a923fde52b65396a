"""Occasions: how often something truly happened, where the same words are told again by retries.

A registration may rightly end twice in the same words: a number is linked, unlinked, and linked to the same campaign
again. Providers also repeat a callback they had no answer to, and their 10DLC callbacks carry no time. So every time a
fact was told is kept, and repeats soon after the first are retries of one occasion, while later ones are another. All
of it follows from the set of (fact, time, callback), whatever the order in which they came.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from landed.domain.receipts import RegistrationReceipt, RegistrationStatus, Telling

#: A provider repeats after 60, 120 and 240 s, which is 7 minutes, and each try may hang for a while.
RETRY_WINDOW: Final = timedelta(minutes=15)
#: How many tellings are kept of one fact, and of all facts of one thing: the latest. The latest of a union do not
#: depend on the order in which it grew.
TELLINGS_OF_FACT_MAX: Final = 64
TELLINGS_MAX: Final = 512
#: A provider's time outside of these is a broken clock, and is not used.
_CLOCK_MIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
_CLOCK_AHEAD_MAX: Final = timedelta(hours=24)


class Hearing(NamedTuple):
    """One time that a fact was told. `callback_id` is None where no callback told it."""

    received_at: datetime
    callback_id: int | None


#: Every time a fact was told, earliest first.
Hearings = tuple[Hearing, ...]
Facts = Mapping[RegistrationReceipt, Hearings]


class Occasion(NamedTuple):
    """Something that happened once, however often it was told."""

    at: datetime  #: on the provider's clock where it told the time, else when we first heard of it
    receipt: RegistrationReceipt
    heard: Hearings
    is_provider_time: bool
    is_late: bool = False  #: it came after what it led to, and changes nothing


def hear(facts: Facts, told: Iterable[Telling[RegistrationReceipt]]) -> dict[RegistrationReceipt, Hearings]:
    """What is known after hearing `told` on top of `facts`, within the limits."""
    known = {receipt: set(hearings) for receipt, hearings in facts.items()}
    for receipt, received_at, callback_id in told:
        known.setdefault(receipt, set()).add(Hearing(received_at, callback_id))
    latest = {receipt: sorted(heard, key=_order)[-TELLINGS_OF_FACT_MAX:] for receipt, heard in known.items()}
    if sum(map(len, latest.values())) > TELLINGS_MAX:
        every = [(*_order(hearing), content(receipt)) for receipt, heard in latest.items() for hearing in heard]
        oldest = sorted(every)[-TELLINGS_MAX]
        latest = {
            receipt: [hearing for hearing in heard if (*_order(hearing), content(receipt)) >= oldest]
            for receipt, heard in latest.items()
        }
    return {receipt: tuple(heard) for receipt, heard in latest.items() if heard}


def occasions(facts: Facts) -> list[Occasion]:
    """What happened, in the order of time. At one moment a request comes before its answer."""
    happened = [occasion for receipt, heard in facts.items() for occasion in _of_fact(receipt, heard)]
    return sorted(happened, key=lambda each: (each.at, _is_answer(each.receipt), content(each.receipt)))


def content(receipt: RegistrationReceipt) -> tuple[str, ...]:
    """The receipt as text, equal for equal ones: an order of facts that is the same for all."""
    return tuple([_text(value) for value in receipt])


def _of_fact(receipt: RegistrationReceipt, heard: Hearings) -> Iterator[Occasion]:
    at = receipt.occurred_at
    if at is not None and _CLOCK_MIN <= at <= heard[0].received_at + _CLOCK_AHEAD_MAX:
        yield Occasion(at, receipt, heard, is_provider_time=True)
        return
    for chain in _chains(heard):
        yield Occasion(chain[0].received_at, receipt, tuple(chain), is_provider_time=False)


def _chains(heard: Hearings) -> list[Sequence[Hearing]]:
    """A hearing belongs to the first one that is at most a window older and begins a chain."""
    chains: list[list[Hearing]] = []
    for hearing in heard:
        if chains and hearing.received_at - chains[-1][0].received_at <= RETRY_WINDOW:
            chains[-1].append(hearing)
        else:
            chains.append([hearing])
    return list(chains)


def _is_answer(receipt: RegistrationReceipt) -> bool:
    return receipt.status not in (None, RegistrationStatus.PENDING)


def _order(hearing: Hearing) -> tuple[datetime, int]:
    return hearing.received_at, -1 if hearing.callback_id is None else hearing.callback_id


def _text(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else repr(value)
