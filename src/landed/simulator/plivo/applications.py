"""Applications: here for the address that inbound messages of their numbers go to."""

from typing import Any, Final

from landed.simulator.plivo import answers
from landed.simulator.plivo.answers import Reply, not_found
from landed.simulator.plivo.api import Resource
from landed.simulator.plivo.parameters import Parameters
from landed.simulator.plivo.shared import Ask, Shared
from landed.simulator.plivo.state import Registered

_URLS: Final = ("answer_url", "hangup_url", "fallback_answer_url", "message_url")
_METHODS: Final = ("answer_method", "hangup_method", "fallback_method", "message_method")
_FLAGS: Final = ("default_number_app", "default_endpoint_app", "log_incoming_messages", "public_uri")


class Applications:
    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.resources = (
            Resource("POST", "Application/", self.create),
            Resource("GET", "Application/", self.list),
            Resource("GET", "Application/{}/", self.get),
            Resource("POST", "Application/{}/", self.update),
            Resource("DELETE", "Application/{}/", self.delete),
        )

    def create(self, ask: Ask) -> Reply:
        ask.parameters.need("app_name")
        shared, account_id = self._shared, ask.account.id
        random = shared.random("application", account_id, shared.number_of("application", account_id))
        app_id = str(random.randrange(10**16, 10**17))
        record: dict[str, Any] = {
            "app_id": app_id,
            "app_name": ask.parameters.text("app_name", characters_max=200),
            "default_app": False,
            "enabled": True,
            "resource_uri": f"/v1/Account/{account_id}/Application/{app_id}/",
            "sip_uri": f"sip:{app_id}@app.plivo.com",
            "sub_account": None,
            **dict.fromkeys(_URLS, ""),
            **dict.fromkeys(_METHODS, "POST"),
            **dict.fromkeys(_FLAGS, False),
            "log_incoming_messages": True,
        }
        application = Registered(id=app_id, account_id=account_id, created_at=shared.now(), record=record)
        self._change(application, ask.parameters)
        shared.state.applications[app_id] = application
        return Reply(status=201, content={"app_id": app_id, "message": "created"})

    def list(self, ask: Ask) -> Reply:
        path = f"/v1/Account/{ask.account.id}/Application/"
        wanted = ask.query.get("app_name", "")
        found = [
            each
            for each in self._shared.state.applications.values()
            if each.account_id == ask.account.id and wanted in each.record["app_name"]
        ]
        return answers.page(path, "objects", found, lambda application: application.record, ask.query)

    def get(self, ask: Ask, app_id: str) -> Reply:
        return Reply(content=self._own(ask, app_id).record)

    def update(self, ask: Ask, app_id: str) -> Reply:
        self._change(self._own(ask, app_id), ask.parameters)
        return Reply(status=202, content={"message": "changed"})

    def delete(self, ask: Ask, app_id: str) -> Reply:
        del self._shared.state.applications[self._own(ask, app_id).id]
        return Reply(status=204)

    def _own(self, ask: Ask, app_id: str) -> Registered:
        application = self._shared.state.applications.get(app_id)
        if application is None or application.account_id != ask.account.id:
            raise not_found("application")
        return application

    def _change(self, application: Registered, given: Parameters) -> None:
        record = application.record
        record |= {name: given.url(name) for name in _URLS if name in given}
        record |= {name: given.method(name) for name in _METHODS if name in given}
        record |= {name: given.flag(name) for name in _FLAGS if name in given}
        if record["default_number_app"]:
            for other in self._shared.state.applications.values():
                if other is not application and other.account_id == application.account_id:
                    other.record["default_number_app"] = False
