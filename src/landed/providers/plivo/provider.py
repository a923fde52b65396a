"""Plivo, as the rest of Landed sees it."""

from collections.abc import Mapping
from typing import Final

from landed.domain.callbacks import CallbackRequest
from landed.domain.meanings import Meaning
from landed.domain.receipts import Receipt
from landed.providers.base import Credentials
from landed.providers.plivo import callbacks, error_codes, signatures


class Plivo:
    name: Final = "plivo"
    policies: Final = tuple(policy.value for policy in signatures.Policy)
    id_option: Final = "auth-id"
    headers_without_body: Final = frozenset({"x-plivo-signature-v2", "x-plivo-signature-ma-v2"})

    def verify(self, request: CallbackRequest, credentials: Credentials) -> tuple[str, ...]:
        return signatures.verified_headers(
            request.method,
            request.url,
            request.headers,
            lambda: callbacks.signed_fields(request),
            credentials.auth_tokens,
            signatures.Policy(credentials.policy),
        )

    def parse(self, request: CallbackRequest) -> list[Receipt]:
        return callbacks.parse(request)

    def nonce(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("x-plivo-signature-v2-nonce")

    def explain(self, error_code: str) -> Meaning:
        return error_codes.explain(error_code)
