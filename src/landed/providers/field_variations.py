"""Other fields that a provider may have signed: what proxies and frameworks make of a form, each with its cause.

For telling why a signature that covers the fields does not hold; nothing here lets a callback in.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote_plus

Pairs = Sequence[tuple[str, str]]

#: Forms with more fields are not tried field by field.
_FIELDS_MAX: Final = 40
#: With two fields at once only those of so many.
_PAIRED_MAX: Final = 25
_BOM: Final = "\ufeff"
#: Of a number: the plus was one, while others stand for spaces.
_LEADING_PLUS: Final = re.compile(rb"=\+(?=\d)")
_EDGES: Final = (("", " "), ("", "\n"), ("", "\r\n"), (" ", ""), ("\n", ""), (" ", " "))


class FieldVariation(NamedTuple):
    cause: str
    pairs: Pairs
    what: str = ""  #: which field, by name


def variations(data: bytes, pairs: Pairs | None, *, is_json: bool, blank_names: Sequence[str]) -> list[FieldVariation]:
    """What the fields may have been before somebody touched them.

    Args:
        data: the form (or JSON) as it came.
        pairs: its fields as we read them; None where we cannot.
        blank_names: fields that the provider sends without a value, which some programs drop.
    """
    found = [*_read_otherwise(data, is_json=is_json)] if data else []
    if pairs is not None and len(pairs) <= _FIELDS_MAX:
        found += [*_written_otherwise(pairs), *_fewer(pairs), *_more(pairs, blank_names), *_untrimmed(pairs)]
    seen = {_key(pairs)} if pairs is not None else set()
    unique = []
    for each in found:
        if _key(each.pairs) not in seen:
            seen.add(_key(each.pairs))
            unique.append(each)
    return unique


def with_pluses(form: bytes) -> tuple[bytes, bytes]:
    """The form as it was before its escaped pluses came undone: all of them, or those that begin a number, where other
    fields hold spaces."""
    return form.replace(b"+", b"%2B"), _LEADING_PLUS.sub(b"=%2B", form)


def _read_otherwise(data: bytes, *, is_json: bool) -> Iterator[FieldVariation]:
    if (of_json := _json_pairs(data)) is not None:
        yield FieldVariation("body_json", of_json)
        return
    for encoding in ("utf-8", "latin-1", "cp1252"):
        cause = "body_content_type" if is_json else "body_charset"
        if (read := _form(data, encoding)) is None:
            continue
        yield FieldVariation(cause, read)
        if encoding == "utf-8":
            for kept in with_pluses(data):
                if (literal := _form(kept, encoding)) is not None:
                    yield FieldVariation("body_plus", literal)
            bare = [(name.removeprefix(_BOM), value) for name, value in read]
            yield FieldVariation("body_bom", bare)
            if (stripped := _form(data.strip(b"\r\n \0"), encoding)) is not None:
                yield FieldVariation("body_whitespace", stripped)


def _written_otherwise(pairs: Pairs) -> Iterator[FieldVariation]:
    ways: Sequence[tuple[str, Callable[[str], str]]] = (
        ("body_encoded_twice", unquote_plus),
        ("body_encoded_twice", lambda value: unquote_plus(value.replace("+", "%2B"))),
        ("body_charset", lambda value: value.encode("latin-1").decode()),
        ("body_charset", lambda value: value.encode("cp1252").decode()),
        ("body_newlines", lambda value: value.replace("\r\n", "\n")),
        ("body_newlines", lambda value: value.replace("\r\n", "\n").replace("\n", "\r\n")),
    )
    for cause, way in ways:
        try:
            yield FieldVariation(cause, [(way(name), way(value)) for name, value in pairs])
        except UnicodeError:  # it was never written in that charset
            continue


def _fewer(pairs: Pairs) -> Iterator[FieldVariation]:
    yield FieldVariation("body_added", list(dict.fromkeys(pairs)), "repeated fields")
    for count in (1, 2):
        if count == 2 and len(pairs) > _PAIRED_MAX:
            return
        for left_out in combinations(range(len(pairs)), count):
            left = [pair for number, pair in enumerate(pairs) if number not in left_out]
            yield FieldVariation("body_added", left, " and ".join(pairs[number][0] for number in left_out))


def _more(pairs: Pairs, blank_names: Sequence[str]) -> Iterator[FieldVariation]:
    missing = [name for name in blank_names if name not in dict(pairs)]
    for count in range(1, len(missing) + 1):
        if count > 3 and count < len(missing):
            continue
        for names in combinations(missing, count):
            yield FieldVariation("body_blank_dropped", [*pairs, *((name, "") for name in names)], " and ".join(names))


def _untrimmed(pairs: Pairs) -> Iterator[FieldVariation]:
    for number, (name, value) in enumerate(pairs):
        for before, after in _EDGES:
            changed = (name, f"{before}{value}{after}")
            yield FieldVariation("body_trimmed", [*pairs[:number], changed, *pairs[number + 1 :]], name)


def _form(data: bytes, encoding: str) -> Pairs | None:
    try:
        text = data.decode(encoding)
        return parse_qsl(
            text, keep_blank_values=True, encoding=encoding, errors="strict", max_num_fields=_FIELDS_MAX * 4
        )
    except (UnicodeError, ValueError):
        return None


def _json_pairs(data: bytes) -> Pairs | None:
    """A JSON object's fields as a form would have them."""
    try:
        content = json.loads(data.removeprefix(_BOM.encode()), parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    return [
        (name, _written(item))
        for name, value in content.items()
        for item in (value if isinstance(value, list) else [value])
    ]


def _written(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def _key(pairs: Pairs) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(pairs))
