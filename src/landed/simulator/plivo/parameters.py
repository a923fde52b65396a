"""The parameters of a request: JSON as documented, a form as curl makes it, each value checked for what it may be."""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl

from landed.simulator.callbacks.addresses import is_url
from landed.simulator.plivo.answers import Refused

FIELDS_MAX: Final = 1000
METHODS: Final = ("GET", "POST")


class Parameters:
    """Empty and null values count as not given, as the SDKs send them for what was left out.

    Each method raises Refused (400) where the value is none that it may be.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = {name: value for name, value in content.items() if value not in (None, "", [], {})}

    def __contains__(self, name: str) -> bool:
        return name in self._content

    def __or__(self, other: Mapping[str, Any]) -> "Parameters":
        return Parameters({**self._content, **other})

    @property
    def content(self) -> dict[str, Any]:
        return dict(self._content)

    def need(self, *names: str) -> None:
        for name in names:
            if name not in self._content:
                raise Refused(400, f"{name} parameter not present")

    def text(self, name: str, default: str = "", *, characters_max: int = 10_000) -> str:
        value = self._content.get(name, default)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or len(value) > characters_max:
            _invalid(name, f"a text of at most {characters_max} characters")
        return value

    def one_of(self, name: str, allowed: Collection[str], default: str = "") -> str:
        value = self._content.get(name, default)
        if not isinstance(value, str) or value not in allowed:
            _invalid(name, f"one of {', '.join(allowed)}")
        return value

    def whole(self, name: str, least: int, most: int) -> int | None:
        value = self._content.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
            value = int(value)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            _invalid(name, f"a whole number from {least} to {most}")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self._content.get(name, default)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, bool):
            _invalid(name, "true or false")
        return value

    def texts(self, name: str, *, most: int = FIELDS_MAX) -> list[str]:
        value = self._content.get(name, [])
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str) for each in values) or len(values) > most:
            _invalid(name, f"a list of at most {most} texts")
        return [str(each) for each in values]

    def table(self, name: str) -> dict[str, Any] | None:
        value = self._content.get(name)
        if value is not None and not isinstance(value, dict):
            _invalid(name, "an object")
        return value

    def url(self, name: str = "url") -> str | None:
        value = self.text(name, characters_max=2000)
        if value and not is_url(value):
            _invalid(name, "an address that begins with http:// or https://")
        return value or None

    def method(self, name: str = "method", default: str = "POST") -> str:
        return self.one_of(name, METHODS, default)


def read(content_type: str, body: bytes) -> Parameters:
    """The body of a request.

    Raises:
        Refused: it is neither an object of JSON nor a form, or has characters that no encoding can say.
    """
    if not body:
        return Parameters({})
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        return _form(body)
    try:
        content = json.loads(body)
        # Half a surrogate pair and infinite numbers cannot be told in a callback.
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(content, dict):
        raise Refused(400, "the body is not an object of JSON")
    return Parameters(content)


def _form(body: bytes) -> Parameters:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError:
        raise Refused(400, "the body is not a form") from None
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            before = found[name]
            found[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            found[name] = value
    return Parameters(found)


def is_number(text: str, *, digits_min: int = 3) -> bool:
    """A telephone number, with or without the plus; short codes too."""
    digits = text.removeprefix("+")
    return digits.isascii() and digits.isdigit() and digits_min <= len(digits) <= 15


def is_person(text: str) -> bool:
    """A number that somebody can be reached at."""
    return is_number(text, digits_min=7)


def _invalid(name: str, wanted: str) -> NoReturn:
    raise Refused(400, f"{name} should be {wanted}")
