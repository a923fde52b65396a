from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landed.domain import segments
from landed.domain.errors import InputInvalid
from landed.domain.receipts import Channel
from landed.domain.segments import Encoding, TextLimits

# 3GPP TS 23.038, 6.2.1, as Unicode code points: sixteen codes a line, from 0x00. FFFF is the escape.
DEFAULT_ALPHABET: Final = """
    0040 00A3 0024 00A5 00E8 00E9 00F9 00EC 00F2 00C7 000A 00D8 00F8 000D 00C5 00E5
    0394 005F 03A6 0393 039B 03A9 03A0 03A8 03A3 0398 039E FFFF 00C6 00E6 00DF 00C9
    0020 0021 0022 0023 00A4 0025 0026 0027 0028 0029 002A 002B 002C 002D 002E 002F
    0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B 003C 003D 003E 003F
    00A1 0041 0042 0043 0044 0045 0046 0047 0048 0049 004A 004B 004C 004D 004E 004F
    0050 0051 0052 0053 0054 0055 0056 0057 0058 0059 005A 00C4 00D6 00D1 00DC 00A7
    00BF 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
    0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 00E4 00F6 00F1 00FC 00E0
"""
# 6.2.1.1: code after the escape, code point.
EXTENSION_TABLE: Final = {
    0x0A: 0x000C, 0x14: 0x005E, 0x28: 0x007B, 0x29: 0x007D, 0x2F: 0x005C,
    0x3C: 0x005B, 0x3D: 0x007E, 0x3E: 0x005D, 0x40: 0x007C, 0x65: 0x20AC,
}  # fmt: skip
BASIC: Final = {chr(int(point, 16)) for point in DEFAULT_ALPHABET.split()} - {"\uffff"}
EXTENSION: Final = {chr(point) for point in EXTENSION_TABLE.values()}

FAMILY: Final = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
THUMB: Final = "\U0001f44d\U0001f3fd"
FLAG: Final = "\U0001f1e9\U0001f1ea"

#: text, encoding, units, parts
CORPUS: Final[list[tuple[str, str, int, int]]] = [
    ("", "gsm7", 0, 1),
    ("Your code is 123456", "gsm7", 19, 1),
    ("a" * 159, "gsm7", 159, 1),
    ("a" * 160, "gsm7", 160, 1),
    ("a" * 161, "gsm7", 161, 2),
    ("a" * 306, "gsm7", 306, 2),
    ("a" * 307, "gsm7", 307, 3),
    ("a" * 459, "gsm7", 459, 3),
    ("a" * 460, "gsm7", 460, 4),
    ("à" * 160, "gsm7", 160, 1),
    ("Δ" * 161, "gsm7", 161, 2),
    ("\r\n" * 80, "gsm7", 160, 1),
    ("€" * 80, "gsm7", 160, 1),
    ("€" * 81, "gsm7", 162, 2),
    ("a" * 158 + "€", "gsm7", 160, 1),
    ("a" * 159 + "€", "gsm7", 161, 2),
    # 76 in a part, since the 77th would have its escape here and its code there: a septet stays empty.
    ("€" * 152, "gsm7", 304, 2),
    ("€" * 153, "gsm7", 306, 3),
    ("a" * 152 + "€" + "a" * 151, "gsm7", 305, 2),
    ("a" * 152 + "€" + "a" * 152, "gsm7", 306, 3),
    ("a" * 151 + "€" + "a" * 153, "gsm7", 306, 2),
    ("a" * 152 + "{" + "a" * 150 + "}" + "a" * 153, "gsm7", 459, 4),
    ("\f" * 80, "gsm7", 160, 1),
    ("[^{}\\~|]" * 10, "gsm7", 160, 1),
    ("[^{}\\~|]" * 10 + "a", "gsm7", 161, 2),
    ("ç", "ucs2", 1, 1),
    ("Ç", "gsm7", 1, 1),
    ("`", "ucs2", 1, 1),
    ("\t", "ucs2", 1, 1),
    ("\x1b", "ucs2", 1, 1),
    ("ж" * 69, "ucs2", 69, 1),
    ("ж" * 70, "ucs2", 70, 1),
    ("ж" * 71, "ucs2", 71, 2),
    ("ж" * 134, "ucs2", 134, 2),
    ("ж" * 135, "ucs2", 135, 3),
    ("a" * 69 + "’", "ucs2", 70, 1),
    ("a" * 70 + "’", "ucs2", 71, 2),
    ("a" * 160 + "’", "ucs2", 161, 3),
    ("€" * 69 + "ж", "ucs2", 70, 1),
    ("\U0001f600" * 35, "ucs2", 70, 1),
    ("\U0001f600" * 36, "ucs2", 72, 2),
    # 33 in a part: 67 is odd, and half an emoji is none.
    ("\U0001f600" * 66, "ucs2", 132, 2),
    ("\U0001f600" * 67, "ucs2", 134, 3),
    ("a" * 66 + "\U0001f600" + "a" * 65, "ucs2", 133, 2),
    ("a" * 66 + "\U0001f600" + "a" * 66, "ucs2", 134, 3),
    ("a" * 65 + "\U0001f600" + "a" * 67, "ucs2", 134, 2),
    ("a" * 68 + "\U0001f600", "ucs2", 70, 1),
    ("a" * 69 + "\U0001f600", "ucs2", 71, 2),
    (FAMILY, "ucs2", 11, 1),
    (FAMILY * 6, "ucs2", 66, 1),
    (FAMILY * 7, "ucs2", 77, 2),
    (THUMB * 17 + "ok", "ucs2", 70, 1),
    (FLAG * 17 + "ok!", "ucs2", 71, 2),
    ("1\ufe0f\u20e3", "ucs2", 3, 1),
    ("e\u0301", "ucs2", 2, 1),
    ("Hello Привет שלום مرحبا 你好 नमस्ते", "ucs2", 33, 1),
    ("ΑΒΓ ΔΕΖ", "ucs2", 7, 1),
    ("Γ Δ Θ Λ Ξ Π Σ Φ Ψ Ω", "gsm7", 19, 1),
    ("\U0010ffff", "ucs2", 2, 1),
]

gsm7_texts = st.text(st.sampled_from(sorted(BASIC | EXTENSION)), max_size=700)
crowded_texts = st.text(st.sampled_from("a€{\f"), max_size=700)
any_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
mixed_texts = st.text(st.sampled_from("a€ж\U0001f600\u200d’\u0301"), max_size=300)
texts = st.one_of(gsm7_texts, crowded_texts, any_texts, mixed_texts)


def cost(char: str, encoding: Encoding) -> int:
    """From the test's own tables, and Python's own UTF-16."""
    return 2 if char in EXTENSION else 1 if encoding is Encoding.GSM7 else len(char.encode("utf-16-be")) // 2


def fewest_parts(text: str, encoding: Encoding) -> int:
    """By trying: the fewest parts over every place where the text could be cut."""
    costs = [2 if encoding is Encoding.GSM7 and char in EXTENSION else 1 for char in text]
    alone, each = 160, 153
    if encoding is Encoding.UCS2:
        costs = [len(char.encode("utf-16-be")) // 2 for char in text]
        alone, each = 70, 67
    if sum(costs) <= alone:
        return 1
    best = [0]
    for end in range(1, len(text) + 1):
        room, start, fewest = each - costs[end - 1], end - 1, best[end - 1]
        while start > 0 and room >= costs[start - 1]:
            start -= 1
            room -= costs[start]
            fewest = min(fewest, best[start])
        best.append(fewest + 1)
    return best[-1]


def test_the_alphabet_is_that_of_the_standard_code_by_code() -> None:
    standard = [chr(int(point, 16)) for point in DEFAULT_ALPHABET.split()]

    assert len(standard) == 128
    assert "".join(standard).replace("\uffff", "") == segments.GSM7_BASIC
    assert "".join(map(chr, EXTENSION_TABLE.values())) == segments.GSM7_EXTENSION


def test_of_all_characters_of_the_basic_plane_only_those_of_the_standard_are_gsm7() -> None:
    characters = [chr(point) for point in range(0x10000) if not 0xD800 <= point <= 0xDFFF]
    found = {char for char in characters if segments.measure(char).encoding is Encoding.GSM7}

    assert found == BASIC | EXTENSION


def test_each_character_of_the_standard_costs_what_it_says() -> None:
    assert {segments.measure(char).units for char in BASIC} == {1}
    assert {segments.measure(char).units for char in EXTENSION} == {2}


@pytest.mark.parametrize(("text", "encoding", "units", "parts"), CORPUS)
def test_the_corpus_of_tricky_texts(text: str, encoding: str, units: int, parts: int) -> None:
    measured = segments.measure(text)

    assert (measured.encoding, measured.units, len(measured.parts)) == (encoding, units, parts)
    assert measured.characters == len(text)
    assert "".join(measured.parts) == text
    assert len(measured.parts) == fewest_parts(text, measured.encoding)


@given(texts)
@example("a" * 152 + "€" + "a" * 152)
def test_parts_are_the_text_and_each_fits(text: str) -> None:
    measured = segments.measure(text)
    costs = [
        sum(cost(char, measured.encoding) for char in part)
        if measured.encoding is Encoding.GSM7
        else len(part.encode("utf-16-be")) // 2
        for part in measured.parts
    ]

    assert "".join(measured.parts) == text
    assert sum(costs) == measured.units
    most = {Encoding.GSM7: (160, 153), Encoding.UCS2: (70, 67)}[measured.encoding]
    assert all(cost <= most[len(costs) > 1] for cost in costs)
    assert all(measured.parts) or text == ""


@given(texts)
def test_no_part_ends_in_half_a_character(text: str) -> None:
    measured = segments.measure(text)

    if measured.encoding is Encoding.GSM7:
        assert all(set(part) <= BASIC | EXTENSION for part in measured.parts)  # an escape alone is neither
    else:
        assert "".join(part.encode("utf-16-be").decode("utf-16-be") for part in measured.parts) == text


@given(texts)
def test_there_are_never_more_parts_than_there_must_be(text: str) -> None:
    measured = segments.measure(text)

    assert len(measured.parts) == fewest_parts(text, measured.encoding)


@given(texts)
def test_a_text_is_gsm7_exactly_when_nothing_in_it_is_expensive(text: str) -> None:
    measured = segments.measure(text)

    assert (measured.encoding is Encoding.GSM7) == (set(text) <= BASIC | EXTENSION) == (measured.expensive == ())


@given(texts)
def test_expensive_characters_are_where_they_are_said_to_be(text: str) -> None:
    for each in segments.measure(text).expensive:
        assert each.positions == tuple(sorted(set(each.positions)))
        assert all(text[position - 1 :].startswith(each.text) for position in each.positions)


@given(texts)
def test_with_every_replacement_written_a_text_is_gsm7(text: str) -> None:
    measured = segments.measure(text)
    changed = list(text)
    for each in measured.expensive:
        for position in each.positions:
            changed[position - 1 : position - 1 + len(each.text)] = [
                each.replacement or "",
                *[""] * (len(each.text) - 1),
            ]
    cheap = segments.measure("".join(changed))

    assert cheap.encoding is Encoding.GSM7
    assert len(cheap.parts) <= measured.parts_without


@given(texts)
def test_a_warning_is_given_exactly_when_there_is_something_to_save(text: str) -> None:
    measured = segments.measure(text)

    assert (segments.warning(measured) is not None) == (len(measured.parts) > measured.parts_without)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("’", "'"), ("‘", "'"), ("`", "'"), ("´", "'"), ("“", '"'), ("„", '"'), ("«", '"'), ("–", "-"), ("—", "-"),
        ("\u2011", "-"), ("−", "-"), ("•", "-"), ("…", "..."), ("\u00a0", " "), ("\u202f", " "), ("\u3000", " "),
        ("\t", " "), ("\u2028", "\n"), ("\u200b", ""), ("\ufeff", ""), ("\u00ad", ""), ("á", "a"), ("ç", "c"),
        ("ł", "l"), ("Œ", "OE"), ("ﬁ", "fi"), ("½", "1/2"), ("²", "2"), ("™", "TM"), ("Ａ", "A"), ("！", "!"),
        ("Α", "A"), ("Η", "H"), ("Τ", "T"), ("Ώ", "Ω"), ("\u2126", "Ω"), ("\u212b", "Å"), ("e\u0301", "é"),
        ("n\u0303", "ñ"), ("a\u0301", "a"), ("1\ufe0f\u20e3", "1"), ("©\ufe0f", "(c)"), ("ờ", "o"),
    ],
)  # fmt: skip
def test_what_gsm7_has_for_it_is_suggested(written: str, meant: str) -> None:
    (expensive,) = segments.measure(f"x{written}x").expensive

    assert (expensive.text, expensive.positions, expensive.replacement) == (written, (2,), meant)


@pytest.mark.parametrize("text", ["ж", "你", "א", "α", "\U0001f600", FAMILY, FLAG, "₹", "°", "¨", "\x1b"])
def test_nothing_is_suggested_where_nothing_says_the_same(text: str) -> None:
    assert [each.replacement for each in segments.measure(text).expensive] == [None]


@pytest.mark.parametrize("text", [FAMILY, THUMB, FLAG, "❤\ufe0f", "1\ufe0f\u20e3", "e\u0301", "क्"])
def test_what_is_seen_as_one_is_named_as_one(text: str) -> None:
    assert [(each.text, each.positions) for each in segments.measure(f"{text} {text}").expensive] == [
        (text, (1, len(text) + 2))
    ]


def test_flags_side_by_side_are_two() -> None:
    france = "\U0001f1eb\U0001f1f7"
    assert [each.text for each in segments.measure(FLAG + france + FLAG).expensive] == [FLAG, france]


def test_an_invisible_mark_between_letters_is_named_alone() -> None:
    assert [each.text for each in segments.measure("co\u200dde\u200b").expensive] == ["\u200d", "\u200b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"It is four o’clock{'x' * 122}",
            "’ (U+2019 RIGHT SINGLE QUOTATION MARK) at character 13 makes this 3 parts instead of 1; write ' instead.",
        ),
        (
            f"{'x' * 80}\u00a0",
            "U+00A0 NO-BREAK SPACE at character 81 makes this 2 parts instead of 1; write a space instead.",
        ),
        (f"\u200b{'x' * 80}", "U+200B ZERO WIDTH SPACE at character 1 makes this 2 parts instead of 1; leave it out."),
        (
            f"\u2028{'x' * 80}",
            "U+2028 LINE SEPARATOR at character 1 makes this 2 parts instead of 1; write a line break instead.",
        ),
        (
            f"{'x' * 160}\U0001f600",
            "\U0001f600 (U+1F600 GRINNING FACE) at character 161 makes this 3 parts instead of 1; leave it out.",
        ),
        (
            f"{FAMILY}{'x' * 160}",
            f"{FAMILY} (U+1F468 MAN + 6 more) at character 1 makes this 3 parts instead of 1; leave it out.",
        ),
        (
            f"cafe\u0301{'x' * 70}",
            "e\u0301 (U+0065 LATIN SMALL LETTER E + U+0301 COMBINING ACUTE ACCENT) at character 4 makes this 2 parts "
            "instead of 1; write é (U+00E9) instead.",
        ),
        (
            f"‘a’ \U0001f600{'x' * 70}",
            "‘ (U+2018 LEFT SINGLE QUOTATION MARK) at character 1, ’ (U+2019 RIGHT SINGLE QUOTATION MARK) at character "
            "3 and \U0001f600 (U+1F600 GRINNING FACE) at character 5 make this 2 parts instead of 1; "
            "write ' for ‘ and ' for ’, and leave out \U0001f600.",
        ),
        (
            f"–“”…{'x' * 70}",
            "– (U+2013 EN DASH) at character 1, “ (U+201C LEFT DOUBLE QUOTATION MARK) at character 2, ” (U+201D RIGHT "
            "DOUBLE QUOTATION MARK) at character 3 and 1 other make this 2 parts instead of 1; "
            'write - for –, " for “ and " for ”.',
        ),
        (
            "ж" * 71,
            "ж (U+0436 CYRILLIC SMALL LETTER ZHE) at character 1 makes this 2 parts instead of 1 in GSM-7.",
        ),
        (
            f"ж’{'x' * 70}",
            "ж (U+0436 CYRILLIC SMALL LETTER ZHE) at character 1 and ’ (U+2019 RIGHT SINGLE QUOTATION MARK) at "
            "character 2 make this 2 parts instead of 1 in GSM-7.",
        ),
        (f"\x07{'x' * 70}", "U+0007 without a name at character 1 makes this 2 parts instead of 1; leave it out."),
        (
            f"\u0301{'x' * 70}",
            "◌\u0301 (U+0301 COMBINING ACUTE ACCENT) at character 1 makes this 2 parts instead of 1 in GSM-7.",
        ),
    ],
)
def test_the_warning_names_the_character_the_cost_and_the_way_out(text: str, said: str) -> None:
    assert segments.warning(segments.measure(text)) == said


@pytest.mark.parametrize("text", ["", "a" * 1600, "It is four o’clock", "ж" * 70, "\U0001f600"])
def test_a_text_that_costs_no_more_than_it_must_is_not_warned_of(text: str) -> None:
    assert segments.warning(segments.measure(text)) is None


def test_a_letter_that_nothing_replaces_is_counted_as_one_septet() -> None:
    assert segments.measure("ж" * 160).parts_without == 1
    assert segments.measure("ж" * 161).parts_without == 2


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        ("a" * 1600, Channel.SMS),
        ("€" * 800, Channel.SMS),
        ("ж" * 737, Channel.SMS),
        ("ж" * 4096, Channel.WHATSAPP),
        ("\U0001f600" * 4096, Channel.WHATSAPP),
        ("ж" * 5000, Channel.MMS),
    ],
)
def test_a_text_may_be_as_long_as_the_provider_takes(text: str, channel: Channel) -> None:
    segments.check_length(segments.measure(text), channel, TextLimits())


@pytest.mark.parametrize(
    ("text", "channel", "said"),
    [
        (
            "a" * 1601,
            Channel.SMS,
            "the text is 1,601 long, and can be 1,600 characters; shorten it or send several messages",
        ),
        (
            "€" * 801,
            Channel.SMS,
            "the text is 1,602 long, and can be 1,600 characters, counting each of ^ { } \\ [ ~ ] | € as two; "
            "shorten it or send several messages",
        ),
        (
            "a" * 737 + "’",
            Channel.SMS,
            "the text is 738 long, and can be 737 16-bit units, since ’ (U+2019 RIGHT SINGLE QUOTATION MARK) is not in "
            "the GSM-7 alphabet; shorten it or send several messages",
        ),
        (
            "a" * 4097,
            Channel.WHATSAPP,
            "the text is 4,097 long, and can be 4,096 characters in WhatsApp; shorten it or send several messages",
        ),
    ],
)
def test_a_text_that_is_too_long_is_refused_with_the_reason(text: str, channel: Channel, said: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        segments.check_length(segments.measure(text), channel, TextLimits())

    assert str(refused.value) == said
    assert refused.value.field == "text"


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(
        InputInvalid, match=r"character 3 of the text is half of a surrogate pair \(U\+D83D\)"
    ) as refused:
        segments.measure("ok\ud83d")

    assert refused.value.field == "text"
    str(refused.value).encode()
