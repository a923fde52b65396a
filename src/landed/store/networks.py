"""Networks as conditions on rows that have MCC and MNC."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Table, and_, or_


def among(table: Table, networks: Sequence[tuple[str | None, str | None]]) -> ColumnElement[bool]:
    """Whether a row is of one of them. MCC None: not known; MNC None: any, "": not known."""
    return or_(*(_is(table, mcc, mnc) for mcc, mnc in networks))


def _is(table: Table, mcc: str | None, mnc: str | None) -> ColumnElement[bool]:
    if mcc is None:
        return table.c.mcc.is_(None)
    if mnc is None:
        return table.c.mcc == mcc
    return and_(table.c.mcc == mcc, table.c.mnc == mnc if mnc else table.c.mnc.is_(None))
