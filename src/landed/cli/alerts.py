"""`landed alerts`: what is wrong, who looks after it, and the summary of the week."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from landed.cli.alert_rules import app as rules_app
from landed.cli.alert_targets import app as targets_app
from landed.cli.durations import Duration, duration
from landed.cli.figures import clean
from landed.cli.messages import Cursor, Limit, Since, Until
from landed.cli.opening import VARIABLES, opened_store, reads, run
from landed.cli.recording import actor, record
from landed.cli.speaking import AsJson, facts_table, moment, print_json, print_line, print_table, say
from landed.domain.alerting import Severity
from landed.domain.errors import InputInvalid

if TYPE_CHECKING:
    from landed.services.alert_shapes import AlertWhole
    from landed.services.alerts import Alerts
    from landed.services.summaries import Summaries

app = typer.Typer(help="Alerts: what is wrong, what is looked at, and who is told.", no_args_is_help=True)
app.add_typer(rules_app, name="rules")
app.add_typer(targets_app, name="targets")

AlertId = Annotated[str, typer.Argument(metavar="ALERT", help="The alert's id.")]
_MAIL_VARIABLES = reads(
    "LANDED_DATABASE_URL", "LANDED_DATA_DIR", "LANDED_SECRET_KEY", "LANDED_SMTP_URL", "LANDED_MAIL_FROM"
)
_SUMMARY_VARIABLES = reads("LANDED_DATABASE_URL", "LANDED_WEEKLY_SUMMARY", "LANDED_WEEKLY_SUMMARY_ZONE")


@app.command("list", short_help="List alerts, the latest first.", epilog=VARIABLES)
@run
async def show_page(
    firing: Annotated[
        bool | None, typer.Option("--firing/--over", help="Only those that stand, or those that are over.")
    ] = None,
    rule: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this rule.")] = None,
    severity: Annotated[list[Severity] | None, typer.Option(help="Only these. Repeatable.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """Example: landed alerts list --firing

    List alerts, the latest first: those that stood at some time since then.
    """
    from landed.services.alerts import AlertQuestion
    from landed.services.moments import moment as read_moment

    now = datetime.now(UTC)
    question = AlertQuestion(
        firing=firing,
        rule=rule,
        severities=severity or (),
        since=read_moment(since, now, field="since") if since else None,
        until=read_moment(until, now, field="until") if until else None,
    )
    async with _opened() as alerts:
        page = await alerts.page(question, account_id=None, cursor=cursor, limit=limit)
    if as_json:
        print_json(page.model_dump(mode="json"))
        return
    if not page.data:
        say("No alerts.")
        return
    rows = [
        [
            moment(each.fired_at),
            each.state,
            each.severity,
            clean(each.title),
            clean(each.where.text) if each.where else None,
            each.id,
        ]
        for each in page.data
    ]
    print_table(["fired at", "state", "severity", "what", "where", "id"], rows)
    if page.next_cursor:
        say(f"More: add --cursor {page.next_cursor}")


@app.command(short_help="Show one alert with what was told of it.", epilog=VARIABLES)
@run
async def show(alert: AlertId, as_json: AsJson = False) -> None:
    """Example: landed alerts show 5a2bcf3a-5620-4f4b-97b5-3cb1abf9493e

    Show one alert: what, where, since when, what to do, and who was told.
    """
    async with _opened() as alerts:
        _show(await alerts.one(alert, account_id=None), as_json)


@app.command(short_help="Say that you look after an alert.", epilog=VARIABLES)
@run
async def ack(alert: AlertId, as_json: AsJson = False) -> None:
    """Example: landed alerts ack 5a2bcf3a-5620-4f4b-97b5-3cb1abf9493e

    Say that you look after an alert: it is not told again. That it is over is still told.
    """
    async with _opened() as alerts:
        whole = await alerts.acknowledge(alert, by=actor(), account_id=None)
        await record(alerts.pool, "alert.acknowledged", alert)
    _show(whole, as_json)


@app.command(short_help="Tell nobody of an alert for a while.", epilog=VARIABLES)
@run
async def mute(
    alert: AlertId,
    for_: Annotated[
        Duration | None, typer.Option("--for", metavar="TIME", parser=duration, help="So long: 30m, 8h, 2d.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="No more muted.")] = False,
    as_json: AsJson = False,
) -> None:
    """Example: landed alerts mute 5a2bcf3a-5620-4f4b-97b5-3cb1abf9493e --for 8h

    Tell nobody of an alert for a while. That it is over is still told to those who were told before.
    """
    if (for_ is None) == (not off):
        raise InputInvalid("Say for how long (--for 8h), or --off.", field="for")
    async with _opened() as alerts:
        whole = await alerts.mute(alert, until=None if for_ is None else datetime.now(UTC) + for_, account_id=None)
        await record(alerts.pool, "alert.unmuted" if off else "alert.muted", alert)
    _show(whole, as_json)


@app.command("test", short_help="Tell a target that this is a test.", epilog=_MAIL_VARIABLES)
@run
async def tried(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The target's name.")], as_json: AsJson = False
) -> None:
    """Example: landed alerts test team

    Send a target a test now, and say what came of it.
    """
    from landed.app import make_mailer
    from landed.providers.http import open_client
    from landed.services.alert_sending import Sender
    from landed.services.alert_targets import Targets

    async with opened_store() as store, open_client() as http:
        sender = Sender(sealer=store.sealer, http=http, mailer=make_mailer(store.settings))
        targets = Targets(pool=store.pool, sealer=store.sealer, sender=sender)
        outcome = await targets.test(target, store.settings.public_url)
    if as_json:
        print_json(outcome.model_dump(mode="json"))
    else:
        word = "delivered" if outcome.delivered else "not delivered"
        say(f"{outcome.target}: {word}. {outcome.problem or ''}".strip())
    if not outcome.delivered:
        raise typer.Exit(1)


@app.command(short_help="Print the summary of last week, or send it.", epilog=_SUMMARY_VARIABLES)
@run
async def summary(
    send: Annotated[bool, typer.Option("--send", help="Send it now to all who get it, besides Monday's.")] = False,
    as_json: AsJson = False,
) -> None:
    """Example: landed alerts summary

    Print the summary of last week against the week before: messages, delivery rate, time to deliver, spend, where most
    failed and why, codes typed, and alerts. With --send it goes to all who get it on Mondays; a worker delivers it.
    """
    from landed.services import alert_texts
    from landed.services.alert_telling import payload

    async with _opened_summaries() as summaries:
        if send:
            told = await summaries.tell_now()
            if as_json:
                print_json({"told": told})
            elif told:
                say(f"On its way to {told}; a worker delivers it.")
            else:
                say("Nobody gets it: set LANDED_WEEKLY_SUMMARY, or give a target --weekly-summary.")
            return
        week = await summaries.latest()
    if as_json:
        print_json(week.model_dump(mode="json"))
        return
    text = alert_texts.of(payload("summary.weekly", week.model_dump(mode="json"), datetime.now(UTC)))
    print_line(clean(f"{week.title}\n\n{alert_texts.plain(text)}").rstrip())


def _show(alert: "AlertWhole", as_json: bool) -> None:
    if as_json:
        print_json(alert.model_dump(mode="json"))
        return
    from rich.console import Console

    meaning = alert.error.meaning if alert.error else None
    told = [
        f"{each.kind} to {each.target or 'addresses'}: {each.state}{f' ({each.problem})' if each.problem else ''}"
        for each in alert.notifications
    ]
    facts = [
        ("what", alert.title),
        ("where", alert.where.text if alert.where else None),
        ("severity", alert.severity),
        ("state", f"{alert.state} ({alert.ended_by})" if alert.ended_by else alert.state),
        ("since", moment(alert.since)),
        ("fired at", moment(alert.fired_at)),
        ("over at", moment(alert.ended_at)),
        ("error code", f"{alert.error.error_code} {meaning.title if meaning else ''}" if alert.error else None),
        ("what to do", meaning.advice if meaning else None),
        ("words", ", ".join(f"{each.word} ({each.times})" for each in alert.words)),
        ("looked after by", alert.acknowledged_by),
        ("muted until", moment(alert.muted_until)),
        ("told", "\n".join(told) or "nobody"),
        ("look", alert.url),
    ]
    Console(highlight=False, soft_wrap=True).print(facts_table(facts))


@asynccontextmanager
async def _opened() -> AsyncIterator["Alerts"]:
    from landed.services.alerts import Alerts

    async with opened_store() as store:
        yield Alerts(pool=store.pool, public_url=store.settings.public_url)


@asynccontextmanager
async def _opened_summaries() -> AsyncIterator["Summaries"]:
    from landed.app import make_summaries
    from landed.providers import registry
    from landed.store import reading

    async with opened_store() as store:
        engine = reading.engine(store.database_url)
        try:
            yield make_summaries(store.settings, store.pool, engine, registry.load())
        finally:
            await engine.dispose()
