"""IP addresses: who called, and whether that is one of those who may.

Lists of addresses hold networks (`203.0.113.0/24`, a lone address is a network of one) and host names.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+"
)
#: `for=` of RFC 7239, bare or quoted.
_FORWARDED_FOR: Final = re.compile(r'(?:^|;)\s*for\s*=\s*("?)([^";]*)\1\s*(?:;|$)', re.IGNORECASE)
_WITH_PORT: Final = re.compile(r"\[(?P<six>[^\]]+)\](?::\d+)?|(?P<four>\d+\.\d+\.\d+\.\d+):\d+")


def address(text: str) -> Address | None:
    """The address, None where it is none. One of IPv4 is written in IPv6 by some servers: `::ffff:192.0.2.1`."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def network(text: str) -> Network | None:
    """The network, one of a single address too; None where it is none, or has bits set beyond its prefix."""
    try:
        return ip_network(text)
    except ValueError:
        return None


def is_host_name(text: str) -> bool:
    """Whether it is a host name with a domain, in small letters, and no network with a typing error."""
    return _HOST_NAME.fullmatch(text) is not None and not text.rpartition(".")[2].isdigit()


def is_among(found: Address, networks: Iterable[Network]) -> bool:
    return any(found in network for network in networks)


def caller(
    peer: str | None, forwarded_for: str | None, forwarded: str | None, trusted: Sequence[Network]
) -> Address | None:
    """Who called: whoever is connected to us or, where that is a proxy we trust, whom its headers name.

    Args:
        peer: the other end of the connection.
        forwarded_for: the header X-Forwarded-For; each proxy adds at the end who called it.
        forwarded: the header Forwarded (RFC 7239), which does the same.

    Returns:
        The last one that is not a trusted proxy. None where that cannot be told: an obfuscated name, say, or two
        headers that disagree, of which a caller may have forged the one that the proxy leaves alone.
    """
    found = address(peer) if peer else None
    if found is None or not is_among(found, trusted):
        return found
    named = [_last(hops, trusted) for hops in (_hops(forwarded_for), _hops_of_forwarded(forwarded)) if hops]
    if not named:
        return found
    return named[0] if all(each == named[0] for each in named) else None


def _last(hops: Sequence[Address | None], trusted: Sequence[Network]) -> Address | None:
    for hop in reversed(hops):
        if hop is None or not is_among(hop, trusted):
            return hop
    return hops[0]


def _hops(header: str | None) -> list[Address | None]:
    return [_hop(hop) for hop in header.split(",")] if header else []


def _hops_of_forwarded(header: str | None) -> list[Address | None]:
    found = [_FORWARDED_FOR.search(hop) for hop in header.split(",")] if header else []
    return [_hop(hop[2]) if hop else None for hop in found]


def _hop(text: str) -> Address | None:
    hop = text.strip()
    if told := _WITH_PORT.fullmatch(hop):
        hop = told["six"] or told["four"]
    return address(hop)
