"""Which thing a fact belongs to follows from the set of all facts, in whatever order and company they come."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from landed.domain.receipts import Registration, RegistrationReceipt, RegistrationStatus, Telling
from landed.domain.registration_names import Known, Name, learn, name_of

START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)

Told = Telling[RegistrationReceipt]
Things = Mapping[Name, Known]


def told(provider_id: str | None, our_id: str | None, status: RegistrationStatus = RegistrationStatus.PENDING) -> Told:
    receipt = RegistrationReceipt(Registration.BRAND, str(status), status, provider_brand_id=provider_id, our_id=our_id)
    return Telling(receipt, START, 1)


def loaded(things: Things, tellings: Sequence[Told]) -> dict[Name, Known]:
    """What a store gives for these tellings: no more than `learn` asks for."""
    names = {name_of(telling.receipt) for telling in tellings}
    our_ids = {telling.receipt.our_id for telling in tellings if telling.receipt.our_id}
    found = {name: known for name, known in things.items() if name in names or (not name[0] and name[1] in our_ids)}
    for our_id in our_ids:
        met = [name for name, known in things.items() if name.provider_id and our_id in known.our_ids]
        found |= {name: things[name] for name in met[:2]}
    return found


def learned(batches: Iterable[Sequence[Told]]) -> dict[Name, Known]:
    things: dict[Name, Known] = {}
    for tellings in batches:
        before = loaded(things, tellings)
        after = learn(before, tellings)
        things = {name: known for name, known in things.items() if name not in before} | after
    return things


def names(*tellings: Told) -> dict[tuple[str | None, str | None], int]:
    """How many facts each thing has, the same in every order."""
    every = [
        {
            (name.provider_id, name.our_id): len(known.facts)
            for name, known in learned([[telling] for telling in order]).items()
        }
        for order in permutations(tellings)
    ]
    assert all(each == every[0] for each in every)
    return every[0]


TELLINGS = st.builds(
    Telling,
    receipt=st.builds(
        RegistrationReceipt,
        registration=st.just(Registration.BRAND),
        provider_status=st.just("x"),
        status=st.sampled_from(RegistrationStatus),
        provider_brand_id=st.sampled_from([None, "B1", "B2", "B3"]),
        our_id=st.sampled_from([None, "x", "y"]),
        reason=st.sampled_from([None, "no"]),
    ),
    received_at=st.integers(0, 5).map(lambda minutes: START + timedelta(minutes=minutes)),
    callback_id=st.integers(1, 5),
)


@given(st.lists(TELLINGS, min_size=1, max_size=14), st.lists(st.integers(1, 4), max_size=8), st.randoms())
@settings(max_examples=100)
def test_order_repeats_and_batches_do_not_matter(tellings: list[Told], sizes: list[int], random: Any) -> None:
    again = [*tellings, *random.choices(tellings, k=3)]
    random.shuffle(again)
    batches = []
    for size in sizes:
        batches.append(again[:size])
        again = again[size:]

    assert learned([*batches, again]) == learn({}, tellings)


@given(st.lists(TELLINGS, min_size=1, max_size=14))
@settings(max_examples=100)
def test_every_fact_is_in_one_place(tellings: list[Told]) -> None:
    things = learn({}, tellings)

    facts = [receipt for known in things.values() for receipt in known.facts]
    assert sorted(map(repr, facts)) == sorted({repr(telling.receipt) for telling in tellings})


def test_facts_with_our_id_alone_join_the_one_thing_that_it_was_seen_with() -> None:
    assert names(told(None, "x"), told("B1", "x"), told("B2", None)) == {("B1", None): 2, ("B2", None): 1}


def test_facts_with_our_id_alone_stay_apart_while_it_was_seen_with_nothing() -> None:
    assert names(told(None, "x"), told(None, "y"), told("B1", None)) == {
        (None, "x"): 1, (None, "y"): 1, ("B1", None): 1,
    }  # fmt: skip


def test_one_callback_url_for_many_brands_does_not_merge_them() -> None:
    assert names(told(None, "x"), told("B1", "x"), told("B2", "x"), told("B3", "x")) == {
        (None, "x"): 1, ("B1", None): 1, ("B2", None): 1, ("B3", None): 1,
    }  # fmt: skip


def test_several_of_our_ids_may_name_one_brand() -> None:
    things = learn({}, [told("B1", "x"), told("B1", "y"), told(None, "x"), told(None, "y")])

    assert things.keys() == {Name("B1", None)}
    assert things[Name("B1", None)].our_ids == {"x", "y"}


def test_what_nothing_names_is_kept_too() -> None:
    assert names(told(None, None), told("B1", None)) == {(None, None): 1, ("B1", None): 1}
