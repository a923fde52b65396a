"""Through all pages by their links, as somebody who presses on everything once."""

import re
from collections import Counter, deque
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl, urljoin, urlsplit

from tests.markup import Markup

#: What differs from one thing to the next in a path: ids of ours and of providers.
_ID: Final = re.compile(r"/(?!10dlc)[^/]*\d[^/]*")
_FILES: Final = re.compile(r"/static/|/media/|\.(csv|parquet|json)$")
#: What is in addresses besides filters.
_STATE: Final = frozenset({"since", "until", "time_zone", "direction"})
#: Of single things so many are looked at.
_EACH: Final = 2


def walk(page: Callable[[str], str | None], start: str = "/", *, filters: bool = True) -> list[str]:
    """Addresses of pages: the first few of each kind of thing, and every list with each filter that links set.

    Args:
        page: the HTML of an address; None: it is none.
        filters: go to a page again for what its address filters by.
    """
    found: list[str] = []
    seen: Counter[tuple[str, frozenset[str]]] = Counter()
    waiting = deque([start])
    while waiting:
        address = waiting.popleft()
        path, names = kind = _kind(address, filters)
        if len(names) > 1 or seen[kind] >= (_EACH if "#" in path else 1):
            continue
        seen[kind] += 1
        html = page(address)
        if html is None:
            continue
        found.append(address)
        links = (urljoin(address, link.href.partition("#")[0]) for link in Markup(html).links if link.href)
        waiting += [link for link in links if link.startswith("/") and not _FILES.search(urlsplit(link).path)]
    return found


def _kind(address: str, filters: bool) -> tuple[str, frozenset[str]]:
    parts = urlsplit(address)
    names = frozenset(name for name, _ in parse_qsl(parts.query)) - _STATE if filters else frozenset()
    return _ID.sub("/#", parts.path), names
