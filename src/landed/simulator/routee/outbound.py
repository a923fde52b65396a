"""What becomes of a message in the stand-in for Routee: its parts go their ways, and each step is told."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any, Final

from landed.domain import money
from landed.domain.receipts import Channel
from landed.domain.statuses import Status
from landed.simulator.callbacks import routee as callbacks
from landed.simulator.carrier import fate
from landed.simulator.carrier.calls import Call
from landed.simulator.carrier.fate import FINAL, Fate, Step
from landed.simulator.items import Kind, Truth
from landed.simulator.routee import state as words
from landed.simulator.routee.reasons import Reason, reason_of
from landed.simulator.routee.state import RANK, Application, Callback, Campaign, Message, Part

if TYPE_CHECKING:
    from landed.simulator.routee.stand_in import RouteeStandIn

_STEP: Final = "routee.message.step"
#: Routee's words for the carrier's; a word that nobody explains is only written as Routee writes its own.
_WORDS: Final[dict[str, str]] = {
    Status.QUEUED: words.QUEUED,
    Status.SENT: words.SENT,
    Status.FAILED: words.FAILED,
    Status.UNDELIVERED: words.UNDELIVERED,
    Status.DELIVERED: words.DELIVERED,
}
_EXPIRED: Final = "420"
_APART_S: Final = 0.1
#: The one step of a campaign's message that there was no credit for.
_UNSENT: Final = "unsent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A message to be sent, as it was found to be right."""

    sender: str
    recipient: str
    texts: Sequence[str]  #: of its parts
    label: str | None = None
    callback: Callback | None = None
    ttl_s: float | None = None
    campaign: Campaign | None = None


class Outbound:
    def __init__(self, stand_in: "RouteeStandIn") -> None:
        self._stand_in = stand_in
        self._carrier = stand_in.carrier
        self._carrier.on(_STEP, self._step)

    def cost_nanos(self, recipient: str, parts: int) -> int:
        country, _ = fate.place(self._carrier.scenario, recipient)
        return (money.nanos(country.rate) or 0) * parts

    def make(self, application: Application, asked: Asked) -> Message:
        """Take the message, and charge for it. One of a campaign that there is no credit for will be unsent."""
        carrier, state = self._carrier, self._stand_in.state
        key = ("routee", *state.next_key("message", application.id, asked.recipient))
        random = carrier.random(*key)
        outcome = carrier.scenario.outcome(asked.recipient)
        whole = carrier.fate(random, asked.recipient, Channel.SMS, outcome)
        if asked.ttl_s is not None:
            whole = _within(whole, asked.ttl_s)
        cost_nanos = (money.nanos(whole.rate) or 0) * len(asked.texts)
        if asked.campaign is not None and cost_nanos > application.balance_nanos:
            whole, cost_nanos = replace(whole, steps=(Step(whole.steps[0].after_s, _UNSENT),)), 0
        application.balance_nanos -= cost_nanos
        now = carrier.now()
        failing = random.randrange(len(asked.texts))
        message = Message(
            id=carrier.uuid(*key),
            application_id=application.id,
            sender=asked.sender,
            recipient=asked.recipient,
            text="".join(asked.texts),
            label=asked.label,
            callback=asked.callback,
            campaign_id=asked.campaign.id if asked.campaign else None,
            chaos=outcome.chaos if outcome else None,
            country=whole.country.iso2,
            operator=whole.network.name,
            rate=whole.rate,
            created_at=now,
            asked_at=carrier.clock.real_now(),
            parts=[
                Part(
                    id=carrier.uuid(*key, "part", index),
                    number=index + 1,
                    steps=_steps(whole, carrier.random(*key, "part", index), is_failing=index == failing),
                    changed_at=now,
                )
                for index in range(len(asked.texts))
            ],
        )
        state.keep(state.messages, message.id, message)
        for index, part in enumerate(message.parts):
            for place, step in enumerate(part.steps):
                carrier.plan(step.after_s, _STEP, (message.id, index, place))
        return message

    def _step(self, details: tuple[str, int, int]) -> None:
        message_id, index, place = details
        message = self._stand_in.state.messages.get(message_id)
        if message is None:
            return
        part = message.parts[index]
        step = part.steps[place]
        before = message.status
        word = _word(step.word)
        if RANK.get(word, -1) > RANK[part.status]:
            part.status, part.changed_at = word, self._carrier.now()
            part.reason = _reason(step)
            if word == words.FAILED:
                self._refund(message)
        self._tell(message, part, place)
        if message.campaign_id is not None:
            self._stand_in.campaigns.progress(message.campaign_id, before, message.status)
        if message.status == words.DELIVERED and not message.has_replied:
            message.has_replied = True
            self._stand_in.inbound.reply(message)

    def _refund(self, message: Message) -> None:
        self._stand_in.state.applications[message.application_id].balance_nanos += money.nanos(message.rate) or 0

    # --- telling ---------------------------------------------------------------------------------------------------

    def _tell(self, message: Message, part: Part, place: int) -> None:
        step = part.steps[place]
        word = _word(step.word)
        callback = message.callback
        if callback is None or (callback.only_at_the_end and word not in callbacks.FINAL_STATUSES):
            return
        self._stand_in.call(
            Call(
                key=f"routee/message/{message.id}/{part.number}/{place}",
                name=f"routee.message.{word.lower()}",
                provider=self._stand_in.name,
                account=message.application_id,
                method="POST",
                url=callback.url,
                content=self._content(message, part, word, _reason(step), self._carrier.now()),
                truth=_truth(message, part, word, place + 1, _reason(step)),
                chaos=message.chaos,
            )
        )

    def _content(
        self, message: Message, part: Part, word: str, reason: Reason | None, at: datetime
    ) -> callbacks.Content:
        return callbacks.message_status(
            self._described(message, is_charged=word in RANK),
            word,
            sms_id=part.id,
            at=at,
            part=part.number,
            detailed_status=reason.detailed if reason else None,
            description=reason.description if reason else "",
            latency_s=int((at - message.created_at).total_seconds()),
        )

    def _described(self, message: Message, *, is_charged: bool) -> callbacks.Message:
        campaign = self._stand_in.state.campaigns.get(message.campaign_id or "")
        return callbacks.Message(
            id=message.id,
            sender=message.sender,
            recipient=message.recipient,
            text=message.text,
            label=message.label,
            parts=len(message.parts),
            price=float(message.rate) if is_charged else 0,
            country=message.country,
            operator=message.operator or None,
            application_name=self._stand_in.application_name,
            campaign_tracking_id=message.campaign_id,
            campaign_name=campaign.asked.get("campaignName") if campaign else None,
        )

    # --- what the API says -----------------------------------------------------------------------------------------

    def records(self, message: Message) -> list[dict[str, Any]]:
        """As tracking has it: one for each part, with other names for some fields than callbacks have."""
        return [self._record(message, part) for part in message.parts]

    def _record(self, message: Message, part: Part) -> dict[str, Any]:
        content = self._content(message, part, part.status, part.reason, part.changed_at)
        status = content.pop("status")
        content["status"] = {
            "status": status["name"],
            "date": callbacks.milliseconds(part.changed_at),
            "reason": status["reason"] if part.reason else None,
        }
        content["campaign"] = content.pop("campaignName")
        content["body"] = content.pop("message")
        content["to"] = message.recipient.removeprefix("+")
        del content["campaignTrackingId"]
        return content

    def told(self, message: Message) -> None:
        """Somebody was answered how it stands."""
        for part in message.parts:
            self._carrier.told_by_api(_truth(message, part, part.status, 0, part.reason))

    def told_taken(self, message: Message) -> None:
        """Whoever sent it was answered that it is taken, and how many parts it has."""
        truth = _truth(message, message.parts[0], words.QUEUED, 0, None)
        self._carrier.told_by_api(replace(truth, part=None, units=len(message.parts)))


def _word(word: str) -> str:
    return _WORDS.get(word) or word.capitalize()


def _reason(step: Step) -> Reason | None:
    if step.word not in (Status.FAILED, Status.UNDELIVERED):
        return None
    return reason_of(step.error_code, is_failed=step.word == Status.FAILED)


def _truth(message: Message, part: Part, word: str, sequence: int, reason: Reason | None) -> Truth:
    """In the ledger's words: there, unsent is failed, and a reason."""
    is_charged = word in RANK and word not in callbacks.UNCHARGED
    return Truth(
        kind=Kind.GENUINE,
        message_id=message.id,
        status=words.FAILED.lower() if word == words.UNSENT else word.lower(),
        sequence=sequence,
        country=message.country,
        mcc="",
        mnc="",
        channel=Channel.SMS,
        sender=message.sender.removeprefix("+"),
        error_code=words.UNSENT if word == words.UNSENT else reason.detailed if reason else None,
        units=1,
        cost_nanos=(money.nanos(message.rate) or 0) if is_charged else 0,
        part=part.number if len(message.parts) > 1 else None,
    )


def _steps(whole: Fate, random: Random, *, is_failing: bool) -> Sequence[Step]:
    """What becomes of a part: of those of a message that fails, one does. They come one after the other."""
    own = whole if is_failing else fate.part_fate(whole, random)
    apart_s = random.uniform(0, _APART_S)
    return [step._replace(after_s=step.after_s + apart_s) for step in own.steps]


def _within(whole: Fate, ttl_s: float) -> Fate:
    """The same, given up when its time is over and nothing final was told of it."""
    in_time = [step for step in whole.steps if step.after_s <= ttl_s]
    if not any(step.word in FINAL for step in in_time):
        in_time.append(Step(ttl_s, Status.UNDELIVERED, _EXPIRED))
    return replace(whole, steps=tuple(in_time))
