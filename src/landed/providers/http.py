"""One request to a provider's API and its answer, or one of the errors under SendFailed: what every client needs.

Whether a request went out decides whether it may be made again, so that is not guessed from the kind of the error but
watched: httpcore tells when it begins to write. A request with a body that was not begun to be written is none, since
nobody acts on its head. A kept-alive connection that the server has closed meanwhile takes what is written all the
same, so that counts as gone out, although it mostly has not.

Errors of the HTTP library hold the request, and with it the credentials, the text and the number. They are named by
their class, and are neither cause nor context of ours.
"""

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

import httpx
import orjson

from landed import __version__
from landed.domain import numbers
from landed.domain.errors import (
    OutcomeUnknown,
    ProviderFailed,
    ProviderThrottled,
    ProviderUnreachable,
    RequestRefused,
    SendFailed,
)

CONNECT_S_MAX: Final = 5.0
#: Between two pieces of an answer, and for the first.
READ_S_MAX: Final = 15.0
WRITE_S_MAX: Final = 15.0
#: For a connection to become free.
POOL_S_MAX: Final = 5.0
#: Servers close idle connections after a minute or more; a request that meets a closed one has an unknown outcome.
IDLE_S_MAX: Final = 20.0
CONNECTIONS_MAX: Final = 100
#: A page of a hundred messages with their texts has about 200 KB.
ANSWER_BYTES_MAX: Final = 2 * 1024 * 1024
#: Longer than any provider means: beyond this a Retry-After is an error of somebody's clock.
RETRY_AFTER_S_MAX: Final = 3600.0
REASON_CHARACTERS_MAX: Final = 200

#: Errors of httpx that say by themselves that nothing of the request went out.
_NOTHING_OUT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
#: What the server says where it sends the same request elsewhere without having acted on it. After 302 and 303 it may
#: have acted.
_MOVED: Final = frozenset({301, 307, 308})


def open_client(
    *, connect_s_max: float = CONNECT_S_MAX, read_s_max: float = READ_S_MAX, verify: bool = True
) -> httpx.AsyncClient:
    """The connections that the clients of all accounts share. Its time-outs are those of every request."""
    for name in ("httpx", "httpcore"):  # they log URLs, and some of those hold a number
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx.AsyncClient(
        timeout=httpx.Timeout(read_s_max, connect=connect_s_max, write=WRITE_S_MAX, pool=POOL_S_MAX),
        limits=httpx.Limits(
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=CONNECTIONS_MAX,
            keepalive_expiry=IDLE_S_MAX,
        ),
        verify=verify,
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Request:
    """What to ask. `what` completes "Plivo did not …"; `withheld` must not come back in an error."""

    what: str
    method: str
    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    #: Whether making it twice does nothing twice: look-ups, and whatever is harmless to repeat.
    is_repeatable: bool = False
    withheld: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.method} to {self.what}>"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Answer:
    """What came back. `body` is None where it broke off, or is larger than any answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def content(self) -> Any:
        """The JSON, numbers with a fraction as text, so that a price keeps its digits; None for anything else, and
        for what no table can hold."""
        if not self.body:
            return None
        try:
            content = json.loads(self.body, parse_float=str, parse_int=_integer, parse_constant=str)
            whole = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)
        except (ValueError, TypeError, RecursionError):
            return None
        return None if b"\\u0000" in whole else content

    def __repr__(self) -> str:
        return f"<HTTP {self.status}>"


def _integer(text: str) -> int | str:
    """As text where it is larger than any table's."""
    return int(text) if len(text) <= 18 else text


class Problem(NamedTuple):
    """What an error's body says: a code, known to be one, words as they came, and what to do about it."""

    code: str | None = None
    reason: str | None = None
    advice: str | None = None


class Api:
    """Makes requests on behalf of one account.

    Args:
        provider: its name as people write it.
        read_problem: what the body of an answer says is wrong, in the provider's way.
        withheld: what must not come back in any error: the account's secrets.
    """

    def __init__(
        self,
        provider: str,
        http: httpx.AsyncClient,
        read_problem: Callable[[Request, Answer], Problem],
        withheld: tuple[str, ...] = (),
    ) -> None:
        self._provider = provider
        self._http = http
        self._read_problem = read_problem
        self._withheld = withheld

    async def ask(self, request: Request) -> Answer:
        """The answer, whatever its status.

        Raises:
            ProviderUnreachable: nothing went out.
            ProviderFailed, OutcomeUnknown: something did, and no answer came.
        """
        watch = _Watch(has_body=request.content is not None)
        if self._http.is_closed:
            raise ProviderUnreachable(f"{self._provider} cannot be reached to {request.what}: we are stopping.")
        asked = self._made(request, watch)
        if asked is None:
            raise ProviderUnreachable(f"{self._provider} cannot be reached to {request.what}: its URL is none.")
        answer: Answer | None = None
        try:
            async with asyncio.timeout(_whole_s_max(self._http.timeout)):
                response = await self._http.send(asked, auth=None, stream=True, follow_redirects=False)
                try:
                    answer = Answer(status=response.status_code, headers=dict(response.headers), body=None)
                    answer = Answer(status=answer.status, headers=answer.headers, body=await _body(response))
                finally:
                    await response.aclose()
        # Whatever the library raises: what counts is whether the request went out, and that nothing of it shows.
        except Exception as error:
            failed = error
        if answer is not None:
            return answer  # the status stands, even if the body broke off
        raise self._without_answer(request, failed, watch)

    def _made(self, request: Request, watch: "_Watch") -> httpx.Request | None:
        """Apart from the shared connections, whose cookies and headers are of all accounts."""
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # a small answer cannot become a large one
            "User-Agent": f"landed/{__version__}",
            **request.headers,
        }
        extensions = {"timeout": self._http.timeout.as_dict(), "trace": watch}
        try:
            return httpx.Request(
                request.method, _url(request), headers=headers, content=request.content, extensions=extensions
            )
        except (httpx.InvalidURL, ValueError, TypeError):
            return None

    def content(self, request: Request, answer: Answer) -> Any:
        """The JSON object or list of a good answer.

        Raises:
            SendFailed: by status and body; OutcomeUnknown too, where it is good but not readable.
        """
        if not answer.is_success:
            raise self.failure(request, answer)
        content = answer.content()
        if not isinstance(content, dict | list):
            raise self.not_understood(request, answer)
        return content

    async def call(self, request: Request) -> dict[str, Any]:
        """Ask, and read the JSON object of the answer.

        Raises:
            SendFailed: of any kind.
        """
        answer = await self.ask(request)
        content = self.content(request, answer)
        if not isinstance(content, dict):
            raise self.not_understood(request, answer)
        return content

    async def find(self, request: Request) -> dict[str, Any] | None:
        """The same for what may not be there: None for 404."""
        answer = await self.ask(request)
        if answer.status == 404:
            return None
        content = self.content(request, answer)
        if not isinstance(content, dict):
            raise self.not_understood(request, answer)
        return content

    def failure(self, request: Request, answer: Answer) -> SendFailed:
        """What an answer without success means."""
        status = answer.status
        problem = self._read_problem(request, answer)
        text = self._sentence(request, f"HTTP {status}", problem)
        if status == 429:
            return ProviderThrottled(text, retry_after_s=retry_after_s(answer.headers), http_status=status)
        if status == 408:
            return ProviderFailed(text, provider_code=problem.code, http_status=status)
        if 400 <= status < 500:
            return RequestRefused(text, provider_code=problem.code, http_status=status)
        if status in _MOVED:
            text = self._sentence(request, f"HTTP {status}", Problem(advice="Check the base URL: it leads elsewhere."))
            return RequestRefused(text, http_status=status)
        if request.is_repeatable:
            return ProviderFailed(text, provider_code=problem.code, http_status=status)
        return OutcomeUnknown(
            f"{self._provider} answered HTTP {status} when asked to {request.what}: it may have done it.",
            provider_code=problem.code,
            http_status=status,
        )

    def refused(self, request: Request, problem: Problem, answer: Answer | None = None) -> RequestRefused:
        """A no that is not in the status."""
        status = answer.status if answer else None
        said = f"HTTP {status}" if status else ""
        return RequestRefused(self._sentence(request, said, problem), provider_code=problem.code, http_status=status)

    def not_understood(self, request: Request, answer: Answer | None = None) -> SendFailed:
        """A good status, and not what was asked for behind it."""
        status = answer.status if answer is not None else None
        said = "broke off or is too large" if answer is not None and answer.body is None else "is not understood"
        text = f"{self._provider}'s answer {said}, when asked to {request.what}"
        if request.is_repeatable:
            return ProviderFailed(f"{text}.", http_status=status)
        return OutcomeUnknown(f"{text}: it may have done it.", http_status=status)

    def _without_answer(self, request: Request, error: Exception, watch: "_Watch") -> SendFailed:
        name = type(error).__name__
        if isinstance(error, _NOTHING_OUT) or watch.saw_nothing_go_out:
            return ProviderUnreachable(f"{self._provider} cannot be reached to {request.what}: {name}.")
        if request.is_repeatable:
            return ProviderFailed(f"{self._provider} did not answer when asked to {request.what}: {name}.")
        return OutcomeUnknown(
            f"{self._provider} did not answer when asked to {request.what}: {name}. It may have done it."
        )

    def _sentence(self, request: Request, said: str, problem: Problem) -> str:
        """`Plivo did not send the message: HTTP 400, "src is not valid" (40). Send from …`"""
        reason = shown(problem.reason, (*self._withheld, *request.withheld)) if problem.reason else ""
        parts = [part for part in (said, f'"{reason}"' if reason else "") if part]
        code = f" ({problem.code})" if problem.code else ""
        text = (
            f"{self._provider} did not {request.what}: {', '.join(parts)}{code}"
            if parts or code
            else f"{self._provider} cannot {request.what}"
        )
        return f"{text}. {problem.advice}" if problem.advice else f"{text}."


class _Watch:
    """Told by httpcore of each step of a request: whether any of it may have reached anybody."""

    def __init__(self, *, has_body: bool) -> None:
        self._step = "send_request_body.started" if has_body else "send_request_headers.started"
        self._is_told = False
        self._went_out = False

    async def __call__(self, step: str, information: Mapping[str, Any]) -> None:
        self._is_told = True
        self._went_out = self._went_out or step.endswith(self._step)

    @property
    def saw_nothing_go_out(self) -> bool:
        """Only where it is told anything: other transports than httpcore's may tell nothing."""
        return self._is_told and not self._went_out


def _url(request: Request) -> str:
    return f"{request.url}?{form_content(request.query).decode()}" if request.query else request.url


def _whole_s_max(timeout: httpx.Timeout) -> float | None:
    """From the first try to get a connection to the last byte: a server that sends a byte now and then is not waited
    for."""
    limits = (timeout.pool, timeout.connect, timeout.write, timeout.read)
    return sum(limit or 0.0 for limit in limits) if all(limit is not None for limit in limits) else None


async def _body(response: httpx.Response) -> bytes | None:
    """What came, whole; None where it is larger than any answer."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            return None
    return bytes(body)


# --- what goes into requests and errors ----------------------------------------------------------------------------


def json_content(content: Mapping[str, Any] | list[Any]) -> bytes:
    """In ASCII, so that half a surrogate pair is the provider's business and no error that shows the text."""
    return json.dumps(content, separators=(",", ":")).encode()


def form_content(fields: Mapping[str, str]) -> bytes:
    return urlencode(fields, errors="replace").encode()


def segment(text: str) -> str:
    """An id as one segment of a path, whatever is in it."""
    quoted = quote(text, safe="", errors="replace")
    return quoted if text.strip(".") else quoted.replace(".", "%2E")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, told as such or as a moment of the server's clock; None where nothing usable is told."""
    told = headers.get("retry-after", "").strip()
    seconds: float | None = None
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", told):
        seconds = float(told)
    elif told:
        with suppress(ValueError, TypeError, OverflowError):
            date = headers.get("date")
            now = parsedate_to_datetime(date).timestamp() if date else time.time()
            seconds = parsedate_to_datetime(told).timestamp() - now
    return None if seconds is None else min(max(seconds, 0.0), RETRY_AFTER_S_MAX)


HIDDEN: Final = "…"
#: Of what a provider says; it may be a whole page.
_READ_CHARACTERS_MAX: Final = 4000
#: So many characters of a text in a row are that text, and not a word that others use, too.
_RUN: Final = 10
_ID: Final = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
#: Seven digits and more, however they are set apart. Ids are let be.
_NUMBER: Final = re.compile(rf"({_ID})|\+?\d(?:[\s().-]{{0,2}}\d){{6,}}")


def shown(text: str, withheld: Iterable[str]) -> str:
    """What a provider said, fit for an error: without anything that was withheld or runs of it, numbers masked, short.

    What is withheld and has less than three characters stays: it tells nothing by itself.
    """
    text = " ".join(text[:_READ_CHARACTERS_MAX].split())
    hidden = bytearray(len(text))
    folded = _folded(text)
    for secret in {_folded(variant) for each in withheld for variant in _variants(each)}:
        _hide(folded, secret, hidden)
    pieces: list[str] = []
    for character, is_hidden in zip(text, hidden, strict=True):
        if not is_hidden:
            pieces.append(character)
        elif not pieces or pieces[-1] != HIDDEN:
            pieces.append(HIDDEN)
    masked = _NUMBER.sub(lambda found: found[1] or _masked(found[0]), "".join(pieces))
    return masked if len(masked) <= REASON_CHARACTERS_MAX else masked[: REASON_CHARACTERS_MAX - 1] + HIDDEN


def _masked(number: str) -> str:
    masked = numbers.mask(number)
    return masked if masked != number else HIDDEN


def _variants(text: str) -> Iterator[str]:
    """As it is, and as other hands write it: a number without its plus, a text within JSON or a URL."""
    for each in (text, text.removeprefix("+"), json.dumps(text)[1:-1], quote(text, safe="", errors="replace")):
        plain = " ".join(each.split())
        if len(plain) >= 3:
            yield plain


def _folded(text: str) -> str:
    """In small letters, as long as before: a few letters have no small one of one character."""
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def _hide(text: str, secret: str, hidden: bytearray) -> None:
    size = min(len(secret), _RUN)
    runs = {secret[start : start + size] for start in range(len(secret) - size + 1)}
    for start in range(len(text) - size + 1):
        if text[start : start + size] in runs:
            hidden[start : start + size] = b"\1" * size


def strings(value: Any, *, besides: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every text in JSON values, but for those of these fields: words of fixed vocabularies, which are no secret."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, member in value.items():
            if name not in besides:
                yield from strings(member, besides=besides)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from strings(member, besides=besides)
