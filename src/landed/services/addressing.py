"""Phone numbers and senders from whatever people type: E.164 for numbers, short codes and names as what they are.

A number is refused only when it cannot be one: number plans change, and whether somebody has it is for the provider to
say. What is bare, without plus or international prefix, is a number of the default region, with or without its calling
code; with no default region it is taken to begin with a country's code, as providers write numbers.
"""

import re
import unicodedata
from typing import Final, TypeGuard

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult

from landed.domain import numbers, segments
from landed.domain.errors import InputInvalid

#: A sender's name is 11 septets at most, for it travels in the field of a number (TS 23.040, 9.1.2.5).
NAME_CHARACTERS_MAX: Final = 11
SHORT_CODE_DIGITS_MIN: Final = 3
SHORT_CODE_DIGITS_MAX: Final = 8
#: So short, digits are a short code even where a small country has numbers of that length.
NATIONAL_DIGITS_MIN: Final = 7
#: Longer than any number with all that is written around it.
WRITTEN_CHARACTERS_MAX: Final = 100
#: What an error shows of it.
SHOWN_CHARACTERS_MAX: Final = 30

_WAY_OUT: Final = "write it with a plus and the country's code, as in +14155550123"
_WAY_OUT_OF_SENDER: Final = "name a number, a short code, or a name with a letter in it"
_SCHEME: Final = re.compile(r"(?:tel|sms|smsto|whatsapp):(?://)?", re.IGNORECASE)
_PUNCTUATION: Final = frozenset("-‐‑‒–—―−－ー.．·•/／()（）[]")
_EXTENSION: Final = re.compile(
    r"\d\W{0,3}(?:e?xt(?:ensi[oó]n|n)?|anexo|int|доб|x|[#;,]+)[\s.:=]*\d{1,7}#?\s*$", re.IGNORECASE
)
_BETWEEN: Final = re.compile(r"[,;<>|&\n]|\s/\s|\bor\b|\band\b", re.IGNORECASE)
# North America's toll-free numbers are the only ones advertised as words, and their length is fixed, so that a word
# which is not a part of the number is noticed.
_TOLL_FREE: Final = re.compile(r"1?8(?:00|33|44|55|66|77|88)(?=[0-9]*[A-Z]{3})[0-9A-Z]{7}")
_WORD: Final = re.compile("[A-Z]{3}", re.IGNORECASE)
_KEYPAD: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
_DIGITS: Final = frozenset("0123456789")
_TEXTS_ARRIVE: Final = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def recipient(written: str, *, region: str | None = None, field: str = "to") -> str:
    """The number of a person as E.164 with the plus.

    Args:
        written: as people type and paste it: with spaces and brackets, `00` or the region's own prefix, a trunk zero,
            digits of any script, a `tel:` URI, toll-free words (`1-800-FLOWERS`).
        region: ISO 3166 code of the country that bare numbers are of.
        field: the name of the input, for the error.

    Raises:
        InputInvalid: it can't be a number one can send to, or the region is none; says what is wrong and the way out.
    """
    return _number(_without_scheme(_visible(written)), _region(region), field, _WAY_OUT)


def sender(written: str, *, region: str | None = None, field: str = "from") -> str:
    """Who a message is from: a short code (3 to 8 digits), a name (up to 11 characters, one a letter), or a number.

    Seven or eight digits are a number where they are a valid one of the region. Otherwise as `recipient`.

    Raises:
        InputInvalid: it can't be any of them; says what is wrong and the way out.
    """
    region = _region(region)
    whole = unicodedata.normalize("NFC", _visible(written))
    text = _without_scheme(whole)
    compact = _compact(text)
    if _DIGITS.issuperset(compact) and SHORT_CODE_DIGITS_MIN <= len(compact) <= SHORT_CODE_DIGITS_MAX:
        national = _parsed(compact, region) if region and len(compact) >= NATIONAL_DIGITS_MIN else None
        return _e164(national) if national and phonenumbers.is_valid_number(national) else compact
    if text != whole or compact.startswith("+") or not any(map(str.isalpha, text)):
        return _number(text, region, field, _WAY_OUT_OF_SENDER)
    strange = next((char for char in text if char not in segments.GSM7_BASIC or char in "\r\n"), None)
    if strange is None and len(text) <= NAME_CHARACTERS_MAX:
        return text
    if _digit_count(text) >= NATIONAL_DIGITS_MIN or _TOLL_FREE.fullmatch(compact.upper()):
        return _number(text, region, field, _WAY_OUT_OF_SENDER)
    if strange is not None:
        wrong = f"has {_character(strange)}, which a sender's name can't have; write letters and digits"
    else:
        wrong = f"has {len(text)} characters, and a sender's name has at most {NAME_CHARACTERS_MAX}; shorten it"
    raise _refusal(text, wrong, field)


def _region(region: str | None) -> str | None:
    if not region:
        return None
    if (code := region.strip().upper()) not in phonenumbers.SUPPORTED_REGIONS:
        raise _refusal(region, "is not the ISO 3166 code of a country with numbers; name one, such as US", "region")
    return code


def _number(text: str, region: str | None, field: str, way_out: str) -> str:
    if not text:
        raise _refusal(None, f"no number is given; {way_out}", field)
    if len(text) > WRITTEN_CHARACTERS_MAX:
        raise _refusal(text, f"has {len(text):,} characters, more than a phone number can have; {way_out}", field)
    pieces = [piece for piece in _BETWEEN.split(text) if _digit_count(piece) >= NATIONAL_DIGITS_MIN]
    if len(pieces) > 1 or len(re.findall("[+＋]", text)) > 1:
        raise _refusal(text, "looks like more than one number; give each as an item of its own", field)
    if _EXTENSION.search(text) and _digit_count(text) > NATIONAL_DIGITS_MIN:
        raise _refusal(text, "has an extension, which a message can't reach; leave it off", field)
    compact = _from_keypad(_compact(text), region)
    plus, digits = compact.startswith("+"), compact.removeprefix("+")
    if strange := next((char for char in digits if char not in _DIGITS), None):
        raise _refusal(text, _wrong_with(strange, digits, way_out), field)
    if not digits:
        raise _refusal(text, f"has no digits; {way_out}", field)
    if digits.startswith("00") and (plus or region is None):
        plus, digits = True, digits.removeprefix("00")
    if plus or region is None:
        if digits.startswith("0"):
            why = "no country's code does" if plus else "national numbers do, and no default region is set"
            raise _refusal(text, f"starts with 0, as {why}; {way_out}", field)
        found = _international(digits)
    else:
        found = _of_region(digits, region)
        if not _valid(found) and _valid(_international(digits)):
            wrong = f"is no number of {region}; if it starts with another country's code, write a plus before it"
            raise _refusal(text, wrong, field)
    if not _possible(found):
        wrong = _wrong_length(found, digits, region if not plus else None)
        if len(digits) <= SHORT_CODE_DIGITS_MAX and not plus and way_out is _WAY_OUT:
            wrong = f"{wrong}, and short codes can send, but not be sent to"
        raise _refusal(text, f"{wrong}; {way_out}", field)
    return _e164(found)


def _of_region(digits: str, region: str) -> PhoneNumber | None:
    """The likeliest reading of bare digits: one that is valid and gets texts, a valid one, one that is possible."""
    readings = [_parsed(digits, region)]
    if digits.startswith(str(phonenumbers.country_code_for_region(region))):
        # First, since where both can be valid, numbers have no fixed length, and national ones start with a zero.
        readings.insert(0, _international(digits))
    if digits.startswith("00"):
        readings.append(_international(digits.removeprefix("00")))

    def likelihood(number: PhoneNumber | None) -> tuple[bool, bool, bool]:
        valid = _valid(number)
        return (
            valid and number is not None and phonenumbers.number_type(number) in _TEXTS_ARRIVE,
            valid,
            _possible(number),
        )

    return max(readings, key=likelihood)


def _international(digits: str) -> PhoneNumber | None:
    return _parsed(f"+{digits}", None)


def _parsed(digits: str, region: str | None) -> PhoneNumber | None:
    """As the library reads it, and reads its own answer again: it takes away one trunk prefix at a time."""
    try:
        number = phonenumbers.parse(digits, region)
        while (again := phonenumbers.parse(_e164(number))) != number:
            number = again
    except NumberParseException:
        return None
    return number


def _possible(number: PhoneNumber | None) -> TypeGuard[PhoneNumber]:
    """Whether a number can be so long: what the library checks, and E.164 besides."""
    return (
        number is not None
        and phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
        and numbers.INTERNATIONAL_DIGITS_MIN <= len(_e164(number)) - 1 <= numbers.DIGITS_MAX
    )


def _valid(number: PhoneNumber | None) -> bool:
    return _possible(number) and phonenumbers.is_valid_number(number)


def _e164(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _visible(written: str) -> str:
    """Without spaces around it, and without the marks that nobody sees and contact lists put around numbers."""
    return "".join(char for char in written if unicodedata.category(char) != "Cf").strip()


def _without_scheme(text: str) -> str:
    """Of `tel:` URIs the number (RFC 3966): a local one with its context, if that is a country's code."""
    scheme = _SCHEME.match(text)
    if not scheme:
        return text
    number, *parameters = text[scheme.end() :].split(";")
    context = next((each[len("phone-context=") :] for each in parameters if each.startswith("phone-context=+")), "")
    extension = [f";{each}" for each in parameters if each.lower().startswith("ext=")]
    return "".join([context, number, *extension])


def _compact(text: str) -> str:
    """Without punctuation and spaces, digits of all scripts as ASCII. What does not belong stays, to be named."""
    kept = (char for char in text if char not in _PUNCTUATION and (not char.isspace() or char in "\r\n"))
    return "".join("+" if char == "＋" else str(unicodedata.decimal(char, char)) for char in kept)


def _digit_count(text: str) -> int:
    return sum(map(str.isdecimal, text))


def _from_keypad(compact: str, region: str | None) -> str:
    """A toll-free number with a word in it as digits; what is none, as it is. Without its 1 it needs the region."""
    upper = compact.upper()
    digits = upper.removeprefix("+")
    nearby = region is not None and phonenumbers.country_code_for_region(region) == 1
    understood = digits.startswith("1") if upper.startswith("+") or region is None else nearby
    return upper.translate(_KEYPAD) if understood and _TOLL_FREE.fullmatch(digits) else compact


def _wrong_with(strange: str, digits: str, way_out: str) -> str:
    if not strange.isalpha():
        return f"has {_character(strange)}, which a phone number can't have; {way_out}"
    if _digit_count(digits) < SHORT_CODE_DIGITS_MIN:
        return f"is no phone number; {way_out}"
    wrong = f"has {_character(strange)} where a digit belongs; write digits"
    if not _WORD.search(digits):
        return wrong
    return f"{wrong}. Words are read as on a keypad only in North America's toll-free numbers, such as 1-800-FLOWERS"


def _wrong_length(number: PhoneNumber | None, digits: str, region: str | None) -> str:
    """In which way a number is impossible. `region`: whose it would be, where it is bare."""
    if len(digits) < NATIONAL_DIGITS_MIN:
        return "has too few digits for a number"
    if number is None:
        return f"can't be a number of {region}" if region else "starts with no country's code"
    of = f"a number of +{number.country_code}"
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason == ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
        return "lacks its area code"
    if reason == ValidationResult.TOO_LONG or len(_e164(number)) - 1 > numbers.DIGITS_MAX:
        return f"has too many digits for {of}"
    if reason == ValidationResult.TOO_SHORT:
        return f"has too few digits for {of}"
    return f"has {len(digits)} digits, which {of} can't have"


def _refusal(written: str | None, wrong: str, field: str) -> InputInvalid:
    return InputInvalid(wrong if written is None else f"{_shown(written)} {wrong}", field=field)


def _shown(written: str) -> str:
    """So much of it that one knows which it is, and too little to call it: `'+1415•••••23'`."""
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in written)
    if len(text) > SHOWN_CHARACTERS_MAX:
        text = f"{text[:SHOWN_CHARACTERS_MAX]}…"
    masked = numbers.mask(text)
    digits = [index for index, char in enumerate(text) if char.isdecimal()]
    if masked == text and len(digits) >= NATIONAL_DIGITS_MIN:
        hidden = digits[2:-2]
        masked = "".join(numbers.HIDDEN if index in hidden else char for index, char in enumerate(text))
    return f"'{masked}'"


def _character(char: str) -> str:
    return f"'{char}'" if char.isprintable() else f"U+{ord(char):04X}"
