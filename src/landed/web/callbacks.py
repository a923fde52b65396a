"""Callbacks of providers come in here: a bare ASGI application, since every request of it counts.

    GET, POST /callbacks/{account_key}[/{kind}/{our_id}]        and the paths that operators chose themselves

Anything else goes to the application behind it. The order of things: whose is it, method, size, read the body, prove
who sent it, see that it can be read at all, keep it, answer. A 200 means on disk; a fault of ours is a 503.
"""

import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import orjson
import structlog

from landed.domain import addresses
from landed.domain.addresses import Network
from landed.domain.callbacks import PATH_KINDS, CallbackRequest
from landed.domain.errors import (
    AddressesUnresolved,
    CallbackMalformed,
    CallbackTooLarge,
    CallerNotAllowed,
    LandedError,
    NotFound,
    Overloaded,
    SignatureInvalid,
    StoreUnavailable,
)
from landed.journal.base import Accepted
from landed.providers import forms
from landed.services.callers import AUTHORIZATION, Guard
from landed.services.receiving import Committer, Directory, Entry, Refusals
from landed.store.refusals import Refused

_log = structlog.get_logger()

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
RawHeaders = Sequence[tuple[bytes, bytes]]
#: Status, headers besides content-length, body.
Answer = Callable[[int, RawHeaders, bytes], None]

#: The server in front (protocol.py) allows no more than this; whatever else serves us must not either.
HEADERS_BYTES_MAX: Final = 32 * 1024
#: Objects within objects; no provider's JSON is deeper than five.
JSON_DEPTH_MAX: Final = 50
#: After a 413 the rest of the body is thrown away up to here, so that the sender gets to read the answer.
_DISCARD_BYTES_MAX: Final = 32 * 1024 * 1024

#: A larger body comes in pieces, and wants somebody who holds it back: see uvicorn's flow control.
_DIRECT_BYTES_MAX: Final = 64 * 1024

_OUR_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_MASKED: Final = frozenset({"authorization", "proxy-authorization", "cookie"})
_PREFIX: Final = "/callbacks/"

_PROBLEM_TYPE: Final = (b"content-type", b"application/problem+json")
_STORED_START: Final = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
_STORED_BODY: Final = {"type": "http.response.body", "body": b""}


class Keeper(Protocol):
    """What looks again when a key is unknown: services.receiving.DirectoryKeeper."""

    async def look_again(self) -> bool: ...


class MethodNotAllowed(LandedError):
    code = "method_not_allowed"


class HeadersTooLarge(LandedError):
    code = "headers_too_large"


class _Refusal(NamedTuple):
    status: int
    title: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


#: What a sender is told, by the class of the error. Anything that is not here is our own fault.
_REFUSALS: Final[dict[type[Exception], _Refusal]] = {
    CallbackMalformed: _Refusal(400, "Neither a form, JSON nor a query"),
    SignatureInvalid: _Refusal(403, "Not signed rightly"),
    CallerNotAllowed: _Refusal(403, "Not allowed to call"),
    NotFound: _Refusal(404, "No such callback address"),
    MethodNotAllowed: _Refusal(405, "Method not allowed", ((b"allow", b"GET, POST"),)),
    CallbackTooLarge: _Refusal(413, "Body too large", ((b"connection", b"close"),)),
    HeadersTooLarge: _Refusal(431, "Headers too large", ((b"connection", b"close"),)),
    Overloaded: _Refusal(503, "Too much at once", ((b"retry-after", b"2"),)),
    StoreUnavailable: _Refusal(503, "Cannot be stored now", ((b"retry-after", b"10"),)),
    # Not to know who may call is our own trouble, which must not cost a callback.
    AddressesUnresolved: _Refusal(503, "Cannot be checked now", ((b"retry-after", b"10"),)),
}
_OUR_FAULT: Final = _Refusal(503, "Cannot be stored now", ((b"retry-after", b"10"),))


class _Gone(Exception):
    """The sender hung up before the request was complete."""


class Receiver:
    """The ASGI application. Its counts are plain numbers for /metrics.

    Of the server in protocol.py a plain request of a known account comes by a shorter way, `direct`: half of the time
    of such a request went into a task, a future and messages for each. The rules are the same.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        keeper: Keeper,
        committer: Committer,
        refusals: Refusals,
        public_url: str,
        body_bytes_max: int,
        fallback: App,
        trusted_proxies: Sequence[Network] = (),
    ) -> None:
        self._directory = directory
        self._keeper = keeper
        self._committer = committer
        self._refusals = refusals
        self._body_bytes_max = body_bytes_max
        self._direct_bytes_max = min(body_bytes_max, _DIRECT_BYTES_MAX)
        self._fallback = fallback
        self._trusted_proxies = trusted_proxies
        # The public URL may have a path that a proxy in front strips or not; the signed URL has it once.
        self._public_url = public_url.rstrip("/")
        self._public_path = urlsplit(self._public_url).path
        self._public_origin = self._public_url.removesuffix(self._public_path)
        self.received = 0
        self.stored = 0
        #: By status and code of the answer, those that were not stored.
        self.refused: Counter[tuple[int, str]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._fallback(scope, receive, send)
            return
        arrival = self._arrival(scope["method"], scope.get("raw_path") or scope["path"].encode(), scope["query_string"])
        if arrival is None:
            await self._fallback(scope, receive, send if self._directory.loaded else _never_refused(send))
            return
        self.received += 1
        try:
            if arrival.entry is None:
                arrival.entry = await self._unknown(arrival.path)
            if arrival.method not in ("POST", "GET"):
                raise MethodNotAllowed(f"A callback is sent with GET or POST, not {arrival.method}.")
            arrival.read_headers(scope["headers"])
            arrival.body = await self._body(arrival.headers, receive)
            if arrival.entry.guard is not None:
                self._admit(arrival, arrival.entry.guard, scope.get("client"))
            await self._committer.add(arrival.accepted(arrival.entry))
        except _Gone:
            self.refused[0, "sender_gone"] += 1
        except Exception as error:
            await _refuse(*self._refusal(error, arrival), receive, send)
        else:
            self.stored += 1
            await send(_STORED_START)
            await send(_STORED_BODY)

    def direct(self, method: str, target: bytes, headers: RawHeaders) -> Callable[[bytes, Answer], None] | None:
        """Take a request whose headers are in, or leave it to `__call__` (None), as all that is not plain is.

        What is given back is to be called with the whole body, and calls the answer function then or later.
        """
        path, _, query = target.partition(b"?")
        if method != "POST" or not path.startswith(b"/") or b"#" in target:
            return None
        arrival = self._arrival(method, path, query)
        if arrival is None or (entry := arrival.entry) is None or entry.guard is not None:
            return None
        arrival.read_headers(headers)
        named = arrival.headers
        length = named.get("content-length")
        if length is None or int(length) > self._direct_bytes_max or "expect" in named or "upgrade" in named:
            return None

        def take(body: bytes, answer: Answer) -> None:
            def done(failure: StoreUnavailable | None) -> None:
                if failure is None:
                    self.stored += 1
                    answer(200, (), b"")
                else:
                    refused, problem = self._refusal(failure, arrival)
                    answer(refused.status, (_PROBLEM_TYPE, *refused.headers), problem)

            self.received += 1
            arrival.body = body
            try:
                self._committer.enter(arrival.accepted(entry), done)
            except Exception as error:
                refused, problem = self._refusal(error, arrival)
                answer(refused.status, (_PROBLEM_TYPE, *refused.headers), problem)

        return take

    def _admit(self, arrival: "_Arrival", guard: Guard, client: tuple[str, int] | None) -> None:
        """See that whoever calls may. Raises what the guard raises."""
        named = arrival.headers.get
        caller = addresses.caller(
            client[0] if client else None, named("x-forwarded-for"), named("forwarded"), self._trusted_proxies
        )
        arrival.client_address = str(caller) if caller else None
        arrival.admitted_by = guard.check(caller, named(AUTHORIZATION))

    def _arrival(self, method: str, raw_path: bytes, query: bytes) -> "_Arrival | None":
        """A request for a callback address, even an unknown one; None where the path is none."""
        path = raw_path.decode("latin-1")
        if self._public_path and path.startswith(self._public_path + "/"):
            url, path = self._public_origin + path, path[len(self._public_path) :]
        else:
            url = self._public_url + path
        if query:
            url = f"{url}?{_text(query)}"
        kind = our_id = entry = None
        is_ours = path.startswith(_PREFIX)
        if is_ours:
            key, kind, our_id = _parts(path)
            entry = self._directory.by_key(key) if key else None
        if entry is None and (entry := self._directory.by_path(path)) is not None:
            kind = our_id = None
        return _Arrival(entry, method, path, url, query, kind, our_id) if entry is not None or is_ours else None

    async def _unknown(self, path: str) -> Entry:
        """The account may be a second old. While we cannot look, we do not know that it does not exist."""
        is_certain = await self._keeper.look_again()
        key, _, _ = _parts(path)
        entry = (self._directory.by_key(key) if key else None) or self._directory.by_path(path)
        if entry is not None:
            return entry
        if not is_certain:
            raise StoreUnavailable("The accounts cannot be looked up now.")
        raise NotFound("No account has this callback address.")

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes:
        if int(headers.get("content-length") or 0) > self._body_bytes_max:
            raise CallbackTooLarge(f"The body is larger than {self._body_bytes_max} bytes.")
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            chunks, size = [body], len(body)
            while message.get("more_body") and size <= self._body_bytes_max:
                message = await receive()
                chunk = message.get("body", b"")
                chunks.append(chunk)
                size += len(chunk)
            body = b"".join(chunks)
        if message["type"] == "http.disconnect":
            raise _Gone
        if len(body) > self._body_bytes_max:
            raise CallbackTooLarge(f"The body is larger than {self._body_bytes_max} bytes.")
        return body

    def _refusal(self, error: Exception, arrival: "_Arrival") -> "tuple[_Refusal, bytes]":
        """Count it, keep it for diagnosis, and say what to answer."""
        refusal = _REFUSALS.get(type(error), _OUR_FAULT)
        entry = arrival.entry
        account_id = None if entry is None else entry.account_id
        self.refused[refusal.status, _code(error)] += 1
        self._refusals.count(account_id, _reason(error))
        if refusal is _OUR_FAULT:
            _log.error("callback_failed", account_id=account_id, exc_info=error)
        is_told = refusal.status < 500 or isinstance(error, AddressesUnresolved)
        if account_id is not None and is_told and self._refusals.has_room(account_id):
            self._refusals.keep(arrival.refused(account_id, error))
        return refusal, _problem(refusal, _code(error), str(error) if is_told else None)


class _Arrival:
    """One request on its way in."""

    __slots__ = (
        "admitted_by", "body", "client_address", "entry", "headers", "kind", "lines", "method", "our_id", "path",
        "query", "url",
    )  # fmt: skip

    def __init__(
        self, entry: Entry | None, method: str, path: str, url: str, query: bytes, kind: str | None, our_id: str | None
    ) -> None:
        self.entry = entry
        self.method = method
        self.path = path
        self.url = url
        self.query = query
        self.kind = kind
        self.our_id = our_id
        self.lines = b""
        self.headers: dict[str, str] = {}
        self.body = b""
        self.client_address: str | None = None  # asked for only where an account has a guard
        self.admitted_by: tuple[str, ...] = ()

    def read_headers(self, raw: RawHeaders) -> None:
        """As they are stored, one line each, and by name, repeated ones joined with commas."""
        headers = {_name(name): value.decode("latin-1") for name, value in raw}
        if len(headers) < len(raw):
            for name in headers:
                sought = name.encode("latin-1")
                headers[name] = ",".join([value.decode("latin-1") for other, value in raw if other == sought])
        if not _MASKED.isdisjoint(headers):
            raw = [(name, b"***" if name.decode("latin-1") in _MASKED else value) for name, value in raw]
        self.headers = headers
        self.lines = b"\n".join([*map(b": ".join, raw), b""])
        if len(self.lines) > HEADERS_BYTES_MAX:
            raise HeadersTooLarge(f"The headers are larger than {HEADERS_BYTES_MAX} bytes.")

    def accepted(self, entry: Entry) -> Accepted:
        """Proven and readable, or an error that says what is wrong."""
        headers, body = self.headers, self.body
        request = CallbackRequest(
            method=self.method,
            url=self.url,
            headers=headers,
            body=body,
            kind=self.kind,
            our_id=self.our_id,
            client_address=self.client_address,
        )
        try:
            verified_by = self.admitted_by + entry.provider.verify(request, entry.credentials)
        except RecursionError:
            raise CallbackMalformed("The body is nested too deeply.") from None
        _check(headers.get("content-type", ""), self.query, body)
        return Accepted(
            datetime.now(UTC),
            entry.account_id,
            self.method,
            self.url,
            self.kind,
            self.our_id,
            self.lines,
            body,
            ",".join(verified_by),
        )

    def refused(self, account_id: int, error: Exception) -> Refused:
        announced = self.headers.get("content-length", "")
        body_bytes = min(max(len(self.body), int(announced) if announced.isdecimal() else 0), 2**31 - 1)
        return Refused(
            account_id,
            _reason(error),
            str(error),
            datetime.now(UTC),
            self.method,
            self.url,
            self.lines,
            self.body,
            body_bytes,
        )


@lru_cache(maxsize=256)
def _name(name: bytes) -> str:
    """The name of a header. Providers have two dozen, the same in each request."""
    return name.decode("latin-1")


async def _refuse(refusal: "_Refusal", problem: bytes, receive: Receive, send: Send) -> None:
    await send(_start(refusal, problem))
    # The connection closes with the last message. Closed over unread data, TCP would take the answer back.
    is_closing = (b"connection", b"close") in refusal.headers
    await send({"type": "http.response.body", "body": problem, "more_body": is_closing})
    if is_closing:
        left, message = _DISCARD_BYTES_MAX, await receive()
        while message.get("more_body") and left > 0:
            left -= len(message.get("body", b""))
            message = await receive()
        await send({"type": "http.response.body", "body": b""})


def _parts(path: str) -> tuple[str, str | None, str | None]:
    """Key, kind and our id in `/callbacks/…`; an empty key where it has neither form."""
    parts = path.split("/")
    if len(parts) > 3 and not parts[-1]:
        parts.pop()
    if len(parts) == 3:
        return parts[2], None, None
    if len(parts) == 5 and parts[3] in PATH_KINDS and _OUR_ID.fullmatch(parts[4]):
        return parts[2], parts[3], parts[4]
    return "", None, None


def _text(query: bytes) -> str:
    try:
        return query.decode()
    except UnicodeDecodeError:
        return query.decode("latin-1")  # refused as malformed, once it is proven who sent it


def _check(content_type: str, query: bytes, body: bytes) -> None:
    """Raise CallbackMalformed unless the query is one, and the body a form or JSON as it says."""
    if query:
        forms.well_formed(query)
    if not body:
        return
    media_type = _media_type(content_type)
    if media_type == "application/json" or (not media_type and body.startswith(b"{")):
        _check_json(body)
    elif media_type in ("application/x-www-form-urlencoded", ""):
        forms.well_formed(body)
    else:
        raise CallbackMalformed("The body is neither a form nor JSON by its content type.")


@lru_cache(maxsize=64)
def _media_type(content_type: str) -> str:
    media_type, *parameters = content_type.lower().split(";")
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name.strip() == "charset" and value.strip(' "') not in ("utf-8", "utf8", "us-ascii"):
            raise CallbackMalformed("The body is in another charset than UTF-8.")
    return media_type.strip()


def _check_json(body: bytes) -> None:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = _odd_json(body)
    if not isinstance(content, dict):
        raise CallbackMalformed("The body is JSON, but not an object.")
    if len(content) > forms.FIELDS_MAX:
        raise CallbackMalformed(f"The body has more than {forms.FIELDS_MAX} fields.")
    level: list[Any] = [content]
    for _ in range(JSON_DEPTH_MAX):
        if b"\\u0000" in body and any(isinstance(value, str) and "\0" in value for value in level):
            raise CallbackMalformed("The body contains a NUL character.")
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return
    raise CallbackMalformed(f"The body is nested more than {JSON_DEPTH_MAX} deep.")


def _odd_json(body: bytes) -> Any:
    """JSON behind a byte order mark, or with half of an emoji that somebody cut in two: no reason to lose it."""
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise CallbackMalformed("The body is not JSON.") from None


def _no_constant(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity, which Python takes


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return (*value.keys(), *value.values())
    return value if isinstance(value, list) else ()


def _code(error: Exception) -> str:
    return error.code if isinstance(error, LandedError) else LandedError.code


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, SignatureInvalid | CallerNotAllowed) else _code(error)


def _problem(refusal: "_Refusal", code: str, detail: str | None = None) -> bytes:
    problem: dict[str, Any] = {"type": "about:blank", "title": refusal.title, "status": refusal.status, "code": code}
    if detail is not None:
        problem["detail"] = detail
    return orjson.dumps(problem)


def _start(refusal: "_Refusal", problem: bytes) -> Message:
    headers = [_PROBLEM_TYPE, (b"content-length", b"%d" % len(problem)), *refusal.headers]
    return {"type": "http.response.start", "status": refusal.status, "headers": headers}


def _never_refused(send: Send) -> Send:
    """Before the accounts were loaded once, an unknown path may be somebody's own. Then it is our fault, which whatever
    lies behind us must not answer with a refusal, nor with another address."""
    is_replaced = False

    async def forward(message: Message) -> None:
        nonlocal is_replaced
        if message["type"] == "http.response.start" and 300 <= message["status"] < 500:
            is_replaced = True
            problem = _problem(_OUR_FAULT, StoreUnavailable.code)
            await send(_start(_OUR_FAULT, problem))
            await send({"type": "http.response.body", "body": problem})
        elif not is_replaced:
            await send(message)

    return forward
