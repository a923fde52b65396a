"""The shapes of what is to be sent: what was accepted, what was refused, and where the rest stands."""

from pydantic import Field

from landed.services.shapes import Moment, Shape


class SegmentsShape(Shape):
    """What a text becomes as SMS, as far as can be told before."""

    encoding: str = Field(examples=["gsm7", "ucs2"])
    characters: int
    units: int = Field(description="septets, or 16-bit units")
    parts: int = Field(description="what will be charged for, most likely")


class AcceptedMessage(Shape):
    """A message that will be sent."""

    id: str = Field(description="ours; `GET /v1/messages/{id}` tells what becomes of it")
    account: str
    from_: str = Field(alias="from")
    to: str = Field(description="E.164")
    channel: str
    status: str = Field(examples=["scheduled"])
    send_at: Moment | None = Field(description="null: as soon as it has its turn")
    segments: SegmentsShape | None = Field(description="null where parts do not count")


class RefusedRecipient(Shape):
    """A recipient whom nothing is sent to, and why."""

    to: str = Field(description="as it was given")
    code: str = Field(examples=["input_invalid", "opted_out"])
    detail: str


class Accepted(Shape):
    """What becomes of a request to send: a message for each recipient that is not refused."""

    data: list[AcceptedMessage]
    refused: list[RefusedRecipient]
    warnings: list[str] = Field(description="what costs more than it has to, for instance")
