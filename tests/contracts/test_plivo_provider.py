"""Plivo keeps the provider contract, once for each family of its signatures."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final

from landed.domain.callbacks import CallbackRequest
from landed.providers import forms
from landed.providers.base import Credentials
from landed.providers.plivo.provider import Plivo
from landed.providers.plivo.signatures import sign_v2, sign_v3
from landed.testing.provider_contract import ProofContract, ProviderContract

TOKEN: Final = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"
URL: Final = "https://hooks.example.com/plivo/status?tenant=42"
CAPTURED: Final = Path(__file__).parent.parent / "providers/plivo/callbacks"
BODY: Final = (
    b"Status=delivered&From=14155550100&ParentMessageUUID=83876bdb-2033-4876-bfaf-0ff8693705af&TotalRate=0.0025&MCC=310"
    b"&PartInfo=1+of+1&ErrorCode=&To=14155550123&Units=1&TotalAmount=0.0025&MNC=260"
    b"&MessageUUID=83876bdb-2033-4876-bfaf-0ff8693705af"
)
REQUEST: Final = CallbackRequest(
    method="POST", url=URL, headers={"content-type": "application/x-www-form-urlencoded"}, body=BODY
)


class TestPlivoSignedV2(ProofContract):
    """What Plivo documents for messaging: neither method nor query nor body is covered."""

    provider = Plivo()
    captured_in = CAPTURED
    credentials = Credentials(auth_tokens=(TOKEN,), policy="v2-only")
    covers = frozenset({"url", "headers"})
    proof_headers: ClassVar = ("x-plivo-signature-v2", "x-plivo-signature-ma-v2")

    def callback(self) -> CallbackRequest:
        signature = sign_v2(URL, "55166160534468826372", TOKEN)
        proofs = dict.fromkeys(self.proof_headers, signature)
        headers = {**REQUEST.headers, **proofs, "x-plivo-signature-v2-nonce": "55166160534468826372"}
        return replace(REQUEST, headers=headers)


class TestPlivoSignedV3(ProviderContract):
    """What came in practice: everything is covered."""

    provider = Plivo()
    captured_in = CAPTURED
    credentials = Credentials(auth_tokens=(TOKEN,), policy="v3-preferred")
    covers = frozenset({"method", "url", "query", "body", "headers"})
    proof_headers: ClassVar = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")

    def callback(self) -> CallbackRequest:
        signature = sign_v3("POST", URL, "27423159425947248739", TOKEN, dict(forms.pairs(BODY)))
        proofs = dict.fromkeys(self.proof_headers, signature)
        headers = {**REQUEST.headers, **proofs, "x-plivo-signature-v3-nonce": "27423159425947248739"}
        return replace(REQUEST, headers=headers)
