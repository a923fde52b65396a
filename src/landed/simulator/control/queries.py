"""Reads what a request to `/_sim` asks for: filters of its query, and bodies in JSON or YAML."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from landed.domain.errors import InputInvalid
from landed.domain.words import Word
from landed.services import cursors
from landed.simulator.carrier import written

_LIMIT: Final = 50
_LIMIT_MAX: Final = 1000
_PROBLEMS_MAX: Final = 10

AnyWord = TypeVar("AnyWord", bound=Word)
Given = TypeVar("Given", bound="Body")
Thing = TypeVar("Thing")


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def bare(number: str) -> str:
    """A number without its plus, which an address that does not escape it makes a space; names and short codes as they
    are."""
    return number.strip().removeprefix("+")


class Query:
    """The parameters of a request; each is taken by name, and what nobody took is refused."""

    def __init__(self, request: Request) -> None:
        self._given = dict(request.query_params)

    def text(self, name: str) -> str | None:
        return self._given.pop(name, None) or None

    def number(self, name: str) -> str | None:
        """A phone number, with the plus whether it was written or not (an unescaped plus reads as a space)."""
        given = self.text(name)
        return None if given is None else "+" + bare(given)

    def one_of(self, name: str, words: Sequence[str]) -> str | None:
        given = self.text(name)
        if given is not None and given not in words:
            raise InputInvalid(f"`{name}` is {given[:100]!r}; give one of {', '.join(words)}.", field=name)
        return given

    def word(self, name: str, words: type[AnyWord]) -> AnyWord | None:
        given = self.one_of(name, [*words])
        return None if given is None else words(given)

    def seconds(self, name: str, most: float) -> float:
        given = self.text(name) or "0"
        try:
            seconds = float(given)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= most:
            raise InputInvalid(f"`{name}` is {given[:20]!r}; give a number from 0 to {most:g}.", field=name)
        return seconds

    def page(self) -> "Page":
        """`limit` and `cursor`, which are taken last: any other parameter is unknown."""
        limit = self.text("limit") or str(_LIMIT)
        if not (limit.isdecimal() and len(limit) < 10 and 1 <= int(limit) <= _LIMIT_MAX):
            raise InputInvalid(f"`limit` is {limit[:20]!r}; give a number from 1 to {_LIMIT_MAX}.", field="limit")
        cursor = self.text("cursor")
        self.end()
        if cursor is None:
            return Page(int(limit), None)
        at, (rest,) = cursors.read(cursor, [str])
        return Page(int(limit), (at, str(rest)))

    def end(self) -> None:
        for name in self._given:
            raise InputInvalid(f"There is no parameter `{name[:50]}` here.", field=name[:50])


class Page(NamedTuple):
    limit: int
    after: tuple[datetime, str] | None

    def of(
        self, things: Sequence[Thing], place: Callable[[Thing], tuple[datetime, str]]
    ) -> tuple[list[Thing], str | None]:
        """The things of this page, the latest first, and where the next one begins."""
        ordered = sorted(things, key=place, reverse=True)
        left = [thing for thing in ordered if self.after is None or place(thing) < self.after]
        shown = left[: self.limit]
        return shown, cursors.write(*place(shown[-1])) if len(left) > len(shown) else None


async def content(request: Request) -> dict[str, Any]:
    """The body: a mapping as YAML or JSON, which is YAML, too. Nothing is an empty one.

    Raises:
        InputInvalid: it is neither.
    """
    return written.read((await request.body()).decode(errors="replace"), source="The body")


async def body(request: Request, kind: type[Given]) -> Given:
    """The body as this model.

    Raises:
        InputInvalid: a sentence for each problem.
    """
    try:
        return kind.model_validate(await content(request))
    except ValidationError as error:
        found = [*islice(written.problems(kind, error), _PROBLEMS_MAX)]
        raise InputInvalid(" ".join(f"The body: {each.sentence}" for each in found), field=found[0].place) from error
