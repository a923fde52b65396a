"""`landed db`: the schema of the database."""

from typing import Final

import typer

from landed.cli.opening import opened_database, reads
from landed.cli.speaking import AsJson, print_json, print_line, print_table, say
from landed.domain.errors import SchemaBehind

app = typer.Typer(help="Upgrade the database, or tell whether it has to be.", no_args_is_help=True)
_VARIABLES: Final = reads("LANDED_DATABASE_URL", "LANDED_DATA_DIR")


@app.command(short_help="Bring the database to the schema this version needs.", epilog=_VARIABLES)
def upgrade(as_json: AsJson = False) -> None:
    """Example: landed db upgrade

    Bring the database to the schema this version needs. Doing it again changes nothing. The embedded PostgreSQL is
    upgraded by every command that opens it; one of your own only by this.
    """
    from alembic.util import CommandError

    from landed import settings
    from landed.store import migrate

    with opened_database(settings.read()) as database_url:
        try:
            before, after = migrate.upgrade(database_url)
        except CommandError as error:
            migrate.check(database_url)  # says it better: the revision comes from a newer version
            raise SchemaBehind(f"The database cannot be upgraded: {error}.") from error
    if as_json:
        print_json({"before": before, "after": after})
        return
    say("The database was up to date." if before == after else f"Upgraded from {before or 'nothing'}.")
    print_line(after)


@app.command(short_help="Tell which database is used, and whether its schema fits.", epilog=_VARIABLES)
def status(as_json: AsJson = False) -> None:
    """Example: landed db status

    Tell which database is used, where the files of the embedded one lie, and whether the schema fits this version:
    exit code 0 if it does, 1 if not.
    """
    from landed import settings
    from landed.store import embedded, migrate

    read = settings.read()
    described = {setting.variable: setting.value for setting in settings.describe(read)}
    problem = None
    with opened_database(read) as database_url:
        # Not always below LANDED_DATA_DIR: as root the files may have to lie elsewhere.
        database = described["LANDED_DATABASE_URL"] or f"embedded in {embedded.home_of(read.data_dir)}"
        try:
            migrate.check(database_url)
        except SchemaBehind as behind:
            problem = str(behind)
    if as_json:
        print_json({"database": database, "up_to_date": problem is None, "problem": problem})
    else:
        print_table(["database", "schema"], [[database, problem or "up to date"]])
    raise typer.Exit(0 if problem is None else 1)
