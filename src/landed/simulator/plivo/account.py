"""The account itself, and its sub-accounts."""

from typing import Any, Final

from landed.simulator.plivo import answers
from landed.simulator.plivo.answers import Refused, Reply
from landed.simulator.plivo.api import Resource
from landed.simulator.plivo.shared import Ask, Shared
from landed.simulator.plivo.state import Account, AccountOptions

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_NAME_CHARACTERS_MAX: Final = 200


class Accounts:
    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.resources = (
            Resource("GET", "", self.get),
            Resource("POST", "", self.update),
            Resource("POST", "Subaccount/", self.create_sub),
            Resource("GET", "Subaccount/", self.list_subs),
            Resource("GET", "Subaccount/{}/", self.get_sub),
            Resource("POST", "Subaccount/{}/", self.update_sub),
            Resource("DELETE", "Subaccount/{}/", self.delete_sub),
        )

    def get(self, ask: Ask) -> Reply:
        account = ask.account
        main = self._shared.main_of(account)
        return Reply(
            content={
                "account_type": "standard",
                "address": account.address,
                "auth_id": account.id,
                "auto_recharge": False,
                "billing_mode": "prepaid",
                "cash_credits": f"{main.balance:.5f}",
                "city": account.city,
                "name": account.name or "Local carrier",
                "resource_uri": f"/v1/Account/{account.id}/",
                "state": "",
                "timezone": "Asia/Kolkata",
            }
        )

    def update(self, ask: Ask) -> Reply:
        account, given = ask.account, ask.parameters
        if not any(name in given for name in ("name", "city", "address")):
            raise Refused(400, "one of name, city and address is required")
        account.name = given.text("name", account.name, characters_max=_NAME_CHARACTERS_MAX)
        account.city = given.text("city", account.city, characters_max=_NAME_CHARACTERS_MAX)
        account.address = given.text("address", account.address, characters_max=_NAME_CHARACTERS_MAX)
        return Reply(status=202, content={"message": "changed"})

    # --- sub-accounts ----------------------------------------------------------------------------------------------

    def create_sub(self, ask: Ask) -> Reply:
        ask.parameters.need("name")
        main, shared = self._main(ask), self._shared
        random = shared.random("subaccount", main.id, shared.number_of("subaccount", main.id))
        auth_id = "SA" + "".join(random.choices(_ALPHABET, k=18))
        token = "".join(random.choices(_ALPHABET.lower(), k=40))
        options = AccountOptions(auth_token=token, main_id=main.id, balance="0")
        account = shared.open_account(auth_id, options, name=self._name(ask))
        account.is_enabled = ask.parameters.flag("enabled")
        return Reply(status=201, content={"auth_id": auth_id, "auth_token": token, "message": "created"})

    def list_subs(self, ask: Ask) -> Reply:
        path = f"/v1/Account/{ask.account.id}/Subaccount/"
        found = [
            account
            for account in self._shared.accounts()
            if account.main_id == ask.account.id and not account.is_deleted
        ]
        return answers.page(path, "objects", found, _record, ask.query)

    def get_sub(self, ask: Ask, auth_id: str) -> Reply:
        return Reply(content=_record(self._sub(ask, auth_id)))

    def update_sub(self, ask: Ask, auth_id: str) -> Reply:
        ask.parameters.need("name")
        account = self._sub(ask, auth_id)
        account.name = self._name(ask)
        account.is_enabled = ask.parameters.flag("enabled", default=account.is_enabled)
        return Reply(status=202, content={"message": "changed"})

    def delete_sub(self, ask: Ask, auth_id: str) -> Reply:
        """What it sent stays, and nobody gets in by it."""
        account = self._sub(ask, auth_id)
        account.is_enabled, account.is_deleted = False, True
        return Reply(status=204)

    def _main(self, ask: Ask) -> Account:
        if ask.account.main_id:
            raise Refused(403, "a sub-account has no sub-accounts")
        return ask.account

    def _sub(self, ask: Ask, auth_id: str) -> Account:
        return self._shared.sub_account(ask.account, auth_id)

    def _name(self, ask: Ask) -> str:
        return ask.parameters.text("name", characters_max=_NAME_CHARACTERS_MAX)


def _record(account: Account) -> dict[str, Any]:
    return {
        "account": f"/v1/Account/{account.main_id}/",
        "auth_id": account.id,
        "auth_token": account.token,
        "created": account.created_at.date().isoformat(),
        "enabled": account.is_enabled,
        "modified": None,
        "name": account.name,
        "resource_uri": f"/v1/Account/{account.main_id}/Subaccount/{account.id}/",
    }
