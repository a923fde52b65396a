"""Chromium, and a running Landed full of traffic for it to look at."""

import asyncio
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests import filled
from tests.browser.visiting import Site, Visit
from tests.dashboard import SECRET_KEY, House, dashboard
from tests.databases import Databases
from tests.serving import served

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The path of the program."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the program; without it these tests are skipped."""
    found = find_chromium()
    if found is None:
        pytest.skip("There is no Chromium: apt-get install chromium, or name one in CHROMIUM.")
    return found


# For a module only: while Playwright is there, no test of this thread can run a loop of its own.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(chromium: str, databases: Databases) -> Iterator[Site]:
    """`landed serve` over a filled database, and a session of each role."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base_url = f"http://127.0.0.1:{port}"
    with databases.fresh() as database:
        # In a thread of its own, which has no loop that Playwright may be running.
        with ThreadPoolExecutor(1) as thread:
            sessions = thread.submit(_prepare, database, base_url).result()
        variables = {"LANDED_DATABASE_URL": database, "LANDED_SECRET_KEY": SECRET_KEY, "LANDED_PORT": str(port)}
        with served(public_url=base_url, **variables) as server:
            yield Site(server, database, sessions)


def _prepare(database: str, base_url: str) -> dict[str, str]:
    asyncio.run(filled.fill(database, now=datetime.now(UTC)))
    with dashboard(database, public_url=base_url) as house:
        return {role: _session(house, role) for role in ("viewer", "operator", "admin")}


def _session(house: House, role: str) -> str:
    return str(house.visitor(role).cookies["__Host-landed-session"])


@pytest.fixture
def open_as(browser: Browser, site: Site) -> Iterator[Callable[..., Visit]]:
    """`open_as("viewer", color_scheme="dark")`: a window of a browser of its own, signed in. At the end of the test
    none of them may have complained of anything."""
    with ExitStack() as stack:
        visits: list[Visit] = []

        def open_as(role: str | None, **options: Any) -> Visit:
            visit = Visit.open(browser, site, role, **options)
            stack.callback(visit.close)
            visits.append(visit)
            return visit

        yield open_as
        complaints = [complaint for visit in visits for complaint in visit.complaints]
    assert complaints == []
