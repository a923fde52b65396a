"""What alerts and summaries read like in a mail and in a chat, written from the same JSON that webhooks get.

Whatever comes from providers or operators is escaped for where it goes.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final, NamedTuple

from landed.domain.alerting import Kind
from landed.services import alert_words
from landed.services.alert_shapes import AlertShape
from landed.services.alert_words import moment

#: Slack refuses longer ones.
_BLOCK_CHARACTERS_MAX: Final = 2_900
#: And Discord longer texts.
_TEXT_CHARACTERS_MAX: Final = 1_900
_SUBJECT_CHARACTERS_MAX: Final = 200
_SIGNS: Final = {"info": "🔵", "warning": "🟠", "critical": "🔴"}
_ENDED: Final = {
    "recovered": "It is back within its limits.",
    "quiet": "For an hour there was too little traffic to tell it from.",
    "disabled": "Its rule was switched off.",
    "deleted": "Its rule was deleted.",
}


class Section(NamedTuple):
    """A heading, and lines below it. Rows of a table have cells."""

    heading: str
    lines: Sequence[str] = ()
    table: Sequence[Sequence[str]] = ()


class Text(NamedTuple):
    """What is to be read, before it has a form."""

    subject: str
    sections: Sequence[Section]
    url: str | None = None
    sign: str = ""


def of(payload: Mapping[str, Any]) -> Text:
    """What a notification says, each heading, line and cell on one line."""
    told = _told(payload)
    sections = [
        Section(_line(each.heading), [*map(_line, each.lines)], [[*map(_line, row)] for row in each.table])
        for each in told.sections
    ]
    return told._replace(sections=sections)


def _told(payload: Mapping[str, Any]) -> Text:
    event, data = str(payload["type"]), payload["data"]
    if event == "summary.weekly":
        return _summary(data)
    if event == "alert.test":
        return Text("Landed: a test", [Section("This is a test", [str(data["text"])])], data.get("url"), "✅")
    return _alert(event, AlertShape.model_validate(data))


def _alert(event: str, alert: AlertShape) -> Text:
    is_over = event == "alert.recovered"
    word = "Over" if is_over else "Still" if event == "alert.repeated" else alert.severity.capitalize()
    facts = [("Since", moment(alert.since))]
    if alert.where:
        facts.insert(0, ("Where", alert.where.text))
    if alert.words:
        facts.append(("Words", ", ".join(f"{each.word} ({each.times:,})" for each in alert.words)))
    if alert.error:
        facts.append(("Most common", _error(alert)))
        if alert.error.meaning:
            facts.append(("What to do", alert.error.meaning.advice))
    if event != "alert.fired":
        facts += _figures(alert)
    lines = [f"{name}: {text}" for name, text in facts]
    if is_over:
        over_at = f"Over since {moment(alert.ended_at)}. " if alert.ended_at else ""
        lines = [over_at + _ENDED.get(alert.ended_by or "", ""), *lines]
    sign = "🟢" if is_over else _SIGNS.get(alert.severity, "")
    return Text(f"[{word}] {alert.title}", [Section(alert.title, lines)], alert.url, sign)


def _figures(alert: AlertShape) -> list[tuple[str, str]]:
    """What became of the figure since it fired. Spend has none: an amount is nothing without its currency."""
    kind = Kind(alert.kind)
    if kind is Kind.SPEND or alert.last is None:
        return []
    return [("Now", alert_words.number(kind, alert.last)), ("Worst", alert_words.number(kind, alert.worst))]


def _error(alert: AlertShape) -> str:
    error = alert.error
    if error is None:
        return ""
    title = f" {error.meaning.title}" if error.meaning else ""
    return f"error code {error.error_code}{title} ({error.messages:,} messages)"


def _summary(data: Mapping[str, Any]) -> Text:
    sections = [Section(each["heading"], each["lines"], each["table"]) for each in data["sections"]]
    return Text(data["title"], sections, data["url"], "📊")


def subject(text: Text) -> str:
    """One line, without what could begin another header."""
    return _line(text.subject)[:_SUBJECT_CHARACTERS_MAX]


def _line(text: str) -> str:
    """On one line, whatever is in it: a word of others makes no lines that look like ours."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def plain(text: Text) -> str:
    parts = []
    for section in text.sections:
        parts += [section.heading, "", *section.lines, *(_columns(section.table) if section.table else ()), ""]
    return "\n".join([*parts, *([f"Look: {text.url}"] if text.url else []), ""])


def html(text: Text) -> str:
    """Plain and small: no pictures, no styles from elsewhere, readable in any mail program."""
    body = "".join(_html_section(section) for section in text.sections)
    link = f'<p><a href="{escape(text.url)}">Look at it in Landed</a></p>' if text.url else ""
    return (
        '<!doctype html><html><body style="font:15px/1.5 system-ui,sans-serif;max-width:44em">'
        f"{body}{link}</body></html>"
    )


def _html_section(section: Section) -> str:
    lines = "".join(f"<p>{escape(line)}</p>" for line in section.lines)
    rows = "".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in section.table)
    table = f"<table>{rows}</table>" if rows else ""
    return f'<h2 style="font-size:17px">{escape(section.heading)}</h2>{lines}{table}'


def _html_cell(cell: str) -> str:
    return f'<td style="padding:2px 12px 2px 0">{escape(cell)}</td>'


def slack(text: Text) -> dict[str, Any]:
    """For incoming webhooks of Slack, and whatever takes the same: blocks, and all in a text for those without."""
    first, *others = text.sections
    title = f"{text.sign} {_escaped(subject(text))}".strip()
    says_it = first.heading in subject(text)
    whole = "\n\n".join([title, *map(_slack_section, [first._replace(heading="") if says_it else first, *others])])
    link = f"<{_entities(text.url)}|Look at it in Landed>" if text.url else ""
    if len(link) > _BLOCK_CHARACTERS_MAX // 2:
        link = ""
    blocks = [f"{text.sign} {_slack_section(first)}".strip(), *map(_slack_section, others), *([link] if link else [])]
    room = _TEXT_CHARACTERS_MAX - len(link) - 2
    return {"text": f"{whole[:room]}\n\n{link}".strip(), "blocks": [_block(block) for block in blocks]}


def _slack_section(section: Section) -> str:
    lines = [*([f"*{_escaped(section.heading)}*"] if section.heading else []), *map(_escaped, section.lines)]
    if section.table:
        lines.append("```" + "\n".join(map(_escaped, _columns(section.table))) + "```")
    return "\n".join(lines)


def _block(markdown: str) -> dict[str, Any]:
    """`verbatim`: Slack makes no links and mentions of its own out of what is written there."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": markdown[:_BLOCK_CHARACTERS_MAX], "verbatim": True}}


def _escaped(text: str) -> str:
    """Nothing in here is a mention or a link of anybody else's. Slack asks for entities; others (Mattermost, Discord)
    call people by the sign alone, which a space of no width takes from it."""
    return _entities(text).replace("@", "@\u200b")


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[index]) for row in rows if index < len(row)) for index in range(max(map(len, rows)))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
