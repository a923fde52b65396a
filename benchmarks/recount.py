"""Every figure of analytics, counted anew: `python -m benchmarks.recount [--messages 1000000] [--questions 25]`.

A database of its own is filled with messages, sessions and registrations that are told in every way that is wrong
(tests/chaos.py). Then questions are drawn at random, and each answer is compared, figure by figure, with what the rows
themselves say (tests/recounted.py). Exit 1 where one differs; it is a proof of counting, and measures nothing.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import Final

import psycopg
from rich.console import Console

from benchmarks import harness
from landed.domain.errors import InputInvalid
from landed.store import migrate, reading
from tests import asked_at_random, chaos
from tests.asked_at_random import Recount
from tests.recount import recount
from tests.recounted import Asked
from tests.session_recount import recount_sessions

DAYS: Final = 40
#: Of what differs, so much is shown.
_SHOWN: Final = 10

console: Final = Console(stderr=True, highlight=False)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recount", description="Count every figure anew.")
    parser.add_argument("--messages", type=int, default=1_000_000, help="how many, about (default: %(default)s)")
    parser.add_argument("--questions", type=int, default=25, help="of each kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn (default: %(default)s)")
    given = parser.parse_args(words)
    with harness.database() as database_url:
        migrate.upgrade(database_url)
        return asyncio.run(_prove(database_url, given.messages, given.questions, given.seed))


async def _prove(database_url: str, messages: int, questions: int, seed: int) -> int:
    now = datetime.now(UTC)
    began = time.monotonic()
    await chaos.fill(database_url, messages, now=now, days=DAYS, seed=seed)
    engine = reading.engine(database_url)
    rows = Recount(engine, now)
    try:
        async with await psycopg.AsyncConnection.connect(database_url) as connection:
            await connection.execute("ANALYZE")
            await rows.load(connection)
            console.print(f"{len(rows.messages):,} messages and {len(rows.sessions):,} sessions filled in", style="dim")
            console.print(f"in {time.monotonic() - began:.0f} s", style="dim")
            wrong = [*map(str, await recount(connection)), *map(str, await recount_sessions(connection))]
        console.print(f"counters against rows: {len(wrong)} differences")
        wrong += await _asked(rows, questions, Random(seed))
    finally:
        await engine.dispose()
    for each in wrong[:_SHOWN]:
        console.print(each[:2000], style="red", markup=False)
    console.print(f"{len(wrong)} differences after {time.monotonic() - began:.0f} s")
    return int(bool(wrong))


async def _asked(rows: Recount, questions: int, random: Random) -> list[str]:
    of_messages = asked_at_random.questions(random, rows.messages, rows.now, DAYS)
    of_sessions = asked_at_random.funnel_questions(random, rows.sessions, rows.now, DAYS)
    wrong = await _all("overviews", rows.overview, islice(of_messages, questions))
    wrong += await _all("questions about messages", rows.analytics, islice(of_messages, questions))
    wrong += await _all("questions about sessions", rows.funnel, islice(of_sessions, questions))
    told = await rows.registrations()
    console.print(f"registrations by age: {len(told)} differences")
    return wrong + told


async def _all(name: str, ask: Callable[[Asked], Awaitable[list[str]]], questions: Iterable[Asked]) -> list[str]:
    wrong: list[str] = []
    answered = refused = 0
    for asked in questions:
        try:
            wrong += [f"{asked}: {each}" for each in await ask(asked)]
            answered += 1
        except InputInvalid:  # more rows than an answer may have
            refused += 1
    console.print(f"{answered} {name}, {refused} refused: {len(wrong)} differences")
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
