"""A visit with a real browser, which notes everything that a page may not do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    ViewportSize,
    expect,
)

from tests.serving import Served

DESKTOP: Final[ViewportSize] = {"width": 1280, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
_WAIT_MS: Final = 15_000
_ENDED_BY_LEAVING: Final = ("eventsource", "fetch", "document")
_SCRIPT: Final = (Path(__file__).parent / "looking.js").read_text()


class Site:
    """A running Landed, its database, and the cookie of a session for each role."""

    def __init__(self, server: Served, database: str, sessions: Mapping[str, str]) -> None:
        self.server = server
        self.base_url = server.base_url
        self.sessions = sessions
        self._database = database

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._database, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


class Visit:
    """A window. `complaints` are of its console, of requests that failed or went elsewhere, and of answers of the
    server that no page should get."""

    def __init__(self, site: Site, context: BrowserContext) -> None:
        self.site = site
        self.context = context
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        #: Answers with these statuses are what the test is about.
        self.expected: set[int] = set()
        self.page.set_default_timeout(_WAIT_MS)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self._complain(f"script: {error}"))
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)

    @classmethod
    def open(cls, browser: Browser, site: Site, role: str | None, **options: Any) -> "Visit":
        """Signed in as that role; None: as nobody."""
        context = browser.new_context(**{"viewport": DESKTOP, "timezone_id": "UTC", **options})
        context.add_init_script(_SCRIPT)
        if role is not None:
            session = site.sessions[role]
            context.add_cookies([{"name": "landed-session", "value": session, "url": site.base_url, "httpOnly": True}])
        return cls(site, context)

    def close(self) -> None:
        self.context.close()

    def go(self, address: str) -> Page:
        """Open an address; back when its charts are drawn."""
        answer = self.page.goto(self.site.base_url + address)
        assert answer is not None
        assert answer.status < 400 or answer.status in self.expected, f"{address}: {answer.status}"
        self.wait_for_charts()
        return self.page

    def wait_for_charts(self) -> None:
        expect(self.page.locator("[data-chart]:not([data-drawn=yes])")).to_have_count(0, timeout=_WAIT_MS)

    def look(self, question: str, *arguments: Any) -> Any:
        """Ask looking.js."""
        return self.page.evaluate(f"(given) => landedLooking.{question}(...given)", list(arguments))

    def query(self, name: str) -> list[str]:
        """The values of a parameter of the address."""
        found: list[str] = self.page.evaluate("(name) => new URLSearchParams(location.search).getAll(name)", name)
        return found

    # --- complaints ---

    def _complain(self, text: str) -> None:
        self.complaints.append(f"{urlsplit(self.page.url).path}: {text}")

    def _console(self, message: ConsoleMessage) -> None:
        is_told_already = "Failed to load resource" in message.text  # by _response
        if message.type in ("error", "warning") and not is_told_already:
            self._complain(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.site.base_url + "/", "data:", "blob:")):
            self._complain(f"asked {request.url}")

    def _failed(self, request: Request) -> None:
        # Whoever leaves a page ends its stream, and what its scripts were still asking.
        was_left = request.failure == "net::ERR_ABORTED" and request.resource_type in _ENDED_BY_LEAVING
        if not was_left:
            self._complain(f"{request.method} {request.url} failed: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self._complain(f"{response.request.method} {response.url}: {response.status}")
