"""Answers as files: in which format they are wanted, and how they are sent."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Header, Query
from fastapi.responses import StreamingResponse

from landed.services.exporting import MEDIA_TYPES, Format

#: A file holds what strangers wrote: no browser shows it or takes it for something else.
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store",
}
_TYPES: Final = {media_type.partition(";")[0]: format_ for format_, media_type in MEDIA_TYPES.items()}
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
#: Of routes that answer in JSON as well.
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {name: _BINARY for name, format_ in _TYPES.items() if format_ is not Format.JSON}}
}


def _format(
    format_: Annotated[
        Format | None, Query(alias="format", description="json, csv or parquet; without it, what `Accept` names")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Format:
    if format_ is not None:
        return format_
    named = (part.partition(";")[0].strip().lower() for part in accept.split(","))
    return next((_TYPES[name] for name in named if name in _TYPES), Format.JSON)


def _file_format(
    format_: Annotated[
        Literal[Format.CSV, Format.PARQUET] | None,
        Query(alias="format", description="csv or parquet; without it, what `Accept` names, or csv"),
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Format:
    found = _format(format_, accept)
    return Format.CSV if found is Format.JSON else found


AskedFormat = Annotated[Format, Depends(_format)]
#: Of routes that only give files.
AskedFileFormat = Annotated[Format, Depends(_file_format)]


def sent(pieces: AsyncIterator[bytes], format_: Format, name: str) -> StreamingResponse:
    """A download with this name before its ending."""
    headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{name}.{format_}"'}
    return StreamingResponse(pieces, media_type=MEDIA_TYPES[format_], headers=headers)
