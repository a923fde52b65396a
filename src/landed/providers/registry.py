"""The one table of providers. Others add theirs through the entry point group `landed.providers`."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Final

from landed.domain.errors import InputInvalid
from landed.providers.base import Provider
from landed.providers.plivo.provider import Plivo
from landed.providers.routee.provider import Routee

BUILT_IN: Final[tuple[Provider, ...]] = (Plivo(), Routee())


def load() -> Mapping[str, Provider]:
    """All providers by name: ours, and those that installed packages offer (ours win a name)."""
    offered: dict[str, Provider] = {point.name: point.load()() for point in entry_points(group="landed.providers")}
    return offered | {provider.name: provider for provider in BUILT_IN}


def named(providers: Mapping[str, Provider], name: str) -> Provider:
    """The provider of that name, or InputInvalid that lists the ones there are."""
    if name not in providers:
        raise InputInvalid(
            f"There is no provider {name!r}; there are: {', '.join(sorted(providers))}.", field="provider"
        )
    return providers[name]
