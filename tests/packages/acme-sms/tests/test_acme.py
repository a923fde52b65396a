"""Acme keeps the contract of Landed's providers."""

from pathlib import Path
from typing import ClassVar

from acme_sms.provider import SIGNATURE, Acme

from landed.domain.callbacks import CallbackRequest
from landed.providers.base import Credentials
from landed.testing import captured
from landed.testing.provider_contract import ProviderContract


class TestAcme(ProviderContract):
    provider = Acme()
    captured_in = Path(__file__).parent / "callbacks"
    credentials = Credentials(auth_tokens=("acme-secret-0815",), policy="signed")
    covers = frozenset({"url", "query", "body", "headers"})
    proof_headers: ClassVar = (SIGNATURE,)

    def callback(self) -> CallbackRequest:
        return captured.read_file(self.captured_in / "arrived.json").request
