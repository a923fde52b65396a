"""Every event by name, which is what `landed trigger` sends: `provider.thing.word`, the word being the provider's.

The events of one family (`plivo.message`) tell of one thing, so that a whole life of it can be told in order.
"""

import difflib
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from landed.domain.errors import InputInvalid
from landed.simulator.callbacks import events_of_plivo, events_of_routee
from landed.simulator.callbacks.event import Event

LIFECYCLE: Final = "lifecycle"
_ALL: Final = (*events_of_plivo.events(), *events_of_routee.events())
EVENTS: Final = MappingProxyType({event.name: event for event in _ALL})
#: A whole life, by family.
LIFECYCLES: Final = MappingProxyType({
    "plivo.message": ("queued", "sent", "delivered"),
    "plivo.verify": ("queued", "sent", "delivered", "verified"),
    "plivo.brand": ("created", "registered"),
    "plivo.campaign": ("created", "registered"),
    "plivo.number-link": ("created", "success"),
    "plivo.number-unlink": ("created", "success"),
    "routee.message": ("queued", "sent", "delivered"),
    "routee.two-step": ("pending", "verified"),
})  # fmt: skip


def named(name: str, sequence: Sequence[str] = ()) -> list[Event]:
    """The events of a name: one, or a life in order: that of `FAMILY.lifecycle`, or a family's words in `sequence`.

    Raises:
        InputInvalid: there is none of that name, or it needs a sequence, or takes none; says which there are.
    """
    family, _, word = name.rpartition(".")
    if word == LIFECYCLE and family in LIFECYCLES and not sequence:
        return [EVENTS[f"{family}.{each}"] for each in LIFECYCLES[family]]
    if name in EVENTS:
        if sequence:
            raise InputInvalid(
                f"{name} is one event; a sequence is told of a family, such as plivo.message.", field="sequence"
            )
        return [EVENTS[name]]
    words = [event.removeprefix(f"{name}.") for event in EVENTS if event.rpartition(".")[0] == name]
    if words and sequence:
        for each in sequence:
            if each not in words:
                raise InputInvalid(f"{name} has no {each!r}; it has {', '.join(words)}.", field="sequence")
        return [EVENTS[f"{name}.{each}"] for each in sequence]
    if words:
        raise InputInvalid(f"{name} is a family of events; add one of {', '.join(words)}.", field="event")
    raise InputInvalid(_unknown(name), field="event")


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, [*EVENTS, *(f"{each}.{LIFECYCLE}" for each in LIFECYCLES)], n=3, cutoff=0.6)
    meant = f"did you mean {' or '.join(near)}?" if near else "`landed trigger --list` has all of them."
    return f"There is no event {name[:60]!r}; {meant}"
