"""How one callback is shown with all that is known of it, two beside each other, and why one was refused."""

from pydantic import Field

from landed.services.shapes import CallbackShape, CallbackWhole, Shape


class FieldShape(Shape):
    """A name and a value, decoded. A repeated name has a row for each value."""

    name: str
    value: str
    source: str = Field(examples=["query", "body", "header"])


class ThingShape(Shape):
    """What a callback told of, as it stands now."""

    kind: str = Field(examples=["message", "session", "brand", "campaign", "number", "broadcast"])
    id: str
    status: str
    href: str = Field(
        description="where the API shows it", examples=["/v1/messages/0c4be56a-81d1-51b1-b141-e10a24fd88aa"]
    )


class ToldShape(Shape):
    """One receipt: a fact that was read out of the callback."""

    kind: str = Field(examples=["message", "session", "brand", "campaign", "number", "broadcast"])
    provider_id: str | None
    our_id: str | None
    provider_status: str = Field(description="the provider's own word")
    status: str | None = Field(description="in our words; null: a word that is not known")
    thing: ThingShape | None = Field(description="null where nothing of it is tracked (yet)")


class InspectedCallback(CallbackWhole):
    """One callback with what it says, what it became, and others that told of the same."""

    request_line: str = Field(examples=["POST /callbacks/********/messages/42 HTTP/1.1"])
    header_lines: list[FieldShape] = Field(description="the headers one by one, in their order; secrets are masked")
    fields: list[FieldShape] = Field(description="decoded: those of the query, then those of the body")
    fields_problem: str | None = Field(description="why the body has no fields that can be read")
    receipts: list[ToldShape] = Field(description="what is read out of it; of a refused one what would be")
    parse_problem: str | None = Field(description="why nothing is read out of it")
    nonce_first_used_by: str | None = Field(
        description="of one that is set aside for its nonce: the callback that had it first, if it is still kept"
    )
    neighbours: list[CallbackShape] = Field(
        description="other callbacks that told of the same things, the latest first"
    )


class ComparedRow(Shape):
    """One thing of two callbacks, side by side; null where one does not have it."""

    part: str = Field(examples=["request", "header", "field", "verdict"])
    name: str
    a: str | None
    b: str | None
    differs: bool


class Comparison(Shape):
    """Two callbacks side by side, differences first."""

    a: CallbackShape
    b: CallbackShape
    differences: int
    rows: list[ComparedRow]


class FindingShape(Shape):
    """An explanation. `causes` are stable words, several where only together they explain it."""

    causes: list[str] = Field(examples=[["scheme"], ["trailing_slash"], ["body_plus"]])
    sentence: str
    is_proven: bool = Field(description="with this change a signature holds, which nobody can forge")
    details: list[str]


class Diagnosis(Shape):
    """Why a callback was refused or set aside, and what to change."""

    callback_id: str | None
    account: str | None
    provider: str | None
    verdict: str | None
    reason: str | None
    cause: str | None = Field(description="the main cause, a stable word; null: none was found, or nothing is wrong")
    causes: list[str]
    is_proven: bool
    sentence: str = Field(description="what to change, in one sentence")
    details: list[str]
    checks: list[str] = Field(description="where nothing was found: what to look at")
    alternatives: list[FindingShape] = Field(description="what would explain it as well")
    tokens_tried: int
    body_truncated: bool


class ReplayedShape(Shape):
    """What came of taking a callback in again."""

    callback_id: str = Field(description="the one that was replayed")
    outcome: str = Field(
        description="tracked: its facts are in state; set_aside: still; accepted: a refused one that verifies now, and"
        " is in the journal as a callback of its own; refused: it still does not verify",
        examples=["tracked", "set_aside", "accepted", "refused"],
    )
    reason: str | None = Field(description="of one that is still refused or set aside")
    detail: str | None
