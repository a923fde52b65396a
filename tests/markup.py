"""What is on a page of HTML: its links, its text, its tables by id, and the data of its charts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final

_UNSEEN: Final = frozenset({"script", "style", "template"})


@dataclass
class Row:
    """A row of a table. `cells` are their texts, `links` the addresses in it."""

    cells: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


@dataclass
class Link:
    href: str
    text: str = ""
    attributes: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def style(self) -> str:
        """Its class."""
        return self.attributes.get("class") or ""


class Markup(HTMLParser):
    """A page, read once."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.text = ""
        self.links: list[Link] = []
        self.ids: list[str] = []
        self.tables: dict[str, list[Row]] = {}
        self.data: dict[str, Any] = {}
        self._table: list[Row] | None = None
        self._in_head = False
        self._in_link = False
        self._script: str | None = None
        self._unseen = 0
        self.feed(html)

    def link(self, text: str) -> str:
        """The address behind a text."""
        return next(link.href for link in self.links if link.text.strip() == text)

    def next(self) -> str | None:
        """The next page of the list that is shown."""
        return next((link.href for link in self.links if link.attributes.get("rel") == "next"), None)

    # --- the parser's own ---

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "table":
            self._table = self.tables.setdefault(given.get("id") or f"table {len(self.tables)}", [])
        elif tag == "thead":
            self._in_head = True
        elif tag == "tr" and self._table is not None and not self._in_head:
            self._table.append(Row())
        elif tag in ("td", "th") and self._row is not None:
            self._row.cells.append("")
        elif tag == "a":
            self._in_link = True
            self.links.append(Link(given.get("href") or "", attributes=given))
            if self._row is not None:
                self._row.links.append(given.get("href") or "")
        elif tag == "script" and given.get("type") == "application/json":
            self._script = given.get("id") or ""
        self._unseen += tag in _UNSEEN

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._table = None
        elif tag == "thead":
            self._in_head = False
        elif tag == "a":
            self._in_link = False
        elif tag == "script":
            self._script = None
        self._unseen -= tag in _UNSEEN

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self.data[self._script] = json.loads(data)
        if self._unseen:
            return
        self.text += data
        if self._in_link:
            self.links[-1].text += data
        if self._row is not None and self._row.cells:
            self._row.cells[-1] += data

    @property
    def _row(self) -> Row | None:
        return self._table[-1] if self._table and not self._in_head else None
