"""Where a request comes from, for what is written down about it."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import Scope

from landed.domain import addresses
from landed.domain.addresses import Network


def address_of(scope: Scope, trusted_proxies: Sequence[Network]) -> str | None:
    """The address of whoever asks, behind the proxies that are trusted; None where it cannot be told."""
    headers, client = Headers(scope=scope), scope.get("client")
    found = addresses.caller(
        client[0] if client else None,
        ",".join(headers.getlist("x-forwarded-for")),
        ",".join(headers.getlist("forwarded")),
        trusted_proxies,
    )
    return None if found is None else str(found)
