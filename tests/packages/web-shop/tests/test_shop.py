"""The shop's own tests: what the fixture is for."""

from collections.abc import Iterator

import pytest
from shop import Shop

from landed.testing.carrier import LandedCarrier

REACHED, SWITCHED_OFF, NEVER_TOLD = "+15005550000", "+15005550030", "+15005559008"


@pytest.fixture
def shop(landed_carrier: LandedCarrier, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setattr("plivo.rest.client.PLIVO_API_BASE_URI", landed_carrier.plivo.base_uri)
    shop = Shop(landed_carrier.plivo.auth_id, landed_carrier.plivo.auth_token)
    yield shop
    shop.close()


def test_who_was_not_reached_is_called(shop: Shop, landed_carrier: LandedCarrier) -> None:
    order = shop.ship(SWITCHED_OFF, 1)

    message = landed_carrier.wait_for(to=SWITCHED_OFF, status="undelivered")

    assert (message["id"], message["error_code"]) == (order, "30")
    assert shop.orders[order] == "call them"


@pytest.mark.landed_carrier(chaos="all", speed=1000)
def test_orders_end_where_the_carrier_says_whatever_goes_wrong_on_the_way(
    shop: Shop, landed_carrier: LandedCarrier
) -> None:
    orders = [shop.ship(f"+1212555{number:04}", number) for number in range(30)]

    landed_carrier.settle(timeout_s=60)

    told = {each["id"]: each["told"]["status"] for each in landed_carrier.messages()}
    means = {"delivered": "knows", "undelivered": "call them", "failed": "call them"}
    assert {order: means.get(told[order], "wait") for order in orders} == {
        order: shop.orders.get(order, "wait") for order in orders
    }
    assert shop.refused > 0
    assert landed_carrier.ledger()["let_in"] == 0


def test_a_person_types_the_code_that_was_sent(shop: Shop, landed_carrier: LandedCarrier) -> None:
    session = shop.verify("+12125550101")
    code = landed_carrier.latest_otp("+12125550101")

    assert not shop.check(session, "000000" if code != "000000" else "111111")
    assert shop.check(session, code)


def test_people_write_back(shop: Shop, landed_carrier: LandedCarrier) -> None:
    landed_carrier.receive(sender="+12125550101", to="+14155550110", text="Thanks!", url=shop.url)
    landed_carrier.set_up(message_url=shop.url)
    landed_carrier.receive(sender="+12125550102", to="+14155550110", text="Where is it?")
    landed_carrier.settle()

    assert sorted(shop.heard) == ["Thanks!", "Where is it?"]


@pytest.mark.landed_carrier(speed=0)
def test_time_passes_as_the_test_says(shop: Shop, landed_carrier: LandedCarrier) -> None:
    order = shop.ship("+12125550101", 2)
    assert shop.orders == {}

    landed_carrier.advance(3600)

    assert shop.orders[order] == "knows"


@pytest.mark.landed_carrier(scenario="no-receipts")
def test_no_word_is_no_news(shop: Shop, landed_carrier: LandedCarrier) -> None:
    order = shop.ship(REACHED, 3)
    landed_carrier.wait_for(to=REACHED, status="delivered", told=False)

    assert order not in shop.orders
    assert {each["state"] for each in landed_carrier.callbacks()} == {"lost"}


@pytest.mark.landed_carrier(scenario={"countries": {"US": {"failures": {"30": 1.0}, "silent": 0}}})
def test_the_world_is_as_the_marker_says(shop: Shop, landed_carrier: LandedCarrier) -> None:
    shop.ship("+12125550101", 4)
    assert landed_carrier.wait_for(to="+12125550101", status="undelivered")["error_code"] == "30"

    landed_carrier.scenario(countries={"US": {"failures": {}}})
    again = shop.ship("+12125550101", 5)

    assert landed_carrier.wait_for(id=again, status="delivered")["id"] == again


def test_a_failure_that_is_wanted(shop: Shop, landed_carrier: LandedCarrier) -> None:
    if not landed_carrier.messages():
        shop.ship(REACHED, 6)
        landed_carrier.settle()
    landed_carrier.wait_for(to=NEVER_TOLD, status="delivered", timeout_s=0.1)
