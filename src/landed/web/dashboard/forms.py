"""Forms that pages send: `application/x-www-form-urlencoded`, read within a limit."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request

from landed.domain.errors import InputInvalid, RequestTooLarge

BYTES_MAX: Final = 256 * 1024
_FIELDS_MAX: Final = 500
CSRF_FIELD: Final = "csrf_token"
#: For scripts, which send no form.
CSRF_HEADER: Final = "x-csrf-token"


class Form:
    """What a form holds. Text comes without spaces around it."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    def get(self, name: str) -> str | None:
        """The field, None where it is missing or empty."""
        return (self._fields.get(name) or [""])[0].strip() or None

    def text(self, name: str, meaning: str | None = None) -> str:
        """The field, which has to be filled in.

        Raises:
            InputInvalid: it is not; says so in the words of the form.
        """
        value = self.get(name)
        if value is None:
            raise InputInvalid(f"Fill in {meaning or name.replace('_', ' ')}.", field=name)
        return value

    def secret(self, name: str) -> str:
        """The field as it was typed, spaces and all; empty where it is missing."""
        return (self._fields.get(name) or [""])[0]

    def all(self, name: str) -> list[str]:
        """Every value of a field that may be chosen several times."""
        return [value.strip() for value in self._fields.get(name, []) if value.strip()]

    def flag(self, name: str) -> bool:
        """Whether a box is ticked."""
        return bool(self.get(name))


async def read(request: Request) -> Form:
    """The form of a request; an empty one where it carries something else.

    Raises:
        RequestTooLarge: it is over the limit; no more of it was read.
        InputInvalid: it is no form.
    """
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return Form({})
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BYTES_MAX:
            raise RequestTooLarge(f"A form may have {BYTES_MAX} bytes.")
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError as error:
        raise InputInvalid("This form cannot be read.") from error
    if any("\x00" in value for values in fields.values() for value in values):
        raise InputInvalid("This form has characters that no text has.")
    return Form(fields)
