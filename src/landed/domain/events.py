"""An event: a change of ours that we tell others about."""

from datetime import datetime
from typing import NamedTuple

from landed.domain.messages import Message
from landed.domain.statuses import FINAL, Status


class Event(NamedTuple):
    """`type` is the thing and what happened to it: `message.delivered`."""

    type: str
    account_id: int
    subject_id: str  #: our id of the thing
    occurred_at: datetime


def of_message(
    account_id: int, subject_id: str, before: Status | None, after: Message, was_final: bool
) -> Event | None:
    """The event of a message that moved, or None where there is no news for anyone.

    A final status is told when it is final: a message of three parts of which one is delivered is not.
    """
    settled = after.final or after.status not in FINAL
    moved = before is not after.status or (after.final and not was_final)
    if not (settled and moved):
        return None
    at = (
        after.final_at
        if after.final
        else {Status.QUEUED: after.queued_at, Status.SENT: after.sent_at}.get(after.status)
    )
    return Event(
        type=f"message.{after.status}",
        account_id=account_id,
        subject_id=subject_id,
        occurred_at=at or after.submitted_at,
    )
