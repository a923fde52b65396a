"""`landed settings`."""

from dataclasses import asdict

from landed.cli.speaking import AsJson, print_json, print_table, say


def show(as_json: AsJson = False) -> None:
    """Example: landed settings --json

    Print every setting: its value, where that comes from (default, environment, file, .env), and what it means.
    A secret key that Landed made itself is shown as generated, with the file it is in.

    Each is a variable, LANDED_PORT for one, or the contents of the file that LANDED_PORT_FILE names. Both may also
    stand in the file .env of the working directory. Secrets are shown as stars.
    """
    from landed import settings

    described = settings.describe(settings.read())
    if as_json:
        print_json([asdict(setting) for setting in described])
    else:
        print_table(
            ["variable", "value", "source", "meaning"],
            [[setting.variable, setting.value, setting.source, setting.meaning] for setting in described],
        )
    for variable in settings.unknown_variables():
        say(f"{variable} is not a setting; nothing reads it.")
