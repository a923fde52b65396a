"""The base of our enumerations of words."""

from enum import StrEnum


class Word(StrEnum):
    """One word of a fixed vocabulary, equal to its text."""

    # As a string hashes, in C: Enum's own hash is written in Python, which counts at 25 thousand receipts a second.
    __hash__ = str.__hash__
