"""What is set for an application in Routee's console."""

from collections.abc import Callable, Mapping
from re import fullmatch
from typing import Any, Final

from landed.domain import money
from landed.domain.errors import InputInvalid
from landed.simulator.callbacks.addresses import is_url
from landed.simulator.routee.state import ANY_NUMBER, Application

_LIFETIME_S_MAX: Final = 631_139_040  #: twenty years, which is the longest that Routee gives
_REQUESTS_MAX: Final = 1_000_000


def change(application: Application, changes: Mapping[str, Any]) -> None:
    """As `RouteeStandIn.set_up` has it.

    Raises:
        InputInvalid: a value is none that it may be; nothing is changed then.
    """
    for name, value in changes.items():
        if not _RIGHT[name](value):
            raise InputInvalid(f"{name} cannot be {str(value)[:100]!r}.", field=name)
    for name, value in changes.items():
        match name:
            case "balance":
                application.balance_nanos = money.nanos_of_sum(value)
            case "inbound_url":
                application.inbound_urls[ANY_NUMBER] = value
            case "inbound_urls":
                application.inbound_urls.update(value)
            case _:
                setattr(application, name, value)
    application.inbound_urls = {number: url for number, url in application.inbound_urls.items() if url}


def _is_address(value: Any) -> bool:
    return value == "" or is_url(value)


def _is_whole(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


_RIGHT: Final[Mapping[str, Callable[[Any], bool]]] = {
    "balance": lambda value: isinstance(value, str) and fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value) is not None,
    "two_step_url": _is_address,
    "inbound_url": _is_address,
    "inbound_urls": lambda value: isinstance(value, Mapping) and all(map(_is_address, value.values())),
    "token_lifetime_s": _is_whole(1, _LIFETIME_S_MAX),
    "requests_max": _is_whole(1, _REQUESTS_MAX),
}
