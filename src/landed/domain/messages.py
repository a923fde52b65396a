"""What became of a message: a pure function of the set of facts known about it.

`fold` adds facts to a set and derives everything from the set, so it is commutative, associative and
idempotent by construction: order, repeats and batches cannot matter. The rules are drawn in docs/statuses.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import itemgetter
from typing import Final, NamedTuple

from landed.domain.countries import country_of, country_of_mcc
from landed.domain.facts import Heard, hear
from landed.domain.opt_outs import understood
from landed.domain.receipts import Channel, Content, Direction, Receipt, Source, Telling
from landed.domain.statuses import FINAL, OUTCOME, RANK, Status

#: A provider tells a message 3 to 10 times. Beyond this only the weightiest facts are kept, so that no
#: message can grow without bound; the weightiest of a union do not depend on the order either.
FACTS_MAX: Final = 200
#: A provider's time further than this ahead of our own is a broken clock, and is not used.
CLOCK_AHEAD_MAX: Final = timedelta(hours=24)
_CLOCK_MIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LOST: Final = frozenset({Status.FAILED, Status.UNDELIVERED})


Facts = Mapping[Receipt, Heard]


class Part(NamedTuple):
    """One segment, where the provider reports on segments."""

    provider_message_id: str
    number: int
    of: int
    status: Status


class Message(NamedTuple):  # not a dataclass, for the same reason as Receipt
    """One text to or from one number, as far as it is known. Units of the fields are those of Receipt."""

    provider_message_id: str | None  #: None until the provider took what we send
    facts: Facts
    direction: Direction
    channel: Channel
    sender: str | None
    recipient: str | None
    country: str | None  #: ISO 3166 alpha-2 of the other side's number
    mcc: str | None
    mnc: str | None
    status: Status
    provider_status: str
    final: bool  #: nothing more is expected; a higher status still corrects it
    contradictory: bool  #: two final answers that exclude each other were given
    error_code: str | None
    parts: tuple[Part, ...]
    parts_of: int
    units: int | None
    cost_nanos: int | None
    currency: str | None
    submitted_at: datetime  #: when the provider got it, or else when we first heard of it
    queued_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    final_at: datetime | None
    latency_ms: int | None  #: submission to delivery, both on the clock that `latency_clock` names
    latency_clock: str | None  #: "provider" or "ours"
    unknown_statuses: tuple[str, ...]  #: words of the provider that have no mapping
    content: Content | None  #: of an inbound message
    converted: bool | None  #: the person did what the message was for; None: nobody told
    receipt_missing: bool  #: how it ended is known because we asked or gave up, not because the provider told


def fold(facts: Facts, told: Iterable[Telling[Receipt]]) -> Message:
    """The message that is known after hearing `told` on top of `facts`; one of them must not be empty."""
    known = hear(facts, told)
    ordered = _heaviest_first(known)
    if len(ordered) > FACTS_MAX:
        ordered = ordered[:FACTS_MAX]
        known = {receipt: known[receipt] for receipt in ordered}
    return _derive(known, ordered)


def _heaviest_first(receipts: Iterable[Receipt]) -> list[Receipt]:
    """Highest status first, then the provider's own order, then the part; ties by content, so that it is one order for
    all."""
    weighed = [(_weight(receipt), receipt) for receipt in receipts]
    if len(weighed) == 1:
        return [weighed[0][1]]
    weighed.sort(key=itemgetter(0), reverse=True)
    tied = {weight for (weight, _), (lighter, _) in pairwise(weighed) if weight == lighter}
    if tied:
        weighed.sort(key=lambda pair: (pair[0], repr(pair[1]) if pair[0] in tied else ""), reverse=True)
    return [receipt for _, receipt in weighed]


def _weight(receipt: Receipt) -> int:
    rank = -1 if receipt.status is None else RANK[receipt.status]
    weight = rank * 10**10 + (receipt.sequence or 0)
    # Most ties are parts of one message, and telling them apart by all they say takes twenty times as long.
    return weight * 10**5 + (receipt.part.number or 0 if receipt.part else 0)


def _derive(facts: Facts, ordered: Sequence[Receipt]) -> Message:
    winner = ordered[0]
    status = winner.status or Status.QUEUED
    final = status in FINAL
    parts: tuple[Part, ...] = ()
    part_ids: Mapping[Receipt, str] = {}
    if not (by_part := _by_part(ordered)):
        contradictory = _contradict(ordered)
        units, cost_nanos, currency = _charge(ordered)
        error_code = winner.error_code or (_error_code(ordered, status) if status in _LOST else None)
    else:
        whole = [receipt for receipt in ordered if receipt.part is None]
        part_ids = {receipt: part_id for part_id, told in by_part.items() for receipt in told}
        parts = _parts(by_part)
        status, final = _over_parts(parts, whole)
        ended = {part.provider_message_id for part in parts if part.status is status}
        # Of a part that got further, what was said before no longer counts.
        saying = [receipt for receipt in ordered if part_ids.get(receipt) in ended or receipt.part is None]
        winner = next((receipt for receipt in saying if receipt.status is status), winner)
        error_code = winner.error_code or _error_code(saying, status)
        outcome = OUTCOME.get(status) if final else None
        contradictory = any(map(_contradict, (whole, *by_part.values()))) or (
            outcome is not None
            and any(OUTCOME.get(receipt.status, outcome) != outcome for receipt in whole if receipt.status)
        )
        units, cost_nanos, currency = _charge_over_parts(whole, by_part.values())

    sender = winner.sender or next((receipt.sender for receipt in ordered if receipt.sender), None)
    recipient = winner.recipient or next((receipt.recipient for receipt in ordered if receipt.recipient), None)
    channel = winner.channel or next((receipt.channel for receipt in ordered if receipt.channel), Channel.SMS)
    # MCC and MNC belong together: both from the weightiest receipt that names an MCC.
    network = winner if winner.mcc else next((receipt for receipt in ordered if receipt.mcc), winner)
    mcc, mnc = network.mcc, network.mnc
    other_side = recipient if winner.direction is Direction.OUTBOUND else sender
    unknown = {receipt.provider_status for receipt in ordered if receipt.status is None}
    times = _times(facts, status, final, parts, part_ids)
    ours = [receipt for receipt in ordered if receipt.source is Source.OURS]
    return Message(
        provider_message_id=winner.provider_message_id
        or next((receipt.provider_message_id for receipt in ordered if receipt.provider_message_id), None),
        facts=facts,
        direction=winner.direction,
        channel=channel,
        sender=sender,
        recipient=recipient,
        country=(country_of(other_side) if other_side else None) or (country_of_mcc(mcc) if mcc else None),
        mcc=mcc,
        mnc=mnc,
        status=status,
        provider_status=winner.provider_status,
        final=final,
        contradictory=contradictory,
        error_code=error_code,
        parts=parts,
        parts_of=max([part.of for part in parts]) if parts else 1,
        units=units,
        cost_nanos=cost_nanos,
        currency=currency,
        submitted_at=times.submitted_at,
        queued_at=times.queued_at,
        sent_at=times.sent_at,
        delivered_at=times.delivered_at,
        final_at=times.final_at,
        latency_ms=times.latency_ms,
        latency_clock=times.latency_clock,
        unknown_statuses=tuple(sorted(unknown)) if unknown else (),
        content=understood(winner.content) if winner.content else None,
        converted=_converted(ours) if ours else None,
        receipt_missing=final
        and winner.source is not Source.CALLBACK
        and not _is_told_final(ordered)
        and not _is_never_taken(status, ordered)
        and _is_receipt_due(ordered),
    )


def _converted(ours: Iterable[Receipt]) -> bool | None:
    """Once the person did it, nothing takes that back."""
    told = [receipt.converted for receipt in ours if receipt.converted is not None]
    return any(told) if told else None


def _is_told_final(receipts: Iterable[Receipt]) -> bool:
    return any(receipt.source is Source.CALLBACK and receipt.status in FINAL for receipt in receipts)


def _is_never_taken(status: Status, receipts: Iterable[Receipt]) -> bool:
    """Whether it failed before the provider had it: refused, cancelled, or given up by us."""
    return status is Status.FAILED and not any(receipt.provider_message_id for receipt in receipts)


def _is_receipt_due(receipts: Iterable[Receipt]) -> bool:
    """Whether the provider was to tell us: we sent it, or were told of it before. Of history that was imported, and
    what we concluded of it, nobody was."""
    return any(
        receipt.source is not Source.LOOKUP and receipt.status is not Status.EXPIRED and receipt.converted is None
        for receipt in receipts
    )


def _contradict(receipts: Iterable[Receipt]) -> bool:
    outcome = None
    for receipt in receipts:
        if receipt.status in OUTCOME:
            if outcome is not None and OUTCOME[receipt.status] != outcome:
                return True
            outcome = OUTCOME[receipt.status]
    return False


def _error_code(ordered: Iterable[Receipt], status: Status) -> str | None:
    """Why it was lost, from the weightiest that tells why."""
    return next((receipt.error_code for receipt in ordered if receipt.status is status and receipt.error_code), None)


def _by_part(ordered: Sequence[Receipt]) -> dict[str, list[Receipt]]:
    """What was said of each part, by its id. Nothing where the only part is the whole message."""
    told = [(receipt, receipt.part) for receipt in ordered if receipt.part]
    if not told:
        return {}
    ids: dict[int, set[str]] = {}
    for _, part in told:
        if part.number is not None and part.provider_message_id is not None:
            ids.setdefault(part.number, set()).add(part.provider_message_id)
    by_part: dict[str, list[Receipt]] = {}
    for receipt, part in told:
        part_id = part.provider_message_id
        if part_id is None:  # the one with this number, where that is told of one only
            number = part.number or 1
            having = ids.get(number, set())
            part_id = min(having) if len(having) == 1 else f"{receipt.provider_message_id}/{number}"
        by_part.setdefault(part_id, []).append(receipt)
    if len(by_part) == 1 and all(part.of == 1 or receipt.provider_message_id in by_part for receipt, part in told):
        return {}
    return by_part


def _parts(by_part: Mapping[str, Sequence[Receipt]]) -> tuple[Part, ...]:
    """In order. Those whose number nobody told get the numbers that are left."""
    found: dict[str, tuple[int, int, Status]] = {}
    for part_id, heaviest_first in by_part.items():
        of, number = max((told.part.of, told.part.number or 0) for told in heaviest_first if told.part is not None)
        found[part_id] = (number, of, heaviest_first[0].status or Status.QUEUED)
    left = iter(sorted({*range(1, len(found) + 1)} - {number for number, _, _ in found.values()}))
    parts = []
    for part_id in sorted(found):
        number, of, status = found[part_id]
        if not number:
            number, of = next(left), max(of, len(found))
        parts.append(Part(part_id, number, max(number, of), status))
    return tuple(sorted(parts, key=lambda part: (part.number, part.provider_message_id)))


def _over_parts(parts: Sequence[Part], whole: Sequence[Receipt]) -> tuple[Status, bool]:
    """Failed or undelivered as soon as one part is; delivered when all known parts are, and final when
    all parts are known; else as far as the slowest part. What was said of the whole message can only lift it, and
    stands where it is final until all parts are known: the success of some never hides that the message was lost."""
    lost = [part.status for part in parts if part.status in _LOST]
    if lost:
        return max(lost, key=RANK.__getitem__), True
    slowest = min((part.status for part in parts), key=RANK.__getitem__)
    complete = len({part.number for part in parts}) >= max(part.of for part in parts)
    said = max((receipt.status for receipt in whole if receipt.status), key=RANK.__getitem__, default=Status.QUEUED)
    if RANK[said] > RANK[slowest] or (said in FINAL and not complete):
        return said, said in FINAL
    return slowest, slowest in FINAL and complete


def _charge(heaviest_first: Sequence[Receipt]) -> tuple[int | None, int | None, str | None]:
    """Units, cost and currency, each from the weightiest receipt that names it. What failed is not charged, whatever
    was to be charged before."""
    units = next((receipt.units for receipt in heaviest_first if receipt.units is not None), None)
    has_failed = bool(heaviest_first) and heaviest_first[0].status is Status.FAILED
    for receipt in heaviest_first:
        if has_failed and receipt.status is not Status.FAILED:
            break
        if receipt.cost_nanos is not None:
            return units, receipt.cost_nanos, receipt.currency
    return units, None, None


def _charge_over_parts(
    whole: Sequence[Receipt], parts: Iterable[Sequence[Receipt]]
) -> tuple[int | None, int | None, str | None]:
    """What the parts add up to; where no part has a price, what was said of the whole message."""
    each = [_charge(told) for told in parts]
    costs = [cost for _, cost, _ in each if cost is not None]
    if not costs:
        units, cost_nanos, currency = _charge(whole)
        return units or sum(units or 0 for units, _, _ in each) or None, cost_nanos, currency
    currencies = sorted(currency for _, _, currency in each if currency)
    return sum(units or 0 for units, _, _ in each) or None, sum(costs), currencies[0] if currencies else None


class _Times(NamedTuple):
    submitted_at: datetime
    queued_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    final_at: datetime | None
    latency_ms: int | None
    latency_clock: str | None


def _times(facts: Facts, status: Status, final: bool, parts: Sequence[Part], part_ids: Mapping[Receipt, str]) -> _Times:
    """When things happened: the provider's clock where it told, ours where it did not, never one minus the other."""
    submitted = queued = sent = told_final = heard_queued = heard_sent = heard_final = heard_first = accepted = None
    for receipt, (received_at, _) in facts.items():
        limit = received_at + CLOCK_AHEAD_MAX
        submitted = _earliest(submitted, receipt.submitted_at, limit)
        queued = _earliest(queued, receipt.queued_at, limit)
        sent = _earliest(sent, receipt.sent_at, limit)
        if receipt.source is Source.OURS:
            accepted = received_at if accepted is None or received_at < accepted else accepted
        else:
            heard_first = received_at if heard_first is None or received_at < heard_first else heard_first
        if receipt.status is Status.QUEUED:
            heard_queued = received_at if heard_queued is None or received_at < heard_queued else heard_queued
        elif receipt.status is Status.SENT:
            heard_sent = received_at if heard_sent is None or received_at < heard_sent else heard_sent
        elif receipt.status is status and not parts:
            told_final = _earliest(told_final, receipt.final_at, limit)
            heard_final = received_at if heard_final is None or received_at < heard_final else heard_final
    # A message of ours that the provider has not taken yet was submitted when we accepted it.
    heard_first = heard_first or accepted
    assert heard_first is not None  # noqa: S101  a message is made of at least one fact
    if parts:
        told_final, heard_final = _parts_reached(facts, status, parts, part_ids)
    delivered = final and status in (Status.DELIVERED, Status.READ)
    reached = told_final or heard_final
    told_delivered, heard_delivered = told_final, heard_final
    if status is Status.READ:  # it was delivered before: when the person opened it is another matter
        told, heard = _parts_reached(facts, Status.DELIVERED, parts, part_ids)
        if told or heard:
            told_delivered, heard_delivered = told, heard
    latency_ms = clock = None
    if delivered:
        start = submitted or queued
        if start is not None and told_delivered is not None:
            latency_ms, clock = _between(start, told_delivered), "provider"
        elif heard_delivered is not None and heard_first < heard_delivered and not _is_asked(facts, heard_delivered):
            latency_ms, clock = _between(heard_first, heard_delivered), "ours"
    return _Times(
        submitted_at=submitted or queued or heard_first,
        queued_at=queued or submitted or heard_queued,
        sent_at=sent or heard_sent,
        delivered_at=(told_delivered or heard_delivered) if delivered else None,
        final_at=reached if final else None,
        latency_ms=latency_ms,
        latency_clock=clock if latency_ms is not None else None,
    )


def _is_asked(facts: Facts, heard_at: datetime) -> bool:
    """Whether what we heard then is the answer to a question of ours, whose time is that of the question."""
    return any(
        receipt.source is Source.LOOKUP and received_at == heard_at for receipt, (received_at, _) in facts.items()
    )


def _parts_reached(
    facts: Facts, status: Status, parts: Sequence[Part], part_ids: Mapping[Receipt, str]
) -> tuple[datetime | None, datetime | None]:
    """When the outcome was reached, on the provider's clock and on ours: a message of parts is delivered with
    its last part; any other outcome stands with the first part that has it."""
    told: dict[str | None, datetime] = {}
    heard: dict[str | None, datetime] = {}
    for receipt, (received_at, _) in facts.items():
        if receipt.status is status:
            part = part_ids.get(receipt)
            heard[part] = min(heard.get(part, received_at), received_at)
            final_at = _earliest(told.get(part), receipt.final_at, received_at + CLOCK_AHEAD_MAX)
            if final_at is not None:
                told[part] = final_at
    choose = min if status in _LOST else max
    having = [part.provider_message_id for part in parts if part.status is status]

    def reached(times: Mapping[str | None, datetime]) -> datetime | None:
        known = [times[part] for part in having if part in times]
        return choose(known) if known else times.get(None)

    return reached(told), reached(heard)


def _earliest(known: datetime | None, told: datetime | None, limit: datetime) -> datetime | None:
    # Most callbacks of a message repeat the times that were told before.
    if told is None or told == known or told > limit or told < _CLOCK_MIN or (known is not None and known < told):
        return known
    return told


def _between(start: datetime, end: datetime) -> int | None:
    latency = end - start
    return None if latency < timedelta(0) else latency // timedelta(milliseconds=1)
