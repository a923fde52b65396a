"""What commands on many messages are asked with: the options, and the question that they make."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from landed.domain.receipts import Channel, Direction
from landed.domain.statuses import Status

if TYPE_CHECKING:
    from landed.services.reading import MessageQuestion

Statuses = Annotated[list[Status] | None, typer.Option(help="Only with this status. Repeatable.")]
To = Annotated[str | None, typer.Option(metavar="NUMBER", help="Only to this number.")]
From = Annotated[str | None, typer.Option("--from", metavar="NUMBER", help="Only from this number.")]
AccountNames = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only of this account. Repeatable.")]
Countries = Annotated[list[str] | None, typer.Option(metavar="CODE", help="Only to this country: US. Repeatable.")]
ErrorCodes = Annotated[list[str] | None, typer.Option(metavar="CODE", help="Only with this error code.")]
Tag = Annotated[str | None, typer.Option(metavar="TAG", help="Only with this tag.")]
Channels = Annotated[list[Channel] | None, typer.Option(help="Only of this channel. Repeatable.")]
Directions = Annotated[Direction | None, typer.Option(help="Only those we sent, or got.")]
Since = Annotated[str | None, typer.Option(metavar="WHEN", help="From then on: 24h, 7d, 2026-11-01.")]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="Before then, written in the same way.")]
Words = Annotated[str | None, typer.Option(metavar="TEXT", help="Our id, the provider's, or the number, whole.")]


def message_question(
    *,
    status: Sequence[Status] | None,
    to: str | None,
    from_: str | None,
    account: Sequence[str] | None,
    country: Sequence[str] | None,
    error_code: Sequence[str] | None,
    tag: str | None,
    channel: Sequence[Channel] | None,
    direction: Direction | None,
    since: str | None,
    until: str | None,
    q: str | None,
) -> "MessageQuestion":
    """
    Raises:
        InputInvalid: a moment is none.
    """
    from landed.services.moments import moment
    from landed.services.reading import MessageQuestion

    now = datetime.now(UTC)
    return MessageQuestion(
        accounts=account or (),
        statuses=status or (),
        channels=channel or (),
        direction=direction,
        senders=[from_] if from_ else [],
        recipient=to,
        countries=country or (),
        error_codes=error_code or (),
        tags=[tag] if tag else [],
        since=moment(since, now, field="since") if since else None,
        until=moment(until, now, field="until") if until else None,
        text=q,
    )
