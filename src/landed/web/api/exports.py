"""/v1/messages/export: message lists as files."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from landed.domain.accounts import ApiKey
from landed.services.message_export import MessageExporter
from landed.web.api import files
from landed.web.api.keys import Permitted
from landed.web.api.messages import MessagesAsked


def router(exporter: MessageExporter, readers: Permitted) -> APIRouter:
    routes = APIRouter(prefix="/v1/messages", tags=["messages"])

    @routes.get(
        "/export",
        summary="All messages of a list as a file",
        response_class=StreamingResponse,
        responses=files.RESPONSES,
    )
    async def export_messages(
        key: Annotated[ApiKey, Depends(readers)], question: MessagesAsked, format_: files.AskedFileFormat
    ) -> StreamingResponse:
        pieces = await exporter.export(question, format_, account_id=key.account_id)
        return files.sent(pieces, format_, "messages")

    return routes
