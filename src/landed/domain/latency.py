"""Time to deliver, as a histogram that can be added up: logarithmic buckets, 5 % relative error at most.

The scheme of DDSketch (Masson, Rim, Lee: "DDSketch", VLDB 2019): bucket i holds (GAMMA**(i-1), GAMMA**i]
milliseconds, and its estimate lies at most ERROR away from anything in it.
"""

import math
import sys
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from struct import Struct
from typing import Final

ERROR: Final = 0.05
GAMMA: Final = (1 + ERROR) / (1 - ERROR)
BUCKET_MAX: Final = 256  # GAMMA**256 ms is four years; anything slower counts as that
_LOG_GAMMA: Final = math.log(GAMMA)


def bucket(latency_ms: int) -> int:
    """The bucket of a latency in milliseconds, 0 for 1 ms and less."""
    if latency_ms <= 1:
        return 0
    return min(BUCKET_MAX, math.ceil(math.log(latency_ms) / _LOG_GAMMA))


def estimate_ms(index: int) -> float:
    """The value that is nearest, relatively, to everything in the bucket."""
    return 2 * GAMMA**index / (1 + GAMMA)


# --- a whole histogram as one integer -------------------------------------------------------------------------
# Bucket i has the 32 bits from bit 32 i on. So histograms add up with `+`, thousands of them in a millisecond, and one
# message goes in as `+ one(i)` and out as `- one(i)`. Counts stay below 2**32 and, all in all, never below 0.

_BITS: Final = 32
_BYTES: Final = _BITS // 8
_LENGTH: Final = Struct(">I")


def one(index: int) -> int:
    """The histogram of one message in that bucket."""
    return 1 << _BITS * index


def counts(histogram: int) -> dict[int, int]:
    """The buckets that are not empty, and how many are in each."""
    lowest, counted = _spread(histogram)
    return {index: count for index, count in enumerate(counted, lowest) if count}


def quantiles_ms(histogram: int, qs: Sequence[float]) -> list[float | None]:
    """The q-quantile for each q (0 to 1); None where the histogram is empty."""
    lowest, counted = _spread(histogram)
    seen = list(accumulate(counted))
    if not seen:
        return [None] * len(qs)
    # The first bucket that more than the rank have reached.
    return [estimate_ms(lowest + bisect_right(seen, q * (seen[-1] - 1))) for q in qs]


def _spread(histogram: int) -> tuple[int, Sequence[int]]:
    """The first bucket that is not empty, and how many are in each from there to the last."""
    lowest = _lowest(histogram)
    shifted = histogram >> _BITS * lowest
    counted = array("I", shifted.to_bytes(-(-shifted.bit_length() // _BITS) * _BYTES, "little"))
    if sys.byteorder == "big":
        counted.byteswap()
    return lowest, counted


def _lowest(histogram: int) -> int:
    """The first bucket that is not empty; 0 where all are."""
    return max(0, (histogram & -histogram).bit_length() - 1) // _BITS


def pack(histogram: int) -> bytes:
    """As it is stored: the lowest bucket that is not empty in two bytes, then four bytes for each from there on."""
    if histogram == 0:
        return b""
    lowest = _lowest(histogram)
    shifted = histogram >> _BITS * lowest
    return lowest.to_bytes(2, "little") + shifted.to_bytes(-(-shifted.bit_length() // 8), "little")


def unpack(packed: bytes) -> int:
    """What `pack` packed."""
    return int.from_bytes(packed[2:], "little") << _BITS * int.from_bytes(packed[:2], "little")


def unpack_all(packed: bytes) -> int:
    """The sum of histograms that `pack` packed, one behind the other, each behind its length in four bytes, the highest
    first. `unpack` is written out here: an overview adds up thousands, and calling it took a third longer."""
    total = at = 0
    while at < len(packed):
        begin = at + _LENGTH.size
        (length,) = _LENGTH.unpack_from(packed, at)
        at = begin + length
        if length:
            lowest = packed[begin] + 256 * packed[begin + 1]
            total += int.from_bytes(packed[begin + 2 : at], "little") << _BITS * lowest
    return total
