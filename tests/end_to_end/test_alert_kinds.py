"""What each kind of rule sees: the right messages, no younger ones, and never a lag of ours taken for theirs."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from functools import partial

import pytest

from landed.domain.alerting import Filter, Kind
from landed.journal.base import Accepted
from landed.services.alert_rules import NewRule, RuleFields
from landed.services.alert_shapes import AlertShape, RuleShape
from landed.services.alerts import AlertQuestion
from landed.services.receiving import Refusals
from landed.store import oddities
from tests.alerting import ATT, MORNING, T_MOBILE, VODAFONE, House, opened_house

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def house(database: str) -> AsyncIterator[House]:
    async with opened_house(database) as opened:
        await opened.account()
        yield opened


async def look(house: House, *, after: timedelta = MINUTE) -> int:
    house.now += after
    return await house.watch().look()


async def rule(house: House, name: str) -> RuleShape:
    return await house.rules().one(name, account_id=None)


async def firing(house: House) -> dict[str, AlertShape]:
    page = await house.alerts().page(AlertQuestion(firing=True), account_id=None, cursor=None, limit=50)
    return {alert.rule: alert for alert in page.data}


async def at_once(house: House, name: str) -> None:
    """Without waiting, to see what a rule sees."""
    await house.rules().change(name, RuleFields(hold_s=0, recovery_hold_s=0), account_id=None)


async def test_slow_is_what_took_long_or_still_does_and_not_what_is_young(house: House) -> None:
    await at_once(house, "Messages are slow")

    def delivered(number: int, network: tuple[str, str], seconds: int) -> list[Accepted]:
        at = house.now
        done = f"{at + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}"
        message = f"s{network}{number}"
        return [
            house.told(message, network, at, "sent"),
            house.told(message, network, at, "delivered", DeliveryReportTime=done),
        ]

    callbacks = [each for n in range(60) for each in delivered(n, ATT, 5)]
    callbacks += [each for n in range(30) for each in delivered(n, T_MOBILE, 400)]
    callbacks += [house.told(f"u{n}", VODAFONE, house.now, "sent") for n in range(30)]
    await house.track(callbacks, disturbed=False)

    await look(house)
    assert (await rule(house, "Messages are slow")).value is None  # a minute old: nobody can tell yet
    await look(house)
    await look(house)
    seen = await rule(house, "Messages are slow")
    assert (seen.observed_of, seen.value) == (120, 0.5)
    alert = (await firing(house))["Messages are slow"]
    assert "took longer than 2 min" in alert.title


async def test_missing_is_what_has_no_end_after_the_time_and_not_what_is_young(house: House) -> None:
    await at_once(house, "Receipts are missing")
    callbacks = [house.told(f"d{n}", ATT, house.now, "delivered") for n in range(40)]
    callbacks += [house.told(f"u{n}", VODAFONE, house.now, "sent") for n in range(60)]
    await house.track(callbacks, disturbed=False)

    await look(house, after=timedelta(minutes=29))
    assert (await rule(house, "Receipts are missing")).value is None
    await look(house, after=2 * MINUTE)
    await look(house, after=2 * MINUTE)

    alert = (await firing(house))["Receipts are missing"]
    assert alert.value == 0.6
    assert alert.where is not None
    assert (alert.where.dimension, alert.where.value) == ("network", "262-02")
    assert "have no receipt after 30 min" in alert.where.text


async def test_while_tracking_lags_nothing_is_called_slow_missing_or_failed_but_the_lag_is_told(house: House) -> None:
    watch = house.watch()
    for _ in range(10):
        callbacks = house.minute({ATT: (20, 0), VODAFONE: (20, 0)})
        house.now += MINUTE
        await house.track(callbacks)
        await watch.look()
    for _ in range(50):  # callbacks are kept, and nobody tracks them
        await house.journal.append(house.minute({ATT: (20, 0), VODAFONE: (20, 0)}))
        house.now += MINUTE
        await watch.look()

    alerts = await firing(house)
    assert set(alerts) == {"Tracking lags behind"}
    assert "callbacks waiting" in alerts["Tracking lags behind"].title

    await house.track([])
    for _ in range(5):
        await look(house)
    assert await firing(house) == {}
    assert Counter(row["rule_name"] for row in await house.rows("SELECT rule_name FROM alerts")) == {
        "Tracking lags behind": 1
    }


async def test_an_unknown_status_is_told_with_the_word_and_is_over_an_hour_later(house: House) -> None:
    at = house.now
    await house.track([house.told("m1", ATT, at, "bounced"), house.told("m2", ATT, at, "bounced")], disturbed=False)

    assert await look(house) == 1
    alert = (await firing(house))["Unknown statuses"]
    assert [(each.account, each.word, each.times) for each in alert.words] == [("shop", "bounced", 2)]
    assert alert.where is not None
    assert (alert.where.dimension, alert.where.value) == ("account", "shop")
    assert "account=shop" in alert.url
    for _ in range(65):
        await look(house)
    assert await firing(house) == {}


async def test_signatures_refused_by_several_processes_add_up_and_strangers_do_not_count(house: House) -> None:
    async def add(counts: Mapping[tuple[int, str], int]) -> None:
        await oddities.add_refused(house.pool, counts, house.now)

    async def nothing(rows: object) -> None:
        raise AssertionError(rows)

    processes = [Refusals(nothing, add) for _ in range(3)]
    for process in processes:
        for _ in range(16):
            process.count(house.account_id, "signature_mismatch")
            process.count(None, "not_found")
            process.count(house.account_id, "store_unavailable")
        await process.flush_counts()
        await process.flush_counts()

    await look(house)
    assert (await rule(house, "Signatures are refused")).value == 48
    processes[0].count(house.account_id, "signature_missing")
    processes[0].count(house.account_id, "address_not_allowed")
    await processes[0].flush_counts()
    assert await look(house) == 1
    assert (await firing(house))["Signatures are refused"].words[0].word == "signature_mismatch"


async def spend(house: House, name: str, days_ago: int, messages: int, amount: str, network: tuple[str, str]) -> None:
    at = house.now - timedelta(days=days_ago, minutes=20)
    told = [
        house.told(f"{name}{days_ago}-{n}", network, at, "delivered", TotalAmount=amount)._replace(
            received_at=house.now - timedelta(minutes=19)
        )
        for n in range(messages)
    ]
    await house.track(told, disturbed=False)


async def test_spend_is_held_against_the_same_time_of_the_days_before_and_names_what_grew(house: House) -> None:
    await at_once(house, "Spend is unusual")
    for day in range(1, 8):
        await spend(house, "us", day, 20, "0.01", T_MOBILE)
    await spend(house, "us", 0, 20, "0.01", T_MOBILE)
    await look(house)
    assert (await rule(house, "Spend is unusual")).value is None  # fewer messages than its floor

    await spend(house, "de", 0, 300, "0.10", VODAFONE)
    assert await look(house) == 1
    alert = (await firing(house))["Spend is unusual"]
    assert alert.value > 100
    assert alert.where is not None
    assert (alert.where.dimension, alert.where.value) == ("network", "262-02")
    assert "30.00 USD" in alert.where.text
    assert "times what is usual" in alert.title


async def test_without_days_to_compare_with_spend_is_not_unusual_but_an_amount_is_an_amount(house: House) -> None:
    await house.rules().add(NewRule(kind=Kind.SPEND, name="Ten dollars", threshold=10, currency="usd"), account_id=None)
    await spend(house, "de", 0, 300, "0.10", VODAFONE)

    await look(house)

    assert (await rule(house, "Spend is unusual")).value is None
    assert (await rule(house, "Ten dollars")).value == pytest.approx(30)
    assert set(await firing(house)) == {"Ten dollars"}


async def test_few_typed_codes_are_told_with_the_network_and_the_hour_it_began_in(house: House) -> None:
    bad, well = MORNING - timedelta(hours=1), MORNING - timedelta(hours=4)
    for at, country, mcc, mnc, verified in (
        (well, "US", "310", "260", 90),
        (well, "NG", "621", "20", 88),
        (bad, "US", "310", "260", 90),
        (bad, "NG", "621", "20", 2),
    ):
        await house.rows(
            "INSERT INTO session_counters_hour (account_id, bucket_at, country, mcc, mnc, channel, started, sent,"
            " delivered, verified, expired, ended, attempts, attempts_sent, attempts_delivered, histogram)"
            " VALUES (%s, %s, %s, %s, %s, 'sms', 100, 0, 0, %s, 0, 0, 0, 0, 0, '')",
            house.account_id, at, country, mcc, mnc, verified,
        )  # fmt: skip
    await house.rules().change("Few codes are typed", RuleFields(threshold=0.5, recovery=0.6), account_id=None)

    await look(house, after=timedelta(minutes=10))
    assert (await rule(house, "Few codes are typed")).value == 0.89  # those of the last hour may still be passed
    assert await look(house, after=timedelta(minutes=10)) == 1

    alert = (await firing(house))["Few codes are typed"]
    assert alert.value == 0.46
    assert alert.where is not None
    assert (alert.where.dimension, alert.where.value) == ("network", "621-20")
    assert "2 % of 100 were verified, all others 90 %" in alert.where.text
    assert alert.since == bad


async def test_filters_narrow_what_a_rule_sees(house: House) -> None:
    await house.rules().add(
        NewRule(
            kind=Kind.FAILURE_SHARE,
            name="US",
            filters={Filter.COUNTRY: ["us"], Filter.NETWORK: ["310-410"], Filter.SENDER: ["+1 (415) 555-0100"]},
            threshold=0.1,
            hold_s=0,
            floor=5,
        ),
        account_id=None,
    )
    await house.live(4, {T_MOBILE: (20, 20), ATT: (10, 5), VODAFONE: (10, 10)}, house.watch())

    seen = await rule(house, "US")
    assert seen.value == pytest.approx(0.5, abs=0.1)
    assert seen.filters["country"] == ["US"]
    alert = (await firing(house))["US"]
    assert alert.url.endswith("&country=US&sender=%2B14155550100&network=310-410")


async def test_a_rule_that_cannot_be_told_does_not_silence_the_others(house: House) -> None:
    await house.rows("UPDATE alert_rules SET filters = '{\"network\": [\"nonsense\"]}' WHERE name = 'Messages fail'")
    await house.track([house.told("m1", ATT, house.now, "bounced")], disturbed=False)

    assert await look(house) == 1
    assert set(await firing(house)) == {"Unknown statuses"}


async def test_counts_of_refusals_wait_while_the_database_is_away(house: House) -> None:
    from landed.domain.errors import StoreUnavailable

    away = True
    added: list[dict[tuple[int, str], int]] = []

    async def add(counts: Mapping[tuple[int, str], int], kept: list[dict[tuple[int, str], int]]) -> None:
        if away:
            raise StoreUnavailable("away")
        kept.append(dict(counts))

    async def nothing(rows: object) -> None: ...

    refusals = Refusals(nothing, partial(add, kept=added))
    refusals.count(7, "signature_mismatch")
    await refusals.flush_counts()
    refusals.count(7, "signature_mismatch")
    away = False
    await refusals.flush_counts()
    await refusals.flush_counts()

    assert added == [{(7, "signature_mismatch"): 2}]
