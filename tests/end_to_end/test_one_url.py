"""One account gets callbacks of every kind at one URL: each lands in its own table and no other, and none is lost."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import psycopg
import pytest

from landed.domain.callbacks import Callback, CallbackRequest
from landed.journal.postgres import PostgresJournal
from landed.providers.plivo.provider import Plivo
from landed.services.tracking import Tracker
from landed.store import connect, partitions
from tests.unit.providers.plivo.requests import (
    ALERT,
    ATTEMPT_ID,
    BRAND,
    CAMPAIGN,
    INBOUND,
    LINK,
    MESSAGE_ID,
    SESSION,
    SESSION_ID,
    STATUS,
    form,
    get,
    json_body,
)
from tests.unit.providers.plivo.test_callbacks import ANY_PATH, KINDS, MIXTURES

NOW: Final = datetime.now(UTC)
TABLES: Final = {
    "status": "SELECT provider_message_id FROM messages WHERE direction = 'outbound'",
    "inbound": "SELECT provider_message_id FROM messages WHERE direction = 'inbound'",
    "session": "SELECT provider_session_id FROM sessions",
    "brand": "SELECT provider_brand_id FROM brands",
    "campaign": "SELECT provider_campaign_id FROM campaigns",
    "number_link": "SELECT number FROM number_links",
    "set aside": "SELECT callback_id::text FROM set_aside",
}
SET_ASIDE: Final = [
    form({"hello": "world"}),
    form({"MessageUUID": MESSAGE_ID, "From": "1"}),
    form(STATUS | {"Status": "", "Text": "Hello"}),
    form({"SessionUUID": SESSION_ID, "MessageUUID": MESSAGE_ID}),
    form({"Event": "brand", "Status": "created"}, kind="campaigns"),
    json_body(ALERT, kind="brands"),
    json_body(["not", "an", "object"]),
]


class House:
    """A database, and a tracker that is given callbacks as if from the journal."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        with psycopg.connect(database_url) as connection:
            row = connection.execute(
                "INSERT INTO accounts (name, provider, provider_account_id, policy)"
                " VALUES ('shop', 'plivo', 'MA', 'any') RETURNING id"
            ).fetchone()
        assert row is not None
        self.account_id = row[0]

    def track(self, requests: Sequence[CallbackRequest]) -> None:
        asyncio.run(self._track(requests))

    async def _track(self, requests: Sequence[CallbackRequest]) -> None:
        async with connect.pool(self.database_url, connections_max=4) as pool:
            async with pool.connection() as connection:
                await partitions.make(connection, NOW.date())
            tracker = Tracker(
                name="one",
                journal=PostgresJournal(self.database_url, lanes=1),
                pool=pool,
                provider_of=lambda _: Plivo(),
            )
            callbacks = [
                Callback(
                    id=number,
                    account_id=self.account_id,
                    received_at=NOW + timedelta(milliseconds=number),
                    request=request,
                )
                for number, request in enumerate(requests, start=1)
            ]
            await tracker.replay(callbacks)

    def kept(self) -> dict[str, list[str]]:
        with psycopg.connect(self.database_url) as connection:
            return {kind: sorted(row[0] for row in connection.execute(query)) for kind, query in TABLES.items()}


@pytest.fixture
def house(database: str) -> House:
    return House(database)


def own(fields: dict[str, str], number: int) -> dict[str, str]:
    """The same about a thing of its own."""
    ids = {
        MESSAGE_ID: f"message-{number:03}",
        SESSION_ID: f"session-{number:03}",
        ATTEMPT_ID: f"attempt-{number:03}",
        "BCDEF1G": f"B{number:03}",
        "CY5NVUA": f"C{number:03}",
    }
    told = {name: ids.get(value, value) for name, value in fields.items()}
    return told | {"Number": f"1415000{number:04}"} if "Number" in fields else told


def expected(cases: Sequence[Any]) -> dict[str, list[str]]:
    named = {
        "status": "message-{:03}",
        "inbound": "message-{:03}",
        "session": "session-{:03}",
        "brand": "B{:03}",
        "campaign": "C{:03}",
        "number_link": "+1415000{:04}",
    }
    kept: dict[str, list[str]] = {kind: [] for kind in TABLES}
    for number, (_, kind) in enumerate(cases):
        kept[kind].append(named[kind].format(number))
    return kept


@pytest.mark.parametrize("path", ANY_PATH)
def test_every_kind_and_every_mixture_lands_in_its_own_table(house: House, path: str | None) -> None:
    cases: list[Any] = [*((fields, kind) for kind, fields in KINDS.items()), *(mixture.values for mixture in MIXTURES)]
    requests = [
        replace(form(own(fields, number), kind=path), our_id=f"ours-{number}" if path else None)
        for number, (fields, _) in enumerate(cases)
    ]

    house.track([*requests, *SET_ASIDE])

    kept = house.kept()
    assert len(kept.pop("set aside")) == len(SET_ASIDE)
    assert kept == {kind: ids for kind, ids in expected(cases).items() if kind != "set aside"}


def test_order_repeats_and_the_way_they_come_change_nothing(house: House) -> None:
    cases = [(fields, kind) for kind, fields in KINDS.items()] * 3
    requests = [
        (form, get, json_body)[number // len(KINDS)](own(fields, number)) for number, (fields, _) in enumerate(cases)
    ]
    requests += requests
    Random(1).shuffle(requests)

    for start in range(0, len(requests), 7):
        house.track(requests[start : start + 7])

    assert house.kept() == expected(cases)


def test_one_id_in_all_of_them_names_a_thing_in_each(house: House) -> None:
    same = {MESSAGE_ID: "x1", SESSION_ID: "x1", ATTEMPT_ID: "x1", "BCDEF1G": "x1", "CY5NVUA": "x1"}
    all_ = (STATUS, INBOUND, SESSION, BRAND, CAMPAIGN, LINK)

    house.track([form({name: same.get(value, value) for name, value in fields.items()}) for fields in all_])

    assert house.kept() == {
        **{kind: ["x1"] for kind in ("status", "inbound", "session", "brand", "campaign")},
        "number_link": ["+14155550100"],
        "set aside": [],
    }
