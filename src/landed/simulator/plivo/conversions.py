"""Conversion feedback: whether people did what a trackable message was for."""

from datetime import datetime
from typing import Final

from landed.simulator.carrier.views import Direction
from landed.simulator.plivo.answers import Refused, Reply, not_found
from landed.simulator.plivo.api import Resource
from landed.simulator.plivo.shared import Ask, Shared

STATUSES: Final = ("CONVERTED", "NOT_CONVERTED", "CONVERTED_WITH_OTHERS")


class Conversions:
    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.resources = (Resource("POST", "message/{}/conversion/", self.take),)

    def take(self, ask: Ask, uuid: str) -> Reply:
        message = self._shared.state.messages.get(uuid)
        owner = self._shared.known(message.account_id) if message else None
        if message is None or owner is None or message.direction is Direction.INBOUND:
            raise not_found("message")
        if ask.account.id not in (owner.id, owner.main_id):
            raise not_found("message")
        given = ask.parameters
        given.need("status", "timestamp")
        status, timestamp = given.one_of("status", STATUSES), given.text("timestamp", characters_max=100)
        try:
            datetime.fromisoformat(timestamp)
        except ValueError:
            raise Refused(400, "timestamp should be written as 2023-02-09T09:00:43.511Z") from None
        if not message.is_trackable:
            raise Refused(400, "the message was not sent with trackable set to true")
        self._shared.state.conversions[uuid] = {"status": status, "timestamp": timestamp}
        content = {
            "conversion_uuid": f"conv-{uuid}",
            "message": "successfully recorded.",
            "message_uuid": uuid,
        }
        return Reply(content=content)
