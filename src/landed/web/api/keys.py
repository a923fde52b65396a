"""Who asks: `Authorization: Bearer KEY`, and what that key may do."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from landed.domain.accounts import ApiKey, Scope
from landed.domain.errors import NotAllowed

Authenticate: TypeAlias = Callable[[str], Awaitable[ApiKey | None]]
#: A dependency that gives the key of the request.
Permitted: TypeAlias = Callable[..., Awaitable[ApiKey]]

_RANK = {scope: rank for rank, scope in enumerate(Scope)}
_bearer = HTTPBearer(auto_error=False, scheme_name="key", description="An API key, made by `landed keys create`.")


def includes(key: ApiKey, scope: Scope) -> bool:
    return _RANK[key.scope] >= _RANK[scope]


def permitted(authenticate: Authenticate, scope: Scope) -> Permitted:
    """A dependency that lets keys of this scope or a greater one pass.

    Raises:
        NotAllowed: 401 without a key or with an unknown one, 403 where its scope is too small.
    """

    async def key_of(
        request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> ApiKey:
        if given is None:
            raise NotAllowed("A key is needed: send `Authorization: Bearer KEY`; `landed keys create` makes one.")
        key = await authenticate(given.credentials)
        if key is None:
            raise NotAllowed("This key is not known, or it was revoked; `landed keys create` makes a new one.")
        request.state.api_key = key  # for the audit log: auditing.py
        if not includes(key, scope):
            raise NotAllowed(f"This key may {key.scope}; this takes one made with `--scope {scope}`.", known=True)
        return key

    return key_of
