"""The id of a message is made of who sent it and the provider's id, and stays the same for ever."""

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from landed.domain.receipts import Direction
from landed.store.messages import MessageKey, message_id

NAMESPACE = UUID("1a9ded00-0000-4000-8000-000000000001")
PROVIDER_IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(st.integers(1, 2**31 - 1), PROVIDER_IDS)
def test_it_is_the_version_5_uuid_of_the_key(account_id: int, provider_id: str) -> None:
    outbound = MessageKey(account_id, provider_id, Direction.OUTBOUND)
    inbound = MessageKey(account_id, provider_id, Direction.INBOUND)

    assert message_id(outbound) == uuid5(NAMESPACE, f"{account_id}:{provider_id}")
    assert message_id(inbound) == uuid5(NAMESPACE, f"{account_id}:{provider_id}:inbound")


def test_it_is_ours_where_we_have_one() -> None:
    ours = "0b0f5a4e-6f0a-4c55-9d5c-0d8f6f6d5c11"

    assert message_id(MessageKey(1, "", Direction.OUTBOUND, ours)) == UUID(ours)
