"""What `landed demo` shows while it runs: what was told, and what Landed made of it; and the conclusion."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from landed.cli.speaking import say
from landed.domain.errors import LandedError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from landed.simulator.carrier.carrier import Carrier
    from landed.simulator.demo.forging import Forger
    from landed.simulator.ledger import Ledger, Summary
    from landed.store.accounts import Pool

_REFRESH_S: Final = 0.5
_LINE_EVERY_S: Final = 10.0
#: Between two looks at the counters, looking takes at most this share of the time.
_LOOKING_SHARE: Final = 0.1
#: Nothing has changed for so long: it will not.
_STILL_S: Final = 12.0
_PAUSE_S: Final = 0.1
_NEWS_MAX: Final = 3

_MESSAGES: Final = ("queued", "sent", "failed", "undelivered", "delivered", "read", "received", "expired")
_SESSIONS: Final = ("in_progress", "ended", "expired", "verified")
_REGISTRATIONS: Final = (
    *("brand pending", "brand rejected", "brand registered"),
    *("campaign pending", "campaign rejected", "campaign registered"),
    *("number pending", "number failed", "number linked", "number unlinked"),
)
#: Where a message is before any provider knows of it.
_UNSENT: Final = ("scheduled", "sending", "unknown_outcome")


class _Counts(NamedTuple):
    """How many there are of what, by status; and how many callbacks were set aside: those with a used nonce."""

    messages: Mapping[str, int]
    sessions: Mapping[str, int]
    registrations: Mapping[str, int]
    set_aside: int


class _Tracked:
    """What Landed knows of since the demo began."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._before = _Counts({}, {}, {}, 0)
        self._never_sent: Mapping[str, int] = {}

    async def begin(self) -> None:
        from landed.store import health

        self._before, self._never_sent = await self._all(), await health.never_sent(self._pool)

    async def never_sent(self) -> dict[str, int]:
        """Messages that failed before a provider had them, which nobody could tell of; by error code."""
        from landed.store import health

        return _more(await health.never_sent(self._pool), self._never_sent)

    @property
    def is_first(self) -> bool:
        """Whether there were no messages before."""
        return not self._before.messages

    async def counts(self) -> _Counts:
        now, before = await self._all(), self._before
        return _Counts(
            _more(now.messages, before.messages),
            _more(now.sessions, before.sessions),
            _more(now.registrations, before.registrations),
            now.set_aside - before.set_aside,
        )

    async def _all(self) -> _Counts:
        from landed.store import health

        return _Counts(
            await health.messages_by_status(self._pool),
            await health.sessions_by_status(self._pool),
            await health.registrations_by_status(self._pool),
            sum((await health.oddities(self._pool))[0].values()),
        )


def _more(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """What there is more of, and what there is less of."""
    more = {name: now.get(name, 0) - before.get(name, 0) for name in {**before, **now}}
    return {name: count for name, count in more.items() if count}


class _Told(NamedTuple):
    """What was told, of these days and of the days before: the same figures for Landed's counters to meet."""

    messages: Mapping[str, int]
    sessions: Mapping[str, int]
    registrations: Mapping[str, int]
    callbacks: int
    duplicates: int
    forged: int


def _told(*summaries: "Summary") -> _Told:
    messages, sessions, registrations = Counter[str](), Counter[str](), Counter[str]()
    for each in summaries:
        messages.update(each.by_status)
        sessions.update(_merged(each.sessions, _ENDED))
        registrations.update(each.registrations)
    return _Told(
        messages,
        sessions,
        registrations,
        sum(each.callbacks for each in summaries),
        sum(each.duplicates for each in summaries),
        sum(sum(each.forged.values()) for each in summaries),
    )


@dataclass(slots=True, kw_only=True)
class Picture:
    """`past` is the ledger of the days before the demo, `news` what happened to the carrier lately."""

    carrier: "Carrier"
    forger: "Forger"
    past: "Ledger"
    tracked: _Tracked
    counts: _Counts = field(default_factory=lambda: _Counts({}, {}, {}, 0))
    told: _Told = field(default_factory=lambda: _Told({}, {}, {}, 0, 0, 0))
    never_sent: Mapping[str, int] = field(default_factory=dict)
    news: list[str] = field(default_factory=list)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def is_first(self) -> bool:
        return self.tracked.is_first

    async def look(self) -> None:
        with contextlib.suppress(LandedError):
            self.counts = await self.tracked.counts()
        self.told = _told(self.carrier.ledger.summary(), self.past.summary())

    def hear(self, news: str) -> None:
        self.news = [*self.news, f"{datetime.now(UTC).astimezone():%H:%M} {news}"][-_NEWS_MAX:]

    async def until_sent(self) -> None:
        """Wait until Landed has handed over all that it was asked to send."""
        await self._until(lambda: not any(self.counts.messages.get(status) for status in _UNSENT))

    async def settle(self) -> None:
        """Wait until all that was acknowledged is tracked."""
        self.never_sent = await self.tracked.never_sent()  # nothing is sent any more
        await self._until(lambda: not self._differences())

    async def _until(self, is_so: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        still_since, seen = loop.time(), self.counts
        while True:
            await self.look()
            if is_so() or loop.time() - still_since > _STILL_S:
                return
            if self.counts != seen:
                still_since, seen = loop.time(), self.counts
            await asyncio.sleep(_PAUSE_S)

    def render(self) -> "RenderableType":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        told = self.told
        table = Table(title=f"Simulated traffic, {_since(self.started_at)}", title_justify="left", pad_edge=False)
        table.add_column("")
        table.add_column("sent", justify="right")
        table.add_column("Landed", justify="right")
        for title, statuses, sent, counted in (
            ("messages", _MESSAGES, told.messages, self.counts.messages),
            ("verify sessions", _SESSIONS, told.sessions, self.counts.sessions),
            ("10DLC", _REGISTRATIONS, told.registrations, self.counts.registrations),
        ):
            table.add_row(title, f"{sum(sent.values()):,}", f"{sum(counted.values()):,}")
            for status in statuses:
                if sent.get(status) or counted.get(status):
                    name = f"  {status.replace('_', ' ')}"
                    table.add_row(name, f"{sent.get(status, 0):,}", f"{counted.get(status, 0):,}")
            table.add_section()
        table.add_row("callbacks", f"{told.callbacks:,}", "")
        table.add_row("  repeated", f"{told.duplicates:,}", "")
        found = f"{self._refused():,} refused, {self.counts.set_aside:,} found out"
        table.add_row("  forged", f"{told.forged:,}", found)
        return Group(table, *(Text(each, style="dim") for each in self.news))

    def _refused(self) -> int:
        """Forgeries that were turned away at the door."""
        of_the_carrier = self.told.forged - self.forger.told - self.carrier.let_in
        return self.forger.answers[403] + of_the_carrier

    def line(self) -> str:
        told = self.told
        return (
            f"{_since(self.started_at)}: sent {told.callbacks:,} callbacks about"
            f" {sum(told.messages.values()):,} messages,"
            f" {sum(told.sessions.values()):,} verify sessions and {sum(told.registrations.values()):,}"
            f" registrations, {told.duplicates:,} repeated and {told.forged:,} forged; Landed counts"
            f" {sum(self.counts.messages.values()):,} messages, {self.counts.messages.get('delivered', 0):,} delivered"
        )

    def _differences(self) -> list[str]:
        silent = _SILENT if self.counts.messages.get("expired") else {}
        told = {**self.told.messages, "failed": self.told.messages.get("failed", 0) + sum(self.never_sent.values())}
        return [
            f"{name}: Landed counts {dict(sorted(counted.items()))}, and {dict(sorted(sent.items()))} were told"
            for name, counted, sent in (
                ("messages", _merged(self.counts.messages, silent), _merged(told, silent)),
                ("verify sessions", self.counts.sessions, self.told.sessions),
                ("10DLC", self.counts.registrations, self.told.registrations),
            )
            if dict(counted) != dict(sent)
        ]

    def conclude(self) -> None:
        told = self.told
        if let_in := self.carrier.let_in + self.forger.let_in:
            say(f"{let_in:,} forged callbacks were let in.")
        if self.never_sent:
            say(f"Never sent, and so not told of: {dict(self.never_sent)}.")
        if differences := self._differences():
            say("; ".join(differences) + ".")
            return
        say(
            f"All that was told of is counted, once, where it ended: {sum(told.messages.values()):,} messages,"
            f" {sum(told.sessions.values()):,} verify sessions, and {sum(told.registrations.values()):,} brands,"
            " campaigns and numbers."
        )


#: What Landed concludes of messages that nobody tells the end of, and what it counts together.
_SILENT: Final = {"expired": "sent", "queued": "sent"}
_ENDED: Final = {"failed": "ended", "cancelled": "ended"}


def _merged(counted: Mapping[str, int], names: Mapping[str, str]) -> dict[str, int]:
    merged: Counter[str] = Counter()
    for status, count in counted.items():
        merged[names.get(status, status)] += count
    return {status: count for status, count in merged.items() if count}


def _since(moment: datetime) -> str:
    seconds = int((datetime.now(UTC) - moment).total_seconds())
    return f"{seconds // 60} min {seconds % 60:02} s"


async def begin(pool: "Pool", carrier: "Carrier", forger: "Forger", past: "Ledger") -> Picture:
    tracked = _Tracked(pool)
    await tracked.begin()
    return Picture(carrier=carrier, forger=forger, past=past, tracked=tracked)


async def show(picture: Picture) -> None:
    """A picture that changes in place on a terminal, and a line now and then anywhere else."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    if not console.is_terminal:
        await _each(_LINE_EVERY_S, picture, lambda: say(picture.line()))
        return
    with Live(picture.render(), console=console, auto_refresh=False) as live:
        try:
            await _each(_REFRESH_S, picture, lambda: live.update(picture.render(), refresh=True))
        finally:
            live.update(picture.render(), refresh=True)  # the end, as `settle` found it


async def _each(pause_s: float, picture: Picture, show: Callable[[], Any]) -> None:
    loop = asyncio.get_running_loop()
    looked_s = 0.0
    while True:
        await asyncio.sleep(max(pause_s, looked_s / _LOOKING_SHARE))
        began = loop.time()
        await picture.look()
        show()
        looked_s = loop.time() - began
