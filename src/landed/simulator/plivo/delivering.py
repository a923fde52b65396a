"""What becomes of messages that were taken: their steps, each told by a callback, and paid for when handed over."""

from decimal import Decimal
from random import Random
from typing import Final, NamedTuple

from landed.domain import money
from landed.domain.receipts import Channel
from landed.domain.statuses import Status
from landed.simulator.callbacks import plivo as callbacks
from landed.simulator.carrier.fate import FINAL, Fate, Step, part_fate
from landed.simulator.items import Kind, Truth
from landed.simulator.plivo.answering import Answering
from landed.simulator.plivo.shared import Shared
from landed.simulator.plivo.state import Message, Part

_STEP: Final = "plivo.message.step"
_NO_CREDIT: Final = "900"
_NAMED: Final = frozenset(callbacks.MESSAGE_STATUSES)


class _Due(NamedTuple):
    uuid: str
    part: int | None
    word: str
    error_code: str | None


class Delivery:
    def __init__(self, shared: Shared, answering: Answering) -> None:
        self._shared = shared
        self._answering = answering
        shared.carrier.on(_STEP, self._step)

    def plan(self, message: Message, fate: Fate, random: Random) -> None:
        """All steps of a message, or of each of its parts: where it fails, one of them does."""
        failing = random.randrange(message.units) + 1
        numbers: list[int | None] = [part.number for part in message.parts] or [None]
        for number in numbers:
            own = fate if number in (None, failing) else part_fate(fate, random)
            for step in own.steps:
                self._plan_step(message, number, step)

    def _plan_step(self, message: Message, part: int | None, step: Step) -> None:
        self._shared.carrier.plan(step.after_s, _STEP, _Due(message.uuid, part, step.word, step.error_code))

    def _step(self, due: _Due) -> None:
        message = self._shared.state.messages.get(due.uuid)
        if message is None or message.is_stopped:
            return
        word, error_code = due.word, due.error_code
        if word == Status.SENT and not self._pay(message):
            word, error_code, message.is_stopped = Status.FAILED.value, _NO_CREDIT, True
        part = message.parts[due.part - 1] if due.part else None
        self._change(message, part, word, error_code)
        self._tell(message, part, word, error_code)
        if word == Status.DELIVERED and (part is None or message.state == Status.DELIVERED):
            self._answering.delivered(message)

    def _pay(self, message: Message) -> bool:
        """Whether there was credit for it; the parts of a message are paid for together."""
        if message.is_charged:
            return True
        payer = self._shared.main_of(self._shared.state.accounts[message.account_id])
        amount = Decimal(message.rate) * message.units
        if payer.balance < amount:
            return False
        payer.balance -= amount
        message.is_charged = True
        return True

    def _change(self, message: Message, part: Part | None, word: str, error_code: str | None) -> None:
        now = message.updated_at = self._shared.now()
        message.sequence += 1
        if word == Status.QUEUED:
            message.queued_at = message.queued_at or now
        elif word == Status.SENT:
            message.sent_at = message.sent_at or now
        elif word in FINAL:
            message.final_at = now
        if word not in _NAMED:
            return  # a record has no words but the documented ones
        if part is None:
            message.state, message.error_code = word, error_code
        else:
            part.state, part.error_code = word, error_code
            message.state, message.error_code = _together(message.parts)

    def _tell(self, message: Message, part: Part | None, word: str, error_code: str | None) -> None:
        fields = callbacks.message_status(
            described(message),
            word,
            sequence=message.sequence,
            times=callbacks.Times(
                message=message.created_at,
                queued=message.queued_at,
                sent=message.sent_at,
                delivery_report=message.final_at,
            ),
            error_code=error_code or "",
            part=callbacks.Part(uuid=part.uuid, number=part.number, of=len(message.parts)) if part else None,
        )
        self._shared.tell(
            f"message/{message.uuid}/{message.sequence}",
            f"message.{word}",
            account_id=message.account_id,
            url=message.url,
            method=message.method,
            fields=fields,
            truth=truth(message, word, error_code, part),
            chaos=message.chaos,
        )


def described(message: Message) -> callbacks.Message:
    return callbacks.Message(
        uuid=message.uuid,
        sender=message.sender,
        recipient=message.recipient,
        type=message.channel.value,
        units=message.units,
        rate=message.rate,
        mcc=message.mcc,
        mnc=message.mnc,
        requester_ip=message.requester_ip,
        powerpack_uuid=message.powerpack_uuid,
        conversation=message.conversation if message.channel is Channel.WHATSAPP else None,
    )


def truth(message: Message, word: str, error_code: str | None, part: Part | None = None) -> Truth:
    """What the ledger keeps of a word about a message, or about one of its parts."""
    units = 1 if part else message.units
    return Truth(
        kind=Kind.GENUINE,
        message_id=message.uuid,
        status=word,
        sequence=0 if part else message.sequence,
        country=message.country,
        mcc=message.mcc,
        mnc=message.mnc,
        channel=message.channel,
        sender=message.sender,
        error_code=error_code,
        units=units,
        cost_nanos=0 if word in callbacks.UNCHARGED else (money.nanos(message.rate) or 0) * units,
        part=part.number if part else None,
    )


_LOST: Final = ("undelivered", "failed")
_CLIMB: Final = ("queued", "sent", "delivered", "read")


def _together(parts: list[Part]) -> tuple[str, str | None]:
    """Where a message stands: lost with the first part that is, else as far as its slowest part."""
    lost = next((part for part in parts if part.state in _LOST), None)
    if lost:
        return lost.state, lost.error_code
    return min((part.state for part in parts), key=_CLIMB.index), None
