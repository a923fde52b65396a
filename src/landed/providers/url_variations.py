"""Other URLs that a provider may have signed: what proxies and misunderstandings make of one, each with its cause.

For telling why a signature does not hold; nothing here lets a callback in.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

#: Ports that proxies and containers listen on, where no header names one.
_PORTS: Final = ("", "443", "80", "8080", "8443", "3000")
#: Under what proxies hang a program, where no header tells.
_PREFIXES: Final = ("/landed", "/api", "/hooks", "/webhooks", "/webhook", "/plivo", "/sms", "/callbacks")
_HOST_HEADERS: Final = ("host", "x-forwarded-host", "x-original-host", "x-forwarded-server")
_PREFIX_HEADERS: Final = ("x-forwarded-prefix", "x-forwarded-path", "x-script-name")
_TARGET_HEADERS: Final = (
    "x-original-uri", "x-original-url", "x-rewrite-url", "x-envoy-original-path", "x-forwarded-uri", "x-request-uri",
)  # fmt: skip
_FORWARDED_HOST: Final = re.compile(r'(?:^|[;,])\s*host="?([^";,]+)', re.IGNORECASE)
_AUTHORITY: Final = re.compile(r"[A-Za-z0-9._-]{1,253}(?::\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?")
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")


class Address(NamedTuple):
    """A URL without its query, in the parts that go wrong one by one. `port` is as written, or empty."""

    scheme: str
    host: str
    port: str
    path: str

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}{':' if self.port else ''}{self.port}"

    def __str__(self) -> str:
        return self.origin + self.path


class Variation(NamedTuple):
    """One more address and in what it differs: words that are causes."""

    causes: tuple[str, ...]
    address: Address


def address(url: str) -> Address:
    """As it is written, but for query and fragment."""
    whole = url.partition("#")[0].partition("?")[0]
    scheme, _, rest = whole.partition("://")
    authority, slash, path = rest.partition("/")
    host, port = _split(authority)
    return Address(scheme, host, port, slash + path)


def origins(known: Address, headers: Mapping[str, str], other_urls: Sequence[str]) -> Iterator[Variation]:
    """Other schemes, hosts and ports for the same path, those with the fewest differences first."""
    written = list(_hosts(headers, other_urls))
    named = [_split(each) for each in written]
    hosts = list(dict.fromkeys([known.host, *(host for host, _ in named)]))
    hosts += [_www(host) for host in hosts if "." in host] + [host.lower() for host in hosts]
    hosts += [known.host.upper(), known.host.title(), known.host.capitalize(), f"{known.host}."]
    ports = [known.port, *(port for _, port in named), *_listed(headers.get("x-forwarded-port", "")), *_PORTS]
    found = [
        Variation(_differences(known, other), other)
        for host in dict.fromkeys(hosts)
        for scheme in dict.fromkeys((known.scheme, "https", "http"))
        for port in dict.fromkeys(ports)
        if (other := known._replace(scheme=scheme, host=host, port=port)) != known
    ]
    return iter(sorted(found, key=lambda each: len(each.causes)))


def paths(known: Address, headers: Mapping[str, str], public_url: str) -> Iterator[Variation]:
    """Other paths at the same host."""
    for causes, path in _unique(known.path, _paths(known.path, headers, urlsplit(public_url).path)):
        yield Variation(causes, known._replace(path=path))


def elsewhere(known: Address, other_urls: Sequence[str]) -> Iterator[Variation]:
    """URLs that somebody names: whole, and where they have no path of their own, with this one's."""
    for url in other_urls:
        other = address(url)
        for path in dict.fromkeys((other.path, known.path)):
            if (found := other._replace(path=path)) != known:
                yield Variation(("other_url",), found)


def queries_elsewhere(headers: Mapping[str, str], other_urls: Sequence[str]) -> list[str]:
    """Queries that the request may have had before a proxy took them."""
    targets = [headers[name] for name in _TARGET_HEADERS if name in headers]
    found = (each.partition("#")[0].partition("?")[2] for each in (*targets, *other_urls))
    return list(dict.fromkeys(query for query in found if query))


def _differences(known: Address, other: Address) -> tuple[str, ...]:
    causes = ["scheme"] if known.scheme != other.scheme else []
    if known.port != other.port:
        causes.append("port")
    if known.host != other.host:
        causes.insert(0, _host_difference(known.host, other.host))
    return tuple(causes)


def _host_difference(one: str, other: str) -> str:
    if one.lower() == other.lower():
        return "host_case"
    return "host_www" if _www(one).lower() == other.lower() else "host"


def _hosts(headers: Mapping[str, str], other_urls: Sequence[str]) -> Iterator[str]:
    listed = [each for name in _HOST_HEADERS for each in _listed(headers.get(name, ""))]
    listed += _FORWARDED_HOST.findall(headers.get("forwarded", ""))
    for each in listed[:6]:
        if _AUTHORITY.fullmatch(each):
            yield each
    for url in other_urls:
        other = address(url)
        yield f"{other.host}{':' if other.port else ''}{other.port}"


def _paths(path: str, headers: Mapping[str, str], public_path: str) -> Iterator[tuple[tuple[str, ...], str]]:
    yield ("trailing_slash",), path.removesuffix("/") if path.endswith("/") else f"{path}/"
    yield ("double_slash",), re.sub("/{2,}", "/", path)
    places = [match.start() for match in re.finditer("/", path)][:8]
    for place in places:
        yield ("double_slash",), f"{path[:place]}/{path[place:]}"
    for target in (headers[name] for name in _TARGET_HEADERS if name in headers):
        whole = address(target).path if "://" in target else target.partition("#")[0].partition("?")[0]
        yield ("path_prefix" if whole.endswith(path) or path.endswith(whole) else "path_rewritten",), whole
    given = [headers[name] for name in _PREFIX_HEADERS if name in headers]
    for prefix in (*given, public_path, *_PREFIXES):
        yield ("path_prefix",), f"/{prefix.strip('/')}{path}"
    segments = path.split("/")
    for count in (1, 2):
        if len(segments) > count + 1:
            yield ("path_prefix",), "/" + "/".join(segments[count + 1 :])
    yield ("path_encoding",), unquote(path)
    yield ("path_encoding",), quote(unquote(path), safe="/")
    yield ("path_encoding",), quote(unquote(path), safe="/:@!$&'()*+,;=~")
    yield ("path_encoding",), _ESCAPE.sub(lambda escape: escape[0].upper(), path)
    yield ("path_encoding",), _ESCAPE.sub(lambda escape: escape[0].lower(), path)
    before, _, last = path.rpartition("/")
    for character in "-_.~+":
        escape = f"%{ord(character):02X}"
        yield ("path_encoding",), path.replace(character, escape)
        yield ("path_encoding",), f"{before}/{last.replace(character, escape)}"


def _unique(known: str, found: Iterable[tuple[tuple[str, ...], str]]) -> Iterator[tuple[tuple[str, ...], str]]:
    seen = {known}
    for causes, path in found:
        if path not in seen:
            seen.add(path)
            yield causes, path


def _split(authority: str) -> tuple[str, str]:
    """Host and port. Brackets of IPv6 belong to the host."""
    host, colon, port = authority.rpartition(":")
    return (host, port) if colon and port.isdigit() else (authority, "")


def _www(host: str) -> str:
    return host[4:] if host.lower().startswith("www.") else f"www.{host}"


def _listed(header: str) -> list[str]:
    return [each.strip() for each in header.split(",") if each.strip()]
