"""Routee, as the rest of Landed sees it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from landed.domain.accounts import TokenRole
from landed.domain.callbacks import CallbackRequest
from landed.domain.meanings import Meaning
from landed.domain.receipts import AnyReceipt
from landed.providers.base import Credentials, Secret
from landed.providers.routee import callbacks, error_codes

if TYPE_CHECKING:
    import httpx

    from landed.providers.routee.client import RouteeClient


class Routee:
    name: Final = "routee"
    is_signed: Final = False
    policies: Final = ("unsigned",)
    id_option: Final = "application-id"
    #: Only sending needs it.
    secrets: Final = (
        Secret(
            role=TokenRole.ACCOUNT,
            option="application-secret",
            meaning="the application's secret, which only sending needs",
            is_required=False,
        ),
    )
    headers_without_body: Final[frozenset[str]] = frozenset()

    def verify(self, request: CallbackRequest, credentials: Credentials) -> tuple[str, ...]:
        return ()  # nothing is signed: the address of the account is the secret, and the door has looked at that

    def parse(self, request: CallbackRequest) -> list[AnyReceipt]:
        return callbacks.parse(request)

    def nonce(self, headers: Mapping[str, str]) -> str | None:
        return None

    def is_code(self, error_code: str) -> bool:
        return error_code.isdecimal()  # of its API; what its callbacks tell is a reason in words

    def explain(self, error_code: str) -> Meaning:
        return error_codes.explain(error_code)

    def client(
        self, *, account_id: str, secret: str, http: "httpx.AsyncClient", base_url: str | None = None
    ) -> "RouteeClient":
        from landed.providers.routee.client import RouteeClient  # only where it is needed: it loads the HTTP library

        return RouteeClient(account_id=account_id, secret=secret, http=http, base_url=base_url)
