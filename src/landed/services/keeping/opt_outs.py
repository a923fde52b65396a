"""Keeping opt-outs: out of what people write to us, out of refusals to send, and by hand. All of it is one fold."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import uuid4

from psycopg import AsyncConnection

from landed.domain.events import Event
from landed.domain.meanings import Fault, Meaning
from landed.domain.opt_outs import OptOut, OptOutFact, OptOutKey, fold, said_in
from landed.domain.receipts import Direction, Receipt, Telling
from landed.services.keeping.base import Kept, Told
from landed.store import opt_outs as rows
from landed.store.opt_outs import Folded

ADDED: Final = "opt_out.added"
REMOVED: Final = "opt_out.removed"


class _Explains(Protocol):
    def explain(self, error_code: str) -> Meaning: ...


#: What explains an account's error codes: its provider. None: it is not known here.
ExplainerOf = Callable[[int], _Explains | None]


class OptOutKeeper:
    """The keeper of opt-outs: see keeping/base.py. It looks at inbound messages, and at failures."""

    def __init__(self, explainer_of: ExplainerOf) -> None:
        self._explainer_of = explainer_of

    async def keep(self, connection: AsyncConnection[Any], told: Sequence[Told], now: datetime) -> Kept:
        tellings: dict[OptOutKey, list[Telling[OptOutFact]]] = {}
        for account_id, (receipt, received_at, callback_id) in told:
            if receipt.content is None and receipt.error_code is None:
                continue
            said = said_in(account_id, receipt, refused=self._is_refusal(account_id, receipt))
            if said is not None:
                key, fact = said
                tellings.setdefault(key, []).append(Telling(fact, received_at, callback_id))
        return await keep(connection, tellings, now) if tellings else Kept()

    def _is_refusal(self, account_id: int, receipt: Receipt) -> bool:
        if receipt.error_code is None or receipt.direction is not Direction.OUTBOUND:
            return False
        explainer = self._explainer_of(account_id)
        return explainer is not None and explainer.explain(receipt.error_code).fault is Fault.OPT_OUT


async def keep(
    connection: AsyncConnection[Any], tellings: Mapping[OptOutKey, Sequence[Telling[OptOutFact]]], now: datetime
) -> Kept:
    """Fold these facts into the rows there are, and make those that are missing, inside the transaction."""
    kept = Kept()
    waiting = sorted(tellings)
    while waiting:
        stored = await rows.lock(connection, waiting)
        updates: list[Folded] = []
        inserts: list[Folded] = []
        before: dict[OptOutKey, OptOut] = {}
        for key in waiting:
            row = stored.get(key)
            after = fold(row.facts if row else {}, tellings[key])
            if row is None:
                # By chance: were it made of the key, whoever may see the id alone could find the number.
                inserts.append(Folded(uuid4(), key, after))
            elif after.facts != row.facts:
                before[key] = fold(row.facts, ())
                updates.append(Folded(row.id, key, after))
        await rows.update(connection, updates, now)
        inserted = await rows.insert(connection, inserts, now)
        moved = updates + [each for each in inserts if each.key in inserted]
        kept.changed += len(moved)
        kept.events += [event for each in moved if (event := _event(before.get(each.key), each)) is not None]
        # Another transaction made the others between our look and our insert: their rows are there now.
        waiting = [each.key for each in inserts if each.key not in inserted]
    return kept


def _event(before: OptOut | None, after: Folded) -> Event | None:
    was_opted_out = before is not None and before.opted_out
    if after.opt_out.opted_out is was_opted_out:
        return None
    return Event(
        type=ADDED if after.opt_out.opted_out else REMOVED,
        account_id=after.key.account_id,
        subject_id=str(after.id),
        occurred_at=after.opt_out.changed_at,
    )
