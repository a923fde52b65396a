"""Imports point one way: domain <- providers, store, journal <- services <- web, simulator <- app <- cli.

DESIGN.md, "The house". Names are read from the source, not by importing it.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

import landed

SOURCE: Final = Path(landed.__file__).parent

#: What each folder or file of the house may import besides itself. The ways in start the composition root.
MAY_IMPORT: Final[dict[str, set[str]]] = {
    "domain": set(),
    "providers": {"domain"},
    "store": {"domain"},
    "journal": {"domain", "store"},
    "services": {"domain", "providers", "store", "journal"},
    "web": {"domain", "providers", "store", "journal", "services"},
    "simulator": {"domain", "providers", "services"},
    "settings": {"domain"},
    "logs": set(),
    "processes": {"logs"},
    "app": {"domain", "providers", "store", "journal", "services", "web", "settings", "logs", "processes"},
    "cli": {
        "domain", "providers", "store", "journal", "services", "simulator", "app", "settings", "logs", "processes",
    },
    "testing": {"domain", "providers", "store", "simulator"},  # for tests of others; nobody imports it
    "docs": {"domain", "providers", "services", "settings", "cli"},
    "__main__": {"cli"},
    "__init__": set(),
}  # fmt: skip
#: The journal is in a table, but no table is known to it but its own.
STORE_FOR_THE_JOURNAL: Final = {"landed.store.arrays", "landed.store.connect", "landed.store.partitions"}
#: What services and those above may name of the drivers: connections that they hand on, and errors that they catch.
DRIVERS: Final = {"psycopg", "psycopg_pool", "sqlalchemy", "alembic"}
CONNECTIONS_AND_ERRORS: Final = {
    "psycopg", "psycopg.AsyncConnection", "psycopg.ProgrammingError", "psycopg_pool.AsyncConnectionPool",
    "psycopg.conninfo.conninfo_to_dict", "sqlalchemy.ext.asyncio.AsyncEngine", "alembic.util.CommandError",
}  # fmt: skip


class Import(NamedTuple):
    """`name` is whole: of `from a.b import c` it is `a.b.c`."""

    file: str
    line: int
    name: str


def place_of(file: str) -> str:
    """The folder of the house, or the file that lies beside the folders."""
    return Path(file).parts[0].removesuffix(".py")


def imports() -> Iterator[Import]:
    for path in sorted(SOURCE.rglob("*.py")):
        file = str(path.relative_to(SOURCE))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (Import(file, node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file}:{node.lineno} imports by dots"
                yield from (Import(file, node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


IMPORTS: Final = list(imports())
OURS: Final = [each for each in IMPORTS if each.name.startswith("landed.")]


def test_every_folder_and_file_has_its_place_in_this_order() -> None:
    assert {place_of(each.file) for each in IMPORTS} <= MAY_IMPORT.keys()


@pytest.mark.parametrize("place", MAY_IMPORT)
def test_imports_point_one_way(place: str) -> None:
    allowed = MAY_IMPORT[place] | {place}

    wrong = [each for each in OURS if place_of(each.file) == place and each.name.split(".")[1] not in allowed]

    assert [each for each in wrong if each.name != "landed.__version__"] == []


def test_the_journal_uses_of_the_store_only_connections_and_partitions() -> None:
    of_store = [each for each in OURS if place_of(each.file) == "journal" and each.name.startswith("landed.store")]

    assert [each for each in of_store if not any(each.name.startswith(name) for name in STORE_FOR_THE_JOURNAL)] == []


def test_the_domain_needs_nothing_but_the_standard_library() -> None:
    known = sys.stdlib_module_names | {"landed"}

    assert [each for each in IMPORTS if place_of(each.file) == "domain" and each.name.split(".")[0] not in known] == []


@pytest.mark.parametrize("module", ["asyncio", "socket", "os", "pathlib", "time", "random", "threading", "subprocess"])
def test_the_domain_does_no_input_or_output_and_reads_no_clock(module: str) -> None:
    assert [each for each in IMPORTS if place_of(each.file) == "domain" and each.name.split(".")[0] == module] == []


def test_the_domain_waits_for_nothing_and_asks_no_clock() -> None:
    for path in (SOURCE / "domain").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))

        assert not [node for node in nodes if isinstance(node, ast.AsyncFunctionDef | ast.Await)], path
        assert not [node for node in nodes if isinstance(node, ast.Attribute) and node.attr in {"now", "today"}], path


def test_sql_is_in_the_store_and_the_journal_alone() -> None:
    drivers = [each for each in IMPORTS if each.name.split(".")[0] in DRIVERS]
    outside = [each for each in drivers if place_of(each.file) not in {"store", "journal"}]

    assert [each for each in outside if each.name not in CONNECTIONS_AND_ERRORS] == []


def test_a_provider_knows_no_other_provider() -> None:
    folders = {path.name for path in (SOURCE / "providers").iterdir() if path.is_dir() and path.name != "__pycache__"}
    of_providers = [each for each in OURS if each.file.startswith("providers/") and each.file.count("/") > 1]

    for each in of_providers:
        own = each.file.split("/")[1]
        assert each.name.split(".")[2] not in folders - {own}, each
