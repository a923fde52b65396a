"""10DLC: brands, which the registry vets."""

from random import Random
from typing import Any, Final

from landed.domain.receipts import Registration
from landed.simulator import draws
from landed.simulator.callbacks import plivo as callbacks
from landed.simulator.plivo import answers, vetting
from landed.simulator.plivo.answers import Refused, Reply, iso, not_found
from landed.simulator.plivo.api import Resource
from landed.simulator.plivo.profiles import Profiles
from landed.simulator.plivo.shared import Ask, Shared
from landed.simulator.plivo.state import Registered
from landed.simulator.plivo.vetting import Due, Verdict, Vetting

BRAND_TYPES: Final = ("STANDARD", "STARTER")
#: The words of callbacks, and what a record says then.
STATUSES: Final = {"created": "PROCESSING", "registered": "COMPLETED", "rejected": "FAILED"}
TOLD: Final = {record: word for word, record in STATUSES.items()}
_REASON: Final = "EIN does not match the legal name"
#: What campaigns can be for, by the registry's list: name and meaning.
USE_CASES: Final = {
    "2FA": ("2FA", "Codes that people type to prove who they are"),
    "ACCOUNT_NOTIFICATION": ("Account Notification", "News about the state of an account, to its holder"),
    "CUSTOMER_CARE": ("Customer Care", "Support, and talk with customers about what they bought"),
    "DELIVERY_NOTIFICATION": ("Delivery Notification", "Where a delivery is"),
    "FRAUD_ALERT": ("Fraud Alert", "Warnings of suspicious behaviour"),
    "HIGHER_EDUCATION": ("Higher Education", "Messages of colleges and universities"),
    "LOW_VOLUME": ("Low Volume", "Two to five purposes with little traffic"),
    "MARKETING": ("Marketing", "Sales and events"),
    "MIXED": ("Mixed", "Two to five purposes"),
    "POLLING_VOTING": ("Polling Voting", "Surveys and votes that are not political"),
    "PUBLIC_SERVICE_ANNOUNCEMENT": ("Public Service Announcement", "What everybody should know of a matter"),
    "SECURITY_ALERT": ("Security Alert", "Warnings that a system may have been broken into"),
    "STARTER": ("Starter", "All purposes of a starter brand"),
}


class Brands:
    def __init__(self, shared: Shared, profiles: Profiles) -> None:
        self._shared = shared
        self._profiles = profiles
        self._vetting = Vetting(shared, "brand", self._step)
        self.resources = (
            Resource("POST", "10dlc/Brand/", self.create),
            Resource("GET", "10dlc/Brand/", self.list),
            Resource("GET", "10dlc/Brand/{}/", self.get),
            Resource("DELETE", "10dlc/Brand/{}/", self.delete),
            Resource("GET", "10dlc/Brand/{}/usecases/", self.use_cases),
            Resource("POST", "10dlc/Brand/{}/OTP/", self.send_otp),
        )

    def create(self, ask: Ask) -> Reply:
        given = ask.parameters
        given.need("brand_alias", "profile_uuid")
        profile = self._profiles.own(ask, given.text("profile_uuid"))
        alias, account_id, shared = given.text("brand_alias", characters_max=200), ask.account.id, self._shared
        key = ("brand", account_id, alias)
        random = shared.random(*key, shared.number_of(*key))
        brand_id = draws.tcr_id(random, "B")
        record: dict[str, Any] = {
            **{name: profile.record[name] for name in _OF_PROFILE if name in profile.record},
            "brand_alias": alias,
            "brand_id": brand_id,
            "brand_type": given.one_of("brand_type", BRAND_TYPES, "STARTER"),
            "profile_uuid": profile.id,
            "registration_status": "PROCESSING",
            "secondary_vetting": given.flag("secondary_vetting", default=True),
            "created_at": iso(shared.now()),
        }
        brand = Registered(
            id=brand_id,
            account_id=account_id,
            created_at=shared.now(),
            record=record,
            url=given.url(),
            method=given.method(),
        )
        shared.state.brands[brand_id] = brand
        self._vetting.plan(brand_id, random, self._verdict(brand, random), "registered", "rejected")
        self._shown(brand)
        said = "Request to create brand was received and is being processed."
        return Reply(status=202, content={"brand_id": brand_id, "message": said})

    def list(self, ask: Ask) -> Reply:
        query = ask.query
        status = query.get("status") or query.get("registration_status")
        found = [
            brand
            for brand in self._shared.state.brands.values()
            if brand.account_id == ask.account.id
            and status in (None, "", brand.record["registration_status"])
            and query.get("type") in (None, "", brand.record["brand_type"])
        ]
        return answers.page(f"/v1/Account/{ask.account.id}/10dlc/Brand/", "brands", found, self._shown, query)

    def get(self, ask: Ask, brand_id: str) -> Reply:
        return Reply(content={"brand": self._shown(self.own(ask, brand_id))})

    def delete(self, ask: Ask, brand_id: str) -> Reply:
        brand = self.own(ask, brand_id)
        if any(each.record["brand_id"] == brand_id for each in self._shared.state.campaigns.values()):
            raise Refused(400, "the brand has campaigns")
        del self._shared.state.brands[brand.id]
        return Reply(content={"brand_id": brand_id, "message": "Brand Deleted"})

    def use_cases(self, ask: Ask, brand_id: str) -> Reply:
        self.own(ask, brand_id)
        cases = [{"name": name, "code": code, "details": details} for code, (name, details) in USE_CASES.items()]
        return Reply(content={"brand_id": brand_id, "use_cases": cases})

    def send_otp(self, ask: Ask, brand_id: str) -> Reply:
        """For starter brands: somebody at the brand confirms it."""
        self.own(ask, brand_id)
        return Reply(status=202, content={"brand_id": brand_id, "message": "OTP sent"})

    def own(self, ask: Ask, brand_id: str) -> Registered:
        brand = self._shared.state.brands.get(brand_id)
        if brand is None or brand.account_id != ask.account.id:
            raise not_found("brand")
        return brand

    def _verdict(self, brand: Registered, random: Random) -> Verdict:
        record = brand.record
        if str(record.get("ein", "")).replace("-", "") == vetting.NO_EIN:
            return Verdict(is_granted=False, reason=_REASON)
        names = f"{record['brand_alias']} {record.get('company_name', '')}"
        return vetting.by_name(names, random, self._shared.carrier.scenario.refused, _REASON)

    def _shown(self, brand: Registered) -> dict[str, Any]:
        told = TOLD[brand.record["registration_status"]]
        self._shared.carrier.told_by_api(vetting.truth(Registration.BRAND, brand.id, told))
        return brand.record

    def _step(self, due: Due) -> None:
        brand = self._shared.state.brands.get(due.id)
        if brand is None:
            return
        brand.record["registration_status"] = STATUSES[due.status]
        if due.status == "rejected":
            brand.record["declined_reasons"] = [due.reason]
        elif due.status == "registered" and brand.record["secondary_vetting"]:
            score = self._shared.random("score", brand.id).randint(40, 95)
            brand.record |= {"vetting_status": "ACTIVE", "vetting_score": score}
        self._shared.tell(
            f"brand/{brand.id}/{due.status}",
            f"brand.{due.status}",
            account_id=brand.account_id,
            url=brand.url,
            method=brand.method,
            fields=callbacks.brand(brand.id, due.status, reason=due.reason),
            truth=vetting.truth(Registration.BRAND, brand.id, due.status),
        )


_OF_PROFILE: Final = (
    "address", "authorized_contact", "company_name", "doing_business_as", "ein", "ein_issuing_country", "entity_type",
    "stock_exchange", "stock_symbol", "vertical", "website",
)  # fmt: skip
