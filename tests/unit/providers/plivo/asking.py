"""What the tests of the client ask for, and how it goes wrong."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from landed.domain.outbound import (
    Address,
    BrandRequest,
    CampaignRequest,
    Contact,
    Outbound,
    ProfileRequest,
    SessionRequest,
)
from landed.domain.receipts import Channel
from tests.doubles.api import (
    EMPTY_ANSWER,
    ERROR_AFTER,
    ERROR_BEFORE,
    HALF_ANSWER,
    HANG_AFTER,
    HANG_BEFORE,
    HANG_UP_AFTER,
    HANG_UP_BEFORE,
    RESET_AFTER,
    RESET_BEFORE,
    STALLED_ANSWER,
    WRONG_JSON,
    WRONG_SHAPE,
)

OUR_ID: Final = UUID("0199a0de-6f3a-7c1e-9a52-5a6f0d1c2b3a")
SENDER, RECIPIENT = "+12025550000", "+12025551111"
TEXT = "Dear Ms Holm, your parcel waits at the harbour."
CALLBACK_URL = f"https://hooks.example.com/callbacks/k3yOfTheAccount/messages/{OUR_ID}"
NOON: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

#: What may have gone out, and got no readable answer; and whether it was acted upon.
WITHOUT_ANSWER = {
    "hang before": HANG_BEFORE,
    "hang after": HANG_AFTER,
    "reset before": RESET_BEFORE,
    "reset after": RESET_AFTER,
    "hang up before": HANG_UP_BEFORE,
    "hang up after": HANG_UP_AFTER,
    "500 before": ERROR_BEFORE,
    "500 after": ERROR_AFTER,
    "half an answer": HALF_ANSWER,
    "stalled answer": STALLED_ANSWER,
    "no JSON": WRONG_JSON,
    "other JSON": WRONG_SHAPE,
    "empty": EMPTY_ANSWER,
}


def outbound(**changes: Any) -> Outbound:
    given: dict[str, Any] = {
        "id": OUR_ID,
        "channel": Channel.SMS,
        "sender": SENDER,
        "recipient": RECIPIENT,
        "text": TEXT,
        "callback_url": CALLBACK_URL,
    }
    return Outbound(**(given | changes))


def session_request(**changes: Any) -> SessionRequest:
    given: dict[str, Any] = {"id": OUR_ID, "recipient": RECIPIENT, "callback_url": CALLBACK_URL}
    return SessionRequest(**(given | changes))


PROFILE = ProfileRequest(
    alias="acme",
    customer_type="DIRECT",
    entity_type="PRIVATE",
    company_name="Acme Ltd",
    vertical="INSURANCE",
    ein="111111111",
    ein_issuing_country="US",
    address=Address(street="1 Main St", city="New York", state="NY", postal_code="10001", country="US"),
    authorized_contact=Contact(
        first_name="John", last_name="Doe", email="john@example.com", phone="14155550199", title="CEO", seniority="x"
    ),
)


def brand_request(profile_id: str) -> BrandRequest:
    return BrandRequest(
        id=OUR_ID,
        alias="brand",
        provider_profile_id=profile_id,
        brand_type="STANDARD",
        secondary_vetting=True,
        callback_url="https://hooks.example.com/callbacks/k/brands/1",
    )


def campaign_request(brand_id: str, **changes: Any) -> CampaignRequest:
    given: dict[str, Any] = {
        "id": OUR_ID,
        "provider_brand_id": brand_id,
        "alias": "codes",
        "vertical": "INSURANCE",
        "use_case": "MIXED",
        "sub_use_cases": ("2FA", "CUSTOMER_CARE"),
        "description": "One-time codes for those who log in",
        "samples": ("Your code is 1234.", "Your order is out for delivery."),
        "embedded_link": False,
        "subscriber_opt_in": True,
        "opt_out_message": "You hear no more of us.",
        "callback_url": "https://hooks.example.com/callbacks/k/campaigns/1",
    }
    return CampaignRequest(**(given | changes))
