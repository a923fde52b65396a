"""A callback: one raw HTTP request from a provider, byte for byte."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from landed.domain.words import Word

#: Kinds that the long form of a callback path may name: /callbacks/{account_key}/{kind}/{our_id}
PATH_KINDS: Final = frozenset({"messages", "verify", "brands", "campaigns", "number-links", "number-unlinks"})


class CallbackKind(Word):
    """What a callback is about: the words of the long form of its path, and two more. Told by what it says."""

    MESSAGES = "messages"  #: of ours
    INBOUND = "inbound"
    VERIFY = "verify"
    BRANDS = "brands"
    CAMPAIGNS = "campaigns"
    NUMBER_LINKS = "number-links"
    NUMBER_UNLINKS = "number-unlinks"
    BROADCASTS = "broadcasts"


@dataclass(slots=True, kw_only=True)  # not frozen, which made it three times as slow to make; nobody changes one
class CallbackRequest:
    """What a provider sent us.

    `url` is the public URL the provider called, query included, built from the configured public
    URL and never from the Host header. Header names are lower case; a repeated header is joined
    with commas. `kind` and `our_id` come from the long form of the path, if it was used. `client_address`
    is who called, as far as it is known at the door; it is not kept.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    kind: str | None = None
    our_id: str | None = None
    client_address: str | None = None


class Callback(NamedTuple):  # not a dataclass: made in C, 25 thousand times a second
    """An accepted callback as the journal gives it back. `verified_by` are header names, lower case."""

    id: int
    account_id: int
    received_at: datetime
    request: CallbackRequest
    verified_by: tuple[str, ...] = ()


class HeaderLines(Mapping[str, str]):
    """Headers as they are stored, a line each, read only as far as somebody asks: a tracker asks for two of twenty."""

    __slots__ = ("_lines",)

    def __init__(self, lines: bytes) -> None:
        self._lines = b"\n" + lines

    def __getitem__(self, name: str) -> str:
        value: str | None = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def get(self, name: str, default: Any = None, /) -> Any:  # Mapping's own goes by way of an exception
        lines, sought = self._lines, _beginning(name)
        start = lines.find(sought)
        if start < 0:
            return default
        start += len(sought)
        end = lines.find(b"\n", start)
        if end < 0:  # not written by us, who end each line
            end = len(lines)
        if lines.find(sought, end) >= 0:  # repeated
            return headers_of(lines)[name]
        return lines[start:end].decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return iter(headers_of(self._lines))

    def __len__(self) -> int:
        return len(headers_of(self._lines))


@lru_cache(maxsize=256)
def _beginning(name: str) -> bytes:
    """What a header's line begins with, and the end of the line before."""
    return f"\n{name}: ".encode("latin-1", "replace")


def headers_of(lines: bytes) -> dict[str, str]:
    """Header lines as they are stored, by name; a repeated one is joined with commas."""
    pairs = [line.split(": ", 1) for line in lines.decode("latin-1").split("\n") if line]
    headers = {name: value for name, value in pairs}  # noqa: C416  dict() would not take lists for pairs
    if len(headers) < len(pairs):
        for name in headers:
            headers[name] = ",".join(value for other, value in pairs if other == name)
    return headers
