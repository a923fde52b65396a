"""Money: a whole number of billionths of the currency's unit. Prices are fractions of a cent; sums must be exact."""

from decimal import Decimal, InvalidOperation
from typing import Final

NANOS: Final = 1_000_000_000
_NANOS_MAX: Final = 10**15  # a million for one message: beyond all reason, and thousands of them fit a bigint


def nanos(text: str | None) -> int | None:
    """Decimal text as billionths; None for what is empty, not a finite number, or out of all reason."""
    if not text:
        return None
    try:
        amount = Decimal(text)
        if not amount.is_finite() or abs(amount.adjusted()) > 18:
            return None
        value = int((amount * NANOS).to_integral_value())
    except (InvalidOperation, ValueError):
        return None
    return value if abs(value) < _NANOS_MAX else None


def text(value_nanos: int) -> str:
    """`7_000_000` -> `0.0070`: four decimals at least, more where they count."""
    sign, digits = ("-" if value_nanos < 0 else ""), f"{abs(value_nanos):010d}"
    whole, fraction = digits[:-9], digits[-9:].rstrip("0").ljust(4, "0")
    return f"{sign}{whole}.{fraction}"


def nanos_of_sum(text: str) -> int:
    """What `text` wrote, however large."""
    return int(Decimal(text).scaleb(9))
