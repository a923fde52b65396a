"""Accounts at providers: made, shown to the provider as a callback URL, and kept safe by rotating tokens and keys."""

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from landed.domain import addresses
from landed.domain.accounts import Account, PathRole, TokenRole
from landed.domain.errors import InputInvalid, NotFound
from landed.providers import registry
from landed.providers.base import Provider
from landed.store import accounts
from landed.store.accounts import Pool
from landed.store.sealing import Sealer

#: Paths that are ours; with everything below them they cannot be an account's own.
RESERVED_PATHS: Final = (
    "/callbacks",
    "/v1",
    "/health",
    "/metrics",
    "/docs",
    "/openapi.json",
    "/redoc",
    "/_sim",
    "/static",
    "/login",
    "/sign-in",
    "/sign-out",
    "/start",
    "/shared",
    "/account",
    "/settings",
)
#: Pages, which would be hidden; what lies below them may be an account's, since callbacks are looked at first.
RESERVED_PAGES: Final = ("/messages", "/live", "/verify", "/10dlc", "/inbound", "/opt-outs", "/alerts")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
#: RFC 3986's characters of a path but for the percent sign: proxies and servers disagree on what to decode.
_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]+")
_PATH_CHARACTERS_MAX: Final = 500
_SECRET: Final = re.compile(r"[\x21-\x7e]{1,500}")
#: RFC 7617: the user has no colon; control characters are none of either's.
_BASIC: Final = re.compile(r"[^\x00-\x1f\x7f:]{1,200}:[^\x00-\x1f\x7f]{1,500}")
_PROVIDER_ACCOUNT_ID: Final = re.compile(r"[\x21-\x7e]{1,200}")


async def add(
    pool: Pool,
    sealer: Sealer,
    providers: Mapping[str, Provider],
    *,
    provider: str,
    name: str,
    provider_account_id: str,
    auth_token: str | None = None,
    main_token: str | None = None,
    basic: str | None = None,
    allowed_addresses: Sequence[str] = (),
    paths: Sequence[str] = (),
    policy: str | None = None,
    now: datetime,
) -> Account:
    """Keep a new account, with a path key of its own.

    Args:
        auth_token: the account's secret, whatever its provider calls it; None only where that asks for none.
        main_token: of the main account above, whose signature then counts too.
        basic: `user:password` that callbacks have to carry as HTTP Basic.
        allowed_addresses: addresses, networks and host names that callbacks may come from; none: from anywhere.
        paths: further whole paths at which its callbacks come, so that URLs set at the provider keep working.
        policy: one of the provider's; None is its default.

    Raises:
        InputInvalid: names the field. Nothing was kept.
    """
    known = registry.named(providers, provider)
    policy = known.policies[0] if policy is None else _valid_policy(provider, known.policies, policy)
    valid_name(name, "account")
    if not _PROVIDER_ACCOUNT_ID.fullmatch(provider_account_id):
        raise InputInvalid(
            "The account's id has to be one word of printable ASCII; copy it from the provider's console.",
            field="provider_account_id",
        )
    given = {TokenRole.ACCOUNT: auth_token, TokenRole.MAIN: main_token, TokenRole.BASIC: basic}
    tokens = [(role, _valid_token(known, role, token)) for role, token in given.items() if token is not None]
    for secret in known.secrets:
        if secret.is_required and given[secret.role] is None:
            raise InputInvalid(f"An account at {provider} needs {secret.meaning}.", field=_FIELDS[secret.role])
    await accounts.add(
        pool,
        sealer,
        name=name,
        provider=provider,
        provider_account_id=provider_account_id,
        policy=policy,
        tokens=tokens,
        paths=[(PathRole.KEY, _new_key()), *((PathRole.OWN, valid_path(path)) for path in dict.fromkeys(paths))],
        allowed_addresses=list(dict.fromkeys(map(valid_address, allowed_addresses))),
    )
    return await accounts.find(pool, sealer, name, now)


async def add_token(
    pool: Pool,
    sealer: Sealer,
    providers: Mapping[str, Provider],
    name: str,
    token: str,
    *,
    role: TokenRole,
    now: datetime,
) -> int:
    """Take one more token, live beside those before it. The first of role `basic` shuts out whoever has none.

    Returns:
        Its id, by which it can be expired.

    Raises:
        InputInvalid: it cannot be one, the provider has none of this role, or the account has it already.
    """
    account = await accounts.find(pool, sealer, name, now)
    _valid_token(registry.named(providers, account.provider), role, token)
    if any(live.value == token and live.role == role and live.expires_at is None for live in account.tokens):
        raise InputInvalid(f"The account {name!r} has this token already.", field="auth_token")
    return await accounts.add_token(pool, sealer, name, role, token)


async def expire_token(
    pool: Pool,
    sealer: Sealer,
    providers: Mapping[str, Provider],
    name: str,
    token_id: int,
    *,
    keep_for: timedelta,
    now: datetime,
) -> Account:
    """Refuse what is signed with that token, from now on or after a while. After the last of role `basic` nobody is
    asked for one any more.

    Raises:
        NotFound: the account has no such live token.
        InputInvalid: no other would be left, and every callback of the account would be refused.
    """
    account = await accounts.find(pool, sealer, name, now)
    expiring = next((token for token in account.tokens if token.id == token_id), None)
    if expiring is None:
        raise NotFound(f"The account {name!r} has no live token {token_id}; `landed accounts show {name}` lists them.")
    lasting = [token.role for token in account.tokens if token.expires_at is None and token.id != token_id]
    required = [secret.role for secret in registry.named(providers, account.provider).secrets if secret.is_required]
    if expiring.role in required and expiring.role not in lasting:
        raise InputInvalid(
            f"Token {token_id} is the last of the account {name!r} that stays live: without it every callback would be"
            f" refused. First `landed accounts add-token {name}`, or `landed accounts disable {name}`.",
            field="token_id",
        )
    await accounts.expire_token(pool, name, token_id, now + keep_for)
    return await accounts.find(pool, sealer, name, now)


async def rotate_key(pool: Pool, sealer: Sealer, name: str, *, keep_for: timedelta, now: datetime) -> Account:
    """Give the account a new path key; the old one is taken for `keep_for` longer."""
    await accounts.rotate_key(pool, sealer, name, _new_key(), now + keep_for)
    return await accounts.find(pool, sealer, name, now)


async def set_policy(
    pool: Pool, sealer: Sealer, providers: Mapping[str, Provider], name: str, policy: str, *, now: datetime
) -> Account:
    """Be as strict about signatures as that policy of the account's provider says, from the next callback on.

    Raises:
        InputInvalid: the provider has no such policy. Nothing changed.
    """
    account = await accounts.find(pool, sealer, name, now)
    policies = registry.named(providers, account.provider).policies
    await accounts.set_policy(pool, name, _valid_policy(account.provider, policies, policy))
    return await accounts.find(pool, sealer, name, now)


async def allow(pool: Pool, name: str, address: str) -> str:
    """Take the account's callbacks from one more address, network or host name; the first shuts all others out.

    Returns:
        It, as it is kept.
    """
    allowed = valid_address(address)
    await accounts.allow(pool, name, allowed)
    return allowed


async def disallow(pool: Pool, sealer: Sealer, name: str, address: str, *, now: datetime) -> Account:
    """Take no more callbacks from there; without the last one they are taken from anywhere again."""
    await accounts.disallow(pool, name, valid_address(address))
    return await accounts.find(pool, sealer, name, now)


async def add_path(pool: Pool, sealer: Sealer, name: str, path: str) -> None:
    await accounts.add_path(pool, sealer, name, valid_path(path))


async def remove_path(pool: Pool, sealer: Sealer, name: str, path: str) -> None:
    await accounts.remove_path(pool, sealer, name, path)


def callback_url(public_url: str, account: Account) -> str:
    """What to give the provider: the newest key's URL."""
    lasting = [path.value for path in account.paths if path.role == PathRole.KEY and path.expires_at is None]
    return path_url(public_url, PathRole.KEY, lasting[-1])


def path_url(public_url: str, role: PathRole, value: str) -> str:
    return f"{public_url}/callbacks/{value}" if role == PathRole.KEY else f"{public_url}{value}"


def valid_name(name: str, thing: str) -> str:
    """The name, if an account or a key may have it."""
    if not _NAME.fullmatch(name):
        raise InputInvalid(
            f"{name!r} cannot be the name of an {thing}; use 1 to 63 of a-z, 0-9, _ and -, beginning with a letter or"
            " digit.",
            field="name",
        )
    return name


def valid_path(path: str) -> str:
    """The path, if an account may have it for its own.

    Raises:
        InputInvalid: it is not a plain absolute path, or it is one of ours.
    """
    segments = path.split("/")
    if (
        not _PATH.fullmatch(path)
        or len(path) > _PATH_CHARACTERS_MAX
        or path.startswith("//")
        or {".", ".."} & set(segments)
    ):
        raise InputInvalid(
            f"{path!r} cannot be a path of an account; give what follows the host in the URL, such as /plivo/status,"
            " without query, fragment, percent signs, spaces or dot segments.",
            field="path",
        )
    for reserved in RESERVED_PATHS:
        if path == reserved or path.startswith(f"{reserved}/"):
            raise InputInvalid(f"{path} cannot be a path of an account: {reserved} is Landed's own.", field="path")
    if path.rstrip("/") in RESERVED_PAGES:
        raise InputInvalid(f"{path} cannot be a path of an account: it is a page of Landed's.", field="path")
    return path


def valid_address(text: str) -> str:
    """The network or host name, in one spelling for each.

    Raises:
        InputInvalid: it is neither.
    """
    allowed = text.strip().lower()
    if (known := addresses.address(allowed)) is not None:
        return str(known)
    if (network := addresses.network(allowed)) is not None:
        return str(network[0]) if network.num_addresses == 1 else str(network)
    host_name = allowed.removesuffix(".")
    if not addresses.is_host_name(host_name):
        raise InputInvalid(
            f"{text!r} is no address; give one such as 203.0.113.7, a network such as 203.0.113.0/24 (without bits"
            " beyond its prefix), or a host name such as callbacks.example.com.",
            field="address",
        )
    return host_name


def _valid_policy(provider: str, policies: Sequence[str], policy: str) -> str:
    if policy not in policies:
        raise InputInvalid(f"{provider} has no policy {policy!r}; there are: {', '.join(policies)}.", field="policy")
    return policy


_FIELDS: Final = {TokenRole.ACCOUNT: "auth_token", TokenRole.MAIN: "main_token", TokenRole.BASIC: "basic"}


def _valid_token(provider: Provider, role: TokenRole, token: str) -> str:
    field = _FIELDS[role]
    if role == TokenRole.BASIC:
        if not _BASIC.fullmatch(token):
            raise InputInvalid(
                "HTTP Basic credentials have to be user:password, the user without a colon, both without control"
                " characters.",
                field=field,
            )
        return token
    if role not in {secret.role for secret in provider.secrets}:
        raise InputInvalid(f"An account at {provider.name} has no {role} token.", field=field)
    if not _SECRET.fullmatch(token):
        raise InputInvalid(
            "The token has to be one word of printable ASCII; copy it from the provider's console.", field=field
        )
    return token


def _new_key() -> str:
    return secrets.token_urlsafe(24)
