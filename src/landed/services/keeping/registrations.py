"""Keeping brands, campaigns and numbers. They are few, and facts may move between them: an account's are kept by one
tracker at a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from landed.domain.receipts import RegistrationReceipt, Telling
from landed.domain.registration_names import Known, Name, learn, name_of
from landed.domain.registrations import Thing, event, stand, thing_of
from landed.services.keeping.base import Kept, Told
from landed.store import registrations as rows
from landed.store.registrations import Row


class RegistrationKeeper:
    """The keeper of what is registered for 10DLC: see keeping/base.py."""

    async def keep(self, connection: AsyncConnection[Any], told: Sequence[Told], now: datetime) -> Kept:
        tellings: dict[tuple[Thing, int], list[Telling[RegistrationReceipt]]] = {}
        for account_id, telling in told:
            tellings.setdefault((thing_of(telling.receipt.registration), account_id), []).append(telling)
        kept = Kept()
        # In one order for all trackers: two of them must not each wait for the other.
        for thing, account_id in sorted(tellings):
            kept.add(await _keep(connection, thing, account_id, tellings[thing, account_id], now))
        return kept


async def _keep(
    connection: AsyncConnection[Any],
    thing: Thing,
    account_id: int,
    told: Sequence[Telling[RegistrationReceipt]],
    now: datetime,
) -> Kept:
    await rows.lock(connection, thing, account_id)
    names = {name_of(telling.receipt) for telling in told}
    our_ids = {telling.receipt.our_id for telling in told if telling.receipt.our_id}
    before = await rows.load(connection, thing, account_id, names, our_ids)
    after = learn(before, told)

    stood = {name: stand(known.facts) for name, known in before.items()}
    changed = [Row(name, known, stand(known.facts)) for name, known in after.items() if known != before.get(name)]
    gone = before.keys() - after.keys()
    await rows.delete(connection, thing, account_id, gone)
    await rows.write(connection, thing, account_id, changed, now)

    kept = Kept(changed=len(changed) + len(gone))
    told_of = {standing.request for standing in stood.values()}  # also of things whose facts move to another
    for name, _, standing in changed:
        news = event(thing, account_id, str(rows.row_id(thing, account_id, name)), stood.get(name), standing)
        if news is not None and standing.request not in told_of:
            kept.events.append(news)
    _note_unknown(kept, account_id, before, after)
    return kept


def _note_unknown(kept: Kept, account_id: int, before: Mapping[Name, Known], after: Mapping[Name, Known]) -> None:
    """Count the facts that are new and use a word without a mapping."""
    old = {receipt for known in before.values() for receipt in known.facts}
    for known in after.values():
        for receipt, heard in known.facts.items():
            if receipt.status is None and receipt not in old:
                kept.note_unknown(account_id, receipt.provider_status, heard[-1].callback_id)
