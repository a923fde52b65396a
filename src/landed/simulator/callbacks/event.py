"""What an event is: one kind of callback, made for a thing that somebody described as far as he cared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from landed.domain import segments
from landed.domain.countries import country_of
from landed.domain.numbers import normalise

#: Numbers of nobody: a range for fiction.
OURS: Final = "+14155550100"
THEIRS: Final = "+14155550123"
#: The form of a main account's id.
AUTH_ID: Final = "MAXXXXXXXXXXXXXXXXXX"
#: Seconds after which a message gets there.
_AFTER_S: Final = {"queued": 0.1, "sent": 0.5, "final": 3.7}

#: What goes out, by name: text in a form, anything in JSON.
Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a callback is about. None: something believable.

    Attributes:
        id: of the message, session, brand or campaign.
        second_id: of the attempt, the part, or the campaign's brand.
        call_id: of a session's second attempt, a call.
        at: when it began; what happens to it happens within seconds.
    """

    id: str
    second_id: str
    call_id: str = ""
    at: datetime
    sender: str | None = None
    recipient: str | None = None
    text: str | None = None
    auth_id: str = AUTH_ID
    url: str = ""

    def after(self, step: str) -> datetime:
        """When a message that began then is `queued`, `sent`, or has its `final` status."""
        return self.at + timedelta(seconds=_AFTER_S[step])

    @property
    def ours(self) -> str:
        return self.sender or OURS

    @property
    def theirs(self) -> str:
        return self.recipient or THEIRS


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One kind of callback.

    Attributes:
        content: its fields for a thing.
        ids: how the provider writes the thing's id and the second: `uuid`, or the first letter of The Campaign
            Registry's.
        path_kind: the word for it in Landed's own callback paths, which our id follows.
        is_json: whether it goes out as JSON, by POST alone.
    """

    name: str
    sentence: str
    content: Callable[[Described], Content]
    ids: tuple[str, str] = ("uuid", "uuid")
    path_kind: str | None = None
    is_json: bool = False

    @property
    def provider(self) -> str:
        return self.name.partition(".")[0]


def units(text: str | None) -> int:
    """In how many parts a text goes out; one where nobody said what it says."""
    return len(segments.measure(text).parts) if text else 1


def country(number: str) -> str | None:
    """ISO code of the country of a number, written with or without the plus."""
    return country_of(normalise(number) or "")
