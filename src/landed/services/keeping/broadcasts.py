"""Keeping broadcasts: what is special about them among the things of keeping/things.py."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from landed.domain.broadcasts import Broadcast, fold, unknown_words
from landed.domain.events import Event
from landed.domain.receipts import BroadcastReceipt
from landed.services.keeping.things import Kind, Moved, ThingKeeper
from landed.store.schema import broadcasts
from landed.store.things import Rows

ROWS: Final = Rows(broadcasts, "provider_broadcast_id", BroadcastReceipt)

PROGRESSED: Final = "broadcast.progressed"
COMPLETED: Final = "broadcast.completed"


def keeper() -> ThingKeeper[BroadcastReceipt, Broadcast]:
    return ThingKeeper(
        Kind(
            rows=ROWS,
            key=lambda receipt: receipt.provider_broadcast_id,
            fold=fold,
            columns=_columns,
            events=_events,
            unknown_word=lambda receipt: next(iter(unknown_words(receipt)), None),
        )
    )


def _columns(broadcast: Broadcast) -> Mapping[str, Any]:
    columns = broadcast._asdict()
    del columns["provider_broadcast_id"], columns["facts"]
    return columns


def _events(moved: Moved[Broadcast]) -> Iterator[Event]:
    before, after = moved.before, moved.after
    if before is None or _shown(before) != _shown(after):
        is_completed = after.final and (before is None or not before.final)
        yield Event(
            type=COMPLETED if is_completed else PROGRESSED,
            account_id=moved.key.account_id,
            subject_id=str(moved.id),
            occurred_at=after.last_heard_at,
        )


def _shown(broadcast: Broadcast) -> tuple[Any, ...]:
    return broadcast.provider_status, broadcast.final, broadcast.recipients, broadcast.counts
