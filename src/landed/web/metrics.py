"""/metrics: what Prometheus asks. Counts are plain numbers where they happen, and put into its form only here.

Several web processes share one port, so the one that is asked adds up what all of them last wrote down.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from landed.domain.alerting import Severity
from landed.services.receiving import Committer, Refusals
from landed.services.watching import Asks, Condition
from landed.store.outbox import Backlog
from landed.web.callbacks import Receiver

#: How often a process writes its counts down for the others, and when one that stopped doing so is left out.
WRITE_EVERY_S: Final = 1.0
SILENT_S_MAX: Final = 10.0


class Metrics:
    """The counts of this web process, and the sum over all of this machine's when they share a directory."""

    def __init__(
        self,
        *,
        receiver: Receiver,
        committer: Committer,
        refusals: Refusals,
        condition: Asks,
        account_name: Callable[[int], str | None],
        shared: Path | None,
        data_dir: Path | None = None,
    ) -> None:
        """`data_dir` lies on the disk whose free space is told."""
        self._receiver = receiver
        self._committer = committer
        self._refusals = refusals
        self._condition = condition
        self._account_name = account_name
        self._shared = shared
        self._data_dir = data_dir

    async def run(self) -> None:
        """Write the counts down for the other processes, until cancelled."""
        while self._shared is not None:
            own = self._shared / f"{os.getpid()}.json"
            partial = own.with_suffix(".partial")
            partial.write_bytes(orjson.dumps(self._counts()))
            partial.rename(own)
            await asyncio.sleep(WRITE_EVERY_S)

    async def text(self) -> bytes:
        """In Prometheus' text format."""
        condition = await self._condition()
        families = [*_families(self._all_counts()), *_tracking_families(condition)]
        if condition is not None:
            families += _sending_families(condition.outbox, self._account_name)
            families += _asking_families(condition)
            families += _alert_families(condition)
        families += _disk_families(self._data_dir)
        registry = CollectorRegistry()
        registry.register(_Fixed(families))
        return generate_latest(registry)

    def _counts(self) -> dict[str, Any]:
        committer = self._committer
        refused = [
            [self._account_name(account) or "" if account is not None else "", reason, count]
            for (account, reason), count in self._refusals.counts.items()
        ]
        return {
            "received": self._receiver.received,
            "acknowledged": committer.acknowledged,
            "overloaded": committer.refused_overloaded,
            "unavailable": committer.refused_unavailable,
            "waiting": committer.waiting,
            "waiting_bytes": committer.waiting_bytes,
            "refused": refused,
            "commit_bounds_s": committer.commit_durations.bounds_s,
            "commit_counts": committer.commit_durations.counts,
            "commit_sum_s": committer.commit_durations.sum_s,
        }

    def _all_counts(self) -> list[dict[str, Any]]:
        counts = [self._counts()]
        if self._shared is not None:
            now = time.time()
            others = (path for path in self._shared.glob("*.json") if path.stem != str(os.getpid()))
            counts += [orjson.loads(path.read_bytes()) for path in others if now - path.stat().st_mtime < SILENT_S_MAX]
        return counts


class _Fixed:
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families(counts: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    def total(name: str) -> float:
        return float(sum(each[name] for each in counts))

    yield CounterMetricFamily("landed_callbacks_received", "Callbacks that came in.", value=total("received"))
    yield CounterMetricFamily(
        "landed_callbacks_acknowledged", "Callbacks answered 2xx: they are on disk.", value=total("acknowledged")
    )
    refused = CounterMetricFamily(
        "landed_callbacks_refused", "Callbacks refused, by account and reason.", labels=["account", "reason"]
    )
    sums: dict[tuple[str, str], int] = {}
    for each in counts:
        for account, reason, count in each["refused"]:
            sums[account, reason] = sums.get((account, reason), 0) + count
    for labels, count in sorted(sums.items()):
        refused.add_metric(labels, count)
    yield refused
    yield GaugeMetricFamily("landed_callbacks_waiting", "Callbacks that wait for their commit.", value=total("waiting"))
    yield GaugeMetricFamily("landed_callbacks_waiting_bytes", "What they take in memory.", value=total("waiting_bytes"))
    bounds = [*map(str, counts[0]["commit_bounds_s"]), "+Inf"]
    cumulated, so_far = [], 0
    for index, bound in enumerate(bounds):
        so_far += sum(each["commit_counts"][index] for each in counts)
        cumulated.append((bound, so_far))
    yield HistogramMetricFamily(
        "landed_commit_seconds", "Time a group commit took.", buckets=cumulated, sum_value=total("commit_sum_s")
    )


def _tracking_families(condition: Condition | None) -> Iterator[Metric]:
    """Without an answer from the database these are left out, and the gauge `landed_database_up` says why."""
    yield GaugeMetricFamily("landed_database_up", "1 while the database answers.", value=float(condition is not None))
    if condition is None:
        return
    yield GaugeMetricFamily(
        "landed_tracking_lag_rows", "Callbacks that are kept but not yet tracked.", value=condition.lag_rows
    )
    yield GaugeMetricFamily("landed_tracking_lag_seconds", "Age of the oldest of them.", value=condition.lag_s)
    aside = GaugeMetricFamily("landed_callbacks_set_aside", "Kept, but changed no state, by reason.", labels=["reason"])
    for reason, count in sorted(condition.set_aside.items()):
        aside.add_metric([reason], count)
    yield aside
    unknown = CounterMetricFamily(
        "landed_unknown_statuses", "Facts with a provider's word that has no mapping.", labels=["provider_status"]
    )
    for word, facts in sorted(condition.unknown_statuses.items()):
        unknown.add_metric([word], facts)
    yield unknown


def _sending_families(backlog: Backlog, account_name: Callable[[int], str | None]) -> Iterator[Metric]:
    yield GaugeMetricFamily("landed_outbox_waiting", "Messages that wait to be sent.", value=backlog.waiting)
    yield GaugeMetricFamily(
        "landed_outbox_oldest_due_seconds", "How long the oldest of them has been due.", value=backlog.oldest_due_s
    )
    yield GaugeMetricFamily(
        "landed_outbox_unknown", "Messages that may have gone out, and are looked up.", value=backlog.unknown
    )
    sends = CounterMetricFamily("landed_sends", "What became of sending.", labels=["account", "outcome"])
    for (account_id, outcome), messages in sorted(backlog.outcomes.items()):
        sends.add_metric([account_name(account_id) or "", outcome], messages)
    yield sends


def _asking_families(condition: Condition) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "landed_lookups_due",
        "Messages and sessions that should have been asked for by now.",
        value=condition.lookups_due,
    )


def _alert_families(condition: Condition) -> Iterator[Metric]:
    yield GaugeMetricFamily("landed_workers", "Workers that are alive.", value=condition.workers)
    yield GaugeMetricFamily("landed_database_bytes", "Size of the database.", value=condition.volume.database_bytes)
    journal_bytes = next((table.size_bytes for table in condition.volume.tables if table.name == "callbacks"), 0)
    yield GaugeMetricFamily("landed_journal_bytes", "What the journal takes of it.", value=journal_bytes)
    firing = GaugeMetricFamily("landed_alerts_firing", "Alerts that stand, by severity.", labels=["severity"])
    for severity in Severity:
        firing.add_metric([severity], condition.alerts.firing.get(severity, 0))
    yield firing
    yield GaugeMetricFamily(
        "landed_alert_notifications_waiting",
        "What is still to be told of alerts, tried before or not.",
        value=condition.alerts.waiting,
    )
    yield CounterMetricFamily(
        "landed_alert_notifications_given_up",
        "What could not be told of alerts, and is not tried any more.",
        value=condition.alerts.given_up,
    )


def _disk_families(data_dir: Path | None) -> Iterator[Metric]:
    """Of this machine, whatever the others have."""
    if data_dir is None or not data_dir.exists():
        return
    disk = shutil.disk_usage(data_dir)
    yield GaugeMetricFamily("landed_disk_bytes", "Size of the disk that the data directory lies on.", value=disk.total)
    yield GaugeMetricFamily("landed_disk_free_bytes", "What is free of it.", value=disk.free)
