"""The charts of the overview, as static/chart.js draws them. What is clicked on becomes a filter."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from landed.domain.statuses import Status
from landed.services.counts import Bar
from landed.services.overview_shapes import Overview
from landed.web.dashboard import formats
from landed.web.dashboard.view import View

#: From the bottom of a bar to its top, with the colour of each.
_STATUSES: Final[Mapping[Status, str | int]] = {
    Status.DELIVERED: "good",
    Status.READ: 6,
    Status.RECEIVED: 3,
    Status.SENT: 1,
    Status.QUEUED: "quiet",
    Status.SENDING: 7,
    Status.SCHEDULED: 7,
    Status.UNKNOWN_OUTCOME: 5,
    Status.EXPIRED: "warn",
    Status.UNDELIVERED: "bad",
    Status.FAILED: 4,
}
#: With the name and the colour of each.
_QUANTILES: Final = (("p50", "median", 1), ("p95", "p95", 2))


def over_time(seen: Overview, view: View) -> dict[str, Any]:
    """Messages of each bucket by status: a bar that is clicked shows that bucket and status alone."""
    times = [_local(row.bucket_at, view) for row in seen.series]
    periods = _periods(seen)
    traces = []
    for status, tone in _STATUSES.items():
        counts = [getattr(row, status.value) for row in seen.series]
        if any(counts):
            links = [view.link(since=since, until=until, status=status.value, bucket=None) for since, until in periods]
            name = status.value.replace("_", " ")
            traces.append({"type": "bar", "name": name, "x": times, "y": counts, "tone": tone, "links": links})
    return {"traces": traces, "layout": {"barmode": "stack", "yaxis": {"rangemode": "tozero"}}}


def time_to_deliver(seen: Overview, view: View) -> dict[str, Any]:
    """The median and the slowest twentieth, bucket by bucket."""
    times = [_local(row.bucket_at, view) for row in seen.series]
    links = [view.link(since=since, until=until, bucket=None) for since, until in _periods(seen)]
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers" if len(times) < 60 else "lines",
            "name": name,
            "x": times,
            "y": [getattr(row.latency_s, quantile) for row in seen.series],
            "tone": tone,
            "links": links,
        }
        for quantile, name, tone in _QUANTILES
    ]
    return {"traces": traces, "layout": {"unit": "seconds"}}


def distribution(seen: Overview, view: View, messages: Callable[..., str]) -> dict[str, Any]:
    """How many took how long; a bar that is clicked lists those messages. `messages` gives their address."""
    bars = seen.latency_bars
    trace = {
        "type": "bar",
        "name": "messages",
        "x": [formats.seconds(bar.from_s) for bar in bars],
        "text": [_span(bar) for bar in bars],
        "hovertemplate": "%{text}: %{y}<extra></extra>",
        "textposition": "none",
        "y": [bar.messages for bar in bars],
        "tone": 1,
        "links": [] if view.is_bound else [messages(q=_took(bar)) for bar in bars],
    }
    return {"traces": [trace], "layout": {"bargap": 0.05, "xaxis": {"type": "category", "nticks": 5, "tickangle": 0}}}


def _took(bar: Bar) -> str:
    """What the search of messages calls it."""
    return f"latency:>{bar.from_s:g}s latency:<={bar.to_s:g}s"


def _span(bar: Bar) -> str:
    return f"{formats.seconds(bar.from_s)}–{formats.seconds(bar.to_s)}"


def _periods(seen: Overview) -> list[tuple[str, str]]:
    """From and until of each bucket, the last one cut where the period ends."""
    starts = [row.bucket_at for row in seen.series]
    return [
        (_exact(max(since, seen.meta.since)), _exact(min(until, seen.meta.until)))
        for since, until in zip(starts, [*starts[1:], seen.meta.until], strict=True)
    ]


def _exact(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _local(at: datetime, view: View) -> str:
    """As the viewer's clock shows it: the axis knows no time zones."""
    return at.astimezone(view.zone).strftime("%Y-%m-%dT%H:%M:%S")
