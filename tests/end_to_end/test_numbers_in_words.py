"""What providers say in words, codes and names of fields may hold a person's number, which viewers and guests never
see; and it may be HTML, which nobody's browser may run."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from landed.journal.base import Accepted
from landed.journal.postgres import PostgresJournal
from landed.services import accounts
from landed.services.tracking import Tracker
from landed.store import partitions
from tests.dashboard import PUBLIC_URL, House, Visitor, dashboard
from tests.databases import Databases
from tests.walking import walk

NUMBER: Final = "4155550177"
HOSTILE: Final = f"</script><img src=x onerror=alert(1)>\"' 1{NUMBER}"
OURS: Final = "14155550100"


@pytest.fixture(scope="module")
def house(databases: Databases) -> Iterator[House]:
    with databases.fresh() as database, dashboard(database) as house:
        house.run(_fill(house))
        yield house


async def _fill(house: House) -> None:
    account = await accounts.add(
        house.pool, house.sealer, house.providers, provider="plivo", name="shop", provider_account_id="MA1",
        auth_token="a-token-0123456789", now=datetime.now(UTC),
    )  # fmt: skip
    sent = {"From": OURS, "To": f"+1{NUMBER}"}
    told: list[dict[str, str]] = [
        {"MessageUUID": str(uuid4()), "Status": f"rejected for {HOSTILE}", **sent},
        {"MessageUUID": str(uuid4()), "Status": "failed", "ErrorCode": f"1{NUMBER}", NUMBER: "name", **sent},
        {"MessageUUID": str(uuid4()), "Status": "failed", "ErrorCode": HOSTILE, **sent},
        {"SessionUUID": str(uuid4()), "SessionStatus": f"x {HOSTILE}", "Recipient": OURS, "ChannelErrorCode": NUMBER},
        {"brandId": "B1", "event": "BRAND_UPDATE", "brandRegistrationStatus": "REJECTED", "reason": f"call {HOSTILE}"},
    ]  # fmt: skip
    journal = PostgresJournal(house.database_url, lanes=1)
    await journal.open()
    async with house.pool.connection() as connection:
        await partitions.make(connection, datetime.now(UTC).date())
    url = f"{PUBLIC_URL}/callbacks/{account.paths[0].value}"
    lines, proof = b"content-type: application/x-www-form-urlencoded\n", "x-plivo-signature-v2"
    now, bodies = datetime.now(UTC), [urlencode(each).encode() for each in told]
    await journal.append([Accepted(now, account.id, "POST", url, None, None, lines, body, proof) for body in bodies])
    tracker = Tracker(name="test", journal=journal, pool=house.pool, provider_of=lambda _: house.providers["plivo"])
    await tracker.drain(range(1))
    await journal.close()


def seen_by(visitor: Visitor) -> dict[str, str]:
    """All pages, by address."""
    found: dict[str, str] = {}

    def page(address: str) -> str | None:
        answer = visitor.get(address)
        if answer.status_code == 200 and answer.headers["content-type"].startswith("text/html"):
            found[address] = answer.text
        return found.get(address)

    walk(page, "/?since=7d")
    for address in {each for html in found.values() for each in re.findall(r'href="(/messages/[0-9a-f-]{36})', html)}:
        page(address)
    return found


def test_a_viewer_reads_what_providers_say_without_the_numbers_in_it(house: House) -> None:
    seen = seen_by(house.visitor("viewer"))

    assert [address for address, html in seen.items() if NUMBER in html] == []
    assert "rejected for " in "".join(seen.values())


def test_an_operator_reads_it_whole_and_as_text(house: House) -> None:
    seen = seen_by(house.visitor("operator"))

    assert sum(NUMBER in html for html in seen.values()) > 5
    assert [address for address, html in seen.items() if "<img src=x" in html or "</script><img" in html] == []


def test_a_guest_reads_no_number_in_the_errors_of_a_shared_page(house: House) -> None:
    shared = house.visitor("operator").post("/shared", path="/", query="since=7d", days="1").text
    link = re.search(r"/shared/[\w-]+", shared)
    assert link is not None

    html = house.visitor().page(link[0])

    assert "What went wrong" in html
    assert NUMBER not in html
