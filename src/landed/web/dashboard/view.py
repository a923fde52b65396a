"""What the address of a page says: period, time zone and filters. Every state of a page is there, so that the back
button works and an address can be passed on. Parameters are named as those of the API."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from landed.domain.errors import InputInvalid
from landed.domain.periods import Period
from landed.services.moments import moment

#: What pages filter by, as chips above them show it.
FILTERS: Final = (
    "account", "provider", "country", "network", "sender", "channel", "direction", "status", "error_code", "tag",
    "currency", "verdict", "kind", "reason", "method", "verified_by", "message", "intent", "source",
    "state", "has_media",
)  # fmt: skip
#: What goes along from page to page.
KEPT: Final = ("since", "until", "time_zone", "account")
PERIODS: Final = (("1h", "1 hour"), ("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"))
PERIOD_DEFAULT: Final = "24h"
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}")
_LOCAL: Final = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?")
_PARAMETERS_MAX: Final = 100
_VALUE_CHARACTERS_MAX: Final = 512

#: None takes the parameter away, a list gives it several times.
Change: TypeAlias = str | int | Sequence[str] | None


class Chip(NamedTuple):
    """A filter that is set, and the link that takes it away."""

    name: str
    value: str
    link: str


@dataclass(frozen=True, kw_only=True)
class View:
    """The state of a page. `is_bound` is a shared page's: it cannot be changed, and its links lead nowhere."""

    pairs: tuple[tuple[str, str], ...] = ()
    now: datetime
    zone_of_browser: str | None = None
    is_bound: bool = False

    # --- reading ---

    def values(self, name: str) -> list[str]:
        """All values of a filter, each once."""
        return list(dict.fromkeys(value for key, value in self.pairs if key == name and value))

    def value(self, name: str, default: str | None = None) -> str | None:
        return next((value for key, value in self.pairs if key == name and value), default)

    def has(self, name: str, value: str) -> bool:
        return (name, value) in self.pairs

    @cached_property
    def zone(self) -> ZoneInfo:
        """The viewer's time zone: of the address, else of the browser, else UTC.

        Raises:
            InputInvalid: the address names one that nobody knows.
        """
        asked = self.value("time_zone")
        if asked is not None:
            found = _zone(asked)
            if found is None:
                raise InputInvalid(f"{asked[:64]!r} is no time zone; one is Europe/Berlin.", field="time_zone")
            return found
        return _zone(self.zone_of_browser or "UTC") or ZoneInfo("UTC")

    @cached_property
    def period(self) -> Period:
        """From `since` on and before `until`, UTC; the last 24 hours where nothing is said.

        Raises:
            InputInvalid: one of them is no moment, they are the wrong way round, or beyond what a clock shows.
        """
        until = self._moment("until") or self.now
        try:
            since = self._moment("since") or until - timedelta(hours=24)
        except OverflowError as error:
            raise InputInvalid("This is before all time.", field="until") from error
        if since >= until:
            raise InputInvalid("The period ends before it begins; choose another one.", field="since")
        try:
            since.astimezone(self.zone), until.astimezone(self.zone)
        except OverflowError as error:
            raise InputInvalid("This reaches beyond all time; choose another period.", field="since") from error
        return Period(since, until)

    @property
    def period_before(self) -> Period:
        """As long as the period, and ends where that begins: what `compare` compares with."""
        since, until = self.period
        try:
            return Period(since - (until - since), since)
        except OverflowError as error:
            raise InputInvalid("This is before all time.", field="since") from error

    @property
    def compares(self) -> bool:
        return self.value("compare") is not None

    @property
    def bucket(self) -> str | None:
        return self.value("bucket")

    @property
    def period_name(self) -> str:
        """As a heading says it."""
        if self.value("until") is None:
            since = self.value("since", PERIOD_DEFAULT)
            for value, name in PERIODS:
                if value == since:
                    return f"last {name}"
        since_at, until_at = (at.astimezone(self.zone) for at in self.period)
        return f"{since_at:%-d %b %Y %H:%M} to {until_at:%-d %b %Y %H:%M}"

    def _moment(self, name: str) -> datetime | None:
        text = self.value(name)
        if text is None:
            return None
        text = text.strip()
        if _LOCAL.fullmatch(text):  # as the viewer's clock shows it
            try:
                return datetime.fromisoformat(text).replace(tzinfo=self.zone).astimezone(UTC)
            except (ValueError, OverflowError) as error:
                raise InputInvalid(f"{text!r} is no moment.", field=name) from error
        return moment(text, self.now, field=name)

    # --- links ---

    def link(self, **changes: Change) -> str:
        """This page with other parameters; the cursor goes, since it belongs to the list before."""
        if self.is_bound:
            return ""
        return f"?{self.query(**changes)}"

    def toggle(self, name: str, value: str) -> str:
        """This page with that value of a filter added, or taken away where it is set."""
        values = self.values(name)
        changed = [each for each in values if each != value] if value in values else [*values, value]
        return self.link(**{name: changed})

    def only(self, name: str, value: str) -> str:
        """This page with that value as the only one of its filter; without it where it is so already."""
        return self.link(**{name: None if self.values(name) == [value] else value})

    def query(self, **changes: Change) -> str:
        """All parameters, changed, as they stand in an address."""
        changes = {"cursor": None} | changes
        kept = [(name, value) for name, value in self.pairs if name not in changes]
        return urlencode(kept + [pair for name, change in changes.items() for pair in _pairs(name, change)])

    def others(self, *names: str) -> list[tuple[str, str]]:
        """What a form has to carry along besides its own fields."""
        return [(name, value) for name, value in self.pairs if name not in (*names, "cursor")]

    @property
    def kept(self) -> dict[str, Change]:
        """What goes along to another page: `url('/messages', **view.kept)`."""
        return {name: values for name in KEPT if (values := self.values(name))}

    @property
    def filters(self) -> dict[str, Change]:
        """All filters that are set, and the period: for a link to the same set on another page."""
        return {name: values for name in (*KEPT, *FILTERS) if (values := self.values(name))}

    @property
    def without_filters(self) -> str:
        return self.link(**dict.fromkeys(FILTERS))

    @property
    def chips(self) -> list[Chip]:
        return [Chip(name, value, self.toggle(name, value)) for name in FILTERS for value in self.values(name)]


def read(query: str, *, now: datetime, zone_of_browser: str | None, is_bound: bool = False) -> View:
    """The state that a query string holds.

    Raises:
        InputInvalid: it is too long, or is no text.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_PARAMETERS_MAX)
    except ValueError as error:
        raise InputInvalid("This address has too many parameters.") from error
    for name, value in pairs:
        if len(value) > _VALUE_CHARACTERS_MAX or "\x00" in value or "\x00" in name:
            raise InputInvalid(f"The parameter {name[:40]!r} of this address cannot be used.", field=name[:40])
    return View(pairs=tuple(pairs), now=now, zone_of_browser=zone_of_browser, is_bound=is_bound)


def address(path: str, changes: dict[str, Change]) -> str:
    """A path with parameters."""
    query = urlencode([pair for name, change in changes.items() for pair in _pairs(name, change)])
    return f"{path}?{query}" if query else path


def _pairs(name: str, change: Change) -> Iterable[tuple[str, str]]:
    if change is None or change == "":
        return []
    if isinstance(change, str | int):
        return [(name, str(change))]
    return [(name, value) for value in change]


def _zone(name: str) -> ZoneInfo | None:
    if not _ZONE.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
