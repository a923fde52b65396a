import pytest

from landed.domain.errors import SettingInvalid
from landed.store.sealing import Sealer

SEALER = Sealer("one secret key of thirty-two or more")
OTHER = Sealer("another secret key, as long as that")


@pytest.mark.parametrize("text", ["", "token", "ключ", "a" * 10_000])
def test_what_is_sealed_opens(text: str) -> None:
    assert SEALER.open(SEALER.seal(text)) == text


def test_sealed_is_never_clear_and_never_the_same() -> None:
    assert b"token" not in SEALER.seal("token")
    assert SEALER.seal("token") != SEALER.seal("token")


def test_another_secret_key_does_not_open() -> None:
    with pytest.raises(SettingInvalid, match="LANDED_SECRET_KEY does not fit this database"):
        OTHER.open(SEALER.seal("token"))


@pytest.mark.parametrize("position", [0, 1, 13, -1])
def test_one_bit_changed_does_not_open(position: int) -> None:
    sealed = bytearray(SEALER.seal("token"))
    sealed[position] ^= 1

    with pytest.raises(SettingInvalid):
        SEALER.open(bytes(sealed))


@pytest.mark.parametrize("length", [0, 1, 5, 13, 20])
def test_part_of_it_does_not_open(length: int) -> None:
    with pytest.raises(SettingInvalid):
        SEALER.open(SEALER.seal("token")[:length])


def test_digest_is_the_same_for_the_same_text_and_key_only() -> None:
    assert SEALER.digest("/plivo/status") == SEALER.digest("/plivo/status")
    assert len({SEALER.digest("a"), SEALER.digest("b"), OTHER.digest("a")}) == 3
