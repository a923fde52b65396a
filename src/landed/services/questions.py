"""What can be asked about many messages: what to group and filter by, and the counters that answer it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from landed.domain.accounts import AccountName
from landed.domain.buckets import Bucket
from landed.domain.errors import InputInvalid
from landed.domain.periods import Period
from landed.domain.words import Word
from landed.providers.base import Provider
from landed.services import shapes
from landed.services.framing import Compare
from landed.services.reading import NONE, account_ids, network_codes, number
from landed.services.shapes import Network


class Group(Word):
    """What messages can be grouped and filtered by."""

    ACCOUNT = "account"
    PROVIDER = "provider"
    CHANNEL = "channel"
    DIRECTION = "direction"
    COUNTRY = "country"
    NETWORK = "network"
    SENDER = "sender"  #: our side: the number or name it was sent from, or came in to
    STATUS = "status"
    ERROR_CODE = "error_code"
    FAULT = "fault"  #: whose side the error code is on; not a filter
    TAG = "tag"
    CURRENCY = "currency"


_COLUMNS: Final[Mapping[Group, tuple[str, ...]]] = {
    Group.ACCOUNT: ("account_id",),
    Group.PROVIDER: ("account_id",),
    Group.NETWORK: ("mcc", "mnc"),
    Group.ERROR_CODE: ("error_code", "account_id"),  # what a code means, the provider says
    Group.FAULT: ("error_code", "account_id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to count. Of several values of one filter one has to hold; `none` stands for "not known".

    `period` goes by the time of submission, from `since` on and before `until`.
    """

    period: Period
    group_by: Sequence[Group] = ()
    bucket: Bucket = Bucket.NONE
    filters: Mapping[Group, Sequence[str]] = field(default_factory=dict)
    time_zone: str = "UTC"
    compare: Compare = Compare.NONE
    bars: bool = False  #: tell the distribution of time to deliver, too

    @property
    def tagged(self) -> bool:
        """Count a message under each of its tags, rather than once."""
        return Group.TAG in self.group_by or Group.TAG in self.filters


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What numbers and codes are called."""

    accounts: Mapping[int, AccountName]
    providers: Mapping[str, Provider]

    def provider(self, account_id: int) -> str | None:
        account = self.accounts.get(account_id)
        return account.provider if account else None

    def meaning(self, error_code: str, provider: str | None) -> shapes.ErrorMeaning | None:
        account = next((each for each in self.accounts.values() if each.provider == provider), None)
        return shapes.error_meaning(error_code, account, self.providers)

    def fault(self, error_code: str, account_id: int) -> str | None:
        meaning = shapes.error_meaning(error_code or None, self.accounts.get(account_id), self.providers)
        return meaning.fault if meaning else None

    def of(self, group: Group) -> Callable[[Any], Any]:
        """A function that tells, of a row of `dimensions`, what its group is called; "" and None: not known."""
        if group is Group.ACCOUNT:
            names = {each.id: each.name for each in self.accounts.values()}
            return lambda row: names.get(row.account_id)
        if group is Group.PROVIDER:
            return lambda row: self.provider(row.account_id)
        if group is Group.NETWORK:
            return attrgetter("mcc", "mnc")
        if group is Group.FAULT:
            return lambda row: self.fault(row.error_code, row.account_id)
        return attrgetter(group.value)


def columns(group_by: Sequence[Group]) -> list[str]:
    """The columns of `dimensions` that tell these groups."""
    return list(dict.fromkeys(name for group in group_by for name in _COLUMNS.get(group, (group.value,))))


def shown(group: Group, value: Any) -> Any:
    """As rows show it."""
    return Network.of(*value) if group is Group.NETWORK else value or None


def wanted(question: Question, names: Mapping[int, AccountName], account_id: int | None) -> dict[str, Sequence[Any]]:
    """Columns of `dimensions` and their values.

    Args:
        account_id: the account the asking key is bound to; None: all.

    Raises:
        InputInvalid: there is no such thing to filter by.
    """
    found: dict[str, Sequence[Any]] = {}
    accounts = account_ids(names, question.filters.get(Group.ACCOUNT, ()), account_id)
    if providers := question.filters.get(Group.PROVIDER, ()):
        for provider in providers:
            if provider not in {name.provider for name in names.values()}:
                raise InputInvalid(f"There is no account at {provider[:60]!r}.", field="provider")
        of_providers = {each for each, name in names.items() if name.provider in providers}
        accounts = [each for each in (names if accounts is None else accounts) if each in of_providers]
    if accounts is not None:
        found["account_id"] = accounts
    for group, values in question.filters.items():
        if group is Group.TAG and len(set(values)) > 1 and Group.TAG not in question.group_by:
            raise InputInvalid("A message with two of these tags would count twice: group by tag as well.", field="tag")
        if group is Group.FAULT:
            raise InputInvalid("Filter by `error_code`; `fault` only groups.", field="fault")
        if group not in (Group.ACCOUNT, Group.PROVIDER) and values:
            found[group.value] = [_dimension(group, value) for value in values]
    return found


def _dimension(group: Group, value: str) -> Any:
    """A value as counters keep it."""
    if group is Group.NETWORK:
        return network_codes(value)
    if value == NONE and group is not Group.TAG:
        return ""
    if group in (Group.COUNTRY, Group.CURRENCY):
        return value.upper()
    return number(value) if group is Group.SENDER else value
