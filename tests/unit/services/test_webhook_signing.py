"""Signatures as Standard Webhooks say."""

from datetime import UTC, datetime

import pytest

from landed.domain.errors import InputInvalid
from landed.services.webhook_signing import headers, key_of, new_secret


def test_the_published_example_is_signed_alike() -> None:
    # The vector that the reference libraries of Standard Webhooks are tested with.
    signed = headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
    )

    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (signed["webhook-id"], signed["webhook-timestamp"]) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330")


def test_a_new_secret_is_one() -> None:
    assert len(key_of(new_secret())) == 32
    assert new_secret() != new_secret()


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64!", "é" * 40])
def test_what_is_no_secret_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        key_of(secret)
    assert not secret or secret == "whsec_" or secret not in str(refused.value)
