"""10DLC: campaigns of a brand, which the registry vets, too.

It is the registry that refuses what is too short or missing, so the request is taken, and the campaign rejected with
the reason: the documents show requests without what is asked for today.
"""

from typing import Any, Final

from landed.domain.receipts import Registration
from landed.simulator import draws
from landed.simulator.callbacks import plivo as callbacks
from landed.simulator.plivo import answers, vetting
from landed.simulator.plivo.answers import Refused, Reply, iso, not_found
from landed.simulator.plivo.api import Resource
from landed.simulator.plivo.brands import USE_CASES, Brands
from landed.simulator.plivo.parameters import Parameters
from landed.simulator.plivo.shared import Ask, Shared
from landed.simulator.plivo.state import Registered
from landed.simulator.plivo.vetting import Due, Verdict, Vetting

STATUSES: Final = {"created": "PROCESSING", "registered": "ACTIVE", "rejected": "FAILED"}
TOLD: Final = {record: word for word, record in STATUSES.items()}
DESCRIPTION_CHARACTERS_MIN: Final = 40
SAMPLE_CHARACTERS_MIN: Final = 20
_SAMPLES: Final = tuple(f"sample{number}" for number in range(1, 6))
_ASKED_FOR: Final = ("message_flow", "help_message", "optout_message")
_TEXTS: Final = (
    "campaign_alias", "vertical", "description", *_SAMPLES, *_ASKED_FOR, "optin_message", "optin_keywords",
    "optout_keywords", "help_keywords", "reseller_id", "terms_and_conditions_link", "privacy_policy_link",
)  # fmt: skip
_ATTRIBUTES: Final = (
    "embedded_link", "embedded_phone", "age_gated", "direct_lending", "subscriber_optin", "subscriber_optout",
    "subscriber_help", "affiliate_marketing",
)  # fmt: skip
_REASON: Final = "The message flow does not say where people agree"
_ERROR_CODE: Final = "601"
_THROUGHPUT: Final = {
    "AT&T": {"tpm": 240},
    "T-Mobile": {"brand_tier": "LOW"},
    "US Cellular": {"tpm": 240},
    "Verizon Wireless": {"tpm": 240},
}


class Campaigns:
    def __init__(self, shared: Shared, brands: Brands) -> None:
        self._shared = shared
        self._brands = brands
        self._vetting = Vetting(shared, "campaign", self._step)
        self.resources = (
            Resource("POST", "10dlc/Campaign/Import/", self.take_over),
            Resource("POST", "10dlc/Campaign/", self.create),
            Resource("GET", "10dlc/Campaign/", self.list),
            Resource("GET", "10dlc/Campaign/{}/", self.get),
            Resource("POST", "10dlc/Campaign/{}/", self.update),
            Resource("DELETE", "10dlc/Campaign/{}/", self.delete),
        )

    def create(self, ask: Ask) -> Reply:
        given = ask.parameters
        given.need("brand_id", "vertical", "usecase", "description", "sample1", "sample2")
        brand = self._brands.own(ask, given.text("brand_id"))
        if brand.record["registration_status"] != "COMPLETED":
            raise Refused(400, "the brand is not registered")
        use_case = given.one_of("usecase", USE_CASES)
        sub_use_cases = given.texts("sub_usecases", most=5)
        if not set(sub_use_cases) <= set(USE_CASES):
            raise Refused(400, f"sub_usecases should be of {', '.join(USE_CASES)}")
        record = {
            **_read(given),
            "brand_id": brand.id,
            "campaign_attributes": {name: given.flag(name) for name in _ATTRIBUTES},
            "sub_usecase": ",".join(sub_use_cases),
            "usecase": use_case,
        }
        campaign = self._register(ask, record, record.get("campaign_alias", use_case))
        said = "Request to create campaign was received and is being processed."
        return Reply(status=202, content={"campaign_id": campaign.id, "message": said})

    def take_over(self, ask: Ask) -> Reply:
        """A campaign that was registered elsewhere."""
        given = ask.parameters
        given.need("campaign_id", "campaign_alias")
        campaign_id = given.text("campaign_id", characters_max=20)
        if campaign_id in self._shared.state.campaigns:
            raise Refused(409, "the campaign is there already")
        record = {**_read(given), "brand_id": "", "usecase": "MIXED", "sub_usecase": "", "campaign_attributes": {}}
        self._register(ask, record, record["campaign_alias"], campaign_id)
        said = "Request to import campaign was received and is being processed."
        return Reply(status=202, content={"campaign_id": campaign_id, "message": said})

    def _register(self, ask: Ask, told: dict[str, Any], alias: str, imported: str | None = None) -> Registered:
        shared, given, account_id = self._shared, ask.parameters, ask.account.id
        key = ("campaign", account_id, told["brand_id"], alias)
        random = shared.random(*key, shared.number_of(*key))
        campaign_id = imported or draws.tcr_id(random, "C")
        record = {
            "reseller_id": "",
            **told,
            "campaign_id": campaign_id,
            "campaign_source": "imported" if imported else "plivo",
            "created_at": iso(shared.now()),
            "error_code": "",
            "error_description": "",
            "error_reason": "",
            "mno_metadata": _THROUGHPUT,
            "registration_status": "PROCESSING",
        }
        campaign = Registered(
            id=campaign_id,
            account_id=account_id,
            created_at=shared.now(),
            record=record,
            url=given.url(),
            method=given.method(),
        )
        shared.state.campaigns[campaign_id] = campaign
        self._shown(campaign)
        missing = [] if imported else _missing(record)
        verdict = vetting.by_name(alias, random, shared.carrier.scenario.refused, _REASON)
        if missing:
            verdict = Verdict(is_granted=False, reason="; ".join(missing))
        self._vetting.plan(campaign_id, random, verdict, "registered", "rejected")
        return campaign

    def list(self, ask: Ask) -> Reply:
        names = ("brand_id", "registration_status", "usecase", "campaign_source")
        found = [
            campaign
            for campaign in self._shared.state.campaigns.values()
            if campaign.account_id == ask.account.id
            and all(ask.query.get(name) in (None, "", campaign.record[name]) for name in names)
        ]
        path = f"/v1/Account/{ask.account.id}/10dlc/Campaign/"
        return answers.page(path, "campaigns", found, self._shown, ask.query)

    def get(self, ask: Ask, campaign_id: str) -> Reply:
        return Reply(content={"campaign": self._shown(self.own(ask, campaign_id))})

    def update(self, ask: Ask, campaign_id: str) -> Reply:
        campaign = self.own(ask, campaign_id)
        campaign.record |= _read(ask.parameters)
        return Reply(content={"campaign": campaign.record})

    def delete(self, ask: Ask, campaign_id: str) -> Reply:
        campaign = self.own(ask, campaign_id)
        if any(link.campaign_id == campaign.id for link in self._shared.state.links.values()):
            raise Refused(400, "the campaign has numbers")
        del self._shared.state.campaigns[campaign.id]
        return Reply(content={"campaign_id": campaign_id, "message": "Campaign Deactivated"})

    def own(self, ask: Ask, campaign_id: str) -> Registered:
        campaign = self._shared.state.campaigns.get(campaign_id)
        if campaign is None or campaign.account_id != ask.account.id:
            raise not_found("campaign")
        return campaign

    def _shown(self, campaign: Registered) -> dict[str, Any]:
        told = TOLD[campaign.record["registration_status"]]
        self._shared.carrier.told_by_api(vetting.truth(Registration.CAMPAIGN, campaign.id, told))
        return campaign.record

    def _step(self, due: Due) -> None:
        campaign = self._shared.state.campaigns.get(due.id)
        if campaign is None:
            return
        campaign.record["registration_status"] = STATUSES[due.status]
        if due.status == "rejected":
            campaign.record |= {"error_code": _ERROR_CODE, "error_reason": due.reason, "error_description": due.reason}
        self._shared.tell(
            f"campaign/{campaign.id}/{due.status}",
            f"campaign.{due.status}",
            account_id=campaign.account_id,
            url=campaign.url,
            method=campaign.method,
            fields=callbacks.campaign(campaign.id, campaign.record["brand_id"], due.status, reason=due.reason),
            truth=vetting.truth(Registration.CAMPAIGN, campaign.id, due.status),
        )


def _read(given: Parameters) -> dict[str, Any]:
    return {name: given.text(name, characters_max=5000) for name in _TEXTS if name in given}


def _missing(record: dict[str, Any]) -> list[str]:
    """What the registry would not let pass."""
    lengths = {"description": DESCRIPTION_CHARACTERS_MIN} | dict.fromkeys(_SAMPLES, SAMPLE_CHARACTERS_MIN)
    short = [
        f"{name} has {len(record[name])} characters, and needs {least}"
        for name, least in lengths.items()
        if name in record and len(record[name]) < least
    ]
    return short + [f"{name} is missing" for name in _ASKED_FOR if not record.get(name)]
