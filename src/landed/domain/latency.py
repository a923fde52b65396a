"""Time to deliver, as a histogram that can be added up: logarithmic buckets, 5 % relative error at most.

The scheme of DDSketch (Masson, Rim, Lee: "DDSketch", VLDB 2019): bucket i holds (GAMMA**(i-1), GAMMA**i]
milliseconds, and its estimate lies at most ERROR away from anything in it.
"""

import math
import sys
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
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


def quantile_ms(histogram: Mapping[int, int], q: float) -> float | None:
    """The q-quantile (0 to 1) of a histogram of bucket -> count; None when it is empty."""
    return quantiles_ms(histogram, (q,))[0]


def quantiles_ms(histogram: Mapping[int, int], qs: Sequence[float]) -> list[float | None]:
    """Several quantiles, as `quantile_ms` has them."""
    buckets = sorted(histogram)
    seen = list(accumulate(map(histogram.__getitem__, buckets)))
    if not seen or seen[-1] <= 0:
        return [None] * len(qs)
    # The first bucket that more than the rank have reached.
    found = [bisect_right(seen, q * (seen[-1] - 1)) for q in qs]
    return [estimate_ms(buckets[min(index, len(buckets) - 1)]) for index in found]


# --- a whole histogram as one integer -------------------------------------------------------------------------
# Bucket i has the 32 bits from bit 32 i on. So histograms add up with `+`, thousands of them in a millisecond, and one
# message goes in as `+ one(i)` and out as `- one(i)`. Counts stay below 2**32 and, all in all, never below 0.

_BITS: Final = 32
_BYTES: Final = _BITS // 8


def one(index: int) -> int:
    """The histogram of one message in that bucket."""
    return 1 << _BITS * index


def counts(histogram: int) -> dict[int, int]:
    """The buckets that are not empty, and how many are in each."""
    lowest = _lowest(histogram)
    shifted = histogram >> _BITS * lowest
    buckets = array("I", shifted.to_bytes(-(-shifted.bit_length() // _BITS) * _BYTES, "little"))
    if sys.byteorder == "big":
        buckets.byteswap()
    return {index: count for index, count in enumerate(buckets, lowest) if count}


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
