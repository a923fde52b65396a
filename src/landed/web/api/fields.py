"""Parameters that several routes share, with their limits: what passes here cannot upset a query."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Depends, Path, Query
from pydantic import AfterValidator, StringConstraints

from landed.services.moments import WAY_OUT, moment
from landed.services.reading import LIMIT_DEFAULT, LIMIT_MAX

_TEXT_CHARACTERS_MAX: Final = 256
_VALUES_MAX: Final = 50


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("It has a NUL character in it, which no text can hold; leave it out")
    return text


#: PostgreSQL keeps no NUL in text.
NoNul = AfterValidator(_without_nul)
Text = Annotated[str, StringConstraints(min_length=1, max_length=_TEXT_CHARACTERS_MAX), NoNul]

Id = Annotated[Text, Path(description="our id, or the provider's")]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="rows of a page")]
Cursor = Annotated[Text | None, Query(description="`next_cursor` of the page before")]
Accounts = Annotated[list[Text], Query(alias="account", max_length=_VALUES_MAX, description="names of accounts")]
LIMIT: Final = LIMIT_DEFAULT


def Many(description: str) -> object:  # noqa: N802  reads like Query, which it is
    """A parameter that may be repeated: one of its values has to hold."""
    return Query(max_length=_VALUES_MAX, description=f"{description}; may be repeated")


def _since(
    since: Annotated[Text | None, Query(description=f"from this moment on. {WAY_OUT}", examples=["24h"])] = None,
) -> datetime | None:
    return None if since is None else moment(since, datetime.now(UTC), field="since")


def _until(
    until: Annotated[Text | None, Query(description="before this moment, written like `since`")] = None,
) -> datetime | None:
    return None if until is None else moment(until, datetime.now(UTC), field="until")


Since = Annotated[datetime | None, Depends(_since)]
Until = Annotated[datetime | None, Depends(_until)]
