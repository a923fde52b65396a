"""What stands before every page: the host it was asked for, the path below the public URL's, and strict headers."""

import ipaddress
from collections.abc import MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Scripts and styles are files of ours; nothing is loaded from elsewhere, framed, or sent elsewhere.
CONTENT_SECURITY_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    # With no-referrer a browser would hide from us, too, which page a form was sent from.
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
#: None of them is part of a name, and readers of addresses do not agree on what comes after one.
_NO_HOST: Final = frozenset("/?#@\\")
_WRONG_HOST: Final = b"Landed is not called that. Set LANDED_PUBLIC_URL to the address that people and providers use.\n"


class Hosts:
    """Under which names we may be asked. Whoever makes a name of his own point to us gets nothing (DNS rebinding).

    Addresses are no names: nobody can make one point elsewhere.
    """

    def __init__(self, public_url: str) -> None:
        parts = urlsplit(public_url)
        self._name = (parts.hostname or "").lower()
        self.public_origin = f"{parts.scheme}://{parts.netloc.lower()}"

    def knows(self, host: str) -> bool:
        name = _name(host)
        if name is None:
            return False
        if name in (self._name, "localhost") or name.endswith(".localhost"):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def is_origin(self, origin: str, host: str) -> bool:
        """Whether a page from there is one of ours: the public address, or the one that was asked for."""
        origin = origin.lower()
        if origin == self.public_origin:
            return True
        return self.knows(host) and origin in (f"http://{host.lower()}", f"https://{host.lower()}")


def _name(host: str) -> str | None:
    if not _NO_HOST.isdisjoint(host):
        return None
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


class Gate:
    """Refuses names that are not ours, and puts the headers on every answer, errors too."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self.app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with_ours(message)
            await send(message)

        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if self._hosts.knows(host.decode("latin-1")):
            await self.app(scope, receive, send_with_headers)
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(_WRONG_HOST))]
        await send_with_headers({"type": "http.response.start", "status": 421, "headers": headers})
        await send_with_headers({"type": "http.response.body", "body": _WRONG_HOST})


def _with_ours(message: MutableMapping[str, Any]) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = list(message.get("headers", []))
    there = {name.lower() for name, _ in headers}
    return headers + [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in there]
