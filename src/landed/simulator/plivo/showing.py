"""What the stand-in shows of its state in our words, for whoever watches the world."""

from collections.abc import Iterator

from landed.domain.statuses import Status
from landed.simulator.carrier.views import Direction, MessageView, RegistrationView, SessionView
from landed.simulator.plivo.shared import NAME
from landed.simulator.plivo.state import Message, Session, State

_SHORT_CODE_DIGITS_MAX = 6


def messages(state: State) -> Iterator[MessageView]:
    return (_message(each, state.conversions.get(each.uuid, {}).get("status")) for each in [*state.messages.values()])


def _message(shown: Message, conversion: str | None) -> MessageView:
    is_inbound = shown.direction is Direction.INBOUND
    return MessageView(
        provider=NAME,
        account=shown.account_id,
        id=shown.uuid,
        direction=shown.direction,
        channel=shown.channel,
        sender=_plus(shown.sender),
        recipient=_plus(shown.recipient),
        text=shown.text,
        units=shown.units,
        status=Status.RECEIVED if is_inbound else Status(shown.state),
        error_code=shown.error_code,
        callback_url=shown.url,
        created_at=shown.created_at,
        conversion=conversion,
    )


def session(shown: Session) -> SessionView:
    return SessionView(
        provider=NAME,
        account=shown.account_id,
        id=shown.uuid,
        recipient=_plus(shown.recipient),
        code=shown.code,
        status=shown.status,
        tries=shown.tries,
        created_at=shown.created_at,
    )


def registrations(state: State) -> Iterator[RegistrationView]:
    """Brands, campaigns, and numbers of campaigns."""
    for kind, things in (("brand", state.brands), ("campaign", state.campaigns)):
        for thing in list(things.values()):
            yield RegistrationView(
                provider=NAME,
                account=thing.account_id,
                kind=kind,
                id=thing.id,
                status=thing.record["registration_status"],
                created_at=thing.created_at,
            )
    for link in list(state.links.values()):
        yield RegistrationView(
            provider=NAME,
            account=link.account_id,
            kind="number",
            id=link.number,
            status=link.status,
            created_at=link.created_at,
        )


def _plus(number: str) -> str:
    """E.164 has a plus; short codes and names have none."""
    return f"+{number}" if number.isdigit() and len(number) > _SHORT_CODE_DIGITS_MAX else number
