"""Routee's campaigns: one text to many, now or later, with a progress that is told on its own."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from re import finditer
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from landed.domain.countries import country_of
from landed.simulator.callbacks import routee as callbacks
from landed.simulator.carrier.calls import Call
from landed.simulator.routee.answers import Problem, invalid, moment, object_of
from landed.simulator.routee.asking import CHARACTERS_MAX, Fields, is_number, written
from landed.simulator.routee.outbound import Asked
from landed.simulator.routee.state import (
    DELIVERED,
    FAILED,
    LOST,
    QUEUED,
    SENT,
    UNDELIVERED,
    UNSENT,
    Application,
    Callback,
    Campaign,
)
from landed.simulator.routee.texts import analysis

if TYPE_CHECKING:
    from landed.simulator.routee.stand_in import RouteeStandIn

RECIPIENTS_MAX: Final = 30_000
_MADE_AT_ONCE: Final = 200
_START: Final = "routee.campaign.start"
#: Routee publishes no list of states: the first two are on its pages, `Completed` is in a test of its SDK.
SCHEDULED, TAKEN, RUNNING, COMPLETED = "Scheduled", "Queued", "Running", "Completed"
#: Its progress is told each time this share of its messages more has ended.
_TOLD_EACH: Final = 0.2
_STATUSES: Final = (QUEUED, SENT, UNSENT, FAILED, DELIVERED, UNDELIVERED)
_ENDED: Final = LOST | {DELIVERED}


class Campaigns:
    def __init__(self, stand_in: "RouteeStandIn") -> None:
        self._stand_in = stand_in
        self._carrier = stand_in.carrier
        self._carrier.on(_START, self._start)

    # --- asking ----------------------------------------------------------------------------------------------------

    async def make(self, request: Request, application: Application) -> Response:
        content = await object_of(request)
        state, now = self._stand_in.state, self._carrier.now()
        campaign = self._read(content, application, now)
        self._refuse_taken(content.get("campaignName"), application)
        state.keep(state.campaigns, campaign.id, campaign)
        self._plan(campaign)
        return JSONResponse(self._shown(campaign))

    async def change(self, request: Request, application: Application) -> Response:
        """While it is scheduled; without a new date it begins at once."""
        campaign = self._campaign(request, application)
        content = await object_of(request)
        if campaign.state != SCHEDULED:
            raise Problem(400, "400009002", "The campaign is not in the state Scheduled")
        kept = {name: value for name, value in campaign.asked.items() if name != "scheduledDate"}
        changed = self._read({**kept, **content}, application, campaign.created_at, campaign.id)
        self._refuse_taken(changed.asked.get("campaignName"), application, besides=campaign)
        changed.version = campaign.version + 1
        self._stand_in.state.campaigns[campaign.id] = changed
        self._plan(changed)
        return JSONResponse(self._shown(changed))

    async def show(self, request: Request, application: Application) -> Response:
        return JSONResponse(self._shown(self._campaign(request, application)))

    def _refuse_taken(self, name: str | None, application: Application, besides: Campaign | None = None) -> None:
        if name and any(
            each.asked.get("campaignName") == name and each is not besides for each in self._of(application)
        ):
            raise Problem(409, "409009003", "A campaign with this name exists")

    def _of(self, application: Application) -> list[Campaign]:
        return [each for each in self._stand_in.state.campaigns.values() if each.application_id == application.id]

    def _campaign(self, request: Request, application: Application) -> Campaign:
        campaign = self._stand_in.state.campaigns.get(request.path_params["tracking_id"])
        if campaign is None or campaign.application_id != application.id:
            raise Problem(404, "404009001", "No such campaign")
        return campaign

    def _read(
        self, content: dict[str, Any], application: Application, now: datetime, campaign_id: str | None = None
    ) -> Campaign:
        fields = Fields(content)
        text = fields.text("body", is_required=True)
        fields.sender()
        fields.text("campaignName")
        for name in ("flash", "respectQuietHours"):
            fields.flag(name)
        callback, campaign_callback = fields.callback("callback"), fields.callback("campaignCallback")
        scheduled_at = self._scheduled(fields)
        if not isinstance(content.get("fallbackValues", {}) or {}, dict):
            fields.problems["fallbackValues"] = "is no map of names to texts"
        recipients = _recipients(fields)
        fields.refuse()
        segments, _ = fields.body(_filled(text, content), transcodes=False)
        return Campaign(
            id=campaign_id or self._carrier.uuid("routee", *self._stand_in.state.next_key("campaign", application.id)),
            application_id=application.id,
            asked=content,
            recipients=recipients,
            segments=segments,
            callback=callback,
            campaign_callback=campaign_callback,
            created_at=now,
            scheduled_at=scheduled_at,
            state=TAKEN if scheduled_at is None else SCHEDULED,
        )

    def _scheduled(self, fields: Fields) -> datetime | None:
        """None: at once, as with a time that has passed."""
        text = fields.text("scheduledDate")
        at = moment(text) if text else None
        if text and at is None:
            fields.problems["scheduledDate"] = "is no time in ISO form"
        return at if at is not None and at > self._carrier.now() else None

    def _shown(self, campaign: Campaign) -> dict[str, Any]:
        asked = campaign.asked
        countries = {number: country_of(number) or "" for number in campaign.recipients}
        per_country: dict[str, int] = {}
        for country in countries.values():
            per_country[country] = per_country.get(country, 0) + 1
        _, body_analysis = analysis(_filled(asked["body"], asked), transcodes=False)
        at = campaign.scheduled_at
        return {
            "trackingId": campaign.id,
            "type": "Sms",
            "state": campaign.state,
            "createdAt": callbacks.milliseconds(campaign.created_at),
            "scheduledDate": callbacks.milliseconds(at) if at else None,
            "campaignName": asked.get("campaignName"),
            "from": asked["from"],
            "to": list(campaign.recipients),
            "groups": asked.get("groups") or [],
            "body": asked["body"],
            "smsAnalysis": {
                "numberOfRecipients": len(campaign.recipients),
                "recipientsPerCountry": per_country,
                "recipientCountries": countries,
                "contacts": {},
                "recipientsPerGroup": {},
                "totalInGroups": 0,
                "bodyAnalysis": body_analysis,
            },
            "flash": asked.get("flash") is True,
            "respectQuietHours": asked.get("respectQuietHours") is True,
            "statuses": _counts(campaign),
            "reminder": asked.get("reminder"),
            "fallbackValues": asked.get("fallbackValues") or {},
            "callback": written(campaign.callback),
            "campaignCallback": written(campaign.campaign_callback),
        }

    # --- what becomes of it ----------------------------------------------------------------------------------------

    def _plan(self, campaign: Campaign) -> None:
        at = campaign.scheduled_at
        after_s = (at - self._carrier.now()).total_seconds() if at else 0.0
        self._carrier.plan(after_s, _START, (campaign.id, campaign.version))

    async def _start(self, details: tuple[str, int]) -> None:
        campaign_id, version = details
        campaign = self._stand_in.state.campaigns.get(campaign_id)
        if campaign is None or campaign.version != version:
            return
        application = self._stand_in.state.applications[campaign.application_id]
        campaign.state, campaign.steps_left = RUNNING, 0
        for place, recipient in enumerate(campaign.recipients, 1):
            asked = Asked(
                sender=campaign.asked["from"],
                recipient=recipient,
                texts=campaign.segments.parts,
                callback=campaign.callback,
                campaign=campaign,
            )
            message = self._stand_in.outbound.make(application, asked)
            campaign.steps_left += sum(len(part.steps) for part in message.parts)
            if place % _MADE_AT_ONCE == 0:
                await asyncio.sleep(0)  # let others be answered; nothing happens to these before all are made
                if self._stand_in.state.campaigns.get(campaign_id) is not campaign:
                    return  # another world by now
        campaign.counts[QUEUED] = len(campaign.recipients)
        self._tell_progress(campaign)

    def progress(self, campaign_id: str, before: str, after: str) -> None:
        """One step happened to a message of it, which took it from one status to another, or the same."""
        campaign = self._stand_in.state.campaigns.get(campaign_id)
        if campaign is None or campaign.steps_left is None:
            return
        campaign.counts[before] -= 1
        campaign.counts[after] += 1
        campaign.steps_left -= 1
        if campaign.steps_left == 0:
            campaign.state = COMPLETED
            self._tell_progress(campaign)
        elif _ended(campaign) - campaign.told_at >= _TOLD_EACH * len(campaign.recipients):
            self._tell_progress(campaign)

    def _tell_progress(self, campaign: Campaign) -> None:
        callback: Callback | None = campaign.campaign_callback
        campaign.told_at = _ended(campaign)
        if callback is None or (callback.only_at_the_end and campaign.state != COMPLETED):
            return
        campaign.told += 1
        counts = {word: count for word, count in _counts(campaign).items() if count}
        self._stand_in.call(
            Call(
                key=f"routee/campaign/{campaign.id}/{campaign.told}",
                name=f"routee.campaign.{campaign.state.lower()}",
                provider=self._stand_in.name,
                account=campaign.application_id,
                method="POST",
                url=callback.url,
                content=callbacks.campaign(
                    campaign.id,
                    campaign.asked.get("campaignName") or "",
                    campaign.state,
                    counts,
                    url=callback.url,
                    strategy=callback.strategy,
                ),
            )
        )


def _counts(campaign: Campaign) -> dict[str, int]:
    return {word: campaign.counts[word] for word in _STATUSES}


def _ended(campaign: Campaign) -> int:
    return sum(campaign.counts[word] for word in _ENDED)


def _recipients(fields: Fields) -> Sequence[str]:
    """Numbers, each once. This stand-in has neither groups nor contacts.

    Raises:
        Problem: there are none.
    """
    content = fields.content
    if content.get("contacts"):
        raise Problem(404, "404002001", "The contact is unknown")
    given = content.get("to") or []
    if not isinstance(given, list) or len(given) > RECIPIENTS_MAX:
        fields.problems["to"] = f"is no list of up to {RECIPIENTS_MAX} numbers"
        return ()
    if not given:
        raise Problem(400, "400009004", "The campaign has no recipients")
    if wrong := sum(not is_number(each) for each in given):
        fields.problems["to"] = f"has {wrong} that are no numbers in E.164 form"
        return ()
    return list(dict.fromkeys(given))


def _filled(text: str, content: dict[str, Any]) -> str:
    """`[~firstName]` becomes its fallback value: of nobody it is known.

    Raises:
        Problem: it becomes longer than any message, which is told before it is made.
    """
    values = content.get("fallbackValues") or {}
    pieces, characters, at = list[str](), 0, 0
    for found in finditer(r"\[~(\w+)\]", text):
        pieces += (text[at : found.start()], str(values.get(found[1], "")))
        characters += len(pieces[-2]) + len(pieces[-1])
        at = found.end()
        if characters > CHARACTERS_MAX:
            raise invalid({"body": f"is over {CHARACTERS_MAX} characters long with its fallback values"})
    return "".join([*pieces, text[at:]])
