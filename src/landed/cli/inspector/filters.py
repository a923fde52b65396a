"""What is typed behind `/`: words such as `verdict:refused`, and any other text is sought in bodies and addresses."""

import shlex
from datetime import datetime
from typing import TYPE_CHECKING, Final

from landed.domain.errors import InputInvalid

if TYPE_CHECKING:
    from landed.services.reading import CallbackQuestion

NAMES: Final = (
    "verdict", "account", "reason", "kind", "status", "method", "verified_by", "message", "since", "until",
)  # fmt: skip


def question(typed: str, now: datetime) -> "CallbackQuestion":
    """What it asks for.

    Raises:
        InputInvalid: a word has no such value.
    """
    from landed.services.moments import moment
    from landed.services.reading import CallbackQuestion
    from landed.store.callback_queries import Verdict

    given: dict[str, list[str]] = {name: [] for name in NAMES}
    texts: list[str] = []
    try:
        words = shlex.split(typed)
    except ValueError:
        words = typed.split()
    for word in words:
        name, colon, value = word.partition(":")
        if colon and value and name in given:
            given[name].append(value)
        else:
            texts.append(word)
    known = {verdict.value: verdict for verdict in Verdict}
    for verdict in given["verdict"]:
        if verdict not in known:
            raise InputInvalid(
                f"There is no verdict {verdict[:40]!r}; give one of {', '.join(known)}.", field="verdict"
            )

    def last(name: str) -> str | None:
        return given[name][-1] if given[name] else None

    since, until, wanted = last("since"), last("until"), last("verdict")
    return CallbackQuestion(
        accounts=given["account"],
        verdict=known[wanted] if wanted else None,
        reasons=given["reason"],
        kinds=given["kind"],
        statuses=given["status"],
        methods=given["method"],
        verified_by=last("verified_by"),
        message=last("message"),
        since=moment(since, now, field="since") if since else None,
        until=moment(until, now, field="until") if until else None,
        text=" ".join(texts) or None,
    )
