"""The set of facts known about a thing, and how often and when each was told.

State is a pure function of this set. Adding to a set is commutative, associative and idempotent, so order, repeats and
batches cannot matter, for whatever is derived from it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from landed.domain.receipts import Telling

#: How many callback ids are kept for one fact: retries come 3 (Plivo) to 12 (Routee) times.
CALLBACK_IDS_MAX: Final = 32

R = TypeVar("R")


class Heard(NamedTuple):
    """How often and when a fact was told: the earliest time, and by which callbacks."""

    received_at: datetime
    callback_ids: tuple[int, ...]


def hear(facts: Mapping[R, Heard], told: Iterable[Telling[R]]) -> dict[R, Heard]:
    """What is known after hearing `told` on top of `facts`."""
    known = dict(facts)
    for receipt, received_at, callback_id in told:
        new = Heard(received_at, () if callback_id is None else (callback_id,))
        heard = known.setdefault(receipt, new)  # looked up once: receipts take long to hash
        if heard is not new:
            known[receipt] = _merged(heard, new)
    return known


def _merged(heard: Heard, again: Heard) -> Heard:
    ids = heard.callback_ids
    if again.callback_ids and again.callback_ids[0] not in ids:
        ids = tuple(sorted(ids + again.callback_ids)[:CALLBACK_IDS_MAX])
    return Heard(min(heard.received_at, again.received_at), ids)


def told_again(facts: Mapping[R, Heard]) -> list[Telling[R]]:
    """Tellings that make these facts known to somebody else."""
    return [
        Telling(receipt, heard.received_at, callback_id)
        for receipt, heard in facts.items()
        for callback_id in heard.callback_ids or (None,)
    ]
