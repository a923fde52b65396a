"""Whether an account would work: its credentials, the address that its provider is to call, and its signatures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field

from landed.domain import addresses, money
from landed.domain.accounts import Account, TokenRole
from landed.domain.callbacks import CallbackRequest
from landed.domain.errors import LandedError, SendFailed
from landed.domain.words import Word
from landed.providers.base import HasApi, Provider, Signs
from landed.providers.clients import ChecksAccount
from landed.services.accounts import callback_url
from landed.services.calling import secret_of
from landed.services.receiving import Directory
from landed.services.shapes import Shape

if TYPE_CHECKING:
    import httpx

#: What our own door answers to a request that proves nothing, by its code; see web/callbacks.py.
_REFUSED_AT_THE_DOOR: Final = frozenset({"signature_invalid", "caller_not_allowed", "method_not_allowed"})
_FORM: Final = "application/x-www-form-urlencoded"
#: A callback like no other, which is verified and goes nowhere.
_BODY: Final = b"MessageUUID=landed-check&Status=sent"
_KIND_AND_ID: Final = "/messages/landed-check"


class CheckStatus(Word):
    OK = "ok"
    WARN = "warn"  #: it works, and something is to be known
    FAIL = "fail"


class CheckShape(Shape):
    """One thing that was looked at."""

    name: str = Field(examples=["credentials", "callback_url", "signatures"])
    status: str = Field(examples=[status.value for status in CheckStatus])
    detail: str = Field(description="what was found")
    advice: str | None = Field(description="what to do; null where nothing is to be done")


class AccountCheckShape(Shape):
    """Whether an account would work."""

    account: str
    provider: str
    ok: bool = Field(description="nothing failed")
    checks: list[CheckShape]


class _Check(NamedTuple):
    name: str
    status: CheckStatus
    detail: str
    advice: str | None = None


async def check(
    account: Account,
    providers: Mapping[str, Provider],
    *,
    public_url: str,
    http: "httpx.AsyncClient",
    base_urls: Mapping[str, str],
) -> AccountCheckShape:
    """Look at everything there is to an account. Only its provider and our own public address are asked.

    Args:
        account: with its live tokens and paths.
        base_urls: by name of the provider: of stand-ins for it.
    """
    provider = providers.get(account.provider)
    if provider is None:
        checks = [
            _Check(
                "account",
                CheckStatus.FAIL,
                f"No provider {account.provider!r} is installed.",
                "Install the package that offers it.",
            )
        ]
    else:
        checks = [
            _account(account),
            *await _credentials(account, provider, http, base_urls.get(account.provider)),
            _public_url(public_url),
            await _callback_url(account, provider, public_url, http),
            _signatures(account, provider, providers, public_url),
            *_callers(account),
        ]
    return AccountCheckShape(
        account=account.name,
        provider=account.provider,
        ok=all(each.status is not CheckStatus.FAIL for each in checks),
        checks=[CheckShape(**each._asdict()) for each in checks],
    )


def _account(account: Account) -> _Check:
    if account.disabled_at is not None:
        return _Check(
            "account",
            CheckStatus.FAIL,
            "It is disabled: all its callbacks are refused.",
            f"Take it into use again: `landed accounts enable {account.name}`.",
        )
    return _Check("account", CheckStatus.OK, "It is in use.")


async def _credentials(
    account: Account, provider: Provider, http: "httpx.AsyncClient", base_url: str | None
) -> Sequence[_Check]:
    name = "credentials"
    secret = secret_of(account)
    if secret is None or not isinstance(provider, HasApi):
        missing = "It has no secret" if secret is None else f"{provider.name} has no API here"
        told = f"{missing}: callbacks are taken, nothing can be sent or asked for."
        advice = f"To send: `landed accounts add-token {account.name} --auth-token-file FILE`."
        return [_Check(name, CheckStatus.WARN, told, advice if secret is None else None)]
    client = provider.client(account_id=account.provider_account_id, secret=secret, http=http, base_url=base_url)
    if not isinstance(client, ChecksAccount):
        return [_Check(name, CheckStatus.WARN, f"{provider.name} cannot be asked whether they hold.")]
    try:
        found = await client.check_account()
    except SendFailed as error:
        advice = (
            f"Try again in a while; see whether this machine reaches {provider.name}."
            if error.retryable
            else f"Compare id and secret with {provider.name}'s console; `landed accounts add-token {account.name}`"
            " takes another secret."
        )
        return [_Check(name, CheckStatus.FAIL, str(error), advice)]
    if found.provider_account_id != account.provider_account_id:
        told = f"{provider.name} knows this account as {found.provider_account_id}, and not by the id that is kept."
        return [_Check(name, CheckStatus.WARN, told, "See whether id and secret belong to the same account.")]
    named = f" ({found.name})" if found.name else ""
    checks = [_Check(name, CheckStatus.OK, f"{provider.name} knows them{named}.")]
    if found.balance_nanos is not None:
        amount = f"{money.text(found.balance_nanos)} {found.currency or ''}".rstrip()
        if found.balance_nanos > 0:
            checks.append(_Check("balance", CheckStatus.OK, f"There is {amount} left."))
        else:
            checks.append(_Check("balance", CheckStatus.WARN, f"There is {amount} left.", "Top the account up."))
    return checks


def _public_url(public_url: str) -> _Check:
    name = "public_url"
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    found = addresses.address(host)
    if host == "localhost" or host.endswith(".localhost") or (found is not None and found.is_loopback):
        return _Check(
            name,
            CheckStatus.WARN,
            f"{host} is this machine: no provider reaches it from outside.",
            "Set LANDED_PUBLIC_URL to the address that Landed has there, such as https://landed.example.com.",
        )
    if found is not None and not found.is_global:
        return _Check(
            name,
            CheckStatus.WARN,
            f"{host} is an address of a private network: no provider reaches it from outside.",
            "Set LANDED_PUBLIC_URL to the address that Landed has there, such as https://landed.example.com.",
        )
    if parts.scheme != "https":
        return _Check(
            name,
            CheckStatus.WARN,
            "It is not https: callbacks travel where others can read them, and the account's key with them.",
            "Put a proxy with a certificate in front, and set LANDED_PUBLIC_URL to its https address.",
        )
    return _Check(name, CheckStatus.OK, f"Providers call https://{parts.netloc}.")


async def _callback_url(account: Account, provider: Provider, public_url: str, http: "httpx.AsyncClient") -> _Check:
    """Knock at our own door from outside: it refuses whoever proves nothing, in words that only it has."""
    import httpx

    name = "callback_url"
    # Where nothing is signed a GET would be taken for a callback, and kept.
    method = "GET" if provider.is_signed else "HEAD"
    try:
        answer = await http.request(method, callback_url(public_url, account), follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:  # its text and its request hold the account's key
        failed = type(error).__name__
        return _Check(
            name,
            CheckStatus.FAIL,
            f"{urlsplit(public_url).netloc} cannot be reached from here: {failed}.",
            "See that Landed runs, and that name, port, certificate and proxy of LANDED_PUBLIC_URL are right. A network"
            " that lets nobody call it from inside fails this, too.",
        )
    status = answer.status_code
    if status in (301, 302, 303, 307, 308):
        return _Check(
            name,
            CheckStatus.FAIL,
            f"It leads elsewhere (HTTP {status}): providers do not follow, or sign another address.",
            "Set LANDED_PUBLIC_URL to where it leads, https instead of http for one.",
        )
    if _is_our_door(answer, method):
        return _Check(name, CheckStatus.OK, f"Our own door answers there (HTTP {status}), and lets no stranger in.")
    if status == 404:
        return _Check(
            name,
            CheckStatus.FAIL,
            "What answers there does not know this account's key (HTTP 404).",
            "See that the proxy in front passes /callbacks/ on with its whole path, to the Landed with this database.",
        )
    if status == 503:
        return _Check(
            name,
            CheckStatus.FAIL,
            "It cannot take callbacks now (HTTP 503).",
            "See whether Landed and its database run: /health/ready tells.",
        )
    return _Check(
        name,
        CheckStatus.FAIL,
        f"Something else than Landed answers there (HTTP {status}).",
        "See where LANDED_PUBLIC_URL leads, and that nothing in front asks for a login or shows a page of its own.",
    )


def _is_our_door(answer: "httpx.Response", method: str) -> bool:
    if answer.headers.get("content-type", "").partition(";")[0] != "application/problem+json":
        return False
    if method == "HEAD":
        return answer.status_code == 405 and answer.headers.get("allow", "").replace(" ", "") == "GET,POST"
    try:
        problem = answer.json()
    except ValueError:
        return False
    return isinstance(problem, dict) and problem.get("code") in _REFUSED_AT_THE_DOOR


def _signatures(account: Account, provider: Provider, providers: Mapping[str, Provider], public_url: str) -> _Check:
    """Sign a callback with each token as the provider does, and verify it as the door does."""
    name = "signatures"
    if not provider.is_signed:
        return _Check(
            name,
            CheckStatus.WARN,
            f"{provider.name} signs nothing: whoever knows the callback URL can tell Landed anything.",
            "Keep the URL secret; HTTP Basic (`landed accounts add-token --basic-file`) or allowed addresses"
            " (`landed accounts add-address`) keep others out.",
        )
    if not isinstance(provider, Signs):
        return _Check(name, CheckStatus.WARN, f"Landed cannot sign as {provider.name} does, so this was not tried.")
    directory = Directory(providers)
    directory.replace([account])
    url = callback_url(public_url, account)
    entry = directory.by_key(url.rpartition("/")[2])
    if entry is None:
        return _Check(name, CheckStatus.FAIL, "Its callbacks are refused, however they are signed.")
    verified: set[str] = set()
    tokens = [token for token in account.tokens if token.role is not TokenRole.BASIC]
    for token in tokens:
        request = CallbackRequest(method="POST", url=url + _KIND_AND_ID, headers={"content-type": _FORM}, body=_BODY)
        signed = CallbackRequest(
            method=request.method,
            url=request.url,
            headers={**request.headers, **provider.sign(request, token.value)},
            body=request.body,
        )
        try:
            verified.update(provider.verify(signed, entry.credentials))
        except LandedError as error:
            return _Check(
                name,
                CheckStatus.FAIL,
                f"A callback signed with the {token.role} token {token.id} is refused: {error}",
                f"See the account's policy: `landed accounts show {account.name}`.",
            )
    if not tokens:
        return _Check(
            name,
            CheckStatus.FAIL,
            "It has no token, so that every callback is refused.",
            f"`landed accounts add-token {account.name} --auth-token-file FILE` takes one.",
        )
    held = ", ".join(sorted(verified))
    return _Check(
        name,
        CheckStatus.OK,
        f"What is signed with {'its token' if len(tokens) == 1 else 'each of its tokens'} is taken ({held}).",
    )


def _callers(account: Account) -> Sequence[_Check]:
    """Who may call, where that is limited."""
    asked = [f"from {', '.join(account.allowed_addresses)}"] if account.allowed_addresses else []
    if any(token.role is TokenRole.BASIC for token in account.tokens):
        asked.append("with HTTP Basic credentials")
    if not asked:
        return ()
    return [_Check("callers", CheckStatus.OK, f"Callbacks are taken {' and '.join(asked)} only.")]
