"""What a provider is to Landed: proves who called, and turns its words into ours. Nothing else.

A provider lives in a folder of its own, keeps its words there, and is named in registry.py. Both functions
of a callback are pure and synchronous, so they are easy to test and to fuzz.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from landed.domain.callbacks import CallbackRequest
from landed.domain.meanings import Meaning
from landed.domain.receipts import AnyReceipt


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credentials:
    """What proves a callback of one account: every auth token that is live now, and how strict to be.

    While a token is rotated there are two; a main-account token proves what a sub-account sent.
    Never printed: its repr shows no secret.
    """

    auth_tokens: tuple[str, ...]
    policy: str

    def __repr__(self) -> str:
        return f"Credentials(auth_tokens=<{len(self.auth_tokens)}>, policy={self.policy!r})"


class Provider(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def policies(self) -> Sequence[str]:
        """What an account may choose for `policy`; the first is the default."""
        ...

    @property
    def id_option(self) -> str:
        """The provider's name for the account's id, as its console and our CLI write it."""
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

    def explain(self, error_code: str) -> Meaning:
        """What an error code means and what to do. Any text is taken: unknown codes are explained as such."""
        ...
