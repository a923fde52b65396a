"""/static: our stylesheet and scripts, and Plotly's script from its package. Each is compressed once."""

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_HERE: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
#: The address has a hash of the contents: what it names never changes.
_FOREVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
PLOTLY: Final = "plotly.min.js"


@dataclass(frozen=True, slots=True)
class _File:
    plain: bytes
    compressed: bytes
    media_type: str
    etag: str


class StaticFiles:
    """Our own files share one version, so that modules find each other by relative paths."""

    def __init__(self) -> None:
        self._reading = asyncio.Lock()

    def version(self, name: str) -> str:
        return metadata.version("plotly") if name == PLOTLY else _version()

    async def answer(self, request: Request, version: str, name: str) -> Response:
        if name == PLOTLY:
            async with self._reading:
                file = await asyncio.to_thread(_plotly)
        elif name in _own():
            file = _own()[name]
        else:
            return Response("There is no such file.\n", 404, media_type="text/plain")
        headers = {
            "cache-control": _FOREVER if version == self.version(name) else _ASK_AGAIN,
            "etag": file.etag,
            "vary": "accept-encoding",
        }
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(file.compressed, headers=headers | {"content-encoding": "gzip"}, media_type=file.media_type)
        plain = await asyncio.to_thread(gzip.decompress, file.compressed) if name == PLOTLY else file.plain
        return Response(plain, headers=headers, media_type=file.media_type)


@cache
def _own() -> Mapping[str, _File]:
    return {
        path.name: _file(path.read_bytes(), path.suffix) for path in sorted(_HERE.iterdir()) if path.suffix in _TYPES
    }


@cache
def _version() -> str:
    return hashlib.sha256("".join(file.etag for file in _own().values()).encode()).hexdigest()[:16]


@cache
def _plotly_path() -> Path:
    found = find_spec("plotly")  # importing it takes 20 MB
    assert found is not None  # noqa: S101  a dependency
    assert found.origin is not None  # noqa: S101
    return Path(found.origin).parent / "package_data" / PLOTLY


@cache
def _plotly() -> _File:
    """Without the plain bytes, which are 5 MB and hardly ever asked for."""
    contents = _plotly_path().read_bytes()
    file = _file(contents, ".js")
    return _File(b"", file.compressed, file.media_type, file.etag)


def _file(contents: bytes, suffix: str) -> _File:
    etag = f'"{hashlib.sha256(contents).hexdigest()[:32]}"'
    return _File(contents, gzip.compress(contents, 6), _TYPES[suffix], etag)
