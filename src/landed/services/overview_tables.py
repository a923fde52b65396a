"""The tables of an overview: every one of them added up from the same rows, which are read once."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from landed.services.counts import Counts, Tally, bars, change, changes, rate
from landed.services.framing import Frame
from landed.services.overview_shapes import ErrorCodeRow, ErrorRest, ErrorTable, FaultRow, RestRow, Table, TableRow
from landed.services.questions import Group, Words, shown
from landed.store.analytics import Sums

TABLES: Final = (Group.COUNTRY, Group.NETWORK, Group.SENDER, Group.ACCOUNT, Group.CHANNEL)


class _Pair:
    """A group now and before."""

    __slots__ = ("before", "now")

    def __init__(self) -> None:
        self.now, self.before = Tally(), Tally()

    def merge(self, other: "_Pair") -> None:
        self.now.merge(other.now)
        self.before.merge(other.before)


class _Coded:
    """How many messages have an error code, now and before, and where."""

    __slots__ = ("before", "countries", "now")

    def __init__(self) -> None:
        self.now = self.before = 0
        self.countries: defaultdict[str, int] = defaultdict(int)


class Tables:
    """Every table, added up from the same rows."""

    def __init__(self, within: Frame, words: Words, top: int) -> None:
        self._is_compared = within.previous is not None
        self._place_now = within.places_before
        self._words = words
        self._top = top
        self._totals = _Pair()
        self._groups: dict[Group, defaultdict[Any, _Pair]] = {group: defaultdict(_Pair) for group in TABLES}
        self._errors: defaultdict[tuple[str, str | None], _Coded] = defaultdict(_Coded)

    def add(self, sums: Iterable[tuple[Any, int, Sums]], histograms: Iterable[tuple[Any, int, int]]) -> None:
        """Add what is counted of combinations (rows of `dimensions`), by place in time."""
        # First what lies in the same groups of all tables: there are fewer of these than combinations.
        cells: defaultdict[tuple[Any, ...], _Pair] = defaultdict(_Pair)
        of_row: dict[int, _Pair] = {}
        named = [self._words.of(group) for group in TABLES]

        def tally(row: Any, place: int) -> Tally:
            pair = of_row.get(row.id)
            if pair is None:
                pair = of_row[row.id] = cells[tuple([name(row) for name in named])]
            return pair.now if place == self._place_now else pair.before

        for row, place, added in sums:
            tally(row, place).add(row.direction, row.status, row.currency, added)
            if row.error_code:
                self._add_error(row, added.messages, is_now=place == self._place_now)
        for row, place, histogram in histograms:
            tally(row, place).histogram += histogram
        for keys, cell in cells.items():
            self._totals.merge(cell)
            for pairs, key in zip(self._groups.values(), keys, strict=True):
                pairs[key].merge(cell)

    def _add_error(self, row: Any, messages: int, *, is_now: bool) -> None:
        coded = self._errors[row.error_code, self._words.provider(row.account_id)]
        if is_now:
            coded.now += messages
            coded.countries[row.country] += messages
        else:
            coded.before += messages

    def told(self) -> dict[str, Any]:
        """The fields of `Overview` that are added up here."""
        now = self._totals.now.counts()
        totals = self._compared(now, self._totals.before)
        return {
            "totals": now,
            "previous": totals.get("previous"),
            "change": totals.get("change"),
            "latency_bars": bars(self._totals.now.histogram),
            "by_fault": self._faults(),
            "errors": self._error_table(),
            **{f"by_{group}": self._table(group) for group in TABLES},
        }

    def _compared(self, now: Counts, before: Tally) -> dict[str, Any]:
        if not self._is_compared:
            return {}
        previous = before.counts()
        return {"previous": previous, "change": changes(now, previous)}

    def _share(self, messages: int) -> float:
        return rate(messages, self._totals.now.messages) or 0.0

    def _table(self, group: Group) -> Table:
        pairs = [(key, pair) for key, pair in self._groups[group].items() if pair.now.messages or pair.before.messages]
        pairs.sort(key=lambda each: (-each[1].now.messages, -each[1].before.messages, str(each[0])))
        rest = _Pair()
        for _, pair in pairs[self._top :]:
            rest.merge(pair)
        return Table(
            groups=len(pairs),
            rows=[TableRow(**{group.value: shown(group, key)}, **self._told(pair)) for key, pair in pairs[: self._top]],
            rest=RestRow(groups=len(pairs) - self._top, **self._told(rest)) if len(pairs) > self._top else None,
        )

    def _told(self, pair: _Pair) -> dict[str, Any]:
        told = pair.now.told()
        return {**told, "share": self._share(pair.now.messages), **self._compared(Counts(**told), pair.before)}

    def _error_table(self) -> ErrorTable:
        codes = [(key, coded) for key, coded in self._errors.items() if coded.now or coded.before]
        codes.sort(key=lambda each: (-each[1].now, -each[1].before, str(each[0])))
        rest = codes[self._top :]
        return ErrorTable(
            groups=len(codes),
            messages=sum(coded.now for _, coded in codes),
            rows=[self._error(*key, coded) for key, coded in codes[: self._top]],
            rest=ErrorRest(
                groups=len(rest),
                **self._counted(sum(each.now for _, each in rest), sum(each.before for _, each in rest)),
            )
            if rest
            else None,
        )

    def _error(self, code: str, provider: str | None, coded: _Coded) -> ErrorCodeRow:
        country, messages = max(coded.countries.items(), key=lambda each: (each[1], each[0]), default=("", 0))
        return ErrorCodeRow(
            error_code=code,
            provider=provider,
            error=self._words.meaning(code, provider),
            country=country or None,
            country_share=rate(messages, coded.now) or 0.0,
            **self._counted(coded.now, coded.before),
        )

    def _faults(self) -> list[FaultRow]:
        found: defaultdict[str, list[tuple[str, _Coded]]] = defaultdict(list)
        for (code, provider), coded in self._errors.items():
            meaning = self._words.meaning(code, provider)
            if meaning and (coded.now or coded.before):
                found[meaning.fault].append((code, coded))
        rows = [
            FaultRow(
                fault=fault,
                error_codes=sorted({code for code, _ in those}),
                **self._counted(sum(each.now for _, each in those), sum(each.before for _, each in those)),
            )
            for fault, those in found.items()
        ]
        return sorted(rows, key=lambda row: (-row.messages, row.fault))

    def _counted(self, now: int, before: int) -> dict[str, Any]:
        told: dict[str, Any] = {"messages": now, "share": self._share(now)}
        return told | ({"previous": before, "change": change(now, before)} if self._is_compared else {})
