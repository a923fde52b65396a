"""What we ask a provider to do: send a message, verify a person, register a brand, a campaign or a number.

Plain values, whole before anything is sent: the outbox keeps them, and a provider's client reads them. Each carries
our id in its callback URL, so that a callback is matched even when it comes before the answer. Their reprs show ids and
words of fixed vocabularies only: no number, text, name, or callback URL, which holds the account's key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from landed.domain.receipts import AttemptChannel, Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """One message to one number. Numbers are E.164 with the plus; a sender may be a short code or a name."""

    id: UUID  #: ours
    channel: Channel
    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    text: str | None = field(default=None, repr=False)
    media_urls: tuple[str, ...] = field(default=(), repr=False)
    #: WhatsApp: name, language and components, as JSON values
    template: Mapping[str, Any] | None = field(default=None, repr=False)
    expires_after_s: int | None = None  #: give up when it could not be handed over by then
    trackable: bool = False  #: conversions will be reported
    callback_url: str = field(repr=False)
    callback_method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """Verify that a person holds a number."""

    id: UUID  #: ours
    recipient: str = field(repr=False)
    channel: AttemptChannel = AttemptChannel.SMS
    locale: str | None = None  #: the language of the provider's own wording, where it has several
    brand_name: str | None = field(default=None, repr=False)
    code_length: int | None = None
    app: str | None = None  #: the provider's id of a configured application, where it has such
    #: where the provider takes one; `{code}` stands for the code
    text: str | None = field(default=None, repr=False)
    sender: str | None = field(default=None, repr=False)
    lifetime_s: int | None = None
    callback_url: str = field(repr=False)
    callback_method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCheck:
    """What a provider says of our account when asked with its credentials."""

    provider_account_id: str
    name: str | None = None
    balance_nanos: int | None = None
    currency: str | None = None


# --- 10DLC ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    street: str = field(repr=False)
    city: str = field(repr=False)
    state: str = field(repr=False)
    postal_code: str = field(repr=False)
    country: str  #: ISO 3166 alpha-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Who speaks for a company."""

    first_name: str = field(repr=False)
    last_name: str = field(repr=False)
    email: str = field(repr=False)
    phone: str = field(repr=False)
    title: str | None = field(default=None, repr=False)
    seniority: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRequest:
    """Who a brand belongs to. The words of fixed vocabularies are the provider's, in capitals: they are told by the
    registry behind it, and are the same everywhere."""

    alias: str | None = field(default=None, repr=False)
    customer_type: str  #: DIRECT or RESELLER
    entity_type: str  #: PRIVATE, PUBLIC, NON_PROFIT, GOVERNMENT or INDIVIDUAL
    company_name: str = field(repr=False)
    vertical: str
    ein: str | None = field(default=None, repr=False)  #: the number that the tax office knows the company by
    ein_issuing_country: str | None = None
    address: Address | None = None
    stock_symbol: str | None = None
    stock_exchange: str | None = None
    website: str | None = field(default=None, repr=False)
    alt_business_id: str | None = field(default=None, repr=False)
    alt_business_id_type: str | None = None  #: DUNS, LEI, GIIN or NONE
    subaccount: str | None = None  #: the provider's id of the sub-account that it is for
    authorized_contact: Contact | None = None
    business_contact_email: str | None = field(default=None, repr=False)
    doing_business_as: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandRequest:
    """Register a company with the registry."""

    id: UUID  #: ours
    alias: str = field(repr=False)
    provider_profile_id: str
    brand_type: str | None = None  #: STANDARD or STARTER; None: the provider's default
    secondary_vetting: bool | None = None
    business_contact_email: str | None = field(default=None, repr=False)
    callback_url: str = field(repr=False)
    callback_method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRequest:
    """Register what a brand sends, and how people agreed to it. None: the provider's default."""

    id: UUID  #: ours
    provider_brand_id: str
    alias: str | None = field(default=None, repr=False)
    vertical: str
    use_case: str
    sub_use_cases: tuple[str, ...] = ()
    description: str = field(repr=False)
    samples: tuple[str, ...] = field(repr=False)
    embedded_link: bool | None = None
    embedded_phone: bool | None = None
    age_gated: bool | None = None
    direct_lending: bool | None = None
    affiliate_marketing: bool | None = None
    subscriber_opt_in: bool | None = None
    subscriber_opt_out: bool | None = None
    subscriber_help: bool | None = None
    message_flow: str | None = field(default=None, repr=False)  #: how people come to agree
    help_message: str | None = field(default=None, repr=False)
    opt_in_message: str | None = field(default=None, repr=False)
    opt_out_message: str | None = field(default=None, repr=False)
    opt_in_keywords: str | None = field(default=None, repr=False)  #: with commas
    opt_out_keywords: str | None = field(default=None, repr=False)
    help_keywords: str | None = field(default=None, repr=False)
    terms_link: str | None = field(default=None, repr=False)
    privacy_link: str | None = field(default=None, repr=False)
    callback_url: str = field(repr=False)
    callback_method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberLinkRequest:
    """Let numbers send for a campaign."""

    id: UUID  #: ours
    provider_campaign_id: str
    numbers: tuple[str, ...] = field(repr=False)
    callback_url: str = field(repr=False)
    callback_method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberUnlinkRequest:
    """Take a number out of its campaign."""

    id: UUID  #: ours
    provider_campaign_id: str
    number: str = field(repr=False)
    callback_url: str = field(repr=False)
    callback_method: str = "POST"


class Profile(NamedTuple):
    """A profile as the provider lists it."""

    provider_profile_id: str
    alias: str | None
    company_name: str | None
