"""The command line. Each group is a file here, and a line below.

Command files import only what their options need; the rest is imported by the functions that use it, so that
`landed --help` and shell completion are quick.
"""

import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

import landed
from landed.cli.accounts import app as accounts_app
from landed.cli.alerts import app as alerts_app
from landed.cli.audit import audit
from landed.cli.broadcasts import app as broadcasts_app
from landed.cli.callbacks import app as callbacks_app
from landed.cli.db import app as db_app
from landed.cli.demo import demo
from landed.cli.importing import app as import_app
from landed.cli.inbound import app as inbound_app
from landed.cli.keys import app as keys_app
from landed.cli.listen import EPILOG as LISTEN_EPILOG
from landed.cli.listen import listen
from landed.cli.messages import app as messages_app
from landed.cli.opening import ALL_VARIABLES, VARIABLES
from landed.cli.opt_outs import app as opt_outs_app
from landed.cli.report import report
from landed.cli.serve import serve, web, worker
from landed.cli.settings import show as show_settings
from landed.cli.simulate import simulate
from landed.cli.tendlc import app as tendlc_app
from landed.cli.trigger import EPILOG as TRIGGER_EPILOG
from landed.cli.trigger import trigger
from landed.cli.users import app as users_app
from landed.cli.verify import app as verify_app
from landed.domain.errors import InputInvalid, LandedError, SettingInvalid

app = typer.Typer(
    name="landed",
    help="Landed tells you what became of every message you sent.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
# Groups of commands, then single ones.
app.add_typer(messages_app, name="messages")
app.add_typer(inbound_app, name="inbound")
app.add_typer(opt_outs_app, name="opt-outs")
app.add_typer(broadcasts_app, name="broadcasts")
app.add_typer(verify_app, name="verify")
app.add_typer(tendlc_app, name="10dlc")
app.add_typer(callbacks_app, name="callbacks")
app.add_typer(alerts_app, name="alerts")
app.add_typer(import_app, name="import")
app.add_typer(accounts_app, name="accounts")
app.add_typer(keys_app, name="keys")
app.add_typer(users_app, name="users")
app.add_typer(db_app, name="db")
for name, command, short_help, variables in (
    ("report", report, "How messages are doing, and where it goes wrong.", VARIABLES),
    ("audit", audit, "Who did what: people, API keys and commands.", VARIABLES),
    ("demo", demo, "Run everything with simulated traffic, to see what it does.", ALL_VARIABLES),
    ("simulate", simulate, "Stand in for the providers, to develop and test without them.", None),
    ("serve", serve, "Run everything on this machine.", ALL_VARIABLES),
    ("web", web, "Take callbacks and serve the API.", ALL_VARIABLES),
    ("listen", listen, "Forward callbacks that arrive to your own program.", LISTEN_EPILOG),
    ("trigger", trigger, "Send any callback, signed, to your own program.", TRIGGER_EPILOG),
    ("worker", worker, "Track callbacks.", ALL_VARIABLES),
    ("settings", show_settings, "Print every setting with its value, its source and its meaning.", ALL_VARIABLES),
):
    app.command(name, short_help=short_help, epilog=variables)(command)


#: Python keeps bytes of the command line that are no UTF-8 as surrogates, and nothing takes those for text.
_NO_TEXT: Final = "surrogates not allowed"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 failed, 2 misused. Errors raised on purpose are a sentence, not a traceback."""
    try:
        app(args=None if arguments is None else list(arguments))
    except LandedError as error:
        typer.echo(str(error), err=True)
        sys.exit(2 if isinstance(error, InputInvalid | SettingInvalid) else 1)
    except UnicodeEncodeError as error:
        if error.reason != _NO_TEXT:
            raise
        typer.echo("Something that was typed holds bytes that are no UTF-8 text.", err=True)
        sys.exit(2)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"landed {landed.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Landed tells you what became of every message you sent."""
