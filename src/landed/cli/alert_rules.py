"""`landed alerts rules`: what is looked at, and when it is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landed.cli.durations import Duration, duration
from landed.cli.figures import clean
from landed.cli.opening import VARIABLES, opened_store, run
from landed.cli.recording import record
from landed.cli.speaking import AsJson, facts_table, moment, print_json, print_table, say
from landed.domain.alerting import BELOW, SHARES, Kind, Severity
from landed.domain.errors import InputInvalid

if TYPE_CHECKING:
    from landed.services.alert_rules import Rules
    from landed.services.alert_shapes import RuleShape

app = typer.Typer(help="The rules of alerts: what is looked at, and when it is told.", no_args_is_help=True)

RuleName = Annotated[str, typer.Argument(metavar="RULE", help="The rule's name or id.")]
#: What stands for "not that any more" where an option takes a value.
_NONE = "none"


def _length(help_text: str) -> Any:
    return typer.Option(metavar="TIME", parser=duration, help=help_text)


Threshold = Annotated[float | None, typer.Option(help="Where it is bad; shares are from 0 to 1.")]
Recovery = Annotated[float | None, typer.Option(help="Where it has to come back to.")]
Floor = Annotated[int | None, typer.Option(help="Fewer messages (or sessions) say nothing.")]
Window = Annotated[Duration | None, _length("How far back it looks: 15m.")]
Hold = Annotated[Duration | None, _length("How long it has to be bad to fire.")]
RecoveryHold = Annotated[Duration | None, _length("How long it has to be good again to be over.")]
After = Annotated[Duration | None, _length("After how long a message is slow, or its receipt missing.")]
RepeatAfter = Annotated[Duration | None, _length("Tell again while it stands, so often; 0s: once.")]
SeverityOption = Annotated[Severity | None, typer.Option(help="How bad it is.")]
Currency = Annotated[str | None, typer.Option(metavar="CODE", help="Of spend: USD; none: whichever is worst.")]
AgainstUsual = Annotated[
    bool | None, typer.Option("--against-usual/--absolute", help="Of spend: the threshold is times the usual.")
]
Targets = Annotated[
    list[str] | None, typer.Option("--target", metavar="NAME", help="Who is told; all: every target. Repeatable.")
]
Accounts = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this account. Repeatable.")]
Countries = Annotated[list[str] | None, typer.Option(metavar="CODE", help="Only to this country. Repeatable.")]
Networks = Annotated[list[str] | None, typer.Option(metavar="MCC-MNC", help="Only this network. Repeatable.")]
Senders = Annotated[list[str] | None, typer.Option(metavar="NUMBER", help="Only from this number. Repeatable.")]
Channels = Annotated[list[str] | None, typer.Option(metavar="CHANNEL", help="Only this channel. Repeatable.")]
Tag = Annotated[str | None, typer.Option(metavar="TAG", help="Only with this tag.")]


@app.command("list", short_help="List the rules, each with how it stands.", epilog=VARIABLES)
@run
async def show_all(as_json: AsJson = False) -> None:
    """Example: landed alerts rules list

    List the rules, each with how it stands and what was seen last.
    """
    async with _opened() as rules:
        found = await rules.every(account_id=None)
    if as_json:
        print_json(found.model_dump(mode="json"))
    elif found.data:
        _print_rules(found.data)
    else:
        say("There are no rules; `landed alerts rules add` makes one.")


@app.command(short_help="Show one rule.", epilog=VARIABLES)
@run
async def show(rule: RuleName, as_json: AsJson = False) -> None:
    """Example: landed alerts rules show "Messages fail"

    Show one rule with all its terms.
    """
    async with _opened() as rules:
        _show(await rules.one(rule, account_id=None), as_json)


@app.command(short_help="Look at something more.", epilog=VARIABLES)
@run
async def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What alerts of it are called.")],
    kind: Annotated[Kind, typer.Option(help="What it looks at.")],
    threshold: Threshold = None,
    recovery: Recovery = None,
    floor: Floor = None,
    window: Window = None,
    hold: Hold = None,
    recovery_hold: RecoveryHold = None,
    after: After = None,
    currency: Currency = None,
    against_usual: AgainstUsual = None,
    severity: SeverityOption = None,
    target: Targets = None,
    repeat_after: RepeatAfter = None,
    account: Accounts = None,
    country: Countries = None,
    network: Networks = None,
    sender: Senders = None,
    channel: Channels = None,
    tag: Tag = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed alerts rules add "Texts to the US fail" --kind failure_share --country US --threshold 0.1

    Look at something more. What is left out is as usual for the kind.
    """
    from landed.services.alert_rules import NewRule

    fields = _fields(
        threshold=threshold, recovery=recovery, floor=floor, window=window, hold=hold, recovery_hold=recovery_hold,
        after=after, currency=currency, against_usual=against_usual, severity=severity, target=target,
        repeat_after=repeat_after,
    ) | _filters(account, country, network, sender, channel, tag)  # fmt: skip
    async with _opened() as rules:
        made = await rules.add(NewRule.model_validate({"name": name, "kind": kind, **fields}), account_id=None)
        await record(rules.pool, "alert_rule.added", made.name)
    _show(made, as_json)


@app.command(short_help="Change a rule, switch it off or on, or mute it.", epilog=VARIABLES)
@run
async def change(
    rule: RuleName,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Another name.")] = None,
    enabled: Annotated[bool | None, typer.Option("--on/--off", help="Look at it, or do not any more.")] = None,
    mute_for: Annotated[Duration | None, _length("Tell nobody for so long; 0s: no more muted.")] = None,
    threshold: Threshold = None,
    recovery: Recovery = None,
    floor: Floor = None,
    window: Window = None,
    hold: Hold = None,
    recovery_hold: RecoveryHold = None,
    after: After = None,
    currency: Currency = None,
    against_usual: AgainstUsual = None,
    severity: SeverityOption = None,
    target: Targets = None,
    repeat_after: RepeatAfter = None,
    account: Accounts = None,
    country: Countries = None,
    network: Networks = None,
    sender: Senders = None,
    channel: Channels = None,
    tag: Tag = None,
    no_filters: Annotated[bool, typer.Option("--no-filters", help="Look at everything.")] = False,
    as_json: AsJson = False,
) -> None:
    """Example: landed alerts rules change "Messages fail" --threshold 0.3 --mute-for 8h

    Change what is given. Filters are replaced as a whole. A rule that is switched off ends its alert.
    """
    from landed.services.alert_rules import RuleFields

    fields = _fields(
        threshold=threshold, recovery=recovery, floor=floor, window=window, hold=hold, recovery_hold=recovery_hold,
        after=after, currency=currency, against_usual=against_usual, severity=severity, target=target,
        repeat_after=repeat_after, name=name, enabled=enabled,
    ) | _filters(account, country, network, sender, channel, tag)  # fmt: skip
    if no_filters:
        fields["filters"] = {}
    if mute_for is not None:
        fields["muted_until"] = datetime.now(UTC) + mute_for if mute_for else None
    if not fields:
        raise InputInvalid("Say what is to be changed; --help tells what can be.", field="rule")
    async with _opened() as rules:
        changed = await rules.change(rule, RuleFields.model_validate(fields), account_id=None)
        await record(rules.pool, "alert_rule.changed", changed.name)
    _show(changed, as_json)


@app.command(short_help="Delete a rule.", epilog=VARIABLES)
@run
async def remove(rule: RuleName, as_json: AsJson = False) -> None:
    """Example: landed alerts rules remove "Unknown statuses"

    Delete a rule. Its alerts stay in the list; one that stands is over. Rules that came along do not return.
    """
    async with _opened() as rules:
        await rules.remove(rule, account_id=None)
        await record(rules.pool, "alert_rule.removed", rule)
    if as_json:
        print_json({"name": rule})
        return
    say(f"The rule {clean(rule)!r} is deleted.")


def _fields(**options: Any) -> dict[str, Any]:
    """What was given, as the API takes it."""
    fields: dict[str, Any] = {}
    for name, value in options.items():
        if value is None:
            continue
        if name == "target":
            fields["targets"] = None if value == ["all"] else value
        elif name == "repeat_after":
            fields["repeat_after_s"] = int(value.total_seconds()) or None
        elif isinstance(value, timedelta):
            fields[f"{name}_s"] = int(value.total_seconds())
        elif name == "currency":
            fields[name] = None if value == _NONE else value
        else:
            fields[name] = value
    return fields


def _filters(
    account: list[str] | None,
    country: list[str] | None,
    network: list[str] | None,
    sender: list[str] | None,
    channel: list[str] | None,
    tag: str | None,
) -> dict[str, Any]:
    given = {
        "account": account,
        "country": country,
        "network": network,
        "sender": sender,
        "channel": channel,
        "tag": [tag] if tag else None,
    }
    filters = {name: values for name, values in given.items() if values}
    return {"filters": filters} if filters else {}


def _print_rules(rules: "list[RuleShape]") -> None:
    rows = [
        [
            clean(each.name),
            each.kind,
            each.state if each.enabled else "off",
            _figure(each, each.value),
            f"{'below' if each.kind in BELOW else 'from'} {_figure(each, each.threshold)}",
            _filters_text(each),
            "all" if each.targets is None else ", ".join(each.targets) or "nobody",
        ]
        for each in rules
    ]
    print_table(["rule", "kind", "state", "now", "bad", "only", "told"], rows)


def _show(rule: "RuleShape", as_json: bool) -> None:
    if as_json:
        print_json(rule.model_dump(mode="json"))
        return
    from rich.console import Console

    facts = [
        (name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in rule.model_dump(mode="json").items()
        if value not in (None, {}) and name != "filters"
    ]
    Console(highlight=False, soft_wrap=True).print(facts_table([*facts, ("only", _filters_text(rule))]))
    if rule.muted_until:
        say(f"Muted until {moment(rule.muted_until)}.")


def _filters_text(rule: "RuleShape") -> str | None:
    return "; ".join(f"{name} {', '.join(values)}" for name, values in rule.filters.items()) or None


def _figure(rule: "RuleShape", value: float | None) -> str | None:
    if value is None:
        return None
    return f"{100 * value:.1f} %" if rule.kind in SHARES else f"{value:,.10g}"


@asynccontextmanager
async def _opened() -> AsyncIterator["Rules"]:
    from landed.services.alert_rules import Rules

    async with opened_store() as store:
        yield Rules(pool=store.pool, public_url=store.settings.public_url)
