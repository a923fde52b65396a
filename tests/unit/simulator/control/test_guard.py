"""Who may call what the simulator serves: this machine, not the pages that it shows; and what it may send."""

from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

import httpx
import pytest

from landed.simulator import server
from landed.simulator.control import guard
from landed.simulator.simulation import Served
from tests.unit.simulator.carrier.acme import simulation

pytestmark = pytest.mark.anyio


async def _status(
    host: str,
    *,
    hosts: tuple[str, ...] = (),
    path: str = "/_sim/health",
    headers: Mapping[str, str] = MappingProxyType({}),
) -> int:
    world, _ = simulation()
    transport = httpx.ASGITransport(server.application(world, hosts=hosts))
    async with httpx.AsyncClient(transport=transport, base_url="http://ignored") as http:
        return (await http.get(path, headers={"Host": host, **headers})).status_code


@pytest.mark.parametrize(
    "host", ["127.0.0.1:9100", "localhost", "LOCALHOST:9100", "app.localhost:1", "[::1]:9100", "127.1.2.3"]
)
async def test_names_of_this_machine_are_let_in(host: str) -> None:
    assert await _status(host) == 200


@pytest.mark.parametrize(
    "host", ["evil.test", "localhost.evil.test", "10.0.0.5:9100", "", "[", "evil.test:9100@localhost"]
)
@pytest.mark.parametrize("path", ["/_sim/health", "/send"])
async def test_foreign_names_that_lead_here_are_not(host: str, path: str) -> None:
    assert await _status(host, path=path) == 403


@pytest.mark.parametrize(("bound", "host", "status"), [
    ("10.0.0.5", "10.0.0.5:9100", 200), ("0.0.0.0", "192.168.7.7:9100", 200), ("0.0.0.0", "evil.test", 403),
    ("carrier", "carrier:9100", 200), ("10.0.0.5", "10.0.0.6", 403),
])  # fmt: skip
async def test_where_it_is_bound_and_what_was_allowed_are_its_names_too(bound: str, host: str, status: int) -> None:
    assert await _status(host, hosts=(bound,)) == status


@pytest.mark.parametrize("headers", [
    {"Origin": "http://evil.test"}, {"Origin": "null"}, {"Origin": "http://localhost:3000"},
    {"Origin": "https://127.0.0.1:9100.evil.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
])  # fmt: skip
async def test_pages_from_elsewhere_may_not_ask(headers: dict[str, str]) -> None:
    assert await _status("127.0.0.1:9100", headers=headers) == 403


@pytest.mark.parametrize("headers", [
    {"Origin": "http://127.0.0.1:9100"}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"},
])  # fmt: skip
async def test_our_own_pages_and_people_may(headers: dict[str, str]) -> None:
    assert await _status("127.0.0.1:9100", headers=headers) == 200


@pytest.mark.parametrize("declared", [True, False])
async def test_bodies_are_bounded_whether_they_say_how_long_they_are_or_not(declared: bool) -> None:
    world, _ = simulation()
    transport = httpx.ASGITransport(server.application(world), raise_app_exceptions=False)
    body = b"x" * (guard.BODY_BYTES_MAX + 1)

    async def by_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        answer = await http.post("/_sim/inbound", content=body if declared else by_pieces())

    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


async def test_a_method_that_is_not_there_is_a_problem_too() -> None:
    world, _ = simulation()
    transport = httpx.ASGITransport(server.application(world))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        answer = await http.delete("/_sim/messages")

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


async def test_whoever_watches_hears_of_requests_to_the_apis_and_not_of_its_own() -> None:
    world, _ = simulation()
    seen: list[Served] = []
    world.watchers.append(seen.append)
    transport = httpx.ASGITransport(server.application(world))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        await http.post("/send", json={"recipient": "+15005550000"})
        await http.get("/_sim/messages")
        await http.get("/nothing")

    assert [(each.method, each.path, each.status) for each in seen] == [
        ("POST", "/send", 200),
        ("GET", "/nothing", 404),
    ]
