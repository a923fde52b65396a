"""Addresses that callbacks go to: what can be one, and how it is written in a request."""

from typing import Final
from urllib.parse import quote, urlsplit

#: What may stand in a URL as it is (RFC 3986); a percent sign is that of an escape already.
_SAFE: Final = "%:/?#[]@!$&'()*+,;="


def is_url(value: object) -> bool:
    """Whether it is a URL of http or https, with a host and a port that can be called. Behind its host it may have
    letters of any alphabet."""
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
        is_whole = bool(parts.hostname) and parts.netloc.isascii() and parts.port != 0
        return parts.scheme in ("http", "https") and is_whole
    except ValueError:
        return False


def as_sent(url: str) -> str:
    """The URL as it stands in a request, which is what whoever gets it sees: with what no URL may have escaped."""
    return quote(url, safe=_SAFE)
