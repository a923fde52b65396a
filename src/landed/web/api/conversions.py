"""/v1/messages/{id}/conversion: whether the person did what the message was for."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from landed.domain.accounts import ApiKey
from landed.services.converting import ConversionShape, Converter
from landed.web.api.fields import Id
from landed.web.api.keys import Permitted


class ConversionReport(BaseModel):
    model_config = ConfigDict(extra="forbid")

    converted: bool = Field(description="whether the person did it")
    at: AwareDatetime | None = Field(default=None, description="when; left out: now")


def router(converter: Converter, senders: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/messages", tags=["messages"])

    @routes.post("/{message_id}/conversion", summary="Report whether the person did what the message was for")
    async def report_conversion(
        key: Annotated[ApiKey, Depends(senders)], message_id: Id, report: ConversionReport
    ) -> ConversionShape:
        """Reporting it again changes nothing, and `true` stays true. The provider is told by itself."""
        return await converter.report(message_id, converted=report.converted, at=report.at, account_id=key.account_id)

    return routes
