"""Opt-outs: who does not want to hear from which of our numbers. A pure function of the set of facts known about it.

A person says so with a word (`STOP`), and takes it back with another (`START`). It holds for the number of ours that
it was sent to, and for the person's number, on every channel. The latest fact decides.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from landed.domain.facts import Heard, hear
from landed.domain.receipts import Content, Direction, Intent, Receipt, Telling
from landed.domain.words import Word

#: What is recognised where it is all that a message says, in capitals, without accents, spaces and hyphens.
#: In English: what Plivo handles (STOP, END, QUIT, CANCEL, UNSUBSCRIBE, UNSUB, STOP ALL; START, UNSTOP; HELP), what
#: 47 CFR 64.1200(a)(10) adds for the USA (REVOKE, OPT OUT), and WhatsApp's usual button. Then the word that is printed
#: on messages in French, German, Spanish and Portuguese. `YES` opts nobody in: it answers all kinds of questions.
KEYWORDS: Final[Mapping[str, Intent]] = {
    **dict.fromkeys(
        (
            "STOP", "STOPALL", "END", "QUIT", "CANCEL", "UNSUBSCRIBE", "UNSUB", "REVOKE", "OPTOUT", "STOPPROMOTIONS",
            "ARRET", "STOPP", "BAJA", "ALTO", "PARAR", "SAIR",
        ),
        Intent.OPT_OUT,
    ),
    **dict.fromkeys(("START", "UNSTOP", "OPTIN"), Intent.OPT_IN),
    **dict.fromkeys(("HELP", "INFO", "AIDE", "HILFE", "AYUDA", "AJUDA"), Intent.HELP),
}  # fmt: skip
#: No keyword is longer than this, however it is decorated.
_TEXT_CHARACTERS_MAX: Final = 64
_BETWEEN: Final = re.compile(r"[\s_-]+")
_INVISIBLE: Final = frozenset({"Mn", "Cf"})  # accents that were taken off their letter; joiners and the like

#: Nobody changes his mind this often. Beyond it the earliest facts are forgotten, so that no row grows without bound;
#: only a callback that is repeated after as many later ones could then count anew.
FACTS_MAX: Final = 200
_CLOCK_MIN: Final = datetime(2000, 1, 1, tzinfo=UTC)


class OptOutSource(Word):
    """How we know."""

    KEYWORD = "keyword"  #: the person wrote a word that we recognise
    PROVIDER = "provider"  #: the provider said what the message means
    ERROR_CODE = "error_code"  #: the provider refused to send, since the person opted out there
    MANUAL = "manual"  #: somebody of ours put it in


class OptOutKey(NamedTuple):
    """What an opt-out holds for."""

    account_id: int
    sender: str  #: our number or name
    recipient: str  #: the person's number


class OptOutFact(NamedTuple):
    """One fact: at that time the person did not want to hear from us, or did again."""

    opted_out: bool
    source: OptOutSource
    keyword: str | None = None  #: the word that was recognised
    provider_message_id: str | None = None  #: the message that says so
    occurred_at: datetime | None = None  #: on the provider's clock, where it told


Facts = Mapping[OptOutFact, Heard]


class OptOut(NamedTuple):
    """Whether the person wants to hear from us, and how we know: by the fact that first said what holds now."""

    facts: Facts
    opted_out: bool
    changed_at: datetime
    source: OptOutSource
    keyword: str | None
    provider_message_id: str | None


def keyword_of(text: str | None) -> str | None:
    """The keyword that is all the text says, whatever its case, accents and the punctuation around it."""
    if not text or len(text) > _TEXT_CHARACTERS_MAX:
        return None
    letters = unicodedata.normalize("NFKD", text)
    plain = "".join(char for char in letters if unicodedata.category(char) not in _INVISIBLE).upper()
    ends = [index for index, char in enumerate(plain) if char.isalnum()]
    word = _BETWEEN.sub("", plain[ends[0] : ends[-1] + 1]) if ends else ""
    return word if word in KEYWORDS else None


def understood(content: Content) -> Content:
    """The content with what it asks of us: as the provider told, else as we recognise it."""
    if content.intent is not None:
        return content
    keyword = keyword_of(content.text)
    return content if keyword is None else content._replace(intent=KEYWORDS[keyword])


def said_in(account_id: int, receipt: Receipt, *, refused: bool) -> tuple[OptOutKey, OptOutFact] | None:
    """What a receipt says of an opt-out; None: nothing.

    Args:
        refused: its error code means that the provider did not send since the person opted out there.
    """
    if receipt.direction is Direction.OUTBOUND:
        ours, theirs, intent, keyword = receipt.sender, receipt.recipient, Intent.OPT_OUT if refused else None, None
        source = OptOutSource.ERROR_CODE
    elif receipt.content is not None:
        ours, theirs, intent = receipt.recipient, receipt.sender, understood(receipt.content).intent
        keyword = keyword_of(receipt.content.text)
        source = OptOutSource.KEYWORD if receipt.content.intent is None else OptOutSource.PROVIDER
    else:
        return None
    if intent not in (Intent.OPT_OUT, Intent.OPT_IN) or not ours or not theirs:
        return None
    return OptOutKey(account_id, ours, theirs), OptOutFact(
        opted_out=intent is Intent.OPT_OUT,
        source=source,
        keyword=keyword if keyword and KEYWORDS[keyword] is intent else None,
        provider_message_id=receipt.provider_message_id,
        # Of a refused one: when it was to be sent. What the person wrote since then is not undone by a late refusal.
        occurred_at=receipt.submitted_at or receipt.queued_at or receipt.final_at,
    )


def fold(facts: Facts, told: Iterable[Telling[OptOutFact]]) -> OptOut:
    """What holds after hearing `told` on top of `facts`; one of them must not be empty."""
    known = hear(facts, told)
    ordered = in_order(known)
    if len(ordered) > FACTS_MAX:
        ordered = ordered[-FACTS_MAX:]
        known = {fact: known[fact] for fact in ordered}
    first = last = ordered[-1]
    for fact in reversed(ordered):
        if fact.opted_out is not last.opted_out:
            break
        first = fact
    return OptOut(
        facts=known,
        opted_out=last.opted_out,
        changed_at=at(first, known[first]),
        source=first.source,
        keyword=first.keyword,
        provider_message_id=first.provider_message_id,
    )


def in_order(facts: Facts) -> list[OptOutFact]:
    """Earliest first; ties by the message's id, then by content, so that it is one order for all."""
    return sorted(facts, key=lambda fact: (at(fact, facts[fact]), fact.provider_message_id or "", repr(fact)))


def at(fact: OptOutFact, heard: Heard) -> datetime:
    """When it was said: on the provider's clock where it told, but never after we heard of it; else on ours."""
    if fact.occurred_at is None or not _CLOCK_MIN <= fact.occurred_at <= heard.received_at:
        return heard.received_at
    return fact.occurred_at
