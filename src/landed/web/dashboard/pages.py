"""What every page stands on: who looks at it, the state in its address, and how it is rendered.

A route asks for a `Page` and gets one only where the viewer may be there:

    @routes.get("/messages")
    async def show(page: Annotated[Page, Depends(pages.viewers)]) -> Response: ...

A request that changes something has passed the check of its origin and of its form's token by then, on every route.
"""

import base64
import binascii
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlsplit

import orjson
from fastapi.routing import APIRoute
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from landed.domain import numbers
from landed.domain.errors import NotFound
from landed.domain.users import Role, SharedLink, User, WebSession
from landed.services import redacting
from landed.services.auditing import Auditor
from landed.services.guessing import Guesses
from landed.services.signing_in import SigningIn
from landed.web.callers import address_of
from landed.web.dashboard import formats, forms
from landed.web.dashboard import view as views
from landed.web.dashboard.forms import Form
from landed.web.dashboard.gate import Hosts
from landed.web.dashboard.static_files import StaticFiles
from landed.web.dashboard.view import Change, View
from landed.web.dashboard.viewer import GUEST, Forbidden, SignInNeeded, Viewer

if TYPE_CHECKING:
    from jinja2 import Environment

_FLASH_CHARACTERS_MAX: Final = 500
_FLASH_S: Final = 60
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: In place of a text, for those who may not read it.
HIDDEN: Final = "hidden"
#: In the request's scope: the shared link that it came by.
SHARED: Final = "landed.shared"
THEMES: Final = ("light", "dark")


class Pages:
    """Makes pages. One for the whole dashboard."""

    def __init__(
        self,
        *,
        signing_in: SigningIn,
        auditor: Auditor,
        hosts: Hosts,
        public_url: str,
        trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.signing_in = signing_in
        self.auditor = auditor
        self.hosts = hosts
        self.static_files = StaticFiles()
        self.clock = clock
        self.public_url = public_url
        parts = urlsplit(public_url)
        #: What stands before every path in links: the path of the public URL.
        self.root = parts.path.rstrip("/")
        self.is_secure = parts.scheme == "https"
        self._trusted_proxies = trusted_proxies
        self.guesses = Guesses()
        self.viewers = Guard(self, Role.VIEWER)
        #: Viewers, and whoever has a shared link to that page with its parameters.
        self.viewers_and_guests = Guard(self, Role.VIEWER, guests=True)
        self.operators = Guard(self, Role.OPERATOR)
        self.admins = Guard(self, Role.ADMIN)
        #: Pages for whoever is not signed in.
        self.everybody = Guard(self, None)
        #: Paths of pages that can be shared: application.py knows them when all pages are there.
        self.shareable: frozenset[str] = frozenset()

    def address_of(self, request: Request) -> str | None:
        """Where the request comes from, as far as it can be told."""
        return address_of(request.scope, self._trusted_proxies)

    def cookie_name(self, name: str) -> str:
        """With the prefix that browsers take only over https, from this very host."""
        return f"__Host-landed-{name}" if self.is_secure else f"landed-{name}"

    def set_cookie(self, response: Response, name: str, value: str, *, max_age_s: int | None = None) -> None:
        response.set_cookie(
            self.cookie_name(name), value, max_age=max_age_s, path="/", secure=self.is_secure, httponly=True,
            samesite="lax",
        )  # fmt: skip

    def delete_cookie(self, response: Response, name: str) -> None:
        response.delete_cookie(self.cookie_name(name), path="/", secure=self.is_secure, httponly=True, samesite="lax")

    @cached_property
    def templates(self) -> "Environment":
        """Loaded with the first page: a process that only takes callbacks has no use for it."""
        from landed.web.dashboard import templating

        return templating.environment()


class Page:
    """One request for a page, by somebody who may be there."""

    def __init__(
        self,
        pages: Pages,
        request: Request,
        *,
        viewer: Viewer | None,
        session: WebSession | None = None,
        shared: SharedLink | None = None,
        secret: str | None = None,
        form: Form | None = None,
    ) -> None:
        self.pages = pages
        self.request = request
        #: None on the pages of those who are not signed in.
        self.viewer = viewer
        self.session = session
        self.shared = shared
        #: What was sent; empty for a page that is only looked at.
        self.form = form or Form({})
        self._secret = secret

    @property
    def user(self) -> User:
        """Who is signed in. Only for pages that no guest can see."""
        assert self.session is not None  # noqa: S101  the guard saw to it
        return self.session.user

    @property
    def address(self) -> str | None:
        return self.pages.address_of(self.request)

    @cached_property
    def view(self) -> View:
        """What the address says.

        Raises:
            InputInvalid: it cannot be read.
        """
        query = self.request.scope["query_string"].decode("latin-1") if self.shared is None else self.shared.query
        zone = unquote(self.request.cookies.get("landed-zone", ""))
        return views.read(query, now=self.pages.clock(), zone_of_browser=zone or None, is_bound=self.shared is not None)

    def forget_view(self) -> None:
        """Go on without what the address says, which cannot be read: for the page that tells so."""
        self.__dict__["view"] = View(now=self.pages.clock(), is_bound=self.shared is not None)

    def may(self, role: str) -> bool:
        """Whether whoever looks has that role or a greater one."""
        return self.viewer is not None and self.viewer.may(role)

    # --- what a template gets ---

    def number(self, number: str | None) -> str:
        """Another's phone number as this viewer may see it. Names and short codes stay."""
        if number is None:
            return formats.NOTHING
        return number if self.viewer is not None and self.viewer.may_see_numbers else numbers.mask(number)

    def private(self, text: Any) -> str:
        """A text as this viewer may see it: whole, or not at all."""
        if text is None:
            return formats.NOTHING
        return str(text) if self.viewer is not None and self.viewer.may_see_numbers else HIDDEN

    def told(self, text: str | None) -> str:
        """A provider's word, code or sentence as this viewer may see it: without the numbers in it."""
        if not text:
            return formats.NOTHING
        return text if self.viewer is not None and self.viewer.may_see_numbers else redacting.text(text)

    def url(self, path: str, **parameters: Change) -> str:
        """The address of one of our pages; nowhere on a shared page."""
        return "" if self.shared is not None else views.address(self.pages.root + path, parameters)

    def static(self, name: str) -> str:
        return f"{self.pages.root}/static/{self.pages.static_files.version(name)}/{name}"

    @property
    def csrf_token(self) -> str:
        """What proves that a form is of a page of ours, made for this browser."""
        return self.pages.signing_in.csrf_token(self._secret) if self._secret else ""

    def csrf_field(self) -> Markup:
        return Markup('<input type="hidden" name="{}" value="{}">').format(forms.CSRF_FIELD, self.csrf_token)

    # --- answers ---

    def render(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """The page that a template makes. Every template gets viewer, view, path, csrf_token, theme and the like."""
        from landed.web.dashboard import templating

        said = self._flash()
        showing = templating.showing.set(self)
        try:
            text = self.pages.templates.get_template(template).render(**self._context(said), **context)
        finally:
            templating.showing.reset(showing)
        response = HTMLResponse(text, status)
        if said is not None:
            self.pages.delete_cookie(response, "said")
        if self.session is None and self.shared is None and self._secret is not None:
            self.pages.set_cookie(response, "visit", self._secret)
        return response

    def json(self, content: Any, status: int = 200) -> Response:
        """For scripts of ours. Numbers in it have to go through `number`."""
        return Response(orjson.dumps(content, default=str), status, media_type="application/json")

    def go(self, path: str, *, said: str | None = None, **parameters: Change) -> RedirectResponse:
        """On to another page after something was done; `said` is shown there once."""
        response = RedirectResponse(self.pages.root + views.address(path, parameters), 303)
        if said is not None:
            self.pages.set_cookie(response, "said", _packed(said), max_age_s=_FLASH_S)
        return response

    async def record(self, action: str, target: str | None = None) -> None:
        """Write into the audit log what the viewer did: `await page.record("key.created", name)`."""
        actor = "nobody" if self.session is None else f"user:{self.session.user.name}"
        await self.pages.auditor.record(actor, action, target, self.address)

    def _context(self, said: str | None) -> dict[str, Any]:
        theme = self.request.cookies.get("landed-theme")
        path = self.request.url.path
        return {
            "viewer": self.viewer,
            "view": self.view,
            "path": path,
            "csrf_token": self.csrf_token,
            "theme": theme if theme in THEMES else None,
            "said": said,
            "shared": self.shared,
            "can_share": self.viewer is not None and self.viewer.may(Role.OPERATOR) and path in self.pages.shareable,
        }

    def _flash(self) -> str | None:
        packed = self.request.cookies.get(self.pages.cookie_name("said"))
        return None if packed is None else _unpacked(packed)


class Guard:
    """A dependency that gives the page where the viewer may be there.

    Raises:
        SignInNeeded: nobody is signed in.
        Forbidden: the role is too small; or it would change something, and was not sent by a page of ours.
        NotFound: it is not a page that this shared link is for.
        SearchThrottled: a viewer looks for one number after another.
    """

    def __init__(self, pages: Pages, role: Role | None, *, guests: bool = False) -> None:
        self._pages = pages
        self.role = role
        self.guests = guests

    async def __call__(self, request: Request) -> Page:
        page = await self._page(request)
        request.state.page = page
        if page.session is not None and not page.may(Role.OPERATOR):
            for text in request.query_params.getlist("q"):
                self._pages.guesses.see(page.user.id, text)
        return page

    async def _page(self, request: Request) -> Page:
        if "\x00" in request.scope["path"]:
            raise NotFound("There is nothing whose name has such characters.")
        changes = request.method not in _SAFE_METHODS
        if (shared := request.scope.get(SHARED)) is not None:
            if not self.guests or changes:
                raise NotFound("This link shows one page, and not this one.")
            return Page(self._pages, request, viewer=GUEST, shared=shared)
        signing_in = self._pages.signing_in
        if changes:
            self._check_origin(request)
        token = request.cookies.get(self._pages.cookie_name("session"))
        session = None if token is None else await signing_in.session(token)
        if session is None and self.role is not None:
            raise SignInNeeded("Sign in to see this page.")
        if session is not None and self.role is not None and not session.user.role.includes(self.role):
            request.state.page = Page(self._pages, request, viewer=_viewer(session), session=session, secret=token)
            raise Forbidden(f"This takes the role {self.role}; you are {session.user.role}.")
        secret = token if session is not None and token is not None else self._visit(request)
        form = await self._form(request, secret) if changes else None
        return Page(
            self._pages,
            request,
            viewer=None if session is None else _viewer(session),
            session=session,
            secret=secret,
            form=form,
        )

    def _check_origin(self, request: Request) -> None:
        """A browser says which page a request was sent from; that has to be one of ours."""
        headers = request.headers
        origin = headers.get("origin")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") or (
            origin is not None and not self._pages.hosts.is_origin(origin, headers.get("host", ""))
        ):
            raise Forbidden("This was sent by a page that is not ours.")

    async def _form(self, request: Request, secret: str) -> Form:
        form = await forms.read(request)
        given = request.headers.get(forms.CSRF_HEADER) or form.get(forms.CSRF_FIELD) or ""
        if not self._pages.signing_in.is_csrf_token(given, secret):
            raise Forbidden("This form was not made for you, or it is too old: load the page again.")
        return form

    def _visit(self, request: Request) -> str:
        """What the forms of those who are not signed in are bound to: a cookie without meaning."""
        visit = request.cookies.get(self._pages.cookie_name("visit"), "")
        return visit if len(visit) == 43 else secrets.token_urlsafe(32)


def guard_of(route: APIRoute) -> Guard | None:
    """Who may use a route, by what it depends on."""
    found = [each.call for each in route.dependant.dependencies if isinstance(each.call, Guard)]
    return found[0] if found else None


def shareable_paths(routes: Iterable[BaseRoute]) -> frozenset[str]:
    """Pages that guests may see by a link."""
    return frozenset(
        route.path for route in routes if isinstance(route, APIRoute) and (guard := guard_of(route)) and guard.guests
    )


def _viewer(session: WebSession) -> Viewer:
    return Viewer(name=session.user.name, role=session.user.role)


def _packed(said: str) -> str:
    return base64.urlsafe_b64encode(said[:_FLASH_CHARACTERS_MAX].encode()).decode()


def _unpacked(packed: str) -> str | None:
    try:
        return base64.urlsafe_b64decode(packed).decode()
    except (ValueError, binascii.Error):
        return None


def next_path(given: str | None) -> str:
    """Where to go after signing in: a path of ours, nothing else."""
    if given is None or not given.startswith("/") or given.startswith("//") or "\\" in given:
        return "/"
    return quote(given, safe="/?&=%+:,;@!$'()*~.-_")
