"""Routee's `POST /sms` and `POST /sms/analyze`."""

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from landed.domain.money import NANOS
from landed.simulator.callbacks.routee import milliseconds
from landed.simulator.routee.answers import Problem, leave_out, object_of, refuse
from landed.simulator.routee.asking import Fields, written
from landed.simulator.routee.outbound import Asked
from landed.simulator.routee.state import Application

if TYPE_CHECKING:
    from landed.simulator.routee.stand_in import RouteeStandIn

#: A validity period of a year is beyond all reason; Routee's page names no limit.
_TTL_MIN_MAX = 366 * 24 * 60
_LABEL_CHARACTERS_MAX = 255


class Sms:
    def __init__(self, stand_in: "RouteeStandIn") -> None:
        self._stand_in = stand_in

    async def send(self, request: Request, application: Application) -> Response:
        fields = Fields(await object_of(request))
        text, recipient, sender = fields.text("body", is_required=True), fields.number("to"), fields.sender()
        label, callback = fields.text("label"), fields.callback("callback")
        flash, transcodes = fields.flag("flash"), fields.flag("transcode")
        ttl_min = fields.whole("ttl", least=1, most=_TTL_MIN_MAX)
        if len(label) > _LABEL_CHARACTERS_MAX:
            fields.problems["label"] = f"is over {_LABEL_CHARACTERS_MAX} characters"
        fields.refuse()
        segments, analysis = fields.body(text, transcodes=transcodes)
        messages, outcome = self._stand_in.outbound, self._stand_in.carrier.scenario.outcome(recipient)
        refuse(outcome)
        if messages.cost_nanos(recipient, len(segments.parts)) > application.balance_nanos:
            raise Problem(400, "400001009", "Insufficient balance")
        message = messages.make(
            application,
            Asked(
                sender=sender,
                recipient=recipient,
                texts=segments.parts,
                label=label or None,
                callback=callback,
                ttl_s=None if ttl_min is None else ttl_min * 60,
            ),
        )
        if (instead := await leave_out(request, outcome)) is not None:
            return instead
        messages.told_taken(message)
        return JSONResponse(
            {
                "trackingId": message.id,
                "status": "Queued",
                "createdAt": milliseconds(message.created_at),
                "from": sender,
                "to": recipient,
                "body": message.text,
                "label": message.label,
                "flash": flash,
                "bodyAnalysis": analysis,
                "callback": written(callback),
            }
        )

    async def analyze(self, request: Request, _: Application) -> Response:
        fields = Fields(await object_of(request))
        text, recipient = fields.text("body", is_required=True), fields.number("to")
        fields.sender()
        transcodes = fields.flag("transcode")
        fields.refuse()
        segments, analysis = fields.body(text, transcodes=transcodes)
        cost_nanos = self._stand_in.outbound.cost_nanos(recipient, len(segments.parts))
        return JSONResponse({"cost": cost_nanos / NANOS, "bodyAnalysis": analysis})
