"""Where a message is. Drawn with the same names in docs/statuses.md."""

from typing import Final

from landed.domain.words import Word


class Status(Word):
    """Where a message is, in climbing order."""

    SCHEDULED = "scheduled"  #: ours: it waits to be sent
    SENDING = "sending"  #: ours: it is being handed to the provider
    UNKNOWN_OUTCOME = "unknown_outcome"  #: ours: it went out, and no readable answer came back; it is being looked up
    QUEUED = "queued"  #: the provider took it and gave it an id
    SENT = "sent"  #: handed to the carrier
    EXPIRED = "expired"  #: ours: nobody answered in time, and the provider had nothing to say when asked
    FAILED = "failed"  #: it never reached a carrier
    UNDELIVERED = "undelivered"  #: the carrier gave up
    DELIVERED = "delivered"  #: the handset confirmed it, which outranks a carrier that gave up
    READ = "read"  #: the person opened it (WhatsApp)
    RECEIVED = "received"  #: inbound: it came to us, and there is nothing further to wait for


RANK: Final = {status: rank for rank, status in enumerate(Status)}

#: No further news is needed after one of these, though a higher one still corrects it.
FINAL: Final = frozenset(
    {Status.EXPIRED, Status.FAILED, Status.UNDELIVERED, Status.DELIVERED, Status.READ, Status.RECEIVED}
)

#: What a provider's final word says of the message. Two different outcomes contradict each other;
#: `expired` is our own guess, so a provider's answer after it is a correction.
OUTCOME: Final = {
    Status.FAILED: "failed",
    Status.UNDELIVERED: "undelivered",
    Status.DELIVERED: "delivered",
    Status.READ: "delivered",
}


def advance(current: Status, reported: Status | None) -> Status:
    """The higher of the two. Receipts come late, twice and out of order, and a message only
    climbs, so the same receipts in any order end in the same state. None: a word we do not know."""
    return current if reported is None else max(current, reported, key=RANK.__getitem__)
