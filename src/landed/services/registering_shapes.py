"""What is asked for when something is registered for 10DLC, for the API and files alike; and profiles as shown."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from landed.domain.outbound import Address, Contact
from landed.domain.registration_rules import SAMPLES_MAX
from landed.services.shapes import Moment, Shape


def _upper(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


def _words(value: Any) -> Any:
    """Keywords by commas, or a list of them."""
    return ",".join(map(str, value)) if isinstance(value, list) else value


#: PostgreSQL keeps no NUL in text.
Words = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00]*$", strip_whitespace=True)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=5000, pattern=r"^[^\x00]*$", strip_whitespace=True)]
#: A word of a fixed vocabulary: the registry's, in capitals.
Term = Annotated[str, BeforeValidator(_upper), StringConstraints(pattern=r"^[A-Z0-9_]{1,64}$")]
Country = Annotated[str, BeforeValidator(_upper), StringConstraints(pattern=r"^[A-Z]{2}$")]
Keywords = Annotated[Text, BeforeValidator(_words)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account: Words | None = Field(default=None, description="its name; not needed where there is but one that can")


class NewAddress(BaseModel):
    model_config = ConfigDict(extra="forbid")

    street: Words
    city: Words
    state: Words
    postal_code: Words
    country: Country = Field(description="ISO 3166 alpha-2")

    def plain(self) -> Address:
        return Address(**self.model_dump())


class NewContact(BaseModel):
    """Who speaks for the company."""

    model_config = ConfigDict(extra="forbid")

    first_name: Words
    last_name: Words
    email: Words
    phone: Words
    title: Words | None = None
    seniority: Words | None = None

    def plain(self) -> Contact:
        return Contact(**self.model_dump())


class NewProfile(_Asked):
    """Who a brand belongs to."""

    alias: Words = Field(description="what it is called from now on", examples=["acme"])
    customer_type: Annotated[Literal["DIRECT", "RESELLER"], BeforeValidator(_upper)] = "DIRECT"
    entity_type: Annotated[
        Literal["PRIVATE", "PUBLIC", "NON_PROFIT", "GOVERNMENT", "INDIVIDUAL"], BeforeValidator(_upper)
    ]
    company_name: Words
    vertical: Term = Field(examples=["TECHNOLOGY"])
    ein: Words | None = Field(default=None, description="the number that the tax office knows the company by")
    ein_issuing_country: Country | None = None
    address: NewAddress | None = None
    stock_symbol: Words | None = None
    stock_exchange: Words | None = None
    website: Words | None = None
    alt_business_id: Words | None = None
    alt_business_id_type: Annotated[Literal["DUNS", "LEI", "GIIN", "NONE"], BeforeValidator(_upper)] | None = None
    subaccount: Words | None = Field(default=None, description="the provider's id of the sub-account that it is for")
    authorized_contact: NewContact | None = None
    business_contact_email: Words | None = None
    doing_business_as: Words | None = None


class NewBrand(_Asked):
    """Register a company with the registry."""

    alias: Words = Field(description="what it is called from now on", examples=["acme-brand"])
    profile: Words = Field(description="the alias of the profile, our id of it, or the provider's")
    brand_type: Annotated[Literal["STANDARD", "STARTER"], BeforeValidator(_upper)] | None = Field(
        default=None, description="left out: as the provider has it"
    )
    secondary_vetting: bool | None = None
    business_contact_email: Words | None = None


class NewCampaign(_Asked):
    """Register what a brand sends, and how people agreed to it. What is left out is as the provider has it."""

    alias: Words | None = Field(default=None, description="what it is called from now on; left out: our id")
    brand: Words = Field(description="the alias of the brand, our id of it, or the provider's")
    vertical: Term = Field(examples=["TECHNOLOGY"])
    use_case: Term = Field(examples=["2FA", "MIXED"])
    sub_use_cases: list[Term] = Field(default=[], max_length=20)
    description: Text = Field(description="40 characters at least")
    samples: list[Text] = Field(max_length=SAMPLES_MAX, description="2 to 5, of 20 characters at least")
    embedded_link: bool | None = None
    embedded_phone: bool | None = None
    age_gated: bool | None = None
    direct_lending: bool | None = None
    affiliate_marketing: bool | None = None
    subscriber_opt_in: bool | None = None
    subscriber_opt_out: bool | None = None
    subscriber_help: bool | None = None
    message_flow: Text | None = Field(default=None, description="how people come to agree")
    help_message: Text | None = Field(default=None, description="what is answered to HELP")
    opt_in_message: Text | None = None
    opt_out_message: Text | None = Field(default=None, description="what is answered to STOP")
    opt_in_keywords: Keywords | None = Field(default=None, description="by commas")
    opt_out_keywords: Keywords | None = None
    help_keywords: Keywords | None = None
    terms_link: Words | None = None
    privacy_link: Words | None = None
    unchecked: bool = Field(
        default=False, description="send it although it breaks rules of the registry that are known here"
    )


class NewNumbers(BaseModel):
    model_config = ConfigDict(extra="forbid")

    numbers: list[Words] = Field(min_length=1, max_length=100, examples=[["+14155550100"]])
    region: Words | None = Field(default=None, description="ISO 3166 alpha-2: whose numbers without a country are")
    account: Words | None = Field(default=None, description="whose the campaign is, if that is not known")


class ProfileShape(Shape):
    """A profile that was asked for here."""

    id: str
    account: str | None
    provider: str | None
    provider_profile_id: str | None = Field(description="null: the provider's answer is not known")
    alias: str | None
    company_name: str | None
    state: str = Field(examples=["asking", "asked", "refused", "unknown"], description="what became of asking for it")
    error_code: str | None
    error: str | None = Field(description="what was wrong, as a sentence")
    created_at: Moment
    updated_at: Moment


class ProfileList(Shape):
    data: list[ProfileShape]
    next_cursor: str | None


def fields_of(asked: BaseModel, *besides: str) -> dict[str, Any]:
    """What was really said, as JSON values: by this two requests are compared."""
    return asked.model_dump(mode="json", exclude_none=True, exclude={"account", "unchecked", *besides})


def differing(one: dict[str, Any], other: dict[str, Any]) -> Sequence[str]:
    """The names of the fields that are not the same."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
