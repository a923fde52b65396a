"""What we ask of Plivo, as the JSON its API takes.

Only what cannot be said in it is refused here; what is allowed and what is not, Plivo says. A field that is None is
left out, so that Plivo's default holds.
"""

import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final

from landed.domain.errors import RequestRefused
from landed.domain.outbound import (
    Address,
    BrandRequest,
    CampaignRequest,
    Contact,
    NumberLinkRequest,
    Outbound,
    ProfileRequest,
    SessionRequest,
)
from landed.domain.receipts import Channel

#: Seconds of `message_expiry`. The default, 10,800, is more than the most that can be said.
EXPIRY_S_MIN: Final = 5
EXPIRY_S_MAX: Final = 10_799
SAMPLES_MAX: Final = 5

#: Fields whose words come from a list, and may come back in an error.
VOCABULARY: Final = frozenset({
    "type", "method", "channel", "locale", "brand_type", "customer_type", "entity_type", "vertical", "usecase",
    "sub_usecases", "ein_issuing_country", "country", "alt_business_id_type", "status", "app_uuid", "profile_uuid",
    "brand_id", "powerpack_uuid", "seniority",
})  # fmt: skip
#: No sender is written like this: numbers have no letters, names at most 11 characters.
_POWERPACK: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def message(outbound: Outbound) -> dict[str, Any]:
    """Raises RequestRefused: Plivo has no words for it."""
    if "<" in outbound.recipient:
        raise RequestRefused("Plivo would take this recipient for several: send to one number at a time.")
    if outbound.template is not None and outbound.channel is not Channel.WHATSAPP:
        raise RequestRefused(f"Plivo has templates for WhatsApp alone, not for {outbound.channel}.")
    expiry_s = outbound.expires_after_s
    if expiry_s is not None and expiry_s < EXPIRY_S_MIN:
        raise RequestRefused(f"Plivo keeps a message for {EXPIRY_S_MIN} seconds at least, not {expiry_s}.")
    return _said(
        src=None if _POWERPACK.fullmatch(outbound.sender) else outbound.sender,
        powerpack_uuid=outbound.sender if _POWERPACK.fullmatch(outbound.sender) else None,
        dst=outbound.recipient,
        text=outbound.text,
        type=outbound.channel.value,
        url=outbound.callback_url,
        method=outbound.callback_method,
        trackable=outbound.trackable or None,
        media_urls=list(outbound.media_urls) or None,
        # Beyond the most, the default keeps it nearly as long.
        message_expiry=expiry_s if expiry_s is not None and expiry_s <= EXPIRY_S_MAX else None,
        template=outbound.template,
    )


def session(request: SessionRequest) -> dict[str, Any]:
    """Raises RequestRefused: Plivo has no words for it."""
    if request.text is not None:
        raise RequestRefused(
            "Plivo words the text of a code itself: leave it out, or word it in the Verify application."
        )
    if request.lifetime_s is not None:
        raise RequestRefused("Plivo takes the lifetime of a code from the Verify application: leave it out.")
    return _said(
        recipient=request.recipient,
        channel=request.channel.value,
        app_uuid=request.app,
        url=request.callback_url,
        method=request.callback_method,
        locale=request.locale,
        brand_name=request.brand_name,
        code_length=request.code_length,
        src=request.sender,
    )


def conversion(*, converted: bool, at: datetime) -> dict[str, Any]:
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"status": "CONVERTED" if converted else "NOT_CONVERTED", "timestamp": moment}


def submitted_between(name: str, since: datetime, until: datetime) -> dict[str, str]:
    """The filter of a list by time; Plivo's records are taken to be compared in UTC, whatever zone they show."""
    return {f"{name}__gte": _moment(since), f"{name}__lt": _moment(until)}


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


# --- 10DLC: our names and Plivo's ----------------------------------------------------------------------------------


def profile(request: ProfileRequest) -> dict[str, Any]:
    return _said(
        profile_alias=request.alias,
        customer_type=request.customer_type,
        entity_type=request.entity_type,
        company_name=request.company_name,
        vertical=request.vertical,
        ein=request.ein,
        ein_issuing_country=request.ein_issuing_country,
        address=_plain(request.address),
        stock_symbol=request.stock_symbol,
        stock_exchange=request.stock_exchange,
        website=request.website,
        alt_business_id=request.alt_business_id,
        alt_business_id_type=request.alt_business_id_type,
        plivo_subaccount=request.subaccount,
        authorized_contact=_plain(request.authorized_contact),
        business_contact_email=request.business_contact_email,
        doing_business_as=request.doing_business_as,
    )


def _plain(value: Address | Contact | None) -> dict[str, Any] | None:
    """Both are written as we write them."""
    return None if value is None else _said(**{each.name: getattr(value, each.name) for each in fields(value)})


def brand(request: BrandRequest) -> dict[str, Any]:
    return _said(
        brand_alias=request.alias,
        profile_uuid=request.provider_profile_id,
        brand_type=request.brand_type,
        secondary_vetting=request.secondary_vetting,
        business_contact_email=request.business_contact_email,
        url=request.callback_url,
        method=request.callback_method,
    )


def campaign(request: CampaignRequest) -> dict[str, Any]:
    """Raises RequestRefused: Plivo has no words for it."""
    if len(request.samples) > SAMPLES_MAX:
        raise RequestRefused(f"Plivo takes {SAMPLES_MAX} samples of a campaign at most, not {len(request.samples)}.")
    return _said(
        brand_id=request.provider_brand_id,
        campaign_alias=request.alias,
        vertical=request.vertical,
        usecase=request.use_case,
        sub_usecases=list(request.sub_use_cases) or None,
        description=request.description,
        embedded_link=request.embedded_link,
        embedded_phone=request.embedded_phone,
        age_gated=request.age_gated,
        direct_lending=request.direct_lending,
        affiliate_marketing=request.affiliate_marketing,
        subscriber_optin=request.subscriber_opt_in,
        subscriber_optout=request.subscriber_opt_out,
        subscriber_help=request.subscriber_help,
        **{f"sample{number}": sample for number, sample in enumerate(request.samples, start=1)},
        message_flow=request.message_flow,
        help_message=request.help_message,
        optin_message=request.opt_in_message,
        optout_message=request.opt_out_message,
        optin_keywords=request.opt_in_keywords,
        optout_keywords=request.opt_out_keywords,
        help_keywords=request.help_keywords,
        terms_and_conditions_link=request.terms_link,
        privacy_policy_link=request.privacy_link,
        url=request.callback_url,
        method=request.callback_method,
    )


def number_link(request: NumberLinkRequest) -> dict[str, Any]:
    numbers = [bare(number) for number in request.numbers]
    return _said(numbers=numbers, url=request.callback_url, method=request.callback_method)


def bare(number: str) -> str:
    """Without the plus, as Plivo's records and paths have it."""
    return number.removeprefix("+")


def _said(**content: Any) -> dict[str, Any]:
    return {name: value for name, value in content.items() if value is not None}
