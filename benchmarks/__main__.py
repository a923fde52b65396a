"""`python -m benchmarks [names…] [--quick]`: measure, print a table, write JSON. Exit 1 where a budget is missed."""

import argparse
import importlib
import sys
from typing import Final

from rich.console import Console

from benchmarks import report
from benchmarks.harness import MeasurementFailed, Missing, Session

NAMES: Final = ("acks", "half_load", "tracking", "questions", "memory", "start")


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the budgets on this machine.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"which to measure: {', '.join(NAMES)}; none: all")
    parser.add_argument("--quick", action="store_true", help="short runs on less data: a smoke test, no result")
    given = parser.parse_args(words)
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}")
    session = Session(quick=given.quick, console=Console(stderr=True))
    figures: list[report.Figure] = []
    failed = False
    for name in given.names or NAMES:
        session.console.rule(name, align="left")
        try:
            figures += importlib.import_module(f"benchmarks.{name}").run(session)
        except Missing as missing:
            session.skip(f"{name}: {missing}")
        except MeasurementFailed as failure:
            failed = True
            session.skip(f"{name} failed: {failure}")
    report.show(Console(), figures, session.skipped)
    session.say(f"written to {report.keep(figures, session.skipped, quick=given.quick)}")
    return int(failed or any(figure.met is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
