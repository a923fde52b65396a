"""Prepared requests: genuine callbacks of the simulated traffic, signed with V2, no two alike, ready for the wire."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from landed.simulator.items import Account, Item, Kind
from landed.simulator.traffic import stream

PUBLIC_URL: Final = "https://bench.example.com"
PATH: Final = "/plivo/status"
AUTH_ID: Final = "MABENCHBENCHBENCHBEN"
AUTH_TOKEN: Final = "YmVuY2htYXJrcyBhcmUgbm90IHNlY3JldCBhdCBhbGw0"
ACCOUNT: Final = Account(callback_url=PUBLIC_URL + PATH, auth_token=AUTH_TOKEN, main_auth_token=AUTH_TOKEN)

#: At 25 thousand a second wrk goes through them in two seconds and begins anew; for an append that makes no difference.
COUNT: Final = 50_000
COUNT_QUICK: Final = 10_000


def prepare(directory: Path, *, quick: bool) -> Path:
    """The file for wrk: whole requests, each followed by a NUL."""
    path = directory / "requests"
    with path.open("wb") as file:
        file.writelines(raw(item) + b"\0" for item in islice(posts(), COUNT_QUICK if quick else COUNT))
    return path


def posts(seed: int = 1) -> Iterator[Item]:
    """What all contenders understand alike: genuine POSTs that carry V2 alone."""
    for item in stream(ACCOUNT, seed=seed, messages_per_s=350, clock=lambda: datetime.now(UTC)):
        if item.truth.kind is Kind.GENUINE and item.method == "POST" and "X-Plivo-Signature-V3" not in item.headers:
            yield item


def raw(item: Item) -> bytes:
    """The request as it goes over the wire."""
    lines = [f"{item.method} {item.url.removeprefix(PUBLIC_URL)} HTTP/1.1", "Host: bench.example.com"]
    lines += [f"{name}: {value}" for name, value in item.headers.items()]
    lines.append(f"Content-Length: {len(item.body)}")
    return "\r\n".join([*lines, "", ""]).encode() + item.body
