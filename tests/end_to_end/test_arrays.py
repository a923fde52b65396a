"""Columns that we pack ourselves are to PostgreSQL what psycopg would have sent."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landed.store import arrays
from landed.store.arrays import Array

VALUES = {
    "int4": st.integers(-(2**31), 2**31 - 1),
    "int8": st.integers(-(2**63), 2**63 - 1),
    "text": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    "bytea": st.binary(max_size=20),
    "date": st.dates(date(1, 1, 1)),
    "timestamptz": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
}


@pytest.mark.parametrize("type_name", VALUES)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_column_arrives_as_it_was(database_url: str, type_name: str, data: st.DataObject) -> None:
    value = VALUES[type_name]
    column = data.draw(
        st.one_of(
            st.lists(value, min_size=1, max_size=5),
            st.lists(st.one_of(st.none(), value), min_size=1, max_size=5),
            st.builds(lambda one, count: [one] * count, st.one_of(st.none(), value), st.integers(1, 4)),
        )
    )

    assert arrived(database_url, type_name, column) == column


def test_moments_are_of_one_time_zone_or_another() -> None:
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC)

    assert Array("timestamptz", [summer]).packed == Array("timestamptz", [summer.astimezone()]).packed
    assert Array("timestamptz", [summer]).packed != Array("timestamptz", [summer + timedelta(microseconds=1)]).packed


def arrived(database_url: str, type_name: str, column: list[Any]) -> list[Any]:
    with psycopg.connect(database_url) as connection:
        arrays.register(connection)
        connection.execute("SET TIME ZONE 'UTC'")
        rows = connection.execute(f"SELECT unnest(%b::{type_name}[])", [Array(type_name, column)]).fetchall()
    return [value for (value,) in rows]
