"""Reading messages: one, a page of them by every filter, and their media. What is shown was told, as in a callback."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from landed.providers.plivo import error_codes
from landed.simulator.callbacks.plivo import UNCHARGED, digits
from landed.simulator.carrier.views import Direction
from landed.simulator.items import AnyTruth
from landed.simulator.plivo import answering, answers, delivering
from landed.simulator.plivo.answers import Reply, not_found, of_record, within
from landed.simulator.plivo.api import Resource
from landed.simulator.plivo.shared import Ask, Shared
from landed.simulator.plivo.state import Account, Media, Message

#: Filters that are equal to what the record says under the same name.
_EQUAL: Final = (
    "message_direction", "message_state", "message_type", "error_code", "powerpack_id", "tendlc_campaign_id",
    "tendlc_registration_status", "destination_country_iso2", "conversation_id", "conversation_origin",
)  # fmt: skip
_NUMBERS: Final = (("from_number", "sender"), ("to_number", "recipient"))
_SUCCESS: Final = "000"


class Records:
    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.resources = (
            Resource("GET", "Message/", self.list),
            Resource("GET", "Message/{}/", self.get),
            Resource("GET", "Message/{}/Media/", self.list_media),
            Resource("GET", "Message/{}/Media/{}/", self.get_media),
        )

    def get(self, ask: Ask, uuid: str) -> Reply:
        message = self._message(ask, uuid)
        self._told(message)
        return Reply(content=self._record(message))

    def list(self, ask: Ask) -> Reply:
        """The latest first."""
        visible = list(self._visible(ask))
        is_then = within("message_time", ask.query, visible, self._shared.carrier.clock.real_now())
        found = [message for message in visible if is_then(message) and self._is_wanted(message, ask.query)]
        path = f"/v1/Account/{ask.account.id}/Message/"

        def show(message: Message) -> dict[str, Any]:
            self._told(message)
            return self._record(message)

        return answers.page(path, "objects", found, show, ask.query)

    def list_media(self, ask: Ask, uuid: str) -> Reply:
        message = self._message(ask, uuid)
        path = f"/v1/Account/{ask.account.id}/Message/{uuid}/Media/"
        reply = answers.page(path, "objects", message.media, lambda media: _media(message, media), ask.query)
        return Reply(content={"message_uuid": uuid, **reply.content})

    def get_media(self, ask: Ask, uuid: str, media_id: str) -> Reply:
        message = self._message(ask, uuid)
        found = next((media for media in message.media if media.id == media_id), None)
        if found is None:
            raise not_found("media")
        return Reply(content=_media(message, found))

    def _visible(self, ask: Ask) -> Iterator[Message]:
        """Of an account and its sub-accounts, or of the one that it asks for."""
        state, wanted = self._shared.state, ask.query.get("subaccount")
        ids = {account.id for account in state.accounts.values() if ask.account.id in (account.id, account.main_id)}
        ids = ids & {wanted} if wanted else ids
        return (message for message in reversed(state.messages.values()) if message.account_id in ids)

    def _message(self, ask: Ask, uuid: str) -> Message:
        message = self._shared.state.messages.get(uuid)
        owner = self._shared.known(message.account_id) if message else None
        if message is None or owner is None or ask.account.id not in (owner.id, owner.main_id):
            raise not_found("message")
        return message

    def _is_wanted(self, message: Message, query: Mapping[str, str]) -> bool:
        if any(query.get(name) and digits(query[name]) != getattr(message, own) for name, own in _NUMBERS):
            return False
        asked = [name for name in _EQUAL if query.get(name)]
        record = self._record(message) if asked else {}
        return all(str(record.get(name)) == query[name] for name in asked)

    def _told(self, message: Message) -> None:
        for truth in truths(message):
            self._shared.carrier.told_by_api(truth)

    def _record(self, message: Message) -> dict[str, Any]:
        is_free = message.state in UNCHARGED or message.direction is Direction.INBOUND
        rate = "0.00000" if is_free else message.rate
        campaign_id = self._campaign_id(message)
        return {
            "carrier_fees": "0.00000",
            "carrier_fees_rate": "0.00000",
            "destination_country_iso2": message.country,
            "destination_network": message.network or None,
            "error_code": message.error_code or (_SUCCESS if message.state == "delivered" else None),
            "error_message": error_codes.explain(message.error_code).title if message.error_code else "",
            "from_number": _shown(message.sender, message, is_person=message.direction is Direction.INBOUND),
            "is_domestic": False,
            "log": message.log,
            "mcc": message.mcc,
            "message_direction": message.direction.value,
            "message_sent_time": of_record(message.sent_at),
            "message_state": message.state,
            "message_time": of_record(message.created_at),
            "message_type": message.channel.value,
            "message_updated_time": of_record(message.updated_at),
            "message_uuid": message.uuid,
            "mnc": message.mnc,
            "powerpack_id": message.powerpack_uuid or None,
            "replaced_sender": None,
            "requester_ip": message.requester_ip,
            "resource_uri": f"/v1/Account/{message.account_id}/Message/{message.uuid}/",
            "tendlc_campaign_id": campaign_id,
            "tendlc_registration_status": "verified" if campaign_id else "unverified",
            "to_number": _shown(message.recipient, message, is_person=message.direction is Direction.OUTBOUND),
            "total_amount": f"{Decimal(rate) * message.units:f}",
            "total_rate": rate,
            "units": message.units,
            **_conversation(message),
            **message.dlt,
        }

    def _campaign_id(self, message: Message) -> str | None:
        account: Account = self._shared.state.accounts[message.account_id]
        link = self._shared.state.links.get((self._shared.main_of(account).id, message.sender))
        return link.campaign_id if link and link.status == "COMPLETED" else None


def truths(message: Message) -> Iterator[AnyTruth]:
    """What a record tells, in the ledger's words."""
    if message.direction is Direction.INBOUND:
        yield answering.truth(message)
    elif message.parts:
        for part in message.parts:
            yield delivering.truth(message, part.state, part.error_code, part)
    else:
        yield delivering.truth(message, message.state, message.error_code)


def _shown(number: str, message: Message, *, is_person: bool) -> str:
    """A person's number is masked where it was not to be logged."""
    is_hidden = is_person and message.log in ("false", "content_only")
    return f"{number[:3]}XXXXX{number[-3:]}" if is_hidden else number


def _conversation(message: Message) -> dict[str, str]:
    conversation = message.conversation
    if conversation is None:
        return {}
    return {
        "conversation_id": conversation.id,
        "conversation_origin": conversation.origin,
        "conversation_expiration_timestamp": str(int(conversation.expires_at.timestamp())),
    }


def _media(message: Message, media: Media) -> dict[str, Any]:
    return {
        "content_type": media.content_type,
        "media_id": media.id,
        "media_url": media.url,
        "message_uuid": message.uuid,
        "size": len(media.content or b""),
    }
