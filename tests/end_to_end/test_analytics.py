"""Analytics over the API: over time, against the period before, at one glance, and as files."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from landed.services import message_export
from tests.databases import Databases
from tests.end_to_end.test_reading_api import NOW, House, delivered, told

HOUR = NOW.replace(minute=0, second=0)


@pytest.fixture
def house(database_url: str) -> Iterator[House]:
    house = House(database_url)
    yield house
    house.close()


@pytest.fixture(scope="module")
def empty(databases: Databases) -> Iterator[House]:
    """For questions that are refused, whatever is there."""
    with databases.fresh() as database:
        house = House(database)
        yield house
        house.close()


def this_and_last_hour(house: House) -> dict[str, str]:
    """3 delivered and 1 failed in the last whole hour, 1 delivered and 1 failed in the one before; its period."""
    last, before = HOUR - timedelta(hours=1), HOUR - timedelta(hours=2)
    house.track(
        *(delivered(f"n{n}", at=last, after_s=8, number=n + 1) for n in range(3)),
        told("n3", "failed", at=last, ErrorCode="30", To="447700900123"),
        delivered("b0", at=before, after_s=4),
        told("b1", "undelivered", at=before, ErrorCode="80", number=2),
        delivered("other", at=last, account_id=2),
    )
    return {"since": last.isoformat(), "until": HOUR.isoformat()}


# --- over time and compared ----------------------------------------------------------------------------------------


def test_each_row_is_compared_with_the_period_of_equal_length_before(house: House) -> None:
    period = this_and_last_hour(house)
    answer = house.data("/v1/analytics/messages", "reads-shop", compare="previous", **period)
    (row,) = answer["data"]
    assert answer["meta"]["previous"] == {
        "since": f"{HOUR - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}",
        "until": f"{HOUR - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
    }
    assert (row["messages"], row["previous"]["messages"]) == (4, 2)
    assert row["change"]["messages"] == {"absolute": 2.0, "relative": 1.0}
    assert row["change"]["delivery_rate"] == {"absolute": 25.0, "relative": None}
    assert row["change"]["latency_s"]["p50"]["relative"] == pytest.approx(1.0, abs=0.11)
    assert row["change"]["cost"] == [{"currency": "USD", "absolute": "0.0110", "relative": 2.0}]


def test_groups_that_were_only_there_before_are_told_too(house: House) -> None:
    period = this_and_last_hour(house)
    rows = house.data("/v1/analytics/messages", "reads-shop", group_by="error_code", compare="previous", **period)[
        "data"
    ]
    assert {row["error_code"]: (row["messages"], row["previous"]["messages"]) for row in rows} == {
        None: (3, 1), "30": (1, 0), "80": (0, 1)
    }  # fmt: skip
    assert [row["error"] and row["error"]["fault"] for row in rows] == [None, "filtered", "recipient"]


def test_faults_group_what_codes_mean(house: House) -> None:
    period = this_and_last_hour(house)
    rows = house.data("/v1/analytics/messages", "reads-shop", group_by="fault", **period)["data"]
    assert [(row["fault"], row["messages"]) for row in rows] == [(None, 3), ("filtered", 1)]


def test_days_are_those_of_the_viewer(house: House) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    midnight = NOW.astimezone(berlin).replace(hour=0, minute=0, second=0)
    late, early = midnight - timedelta(minutes=10), midnight + timedelta(minutes=10)
    house.track(told("a", "sent", at=late.astimezone(UTC)), told("b", "sent", at=early.astimezone(UTC), number=2))
    since, until = (midnight + timedelta(days=days) for days in (-1, 1))
    query = {"since": since.isoformat(), "until": until.isoformat(), "bucket": "day", "time_zone": "Europe/Berlin"}
    rows = house.data("/v1/analytics/messages", **query)["data"]
    assert [(datetime.fromisoformat(row["bucket_at"]).astimezone(berlin).hour, row["messages"]) for row in rows] == [
        (0, 1), (0, 1)
    ]  # fmt: skip


def test_what_hours_of_utc_cannot_tell_is_said(empty: House) -> None:
    asked = {"since": "20d", "bucket": "day", "time_zone": "Asia/Kolkata"}
    told_of = empty.data("/v1/analytics/messages", **asked)["meta"]["approximated"]
    assert "up to 30 minutes off" in told_of
    assert empty.data("/v1/analytics/messages", **asked | {"since": "1d"})["meta"]["approximated"] is None
    assert empty.data("/v1/analytics/messages", **asked | {"time_zone": "Asia/Tokyo"})["meta"]["approximated"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"bucket": "5_minutes", "since": "10d"}, "bucket"),
        ({"bucket": "hour", "since": "2020-01-01"}, "bucket"),
        ({"bucket": "day", "since": "0001-01-02"}, "bucket"),
        ({"compare": "previous", "since": "0900-01-01"}, "since"),
        ({"compare": "last year"}, "compare"),
        ({"format": "xlsx"}, "format"),
    ],
)
@pytest.mark.parametrize("path", ["messages", "verify"])
def test_what_cannot_be_answered_names_its_field(empty: House, path: str, query: dict[str, str], field: str) -> None:
    answer = empty.get(f"/v1/analytics/{path}", **query)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_what_reaches_beyond_all_messages_is_answered_at_once(house: House) -> None:
    this_and_last_hour(house)
    (row,) = house.data("/v1/analytics/messages", since="1000-01-01", until="9999-01-01")["data"]
    assert row["messages"] == 7


# --- the overview --------------------------------------------------------------------------------------------------


def test_an_overview_tells_all_of_a_period_at_once(house: House) -> None:
    period = this_and_last_hour(house)
    answer = house.data("/v1/analytics/overview", "reads-shop", compare="previous", top=1, **period)
    assert answer["totals"] == {
        name: value
        for name, value in house.data("/v1/analytics/messages", "reads-shop", **period)["data"][0].items()
        if name in answer["totals"]
    }
    assert (answer["previous"]["messages"], answer["change"]["messages"]["absolute"]) == (2, 2.0)
    assert [row["messages"] for row in answer["series"]] == [4] + [0] * 11
    assert answer["meta"]["bucket"] == "5_minutes"
    assert sum(bar["messages"] for bar in answer["latency_bars"]) == 3
    country = answer["by_country"]
    assert (country["groups"], country["rows"][0]["country"], country["rows"][0]["share"]) == (2, "US", 0.75)
    assert (country["rest"]["groups"], country["rest"]["messages"], country["rest"]["share"]) == (1, 1, 0.25)
    (code,) = answer["errors"]["rows"]
    assert (code["error_code"], code["country"], code["messages"], code["previous"]) == ("30", "GB", 1, 0)
    assert {"title", "advice"} <= {*code["error"]}
    assert [(row["fault"], row["error_codes"], row["messages"], row["previous"]) for row in answer["by_fault"]] == [
        ("filtered", ["30"], 1, 0), ("recipient", ["80"], 0, 1)
    ]  # fmt: skip
    assert answer["funnel"]["started"] == 0


def test_an_overview_is_filtered_by_anything_and_of_what_we_sent(house: House) -> None:
    period = this_and_last_hour(house)

    def messages(key: str = "reads-all", **filters: str) -> int:
        return int(house.data("/v1/analytics/overview", key, **period, **filters)["totals"]["messages"])

    assert (messages(), messages("reads-bank"), messages(account="bank"), messages(country="GB")) == (5, 1, 1, 1)
    assert messages(error_code="30", status="failed") == 1
    assert messages(direction="inbound") == 0
    assert house.data("/v1/analytics/overview", error_code="30", **period)["funnel"] is None
    assert house.get("/v1/analytics/overview", "reads-bank", account="shop").status_code == 422


@pytest.mark.parametrize(
    ("query", "bucket"),
    [
        ({"since": "2h"}, "5_minutes"),
        ({"since": "20d", "until": "476h"}, "hour"),
        ({"since": "7d"}, "hour"),
        ({"since": "7d", "time_zone": "Asia/Kolkata"}, "day"),
        ({"since": "30d"}, "day"),
        ({"since": "52w"}, "week"),
        ({"since": "2000-01-01"}, "month"),
    ],
)
def test_the_series_has_what_fits_the_period(empty: House, query: dict[str, str], bucket: str) -> None:
    answer = empty.data("/v1/analytics/overview", **query)
    assert answer["meta"]["bucket"] == bucket
    assert 3 < len(answer["series"]) < 400


# --- files ---------------------------------------------------------------------------------------------------------


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_analytics_come_as_csv_with_a_column_for_each_currency(house: House) -> None:
    period = this_and_last_hour(house)
    answer = house.get(
        "/v1/analytics/messages", "reads-shop", format="csv", group_by="country,network", compare="previous", **period
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="analytics-messages.csv"'
    us, gb, _ = rows_of(answer.text)
    assert (us["country"], us["network_mcc"], us["network_name"], us["messages"]) == ("US", "310", "T-Mobile", "3")
    assert (us["cost_USD"], us["previous_messages"], us["change_messages_relative"]) == ("0.0165", "1", "2.0")
    assert (gb["country"], gb["latency_s_p50"], gb["cost_USD"]) == ("GB", "", "")


def test_an_answer_without_rows_has_its_head_all_the_same(empty: House) -> None:
    answer = empty.get("/v1/analytics/messages", format="csv", group_by="country")
    assert answer.text.startswith("country,messages,parts,units,")
    assert answer.text.count("\r\n") == 1


@pytest.mark.parametrize("path", ["messages", "verify", "10dlc"])
def test_accept_asks_for_a_format_too(empty: House, path: str) -> None:
    headers = {"Authorization": "Bearer reads-all", "Accept": "application/vnd.apache.parquet, */*;q=0.1"}
    answer = empty.run(empty.client.get(f"/v1/analytics/{path}", headers=headers))
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert pq.read_table(io.BytesIO(answer.content)).num_rows == (1 if path != "10dlc" else 10)


def exported(house: House, key: str = "reads-all", **query: Any) -> bytes:
    answer = house.get("/v1/messages/export", key, **query)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_exports_go_through_all_pages(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_export, "PAGE", 2)
    this_and_last_hour(house)
    everything = rows_of(exported(house).decode())
    assert [row["provider_message_id"] for row in everything] == house.ids()
    assert {row["account"] for row in rows_of(exported(house, "reads-bank").decode())} == {"bank"}
    assert [row["provider_message_id"] for row in rows_of(exported(house, status="failed").decode())] == ["n3"]
    parquet = pq.ParquetFile(io.BytesIO(exported(house, format="parquet")))
    assert (parquet.metadata.num_rows, parquet.metadata.num_row_groups) == (7, 4)


def test_parquet_has_real_types(house: House) -> None:
    this_and_last_hour(house)
    table = pq.read_table(io.BytesIO(exported(house, "reads-bank", format="parquet")))
    types = {field.name: str(field.type) for field in table.schema}
    assert (types["delivered_at"], types["cost_amount"]) == ("timestamp[us, tz=UTC]", "decimal128(38, 9)")
    assert (types["tags"], types["final"], types["units"]) == ("list<element: string>", "bool", "int64")
    (row,) = table.to_pylist()
    assert (row["to"], row["cost_amount"], row["tags"]) == ("+14155550123", Decimal("0.005500000"), [])
    assert row["delivered_at"] == HOUR - timedelta(hours=1) + timedelta(seconds=4)


def test_strangers_write_no_formulas_into_spreadsheets(house: House) -> None:
    house.track(told("m", "=cmd|'/C calc'!A0", From="=SUM(A1)"))
    (row,) = rows_of(exported(house).decode())
    assert row["provider_status"] == "'=cmd|'/C calc'!A0"
    assert (row["from"], row["to"]) == ("'=SUM(A1)", "+14155550123")


@pytest.mark.parametrize("query", [{"account": "nobody"}, {"format": "json"}, {"status": "gone"}])
def test_an_export_that_cannot_be_is_refused_before_it_begins(empty: House, query: dict[str, str]) -> None:
    assert empty.get("/v1/messages/export", **query).status_code == 422
    assert empty.get("/v1/messages/export", "nobody's").status_code == 401
