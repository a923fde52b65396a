"""Routee keeps the provider contract. It signs nothing: the address that its callbacks come to is the secret."""

from pathlib import Path
from typing import Final

from landed.domain.callbacks import CallbackRequest
from landed.providers.base import Credentials
from landed.providers.routee.provider import Routee
from landed.testing import captured
from landed.testing.provider_contract import ProviderContract

CAPTURED: Final = Path(__file__).parent.parent / "providers/routee/callbacks"


class TestRoutee(ProviderContract):
    provider = Routee()
    captured_in = CAPTURED
    credentials = Credentials(auth_tokens=("an-application-secret",), policy="unsigned")
    covers = frozenset()

    def callback(self) -> CallbackRequest:
        return captured.read_file(CAPTURED / "routee_sms_delivered.json").request
