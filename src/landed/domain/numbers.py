"""Phone numbers: E.164 with the plus. Short codes and alphanumeric senders are none, and stay as they are."""

from typing import Final

#: An E.164 number has at most 15 digits and never starts with 0. Below 8 digits it is taken for a short code.
DIGITS_MIN: Final = 8
DIGITS_MAX: Final = 15
#: With the plus there is no lower bound; the shortest in use have 7 with their country's code (Niue, Saint Helena).
INTERNATIONAL_DIGITS_MIN: Final = 7

#: What `mask` leaves readable: the plus, up to 4 digits (the country, often the area), and the last 2.
FIRST_SHOWN_MAX: Final = 4
LAST_SHOWN: Final = 2
HIDDEN_MIN: Final = 4
HIDDEN: Final = "•"


def normalise(number: str | None) -> str | None:
    """One spelling per number, whichever way a provider writes it; None when there is none.

    `14155550123`, ` 14155550123` (a form turned the plus into a space) and `0014155550123` become `+14155550123`.
    Whatever can't be told for sure to be E.164 is kept: short codes, names, and national numbers (`0171…`).
    """
    number = number.strip() if number else None
    if not number:
        return None
    if not (number.isascii() and number.isdigit()):
        return number
    digits = number.removeprefix("00")
    return f"+{digits}" if DIGITS_MIN <= len(digits) <= DIGITS_MAX and digits[0] != "0" else number


def is_international(number: str) -> bool:
    """Whether it is written with its plus and country code, and could be somebody's."""
    digits = number.removeprefix("+")
    is_plain = number.startswith("+") and digits.isascii() and digits.isdigit() and digits[0] != "0"
    return is_plain and INTERNATIONAL_DIGITS_MIN <= len(digits) <= DIGITS_MAX


def mask(number: str) -> str:
    """The number for logs and for viewers who may not see it: `+1415•••••23`. Short codes and names stay.

    Anything with enough digits is masked, however it is written: a number we failed to normalise is still a person's.
    """
    digits = [index for index, char in enumerate(number) if char.isdigit() or char == HIDDEN]
    if len(digits) < DIGITS_MIN and not number.startswith("+"):
        return number
    first_shown = max(0, min(FIRST_SHOWN_MAX, len(digits) - LAST_SHOWN - HIDDEN_MIN))
    hidden = set(digits[first_shown:-LAST_SHOWN])
    return "".join(HIDDEN if index in hidden else char for index, char in enumerate(number))
