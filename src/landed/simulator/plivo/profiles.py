"""10DLC: profiles of companies, which brands are made from."""

from typing import Any, Final

from landed.simulator.plivo import answers
from landed.simulator.plivo.answers import Refused, Reply, not_found
from landed.simulator.plivo.api import Resource
from landed.simulator.plivo.parameters import Parameters
from landed.simulator.plivo.shared import Ask, Shared
from landed.simulator.plivo.state import Registered

CUSTOMER_TYPES: Final = ("DIRECT", "RESELLER")
ENTITY_TYPES: Final = (
    "PRIVATE", "PUBLIC", "NON_PROFIT", "GOVERNMENT", "INDIVIDUAL", "PRIVATE_PROFIT", "PUBLIC_PROFIT", "SOLE_PROPRIETOR",
)  # fmt: skip
ID_TYPES: Final = ("DUNS", "LEI", "GIIN", "NONE")
_TEXTS: Final = (
    "profile_alias", "company_name", "vertical", "ein", "ein_issuing_country", "stock_symbol", "stock_exchange",
    "website", "alt_business_id", "plivo_subaccount", "business_contact_email", "doing_business_as",
)  # fmt: skip


class Profiles:
    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.resources = (
            Resource("POST", "Profile/", self.create),
            Resource("GET", "Profile/", self.list),
            Resource("GET", "Profile/{}/", self.get),
            Resource("POST", "Profile/{}/", self.update),
            Resource("DELETE", "Profile/{}/", self.delete),
        )

    def create(self, ask: Ask) -> Reply:
        given = ask.parameters
        given.need("customer_type", "entity_type", "company_name", "vertical")
        shared, account_id = self._shared, ask.account.id
        uuid = shared.uuid("profile", account_id, shared.number_of("profile", account_id))
        record = {"profile_type": "SECONDARY", "profile_uuid": uuid, **_read(given)}
        profile = Registered(id=uuid, account_id=account_id, created_at=shared.now(), record=record)
        shared.state.profiles[uuid] = profile
        return Reply(status=201, content={"profile_uuid": uuid, "message": "Profile created successfully."})

    def list(self, ask: Ask) -> Reply:
        found = [each for each in self._shared.state.profiles.values() if each.account_id == ask.account.id]
        path = f"/v1/Account/{ask.account.id}/Profile/"
        return answers.page(path, "profiles", found, lambda profile: profile.record, ask.query)

    def get(self, ask: Ask, uuid: str) -> Reply:
        return Reply(content={"profile": self.own(ask, uuid).record})

    def update(self, ask: Ask, uuid: str) -> Reply:
        profile = self.own(ask, uuid)
        profile.record |= _read(ask.parameters)
        return Reply(status=202, content={"profile": profile.record})

    def delete(self, ask: Ask, uuid: str) -> Reply:
        profile = self.own(ask, uuid)
        if any(brand.record["profile_uuid"] == profile.id for brand in self._shared.state.brands.values()):
            raise Refused(400, "the profile has brands")
        del self._shared.state.profiles[profile.id]
        return Reply(status=204)

    def own(self, ask: Ask, uuid: str) -> Registered:
        profile = self._shared.state.profiles.get(uuid)
        if profile is None or profile.account_id != ask.account.id:
            raise not_found("profile")
        return profile


def _read(given: Parameters) -> dict[str, Any]:
    """Raises Refused: a value is none that it may be."""
    record: dict[str, Any] = {name: given.text(name, characters_max=500) for name in _TEXTS if name in given}
    for name, allowed in (
        ("customer_type", CUSTOMER_TYPES),
        ("entity_type", ENTITY_TYPES),
        ("alt_business_id_type", ID_TYPES),
    ):
        if name in given:
            record[name] = given.one_of(name, allowed)
    return record | {name: given.table(name) for name in ("address", "authorized_contact") if name in given}
