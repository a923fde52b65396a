"""Numbers that accounts rent, and the applications that they are given to."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from landed.simulator import draws
from landed.simulator.plivo import answers
from landed.simulator.plivo.answers import Refused, Reply, not_found
from landed.simulator.plivo.api import Resource
from landed.simulator.plivo.parameters import is_number
from landed.simulator.plivo.shared import Ask, Shared
from landed.simulator.plivo.state import Number, Registered

#: Numbers that an account has from the start, from a range for fiction.
RENTED: Final = 3
FOUND_MAX: Final = 40
_PATTERNS: Final = ("1202555010#", "1415555011#", "1512555012#", "1206555013#", "1305555014#")
_FREE: Final = ("1202555015#", "1415555016#", "1617555017#", "1737555018#")
_COUNTRY: Final = "US"


class Numbers:
    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.resources = (
            Resource("GET", "Number/", self.list),
            Resource("GET", "Number/{}/", self.get),
            Resource("POST", "Number/{}/", self.update),
            Resource("DELETE", "Number/{}/", self.give_back),
            Resource("GET", "PhoneNumber/", self.search),
            Resource("POST", "PhoneNumber/{}/", self.rent),
        )

    def of(self, account_id: str) -> dict[str, Number]:
        """All that an account rents: its first ones when it is asked for them."""
        held = self._shared.state.numbers.get(account_id)
        if held is None:
            random, now = self._shared.random("numbers", account_id), self._shared.now()
            drawn = dict.fromkeys(draws.number(random, (pattern,)) for pattern in random.sample(_PATTERNS, RENTED))
            held = {number: Number(number=number, added_at=now - timedelta(days=90)) for number in drawn}
            self._shared.state.numbers[account_id] = held
        return held

    def of_pool(self, account_id: str, recipient: str) -> str:
        """The number that a powerpack sends from: for a recipient always the same."""
        numbers = sorted(self.of(account_id))
        return self._shared.random("pool", account_id, recipient).choice(numbers) if numbers else "12025550100"

    def application_of(self, account_id: str, number: str) -> Registered | None:
        """Of a number, or the account's default one."""
        held = self._shared.state.numbers.get(account_id, {}).get(number)
        applications = self._shared.state.applications
        if held and held.app_id in applications:
            return applications[held.app_id]
        own = [each for each in applications.values() if each.account_id == account_id]
        return next((each for each in own if each.record["default_number_app"]), None)

    def list(self, ask: Ask) -> Reply:
        query = ask.query
        found = [
            number
            for number in self.of(ask.account.id).values()
            if number.number.startswith(query.get("number_startswith", ""))
            and query.get("alias", number.alias) == number.alias
            and query.get("subaccount", number.subaccount) == number.subaccount
            and query.get("type", "local") == "local"
            and query.get("tendlc_campaign_id", self._campaign_of(ask, number)) == self._campaign_of(ask, number)
        ]
        path = f"/v1/Account/{ask.account.id}/Number/"
        return answers.page(path, "objects", found, lambda number: self._record(ask, number), query)

    def get(self, ask: Ask, number: str) -> Reply:
        return Reply(content=self._record(ask, self._held(ask, number)))

    def update(self, ask: Ask, number: str) -> Reply:
        held, given = self._held(ask, number), ask.parameters
        if "app_id" in given:
            held.app_id = self._application(ask, given.text("app_id"))
        held.alias = given.text("alias", held.alias or "") or None
        if "subaccount" in given:
            auth_id = given.text("subaccount")
            held.subaccount = self._shared.sub_account(ask.account, auth_id).id if auth_id else None
        return Reply(status=202, content={"message": "changed"})

    def give_back(self, ask: Ask, number: str) -> Reply:
        del self.of(ask.account.id)[self._held(ask, number).number]
        return Reply(status=204)

    def search(self, ask: Ask) -> Reply:
        """Numbers that could be rented: some of a range for fiction, the same each time."""
        random = self._shared.random("free", ask.account.id)
        taken = self.of(ask.account.id)
        drawn = dict.fromkeys(draws.number(random, _FREE) for _ in range(FOUND_MAX))
        pattern = ask.query.get("pattern", "")
        found = [number for number in drawn if number not in taken and number[1:].startswith(pattern)]
        if ask.query.get("country_iso", _COUNTRY).upper() != _COUNTRY:
            found = []
        path = f"/v1/Account/{ask.account.id}/PhoneNumber/"
        return answers.page(path, "objects", found, lambda number: self._offer(ask, number), ask.query)

    def rent(self, ask: Ask, number: str) -> Reply:
        if not is_number(number):
            raise not_found("number")
        number = number.removeprefix("+")
        if number in self.of(ask.account.id):
            raise Refused(400, f"the number {number} is rented already")
        app_id = ask.parameters.text("app_id") or None
        if app_id:
            app_id = self._application(ask, app_id)
        self.of(ask.account.id)[number] = Number(number=number, added_at=self._shared.now(), app_id=app_id)
        rented = [{"number": number, "status": "Success"}]
        return Reply(status=201, content={"message": "created", "numbers": rented, "status": "fulfilled"})

    def _application(self, ask: Ask, app_id: str) -> str:
        """One of the account's own."""
        application = self._shared.state.applications.get(app_id)
        if application is None or application.account_id != ask.account.id:
            raise not_found("application")
        return app_id

    def _held(self, ask: Ask, number: str) -> Number:
        held = self.of(ask.account.id).get(number.removeprefix("+"))
        if held is None:
            raise not_found("number")
        return held

    def _campaign_of(self, ask: Ask, number: Number) -> str | None:
        main = self._shared.main_of(ask.account)
        link = self._shared.state.links.get((main.id, number.number))
        return link.campaign_id if link and link.status == "COMPLETED" else None

    def _record(self, ask: Ask, number: Number) -> Mapping[str, Any]:
        account, campaign_id = ask.account.id, self._campaign_of(ask, number)
        return {
            "active": True,
            "added_on": number.added_at.date().isoformat(),
            "alias": number.alias,
            "application": f"/v1/Account/{account}/Application/{number.app_id}/" if number.app_id else None,
            "carrier": "Plivo",
            "city": None,
            "country": "United States",
            "mms_enabled": True,
            "mms_rate": "0.00000",
            "monthly_rental_rate": "0.50000",
            "number": number.number,
            "number_type": "local",
            "region": "United States",
            "renewal_date": (number.added_at + timedelta(days=120)).date().isoformat(),
            "resource_uri": f"/v1/Account/{account}/Number/{number.number}/",
            "sms_enabled": True,
            "sms_rate": "0.00000",
            "sub_account": number.subaccount,
            "tendlc_campaign_id": campaign_id,
            "tendlc_registration_status": "COMPLETED" if campaign_id else "UNREGISTERED",
            "toll_free_sms_verification": None,
            "voice_enabled": True,
            "voice_rate": "0.00550",
        }

    def _offer(self, ask: Ask, number: str) -> Mapping[str, Any]:
        return {
            "country": "UNITED STATES",
            "lata": 722,
            "mms_enabled": True,
            "mms_rate": "0.00000",
            "monthly_rental_rate": "0.50000",
            "number": number,
            "prefix": number[1:4],
            "rate_center": None,
            "region": "United States",
            "resource_uri": f"/v1/Account/{ask.account.id}/PhoneNumber/{number}/",
            "restriction": None,
            "restriction_text": None,
            "setup_rate": "0.00000",
            "sms_enabled": True,
            "sms_rate": "0.00000",
            "type": "fixed",
            "voice_enabled": True,
            "voice_rate": "0.00550",
        }
