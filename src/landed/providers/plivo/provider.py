"""Plivo, as the rest of Landed sees it."""

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from landed.domain.accounts import TokenRole
from landed.domain.callbacks import CallbackRequest
from landed.domain.diagnoses import Case, Finding
from landed.domain.meanings import Meaning
from landed.domain.receipts import AnyReceipt
from landed.providers.base import Credentials, Secret
from landed.providers.plivo import callbacks, error_codes, signatures

if TYPE_CHECKING:
    import httpx

    from landed.providers.plivo.client import PlivoClient

_POLICIES: Final = {policy.value: policy for policy in signatures.Policy}  # a third of the time of Policy(text)


class Plivo:
    name: Final = "plivo"
    is_signed: Final = True
    policies: Final = tuple(policy.value for policy in signatures.Policy)
    id_option: Final = "auth-id"
    secrets: Final = (
        Secret(role=TokenRole.ACCOUNT, option="auth-token", meaning="the account's auth token", is_required=True),
        Secret(
            role=TokenRole.MAIN,
            option="main-token",
            meaning="the auth token of the main account above it",
            is_required=False,
        ),
    )
    headers_without_body: Final = frozenset({"x-plivo-signature-v2", "x-plivo-signature-ma-v2"})
    signature_headers: Final = signatures.HEADERS
    #: Where media of inbound messages lie. Its console can demand Basic authentication there.
    media_hosts: Final = frozenset({"media.plivo.com", "api.plivo.com"})

    def verify(self, request: CallbackRequest, credentials: Credentials) -> tuple[str, ...]:
        return signatures.verified_headers(
            request.method,
            request.url,
            request.headers,
            lambda: callbacks.signed_fields(request),
            credentials.auth_tokens,
            _POLICIES[credentials.policy],
        )

    def sign(self, request: CallbackRequest, auth_token: str) -> dict[str, str]:
        nonce = str(secrets.randbelow(10**20)).zfill(20)
        params = callbacks.signed_fields(request)
        v2 = signatures.sign_v2(request.url, nonce, auth_token)
        v3 = signatures.sign_v3(request.method, request.url, nonce, auth_token, params)
        return {
            "x-plivo-signature-v2": v2,
            "x-plivo-signature-ma-v2": v2,
            "x-plivo-signature-v2-nonce": nonce,
            "x-plivo-signature-v3": v3,
            "x-plivo-signature-ma-v3": v3,
            "x-plivo-signature-v3-nonce": nonce,
        }

    def diagnose(self, case: Case) -> Sequence[Finding]:
        from landed.providers.plivo import diagnosis  # only where somebody asks why

        return diagnosis.diagnose(case)

    def parse(self, request: CallbackRequest) -> list[AnyReceipt]:
        return callbacks.parse(request)

    def nonce(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("x-plivo-signature-v2-nonce")

    def is_code(self, error_code: str) -> bool:
        return True

    def explain(self, error_code: str) -> Meaning:
        return error_codes.explain(error_code)

    def client(
        self, *, account_id: str, secret: str, http: "httpx.AsyncClient", base_url: str | None = None
    ) -> "PlivoClient":
        from landed.providers.plivo.client import PlivoClient  # only where it is needed: it loads the HTTP library

        return PlivoClient(account_id=account_id, secret=secret, http=http, base_url=base_url)
