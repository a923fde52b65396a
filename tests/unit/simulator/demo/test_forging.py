"""What somebody else calls: each kind of forgery is what it says, and refused by Landed's own provider."""

from random import Random

import pytest

from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import SignatureInvalid
from landed.providers.base import Credentials
from landed.providers.plivo.provider import Plivo
from landed.simulator.callbacks import signing
from landed.simulator.callbacks.signing import Request, Tokens
from landed.simulator.demo.forging import _forged
from landed.simulator.items import FORGED, REFUSED, Kind

URL = "https://hooks.example.com/callbacks/k1"
CREDENTIALS = Credentials(auth_tokens=("token",), policy="v3-preferred")
GENUINE = signing.plivo((("Status", "delivered"), ("MessageUUID", "m-1")), URL, tokens=Tokens(account="token"))


def verify(request: Request) -> tuple[str, ...]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Plivo().verify(
        CallbackRequest(method=request.method, url=request.url, headers=headers, body=request.body), CREDENTIALS
    )


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_what_must_be_refused_is_refused(kind: Kind) -> None:
    forged = _forged(GENUINE, kind, Random(1))

    assert forged is not None
    with pytest.raises(SignatureInvalid):
        verify(forged)


def test_a_reused_nonce_comes_with_another_content_and_passes_at_the_door() -> None:
    forged = _forged(GENUINE, Kind.NONCE_REUSED, Random(1))

    assert forged is not None
    assert verify(forged)
    assert forged.headers["X-Plivo-Signature-V2-Nonce"] == GENUINE.headers["X-Plivo-Signature-V2-Nonce"]
    assert b"Status=undelivered" in forged.body


@pytest.mark.parametrize("kind", sorted(FORGED))
def test_where_there_is_nothing_to_lie_about_nothing_is_forged(kind: Kind) -> None:
    harmless = signing.plivo((("Text", "Hello"),), URL, tokens=Tokens(account="token"))

    assert _forged(harmless, kind, Random(1)) is None
