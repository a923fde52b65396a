"""What a request to the stand-in for Routee asks for, looked at as Routee looks at it."""

from collections.abc import Mapping
from re import ASCII, fullmatch
from typing import Any, Final

from landed.domain.errors import InputInvalid
from landed.domain.segments import Segments
from landed.simulator.callbacks.addresses import is_url
from landed.simulator.routee.answers import invalid
from landed.simulator.routee.state import Callback
from landed.simulator.routee.texts import analysis

#: The header that numbers the parts of a text has one byte for it.
PARTS_MAX: Final = 255
#: Of the alphabet that has the most of them in a part.
CHARACTERS_MAX: Final = PARTS_MAX * 153
STRATEGIES: Final = ("OnChange", "OnCompletion")
_NUMBER: Final = r"\+[1-9]\d{6,14}"
#: A number of up to 16 digits, or a name of up to 11 letters and digits, which has a letter.
_SENDERS: Final = (r"\+?\d{1,16}", r"(?=.*[A-Za-z])[ -~]{1,11}")


class Fields:
    """The fields of a request. What is wrong with them is gathered, to be told together."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self.problems: dict[str, str] = {}

    def refuse(self) -> None:
        """Raises Problem: something is wrong."""
        if self.problems:
            raise invalid(self.problems)

    def text(self, name: str, *, is_required: bool = False) -> str:
        value = self.content.get(name)
        if value in (None, ""):
            if is_required:
                self.problems[name] = "is required"
            return ""
        if not isinstance(value, str):
            self.problems[name] = "is no text"
            return ""
        return value

    def number(self, name: str) -> str:
        value = self.text(name, is_required=True)
        if value and not is_number(value):
            self.problems[name] = "is no number in E.164 form, such as +306912345678"
        return value

    def sender(self, name: str = "from") -> str:
        value = self.text(name, is_required=True)
        if value and not any(fullmatch(form, value, ASCII) for form in _SENDERS):
            self.problems[name] = "is neither a number of up to 16 digits nor a name of up to 11 characters"
        return value

    def flag(self, name: str) -> bool:
        value = self.content.get(name)
        if value is not None and not isinstance(value, bool):
            self.problems[name] = "is neither true nor false"
        return value is True

    def whole(self, name: str, *, least: int, most: int) -> int | None:
        value = self.content.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.problems[name] = f"is no whole number from {least} to {most}"
            return None
        return value

    def callback(self, name: str) -> Callback | None:
        value = self.content.get(name)
        if value is None:
            return None
        if not isinstance(value, dict) or not is_url(value.get("url")):
            self.problems[f"{name}.url"] = "is no URL of http or https"
            return None
        strategy = value.get("strategy", STRATEGIES[0])
        if strategy not in STRATEGIES:
            self.problems[f"{name}.strategy"] = f"is none of {', '.join(STRATEGIES)}"
            return None
        return Callback(url=value["url"], strategy=strategy)

    def body(self, text: str, *, transcodes: bool) -> tuple[Segments, dict[str, Any]]:
        """How the text goes, and the analysis of it.

        Raises:
            Problem
        """
        try:
            segments, content = analysis(text, transcodes=transcodes)
        except InputInvalid as error:
            raise invalid({"body": str(error)}) from error
        if len(segments.parts) > PARTS_MAX:
            raise invalid({"body": f"makes {len(segments.parts)} parts; a message has {PARTS_MAX} at most"})
        return segments, content


def is_number(value: object) -> bool:
    return isinstance(value, str) and fullmatch(_NUMBER, value, ASCII) is not None


def written(callback: Callback | None) -> dict[str, str] | None:
    return None if callback is None else {"url": callback.url, "strategy": callback.strategy}
