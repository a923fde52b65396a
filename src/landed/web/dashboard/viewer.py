"""Who looks at a page, and what refuses those who may not."""

from dataclasses import dataclass
from typing import Final

from landed.domain.errors import LandedError
from landed.domain.users import Role


class SignInNeeded(LandedError):
    """Nobody is signed in with this browser."""

    code = "sign_in_needed"


class Forbidden(LandedError):
    """The viewer's role is too small, or the request was not sent by a page of ours."""

    code = "forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks at a page. A guest came by a shared link, and has no name."""

    name: str
    role: Role
    is_guest: bool = False

    def may(self, role: str) -> bool:
        """Whether the viewer has that role or a greater one."""
        return not self.is_guest and self.role.includes(Role(role))

    @property
    def may_see_numbers(self) -> bool:
        return self.may(Role.OPERATOR)


GUEST: Final = Viewer(name="guest", role=Role.VIEWER, is_guest=True)
