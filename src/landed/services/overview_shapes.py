"""The shape of an overview: a period at one glance."""

from pydantic import Field

from landed.services import shapes
from landed.services.counts import Bar, Change, Changes, Counts
from landed.services.funnel import FunnelRow
from landed.services.reporting import AnalyticsMeta
from landed.services.shapes import Moment, Network, Shape


class SeriesRow(Counts):
    """One bucket."""

    bucket_at: Moment = Field(description="start of the bucket")


class TableRow(Counts):
    """One group. Of the names only the one that the table is about is there; null stands for "not known"."""

    country: str | None = None
    network: Network | None = None
    sender: str | None = None
    account: str | None = None
    channel: str | None = None
    share: float = Field(description="of all messages of the overview")
    previous: Counts | None = Field(default=None, description="the same of the period before, with `compare`")
    change: Changes | None = None


class RestRow(Counts):
    """Those that the table does not show, added up."""

    groups: int = Field(description="how many they are")
    share: float
    previous: Counts | None = None
    change: Changes | None = None


class Table(Shape):
    """Most messages first."""

    groups: int = Field(description="how many there are, those not shown included")
    rows: list[TableRow]
    rest: RestRow | None = Field(description="null where all are shown")


class ErrorCodeRow(Shape):
    """An error code of one provider."""

    error_code: str
    provider: str | None
    error: shapes.ErrorMeaning | None
    country: str | None = Field(description="where most of them are")
    country_share: float = Field(description="of the messages with this code")
    messages: int
    share: float = Field(description="of all messages of the overview")
    previous: int | None = None
    change: Change | None = None


class ErrorRest(Shape):
    groups: int
    messages: int
    share: float
    previous: int | None = None
    change: Change | None = None


class ErrorTable(Shape):
    """Most messages first."""

    groups: int
    messages: int = Field(description="with any error code")
    rows: list[ErrorCodeRow]
    rest: ErrorRest | None


class FaultRow(Shape):
    """Messages with error codes that are on one side."""

    fault: str = Field(description="whose side it is on", examples=["recipient", "carrier", "content"])
    error_codes: list[str]
    messages: int
    share: float
    previous: int | None = None
    change: Change | None = None


class Overview(Shape):
    """A period at one glance."""

    meta: AnalyticsMeta
    totals: Counts
    previous: Counts | None = Field(description="the same of the period before; null without `compare`")
    change: Changes | None
    series: list[SeriesRow] = Field(description="one row per bucket, also where there is nothing")
    latency_bars: list[Bar]
    by_country: Table
    by_network: Table
    by_sender: Table
    by_account: Table
    by_channel: Table
    by_fault: list[FaultRow]
    errors: ErrorTable
    funnel: FunnelRow | None = Field(description="of verify sessions; null where a filter does not apply to them")
    funnel_meta: AnalyticsMeta | None = Field(description="sessions are counted by the hour: what the funnel covers")
