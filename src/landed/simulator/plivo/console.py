"""What is set for an account where Plivo has its console for it: there is no API for these."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from landed.domain.errors import InputInvalid
from landed.simulator.callbacks.addresses import is_url
from landed.simulator.plivo.parameters import METHODS
from landed.simulator.plivo.shared import Shared

_AMOUNT: Final = re.compile(r"\d{1,9}(\.\d{1,9})?")
_REQUESTS_MAX: Final = 1_000_000


def set_up(shared: Shared, account_id: str, changes: Mapping[str, Any]) -> None:
    """Change what an account is like, by the names of AccountOptions; it need not have asked for anything yet.

    Raises:
        InputInvalid: no such account is let in, or a value is none that it may be.
    """
    account = shared.known(account_id) or shared.opened(account_id)
    if account is None:
        raise InputInvalid(f"There is no account {account_id[:40]!r}.", field="account")
    for name, value in changes.items():
        if not _RIGHT[name](value):
            raise InputInvalid(f"{name} cannot be {str(value)[:100]!r}.", field=name)
    account.options = replace(account.options, **changes)
    account.balance = Decimal(changes.get("balance", account.balance))


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


_RIGHT: Final[Mapping[str, Callable[[Any], bool]]] = {
    "balance": lambda value: isinstance(value, str) and _AMOUNT.fullmatch(value) is not None,
    "only_v2": _is_flag,
    "reports_parts": _is_flag,
    "guards_media": _is_flag,
    "requests_max": lambda value: isinstance(value, int) and 0 < value <= _REQUESTS_MAX,
    "message_url": lambda value: value == "" or is_url(value),
    "message_method": lambda value: value in METHODS,
}
