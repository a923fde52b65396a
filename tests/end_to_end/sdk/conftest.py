"""The official Plivo SDK for Python, unmodified but for its base URL, and a receiver for what it asks to be called."""

from collections.abc import Iterator

import plivo
import pytest
from plivo.rest import client as sdk

from landed.testing.carrier import LandedCarrier
from tests.end_to_end.sdk.listening import Listener, listening


@pytest.fixture
def client(landed_carrier: LandedCarrier, monkeypatch: pytest.MonkeyPatch) -> plivo.RestClient:
    for name in ("PLIVO_API_BASE_URI", "API_VOICE_BASE_URI"):
        monkeypatch.setattr(sdk, name, landed_carrier.plivo.base_uri)
    return plivo.RestClient(landed_carrier.plivo.auth_id, landed_carrier.plivo.auth_token, timeout=20)


@pytest.fixture
def listener(landed_carrier: LandedCarrier) -> Iterator[Listener]:
    with listening(landed_carrier.plivo.auth_token) as one:
        yield one
