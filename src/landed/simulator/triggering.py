"""Callbacks on demand: from events, what somebody said of the thing, and fields altered by hand to requests."""

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from random import SystemRandom
from typing import Any, Final, NamedTuple

from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import InputInvalid
from landed.services import requests_text
from landed.simulator import draws
from landed.simulator.callbacks import events_of_plivo, signing
from landed.simulator.callbacks.event import Content, Event
from landed.simulator.callbacks.signing import Family, Request, Tokens

#: What signs where nobody gave a token. It is printed, and proves nothing.
TEST_TOKEN: Final = "landed-test-token"  # noqa: S105  see above

_random: Final = SystemRandom()


class Triggered(NamedTuple):
    event: Event
    request: Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """How a request of Plivo's goes out. Routee's are never signed."""

    method: str = "POST"
    families: Collection[Family] = signing.BOTH
    tokens: Tokens | None  #: None: unsigned


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Fields to alter: set to a value, known or not, or left out. Of JSON, fields of objects have dotted names."""

    to_set: Sequence[tuple[str, str]] = ()
    to_leave_out: Sequence[str] = ()


def new_ids(event: Event) -> tuple[str, str]:
    """The thing's own id and the second, as the provider writes them."""
    first, second = (draws.uuid(_random) if kind == "uuid" else draws.tcr_id(_random, kind) for kind in event.ids)
    return first, second


def new_uuid() -> str:
    return draws.uuid(_random)


def wrong_tokens() -> Tokens:
    """Tokens of nobody, whose signatures look right and match nothing."""
    return Tokens(account=secrets.token_hex(20))


def request(event: Event, content: Content, url: str, how: Signing) -> Request:
    """The request that carries these fields, with fresh nonces.

    Raises:
        InputInvalid: it can go out by POST alone.
    """
    if event.is_json and how.method != "POST":
        raise InputInvalid(f"{event.name} is JSON and goes out by POST alone.", field="method")
    if event.provider != events_of_plivo.PROVIDER:
        return signing.routee(content, url)
    fields = tuple((name, str(value)) for name, value in content.items())
    if event.is_json:
        return signing.plivo_json(fields, url, tokens=how.tokens, families=how.families)
    return signing.plivo(fields, url, tokens=how.tokens, method=how.method, families=how.families)


def altered(event: Event, content: Content, changes: Changes) -> Content:
    """The fields after the changes.

    Raises:
        InputInvalid: a field that is to be left out is not there; says which there are.
    """
    nested = event.provider != events_of_plivo.PROVIDER
    fields = json.loads(json.dumps(content)) if nested else dict(content)
    for name in changes.to_leave_out:
        _leave_out(fields, name.split(".") if nested else [name], event)
    for name, text in changes.to_set:
        path = name.split(".") if nested else [name]
        _set(fields, path, text)
    return fields


def _leave_out(fields: dict[str, Any], path: Sequence[str], event: Event) -> None:
    owner: Any = fields
    for name in path[:-1]:
        owner = owner.get(name) if isinstance(owner, Mapping) else None
    if not isinstance(owner, dict) or path[-1] not in owner:
        raise InputInvalid(f"{event.name} has no field {'.'.join(path)!r}; it has {', '.join(fields)}.", field="unset")
    del owner[path[-1]]


def _set(fields: dict[str, Any], path: Sequence[str], text: str) -> None:
    owner = fields
    for name in path[:-1]:
        inner = owner.get(name)
        if not isinstance(inner, dict):
            inner = owner[name] = {}
        owner = inner
    owner[path[-1]] = _like(owner.get(path[-1]), text)


def _like(old: object, text: str) -> object:
    """Text, but where the field is a number, a list or an object what the JSON says, if it is any."""
    if old is None or isinstance(old, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def written_as_curl(sent: Request) -> str:
    """A command that makes the same request."""
    request = CallbackRequest(method=sent.method, url=sent.url, headers=sent.headers, body=sent.body)
    return requests_text.as_curl(request)


def written_as_http(sent: Request) -> str:
    """The request as it is on the wire, but for the line ends."""
    _, _, rest = sent.url.partition("://")
    host, slash, path = rest.partition("/")
    host, question_mark, query = host.partition("?")  # of a URL without a path
    target = f"/{path}" if slash else f"/{question_mark}{query}"
    headers = {"Host": host, **sent.headers}
    if sent.body:
        headers["Content-Length"] = str(len(sent.body))
    lines = [f"{sent.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\n".join([*lines, "", sent.body.decode()])


def described(triggered: Triggered) -> dict[str, Any]:
    """For JSON."""
    event, sent = triggered
    body = sent.body.decode()
    return {"event": event.name, "method": sent.method, "url": sent.url, "headers": dict(sent.headers), "body": body}
