"""The shapes in which we show who does not want to hear from us."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from landed.domain.accounts import AccountName
from landed.domain.facts import Heard
from landed.domain.opt_outs import Facts, OptOutFact, OptOutSource, at, in_order
from landed.services.shapes import Moment, Shape


class OptOutShape(Shape):
    """Whether a person wants to hear from a number of ours."""

    id: str
    account: str | None
    provider: str | None
    sender: str = Field(description="our number or name")
    recipient: str = Field(description="the person's number")
    opted_out: bool = Field(description="false: opted in again")
    changed_at: Moment = Field(description="since when it is so")
    source: str = Field(description="how we know", examples=[source.value for source in OptOutSource])
    keyword: str | None = Field(description="the word that was recognised", examples=["STOP"])
    provider_message_id: str | None = Field(description="the message that says so")
    created_at: Moment
    updated_at: Moment


class OptOutFactShape(Shape):
    """One fact, however often it was told."""

    at: Moment = Field(description="on the provider's clock where it told, else on ours")
    opted_out: bool
    source: str
    keyword: str | None
    provider_message_id: str | None
    received_at: Moment = Field(description="when we first heard it")
    received_count: int
    callback_ids: list[str]


class OptOutWhole(OptOutShape):
    """An opt-out with all that was said of it, earliest first; the last one decides."""

    history: list[OptOutFactShape]


class OptOutCheck(Shape):
    """Whether anything may be sent from there to there."""

    sender: str
    recipient: str
    opted_out: bool = Field(description="so for at least one of the accounts asked for")
    data: list[OptOutShape] = Field(description="what is known, a row for each account; none: nobody said anything")


class OptOutList(Shape):
    data: list[OptOutShape]
    next_cursor: str | None


def opt_out(row: Any, names: Mapping[int, AccountName]) -> OptOutShape:
    """A row of `opt_outs` as a list shows it."""
    return OptOutShape(**_opt_out(row, names))


def opt_out_whole(row: Any, facts: Facts, names: Mapping[int, AccountName]) -> OptOutWhole:
    return OptOutWhole(**_opt_out(row, names), history=[_fact(fact, facts[fact]) for fact in in_order(facts)])


def _opt_out(row: Any, names: Mapping[int, AccountName]) -> dict[str, Any]:
    account = names.get(row.account_id)
    return {
        "id": str(row.id),
        "account": account.name if account else None,
        "provider": account.provider if account else None,
        "sender": row.sender,
        "recipient": row.recipient,
        "opted_out": row.opted_out,
        "changed_at": row.changed_at,
        "source": row.source,
        "keyword": row.keyword,
        "provider_message_id": row.provider_message_id,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _fact(fact: OptOutFact, heard: Heard) -> OptOutFactShape:
    return OptOutFactShape(
        at=at(fact, heard),
        opted_out=fact.opted_out,
        source=fact.source,
        keyword=fact.keyword,
        provider_message_id=fact.provider_message_id,
        received_at=heard.received_at,
        received_count=max(1, len(heard.callback_ids)),
        callback_ids=[str(number) for number in heard.callback_ids],
    )
