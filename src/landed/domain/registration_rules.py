"""What the registry behind 10DLC wants of a campaign, as far as providers publish it: told before anything is paid for.

A provider takes what breaks them, and passes the registry's no on days later; so whoever knows better can have it sent
all the same. Follows Plivo's page "Campaign", read 2026-11.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

DESCRIPTION_CHARACTERS_MIN: Final = 40
DESCRIPTION_CHARACTERS_MAX: Final = 4096
SAMPLES_MIN: Final = 2
SAMPLES_MAX: Final = 5
SAMPLE_CHARACTERS_MIN: Final = 20
SAMPLE_CHARACTERS_MAX: Final = 1024


class Broken(NamedTuple):
    """A rule that is broken: of which field, and how, as a sentence."""

    field: str
    how: str


def broken(
    *,
    description: str,
    samples: Sequence[str],
    message_flow: str | None,
    help_message: str | None,
    opt_out_message: str | None,
) -> list[Broken]:
    """All that the registry will refuse, in the order of the fields."""
    found = [*_length("description", "It", description, DESCRIPTION_CHARACTERS_MIN, DESCRIPTION_CHARACTERS_MAX)]
    if len(samples) < SAMPLES_MIN:
        found.append(Broken("samples", f"There have to be {SAMPLES_MIN} at least."))
    for number, sample in enumerate(samples, start=1):
        found += _length("samples", f"The {number}.", sample, SAMPLE_CHARACTERS_MIN, SAMPLE_CHARACTERS_MAX)
    for field, text, what in (
        ("message_flow", message_flow, "how people come to agree"),
        ("help_message", help_message, "what is answered to HELP"),
        ("opt_out_message", opt_out_message, "what is answered to STOP"),
    ):
        if not text:
            found.append(Broken(field, f"It is missing: {what}."))
    return found


def _length(field: str, which: str, text: str, least: int, most: int) -> Iterator[Broken]:
    length = len(text.strip())
    if length < least:
        yield Broken(field, f"{which} has {length} characters, and has to have {least} at least.")
    if length > most:
        yield Broken(field, f"{which} has {length:,} characters, and may have {most:,} at most.")
