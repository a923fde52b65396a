"""Which registered thing a fact is about, where receipts name it by the provider's id, by our id, or by both.

A fact with the provider's id belongs to the thing of that id. A fact with our id alone belongs to the one thing that
our id was ever seen together with; with none, or with several (one callback URL for many brands, or for the numbers of
one request), to a thing of its own. As news comes in facts may move from one to the other: which facts are where
follows from the set of all.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from landed.domain.occasions import Facts, Hearings, hear
from landed.domain.receipts import Registration, RegistrationReceipt, Telling


class Name(NamedTuple):
    """What identifies a thing within an account: the provider's id, else our id, else nothing at all."""

    provider_id: str | None
    our_id: str | None


class Known(NamedTuple):
    """What is known of one thing."""

    our_ids: frozenset[str]  #: all that were ever seen together with the provider's id; or its own
    facts: Facts


def name_of(receipt: RegistrationReceipt) -> Name:
    """What the receipt names: the number, or the provider's id of the brand or campaign; our id where it names none."""
    match receipt.registration:
        case Registration.BRAND:
            provider_id = receipt.provider_brand_id
        case Registration.CAMPAIGN:
            provider_id = receipt.provider_campaign_id
        case _:
            provider_id = receipt.number
    return Name(provider_id, None) if provider_id else Name(None, receipt.our_id or None)


def learn(known: Mapping[Name, Known], told: Iterable[Telling[RegistrationReceipt]]) -> dict[Name, Known]:
    """What is known after hearing `told` on top of `known`. A thing that lost its last fact to another is gone.

    Args:
        known: of one account, and of brands, campaigns or numbers alone. It holds every thing that `told` names by the
            provider's id; and for each of our ids in `told` the thing that it names alone, and those that it was seen
            together with, of which two are enough.
    """
    pools = _pools(known.values())
    met = {name: set(each.our_ids) for name, each in known.items() if name.provider_id}
    news: dict[Name, list[Telling[RegistrationReceipt]]] = {}
    for telling in told:
        name = name_of(telling.receipt)
        news.setdefault(name, []).append(telling)
        if name.provider_id and telling.receipt.our_id:
            met.setdefault(name, set()).add(telling.receipt.our_id)
    for name, tellings in news.items():
        pools[name] = hear(pools.get(name, {}), tellings)
    homes = _homes(met)
    things: dict[Name, dict[RegistrationReceipt, Hearings]] = {}
    for name, pool in pools.items():
        home = homes.get(name.our_id, name) if name.our_id else name
        things.setdefault(home, {}).update(pool)
    return {name: Known(frozenset(met.get(name, filter(None, [name.our_id]))), facts) for name, facts in things.items()}


def _pools(known: Iterable[Known]) -> dict[Name, dict[RegistrationReceipt, Hearings]]:
    """The facts by what they name themselves. A fact never leaves its pool, so the limits are kept for each pool."""
    pools: dict[Name, dict[RegistrationReceipt, Hearings]] = {}
    for each in known:
        for receipt, heard in each.facts.items():
            pools.setdefault(name_of(receipt), {})[receipt] = heard
    return pools


def _homes(met: Mapping[Name, Iterable[str]]) -> dict[str, Name]:
    """The things that facts with our id alone belong to: those that were the only ones seen together with it."""
    things: dict[str, list[Name]] = {}
    for name, our_ids in met.items():
        for our_id in our_ids:
            things.setdefault(our_id, []).append(name)
    return {our_id: names[0] for our_id, names in things.items() if len(names) == 1}
