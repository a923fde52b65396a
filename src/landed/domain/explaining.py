"""Where it goes wrong: the country, network, sender or account that explains most of what is too much.

A value is named only if half of what is too much lies there, and all others are clearly better: the largest network is
not named for an outage that is everywhere. Of several it is one that is worse than it was itself before, and among
those the one that tells bad from good best, as decision trees choose: how far the two shares lie apart, weighed by how
many messages each has. So a network is named where its country has others that are well, and the country where all of
them fail. For an amount it is the value that grew the most over what is usual.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

#: The narrower goes first: where a whole country has one network, the network is named.
ORDER: Final = ("network", "sender", "country", "channel", "account")
#: Least part of the excess that a value has to explain to be named.
EXPLAINED_LEAST: Final = 0.5
#: How much better all others have to be, as a part of what is too much at the value: less is chance.
APART_LEAST: Final = 1 / 3
#: A value's own past counts as if so many messages more had been as usual, so that a handful of them proves nothing.
_USUAL_MESSAGES: Final = 50
#: How far apart (in squared standard errors, so three of them and a bit) before and after are, where it got worse then.
_WORSE_LEAST: Final = 10.0


class Cell(NamedTuple):
    """Some messages that have the same values. What is counted may be money: then `bad` is the amount, and `of` too."""

    values: Mapping[str, str]  #: by dimension, such as {"country": "US", "network": "310-260"}
    bad: float
    of: float


class Counted(NamedTuple):
    bad: float
    of: float

    @property
    def share(self) -> float:
        return self.bad / self.of if self.of else 0.0


_NOTHING: Final = Counted(0, 0)


class Where(NamedTuple):
    """The value that explains most, with its figures and those of all others."""

    dimension: str
    value: str
    counted: Counted
    others: Counted
    before: Counted  #: the same value, in the period that it is compared with


def total(cells: Iterable[Cell]) -> Counted:
    bad = of = 0.0
    for cell in cells:
        bad += cell.bad
        of += cell.of
    return Counted(bad, of)


def of_share(cells: Sequence[Cell], before: Sequence[Cell], dimensions: Sequence[str] = ORDER) -> Where | None:
    """What explains a share that is too high; None where no single value explains half of the excess.

    A value that all messages have cannot be compared with others, and is named only where nothing else can be. One that
    always was that bad is named only where none got worse: then it is what more is sent to.
    """
    all_, usual = total(cells), min(total(before).share, total(cells).share)
    excess = all_.bad - usual * all_.of
    if excess <= 0:
        return None
    found: list[tuple[bool, bool, float, Where]] = []
    for dimension in dimensions:
        then = _by(before, dimension)
        for value, counted in _by(cells, dimension).items():
            past = then.get(value, _NOTHING)
            others = Counted(all_.bad - counted.bad, all_.of - counted.of)
            apart = counted.share - (others.share if others.of else usual)
            explained = (counted.bad - usual * counted.of) / excess
            if explained >= EXPLAINED_LEAST and apart >= APART_LEAST * (counted.share - usual):
                own = (past.bad + usual * _USUAL_MESSAGES) / (past.of + _USUAL_MESSAGES)
                got_worse = (counted.bad - max(usual, own) * counted.of) / excess >= EXPLAINED_LEAST
                told_apart = counted.of * others.of / all_.of * apart**2
                found.append((others.of > 0, got_worse, told_apart, Where(dimension, value, counted, others, past)))
    # Of equals the first stays: the narrower one.
    return max(found, key=lambda each: each[:3])[3] if found else None


def of_amount(cells: Sequence[Cell], usual: Sequence[Cell], dimensions: Sequence[str] = ORDER) -> Where | None:
    """What explains an amount that is too high: the value that grew the most, where that is half of the growth. A value
    that all of it has is named only where nothing else can be."""
    all_ = total(cells)
    growth = all_.bad - total(usual).bad
    if growth <= 0:
        return None
    found: list[tuple[bool, float, Where]] = []
    for dimension in dimensions:
        then = _by(usual, dimension)
        for value, counted in _by(cells, dimension).items():
            before = then.get(value, _NOTHING)
            others = Counted(all_.bad - counted.bad, all_.of - counted.of)
            if (counted.bad - before.bad) / growth >= EXPLAINED_LEAST:
                found.append(
                    (others.bad > 0, counted.bad - before.bad, Where(dimension, value, counted, others, before))
                )
    return max(found, key=lambda each: each[:2])[2] if found else None


def began(buckets: Sequence[Counted]) -> int:
    """Which of the buckets, in the order of time, the trouble began in: where before and after lie furthest apart. 0
    where it was never better, but for chance."""
    all_ = Counted(sum(each.bad for each in buckets), sum(each.of for each in buckets))
    best, first = _WORSE_LEAST * all_.share * (1 - all_.share), 0
    bad = of = 0.0
    for index, counted in enumerate(buckets):
        before, after = Counted(bad, of), Counted(all_.bad - bad, all_.of - of)
        if before.of and after.of and after.share > before.share:
            told_apart = before.of * after.of / all_.of * (after.share - before.share) ** 2
            if told_apart > best and counted.of:
                best, first = told_apart, index
        bad, of = bad + counted.bad, of + counted.of
    return first


def _by(cells: Iterable[Cell], dimension: str) -> dict[str, Counted]:
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for cell in cells:
        value = cell.values.get(dimension)
        if value:
            sums[value][0] += cell.bad
            sums[value][1] += cell.of
    return {value: Counted(*found) for value, found in sorted(sums.items())}
