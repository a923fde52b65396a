"""10DLC: numbers that are linked to a campaign, and unlinked from it."""

from typing import Any, Final

from landed.domain.receipts import Registration
from landed.domain.statuses import Status
from landed.simulator.callbacks import plivo as callbacks
from landed.simulator.callbacks.plivo import digits
from landed.simulator.plivo import answers, vetting
from landed.simulator.plivo.answers import Refused, Reply
from landed.simulator.plivo.api import Resource
from landed.simulator.plivo.campaigns import Campaigns
from landed.simulator.plivo.parameters import is_number
from landed.simulator.plivo.shared import Ask, Shared
from landed.simulator.plivo.state import Link, Registered
from landed.simulator.plivo.vetting import Due, Verdict, Vetting

NUMBERS_MAX: Final = 100
STATUSES: Final = {"created": "PROCESSING", "success": "COMPLETED", "failed": "FAILED"}
TOLD: Final = {record: word for word, record in STATUSES.items()}


class Links:
    def __init__(self, shared: Shared, campaigns: Campaigns) -> None:
        self._shared = shared
        self._campaigns = campaigns
        self._linking = Vetting(shared, "number-link", self._linked)
        self._unlinking = Vetting(shared, "number-unlink", self._unlinked)
        self.resources = (
            Resource("POST", "10dlc/Campaign/{}/Number/", self.link),
            Resource("GET", "10dlc/Campaign/{}/Number/", self.list),
            Resource("GET", "10dlc/Campaign/{}/Number/{}/", self.get),
            Resource("DELETE", "10dlc/Campaign/{}/Number/{}/", self.unlink),
        )

    def link(self, ask: Ask, campaign_id: str) -> Reply:
        campaign, given = self._campaigns.own(ask, campaign_id), ask.parameters
        given.need("numbers")
        numbers = [digits(number) for number in given.texts("numbers", most=NUMBERS_MAX)]
        if not all(map(is_number, numbers)):
            raise Refused(400, "numbers should be a list of numbers in E.164 format")
        if campaign.record["registration_status"] != "ACTIVE":
            raise Refused(400, "the campaign is not registered")
        url, method = given.url(), given.method()
        for number in numbers:
            known = self._shared.state.links.get(self._key(ask, number))
            if known and known.status != "FAILED":
                raise Refused(400, f"the number {number} is linked to a campaign already")
        for number in dict.fromkeys(numbers):
            link = self._shared.state.links[self._key(ask, number)] = Link(
                account_id=ask.account.id,
                campaign_id=campaign_id,
                number=number,
                created_at=self._shared.now(),
                url=url,
                method=method,
            )
            self._shown(link)
            self._plan(self._linking, "link", self._key(ask, number))
        said = "Request to link number(s) was received and is being processed."
        return Reply(status=202, content={"message": said})

    def unlink(self, ask: Ask, campaign_id: str, number: str) -> Reply:
        link = self._own(ask, campaign_id, number)
        given = ask.parameters | ask.query
        url, method = given.url(), given.method()
        if not link.is_unlinking:  # asking twice does it once, and is told where the first asked for
            link.url, link.method, link.status, link.is_unlinking = url, method, "PROCESSING", True
            self._plan(self._unlinking, "unlink", self._key(ask, number))
        said = "Request to unlink number was received and is being processed."
        return Reply(status=202, content={"message": said})

    def list(self, ask: Ask, campaign_id: str) -> Reply:
        campaign = self._campaigns.own(ask, campaign_id)
        found = [link for link in self._shared.state.links.values() if link.campaign_id == campaign_id]
        path = f"/v1/Account/{ask.account.id}/10dlc/Campaign/{campaign_id}/Number/"
        reply = answers.page(path, "phone_numbers", found, self._shown, ask.query)
        return Reply(content={**_head(campaign), **reply.content})

    def get(self, ask: Ask, campaign_id: str, number: str) -> Reply:
        campaign, link = self._campaigns.own(ask, campaign_id), self._own(ask, campaign_id, number)
        return Reply(content={**_head(campaign), "phone_numbers": [self._shown(link)]})

    def _own(self, ask: Ask, campaign_id: str, number: str) -> Link:
        self._campaigns.own(ask, campaign_id)
        link = self._shared.state.links.get(self._key(ask, number))
        if link is None or link.campaign_id != campaign_id:
            raise Refused(404, f"The number {digits(number)} is not linked to this campaign")
        return link

    def _key(self, ask: Ask, number: str) -> tuple[str, str]:
        return self._shared.main_of(ask.account).id, digits(number)

    def _shown(self, link: Link) -> dict[str, Any]:
        truth = vetting.truth(Registration.NUMBER_LINK, link.number, TOLD[link.status])
        self._shared.carrier.told_by_api(truth)
        return {"number": link.number, "status": link.status}

    def _plan(self, news: Vetting, name: str, key: tuple[str, str]) -> None:
        account_id, number = key
        random = self._shared.random(name, *key, self._shared.number_of(name, *key))
        news.plan(f"{account_id}/{number}", random, self._verdict(number, random.random()), "success", "failed")

    def _verdict(self, number: str, drawn: float) -> Verdict:
        outcome = self._shared.outcome(number)
        if outcome and outcome.is_silent:
            return Verdict(None)
        if outcome and outcome.status:
            return Verdict(outcome.status is Status.DELIVERED)
        return Verdict(drawn >= self._shared.carrier.scenario.refused)

    def _linked(self, due: Due) -> None:
        link = self._of(due)
        if link is not None:
            link.status = STATUSES[due.status]
            self._tell(link, due, Registration.NUMBER_LINK)

    def _unlinked(self, due: Due) -> None:
        """A number that could not be unlinked stays linked; one that was is free for another campaign."""
        link = self._of(due)
        if link is None:
            return
        link.status = "PROCESSING" if due.status == "created" else "COMPLETED"
        link.is_unlinking = due.status == "created"
        if due.status == "success":
            account_id, _, number = due.id.partition("/")
            del self._shared.state.links[account_id, number]
        self._tell(link, due, Registration.NUMBER_UNLINK)

    def _of(self, due: Due) -> Link | None:
        account_id, _, number = due.id.partition("/")
        return self._shared.state.links.get((account_id, number))

    def _tell(self, link: Link, due: Due, registration: Registration) -> None:
        is_unlinking = registration is Registration.NUMBER_UNLINK
        nth = self._shared.number_of("number-news", link.account_id, link.number)
        self._shared.tell(
            f"number/{link.account_id}/{link.number}/{nth}",
            f"number_{'unlinking' if is_unlinking else 'linking'}.{due.status}",
            account_id=link.account_id,
            url=link.url,
            method=link.method,
            fields=callbacks.number(link.campaign_id, link.number, due.status, unlinking=is_unlinking),
            truth=vetting.truth(registration, link.number, due.status),
        )


def _head(campaign: Registered) -> dict[str, Any]:
    return {
        "campaign_id": campaign.id,
        "campaign_alias": campaign.record.get("campaign_alias"),
        "usecase": campaign.record["usecase"],
    }
