"""Guessing: a masked number leaves so few possibilities that whoever may look for one after another finds it out."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import chain
from math import ceil
from typing import Final
from uuid import UUID

from landed.domain import numbers
from landed.domain.errors import LandedError
from landed.services.reading import number
from landed.services.searching import parted

#: Different numbers within the time that somebody may look for: more than people ask for by hand. A mask fits 100,000
#: numbers of 11 digits, of which that is a seventieth a day; of the shortest it fits 10,000.
NUMBERS_MAX: Final = 60
WITHIN_S: Final = 3600.0


class SearchThrottled(LandedError):
    """Too many different numbers were looked for. `retry_after_s` is how long to wait."""

    code = "search_throttled"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Guesses:
    """Which numbers those who see them masked looked for of late. Each web process counts for itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: defaultdict[int, dict[str, float]] = defaultdict(dict)

    def see(self, user_id: int, text: str) -> None:
        """Count the numbers in what a user searches for; one that was counted already is free.

        Raises:
            SearchThrottled: they would be too many.
        """
        wanted = dict.fromkeys(_numbers(text))
        if not wanted:
            return
        now = self._clock()
        asked = {each: at for each, at in self._asked[user_id].items() if now - at < WITHIN_S}
        self._asked[user_id] = asked
        fresh = wanted.keys() - asked.keys()
        too_many = len(asked) + len(fresh) - NUMBERS_MAX
        if fresh and too_many > 0:
            # Those asked for first are forgotten first, and there have to be as many of them as are too many now.
            wait_s = WITHIN_S - (now - [*asked.values(), now][min(too_many, len(asked) + 1) - 1])
            raise SearchThrottled(
                f"Numbers are masked for you, so you can look for {NUMBERS_MAX} different ones an hour. Go on in"
                f" {ceil(wait_s / 60)} min, or ask an operator.",
                retry_after_s=wait_s,
            )
        asked.update(dict.fromkeys(fresh, now))


def _numbers(text: str) -> Iterator[str]:
    """What in a search would be masked where it is shown, as it is compared with what is kept."""
    terms, words = parted(text)
    values: Iterator[str | None] = chain([words], *terms.values())
    for value in values:
        wanted = number(value) or ""
        if numbers.mask(wanted) != wanted and not _is_id(wanted):
            yield wanted


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
