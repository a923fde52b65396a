"""Filters of an address that take one of a few words."""

from typing import TypeVar

from landed.domain.errors import InputInvalid
from landed.domain.words import Word
from landed.web.dashboard.view import View

WordT = TypeVar("WordT", bound=Word)


def words(view: View, field: str, kind: type[WordT]) -> list[WordT]:
    """All values of that filter.

    Raises:
        InputInvalid: one of them is not among the words; names those there are.
    """
    found = []
    for value in view.values(field):
        try:
            found.append(kind(value))
        except ValueError as error:
            known = ", ".join(each.value for each in kind)
            raise InputInvalid(f"There is no {field} {value[:40]!r}; there are {known}.", field=field) from error
    return found


def word(view: View, field: str, kind: type[WordT]) -> WordT | None:
    """The one value of that filter; of several the first.

    Raises:
        InputInvalid
    """
    return next(iter(words(view, field, kind)), None)
