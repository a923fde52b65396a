"""What a text becomes as SMS, before it is sent: its encoding, its parts, and the characters that make it expensive.

A text whose characters are all in the GSM 7-bit default alphabet or its extension table (3GPP TS 23.038, 6.2.1; once
GSM 03.38) goes as septets, 160 of them in a message; one character that is not there turns the whole text into UCS-2,
70 units of 16 bits. A longer text goes in parts, each with a header of 6 bytes that joins them again (TS 23.040,
9.2.3.24.1), which leaves 153 septets or 67 units.

A code point is never split: neither the two septets of an extension character nor a surrogate pair. Parts are filled
one by one, so a text can need one more than its units divided by 153 or 67. What belongs together beyond that, such as
an emoji with its skin tone, may be in two parts: a phone joins the parts before it shows them, and providers count so.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from landed.domain.errors import InputInvalid
from landed.domain.receipts import Channel
from landed.domain.words import Word

#: The default alphabet in the order of its codes, 0x00 to 0x7F without 0x1B, the escape. 0x09 is the capital Ç.
GSM7_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: The extension table: each costs two septets, the escape and its own.
GSM7_EXTENSION: Final = "\f^{}\\[~]|€"

_BASIC: Final = frozenset(GSM7_BASIC)
_EXTENSION: Final = frozenset(GSM7_EXTENSION)
_GSM7: Final = _BASIC | _EXTENSION


class Encoding(Word):
    """How a text travels."""

    GSM7 = "gsm7"  #: 7 bits a character
    UCS2 = "ucs2"  #: 16 bits a character, 32 for what lies beyond the first 65,536


#: Units of a message that is alone, and of a part of several: 140 bytes, and 134, in units of 7 or 16 bits.
ALONE_UNITS_MAX: Final = {Encoding.GSM7: 160, Encoding.UCS2: 70}
PART_UNITS_MAX: Final = {Encoding.GSM7: 153, Encoding.UCS2: 67}

#: Distinct characters that a warning names; the others are a number.
WARNED_OF_MAX: Final = 3

# Signs that are typed by word processors, phones and keyboards of other countries, and what is meant by them.
# Accents, ligatures, full-width letters and the like need no entry: Unicode knows what they are made of.
_MEANT: Final[dict[str, str]] = {
    sign: meant
    for meant, signs in {
        "'": "‘’‚‛′ʹʻʼˈ`´‹›",
        '"': "“”„‟″«»‶〃",
        "<": "〈",
        ">": "〉",
        "-": "\u2010\u2011‒–—―−⁃•‣◦",
        "...": "…",
        ".": "·∙",
        ",": "‚،",
        "/": "\u2044∕÷",
        "x": "×",
        "*": "∗",
        "~": "∼",
        "|": "¦",
        "u": "µ",
        "(c)": "©",
        "(R)": "®",
        "TM": "™",
        "OE": "Œ",
        "oe": "œ",
        "SS": "ẞ",
        "L": "Ł",
        "l": "ł",
        "D": "ĐÐ",
        "d": "đð",
        "i": "ı",
        "H": "Ħ",
        "h": "ħ",
        "T": "Ŧ",
        "t": "ŧ",
        # Greek capitals that look like ours share their code in the alphabet: that is how Greek is written in GSM-7.
        "A": "Α",
        "B": "Β",
        "E": "Ε",
        "Z": "Ζ",
        "I": "Ι",
        "K": "Κ",
        "M": "Μ",
        "N": "Ν",
        "O": "Ο",
        "P": "Ρ",
        "Y": "Υ",
        "X": "Χ",
        " ": "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
        "\n": "\u0085\u2028\u2029\v",
        # Marks that nobody sees.
        "": "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
        "\u2060\u2066\u2067\u2068\u2069\ufe0e\ufe0f\ufeff",
    }.items()
    for sign in signs
} | {"Η": "H", "Τ": "T"}

_JOINER: Final = "\u200d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expensive:
    """Something in a text that GSM-7 cannot say, which makes the whole text UCS-2."""

    text: (
        str  #: a character with all that modifies it: one code point mostly, several of an emoji or a letter with marks
    )
    positions: tuple[int, ...]  #: of its first code point, each time it comes; the text's first character is 1
    replacement: str | None  #: what GSM-7 has for it, empty to leave it out; None: nothing that says the same

    @property
    def name(self) -> str:
        """`U+2019 RIGHT SINGLE QUOTATION MARK`, with a plus between several."""
        return " + ".join(f"U+{ord(char):04X} {unicodedata.name(char, 'without a name')}" for char in self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """A text as it will travel.

    Attributes:
        characters: code points of the text.
        units: septets, or 16-bit units: what limits count. (A provider's `Units` are our parts.)
        parts: the text in its parts, at least one; joined they are the text.
        expensive: all distinct ones, in the order of the text; none in GSM-7.
        parts_without: how many parts it were without them: replaced where they can be, signs left out that cannot,
            and letters without a replacement counted as one septet each.
    """

    encoding: Encoding
    characters: int
    units: int
    parts: tuple[str, ...]
    expensive: tuple[Expensive, ...] = ()
    parts_without: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLimits:
    """The longest text that a provider takes. The defaults are Plivo's ("Encoding and concatenation", read 2026-11)."""

    gsm7_units: int = 1600
    ucs2_units: int = 737  #: 11 parts
    whatsapp_characters: int = 4096


def measure(text: str) -> Segments:
    """Encoding, parts and expensive characters of a text. Empty, it is one empty part.

    Raises:
        InputInvalid: half of a surrogate pair is in it, which no encoding can say.
    """
    if _GSM7.issuperset(text):
        units = len(text) + sum(text.count(char) for char in GSM7_EXTENSION)
        parts = _packed(text, Encoding.GSM7, units)
        return Segments(
            encoding=Encoding.GSM7, characters=len(text), units=units, parts=parts, parts_without=len(parts)
        )
    for position, char in enumerate(text, 1):
        if "\ud800" <= char <= "\udfff":
            raise InputInvalid(
                f"character {position} of the text is half of a surrogate pair (U+{ord(char):04X}); "
                "send whole characters, in UTF-8",
                field="text",
            )
    units = len(text) + sum(char > "\uffff" for char in text)
    expensive = _expensive(text)
    return Segments(
        encoding=Encoding.UCS2,
        characters=len(text),
        units=units,
        parts=_packed(text, Encoding.UCS2, units),
        expensive=expensive,
        parts_without=_parts_without(text, expensive),
    )


def check_length(segments: Segments, channel: Channel, limits: TextLimits) -> None:
    """Refuse what the provider would not take for its length.

    Raises:
        InputInvalid: with how long it is, how long it may be, and the way out.
    """
    long, most, unit, why = segments.units, limits.gsm7_units, "characters", ""
    if channel is Channel.WHATSAPP:
        long, most, unit = segments.characters, limits.whatsapp_characters, "characters in WhatsApp"
    elif channel is Channel.MMS:
        return  # bounded by the size of the whole message
    elif segments.encoding is Encoding.UCS2:
        most, unit = limits.ucs2_units, "16-bit units"
        why = f", since {_named(segments.expensive[0])} is not in the GSM-7 alphabet"
    elif segments.units > segments.characters:
        unit = f"characters, counting each of {' '.join(GSM7_EXTENSION.strip())} as two"
    if long > most:
        raise InputInvalid(
            f"the text is {long:,} long, and can be {most:,} {unit}{why}; shorten it or send several messages",
            field="text",
        )


def warning(segments: Segments) -> str | None:
    """Which characters make a text more parts than it has to be, and what to write instead; None where none do.

    `’ (U+2019 RIGHT SINGLE QUOTATION MARK) at character 12 makes this 3 parts instead of 1; write ' instead.`
    """
    if len(segments.parts) <= segments.parts_without:
        return None
    expensive = segments.expensive
    named = [f"{_named(each)} at character {each.positions[0]}" for each in expensive[:WARNED_OF_MAX]]
    if rest := len(expensive) - len(named):
        named.append(f"{rest} other{'s' if rest > 1 else ''}")
    makes = "makes" if len(named) == 1 else "make"
    cost = f"{_joined(named)} {makes} this {len(segments.parts)} parts instead of {segments.parts_without}"
    if any(each.replacement is None and _is_letter(each) for each in expensive):
        # Nothing to advise: as long as one such letter stays, the text is UCS-2.
        return f"{cost} in GSM-7."
    return f"{cost}; {_advice(expensive)}."


def _units(char: str, encoding: Encoding) -> int:
    return 1 + (char in _EXTENSION if encoding is Encoding.GSM7 else char > "\uffff")


def _packed(text: str, encoding: Encoding, units: int) -> tuple[str, ...]:
    """The text in parts, each as full as whole characters make it."""
    if units <= ALONE_UNITS_MAX[encoding]:
        return (text,)
    most, parts, start, filled = PART_UNITS_MAX[encoding], [], 0, 0
    for index, char in enumerate(text):
        cost = _units(char, encoding)
        if filled + cost > most:
            parts.append(text[start:index])
            start, filled = index, 0
        filled += cost
    return (*parts, text[start:])


def _clusters(text: str) -> Iterator[tuple[int, str]]:
    """Index and text of each character with what modifies it: marks, skin tones, tags, and what a joiner joins to it.

    Fewer rules than Unicode's for what is seen as one (UAX #29): enough for what people type, and wrong only in names.
    """
    start = 0
    for index in range(1, len(text) + 1):
        if index == len(text) or not _continues(text, start, index):
            yield start, text[start:index]
            start = index


def _continues(text: str, start: int, index: int) -> bool:
    """Whether the character at `index` belongs to the cluster that began at `start`."""
    char, before = text[index], text[index - 1]
    if char.isascii() or before in "\n\r":
        return False
    if _is_regional(char):
        return _is_regional(before) and index - start == 1
    return (
        unicodedata.category(char) in ("Mn", "Mc", "Me")
        or (char == _JOINER and not before.isascii())
        or (before == _JOINER and index - start > 1)
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
    )


def _is_regional(char: str) -> bool:
    """One of the letters that make a flag in twos."""
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _expensive(text: str) -> tuple[Expensive, ...]:
    found: dict[str, list[int]] = {}
    for index, cluster in _clusters(text):
        if not _GSM7.issuperset(cluster):
            found.setdefault(cluster, []).append(index + 1)
    return tuple(
        Expensive(text=cluster, positions=tuple(positions), replacement=_replacement(cluster))
        for cluster, positions in found.items()
    )


def _replacement(cluster: str) -> str | None:
    """What GSM-7 has for a cluster: itself composed, what is meant by a sign, or letters without their accents."""
    composed = unicodedata.normalize("NFC", cluster)
    meant = "".join(_MEANT.get(char, char) for char in composed)
    if _GSM7.issuperset(meant):
        return meant
    taken_apart = unicodedata.normalize("NFKD", meant)
    if taken_apart.startswith(" ") and not meant.startswith(" "):
        return None  # a spacing accent, which Unicode takes for a mark on a space
    base = "".join(_MEANT.get(char, char) for char in taken_apart if unicodedata.category(char) not in ("Mn", "Me"))
    return base if base and _GSM7.issuperset(base) else None


def _is_letter(expensive: Expensive) -> bool:
    """Whether it carries the text: letters and digits of another script, not signs and emoji."""
    return unicodedata.category(expensive.text[0])[0] in "LMN" and _JOINER not in expensive.text


def _parts_without(text: str, expensive: Sequence[Expensive]) -> int:
    instead = {
        each.text: each.replacement if each.replacement is not None else "x" if _is_letter(each) else ""
        for each in expensive
    }
    cheap = "".join(instead.get(cluster, cluster) for _, cluster in _clusters(text))
    return len(measure(cheap).parts)


def _named(expensive: Expensive) -> str:
    """`’ (U+2019 RIGHT SINGLE QUOTATION MARK)`; without the sign where it cannot be seen."""
    text = expensive.text
    name = expensive.name
    if len(text) > 2:
        name = f"U+{ord(text[0]):04X} {unicodedata.name(text[0], 'without a name')} + {len(text) - 1} more"
    if not text.isprintable() and len(text) == 1:
        return name
    shown = f"◌{text}" if unicodedata.combining(text[0]) else text
    return f"{shown} ({name})"


def _advice(expensive: Sequence[Expensive]) -> str:
    """`write ' for ’ and - for –, and leave out 😀`; of one character `write ' instead` or `leave it out`."""
    if len(expensive) == 1:
        only = expensive[0]
        return f"write {_written(only)} instead" if only.replacement else "leave it out"
    replaced = [f"{_written(each)} for {_short(each)}" for each in expensive if each.replacement][:WARNED_OF_MAX]
    left_out = [_short(each) for each in expensive if not each.replacement][:WARNED_OF_MAX]
    advice = [f"{verb} {_joined(what)}" for verb, what in (("write", replaced), ("leave out", left_out)) if what]
    return ", and ".join(advice)


def _written(expensive: Expensive) -> str:
    """The replacement as one can read it. A composed letter looks like the one it replaces, so its code is told."""
    replacement = expensive.replacement or ""
    if unicodedata.normalize("NFC", expensive.text) == replacement:
        return f"{replacement} (U+{ord(replacement):04X})"
    return {" ": "a space", "\n": "a line break"}.get(replacement, replacement)


def _short(expensive: Expensive) -> str:
    text = expensive.text
    return text if text.isprintable() or len(text) > 1 else f"U+{ord(text):04X}"


def _joined(items: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))
