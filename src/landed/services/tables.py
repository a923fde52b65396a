"""Shapes as flat rows, for files: which columns there are, of what kind, and what is in them.

What is nested gets the names of both: `latency_s.p50` is `latency_s_p50`. Sums of money have a column for each
currency, `cost_USD`; lists of anything else are JSON.
"""

import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin

import orjson

from landed.domain.words import Word
from landed.services.counts import CostChange
from landed.services.shapes import Money, Shape

_NOT_KNOWN: Final = "unknown"


class Kind(Word):
    TEXT = "text"
    TEXTS = "texts"
    INTEGER = "integer"
    NUMBER = "number"
    AMOUNT = "amount"  #: decimal, nine places
    MOMENT = "moment"  #: UTC
    BOOLEAN = "boolean"


class Column(NamedTuple):
    """A column, and how to get it from a row. None: there is nothing."""

    name: str
    kind: Kind
    value: Callable[[Any], Any]


_KINDS: Final = {
    str: Kind.TEXT, bool: Kind.BOOLEAN, int: Kind.INTEGER, float: Kind.NUMBER, datetime: Kind.MOMENT
}  # fmt: skip


def columns(shape: type[Shape], fields: Sequence[str], rows: Iterable[Shape] = ()) -> list[Column]:
    """The columns of these fields.

    Args:
        fields: of the shape, in the order wanted; those of nested shapes are all there.
        rows: from which currencies are found out.
    """
    rows = list(rows)
    return [column for name in fields for column in _of_field(shape, name, rows, "", lambda row: row)]


def _of_field(
    shape: type[Shape], name: str, rows: Sequence[Shape], prefix: str, owner: Callable[[Any], Any]
) -> Iterator[Column]:
    field = shape.model_fields[name]
    title = prefix + (field.alias or name)
    kind, is_many = _kind(field.annotation)

    def value(row: Any) -> Any:
        owned = owner(row)
        return None if owned is None else getattr(owned, name)

    if is_many:
        yield from _of_list(title, kind, rows, value)
    elif kind is Money:
        yield Column(f"{title}_amount", Kind.AMOUNT, lambda row: _amount(value(row)))
        yield Column(f"{title}_currency", Kind.TEXT, lambda row: getattr(value(row), "currency", None))
    elif issubclass(kind, Shape):
        for inner in kind.model_fields:
            yield from _of_field(kind, inner, rows, f"{title}_", value)
    else:
        yield Column(title, _KINDS[kind], value)


def _of_list(title: str, kind: type, rows: Sequence[Shape], value: Callable[[Any], Any]) -> Iterator[Column]:
    if kind is str:
        yield Column(title, Kind.TEXTS, value)
    elif kind in (Money, CostChange):
        currencies = {each.currency for row in rows for each in value(row) or ()}
        for currency in sorted(currencies, key=str):
            yield from _of_currency(f"{title}_{currency or _NOT_KNOWN}", kind, currency, value)
    else:
        yield Column(title, Kind.TEXT, lambda row: _json(value(row)))


def _of_currency(title: str, kind: type, currency: str | None, value: Callable[[Any], Any]) -> Iterator[Column]:
    def found(row: Any) -> Any:
        return next((each for each in value(row) or () if each.currency == currency), None)

    if kind is Money:
        yield Column(title, Kind.AMOUNT, lambda row: _amount(found(row)))
        return
    yield Column(
        f"{title}_absolute", Kind.AMOUNT, lambda row: Decimal(change.absolute) if (change := found(row)) else None
    )
    yield Column(f"{title}_relative", Kind.NUMBER, lambda row: getattr(found(row), "relative", None))


def _amount(money: Money | None) -> Decimal | None:
    return None if money is None else Decimal(money.amount)


def _json(shapes: Sequence[Shape] | None) -> str | None:
    return None if shapes is None else orjson.dumps([each.model_dump(mode="json") for each in shapes]).decode()


def _kind(annotation: Any) -> tuple[type, bool]:
    """The type of a field without `None` and `Annotated`, and whether it is a list of them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return _kind(next(each for each in get_args(annotation) if each is not type(None)))
    if origin is list:
        return _kind(get_args(annotation)[0])[0], True
    return annotation, False
