"""What a provider is to Landed: proves who called, and turns its words into ours. Nothing else.

A provider lives in a folder of its own, keeps its words there, and is named in registry.py. Both functions
of a callback are pure and synchronous, so they are easy to test and to fuzz.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from landed.domain.accounts import TokenRole
from landed.domain.callbacks import CallbackRequest
from landed.domain.diagnoses import Case, Finding
from landed.domain.meanings import Meaning
from landed.domain.receipts import AnyReceipt

if TYPE_CHECKING:  # not every process calls providers
    import httpx


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credentials:
    """What proves a callback of one account: every auth token that is live now, and how strict to be.

    While a token is rotated there are two; a main-account token proves what a sub-account sent.
    Who may call at all (addresses, HTTP Basic) is no provider's business: see services/callers.py.
    Never printed: its repr shows no secret.
    """

    auth_tokens: tuple[str, ...]
    policy: str

    def __repr__(self) -> str:
        return f"Credentials(auth_tokens=<{len(self.auth_tokens)}>, policy={self.policy!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret of an account, as `landed accounts add` asks for it."""

    role: TokenRole  #: what it is for: `account` or `main`
    option: str  #: the provider's name for it: `auth-token` is asked for as `--auth-token-file`
    meaning: str  #: what it is, for the help: `the account's auth token`
    is_required: bool  #: whether no account can be without


class Provider(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def is_signed(self) -> bool:
        """Whether it proves its callbacks. Where it does not, the address they come to is the secret."""
        ...

    @property
    def policies(self) -> Sequence[str]:
        """What an account may choose for `policy`; the first is the default."""
        ...

    @property
    def id_option(self) -> str:
        """The provider's name for the account's id, as its console and our CLI write it."""
        ...

    @property
    def secrets(self) -> Sequence[Secret]:
        """What an account has besides its id, one of each role at most; the provider's own names."""
        ...

    @property
    def headers_without_body(self) -> frozenset[str]:
        """Headers whose signature does not cover the body: whose nonce the ledger keeps."""
        ...

    def verify(self, request: CallbackRequest, credentials: Credentials) -> tuple[str, ...]:
        """Prove who sent it.

        Returns:
            The lower-case names of all headers that verify; empty where the provider signs nothing.

        Raises:
            SignatureInvalid: not proven.
            CallbackMalformed: the body cannot be read, and the proof needs it.
        """
        ...

    def parse(self, request: CallbackRequest) -> Sequence[AnyReceipt]:
        """The facts in a callback, which it is told apart by its content.

        Raises:
            CallbackNotUnderstood: it names nothing we can track; the message says what is missing.
            CallbackMalformed: it cannot be read at all.
        """
        ...

    def nonce(self, headers: Mapping[str, str]) -> str | None:
        """The nonce of a signature that does not cover the body, for the ledger."""
        ...

    def is_code(self, error_code: str) -> bool:
        """Whether what a receipt carries as `error_code` is a code, or a reason in the provider's words. The API shows
        the one as `error_code`, the other as `provider_reason`. Any text is taken."""
        ...

    def explain(self, error_code: str) -> Meaning:
        """What an error code means and what to do. Any text is taken: unknown codes are explained as such."""
        ...


@runtime_checkable
class GuardsMedia(Protocol):
    """What a provider has besides, where media of inbound messages may be had for the account's credentials only."""

    @property
    def media_hosts(self) -> frozenset[str]:
        """The provider's own hosts, which alone are told the account's id and auth token, by HTTP Basic."""
        ...


@runtime_checkable
class Signs(Protocol):
    """What a provider has besides, where we can sign as it does: to see that our own rules take it."""

    def sign(self, request: CallbackRequest, auth_token: str) -> Mapping[str, str]:
        """The lower-case headers that prove this callback, in every way there is."""
        ...


@runtime_checkable
class Diagnoses(Protocol):
    """What a provider has besides, where it can tell why a callback's signature does not hold."""

    @property
    def signature_headers(self) -> frozenset[str]:
        """All its headers of a signature, in lower case: whoever signs anew takes them away first."""
        ...

    def diagnose(self, case: Case) -> Sequence[Finding]:
        """What explains it, the likeliest first; nothing where no change that is thought of makes it hold.

        Takes up to a second or two of computing. Never raises for what is in the request.
        """
        ...


@runtime_checkable
class HasApi(Protocol):
    """What a provider has besides, where we can call it."""

    def client(self, *, account_id: str, secret: str, http: "httpx.AsyncClient", base_url: str | None = None) -> object:
        """What calls its API for one account. Which of the protocols of clients.py it keeps, `isinstance` tells.

        Args:
            account_id: what `id_option` names.
            secret: that of the role `account`.
            http: the connections, which all clients share; its time-outs hold. See http.open_client.
            base_url: of a stand-in; None: the provider's own.
        """
        ...
