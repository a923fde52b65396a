"""The simulated stream: the same for the same seed, signed as Plivo signs, and honest about itself."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest

from landed.domain.callbacks import CallbackRequest
from landed.domain.countries import country_of
from landed.domain.errors import SignatureInvalid
from landed.domain.messages import Message, fold
from landed.domain.networks import network_name
from landed.domain.receipts import Receipt, Telling
from landed.providers.base import Credentials
from landed.providers.plivo.provider import Plivo
from landed.simulator import world
from landed.simulator.items import FORGED, REFUSED, Account, Item, Kind, Truth
from landed.simulator.ledger import RANK, Ledger
from landed.simulator.traffic import stream

ACCOUNT = Account(
    callback_url="https://hooks.example.com/callbacks/k1", auth_token="sub-token", main_auth_token="main-token"
)
CREDENTIALS = Credentials(auth_tokens=(ACCOUNT.auth_token, ACCOUNT.main_auth_token), policy="v3-preferred")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def traffic(seed: int = 1, items: int = 6000) -> list[Item]:
    return list(islice(stream(ACCOUNT, seed=seed, messages_per_s=20, clock=lambda: START), items))


def request_of(item: Item) -> CallbackRequest:
    headers = {name.lower(): value for name, value in item.headers.items()}
    return CallbackRequest(method=item.method, url=item.url, headers=headers, body=item.body)


def receipt_of(item: Item) -> Receipt:
    (receipt,) = Plivo().parse(request_of(item))
    assert isinstance(receipt, Receipt)
    return receipt


def truth_of(item: Item) -> Truth:
    assert isinstance(item.truth, Truth)
    return item.truth


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return traffic()


def of_kind(items: list[Item], *kinds: Kind) -> list[Item]:
    return [item for item in items if item.truth.kind in kinds]


def test_same_seed_gives_the_same_stream() -> None:
    assert traffic(seed=7, items=500) == traffic(seed=7, items=500)


def test_another_seed_gives_another_stream() -> None:
    assert traffic(seed=7, items=50) != traffic(seed=8, items=50)


def test_items_come_in_the_order_they_are_due(items: list[Item]) -> None:
    assert all(earlier.due_at <= later.due_at for earlier, later in pairwise(items))


def test_rate_is_kept(items: list[Item]) -> None:
    begun = {truth_of(item).message_id for item in of_kind(items, Kind.GENUINE)}
    seconds = (items[-1].due_at - START).total_seconds()

    assert len(begun) / seconds == pytest.approx(20, rel=0.1)


def test_genuine_callbacks_and_repeats_verify(items: list[Item]) -> None:
    for item in of_kind(items, Kind.GENUINE, Kind.DUPLICATE):
        assert Plivo().verify(request_of(item), CREDENTIALS)


def test_v3_verifies_by_its_main_account_header_only(items: list[Item]) -> None:
    with_v3 = [item for item in of_kind(items, Kind.GENUINE) if "X-Plivo-Signature-V3" in item.headers]

    verified = {Plivo().verify(request_of(item), CREDENTIALS) for item in with_v3}

    assert verified == {("x-plivo-signature-v2", "x-plivo-signature-ma-v2", "x-plivo-signature-ma-v3")}


def test_forged_callbacks_are_refused_at_the_door(items: list[Item]) -> None:
    for item in of_kind(items, *REFUSED):
        with pytest.raises(SignatureInvalid):
            Plivo().verify(request_of(item), CREDENTIALS)


def test_reused_nonce_verifies_and_says_something_else_than_the_callback_it_was_taken_from(items: list[Item]) -> None:
    bodies = {item.headers["X-Plivo-Signature-V2-Nonce"]: item.body for item in of_kind(items, Kind.GENUINE)}

    for item in of_kind(items, Kind.NONCE_REUSED):
        assert Plivo().verify(request_of(item), CREDENTIALS)
        assert bodies[item.headers["X-Plivo-Signature-V2-Nonce"]] != item.body


def test_reused_nonce_comes_long_after_the_callback_it_was_taken_from(items: list[Item]) -> None:
    due = {item.headers["X-Plivo-Signature-V2-Nonce"]: item.due_at for item in reversed(of_kind(items, Kind.GENUINE))}

    for item in of_kind(items, Kind.NONCE_REUSED):
        assert item.due_at - due[item.headers["X-Plivo-Signature-V2-Nonce"]] >= timedelta(seconds=8)


def test_every_sort_of_callback_turns_up(items: list[Item]) -> None:
    receipts = [receipt_of(item) for item in of_kind(items, Kind.GENUINE)]

    assert {item.truth.kind for item in items} == set(Kind)
    assert {item.method for item in items} == {"GET", "POST"}
    assert {receipt.channel for receipt in receipts} == {None, "sms", "mms", "whatsapp"}
    assert {receipt.provider_status for receipt in receipts} > {*RANK}
    assert {receipt.provider_status for receipt in receipts if not receipt.status} <= {*world.UNKNOWN_STATUSES}
    assert {receipt.units for receipt in receipts} == {1, 2, 3, 4}
    assert any(receipt.part for receipt in receipts)


def test_a_receipt_says_what_its_truth_says(items: list[Item]) -> None:
    for item in of_kind(items, Kind.GENUINE, Kind.DUPLICATE):
        truth, receipt = truth_of(item), receipt_of(item)
        assert receipt.provider_message_id == truth.message_id
        assert receipt.provider_status == truth.status
        assert (receipt.mcc, receipt.mnc, receipt.error_code) == (truth.mcc, truth.mnc, truth.error_code)
        assert (receipt.units, receipt.cost_nanos) == (truth.units, truth.cost_nanos)
        assert country_of(receipt.recipient or "") == truth.country


def test_some_callbacks_come_out_of_order(items: list[Item]) -> None:
    told = [truth for truth in map(truth_of, of_kind(items, Kind.GENUINE)) if truth.sequence]
    last: dict[str, int] = {}
    overtaken = 0
    for truth in told:
        overtaken += truth.sequence < last.get(truth.message_id, 0)
        last[truth.message_id] = max(truth.sequence, last.get(truth.message_id, 0))

    assert 0.01 < overtaken / len(told) < 0.2


def test_shares_are_what_they_are_said_to_be(items: list[Item]) -> None:
    kinds = Counter(item.truth.kind for item in items)

    assert kinds[Kind.DUPLICATE] / kinds[Kind.GENUINE] == pytest.approx(0.04, abs=0.01)
    assert sum(kinds[kind] for kind in FORGED) / kinds[Kind.GENUINE] == pytest.approx(0.02, abs=0.008)


def test_the_world_is_made_of_real_networks() -> None:
    for country in world.COUNTRIES:
        for network in country.networks:
            assert network_name(network.mcc, network.mnc) == network.name


def test_numbers_belong_to_their_country() -> None:
    for country in world.COUNTRIES:
        for number in country.numbers:
            assert country_of("+" + number.replace("#", "0")) == country.iso2


def folded(items: list[Item]) -> list[Message]:
    """The messages as the tracker would have them."""
    told: dict[str, list[Telling[Receipt]]] = {}
    for number, item in enumerate(items):
        receipt = receipt_of(item)
        told.setdefault(receipt.provider_message_id, []).append(Telling(receipt, item.due_at, number))
    return [fold({}, tellings) for tellings in told.values()]


def test_ledger_agrees_with_the_fold(items: list[Item]) -> None:
    ledger = Ledger()
    for item in items:
        ledger.tell(item.truth)
    summary = ledger.summary()

    messages = folded(of_kind(items, Kind.GENUINE, Kind.DUPLICATE))

    assert summary.messages == len(messages)
    assert summary.by_status == Counter(message.status.value for message in messages)
    assert summary.by_country == Counter(message.country for message in messages)
    assert summary.by_error_code == Counter(message.error_code for message in messages if message.error_code)
    assert summary.units == sum(message.units or 0 for message in messages)
    assert summary.cost_nanos == sum(message.cost_nanos or 0 for message in messages)
    assert summary.unknown == sum(len(message.unknown_statuses) for message in messages if not message.parts) + sum(
        receipt.status is None for message in messages if message.parts for receipt in message.facts
    )


def test_ledger_counts_forgeries_and_repeats_apart(items: list[Item]) -> None:
    ledger = Ledger()
    for item in items:
        ledger.tell(item.truth)
    summary = ledger.summary()

    assert summary.callbacks + summary.duplicates + sum(summary.forged.values()) == len(items)
    assert summary.forged == {kind: len(of_kind(items, kind)) for kind in FORGED}


def test_ledger_does_not_care_for_order_or_repeats(items: list[Item]) -> None:
    forwards, backwards = Ledger(), Ledger()
    for item in items:
        forwards.tell(item.truth)
    for item in reversed(items):
        backwards.tell(item.truth)

    assert forwards.summary() == backwards.summary()


def test_no_secret_is_printed() -> None:
    assert "token" not in repr(ACCOUNT).replace("auth_token", "")
